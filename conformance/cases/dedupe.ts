import { CANCELLATION, DEDUPLICATION, IDS_WITH_KEYS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { type View, sortedBodies } from '../scene.ts'

export const dedupe: Section = {
  name: 'deduplication',
  needs: [DEDUPLICATION],
  cases: [
    {
      name: 'an id that is retained is a duplicate, and changes nothing',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        await q.send({ body: 'first', id: 'x', headers: { a: '1' } })
        equal(
          await there.append({ body: 'second', id: 'x', delayMs: t.s(5) }),
          [{ id: 'x', status: 'duplicate' }],
          'result',
        )
        const held = await q.takeOne()
        equal([held.id, held.body, held.headers], ['x', 'first', { a: '1' }], 'the delivery')
        await q.takes([], 'other deliveries')
        equal((await q.stats()).sent, 1, 'sent')
      },
    },
    {
      name: 'in the same batch, the second of an id is a duplicate, also with replace',
      async run(t) {
        const q = await t.open()
        const results = await q.append(
          { body: 'a', id: 'x' },
          { body: 'b' },
          { body: 'c', id: 'x' },
          { body: 'd', id: 'y' },
          { body: 'e', id: 'x', replace: true },
        )
        equal(
          results.map(({ status }) => status),
          ['stored', 'stored', 'duplicate', 'stored', 'duplicate'],
          'statuses',
        )
        equal([results[0]!.id, results[2]!.id, results[4]!.id], ['x', 'x', 'x'], 'ids')
        equal(sortedBodies(await q.take()), ['a', 'b', 'd'], 'deliveries')
      },
    },
    {
      name: 'an id is a duplicate while its message is leased, delayed or waits for a retry',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'x', delayMs: t.s(10) })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while it is delayed')
        await t.advance(t.s(10))
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while it is due')
        const held = await q.takeOne({ leaseMs: t.s(30) })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while it is leased')
        await q.retry(held, { delayMs: t.s(10) })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while it waits for a retry')
        await t.advance(t.s(10))
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while its retry is due')
        await q.takeOne({ leaseMs: t.s(1) })
        await t.advance(t.s(1))
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'after its lease was lost')
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'when it is done')
      },
    },
    {
      name: 'an id is a duplicate while its message waits behind a key',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'head', key: 'k' }, { body: 'a', id: 'x', key: 'k' })
        const head = await q.takeOne()
        equal(await q.sendOne({ body: 'b', id: 'x', key: 'k' }), 'duplicate', 'behind its key')
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'without the key')
        await q.ack(head)
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'when it is done')
      },
    },
    {
      name: 'when the message is done, its id is stored again and delivered again',
      async run(t) {
        const q = await t.open()
        for (const body of ['a', 'b', 'c']) {
          equal(await q.sendOne({ body, id: 'x' }), 'stored', body)
          const held = await q.takeOne()
          equal([held.id, held.body, held.attempt], ['x', body, 1], 'id, body and attempt')
          await q.ack(held)
        }
        await q.takes([], 'other deliveries')
      },
    },
    {
      name: 'an id is a duplicate until the last group is done',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send({ body: 'a', id: 'x' })
        await one.ack(await one.takeOne())
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while the other group has it')
        await two.retry(await two.takeOne(), { delayMs: t.s(10) })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'while the other group waits with it')
        await t.advance(t.s(10))
        await two.ack(await two.takeOne())
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'when both are done')
        await one.takes(['b'], 'group one')
        await two.takes(['b'], 'group two')
      },
    },
    {
      name: 'an id is a duplicate before any group exists',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'x' })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'result')
        await q.takes(['a'], 'deliveries')
      },
    },
    {
      name: 'dedupeMs keeps the id from when the last group is done',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send({ body: 'a', id: 'x', dedupeMs: t.s(20) })
        await t.advance(t.s(60))
        await one.ack(await one.takeOne())
        await t.advance(t.s(15))
        await two.ack(await two.takeOne())
        await t.until(t.s(20), async () => {
          equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'before it is over')
        })
        equal(await q.sendOne({ body: 'c', id: 'x' }), 'stored', 'when it is over')
        await one.takes(['c'], 'group one')
      },
    },
    {
      name: 'dedupeMs is what the stored message says, not the duplicate',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'long', dedupeMs: t.s(20) }, { body: 'b', id: 'none' })
        equal(await q.sendOne({ body: 'c', id: 'none', dedupeMs: t.s(20) }), 'duplicate', 'while it waits')
        await q.ack(...(await q.take()))
        equal(await q.sendOne({ body: 'd', id: 'long', dedupeMs: 0 }), 'duplicate', 'the one that is kept')
        equal(await q.sendOne({ body: 'e', id: 'none' }), 'stored', 'the one that is not')
      },
    },
    {
      name: 'dedupeMs keeps the id of a message that expired in every group',
      async run(t) {
        const q = await t.open()
        await q.as('one').claim()
        await q.as('two').claim()
        await q.send({ body: 'a', id: 'x', expiresInMs: t.s(10), dedupeMs: t.s(20) })
        await t.advance(t.s(10))
        await q.as('one').takes([], 'group one')
        await q.as('two').takes([], 'group two')
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'right after')
      },
    },
    {
      name: 'many ids with dedupeMs are forgotten each in its time',
      async run(t) {
        const q = await t.open()
        const drafts = Array.from({ length: 20 }, (_, i) => ({
          body: `${i}`,
          id: `id-${i}`,
          dedupeMs: t.s(i + 1),
        }))
        await q.send(...drafts)
        await q.ack(...(await q.take()))
        await t.advance(t.s(10))
        const statuses = (await q.append(...drafts)).map(({ status }) => status)
        if (!t.factory.realClock) {
          equal(
            statuses,
            drafts.map((_, i) => (i < 10 ? 'stored' : 'duplicate')),
            'statuses after 10 s',
          )
        }
        equal(statuses.at(-1), 'duplicate', 'the status of the last')
        equal(statuses[0], 'stored', 'the status of the first')
      },
    },
    {
      name: 'of 50 appends of one id, started at once in two instances, one is stored',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        const racers = Array.from({ length: 50 }, (_, i) => views[i % 2]!.sendOne({ body: `${i}`, id: 'x' }))
        const statuses = await Promise.all(racers)
        equal(statuses.filter((status) => status === 'stored').length, 1, 'stored')
        equal(statuses.filter((status) => status === 'duplicate').length, 49, 'duplicates')
        equal((await views[0]!.take()).length, 1, 'deliveries')
      },
    },
    {
      name: 'an id that the storage made is recognised like any other',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send('a')
        equal(await q.sendOne({ body: 'b', id: id! }), 'duplicate', 'result')
        await q.takes(['a'], 'deliveries')
      },
    },
    {
      name: 'dedupeMs of a message under way counts from its end, whatever became of a later one of its id',
      needs: [CANCELLATION, IDS_WITH_KEYS],
      async run(t) {
        const again = { body: 'again', id: 'x', replace: true }
        const fates: Record<string, (q: View) => Promise<unknown>> = {
          waits: () => Promise.resolve(),
          'is done': async (q) => await q.ack(await q.takeOne()),
          'is dead': async (q) => await q.bury(await q.takeOne()),
          'is cancelled': (q) => q.cancel('x'),
          'is cancelled and sent again': async (q) => (await q.cancel('x')) && (await q.send(again)),
          'is replaced': (q) => q.append(again),
          'is replaced by a delayed one': (q) => q.append({ ...again, delayMs: t.s(5) }),
          'is replaced by one elsewhere': (q) => q.append({ ...again, key: 'k' }),
        }
        for (const [fate, befall] of Object.entries(fates)) {
          for (const end of ['purge', 'deleteGroup'] as const) {
            const what = `${end}, the second ${fate}`
            const q = await t.open(what)
            const other = q.as('other')
            await other.claim()
            await q.send({ body: 'first', id: 'x', dedupeMs: t.s(20) })
            const { receipt } = await q.takeOne({ leaseMs: t.s(3600) })
            await other.ack(await other.takeOne())
            await q.send({ body: 'second', id: 'x', replace: true })
            await befall(q)
            if (fate.startsWith('is cancelled')) {
              // It is open whether the first goes with it; then it has ended.
              const [status] = await q.statuses({ receipt, kind: 'extend', leaseMs: t.s(3600) })
              if (status === 'stale') continue
            }
            await t.advance(t.s(40))
            await other.ack(...(await other.take()))
            await q.storage[end](q.group)
            equal(await q.sendOne({ body: 'new', id: 'x' }), 'duplicate', `after ${what}`)
            await t.advance(t.s(20))
            equal(await q.sendOne({ body: 'new', id: 'x' }), 'stored', `20 s after ${what}`)
          }
        }
      },
    },
    {
      name: 'dedupeMs of each of several messages of an id that are under way counts from its own end',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        const held = []
        for (const dedupeMs of [t.s(10), t.s(30), 0]) {
          await q.send({ body: `${dedupeMs}`, id: 'x', replace: true, dedupeMs })
          held.push(await q.takeOne({ leaseMs: t.s(3600) }))
          await other.ack(await other.takeOne())
        }
        await q.ack(held[0]!)
        await q.storage.deleteGroup('other')
        await t.advance(t.s(60))
        await q.storage.purge()
        await t.advance(t.s(20))
        equal(await q.sendOne({ body: 'new', id: 'x' }), 'duplicate', '20 s after the purge')
        await t.advance(t.s(10))
        equal(await q.sendOne({ body: 'new', id: 'x' }), 'stored', '30 s after the purge')
      },
    },
    {
      name: 'dedupeMs of a redriven message counts from its end, though a later one has its id',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x', dedupeMs: t.s(20) })
        const held = await q.takeOne({ leaseMs: t.s(3600) })
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'the second')
        await q.bury(held)
        const [letter] = await q.dead()
        await q.retry(letter!)
        await t.advance(t.s(40))
        await q.storage.purge()
        equal(await q.sendOne({ body: 'newer', id: 'x' }), 'duplicate', 'after the purge')
        await t.advance(t.s(20))
        equal(await q.sendOne({ body: 'newer', id: 'x' }), 'stored', '20 s after the purge')
      },
    },
    {
      name: 'a cancelled id is stored again',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'x' }, { body: 'd', id: 'y', delayMs: t.s(10) })
        equal(await q.cancel('x', 'y'), [true, true], 'cancel')
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'x')
        equal(await q.sendOne({ body: 'c', id: 'y' }), 'stored', 'y')
        equal(sortedBodies(await q.take()), ['b', 'c'], 'deliveries')
      },
    },
    {
      name: 'after a purge an id is stored again',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'x' }, { body: 'b', id: 'y', delayMs: t.s(10) })
        await q.take()
        await q.storage.purge()
        equal(await q.sendOne({ body: 'c', id: 'x' }), 'stored', 'x')
        equal(await q.sendOne({ body: 'd', id: 'y' }), 'stored', 'y')
        equal(sortedBodies(await q.take()), ['c', 'd'], 'deliveries')
      },
    },
    {
      name: 'an id is stored again when its message was deleted with the last group that had it',
      async run(t) {
        const q = await t.open()
        await q.as('one').claim()
        await q.as('two').claim()
        await q.send({ body: 'a', id: 'x' })
        await q.as('one').ack(await q.as('one').takeOne())
        await q.storage.deleteGroup('two')
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'while another group exists')
        await q.storage.deleteGroup('one')
        equal(await q.sendOne({ body: 'c', id: 'x' }), 'stored', 'when no group exists')
        await q.takes(['c'], 'deliveries')
      },
    },
    {
      name: 'ids are kept in each queue for itself, whatever they look like',
      async run(t) {
        const here = await t.open('here')
        const there = await t.open('there')
        for (const id of [
          'x',
          ' ',
          '__proto__',
          'constructor',
          '0',
          '1',
          '-1',
          '😀',
          'a\u0000b',
          '../x',
          'é',
          'e\u0301',
          'i'.repeat(256),
        ]) {
          equal(await here.sendOne({ body: id, id }), 'stored', `${id} here`)
          equal(await here.sendOne({ body: id, id }), 'duplicate', `${id} here again`)
          equal(await there.sendOne({ body: id, id }), 'stored', `${id} there`)
        }
        equal(
          (await here.take()).every(({ id, body }) => id === body),
          true,
          'whether ids and bodies agree',
        )
      },
    },
    {
      name: 'duplicates among many do not disturb the rest of the batch',
      async run(t) {
        const q = await t.open()
        const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`)
        await q.send(...ids.filter((_, i) => i % 3 === 0).map((id) => ({ body: `old ${id}`, id })))
        const results = await q.append(...ids.map((id) => ({ body: `new ${id}`, id })))
        equal(
          results,
          ids.map((id, i) => ({ id, status: i % 3 === 0 ? 'duplicate' : 'stored' })),
          'results',
        )
        equal((await q.take({ limit: 1000 })).length, 100, 'deliveries')
      },
    },
  ],
}
