import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { SCRIPTS } from '../../adapters/redis/scripts.ts'
import { Queue } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import type { Delivery, NewMessage, QueueStorage } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'
import { CLIENTS, type Connected, connectClient } from './support/clients.ts'
import { type RedisServer, startRedis } from './support/server.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { onRedis } from './support/on-redis.ts'

const redis = onRedis()

const CLAIM = { group: 'g', limit: 100, leaseMs: 30_000, maxAttempts: 3 }

async function openQueue(name = 'orders'): Promise<QueueStorage> {
  const adapter = new RedisAdapter(redis.client)
  onTestFinished(() => adapter.close())
  return await adapter.open(name)
}

function bodies(count: number, message: Partial<NewMessage> = {}): NewMessage[] {
  return Array.from({ length: count }, (_, i) => ({ body: `body ${i}`, ...message }))
}

function acks(deliveries: readonly Delivery[]): { receipt: string; kind: 'ack' }[] {
  return deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
}

/** Runs every verb, on every path that a message can take. */
async function useAll(queue: QueueStorage): Promise<void> {
  const send = (...messages: NewMessage[]): Promise<unknown> => queue.append(messages, { batchId: uuid() })
  await send(...bodies(3), { body: 'later', delayMs: 20 }, { body: 'short', expiresInMs: 20 })
  await send({ body: 'a', id: 'x', dedupeMs: 1000 }, { body: 'b', id: 'x' }, ...bodies(3, { key: 'k' }))
  await send({ body: 'c', id: 'x', replace: true }, { body: 'd', id: 'y', maxAttempts: 1 })
  // By the server's clock: until one is due, and the other has expired.
  await new Promise((resolve) => setTimeout(resolve, 40))
  const first = await queue.claim(CLAIM)
  expect(first.deliveries).toHaveLength(7)
  const [one, two, three, ...rest] = first.deliveries
  const { settled } = await queue.claim({
    ...CLAIM,
    settle: [
      { receipt: one!.receipt, kind: 'retry', delayMs: 60_000, error: 'busy' },
      { receipt: two!.receipt, kind: 'dead', reason: 'rejected', error: 'no' },
      { receipt: three!.receipt, kind: 'extend', leaseMs: 60_000 },
    ],
  })
  expect(settled).toEqual([{ status: 'settled' }, { status: 'settled' }, { status: 'settled' }])
  await queue.claim({ ...CLAIM, group: 'h' })
  expect(await queue.retryNow('g', [one!.id])).toEqual([true])
  expect(await queue.cancel([rest[0]!.id, 'unknown'])).toEqual([true, false])
  expect((await queue.settle('g', acks(rest.slice(1)))).every(({ status }) => status === 'settled')).toBe(
    true,
  )
  const { messages } = await queue.list({ group: 'g', limit: 100, states: ['dead'] })
  expect(new Set(messages.map(({ reason }) => reason))).toEqual(new Set(['expired', 'rejected']))
  await queue.settle('g', [{ receipt: messages[0]!.receipt!, kind: 'retry', delayMs: 0 }])
  expect(Object.keys((await queue.stats()).groups).sort()).toEqual(['g', 'h'])
  await send({ body: 'e', key: 'm', id: 'z', keepMs: 60_000 }, { body: 'f', key: 'm', keepMs: 60_000 })
  const { deliveries: kept } = await queue.claim(CLAIM)
  const { receipt } = kept.find(({ body }) => body === 'e')!
  await queue.settle('g', [{ receipt, kind: 'extend', leaseMs: 60_000, progress: 'half' }])
  expect(await queue.results('g', ['z', 'unknown'])).toMatchObject([{ progress: 'half' }, undefined])
  await queue.settle('g', [{ receipt, kind: 'park', reason: 'why' }])
  expect(await queue.resume(['z'], { edit: { body: 'e2' } })).toEqual([true])
  const [again] = (await queue.claim(CLAIM)).deliveries
  await queue.settle('g', [{ receipt: again!.receipt, kind: 'ack', value: 'good' }])
  expect(await queue.results('g', ['z'])).toMatchObject([{ status: 'done', value: 'good' }])
  await queue.deleteGroup('h')
  await queue.purge()
}

