// What the options of clients change of replies, keys, routes and connections, and that queues do not notice.
import { runInNewContext } from 'node:vm'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { type TestContext, afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { effort } from '../support/effort.ts'
import { expectCode } from '../support/set-up.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { type RedisCluster, startCluster } from './support/cluster.ts'
import { exercise, isWoken } from './support/exercise.ts'
import { PRIMARY, type Sentinels, startSentinels } from './support/sentinel.ts'
import { onRedis } from './support/on-redis.ts'

/** Ends with the test. Many run at a time, because they wait most of it. */
function until<T extends { on(event: 'error', listener: () => void): unknown }>(
  { onTestFinished }: TestContext,
  client: T,
  end: () => unknown,
): T {
  client.on('error', () => undefined)
  onTestFinished(async () => void (await end()))
  return client
}

async function expectUse(client: RedisClient): Promise<void> {
  const wakes = Array.from({ length: 3 }, () => isWoken(client, crypto.randomUUID()))
  await Promise.all([exercise(client, crypto.randomUUID()), ...wakes])
}

/** Types as a user might have them for commands of their own: by the byte that each begins with. */
const TYPES = { 0x3a: String, 0x2a: Set, 0x2b: Buffer, 0x5f: String, 0x3d: Buffer, 0x24: String } as never

const redis = onRedis({ fresh: false })

const ForeignArray = runInNewContext('Uint8Array') as typeof Uint8Array

function foreign(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(foreign)
  return reply instanceof Uint8Array ? ForeignArray.from(reply) : reply
}

/** What nobody expects to matter. */
function rest<T>(options: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return effort({ quick: {}, full: options })
}

const ioOptions: Record<string, RedisOptions> = {
  keyPrefix: { keyPrefix: 'app:' },
  'a keyPrefix with a hash tag': { keyPrefix: '{app}:' },
  enableAutoPipelining: { enableAutoPipelining: true },
  'enableAutoPipelining and keyPrefix': { enableAutoPipelining: true, keyPrefix: 'auto:' },
  stringNumbers: { stringNumbers: true },
  'stringNumbers, enableAutoPipelining and keyPrefix': {
    stringNumbers: true,
    enableAutoPipelining: true,
    keyPrefix: 'all:',
  },
  lazyConnect: { lazyConnect: true },
  'enableOfflineQueue: false': { enableOfflineQueue: false },
  'autoResubscribe: false': { autoResubscribe: false },
  ...rest({
    'enableReadyCheck: false': { enableReadyCheck: false },
    db: { db: 3 },
    readOnly: { readOnly: true },
    showFriendlyErrorStack: { showFriendlyErrorStack: true },
    connectionName: { connectionName: 'mine' },
    commandTimeout: { commandTimeout: 5000 },
    'maxRetriesPerRequest: null': { maxRetriesPerRequest: null },
    'protocol: 3': { protocol: 3 },
  }),
  'protocol: 3, replyMapping: resp3 and stringNumbers': {
    protocol: 3,
    replyMapping: 'resp3',
    stringNumbers: true,
  },
}

describe.each(['ioredis', 'iovalkey'] as const)('%s', (name) => {
  const make = (context: TestContext, options: object): Redis => {
    const Client = (name === 'ioredis' ? Redis : Valkey) as typeof Redis
    const client = new Client(redis.url, options)
    return until(context, client, () => client.disconnect())
  }
  for (const [what, options] of Object.entries(ioOptions)) {
    test.concurrent(`works, and is woken, with ${what}`, WALL_CLOCK, async (context) => {
      const client = make(context, options)
      if (options.enableOfflineQueue === false)
        await new Promise((resolve) => client.once('ready', resolve as never))
      await expectUse(client)
    })
  }

  test('works with bytes of another realm, as in the jsdom of Jest', async (context) => {
    const client = make(context, {})
    const call = client.callBuffer.bind(client) as (...args: string[]) => Promise<unknown>
    Object.assign(client, { callBuffer: async (...args: string[]) => foreign(await call(...args)) })
    await expect(exercise(client, crypto.randomUUID())).resolves.toBeUndefined()
  })

  test('a keyPrefix is in front of all keys', async (context) => {
    const adapter = new RedisAdapter(make(context, { keyPrefix: `${name}:` }))
    await (await adapter.open('prefixed')).append([{ body: 'a', id: 'a' }], { batchId: crypto.randomUUID() })
    const keys = (await redis.command('KEYS', `${name}:*`)) as string[]
    expect(keys.length).toBeGreaterThan(1)
    for (const key of keys) expect(key).toMatch(new RegExp(`^${name}:\\{quayside:prefixed\\}:`))
    await adapter.close()
  })
})

const nodeOptions: Record<string, object> = {
  'RESP: 2': { RESP: 2 },
  'RESP: 3': { RESP: 3 },
  'types of its own': { commandOptions: { typeMapping: TYPES } },
  'types of its own and RESP: 2': { RESP: 2, commandOptions: { typeMapping: TYPES } },
  keyPrefix: { keyPrefix: 'app:' },
  database: { database: 4 },
  disableOfflineQueue: { disableOfflineQueue: true },
  ...rest({
    pingInterval: { pingInterval: 50 },
    commandsQueueMaxLength: { commandsQueueMaxLength: 50 },
    clientSideCache: { RESP: 3, clientSideCache: { maxEntries: 10 } },
    disableClientInfo: { disableClientInfo: true },
    'timeout of commands': { commandOptions: { timeout: 5000 } },
  }),
  'reconnectStrategy: false': { socket: { reconnectStrategy: false } },
}

describe('redis', () => {
  for (const [what, options] of Object.entries(nodeOptions)) {
    test.concurrent(`works, and is woken, with ${what}`, WALL_CLOCK, async (context) => {
      const client = createClient({ url: redis.url, ...options })
      until(context, client, () => client.destroy())
      await client.connect()
      await expectUse(client)
    })
  }

  test('works, and is woken, by what its with-methods make', WALL_CLOCK, async (context) => {
    const client = createClient({ url: redis.url })
    until(context, client, () => client.destroy())
    await client.connect()
    await expectUse(client.withTypeMapping(TYPES))
    await expectUse(client.asap())
  })

  test.concurrent.for([{}, { keyPrefix: 'pool:' }, { RESP: 2 as const }])(
    'a pool works, and is woken, with %j',
    WALL_CLOCK,
    async (options, context) => {
      const pool = createClientPool(
        { url: redis.url, ...options },
        {
          minimum: 2,
          maximum: 3,
        },
      )
      until(context, pool, () => pool.destroy())
      await pool.connect()
      await expectUse(pool)
    },
  )

  test('a queue of commands that is full has sent nothing', async (context) => {
    const client = createClient({ url: redis.url, commandsQueueMaxLength: 20 })
    until(context, client, () => client.destroy())
    await client.connect()
    const queue = await new RedisAdapter(client).open('full')
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => queue.stats()))
    const refused = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })
})

