import { Redis as IoRedis } from 'ioredis'
import { Redis as IoValkey } from 'iovalkey'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ClientStorage } from '../../adapters/redis/client-storage.ts'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { Queue, QuaysideError } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import { Ledger } from '../redis/support/ledger.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { type Fate, type Proxy, openProxy } from './support/proxy.ts'
import { report } from './support/report.ts'

// Connections that are there and carry nothing, or little. Clients are set up as docs/storage-redis.md advises, with less patience.

const ROUNDS = 8
const LEASE_MS = 2000
const PATIENCE_MS = 600
const timeout = 300_000

/** Clients of the server time their connections by their own clocks. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Connected {
  readonly client: RedisClient
  close(): void
}

const CLIENTS: Readonly<Record<string, (url: string, patienceMs: number) => Promise<Connected>>> = {
  async redis(url, patienceMs) {
    const client = createClient({
      url,
      pingInterval: patienceMs / 3,
      socket: { socketTimeout: patienceMs, reconnectStrategy: 50 },
    })
    await client.on('error', () => undefined).connect()
    return { client, close: () => client.destroy() }
  },
  async ioredis(url, patienceMs) {
    const client = new IoRedis(url, { socketTimeout: patienceMs, retryStrategy: () => 50 })
    await client.on('error', () => undefined).ping()
    return { client, close: () => client.disconnect() }
  },
}

interface Network {
  readonly server: RedisServer
  readonly proxy: Proxy
  readonly url: string
  /** What becomes of the next bytes that a client sends. */
  next: Fate | undefined
  /** On which connection. Default: any. */
  only?: number
}

/** A server, and a proxy before it. */
async function start(): Promise<Network> {
  const server = await startRedis()
  const proxy = await openProxy(server.port, (connection) => {
    if ((network.only ?? connection) !== connection) return undefined
    const fate = network.next
    network.next = undefined
    return fate
  })
  const network: Network = { server, proxy, url: `redis://127.0.0.1:${proxy.port}`, next: undefined }
  onTestFinished(async () => {
    await proxy.close()
    await server.stop()
  })
  return network
}

/** Runs a verb until it is answered. */
async function persist<T>(verb: () => Promise<T>, codes: Map<string, number>): Promise<T> {
  for (;;) {
    try {
      return await verb()
    } catch (error) {
      if (!(error instanceof QuaysideError)) throw error
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
      await pause(20)
    }
  }
}