describe('scripts', () => {
  test('are known to the server by the digests that are written down', async () => {
    for (const { sha, text } of Object.values(SCRIPTS))
      expect(await redis.command('SCRIPT', 'LOAD', text)).toBe(sha)
  })

  test('each verb is one round trip, and another one only where the server has forgotten the script', async () => {
    const queue = await openQueue()
    await useAll(queue)
    const { command } = redis
    await command('CONFIG', 'RESETSTAT')
    for (let i = 0; i < 10; i++) {
      await queue.append(bodies(100), { batchId: uuid() })
      const { deliveries } = await queue.claim(CLAIM)
      expect(deliveries).toHaveLength(100)
      await queue.settle('g', acks(deliveries))
    }
    expect(await calls(command)).toMatchObject({ evalsha: 30 })
    expect(await calls(command)).not.toHaveProperty('eval')
    await command('SCRIPT', 'FLUSH')
    await useAll(queue)
    expect((await queue.stats()).messages).toBe(0)
  })

  test('what a queue has is in one slot, and nothing is left of it but counters once all is done', async () => {
    const queue = await openQueue('a{b}c%}')
    await useAll(queue)
    await queue.append(
      [
        { body: 'a', id: 'x', key: 'k' },
        { body: 'b', delayMs: 10 },
      ],
      { batchId: uuid() },
    )
    const keys = (await redis.command('KEYS', '*')) as string[]
    expect(keys.length).toBeGreaterThan(3)
    for (const key of keys) expect(key).toMatch(/^\{quayside:a%7Bb%7Dc%25%7D\}:/)
    await queue.purge()
    expect(await redis.command('KEYS', '*')).toEqual(['{quayside:a%7Bb%7Dc%25%7D}:state'])
  })
})

/** For what only the server's own clock and connections show. */
async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

async function calls(command: Connected['command']): Promise<Record<string, number>> {
  const stats = String(await command('INFO', 'commandstats'))
  return Object.fromEntries(
    [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, count]) => [name, Number(count)]),
  )
}

describe('clients and options', () => {
  test.each([null, undefined, 'redis://localhost', {}, { sendCommand: () => undefined }, () => undefined])(
    'a client that is %s is refused',
    async (client) => {
      await expectCode(
        () => new RedisAdapter(client as never),
        'INVALID_ARGUMENT',
        'ioredis',
        'createClient()',
      )
    },
  )

  test('options that are wrong are refused', async () => {
    const make = (options: object) => () => new RedisAdapter(redis.client, options)
    await expectCode(make({ prefix: '{a}' }), 'INVALID_ARGUMENT', 'braces', '{a}')
    await expectCode(make({ prefix: '' }), 'INVALID_ARGUMENT', 'prefix')
    await expectCode(make({ durability: 'all' }), 'INVALID_ARGUMENT', 'durability', 'all')
    await expectCode(make({ clock: Date }), 'INVALID_ARGUMENT', 'clock')
  })

  test('prefixes keep queues of one name apart, and durability is declared as it is told', async () => {
    const one = await new RedisAdapter(redis.client, { prefix: 'one', durability: 'disk' }).open('q')
    const two = new RedisAdapter(redis.client, { prefix: 'two' })
    await one.append(bodies(1), { batchId: uuid() })
    expect((await (await two.open('q')).stats()).messages).toBe(0)
    expect(new RedisAdapter(redis.client, { durability: 'disk' }).guarantees.durability).toBe('disk')
    expect(two.guarantees.durability).toBe('process')
  })

  test('the client stays open when the adapter is closed', async () => {
    const adapter = new RedisAdapter(redis.client)
    await (await adapter.open('q')).close()
    await adapter.close()
    expect(await redis.command('PING')).toBe('PONG')
  })
})

describe('waiting', () => {
  test('1,000 idle consumers send nothing to the server', WALL_CLOCK, async () => {
    const queue = new Queue<number>('idle', { storage: new RedisAdapter(redis.client) })
    const stop = new AbortController()
    const seen: number[] = []
    const consumers = Array.from({ length: 1000 }, () =>
      queue.createConsumer('g').run(({ payload }) => void seen.push(payload), { signal: stop.signal }),
    )
    // Until all have asked once, and the subscription is there.
    await pause(2500)
    await redis.command('CONFIG', 'RESETSTAT')
    // In which somebody who looks by himself would.
    await pause(2000)
    const { config: _, ...quiet } = await calls(redis.command)
    expect(quiet).toEqual({ 'config|resetstat': 1 })
    await queue.createProducer().send(7)
    await expect.poll(() => seen).toEqual([7])
    // All were woken; those that find nothing ask together, after the one that got it.
    await pause(300)
    const { evalsha } = await calls(redis.command)
    expect(evalsha).toBeLessThan(30)
    stop.abort()
    await Promise.all(consumers)
    await queue.close()
  })

  test.each(CLIENTS)(
    'a message wakes a consumer of another client (%s) at once',
    WALL_CLOCK,
    async (name) => {
      const other = await connectClient(name, redis.url)
      const here = new Queue<string>('wake', { storage: new RedisAdapter(redis.client) })
      const there = new Queue<string>('wake', { storage: new RedisAdapter(other.client) })
      const received = there.createConsumer().receive({ waitMs: 120_000 })
      // Until it waits for news, which cannot be asked for.
      await pause(200)
      const sent = performance.now()
      await here.createProducer().send('now')
      expect((await received)?.payload).toBe('now')
      // Who is not told looks again after 30 s.
      expect(performance.now() - sent).toBeLessThan(20_000)
      await Promise.all([here.close(), there.close()])
      await other.close()
    },
  )
})

