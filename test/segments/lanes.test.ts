import { expect, test } from 'vitest'
import type { LaneRules } from '../../src/lanes.ts'
import { DEFAULT_LIMITS } from '../../src/segments/store.ts'
import { SegmentMemory } from '../support/memory-store.ts'
import type { Delivery, NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { type Cost, Metered } from './metered.ts'

class Bench extends Metered {
  #batch = 0

  async send(
    q: QueueStorage,
    lane: string | undefined,
    count = 1,
    more: Partial<NewMessage> = {},
  ): Promise<string[]> {
    const messages = Array.from({ length: count }, () => ({ body: lane ?? '-', lane, ...more }))
    const batchId = `019343f0-0000-7000-8000-${(this.#batch++).toString(16).padStart(12, '0')}`
    return (await q.append(messages, { batchId })).map(({ id }) => id)
  }

  async claim(
    q: QueueStorage,
    limit: number,
    lanes?: LaneRules,
    settle?: readonly Settlement[],
  ): Promise<readonly Delivery[]> {
    return (await q.claim({ group: 'g', limit, leaseMs: 30_000, maxAttempts: 5, lanes, settle })).deliveries
  }
}

function acks(deliveries: readonly Delivery[]): Settlement[] {
  return deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
}

function bodies(deliveries: readonly Delivery[]): string {
  return deliveries.map(({ body }) => body as string).join('')
}

const LANE_TABLES = [
  'log',
  'lanes',
  'ready',
  'wake',
  'holds',
  'side',
  'due',
  'chain',
  'held',
  'amend',
] as const

test('lanes have turns, and leave nothing', async () => {
  const bench = new Bench()
  const q = await bench.open()
  await bench.claim(q, 0)
  await bench.send(q, 'a', 10)
  await bench.send(q, 'b', 3)
  await bench.send(q, undefined, 2)
  const first = await bench.claim(q, 4)
  expect(bodies(first)).toBe('-ab-')
  const second = await bench.claim(q, 20, { names: { a: { weight: 2 } } })
  expect(bodies(second)).toBe('aabaabaaaaa')
  await q.settle('g', acks([...first, ...second]))
  expect(bench.left(...LANE_TABLES)).toEqual(LANE_TABLES.map(() => 0))
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0, sent: 15, groups: { g: { acked: 15 } } })
})

test.each([1, 3])('an answer that bytes end has lanes in their turns, with weight %d', async (weight) => {
  const bench = new Bench()
  const q = await bench.open({ limits: { ...DEFAULT_LIMITS, answerBytes: 100 } })
  await bench.claim(q, 0)
  for (const [lane, bytes] of [
    ['a', 30],
    [undefined, 10],
    ['b', 20],
  ] as const)
    await bench.send(q, lane, 10, { body: (lane ?? '-').padEnd(bytes) })
  const lanes = { names: { a: { weight } } }
  const turns = '-' + 'a'.repeat(weight) + 'b'
  let all = ''
  while (all.length < 2 * turns.length) all += bodies(await bench.claim(q, 30, lanes)).replaceAll(' ', '')
  expect(all.slice(0, 2 * turns.length)).toBe(turns + turns)
})

test('a lane behind a backlog has its turn at once', async () => {
  const bench = new Bench()
  const q = await bench.open()
  await bench.claim(q, 0)
  for (let i = 0; i < 100; i++) await bench.send(q, 'a', 1000)
  await bench.claim(q, 10)
  await bench.send(q, 'b')
  expect(bodies(await bench.claim(q, 1))).toBe('b')
})

test('what is held costs a claim nothing', async () => {
  const costs: Cost[] = []
  for (const held of [0, 999]) {
    const bench = new Bench()
    const q = await bench.open()
    await bench.claim(q, 0)
    for (let i = 0; i < held; i++) {
      await bench.send(q, `held ${i}`, 10)
      await q.hold({ lane: `held ${i}`, forMs: 60_000 })
    }
    await bench.send(q, 'free', 50)
    const some = await bench.claim(q, 49)
    costs.push(bench.cost)
    await q.settle('g', acks(some))
    costs.push(bench.cost)
    await bench.send(q, 'free')
    costs.push(bench.cost)
    expect(bodies(await bench.claim(q, 10))).toBe('freefree')
    costs.push(bench.cost)
    expect(await bench.claim(q, 10)).toEqual([])
    costs.push(bench.cost)
  }
  const half = costs.length / 2
  for (let i = 0; i < half; i++) {
    const [one, many] = [costs[i]!, costs[half + i]!]
    expect(many.writes).toBe(one.writes)
    // Holds of the queue, the group and the lane are looked up, and when the first is over.
    expect(many.gets - one.gets).toBeLessThanOrEqual(10)
    expect(many.read - one.read).toBeLessThanOrEqual(2)
  }
})

