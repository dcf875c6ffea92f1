import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { RedisStorage } from '../../adapters/redis/adapter.ts'
import { randomFrom } from '../../src/conformance/scene.ts'
import { type LaneRules, MAX_REST_MS } from '../../src/lanes.ts'
import { uuid } from '../../src/message-id.ts'
import type { ClaimRequest, ClaimResult, NewMessage, QueueStorage } from '../../src/storage.ts'
import { effort } from '../support/effort.ts'
import { laneTraffic } from '../support/lane-traffic.ts'
import { type Connected, connectClient } from './support/clients.ts'
import { type RedisServer, startRedis } from './support/server.ts'

let server: RedisServer
let connections: Connected[]
beforeAll(async () => {
  server = await startRedis()
  connections = await Promise.all([1, 2, 3, 4, 5].map(() => connectClient('redis', server.url)))
})
afterAll(async () => {
  for (const connection of connections) await connection.close()
  await server.stop()
})
const command: Connected['command'] = (...args) => connections[0]!.command(...args)
let now = 0
beforeEach(async () => {
  now = 1_767_225_600_000
  await command('FLUSHALL')
})

const CLAIM: ClaimRequest = { group: 'g', limit: 100, leaseMs: 1e9, maxAttempts: 1000 }

/** One view on a connection of its own for each of five consumers. */
async function openAll(clock: { now(): number } | undefined = { now: () => now }): Promise<QueueStorage[]> {
  const adapters = connections.map(
    ({ client }) => new RedisStorage(client, { prefix: 'p', durability: 'process', clock }),
  )
  onTestFinished(async () => {
    for (const adapter of adapters) await adapter.close()
  })
  return await Promise.all(adapters.map((adapter) => adapter.open('q')))
}

async function send(queue: QueueStorage, count: number, make: (i: number) => NewMessage): Promise<void> {
  for (let i = 0; i < count; i += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - i) }, (_, j) => make(i + j))
    await queue.append(batch, { batchId: uuid() })
  }
}

async function keys(): Promise<string[]> {
  return ((await command('KEYS', '*')) as string[]).sort()
}

