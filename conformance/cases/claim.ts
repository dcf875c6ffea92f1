import type { Delivery } from '../../src/core/index.ts'
import { type Case, EXCLUSIVE_LEASES, FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type Draft, type View, bodiesOf, names } from '../scene.ts'

/** Messages, some of which need not be those of one another's ordering key. */
const IN_HAND: Readonly<Record<string, (body: string) => Draft>> = {
  'of the log': (body) => body,
  'with keys': (body) => ({ body, key: body }),
  'of a lane': (body) => ({ body, lane: 'tenant' }),
  'with results': (body) => ({ body, keepMs: 1000 }),
}

export const claim: Section = {
  name: 'claim',
  cases: [
    {
      name: 'nothing to deliver is an empty array, and nothing to wait for',
      eventual: true,
      async run(t) {
        const q = await t.open()
        equal(await q.claim(), { deliveries: [] }, 'a claim on an empty queue')
      },
    },
    {
      name: 'creates the group, also when there is nothing to deliver',
      async run(t) {
        const q = await t.open()
        equal(Object.keys((await q.stats()).groups), [], 'groups of a new queue')
        await q.claim()
        equal(Object.keys((await q.stats()).groups), ['workers'], 'groups after a claim')
      },
    },
    {
      name: 'answers with at most limit messages, and the next claim goes on behind them',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 10))
        for (const [limit, expected] of [
          [1, ['m-0']],
          [3, ['m-1', 'm-2', 'm-3']],
          [5, ['m-4', 'm-5', 'm-6', 'm-7', 'm-8']],
          [5, ['m-9']],
          [5, []],
        ] as const) {
          const { deliveries } = await q.claim({ limit })
          ok(deliveries.length <= limit, `a claim of ${limit} got ${deliveries.length}`)
          const more = deliveries.length < limit ? await q.take({ limit: limit - deliveries.length }) : []
          equal(bodiesOf([...deliveries, ...more]), expected, `a claim of ${limit}`)
        }
      },
    },
    {
      name: 'a limit across many batches takes from all of them',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const bodies = names('m', 120)
        for (let i = 0; i < 120; i += 3) await q.send(...bodies.slice(i, i + 3))
        await q.takes(bodies.slice(0, 50), 'the first 50', { limit: 50 })
        await q.takes(bodies.slice(50), 'the others', { limit: 100 })
      },
    },
    {
      name: 'a delivery says attempt 1 and the attempts of the group',
      eventual: true,
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await t.consistent()
        const { attempt, maxAttempts } = await q.takeOne({ maxAttempts: 4 })
        equal([attempt, maxAttempts], [1, 4], 'attempt and maxAttempts')
      },
    },
    {
      name: 'a leased message is not delivered again while its lease lives, in any instance',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        await here.send('a', 'b')
        await here.takes(['a'], 'here', { limit: 1 })
        await there.takes(['b'], 'there')
        await t.until(t.s(30), async () => {
          await here.takes([], 'here again')
          await there.takes([], 'there again')
        })
        equal((await there.take()).length, 2, 'deliveries after the leases')
      },
    },
    {
      name: '50 claims of two instances, started at once, share no delivery',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await views[0]!.send(...names('m', 100))
        // Created before, so that they race for messages only.
        await views[0]!.as('workers').claim({ limit: 1 })
        const racers = Array.from({ length: 50 }, (_, i) => views[i % 2]!.claim({ limit: 1 + (i % 4) }))
        const deliveries = (await Promise.all(racers)).flatMap((result) => result.deliveries)
        const rest = await views[1]!.take({ limit: 1000 })
        const bodies = bodiesOf([...deliveries, ...rest])
        equal(new Set(bodies).size, bodies.length, 'different bodies among the deliveries')
        equal(bodies.length, 99, 'deliveries')
      },
    },
    {
      name: 'claims that race to create a group create it once',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await views[0]!.send(...names('m', 60))
        const racers = Array.from({ length: 50 }, (_, i) => views[i % 2]!.claim({ limit: 1 }))
        const bodies = bodiesOf((await Promise.all(racers)).flatMap((result) => result.deliveries))
        equal(new Set(bodies).size, bodies.length, 'different bodies among the deliveries')
        const rest = bodiesOf(await views[0]!.take())
        equal(new Set([...bodies, ...rest]).size, 60, 'messages delivered')
        equal(bodies.length + rest.length, 60, 'deliveries')
      },
    },
    {
      name: 'workers in two instances that settle and claim in one step do each message once',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await views[0]!.send(...names('m', 300))
        const done: unknown[] = []
        const work = async (view: View, limit: number): Promise<void> => {
          let held: readonly Delivery[] = []
          for (;;) {
            const { deliveries, settled, nextInMs } = await view.claim({
              limit,
              leaseMs: 3_600_000,
              settle: held.map(({ receipt }) => ({ receipt, kind: 'ack' })),
            })
            equal(
              settled?.every(({ status }) => status === 'settled'),
              true,
              'all acks settle',
            )
            done.push(...bodiesOf(held))
            held = deliveries
            if (held.length === 0 && nextInMs !== 0) return
          }
        }
        await Promise.all(Array.from({ length: 8 }, (_, i) => work(views[i % 2]!, 1 + i)))
        equal(new Set(done).size, done.length, 'different messages among those done')
        equal(done.length, 300, 'messages done')
        equal((await views[0]!.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'each delivery has a receipt of its own',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 30))
        const receipts = new Set<string>()
        let count = 0
        for (const group of ['a', 'b']) {
          for (let round = 0; round < 3; round++) {
            const deliveries = await q.as(group).take({ leaseMs: t.s(1) })
            count += deliveries.length
            for (const { receipt } of deliveries) receipts.add(receipt)
            await t.advance(t.s(1))
          }
        }
        equal([receipts.size, count], [180, 180], 'different receipts, and deliveries')
      },
    },
    {
      name: 'settles what it is told first, in order, and answers for each',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c', 'd')
        const [a, b, c, d] = await q.take()
        const { settled, deliveries } = await q.claim({
          settle: [
            { receipt: a!.receipt, kind: 'ack' },
            { receipt: 'made up', kind: 'ack' },
            { receipt: b!.receipt, kind: 'retry', delayMs: 0 },
            { receipt: c!.receipt, kind: 'dead', reason: 'rejected' },
            { receipt: d!.receipt, kind: 'extend', leaseMs: t.s(60) },
            { receipt: a!.receipt, kind: 'ack' },
          ],
        })
        const statuses = settled?.map(({ status }) => status)
        equal(statuses, ['settled', 'stale', 'settled', 'settled', 'settled', 'stale'], 'statuses')
        const rest = deliveries.length > 0 ? deliveries : await q.take()
        equal(bodiesOf(rest), ['b'], 'deliveries of the same claim')
        await q.count({ ready: 0, leased: 2, dead: 1 }, 'counts')
      },
    },
    {
      name: 'delivers what a settlement in the same step has freed',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k' }, { body: 'b', key: 'k' }, { body: 'c', key: 'k' })
        let { deliveries } = await q.claim()
        for (const body of ['a', 'b', 'c']) {
          equal(bodiesOf(deliveries), [body], 'the next of the key')
          const { receipt } = deliveries[0]!
          ;({ deliveries } = await q.claim({ settle: [{ receipt, kind: 'ack' }] }))
        }
        equal(deliveries, [], 'deliveries in the end')
      },
    },
    ...Object.entries(IN_HAND).map(([what, draft]): Case => ({
      name: `a claim that comes after the end of what its caller has in hand settles, and takes nothing: ${what}`,
      needs: [EXCLUSIVE_LEASES, FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(draft('a'), draft('b'), draft('c'))
        const [a, b, c] = await q.take({ leaseMs: t.s(10), maxAttempts: 1 })
        await t.advance(t.s(11))
        await q.send(draft('d'))
        const late = await q.claim({
          maxAttempts: 1,
          inHand: [a!.receipt],
          settle: [{ receipt: c!.receipt, kind: 'ack' }],
        })
        equal(
          [late.deliveries, late.nextInMs, late.late, late.settled?.[0]?.status],
          [[], 0, true, 'settled'],
          'the claim that is late',
        )
        await q.count({ dead: 0, acked: 1 }, 'counts after that')
        const extended = [a!, b!].map(
          ({ receipt }) => ({ receipt, kind: 'extend', leaseMs: t.s(60) }) as const,
        )
        const { deliveries, settled } = await q.claim({ maxAttempts: 1, settle: extended })
        equal(
          settled?.map(({ status }) => status),
          ['settled', 'settled'],
          'extensions after that',
        )
        await q.ack(a!, b!, ...(deliveries.length > 0 ? deliveries : await q.take({ maxAttempts: 1 })))
        await q.count({ ready: 0, leased: 0, dead: 0, acked: 4 }, 'counts in the end')
      },
    })),
    ...Object.entries(IN_HAND).map(([what, draft]): Case => ({
      name: `what its caller has in hand and is not over holds no claim up: ${what}`,
      needs: [EXCLUSIVE_LEASES, FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(draft('a'), draft('b'))
        await q.takes(['a'], 'of somebody who dies', { limit: 1, leaseMs: t.s(10) })
        const [b] = await q.takes(['b'], 'in hand', { limit: 1, leaseMs: t.s(20) })
        await t.advance(t.s(11))
        const { late, deliveries } = await q.claim({ inHand: [b!.receipt] })
        equal([late ?? false, bodiesOf(deliveries)], [false, ['a']], 'the claim')
        // It is in another place by now.
        await q.retry(b!)
        const [again] = await q.takes(['b'], 'again', { leaseMs: t.s(20) })
        await q.send(draft('c'))
        await q.takes(['c'], 'with what is in hand again', { inHand: [again!.receipt] })
        await t.advance(t.s(21))
        equal((await q.claim({ inHand: [again!.receipt] })).late, true, 'whether a claim is late in the end')
      },
    })),
    {
      name: 'a claim that comes late buries nothing that its caller has in hand, wherever in the queue that lies',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const q = await t.open()
        for (const body of names('m', 8)) await q.send(body)
        const held = await q.take({ leaseMs: t.s(10), maxAttempts: 1 })
        const inHand = held.map(({ receipt }) => receipt).slice(q.storage.hasPlaces ? 0 : -1)
        await t.advance(t.s(11))
        // Each begins at another place.
        for (let i = 0; i < 3; i++) {
          const { late, deliveries } = await q.claim({ maxAttempts: 1, inHand })
          equal([late, deliveries], [true, []], `claim ${i + 1}, which is late`)
        }
        const extended = await q.settle(
          ...held.map(({ receipt }) => ({ receipt, kind: 'extend', leaseMs: t.s(60) }) as const),
        )
        equal(
          extended.map(({ status }) => status),
          held.map(() => 'settled'),
          'extensions after that',
        )
        await q.count({ leased: 8, dead: 0 }, 'counts in the end')
      },
    },
    {
      name: 'a claim is late where what its caller has in hand is gone, or no lease of its group',
      needs: [EXCLUSIVE_LEASES, FIFO],
      async run(t) {
        const q = await t.open()
        const other = q.as('others')
        await other.claim({ limit: 0 })
        await q.send('a', 'b', 'c', 'd')
        const [a, b, c] = await q.take({ limit: 3, leaseMs: t.s(10) })
        const [foreign] = await other.take({ limit: 1 })
        await q.ack(a!)
        await q.retry(b!, { delayMs: t.s(60) })
        await t.advance(t.s(11))
        await q.takes(['c'], 'somebody else', { limit: 1 })
        for (const { receipt } of [a!, b!, c!, foreign!, { receipt: 'made up' }]) {
          const { late, deliveries, nextInMs } = await q.claim({ inHand: [receipt] })
          equal([late, deliveries, nextInMs], [true, [], 0], `the claim with ${receipt} in hand`)
        }
        await q.takes(['d'], 'the next claim')
      },
    },
    {
      name: 'without settle there is no settled, and an empty settle has no results',
      async run(t) {
        const q = await t.open()
        equal((await q.claim()).settled, undefined, 'settled without settle')
        equal((await q.claim({ settle: [] })).settled ?? [], [], 'settled with an empty settle')
      },
    },
    {
      name: 'what was acknowledged never comes back',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 20))
        const deliveries = await q.take({ limit: 10 })
        await q.ack(...deliveries)
        await t.advance(t.s(31))
        await q.takes(names('m', 20).slice(10), 'the rest')
        await t.advance(t.s(31))
        await q.takes(names('m', 20).slice(10), 'the rest after its leases')
      },
    },
  ],
}
