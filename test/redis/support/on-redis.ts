import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest'
import { ClientStorage } from '../../../adapters/redis/client-storage.ts'
import type { RedisClient } from '../../../adapters/redis/index.ts'
import { uuid } from '../../../src/message-id.ts'
import type { ClaimRequest, Delivery, NewMessage, QueueStorage, Settlement } from '../../../src/storage.ts'
import { type ClientName, type Connected, connectClient } from './clients.ts'
import { type RedisServer, startRedis } from './server.ts'

const START_MS = 1_767_225_600_000

/** A server for the tests of a file, and connections to it. */
export interface OnRedis {
  readonly url: string
  readonly client: RedisClient
  /** All of them; {@link client} is the first. */
  readonly clients: readonly RedisClient[]
  /** The time of queues that are opened with it. */
  now: number
  command: Connected['command']
  /** A storage for as long as the test runs. */
  adapter(client?: RedisClient): ClientStorage
  /** Opens the queue `q` on one. */
  open(client?: RedisClient): Promise<QueueStorage>
  /** The names of all keys, sorted. */
  keys(): Promise<string[]>
  /** Commands by name that scripts gave meanwhile, sorted: the same on any machine. */
  commandsOf(run: () => Promise<unknown>): Promise<Record<string, number>>
}

export interface OnRedisOptions {
  /** A connection for each. @defaultValue one by the package redis */
  readonly clients?: readonly ClientName[]
  /** Each test finds the server empty, and begins at the same time. @defaultValue `true` */
  readonly fresh?: boolean
}

/** Sets up what the tests of a file need, for as long as they run. */
export function onRedis({ clients: names = ['redis'], fresh = true }: OnRedisOptions = {}): OnRedis {
  let server: RedisServer
  let connections: readonly Connected[] = []
  beforeAll(async () => {
    server = await startRedis()
    connections = await Promise.all(names.map((name) => connectClient(name, server.url)))
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    await server.stop()
  })
  beforeEach(async () => {
    if (!fresh) return
    redis.now = START_MS
    await redis.command('FLUSHALL')
  })
  const redis: OnRedis = {
    now: START_MS,
    get url() {
      return server.url
    },
    get client() {
      return connections[0]!.client
    },
    get clients() {
      return connections.map(({ client }) => client)
    },
    command: (...args) => connections[0]!.command(...args),
    adapter(client = redis.client) {
      const clock = { now: () => redis.now }
      const adapter = new ClientStorage(client, { prefix: 'p', durability: 'process', clock })
      onTestFinished(() => adapter.close())
      return adapter
    },
    open: (client) => redis.adapter(client).open('q'),
    async keys() {
      return ((await redis.command('KEYS', '*')) as string[]).sort()
    },
    async commandsOf(run) {
      await redis.command('CONFIG', 'RESETSTAT')
      await run()
      const stats = String(await redis.command('INFO', 'commandstats'))
      const found = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
      return Object.fromEntries(
        found
          .filter(([, name]) => !/^(eval|config|info)/.test(name!))
          .map(([, name, calls]): [string, number] => [name!, Number(calls)])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      )
    },
  }
  return redis
}

/** What is left of a queue `q` that has nothing. */
export const EMPTY: readonly string[] = ['{p:q}:log', '{p:q}:state']

export const CLAIM: ClaimRequest = { group: 'g', limit: 1000, leaseMs: 1e9, maxAttempts: 1000 }

/** Sends so many messages, in batches. Answers with their ids. */
export async function send(
  queue: QueueStorage,
  count: number,
  make: (i: number) => NewMessage,
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - i) }, (_, j) => make(i + j))
    ids.push(...(await queue.append(batch, { batchId: uuid() })).map(({ id }) => id))
  }
  return ids
}

/** Claims until there is nothing, and settles all as it is told. Answers with how many claims found nothing but work. */
export async function takeAll(
  queue: QueueStorage,
  settle: (delivery: Delivery) => Settlement,
  group: string = CLAIM.group,
): Promise<number> {
  for (let rounds = 0; ; rounds++) {
    const { deliveries, nextInMs } = await queue.claim({ ...CLAIM, group })
    await queue.settle(group, deliveries.map(settle))
    if (deliveries.length === 0 && nextInMs !== 0) return rounds
  }
}

export const ack = ({ receipt }: Pick<Delivery, 'receipt'>): Settlement => ({ receipt, kind: 'ack' })
