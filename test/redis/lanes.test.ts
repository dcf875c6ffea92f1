import { describe, expect, test } from 'vitest'
import { randomFrom } from '../../conformance/scene.ts'
import { type LaneRules, MAX_REST_MS } from '../../src/lanes.ts'
import { uuid } from '../../src/message-id.ts'
import type { ClaimRequest, ClaimResult, NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { effort } from '../support/effort.ts'
import { laneTraffic } from '../support/lane-traffic.ts'
import { CLAIM as WIDE, onRedis, send } from './support/on-redis.ts'

const redis = onRedis({ clients: ['redis', 'redis', 'redis', 'redis', 'redis'] })

const CLAIM: ClaimRequest = { ...WIDE, limit: 100 }

/** One view on a connection of its own for each of five consumers. */
const openAll = (): Promise<QueueStorage[]> => Promise.all(redis.clients.map((client) => redis.open(client)))

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

const SCALE = effort({ quick: { messages: 10_000, lanes: 200 }, full: { messages: 100_000, lanes: 1000 } })

test('five consumers keep lanes busy and within their limits', { timeout: 600_000 }, async () => {
  const views = await openAll()
  const pass = (ms: number): void => void (redis.now += ms)
  await laneTraffic({ ...SCALE, views, concurrency: 3, random: randomFrom(7), pass })
  redis.now += MAX_REST_MS
  const [q] = views as [QueueStorage]
  for (let result: ClaimResult | undefined; result?.nextInMs !== undefined || !result;) {
    result = await q.claim({ ...CLAIM, group: 'workers' })
    expect(result.deliveries).toEqual([])
  }
  expect(await q.lanes({ group: 'workers', limit: 10 })).toEqual({ lanes: [], cursor: undefined })
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0, sent: SCALE.messages })
  expect(await redis.keys()).toEqual(['{p:q}:state'])
})

describe('a rate', () => {
  const lanes: LaneRules = { rate: { count: 5, perMs: 1000, burst: 1 } }

  test.each([0, 15, 100])('holds over a minute, wherever claims come from, %s ms late', async (late) => {
    let views = await openAll()
    await send(views[0]!, 1000, (i) => ({ body: `${i}`, lane: 'a' }))
    const end = redis.now + 60_000
    let taken = 0
    for (let turn = 0; redis.now < end; turn++) {
      // As after a restart of all.
      if (turn === 100) views = await openAll()
      const { deliveries, nextInMs } = await views[turn % 5]!.claim({ ...CLAIM, lanes })
      taken += deliveries.length
      expect(nextInMs).toBeLessThanOrEqual(200)
      redis.now += nextInMs! + (nextInMs === 0 ? 0 : late)
    }
    expect(Math.abs(taken - 300)).toBeLessThanOrEqual(6)
  })
})

describe('holds', () => {
  test('are effective everywhere after one wake-up', async () => {
    const views = await openAll()
    for (const view of views) await view.claim({ ...CLAIM, limit: 0 })
    await send(views[0]!, 100, (i) => ({ body: `${i}`, lane: i % 2 === 0 ? 'a' : 'b' }))
    const heard = (): Promise<unknown> =>
      Promise.all(
        views.map(
          (view) =>
            new Promise<void>((resolve) => {
              const stop = view.watch!(() => (stop(), resolve()))
            }),
        ),
      )
    // Watching begins with a hint.
    await heard()
    await views[0]!.hold({ lane: 'a' })
    for (const view of views) {
      const { deliveries } = await view.claim({ ...CLAIM, limit: 10 })
      expect(new Set(deliveries.map(({ lane }) => lane))).toEqual(new Set(['b']))
    }
    expect((await views[4]!.claim(CLAIM)).deliveries).toEqual([])
    const woken = heard()
    await views[1]!.release({ lane: 'a' })
    await woken
    for (const view of views) expect((await view.claim({ ...CLAIM, limit: 10 })).deliveries).toHaveLength(10)
  })

  test('that end at once are worked off in bounded steps', async () => {
    const [q] = (await openAll()) as [QueueStorage]
    await q.claim({ ...CLAIM, limit: 0 })
    const count = effort({ quick: 2000, full: 10_000 })
    await send(q, count, (i) => ({ body: `${i}`, lane: `lane-${i}` }))
    for (let i = 0; i < count; i++) await q.hold({ lane: `lane-${i}`, forMs: 1000 })
    expect(await q.claim(CLAIM)).toMatchObject({ deliveries: [], nextInMs: 1000 })
    redis.now += 1000
    let taken = 0
    while (taken < count) {
      let got = 0
      const calls = await redis.commandsOf(async () => {
        const { deliveries, nextInMs } = await q.claim({ ...CLAIM, limit: 10 })
        got = deliveries.length
        expect(got > 0 || nextInMs === 0).toBe(true)
      })
      expect(sum(Object.values(calls))).toBeLessThan(3000)
      taken += got
    }
    expect(taken).toBe(count)
    expect((await q.stats()).holds).toEqual([])
  })
})