describe('waiting without the right to listen', () => {
  test('a consumer looks each second, on no more connections than before', async () => {
    const { command } = redis
    await command('ACL', 'SETUSER', 'deaf', 'reset', 'on', '>secret', '~*', '+@all')
    const client = await connectClient('redis', redis.url.replace('//', '//deaf:secret@'))
    const queue = new Queue<string>('deaf', { storage: new RedisAdapter(client.client) })
    onTestFinished(async () => {
      await queue.close()
      await client.close()
      await command('ACL', 'DELUSER', 'deaf')
    })
    const received = queue.createConsumer().receive({ waitMs: 15_000 })
    // In which it looks three times.
    await pause(3500)
    const clients = String(await command('CLIENT', 'LIST')).match(/user=deaf/g)
    expect(clients).toHaveLength(2)
    await queue.createProducer().send('late')
    expect((await received)?.payload).toBe('late')
  })
})

describe('cost', () => {
  /** Bytes that the server keeps for all keys. */
  async function memory(): Promise<number> {
    let bytes = 0
    for (const key of (await redis.command('KEYS', '*')) as string[])
      bytes += Number(await redis.command('MEMORY', 'USAGE', key, 'SAMPLES', '0'))
    return bytes
  }

  test('memory does not grow with what groups have finished', async () => {
    const queue = await openQueue()
    const groups = ['a', 'b', 'c']
    for (const group of groups) await queue.claim({ ...CLAIM, group })
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        await queue.append([...bodies(50), ...bodies(50, { key: 'k' })], { batchId: uuid() })
        await queue.append(
          bodies(10).map((message, i) => ({ ...message, id: `${round}-${i}` })),
          { batchId: uuid() },
        )
        for (const group of groups) {
          for (;;) {
            const { deliveries } = await queue.claim({ ...CLAIM, group })
            if (deliveries.length === 0) break
            const [first, ...others] = deliveries
            await queue.settle(group, [
              { receipt: first!.receipt, kind: 'retry', delayMs: 0 },
              ...acks(others),
            ])
            const again = await queue.claim({ ...CLAIM, group })
            await queue.settle(group, acks(again.deliveries))
          }
        }
      }
    }
    await rounds(2)
    const before = await memory()
    await rounds(20)
    expect(await queue.stats()).toMatchObject({ messages: 0, bytes: 0 })
    expect((await redis.command('KEYS', '*')) as string[]).toHaveLength(2) // the rows, and a log without entries
    expect(await memory()).toBeLessThan(before + 500)
  })

  test('a group that is deleted leaves nothing behind, and no ids of what only it had to do', async () => {
    const queue = await openQueue()
    for (const group of ['a', 'b']) await queue.claim({ ...CLAIM, group })
    const ids = Array.from({ length: 300 }, (_, i) => `id-${i}`)
    await queue.append(
      ids.map((id) => ({ body: id, id, key: 'k' })),
      { batchId: uuid() },
    )
    await queue.claim({ ...CLAIM, group: 'b' })
    for (;;) {
      const { deliveries, nextInMs } = await queue.claim({ ...CLAIM, group: 'a' })
      await queue.settle('a', acks(deliveries))
      if (deliveries.length === 0 && nextInMs !== 0) break
    }
    expect(await redis.command('HLEN', '{quayside:orders}:ids')).toBe(300)
    await queue.deleteGroup('b')
    const keys = new Set((await redis.command('KEYS', '*')) as string[])
    expect(keys).toEqual(new Set(['{quayside:orders}:log', '{quayside:orders}:state']))
    expect(await redis.command('XLEN', '{quayside:orders}:log')).toBe(0)
  })

  test('an id that was replaced while it was remembered stays so, whatever the new message asks for', async () => {
    const queue = await openQueue()
    const send = async (more: Partial<NewMessage> = {}): Promise<string> => {
      const [result] = await queue.append([{ body: 'a', id: 'x', ...more }], { batchId: uuid() })
      return result!.status
    }
    const finish = async (): Promise<unknown> =>
      await queue.settle('g', acks((await queue.claim(CLAIM)).deliveries))
    expect(await send({ dedupeMs: 60_000 })).toBe('stored')
    await finish()
    expect(await send()).toBe('duplicate')
    expect(await send({ replace: true })).toBe('stored')
    await finish()
    expect(await send()).toBe('duplicate')
  })

  test('verbs cost the server the same with 1,000 and with 200,000 messages waiting', async () => {
    const queue = await openQueue()
    await queue.claim(CLAIM)
    /** Microseconds of each verb, the median of some. */
    const costs = async (): Promise<Record<string, number>> => {
      const median: Record<string, number> = {}
      let deliveries: readonly Delivery[] = []
      const verbs = {
        append: () => queue.append(bodies(100), { batchId: uuid() }),
        claim: async () => ({ deliveries } = await queue.claim(CLAIM)),
        settle: () => queue.settle('g', acks(deliveries)),
        stats: () => queue.stats(),
        list: () => queue.list({ group: 'g', limit: 10 }),
      }
      const times: Record<string, number[]> = {}
      for (let round = 0; round < 60; round++) {
        for (const [name, verb] of Object.entries(verbs)) {
          await redis.command('CONFIG', 'RESETSTAT')
          await verb()
          const stats = String(await redis.command('INFO', 'commandstats'))
          ;(times[name] ??= []).push(Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1]))
        }
      }
      for (const [name, all] of Object.entries(times)) median[name] = all.sort((a, b) => a - b)[30]!
      return median
    }
    await queue.append(bodies(1000), { batchId: uuid() })
    await costs()
    const few = await costs()
    for (let i = 0; i < 40; i++) await queue.append(bodies(5000), { batchId: uuid() })
    const many = await costs()
    expect((await queue.stats()).messages).toBeGreaterThan(200_000)
    for (const [name, cost] of Object.entries(many)) expect(cost, name).toBeLessThan(2 * few[name]! + 20)
  })
})

