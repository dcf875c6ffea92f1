import { LANES, SETTABLE_CLOCK, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type Scene, type View, bodiesOf, sortedBodies } from '../scene.ts'
import type { LaneRate, LaneRules } from '../../src/core/index.ts'
import { MAX_REST_MS } from '../../src/segments/index.ts'
import { lanesOf, of } from './lanes.ts'

/** How many of a lane that always has something are delivered in `ms`, to a consumer that wakes `lateMs` late. */
async function deliveredIn(
  t: Scene,
  q: View,
  {
    rate,
    ms,
    lateMs,
    limit = 100,
  }: { readonly rate: LaneRate; readonly ms: number; readonly lateMs: number; readonly limit?: number },
): Promise<number> {
  const end = t.clock.now() + ms
  let count = 0
  for (let round = 0; t.clock.now() < end && round < 20_000; round++) {
    const { deliveries, nextInMs } = await q.claim({ limit, lanes: { rate } })
    count += deliveries.length
    if (deliveries.length > 0) await q.ack(...deliveries)
    if (nextInMs === 0) continue
    ok(nextInMs !== undefined, 'a claim says when the next token comes')
    await t.advance(nextInMs + lateMs)
  }
  return count
}

function isWithin(actual: number, expected: number, part: number, what: string): void {
  ok(
    Math.abs(actual - expected) <= expected * part,
    `${what}: ${actual}, it should be ${expected} within ${part * 100} %`,
  )
}