test('holds that end at once are worked off in bounded steps', async () => {
  const bench = new Bench()
  const q = await bench.open()
  await bench.claim(q, 0)
  const lanes = Array.from({ length: 3000 }, (_, i) => `lane ${i}`)
  await q.append(
    lanes.map((lane) => ({ body: 'x', lane })),
    { batchId: '019343f0-0000-7000-8000-000000000000' },
  )
  for (const lane of lanes) await q.hold({ lane, forMs: 1000 })
  bench.now += 1000
  let count = 0
  for (let claims = 0; count < lanes.length; claims++) {
    expect(claims).toBeLessThan(1000)
    const some = await bench.claim(q, 10)
    count += some.length
    expect(bench.cost.writes).toBeLessThan(3500)
    await q.settle('g', acks(some))
  }
  expect(bench.left(...LANE_TABLES)).toEqual(LANE_TABLES.map(() => 0))
})

/** Rows got and rows written or ranges deleted by the append, the claim and the ack of 100 messages. */
test.each([
  [0, [1, 2], [2, 1], [2, 2]],
  [1, [1, 4], [3, 4], [3, 5]],
  [10, [1, 31], [12, 31], [12, 32]],
  [100, [1, 301], [102, 301], [102, 302]],
])(
  'a batch over %d lanes costs rows for each of them, and none without',
  async (lanes, append, claim, ack) => {
    const bench = new Bench()
    const q = await bench.open()
    await bench.claim(q, 0)
    const messages = Array.from({ length: 100 }, (_, i) => ({
      body: 'x',
      lane: lanes === 0 ? undefined : `l${i % lanes}`,
    }))
    await q.append(messages, { batchId: '019343f0-0000-7000-8000-000000000000' })
    expect([bench.cost.gets, bench.cost.writes]).toEqual(append)
    const some = await bench.claim(q, 100)
    expect(some.length).toBe(100)
    expect([bench.cost.gets, bench.cost.writes]).toEqual(claim)
    await q.settle('g', acks(some))
    expect([bench.cost.gets, bench.cost.writes]).toEqual(ack)
    expect(bench.left(...LANE_TABLES)).toEqual(LANE_TABLES.map(() => 0))
  },
)

test('what is cancelled once nobody needs the log for it hides nothing from a group that comes', async () => {
  const queue = await new SegmentMemory().open('q')
  const batchId = '01890000-0000-7000-8000-000000000000'
  const messages = ['m0', 'm1'].map((body) => ({ body, key: 'k', lane: 'M' }))
  await queue.append(messages, { batchId })
  const claim = async (group: string): ReturnType<typeof queue.claim> =>
    await queue.claim({ group, limit: 1, leaseMs: 1000, maxAttempts: 3 })
  const [first] = (await claim('A')).deliveries
  await queue.settle('A', [{ receipt: first!.receipt, kind: 'retry', delayMs: 0 }])
  // It takes over what waits in the other: the log has nothing more for anybody.
  await claim('B')
  await queue.cancel([first!.id])
  expect((await claim('C')).deliveries.map(({ body }) => body)).toEqual(['m1'])
  expect((await queue.lanes({ group: 'C', limit: 10 })).lanes).toMatchObject([
    { lane: 'M', waiting: 0, leased: 1 },
  ])
})

test('what expires while a group takes it over in a lane dies once', async () => {
  const bench = new Bench()
  const q = await bench.open()
  const claim = (group: string): ReturnType<QueueStorage['claim']> =>
    q.claim({ group, limit: 1, leaseMs: 50, maxAttempts: 3 })
  await bench.send(q, 'a', 1, { expiresInMs: 50, key: 'k' })
  const [first] = (await claim('retries')).deliveries
  await q.settle('retries', [{ receipt: first!.receipt, kind: 'retry', delayMs: 0 }])
  await claim('leases')
  bench.now += 100
  await claim('comes')
  await claim('comes')
  expect((await q.stats()).groups['comes']).toMatchObject({ dead: 1, failed: 0, ready: 0 })
})

test.each([{ lane: 'diarist' }, { group: 'g' }, { lane: 'diarist', group: 'g' }, {}])(
  'nothing is left of a hold that was released, prolonged or is over: %o',
  async (place) => {
    const meter = new Metered()
    const q = await meter.open()
    await q.hold({ ...place, forMs: 1000 })
    await q.hold({ ...place, forMs: 60_000 })
    await q.hold({ ...place })
    await q.hold({ ...place, forMs: 60_000, probe: true })
    expect(meter.left('holds', 'timers')).toEqual([1, 1])
    await q.release({ ...place, probe: true })
    expect(meter.left('holds', 'timers')).toEqual([1, 0])
    await q.release(place)
    expect(meter.left('holds', 'timers')).toEqual([0, 0])
    await q.hold({ ...place, forMs: 1000 })
    meter.now += 1000
    await q.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 5 })
    expect(meter.left('holds', 'timers')).toEqual([0, 0])
  },
)