describe('large messages', () => {
  test('a claim answers with some megabytes at a time, and one message of the largest size', async () => {
    const queue = await openQueue()
    const body = new Uint8Array(1024 * 1024).fill(7)
    await queue.append(
      Array.from({ length: 20 }, () => ({ body })),
      { batchId: uuid() },
    )
    const { deliveries, nextInMs } = await queue.claim(CLAIM)
    expect(deliveries).toHaveLength(8)
    expect(nextInMs).toBe(0)
    await queue.purge()
    const largest = new Uint8Array(64 * 1024 * 1024).fill(9)
    await queue.append([{ body: largest }, { body: largest.subarray(1024) }], { batchId: uuid() })
    const one = await queue.claim(CLAIM)
    expect(one.deliveries).toHaveLength(1)
    expect(Buffer.compare(one.deliveries[0]!.body as Uint8Array, largest)).toBe(0)
    await queue.settle('g', [{ receipt: one.deliveries[0]!.receipt, kind: 'retry', delayMs: 0 }])
    const { messages } = await queue.list({ group: 'g', limit: 10 })
    expect(messages).toHaveLength(1)
  })
})

describe('what a server refuses', () => {
  test('a full memory: sends are refused, consuming goes on, and makes room', async () => {
    const own = await startRedis('--maxmemory-policy', 'noeviction')
    const client = await connectClient('redis', own.url)
    onTestFinished(async () => {
      await client.close()
      await own.stop()
    })
    const queue = await new RedisAdapter(client.client).open('q')
    const large = bodies(100).map(({ body }) => ({ body: `${String(body)} ${'x'.repeat(10_000)}` }))
    await queue.append(large, { batchId: uuid() })
    const used = Number(/used_memory:(\d+)/.exec(String(await client.command('INFO', 'memory')))![1])
    await client.command('CONFIG', 'SET', 'maxmemory', `${used + 2_000_000}`)
    const send = (): Promise<unknown> => queue.append(large, { batchId: uuid() })
    await expectCode(
      (async () => {
        for (let i = 0; i < 20; i++) await send()
      })(),
      'QUOTA_EXCEEDED',
      'append',
      'maxmemory',
    )
    const { messages } = await queue.stats()
    expect(messages % 100).toBe(0)
    await client.command('CONFIG', 'SET', 'maxmemory', '100kb')
    let done = 0
    for (;;) {
      const { deliveries } = await queue.claim({ ...CLAIM, limit: 30 })
      if (deliveries.length === 0) break
      const again = deliveries.slice(0, deliveries[0]!.attempt === 1 ? 1 : 0)
      const others = deliveries.slice(again.length)
      const retries = again.map(({ receipt }) => ({ receipt, kind: 'retry' as const, delayMs: 0 }))
      await queue.settle('g', [...retries, ...acks(others)])
      done += others.length
    }
    expect(done).toBe(messages)
    await client.command('CONFIG', 'SET', 'maxmemory', `${used + 2_000_000}`)
    await send()
  })

  test('a server that evicts is refused', async () => {
    const own = await startRedis('--maxmemory-policy', 'allkeys-lru', '--maxmemory', '50mb')
    const client = await connectClient('ioredis', own.url)
    onTestFinished(async () => {
      await client.close()
      await own.stop()
    })
    const adapter = new RedisAdapter(client.client)
    await expectCode(adapter.open('q'), 'STORAGE_UNAVAILABLE', 'allkeys-lru', 'noeviction')
    await client.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await (await adapter.open('q')).append(bodies(1), { batchId: uuid() })
  })

  test('a user with the rights that docs/storage-redis.md names can do everything, and is told where one is missing', async () => {
    const { command } = redis
    const rights = ['on', '>secret', '~{mine:*', '&{mine:*', '+@all', '-@admin', '-@dangerous', '+info']
    await command('ACL', 'SETUSER', 'worker', 'reset', ...rights)
    const client = await connectClient('redis', redis.url.replace('//', '//worker:secret@'))
    onTestFinished(async () => {
      await client.close()
      await command('ACL', 'DELUSER', 'worker')
    })
    const queue = await new RedisAdapter(client.client, { prefix: 'mine' }).open('q')
    await useAll(queue)
    const other = await new RedisAdapter(client.client, { prefix: 'other' }).open('q')
    await expectCode(other.append(bodies(1), { batchId: uuid() }), 'STORAGE_UNAVAILABLE', 'ACL', 'NOPERM')
    await command('ACL', 'SETUSER', 'worker', '-info', 'resetchannels')
    await useAll(await new RedisAdapter(client.client, { prefix: 'mine' }).open('r'))
    await command('ACL', 'SETUSER', 'worker', '-hset')
    await expectCode(queue.append(bodies(1), { batchId: uuid() }), 'STORAGE_FAILED', 'unknown', 'command')
  })

  test('a replica takes no messages', async () => {
    const own = await startRedis()
    const client = await connectClient('iovalkey', own.url)
    onTestFinished(async () => {
      await client.close()
      await own.stop()
    })
    const queue = await new RedisAdapter(client.client).open('q')
    await client.command('REPLICAOF', '127.0.0.1', new URL(redis.url).port)
    await expectCode(queue.append(bodies(1), { batchId: uuid() }), 'STORAGE_UNAVAILABLE', 'append', 'replica')
  })
})

