// Servers that delete messages when their memory is full are found out: when a queue is opened, and later.
import { Cluster, Redis } from 'ioredis'
import { createClientPool, createCluster } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ClientStorage } from '../../adapters/redis/client-storage.ts'
import type { RedisClient } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import type { QueueStorage } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'
import { type RedisCluster, startCluster } from './support/cluster.ts'
import { CLIENTS, type Connected, connectClient } from './support/clients.ts'
import { type RedisServer, startRedis } from './support/server.ts'

const FRESH_MS = 50

function adapterOn(client: RedisClient): ClientStorage {
  const settings = {
    prefix: crypto.randomUUID(),
    durability: 'process',
    clock: undefined,
    freshMs: FRESH_MS,
  } as const
  const adapter = new ClientStorage(client, settings)
  onTestFinished(() => adapter.close())
  return adapter
}

const append = (queue: QueueStorage): Promise<unknown> => queue.append([{ body: 'a' }], { batchId: uuid() })

/** Sends until it is refused, and answers with how many went through. */
async function expectRefusal(queue: QueueStorage): Promise<number> {
  let sent = 0
  const sending = async (): Promise<never> => {
    for (; ; sent++) {
      await append(queue)
      // Until what it knows of the server is old.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await expectCode(sending(), 'STORAGE_UNAVAILABLE', 'append: ', 'maxmemory-policy allkeys-lru', 'noeviction')
  return sent
}

describe('a server', () => {
  let server: RedisServer
  let connected: Connected
  beforeAll(async () => {
    server = await startRedis('--maxmemory', '100mb', '--maxmemory-policy', 'noeviction')
    connected = await connectClient('redis', server.url)
  })
  afterAll(async () => {
    await connected.close()
    await server.stop()
  })
  afterEach(() => connected.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '100mb'))

  const clients: Record<string, () => Promise<RedisClient>> = {
    ...Object.fromEntries(
      CLIENTS.map((name) => [
        name,
        async () => {
          const { client, close } = await connectClient(name, server.url)
          onTestFinished(close)
          return client
        },
      ]),
    ),
    pool: async () => {
      const pool = createClientPool({ url: server.url })
      onTestFinished(() => pool.destroy())
      await pool.connect()
      return pool
    },
    'enableAutoPipelining, stringNumbers and keyPrefix': () => {
      const client = new Redis(server.url, {
        enableAutoPipelining: true,
        stringNumbers: true,
        keyPrefix: 'a:',
      })
      onTestFinished(() => client.disconnect())
      return Promise.resolve(client)
    },
  }

  test.each(Object.keys(clients))('that evicts later is sent no more, until it stops: %s', async (name) => {
    const queue = await adapterOn(await clients[name]!()).open('q')
    await append(queue)
    await connected.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const sent = 1 + (await expectRefusal(queue))
    await expectCode(append(queue), 'STORAGE_UNAVAILABLE', 'allkeys-lru')
    const { deliveries } = await queue.claim({ group: 'g', limit: 1000, leaseMs: 1000, maxAttempts: 3 })
    expect(deliveries).toHaveLength(sent)
    await connected.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await append(queue)
  })

  test.each([
    ['allkeys-lfu', '100mb'],
    ['allkeys-random', '100mb'],
  ])('with %s takes no queue', async (policy, maxmemory) => {
    await connected.command('CONFIG', 'SET', 'maxmemory-policy', policy, 'maxmemory', maxmemory)
    await expectCode(adapterOn(connected.client).open('q'), 'STORAGE_UNAVAILABLE', policy, 'noeviction')
  })

  test.each([
    ['volatile-lru', '100mb'],
    ['allkeys-lru', '0'],
  ])('with %s and maxmemory %s deletes nothing of a queue', async (policy, maxmemory) => {
    await connected.command('CONFIG', 'SET', 'maxmemory-policy', policy, 'maxmemory', maxmemory)
    const queue = await adapterOn(connected.client).open('q')
    await append(queue)
    expect((await queue.stats()).messages).toBe(1)
  })

  test('that is given a limit later evicts from then on', async () => {
    await connected.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '0')
    const queue = await adapterOn(connected.client).open('q')
    await append(queue)
    await connected.command('CONFIG', 'SET', 'maxmemory', '100mb')
    await expectRefusal(queue)
  })

  test('is not asked with each send', async () => {
    const { command } = connected
    const settings = { prefix: crypto.randomUUID(), durability: 'process', clock: undefined } as const
    const adapter = new ClientStorage(connected.client, settings)
    onTestFinished(() => adapter.close())
    const queue = await adapter.open('q')
    await command('CONFIG', 'RESETSTAT')
    for (let i = 0; i < 50; i++) await append(queue)
    const { length } = String(await command('INFO', 'commandstats')).match(/cmdstat_info:/g) ?? []
    expect(length ?? 0).toBe(0)
  })
})

describe('a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster('--maxmemory', '100mb')
  })
  afterAll(() => cluster.stop())

  const connect = {
    redis: async (): Promise<RedisClient> => {
      const client = createCluster({ rootNodes: [{ url: cluster.nodes[0]!.server.url }], useReplicas: true })
      onTestFinished(() => client.destroy())
      await client.connect()
      return client
    },
    ioredis: (): Promise<RedisClient> => {
      const client = new Cluster([{ host: '127.0.0.1', port: cluster.nodes[0]!.server.port }])
      onTestFinished(() => client.disconnect())
      return Promise.resolve(client)
    },
  }

  for (const name of ['redis', 'ioredis'] as const) {
    for (let i = 0; i < 6; i++) {
      const what = i < 3 ? 'master' : 'replica'
      test(`${name}: a ${what} that evicts (${(i % 3) + 1}) is found at once, and later`, async () => {
        const { command } = cluster.nodes[i]!
        const set = (policy: string): Promise<unknown> => command('CONFIG', 'SET', 'maxmemory-policy', policy)
        onTestFinished(async () => void (await set('noeviction')))
        const adapter = adapterOn(await connect[name]())
        const queue = await adapter.open('q')
        await append(queue)
        await set('allkeys-lru')
        await expectRefusal(queue)
        await expectCode(adapterOn(await connect[name]()).open('q'), 'STORAGE_UNAVAILABLE', 'allkeys-lru')
        await set('noeviction')
        await append(queue)
      })
    }
  }
})
