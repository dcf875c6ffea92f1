import { FIFO, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, names, sortedBodies } from '../scene.ts'

export const leases: Section = {
  name: 'leases',
  cases: [
    {
      name: 'a message whose lease has ended is ready again at once, as the next attempt',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        await q.send('a')
        equal((await q.takeOne({ leaseMs: t.s(10) })).attempt, 1, 'attempt')
        await t.until(t.s(10), async () => {
          await there.takes([], 'before the lease ends')
        })
        equal((await there.takeOne({ leaseMs: t.s(20) })).attempt, 2, 'attempt')
        await t.until(t.s(20), async () => {
          await q.takes([], 'before the second lease ends')
        })
        equal((await q.takeOne()).attempt, 3, 'attempt')
      },
    },
    {
      name: 'a receipt is stale once somebody else was given the message, whatever it is used for',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const old = await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        const current = await (await t.openElsewhere()).takeOne()
        const before = await q.stats()
        equal(
          await q.statuses(
            { receipt: old.receipt, kind: 'ack' },
            { receipt: old.receipt, kind: 'retry', delayMs: 0 },
            { receipt: old.receipt, kind: 'dead', reason: 'rejected' },
            { receipt: old.receipt, kind: 'extend', leaseMs: t.s(100) },
          ),
          ['stale', 'stale', 'stale', 'stale'],
          'ack, retry, dead and extend with the old receipt',
        )
        if (!t.factory.realClock) equal(await q.stats(), before, 'stats after stale settlements')
        await q.takes([], 'while the second lease lives')
        await q.ack(current)
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'a late ack settles as long as nobody else was given the message',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const delivery = await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(60))
        await q.ack(delivery)
        await q.takes([], 'after the late ack')
        await q.count({ acked: 1, ready: 0, leased: 0 }, 'counts')
      },
    },
    {
      name: 'a late retry, death and extension settle as long as nobody else was given the message',
      async run(t) {
        const q = await t.open()
        await q.send('retried', 'buried', 'extended')
        const held = await q.take({ leaseMs: t.s(10) })
        const of = (body: string): string => held.find((one) => one.body === body)!.receipt
        await t.advance(t.s(60))
        equal(
          await q.statuses(
            { receipt: of('retried'), kind: 'retry', delayMs: t.s(5) },
            { receipt: of('buried'), kind: 'dead', reason: 'rejected' },
            { receipt: of('extended'), kind: 'extend', leaseMs: t.s(30) },
          ),
          ['settled', 'settled', 'settled'],
          'late settlements',
        )
        await q.count({ delayed: 1, dead: 1, leased: 1, ready: 0 }, 'counts')
        await t.advance(t.s(5))
        await q.takes(['retried'], 'what is due')
      },
    },
    {
      name: 'some messages of a claim can be settled, and the others come again when the lease ends',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 9))
        const deliveries = await q.take({ leaseMs: t.s(10) })
        await q.ack(deliveries[0]!, deliveries[4]!, deliveries[8]!)
        await q.ack(deliveries[3]!)
        await t.advance(t.s(10))
        const rest = [1, 2, 5, 6, 7].map((i) => deliveries[i]!.body)
        const again = await q.take()
        equal(sortedBodies(again), rest.map(String).sort(), 'the others')
        equal(
          again.map(({ attempt }) => attempt),
          [2, 2, 2, 2, 2],
          'attempts',
        )
        await q.ack(...again)
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'each lease ends after its own time',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send('20 s', '5 s', '10 s')
        for (const seconds of [20, 5, 10]) await q.take({ limit: 1, leaseMs: t.s(seconds) })
        await t.advance(t.s(5))
        await q.takes(['5 s'], 'after 5 s')
        await t.advance(t.s(5))
        await q.takes(['10 s'], 'after 10 s')
        await t.advance(t.s(10))
        await q.takes(['20 s'], 'after 20 s')
      },
    },
    {
      name: 'leases that have ended are given out again in parts, where limit is smaller',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 10))
        await q.take({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        const seen: unknown[] = []
        for (const limit of [3, 1, 4]) seen.push(...bodiesOf(await q.take({ limit })))
        equal(new Set(seen).size, 8, 'different messages')
        seen.push(...bodiesOf(await q.take()))
        equal(new Set(seen).size, 10, 'different messages in the end')
        equal(seen.length, 10, 'deliveries')
      },
    },
    {
      name: 'leases of one group do not keep messages from another',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.as('one').takes(['a'], 'group one')
        await q.as('two').takes(['a'], 'group two')
      },
    },
    {
      name: 'extend counts from now',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        let held = await q.takeOne({ leaseMs: t.s(30) })
        await t.advance(t.s(20))
        held = await q.extend(held, t.s(30))
        await t.until(t.s(30), async () => {
          await q.takes([], 'before the extended lease ends')
        })
        equal((await q.takeOne()).attempt, 2, 'attempt after the extended lease')
      },
    },
    {
      name: 'extend can shorten a lease, of a first delivery, a retry and a message with a key',
      async run(t) {
        for (const kind of ['first', 'retried', ...(t.guarantees.orderingKeys ? ['keyed'] : [])]) {
          const q = (await t.open(kind)).as('g')
          await q.send(kind === 'keyed' ? { body: kind, key: 'k' } : kind)
          if (kind === 'retried') await q.retry(await q.takeOne())
          await q.extend(await q.takeOne({ leaseMs: t.s(60) }), t.s(5))
          await t.until(t.s(5), async () => {
            await q.takes([], 'before the shortened lease ends')
          })
          await q.takes([kind], 'after the shortened lease')
        }
      },
    },
    {
      name: 'a lease can be extended again and again, and settled in the end; attempts do not change',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        let held = await q.takeOne({ leaseMs: t.s(10), maxAttempts: 2 })
        for (let round = 0; round < 10; round++) {
          await t.advance(t.s(8))
          held = await q.extend(held, t.s(10))
          const [listed] = await q.list()
          equal([listed!.state, listed!.attempt], ['leased', 1], 'state and attempt')
        }
        await q.ack(held)
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'extending one message of a claim leaves the others as they are',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c', 'd', 'e')
        const held = await q.take({ leaseMs: t.s(10) })
        const middle = held[2]!
        const extended = await q.extend(middle, t.s(20))
        await t.advance(t.s(10))
        equal(
          sortedBodies(await q.take({ leaseMs: t.s(60) })),
          sortedBodies(held.filter((one) => one !== middle)),
          'the others, after their leases',
        )
        await t.until(t.s(10), async () => {
          await q.takes([], 'before the extended lease ends')
        })
        await q.ack(extended)
        await q.takes([], 'after the ack')
      },
    },
    {
      name: 'ends of leases are the same for all instances',
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        await here.send('a')
        const held = await here.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(9))
        await there.extend(held, t.s(10))
        await t.until(t.s(10), async () => {
          await here.takes([], 'here before the end')
          await there.takes([], 'there before the end')
        })
        await here.takes(['a'], 'after the end')
      },
    },
  ],
}