describe('one node of a cluster', () => {
  let cluster: RedisServer
  beforeAll(async () => {
    cluster = await startRedis('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
    const client = await connectClient('redis', cluster.url)
    await client.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    while (!String(await client.command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      await new Promise((resolve) => setTimeout(resolve, 50))
    await client.close()
  })
  afterAll(() => cluster.stop())

  test.each(CLIENTS)('takes every verb of %s', async (name) => {
    const client = await connectClient(name, cluster.url)
    for (const queue of ['a', 'b', 'c']) await useAll(await new RedisAdapter(client.client).open(queue))
    expect(await client.command('PING')).toBe('PONG')
    await client.close()
  })

  test('clients of clusters work, and are woken', async () => {
    const redis = await import('redis')
    const node = redis.createCluster({ rootNodes: [{ url: cluster.url }] })
    await node.connect()
    const { Cluster } = await import('ioredis')
    const io = new Cluster([{ host: '127.0.0.1', port: cluster.port }])
    for (const client of [node, io] as RedisClient[]) {
      const adapter = new RedisAdapter(client)
      for (const name of ['a', 'b', 'c']) await useAll(await adapter.open(name))
      const queue = new Queue<string>('woken', { storage: adapter })
      const received = queue.createConsumer().receive({ waitMs: 20_000 })
      // Until it waits for news.
      await pause(200)
      await queue.createProducer().send('now')
      expect((await received)?.payload).toBe('now')
      expect(await adapter.queues()).toEqual(['a', 'b', 'c', 'woken'])
      for (const name of ['a', 'b', 'c']) await (await adapter.open(name)).delete()
      await queue.delete()
      expect(await adapter.queues()).toEqual([])
      await queue.close()
    }
    node.destroy()
    io.disconnect()
  })
})