test('a late group works at once, in the order of each lane, while it takes over what lanes have', async () => {
  const [q] = (await openAll()) as [QueueStorage]
  await q.claim({ ...CLAIM, limit: 0 })
  const lanes = 40
  const count = effort({ quick: 4000, full: 20_000 })
  const laneOf = (i: number): string => `lane-${i % lanes}`
  await send(q, count, (i) => ({ body: `${i}`, lane: laneOf(i) }))
  const late = { ...CLAIM, group: 'late', limit: 10 }
  const results = [await q.claim(late)]
  expect(results[0]!.deliveries).toHaveLength(10)
  let sent = count
  for (;;) {
    // What comes meanwhile goes behind what was there.
    if (results.length <= 10) await q.append([{ body: `${sent}`, lane: laneOf(sent++) }], { batchId: uuid() })
    const calls = await redis.commandsOf(async () => results.push(await q.claim(late)))
    expect(sum(Object.values(calls))).toBeLessThan(300)
    const { deliveries, nextInMs } = results.at(-1)!
    if (deliveries.length === 0 && nextInMs !== 0) break
  }
  const taken = results.flatMap(({ deliveries }) => deliveries)
  expect(taken).toHaveLength(sent)
  for (let lane = 0; lane < lanes; lane++) {
    const bodies = taken.filter((one) => one.lane === laneOf(lane)).map(({ body }) => Number(body))
    expect(bodies).toEqual(bodies.toSorted((a, b) => a - b))
  }
  expect((await q.stats()).groups['late']).toMatchObject({ ready: 0, leased: sent })
})

describe('an append costs', () => {
  const LANES = effort({ quick: 1000, full: 10_000 })

  test('no more for limits of the queue, however many lanes have something', async () => {
    const counts = []
    for (const lanes of [1, LANES]) {
      await redis.command('FLUSHALL')
      const [q] = (await openAll()) as [QueueStorage]
      await q.claim({ ...CLAIM, limit: 0 })
      await send(q, LANES, (i) => ({ body: 'x', lane: `lane-${i % lanes}` }))
      const message: NewMessage = { body: 'x', lane: 'lane-0' }
      const limited = { maxMessages: 1e6, maxBytes: 1e9, batchId: uuid() }
      await q.append([message], limited)
      counts.push(await redis.commandsOf(() => q.append([message], limited)))
      const full = redis.commandsOf(() => q.append([message], { ...limited, maxMessages: LANES }))
      await expect(full).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    }
    expect(counts[0]).toEqual(counts[1])
  })

  test('few commands for as many messages as may be, each of a lane of its own', async () => {
    const [q] = (await openAll()) as [QueueStorage]
    for (const group of ['a', 'b', 'c']) await q.claim({ ...CLAIM, group, limit: 0 })
    const { maxBatch } = redis.adapter().guarantees
    expect(maxBatch).toBeLessThanOrEqual(1000)
    const batch = Array.from({ length: maxBatch }, (_, i) => ({ body: 'x', lane: `lane-${i}` }))
    const calls = await redis.commandsOf(() => q.append(batch, { batchId: uuid() }))
    // Of each kind one for so many arguments, in each group.
    expect(sum(Object.values(calls))).toBeLessThan(50)
  })
})