/** Commands by name that the scripts of a verb gave: the same on any machine. */
async function work(run: () => Promise<unknown>): Promise<Record<string, number>> {
  // What the server does not know yet costs one more.
  await command('CONFIG', 'RESETSTAT')
  await run()
  const stats = String(await command('INFO', 'commandstats'))
  const found = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
  return Object.fromEntries(
    found
      .filter(([, name]) => !/^(eval|config|info)/.test(name!))
      .map(([, name, calls]): [string, number] => [name!, Number(calls)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

const SCALE = effort({ quick: { messages: 10_000, lanes: 200 }, full: { messages: 100_000, lanes: 1000 } })

test('five consumers keep lanes busy and within their limits', { timeout: 600_000 }, async () => {
  const views = await openAll()
  const pass = (ms: number): void => void (now += ms)
  await laneTraffic({ ...SCALE, views, concurrency: 3, random: randomFrom(7), pass })
  now += MAX_REST_MS
  const [q] = views as [QueueStorage]
  for (let result: ClaimResult | undefined; result?.nextInMs !== undefined || !result;) {
    result = await q.claim({ ...CLAIM, group: 'workers' })
    expect(result.deliveries).toEqual([])
  }
  expect(await q.lanes({ group: 'workers', limit: 10 })).toEqual({ lanes: [], cursor: undefined })
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0, sent: SCALE.messages })
  expect(await keys()).toEqual(['{p:q}:state'])
})

test('five processes never have more of a lane in flight than may be', { timeout: 600_000 }, async () => {
  const { messages, lanes } = effort({
    quick: { messages: 3000, lanes: 30 },
    full: { messages: 100_000, lanes: 1000 },
  })
  const adapter = new RedisStorage(connections[0]!.client, {
    prefix: 'quayside',
    durability: 'process',
    clock: undefined,
  })
  onTestFinished(() => adapter.close())
  const queue = await adapter.open('orders')
  await queue.claim({ ...CLAIM, limit: 0 })
  await send(queue, messages, (i) => ({ body: `${i}`, lane: `lane-${i % lanes}` }))
  const script = fileURLToPath(new URL('support/lanes-child.ts', import.meta.url))
  const outputs = await Promise.all(
    connections.map(async () => {
      const child = spawn(process.execPath, [script, server.url, '3', `${messages}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
      expect(code).toBe(0)
      return output
    }),
  )
  expect(outputs.flatMap((output) => output.match(/^over .*$/gm) ?? [])).toEqual([])
  const acked = outputs.map((output) => Number(/^acked (\d+)$/m.exec(output)![1]))
  expect(acked.reduce((sum, one) => sum + one, 0)).toBe(messages)
  expect((await queue.stats()).groups['g']).toMatchObject({ ready: 0, leased: 0, acked: messages })
})

describe('a rate', () => {
  const lanes: LaneRules = { rate: { count: 5, perMs: 1000, burst: 1 } }

  test.each([0, 15, 100])('holds over a minute, wherever claims come from, %s ms late', async (late) => {
    let views = await openAll()
    await send(views[0]!, 1000, (i) => ({ body: `${i}`, lane: 'a' }))
    const end = now + 60_000
    let taken = 0
    for (let turn = 0; now < end; turn++) {
      // As after a restart of all.
      if (turn === 100) views = await openAll()
      const { deliveries, nextInMs } = await views[turn % 5]!.claim({ ...CLAIM, lanes })
      taken += deliveries.length
      expect(nextInMs).toBeLessThanOrEqual(200)
      now += nextInMs! + (nextInMs === 0 ? 0 : late)
    }
    expect(Math.abs(taken - 300)).toBeLessThanOrEqual(6)
  })
})

describe('holds', () => {
  test('are effective everywhere after one wake-up', async () => {
    const views = await openAll(undefined)
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
    now += 1000
    let taken = 0
    while (taken < count) {
      let got = 0
      const calls = await work(async () => {
        const { deliveries, nextInMs } = await q.claim({ ...CLAIM, limit: 10 })
        got = deliveries.length
        expect(got > 0 || nextInMs === 0).toBe(true)
      })
      const all = Object.values(calls).reduce((sum, one) => sum + one, 0)
      expect(all).toBeLessThan(3000)
      taken += got
    }
    expect(taken).toBe(count)
    expect((await q.stats()).holds).toEqual([])
  })
})

describe('a claim costs', () => {
  const LANES = effort({ quick: 1000, full: 10_000 })

  /** What one message of a lane costs to take and to ack, behind whatever else there is. */
  async function costs(
    fill: (queue: QueueStorage) => Promise<unknown>,
    lanes?: LaneRules,
  ): Promise<Record<string, Record<string, number>>> {
    await command('FLUSHALL')
    const [q] = (await openAll()) as [QueueStorage]
    await q.claim({ ...CLAIM, limit: 0 })
    await fill(q)
    const cycle = async (): Promise<Record<string, Record<string, number>>> => {
      const append = await work(() => q.append([{ body: 'x', lane: 'own' }], { batchId: uuid() }))
      let receipt = ''
      const claim = await work(async () => {
        const { deliveries } = await q.claim({ ...CLAIM, lanes })
        expect(deliveries.map(({ lane }) => lane)).toEqual(['own'])
        receipt = deliveries[0]!.receipt
      })
      return { append, claim, ack: await work(() => q.settle('g', [{ receipt, kind: 'ack' }])) }
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
  })

  test('nothing at all without lanes', async () => {
    const [q] = (await openAll()) as [QueueStorage]
    await q.claim({ ...CLAIM, limit: 0 })
    let receipt = ''
    const once = async (): Promise<readonly Record<string, number>[]> => [
      await work(() => q.append([{ body: 'x' }], { batchId: uuid() })),
      await work(async () => (receipt = (await q.claim(CLAIM)).deliveries[0]!.receipt)),
      await work(() => q.settle('g', [{ receipt, kind: 'ack' }])),
    ]
    await once()
    expect(await once()).toEqual([
      { hset: 1, hmget: 1, publish: 1, xadd: 1 },
      { hmget: 1, hset: 1, xrange: 1, zadd: 2, zrange: 2 },
      { hmget: 1, hset: 1, publish: 1, xtrim: 1, zrangebyscore: 1, zrem: 2 },
    ])
  })
})