describe('a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster.stop())

  const clusterOptions: Record<string, ClusterOptions> = {
    nothing: {},
    keyPrefix: { keyPrefix: 'app:' },
    'keyPrefix of its nodes': { redisOptions: { keyPrefix: 'node:' } },
    "scaleReads: 'slave'": { scaleReads: 'slave' },
    'enableAutoPipelining and keyPrefix': { enableAutoPipelining: true, keyPrefix: 'auto:' },
    'enableAutoPipelining of its nodes': { redisOptions: { enableAutoPipelining: true } },
    stringNumbers: { redisOptions: { stringNumbers: true } },
    lazyConnect: { lazyConnect: true },
    ...rest({
      "scaleReads: 'all'": { scaleReads: 'all' },
      'scaleReads by a function': { scaleReads: (nodes: unknown[]) => nodes.at(-1) },
      enableAutoPipelining: { enableAutoPipelining: true },
      'enableReadyCheck: false': { enableReadyCheck: false },
      shardedSubscribers: { shardedSubscribers: true },
      'protocol: 3': { redisOptions: { protocol: 3 } },
    }),
  }
  describe.each(['ioredis', 'iovalkey'] as const)('of %s', (name) => {
    for (const [what, options] of Object.entries(clusterOptions)) {
      test.concurrent(`works, and is woken, with ${what}`, WALL_CLOCK, async (context) => {
        const Client = (name === 'ioredis' ? Cluster : ValkeyCluster) as typeof Cluster
        const client = new Client(
          [{ host: '127.0.0.1', port: cluster.nodes[0]!.server.port }],
          options as object,
        )
        until(context, client, () => client.disconnect())
        await expectUse(client)
      })
    }
  })

  const options: Record<string, object> = {
    nothing: {},
    useReplicas: { useReplicas: true },
    minimizeConnections: { minimizeConnections: true },
    keyPrefix: { keyPrefix: 'app:' },
    'RESP: 2': { RESP: 2 },
    'types of its own': { commandOptions: { typeMapping: TYPES } },
    'types of its nodes': { defaults: { commandOptions: { typeMapping: TYPES } } },
  }
  for (const [what, more] of Object.entries(options)) {
    test.concurrent(`of redis works, and is woken, with ${what}`, WALL_CLOCK, async (context) => {
      const rootNodes = cluster.nodes.map(({ server: { url } }) => ({ url }))
      const client = createCluster({ rootNodes, ...more })
      until(context, client, () => client.destroy())
      await client.connect()
      await expectUse(client)
    })
  }

  test('a keyPrefix that would scatter the keys of a queue is refused', async (context) => {
    const client = new Cluster([{ host: '127.0.0.1', port: cluster.nodes[0]!.server.port }], {
      keyPrefix: 'a{}',
    })
    until(context, client, () => client.disconnect())
    const queue = await new RedisAdapter(client).open('q')
    await expectCode(queue.stats(), 'STORAGE_UNAVAILABLE', 'keyPrefix', '{}')
  })
})