export const laneLimits: Section = {
  name: 'lane limits',
  needs: [LANES],
  cases: [
    {
      name: 'no more of a lane are leased than its concurrency says',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 5), ...of('b', 2), 'x-0', 'x-1', 'x-2', 'x-3')
        const lanes: LaneRules = { concurrency: 3 }
        const taken = await q.take({ lanes })
        equal(
          sortedBodies(taken),
          ['a-0', 'a-1', 'a-2', 'b-0', 'b-1', 'x-0', 'x-1', 'x-2', 'x-3'],
          'what goes',
        )
        equal((await q.take({ lanes })).length, 0, 'what goes besides')
        await q.ack(taken.find(({ lane }) => lane === 'a')!)
        equal(bodiesOf(await q.take({ lanes })), ['a-3'], 'after an ack')
        await q.retry(
          taken.findLast(({ lane }) => lane === 'a')!,
          { delayMs: t.s(100) },
        )
        equal(bodiesOf(await q.take({ lanes })), ['a-4'], 'after a retry')
      },
    },
    {
      name: 'the concurrency counts the leases of all consumers, and of one group',
      async run(t) {
        const q = await t.open()
        const elsewhere = await t.openElsewhere()
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 5))
        const lanes: LaneRules = { concurrency: 2 }
        equal((await q.take({ limit: 1, lanes })).length, 1, 'one consumer')
        const [second] = await elsewhere.take({ lanes })
        equal((await q.take({ lanes })).length, 0, 'the first again')
        equal((await q.as('other').take({ lanes })).length, 2, 'the other group')
        await elsewhere.ack(second!)
        equal((await q.take({ lanes })).length, 1, 'after an ack of the other consumer')
      },
    },
    {
      name: 'a lease that has ended frees its place',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 4))
        const lanes: LaneRules = { concurrency: 2 }
        await q.take({ lanes, leaseMs: t.s(5) })
        const { nextInMs } = await q.claim({ lanes })
        ok(nextInMs !== undefined && nextInMs > 0 && nextInMs <= t.s(5), `nextInMs is ${nextInMs}`)
        await t.advance(t.s(5))
        equal((await q.take({ lanes })).length, 2, 'what goes then')
        equal((await q.take({ lanes })).length, 0, 'and no more')
      },
    },
    {
      name: 'a death and a cancellation free their places',
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...of('a', 4))
        const lanes: LaneRules = { concurrency: 1 }
        const [first] = await q.take({ lanes })
        await q.bury(first!)
        equal((await q.take({ lanes })).length, 1, 'after a death')
        if (!t.guarantees.cancellation) return
        await q.cancel(ids[1]!)
        equal((await q.take({ lanes })).length, 1, 'after a cancellation')
      },
    },
    {
      name: 'a full lane is passed over',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9), ...of('b', 3))
        const lanes: LaneRules = { names: { a: { concurrency: 1 } } }
        equal(lanesOf(await q.take({ lanes })), 'a b b b', 'turns')
        const { deliveries, nextInMs } = await q.claim({ lanes })
        equal(deliveries, [], 'what is left')
        ok(nextInMs !== 0, 'nobody needs to look at once')
      },
    },
    {
      name: 'limits are looked up one by one: names, the longest prefix, all',
      async run(t) {
        const q = await t.open()
        const all = ['a', 'p', 'p1', 'p12', 'p13']
        await q.send(...all.flatMap((lane) => of(lane, 9)), ...of('constructor', 9))
        const lanes: LaneRules = {
          concurrency: 5,
          weight: 9,
          prefixes: [
            ['p', { concurrency: 4 }],
            ['p12', { rate: { count: 2, perMs: t.s(1000) } }],
            ['p1', { concurrency: 3 }],
          ],
          names: { p13: { weight: 1, concurrency: 1 }, a: { weight: 1 } },
        }
        const counts: Record<string, number> = {}
        for (const { lane } of await q.take({ lanes })) counts[`of ${lane}`] = (counts[`of ${lane}`] ?? 0) + 1
        const expected = { 'of a': 5, 'of p': 4, 'of p1': 3, 'of p12': 2, 'of p13': 1, 'of constructor': 5 }
        equal(counts, expected, 'how many of each')
      },
    },
    {
      name: 'weights and concurrency hold together',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9), ...of('b', 9))
        equal(lanesOf(await q.take({ lanes: { weight: 2, concurrency: 3 } })), 'a a b b a b', 'turns')
      },
    },
    {
      name: 'a rate lets its burst go, and one with each token',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9), 'x')
        const lanes: LaneRules = { rate: { count: 4, perMs: t.s(8), burst: 2 } }
        const first = await q.take({ lanes })
        equal(sortedBodies(first), ['a-0', 'a-1', 'x'], 'at once')
        const { deliveries, nextInMs } = await q.claim({ lanes })
        equal(deliveries, [], 'before the next token')
        t.duration(nextInMs, t.s(2), 'nextInMs')
        await t.until(t.s(2), async () =>
          equal((await q.take({ lanes })).length, 0, 'just before the next token'),
        )
        equal(bodiesOf(await q.take({ lanes, leaseMs: t.s(900) })), ['a-2'], 'with the next token')
        await q.ack(...first)
        await t.advance(t.s(100))
        const rested = (await q.take({ lanes })).length
        ok(rested === 2 || rested === 3, `${rested} at once, of a burst of 2 and one that was late`)
        await q.storage.purge()
        await t.advance(t.s(100))
        await q.send(...of('a', 9).map((draft) => ({ ...(draft as object), body: 'again' })))
        equal((await q.take({ lanes })).length, 2, 'after a long rest')
      },
    },
    {
      name: 'a burst is as large as the count unless it says otherwise',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        equal((await q.take({ lanes: { rate: { count: 3, perMs: t.s(3) } } })).length, 3, 'at once')
        await t.advance(t.s(1))
        equal((await q.take({ lanes: { rate: { count: 3, perMs: t.s(3) } } })).length, 1, 'one later')
      },
    },
    {
      name: 'each delivery takes a token, retries too, and whatever does not count',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        const lanes: LaneRules = { rate: { count: 2, perMs: t.s(20) } }
        const [first, second] = await q.take({ lanes })
        await q.retry(first!)
        await q.retry(second!, { counts: false })
        equal((await q.take({ lanes })).length, 0, 'without a token')
        await t.advance(t.s(10))
        equal((await q.take({ lanes })).length, 1, 'with one')
        equal((await q.take({ lanes })).length, 0, 'and no more')
      },
    },
    {
      name: 'each group and lane has a bucket of its own',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 3), ...of('b', 3))
        const lanes: LaneRules = { rate: { count: 1, perMs: t.s(100) } }
        equal(lanesOf(await q.take({ lanes })), 'a b', 'of one group')
        equal(lanesOf(await q.as('other').take({ lanes })), 'a b', 'of the other')
        equal((await q.take({ lanes })).length, 0, 'of the first again')
      },
    },
    {
      name: 'a bucket is not forgotten when its lane is empty',
      async run(t) {
        const q = await t.open()
        const lanes: LaneRules = { rate: { count: 1, perMs: t.s(10) } }
        await q.send(...of('a', 1))
        await q.ack(...(await q.take({ lanes })))
        await q.send({ body: 'next', lane: 'a' })
        equal((await q.take({ lanes })).length, 0, 'before its token')
        await t.advance(t.s(10))
        equal((await q.take({ lanes })).length, 1, 'with its token')
      },
    },
    {
      name: 'a rate holds when the storage is opened again',
      async run(t) {
        if (t.backend.reopen === undefined) return
        const q = await t.open()
        const lanes: LaneRules = { rate: { count: 1, perMs: t.s(10) } }
        await q.send(...of('a', 3))
        await q.ack(...(await q.take({ lanes })))
        const again = await t.reopen()
        equal((await again.take({ lanes })).length, 0, 'before its token')
        await t.advance(t.s(10))
        equal((await again.take({ lanes })).length, 1, 'with its token')
      },
    },
    {
      name: 'a rate is kept within 2 % over a minute, however late the consumer wakes',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        for (const lateMs of [0, 15, 100]) {
          const q = await t.open(`late by ${lateMs}`)
          await q.send(...of('a', 330))
          const rate = { count: 5, perMs: 1000, burst: 1 }
          isWithin(await deliveredIn(t, q, { rate, ms: 60_000, lateMs }), 300, 0.02, `late by ${lateMs} ms`)
        }
      },
    },
    {
      name: 'a rate of many is kept within 2 % over 20 s but for its first burst',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        for (const lateMs of [0, 40]) {
          const q = await t.open(`late by ${lateMs}`)
          for (let i = 0; i < 2; i++)
            await q.send(
              ...of('a', 300).map((draft) => ({
                ...(draft as object),
                body: `${i} ${(draft as { body: string }).body}`,
              })),
            )
          const rate = { count: 15, perMs: 1000 }
          const count = await deliveredIn(t, q, { rate, ms: 20_000, lateMs, limit: 7 })
          isWithin(count - 15, 300, 0.02, `late by ${lateMs} ms`)
        }
      },
    },
    {
      name: 'a lane that rested does not catch up',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1))
        const lanes: LaneRules = { rate: { count: 1, perMs: 1000 } }
        await q.ack(...(await q.take({ lanes })))
        await t.advance(600_000)
        await q.send(...of('b', 1), ...['x', 'y', 'z'].map((body) => ({ body, lane: 'a' })))
        equal(lanesOf(await q.take({ lanes })), 'b a', 'one of each')
        await t.advance(999)
        equal((await q.take({ lanes })).length, 0, 'before the next token')
        await t.advance(1)
        equal((await q.take({ lanes })).length, 1, 'with it')
      },
    },
    {
      name: 'a lane that is served very late gets no more than one token for it',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 30))
        const lanes: LaneRules = { rate: { count: 10, perMs: 1000, burst: 1 } }
        equal((await q.take({ lanes })).length, 1, 'the first')
        await t.advance(900)
        const count = (await q.take({ lanes })).length
        ok(count >= 1 && count <= 2, `${count} at once, 800 ms late`)
      },
    },
    {
      name: 'a rate is kept although the clock is set back',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        const lanes: LaneRules = { rate: { count: 1, perMs: 1000 } }
        equal((await q.take({ lanes })).length, 1, 'the first')
        t.jump(-3_600_000)
        equal((await q.take({ lanes })).length, 0, 'at once')
        await t.advance(1000)
        equal((await q.take({ lanes })).length, 1, 'after its time')
      },
    },
    {
      name: 'a lane keeps the concurrency of each claim, and never rests for more than a minute',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        const few = { lanes: { concurrency: 1 }, leaseMs: 600_000 }
        const many = { lanes: { concurrency: 3 }, leaseMs: 600_000 }
        equal((await q.take(few)).length, 1, 'few')
        equal((await q.take(few)).length, 0, 'few again')
        let taken = (await q.take(many)).length
        ok(taken <= 2, `${taken} more, of 2`)
        await t.advance(MAX_REST_MS)
        taken += (await q.take(many)).length
        equal(taken, 2, 'many, within a minute')
        equal((await q.take(few)).length, 0, 'few, above their limit')
        await t.advance(MAX_REST_MS)
        equal((await q.take()).length, 6, 'without limits, within another minute')
      },
    },
    {
      name: 'a lane keeps the rate of each claim, and never rests for more than a minute',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        const slow = { lanes: { rate: { count: 1, perMs: 3_600_000 } } }
        const quick = { lanes: { rate: { count: 1, perMs: 1000 } } }
        equal((await q.take(slow)).length, 1, 'slow')
        equal((await q.take(slow)).length, 0, 'slow again')
        let taken = (await q.take(quick)).length
        ok(taken <= 1, `${taken} of 1`)
        for (let i = 0; i <= MAX_REST_MS / 1000 + 1 && taken === 0; i++) {
          await t.advance(1000)
          taken += (await q.take(quick)).length
        }
        equal(taken, 1, 'quick, within a minute')
        equal((await q.take(quick)).length, 0, 'quick, above its limit')
        equal((await q.take(slow)).length, 0, 'slow, above its limit')
      },
    },
    {
      name: 'a limit that is gone lets a lane go within a minute',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 9))
        const leaseMs = 600_000
        const limited = { lanes: { rate: { count: 1, perMs: 3_600_000 }, concurrency: 1 }, leaseMs }
        const [first] = await q.take(limited)
        await q.take(limited)
        await q.ack(first!)
        let taken = (await q.take({ leaseMs })).length
        await t.advance(MAX_REST_MS)
        taken += (await q.take({ leaseMs })).length
        equal(taken, 8, 'the rest')
      },
    },
    {
      name: 'nextInMs of a lane without a token is not that of one that has nothing',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), { body: 'late', delayMs: t.s(3) })
        const lanes: LaneRules = { rate: { count: 1, perMs: t.s(7) } }
        const taken = await q.take({ lanes })
        await q.ack(...taken)
        const { nextInMs } = await q.claim({ lanes })
        ok(nextInMs !== undefined && nextInMs > 0 && nextInMs <= t.s(3), `nextInMs is ${nextInMs}`)
        await t.advance(t.s(3))
        await q.ack(...(await q.takes(['late'], 'the other', { lanes })))
        t.duration((await q.claim({ lanes })).nextInMs, t.s(4), 'nextInMs until the token')
      },
    },
    {
      name: 'room that ran out with lanes left says so at once',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 2), ...of('c', 2))
        const { deliveries, nextInMs } = await q.claim({ limit: 2, lanes: { concurrency: 1 } })
        equal([deliveries.length, nextInMs], [2, 0], 'deliveries and nextInMs')
        const next = await q.claim({ limit: 2, lanes: { concurrency: 1 } })
        equal(next.deliveries.length, 1, 'the third lane')
        ok(next.nextInMs !== 0, 'all are full then')
      },
    },
    {
      name: 'the rest of a lane is shown',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), ...of('b', 1))
        const lanes: LaneRules = { rate: { count: 1, perMs: t.s(7) } }
        await q.take({ lanes })
        await q.take({ lanes })
        const shown = await q.lanes()
        equal(
          shown.map(({ lane }) => lane),
          ['a', 'b'],
          'lanes',
        )
        const rest = shown[0]!.restsForMs
        ok(rest === undefined || (rest > 0 && rest <= t.s(30)), `restsForMs is ${rest}`)
      },
    },
  ],
}
