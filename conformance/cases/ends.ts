import { CANCELLATION, DEDUPLICATION, NAMES, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { names } from '../scene.ts'

/** Ends of messages that nobody has worked on to the end: of groups, by a purge, of the queue. */
export const ends: Section = {
  name: 'ends',
  cases: [
    {
      name: 'dedupeMs keeps the id of a message whose last group was deleted, from then on',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send({ body: 'a', id: 'x', dedupeMs: t.s(20) }, { body: 'b', id: 'y' })
        await one.ack(...(await one.take()))
        await t.advance(t.s(15))
        await q.storage.deleteGroup('two')
        await t.until(t.s(20), async () => {
          equal(await q.sendOne({ body: 'again', id: 'x' }), 'duplicate', 'before it is over')
          equal(await q.sendOne({ body: 'c', id: 'y' }), 'stored', 'an id without dedupeMs')
        })
        equal(await q.sendOne({ body: 'd', id: 'x' }), 'stored', 'when it is over')
        await one.takes(['c', 'd'], 'deliveries')
      },
    },
    {
      name: 'dedupeMs keeps the id of messages that were purged, and of those that were done before',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const dedupeMs = t.s(20)
        await q.send({ body: 'done', id: 'done', dedupeMs })
        await q.ack(await q.takeOne())
        await q.send(
          { body: 'ready', id: 'ready', dedupeMs },
          { body: 'delayed', id: 'delayed', dedupeMs, delayMs: t.s(100) },
          { body: 'plain', id: 'plain' },
        )
        await q.storage.purge()
        for (const id of ['done', 'ready', 'delayed'])
          equal(await q.sendOne({ body: 'again', id }), 'duplicate', `${id}, before it is over`)
        equal(await q.sendOne({ body: 'e', id: 'plain' }), 'stored', 'an id without dedupeMs')
        await t.advance(t.s(20))
        for (const id of ['done', 'ready', 'delayed'])
          equal(await q.sendOne({ body: id, id }), 'stored', `${id}, when it is over`)
        equal((await q.take()).length, 4, 'deliveries')
      },
    },
    {
      name: 'a replacement does not shorten what an earlier message of its id has promised',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x', dedupeMs: t.s(50) })
        const held = await q.takeOne()
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'behind one in flight')
        await q.ack(held)
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'old', id: 'x' }), 'duplicate', 'the first, sent again')
        equal(await q.sendOne({ body: 'newer', id: 'x', replace: true }), 'stored', 'news')
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'old', id: 'x' }), 'duplicate', 'the first, sent once more')
        await t.advance(t.s(50))
        equal(await q.sendOne({ body: 'old', id: 'x' }), 'stored', 'when it is over')
      },
    },
    {
      name: 'a cancelled id is free at once, whatever its dedupeMs',
      needs: [DEDUPLICATION, CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'a', id: 'x', dedupeMs: t.s(50) })
        equal(await q.cancel('x'), [true], 'cancel')
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'the id')
        await q.takes(['b'], 'deliveries')
      },
    },
    {
      name: 'a deleted queue is one that never existed',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.send(...names('m', 20), { body: 'delayed', delayMs: t.s(10) })
        const [held, dying] = await q.take({ limit: 5 })
        await q.bury(dying!)
        const [letter] = await q.dead()
        await (await t.openElsewhere()).storage.delete()
        const { groups, messages, bytes, sent, oldestMs } = await q.stats()
        equal([groups, messages, bytes, sent, oldestMs], [{}, 0, 0, 0, undefined], 'numbers')
        equal(await q.all(), [], 'the list')
        await q.send('after')
        await q.takes(['after'], 'deliveries')
        equal(
          await q.statuses(
            { receipt: held!.receipt, kind: 'ack' },
            { receipt: letter!.receipt!, kind: 'ack' },
          ),
          ['stale', 'stale'],
          'receipts of the old queue',
        )
        await t.advance(t.s(10))
        await other.takes(['after'], 'another group, later')
      },
    },
    {
      name: 'a deleted queue knows no id, and no receipt of it is ever good again',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const old: string[] = []
        for (let round = 0; round < 5; round++) {
          equal(await q.sendOne({ body: `m-${round}`, id: 'x', dedupeMs: t.s(1000) }), 'stored', 'the id')
          const held = await q.takeOne()
          ok(!old.includes(held.receipt), 'a receipt was given out before')
          equal(
            await q.statuses(...old.map((receipt) => ({ receipt, kind: 'ack' }) as const)),
            old.map(() => 'stale'),
            'old receipts',
          )
          old.push(held.receipt)
          if (round % 2 === 0) await q.ack(held)
          await q.storage.delete()
        }
      },
    },
    {
      name: 'deleting a queue that does not exist is no error, and leaves others alone',
      async run(t) {
        const [here, there] = [await t.open('here'), await t.open('there')]
        await there.send('a')
        await here.storage.delete()
        await here.storage.delete()
        await there.takes(['a'], 'the other queue')
      },
    },
    {
      name: 'queues are listed by name while they have something',
      needs: [NAMES],
      async run(t) {
        equal(await t.adapter.queues(), [], 'at first')
        const strange = ['b', 'a', 'B', 'a:b', '{a}', 'ä/%2F*?[x]', '\u{1F426}']
        for (const name of strange) await (await t.open(name)).send('x')
        await t.open('empty')
        const sorted = strange.toSorted((a, b) => (a < b ? -1 : 1))
        const listed = (await t.adapter.queues()).filter((name) => name !== 'empty')
        equal(listed, sorted, 'names')
        for (const name of strange.slice(1)) await (await t.open(name)).storage.delete()
        const left = (await t.adapter.queues()).filter((name) => name !== 'empty')
        equal(left, ['b'], 'names after the others were deleted')
      },
    },
  ],
}