describe('sentinels', () => {
  let sentinels: Sentinels
  beforeAll(async () => {
    sentinels = await startSentinels()
  })
  afterAll(() => sentinels.stop())

  const options: Record<string, object> = {
    nothing: {},
    keyPrefix: { keyPrefix: 'app:' },
    replicaPoolSize: { replicaPoolSize: 1 },
    'masterPoolSize: 3 and reserveClient': { masterPoolSize: 3, reserveClient: true },
    'RESP: 2': { RESP: 2 },
    'types of its own': { commandOptions: { typeMapping: TYPES } },
  }
  for (const [what, more] of Object.entries(options)) {
    test.concurrent(`of redis work, and wake, with ${what}`, WALL_CLOCK, async (context) => {
      const client = createSentinel({ name: PRIMARY, sentinelRootNodes: [...sentinels.addresses], ...more })
      until(context, client, () => client.destroy())
      await client.connect()
      await expectUse(client)
    })
  }

  test.concurrent.for([{}, { keyPrefix: 'app:' }, { enableAutoPipelining: true }])(
    'of ioredis work, and wake, with %j',
    WALL_CLOCK,
    async (more, context) => {
      const client = new Redis({ sentinels: [...sentinels.addresses], name: PRIMARY, ...more })
      until(context, client, () => client.disconnect())
      await expectUse(client)
    },
  )

  test("a client with role: 'slave' is refused", async (context) => {
    const client = new Redis({
      sentinels: [...sentinels.addresses],
      name: PRIMARY,
      role: 'slave',
      lazyConnect: true,
    })
    until(context, client, () => client.disconnect())
    await expectCode(() => new RedisAdapter(client), 'INVALID_ARGUMENT', "role: 'slave'", 'replicas')
  })
})