describe('a claim costs', () => {
  const LANES = effort({ quick: 1000, full: 10_000 })

  /** What some messages of a lane cost to take and to ack, behind whatever else there is. */
  async function costs(
    fill: (queue: QueueStorage) => Promise<unknown>,
    lanes?: LaneRules,
    size = 1,
  ): Promise<Record<string, Record<string, number>>> {
    await redis.command('FLUSHALL')
    const [q] = (await openAll()) as [QueueStorage]
    await q.claim({ ...CLAIM, limit: 0 })
    await fill(q)
    const cycle = async (): Promise<Record<string, Record<string, number>>> => {
      const messages = Array.from({ length: size }, () => ({ body: 'x', lane: 'own' }))
      const append = await redis.commandsOf(() => q.append(messages, { batchId: uuid() }))
      let acks: Settlement[] = []
      const claim = await redis.commandsOf(async () => {
        const { deliveries } = await q.claim({ ...CLAIM, lanes })
        expect(deliveries.map(({ lane }) => lane)).toEqual(messages.map(({ lane }) => lane))
        acks = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
      })
      return { append, claim, ack: await redis.commandsOf(() => q.settle('g', acks)) }
    }
    // The first one finds out who may not go.
    await cycle()
    return await cycle()
  }

  test('nothing more for lanes that are full', async () => {
    const rules = { concurrency: 1 }
    const full = (count: number) => async (q: QueueStorage) => {
      await send(q, 10 * count, (i) => ({ body: 'x', lane: `lane-${i % count}` }))
      for (let taken = 0; taken < count;) {
        taken += (await q.claim({ ...CLAIM, limit: 1000, lanes: rules })).deliveries.length
      }
      await q.claim({ ...CLAIM, lanes: rules })
    }
    expect(await costs(full(LANES), rules)).toEqual(await costs(full(1), rules))
  })

  test('nothing more for lanes that are held', async () => {
    const held = (count: number) => async (q: QueueStorage) => {
      await send(q, 10 * count, (i) => ({ body: 'x', lane: `lane-${i % count}` }))
      for (let i = 0; i < count; i++) await q.hold({ lane: `lane-${i}` })
    }
    expect(await costs(held(LANES))).toEqual(await costs(held(1)))
    // Whether anything holds the lanes that go has to be looked up, once for all of them.
    for (const size of [1, 100]) {
      const alone = await costs(held(0), undefined, size)
      const others = await costs(held(LANES), undefined, size)
      for (const [verb, { hmget, ...rest }] of Object.entries(others)) {
        const { hmget: reads, ...expected } = alone[verb]!
        expect(rest).toEqual(expected)
        expect(hmget! - reads!).toBeLessThanOrEqual(2)
      }
    }
  })

  test('nothing more for what waits in the lanes that it takes from', async () => {
    const counts = []
    for (const waiting of [2, effort({ quick: 100, full: 1000 })]) {
      await redis.command('FLUSHALL')
      const [q] = (await openAll()) as [QueueStorage]
      await q.claim({ ...CLAIM, limit: 0 })
      await send(q, 200 * waiting, (i) => ({ body: 'x', lane: `lane-${i % 200}` }))
      const messages = Array.from({ length: 100 }, (_, i) => ({ body: 'x', lane: `lane-${i}` }))
      counts.push(
        await redis.commandsOf(async () => {
          await q.append(messages, { batchId: uuid() })
          const { deliveries } = await q.claim(CLAIM)
          expect(new Set(deliveries.map(({ lane }) => lane)).size).toBe(100)
          await q.settle(
            'g',
            deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
          )
        }),
      )
    }
    expect(counts[1]).toEqual(counts[0])
  })

  test('nothing at all without lanes', async () => {
    const [q] = (await openAll()) as [QueueStorage]
    await q.claim({ ...CLAIM, limit: 0 })
    let receipt = ''
    const once = async (): Promise<readonly Record<string, number>[]> => [
      await redis.commandsOf(() => q.append([{ body: 'x' }], { batchId: uuid() })),
      await redis.commandsOf(async () => (receipt = (await q.claim(CLAIM)).deliveries[0]!.receipt)),
      await redis.commandsOf(() => q.settle('g', [{ receipt, kind: 'ack' }])),
    ]
    await once()
    expect(await once()).toEqual([
      { hset: 1, hmget: 1, publish: 1, xadd: 1 },
      { hmget: 1, hset: 1, xrange: 1, zadd: 2, zrange: 2 },
      { hmget: 1, hset: 1, publish: 1, xtrim: 1, zrangebyscore: 1, zrem: 2 },
    ])
  })
})