describe.each(Object.keys(CLIENTS))('with the package %s', (name) => {
  test.each<readonly [string, readonly Fate[]]>([
    ['half-open', ['silent', 'deaf']],
    ['slow', ['trickling']],
  ])('nothing is lost or done twice over connections that are %s', { timeout }, async (fault, fates) => {
    const network = await start()
    const { client, close } = await CLIENTS[name]!(network.url, PATIENCE_MS)
    onTestFinished(close)
    const queue = await new RedisAdapter(client).open('orders')
    const ledger = new Ledger()
    const leases = new Map<string, number>()
    const shared: string[] = []
    const codes = new Map<string, number>()
    const work = { over: false }
    const produce = async (lane: number): Promise<void> => {
      for (let round = 0; !work.over; round++) {
        const ids = Array.from({ length: 5 }, (_, i) => `${lane}-${round}-${i}`)
        // A send that is repeated may come after its message was done.
        const messages = ids.map((id) => ({ body: 'x'.repeat(300), id, dedupeMs: 600_000 }))
        await persist(() => queue.append(messages, { batchId: uuid() }), codes)
        for (const id of ids) ledger.sent.add(id)
      }
    }
    const consume = async (): Promise<void> => {
      while (!work.over) {
        let asked = 0
        const { deliveries } = await persist(() => {
          asked = performance.now()
          return queue.claim({ group: 'g', limit: 10, leaseMs: LEASE_MS, maxAttempts: 1_000_000 })
        }, codes)
        for (const { id } of deliveries) {
          ledger.delivered(id)
          // The server granted it after it was asked and before it was answered.
          if (performance.now() < (leases.get(id) ?? 0)) shared.push(id)
          leases.set(id, asked + LEASE_MS)
        }
        const acks = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
        try {
          const results = await queue.settle('g', acks)
          for (const [i, { status }] of results.entries())
            if (status === 'settled') ledger.acked.add(deliveries[i]!.id)
            else ledger.sent.delete(deliveries[i]!.id) // Another may have done it meanwhile.
        } catch (error) {
          if (!(error instanceof QuaysideError)) throw error
          codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
          // It was acked, or it comes back.
          for (const { id } of deliveries) ledger.sent.delete(id)
        }
      }
    }
    const workers = [produce(1), produce(2), consume(), consume()]
    for (let round = 0; round < ROUNDS; round++) {
      const { opened } = network.proxy
      network.next = fates[round % fates.length]
      while (network.next !== undefined) await pause(10)
      // Until somebody has noticed.
      if (fault === 'half-open') while (network.proxy.opened === opened) await pause(10)
      // They work for a while on the connections that they have now.
      await pause(300)
    }
    work.over = true
    await Promise.all(workers)
    expect(ledger.acked.size).toBeGreaterThan(0)
    for (const code of codes.keys()) expect(['STORAGE_UNAVAILABLE', 'STORAGE_FAILED']).toContain(code)
    // ioredis sends what was in flight again by itself.
    const told = fault === 'half-open' && name === 'redis' ? ROUNDS : 0
    expect(codes.get('STORAGE_FAILED') ?? 0).toBeGreaterThanOrEqual(told)
    const problems = await ledger.problems(queue, 'g')
    report({
      adapter: `redis, by ${name}`,
      fault: `${fault} connections; ${ledger.acked.size} messages acked`,
      faults: ROUNDS,
      messages: ledger.sent.size,
      violations: problems.length + shared.length,
    })
    expect(problems).toEqual([])
    expect(shared).toEqual([])
  })
})

/** Clients that wait for as long as it takes: what is noticed is noticed by the adapter, or by a ping of the client. */
const LISTENERS: Readonly<Record<string, (url: string) => Promise<Connected>>> = {
  redis: (url) => CLIENTS['redis']!(url, 3000),
  async ioredis(url) {
    const client = new IoRedis(url)
    await client.on('error', () => undefined).ping()
    return { client, close: () => client.disconnect() }
  },
  async iovalkey(url) {
    const client = new IoValkey(url)
    await client.on('error', () => undefined).ping()
    return { client, close: () => client.disconnect() }
  },
}

test.each(Object.keys(LISTENERS))(
  'an idle consumer whose listening connection went silent gets what is sent, with the package %s',
  { timeout },
  async (name) => {
    const network = await start()
    const here = await LISTENERS[name]!(network.url)
    const there = await LISTENERS[name]!(network.server.url)
    onTestFinished(() => {
      here.close()
      there.close()
    })
    const settings = { prefix: 'quayside', durability: 'process', clock: undefined } as const
    const storage = new ClientStorage(here.client, { ...settings, pingMs: 500 })
    const queue = new Queue<string>('q', { storage })
    const elsewhere = new Queue<string>('q', { storage: new ClientStorage(there.client, settings) })
    const received: string[] = []
    const run = queue.createConsumer().run(({ payload }) => void received.push(payload))
    while (network.proxy.opened < 2) await pause(10)
    // Until it waits for nothing but news.
    await pause(2000)
    network.only = 2
    network.next = 'silent'
    while (network.next !== undefined) await pause(10)
    await elsewhere.createProducer().send('after')
    while (network.proxy.opened < 3 || received.length === 0) await pause(10)
    expect(received).toEqual(['after'])
    // One that answers is left alone.
    await pause(2000)
    expect(network.proxy.opened).toBe(3)
    await Promise.all([queue.close(), elsewhere.close(), run])
  },
)
