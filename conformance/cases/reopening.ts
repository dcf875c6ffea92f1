import { CANCELLATION, DEDUPLICATION, FIFO, ORDERING_KEYS, PERSISTENCE, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, names, sortedBodies } from '../scene.ts'

export const reopening: Section = {
  name: 'opening again',
  needs: [PERSISTENCE],
  cases: [
    {
      name: 'keeps waiting messages, their order, bodies, headers and ids',
      needs: [FIFO],
      async run(t) {
        let q = await t.open()
        const ids = await q.send(
          'a',
          { body: Uint8Array.of(0, 255), headers: { h: 'ä' } },
          { body: '\ud800', id: 'mine' },
        )
        await q.send(...names('m', 300))
        q = await t.reopen()
        const deliveries = await q.take({ limit: 1000 })
        equal(bodiesOf(deliveries), ['a', Uint8Array.of(0, 255), '\ud800', ...names('m', 300)], 'bodies')
        equal(
          deliveries.slice(0, 3).map(({ id }) => id),
          ids,
          'ids',
        )
        equal(deliveries[1]!.headers, { h: 'ä' }, 'headers')
      },
    },
    {
      name: 'keeps what is done done, and counts',
      async run(t) {
        let q = await t.open()
        await q.send(...names('m', 10))
        await q.ack(...(await q.take({ limit: 6 })))
        q = await t.reopen()
        await q.count({ acked: 6, ready: 4 }, 'counts')
        const { messages, sent } = await q.stats()
        equal([messages, sent], [4, 10], 'messages and sent')
        await q.ack(...(await q.take()))
        q = await t.reopen()
        await q.takes([], 'deliveries')
        equal((await q.stats()).bytes, 0, 'bytes')
      },
    },
    {
      name: 'keeps attempts, delays, retries and their errors',
      async run(t) {
        let q = await t.open()
        await q.send('a', { body: 'later', delayMs: t.s(20) })
        await q.retry(await q.takeOne(), { delayMs: t.s(10), error: 'boom' })
        q = await t.reopen()
        await q.count({ delayed: 2 }, 'counts')
        await t.until(t.s(10), async () => {
          await q.takes([], 'before the retry is due')
        })
        const held = await q.takeOne()
        equal([held.body, held.attempt, held.lastError], ['a', 2, 'boom'], 'body, attempt and last error')
        await q.ack(held)
        await t.advance(t.s(10))
        await q.takes(['later'], 'the delayed one')
      },
    },
    {
      name: 'keeps dead letters, which can be redriven and deleted',
      needs: [FIFO],
      async run(t) {
        let q = await t.open()
        await q.send('a', 'b', 'c')
        for (const delivery of await q.take())
          await q.bury(delivery, 'unreadable', `error ${String(delivery.body)}`)
        const before = await q.dead()
        q = await t.reopen()
        const letters = await q.dead()
        const plain = (all: typeof letters): unknown => all.map(({ receipt: _, ...rest }) => rest)
        equal(plain(letters), plain(before), 'dead letters')
        await q.retry(letters[0]!)
        await q.ack(letters[1]!)
        q = await t.reopen()
        await q.takes(['a'], 'the redriven one')
        equal(bodiesOf(await q.dead()), ['c'], 'dead letters left')
      },
    },
    {
      name: 'keeps groups and their positions',
      async run(t) {
        let q = await t.open()
        await q.as('one').claim()
        await q.as('two').claim()
        await q.as('gone').claim()
        await q.send('a', 'b')
        await q.as('one').ack(...(await q.as('one').take()))
        await q.storage.deleteGroup('gone')
        q = await t.reopen()
        equal(Object.keys((await q.stats()).groups).sort(), ['one', 'two'], 'groups')
        await q.as('one').takes([], 'group one')
        await q.as('two').takes(['a', 'b'], 'group two')
      },
    },
    {
      name: 'keeps ids that are known, and forgets them in time',
      needs: [DEDUPLICATION],
      async run(t) {
        let q = await t.open()
        await q.send({ body: 'a', id: 'waiting' }, { body: 'b', id: 'done', dedupeMs: t.s(20) })
        const held = await q.take()
        await q.ack(held.find(({ id }) => id === 'done')!)
        q = await t.reopen()
        equal(await q.sendOne({ body: 'c', id: 'waiting' }), 'duplicate', 'an id that is retained')
        await t.until(t.s(20), async () => {
          equal(await q.sendOne({ body: 'd', id: 'done' }), 'duplicate', 'an id within its dedupeMs')
        })
        equal(await q.sendOne({ body: 'e', id: 'done' }), 'stored', 'an id after its dedupeMs')
      },
    },
    {
      name: 'keeps messages behind their key behind it',
      needs: [ORDERING_KEYS],
      async run(t) {
        let q = await t.open()
        await q.send(...names('m', 4).map((body) => ({ body, key: 'k' })))
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await q.takes([], 'before')
        q = await t.reopen()
        await q.takes([], 'while the first waits')
        await q.count({ blocked: 3, delayed: 1 }, 'counts')
        await t.advance(t.s(10))
        for (const body of names('m', 4)) {
          const held = await q.takeOne()
          equal(held.body, body, 'the next')
          await q.ack(held)
        }
      },
    },
    {
      name: 'lets leases go on or gives them up, as declared',
      async run(t) {
        let q = await t.open()
        await q.send('a')
        const held = await q.takeOne({ leaseMs: t.s(30) })
        q = await t.reopen()
        if (t.guarantees.leasesSurviveReopen) {
          await t.until(t.s(30), async () => {
            await q.takes([], 'while the lease goes on')
          })
          await q.ack(held)
          await q.takes([], 'after the ack')
          return
        }
        const again = await q.takeOne()
        equal(again.attempt, 2, 'attempt')
        equal(
          await q.statuses({ receipt: held.receipt, kind: 'ack' }),
          ['stale'],
          'the ack with the receipt from before',
        )
        await q.ack(again)
      },
    },
    {
      name: 'a receipt from before is never taken for a lease from after',
      async run(t) {
        let q = await t.open()
        const old: string[] = []
        await q.send(...names('m', 5))
        for (let round = 0; round < 5; round++) {
          const held = await q.take({ leaseMs: t.s(1), maxAttempts: 100 })
          equal(held.length, 5, 'deliveries')
          for (const { receipt } of held)
            equal(old.includes(receipt), false, 'whether the receipt was used before')
          old.push(...held.map(({ receipt }) => receipt))
          await t.advance(t.s(1))
          q = await t.reopen()
        }
        await q.take({ maxAttempts: 100 })
        const statuses = await q.statuses(...old.map((receipt) => ({ receipt, kind: 'ack' }) as const))
        equal(statuses.includes('settled'), false, 'whether an old receipt settles')
      },
    },
    {
      name: 'an attempt that was counted stays counted',
      async run(t) {
        let q = await t.open()
        await q.send('poison')
        for (let attempt = 1; attempt <= 3; attempt++) {
          equal((await q.takeOne({ leaseMs: t.s(1), maxAttempts: 3 })).attempt, attempt, 'attempt')
          q = await t.reopen()
          await t.advance(t.s(1))
        }
        equal(await q.take({ maxAttempts: 3 }), [], 'deliveries')
        equal(
          (await q.dead()).map(({ reason }) => reason),
          ['exhausted'],
          'reasons',
        )
      },
    },
    {
      name: 'keeps what was cancelled, purged and expired gone',
      needs: [CANCELLATION],
      async run(t) {
        let q = await t.open('a')
        await q.claim()
        const ids = await q.send('cancelled', 'stays', { body: 'expires', expiresInMs: t.s(10) })
        await q.cancel(ids[0]!)
        const purged = await t.open('b')
        await purged.send('purged')
        await purged.storage.purge()
        await t.advance(t.s(10))
        q = await t.reopen('a')
        await q.takes(['stays'], 'deliveries')
        equal(bodiesOf(await q.dead()), ['expires'], 'dead letters')
        await (await t.open('b')).takes([], 'the purged queue')
      },
    },
    {
      name: 'makes new ids and new messages as if nothing had been',
      async run(t) {
        let q = await t.open()
        const ids = new Set<string>()
        for (let round = 0; round < 4; round++) {
          for (const id of await q.send(...names(`${round}`, 3), { body: 'd', delayMs: t.s(1) })) ids.add(id)
          if (round % 2 === 0) await q.ack(...(await q.take({ limit: 2 })))
          q = await t.reopen()
        }
        equal(ids.size, 16, 'different ids')
        await t.advance(t.s(40))
        equal((await q.take()).length, 12, 'deliveries')
      },
    },
    {
      name: 'works with a second instance again',
      async run(t) {
        await (await t.open()).send('a', 'b')
        await (await t.openElsewhere()).take({ limit: 1, leaseMs: t.s(1) })
        await t.advance(t.s(1))
        const here = await t.reopen()
        const there = await t.openElsewhere()
        const first = await here.take({ limit: 1 })
        const second = await there.take({ limit: 10 })
        equal(sortedBodies([...first, ...second]), ['a', 'b'], 'deliveries')
      },
    },
  ],
}
