// The connection that listens breaks, by whatever options it was made: another one takes its place.
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { onRedis } from './support/on-redis.ts'

const redis = onRedis({ fresh: false })

type Made = readonly [client: RedisClient, end: () => unknown]

async function node(options: object): Promise<Made> {
  const client = createClient({ url: redis.url, ...options })
  client.on('error', () => undefined)
  await client.connect()
  return [client, () => client.destroy()]
}

function io(Client: typeof Redis, options: object): Promise<Made> {
  const client = new Client(redis.url, options)
  client.on('error', () => undefined)
  return Promise.resolve([client, () => client.disconnect()])
}

const clients: Record<string, () => Promise<Made>> = {
  redis: () => node({}),
  'redis with RESP: 2': () => node({ RESP: 2 }),
  'redis with reconnectStrategy: false': () => node({ socket: { reconnectStrategy: false } }),
  'redis with disableOfflineQueue': () => node({ disableOfflineQueue: true }),
  'a pool of redis': async () => {
    const pool = createClientPool({ url: redis.url })
    pool.on('error', () => undefined)
    await pool.connect()
    return [pool, () => pool.destroy()]
  },
  ioredis: () => io(Redis, {}),
  'ioredis without retryStrategy': () => io(Redis, { retryStrategy: null }),
  'ioredis with autoResubscribe: false': () => io(Redis, { autoResubscribe: false }),
  'ioredis with lazyConnect': () => io(Redis, { lazyConnect: true }),
  iovalkey: () => io(Valkey as unknown as typeof Redis, {}),
  'iovalkey without retryStrategy': () =>
    io(Valkey as unknown as typeof Redis, { retryStrategy: () => null }),
}

test('news come again after the connection broke, whatever options there are', WALL_CLOCK, async () => {
  const queues = await Promise.all(
    Object.entries(clients).map(async ([name, make]) => {
      const [client, end] = await make()
      onTestFinished(() => void end())
      const adapter = new RedisAdapter(client)
      onTestFinished(() => adapter.close())
      const queue = await adapter.open(crypto.randomUUID())
      const hints: number[] = []
      queue.watch!(() => hints.push(performance.now()))
      return { name, queue, hints }
    }),
  )
  /** The names of those that were told something after that, or were not. */
  const told = (time: number, isTold: boolean): string[] =>
    queues.filter(({ hints }) => hints.some((hint) => hint > time) === isTold).map(({ name }) => name)
  for (let round = 0; round < 3; round++) {
    // Whoever listens looks once more after a second, and then only if it is told.
    const isQuiet = (): string[] => told(performance.now() - 1500, true)
    await expect.poll(() => queues.every(({ hints }) => hints.length > 0)).toBe(true)
    await expect.poll(isQuiet, { timeout: 45_000 }).toEqual([])
    const sent = performance.now()
    await Promise.all(queues.map(({ queue }) => queue.append([{ body: 'a' }], { batchId: uuid() })))
    await expect.poll(() => told(sent, false), { timeout: 45_000 }).toEqual([])
    const killed = performance.now()
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect.poll(() => told(killed, false), { timeout: 45_000 }).toEqual([])
  }
})
