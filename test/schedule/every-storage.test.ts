import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundle } from '../browser/support/bundle.ts'
import { type Context, chromiumPage } from '../browser/support/contexts.ts'
import { kvFactory } from '../cloudflare-kv/support/factory.ts'
import { ModelKV } from '../cloudflare-kv/support/model-kv.ts'
import { factory as fsFactory } from '../conformance/factories/fs.ts'
import { factory as memoryFactory } from '../conformance/factories/memory.ts'
import { type Worker, startWorker } from '../durable-object/support/workerd.ts'
import { redisFactory } from '../redis/support/backend.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { type ConformanceFactory } from '../../conformance/index.ts'
import { ManualClock } from '../../conformance/clock.ts'
import { type Deploys, deploy } from '../typed/support/deploys.ts'
import { type Life, expectedOf, live } from './support/life.ts'

/** What both rooms do on a storage. */
interface Time {
  live(): Promise<Life>
  deploy(): Promise<Deploys>
}

let server: RedisServer
let worker: Worker
let page: Context
beforeAll(async () => {
  ;[server, worker, page] = await Promise.all([
    startRedis(),
    startWorker('test/durable-object/workers/time.ts', { QUEUE: 'SuiteObject' }),
    bundle('test/browser/pages/time.ts').then((script) => chromiumPage(script, 'time')),
  ])
})
afterAll(() => Promise.all([server?.stop(), worker?.close(), page?.close()]))

function here({ create }: ConformanceFactory): Time {
  const on = async <T>(run: (...on: Parameters<typeof live>) => Promise<T>): Promise<T> => {
    const clock = new ManualClock()
    const { adapter, destroy } = await create({ clock })
    try {
      return await run(adapter, clock)
    } finally {
      await destroy()
    }
  }
  return {
    live: () => on((adapter, clock) => live(adapter, clock)),
    deploy: () => on((adapter, clock) => deploy(adapter, clock)),
  }
}

const elsewhere = (call: (verb: string) => Promise<unknown>): Time => ({
  live: () => call('live') as Promise<Life>,
  deploy: () => call('deploy') as Promise<Deploys>,
})

const onRedis = redisFactory({ server: () => server, client: 'redis' })

const STORAGES: Readonly<Record<string, () => Time>> = {
  memory: () => here(memoryFactory()),
  fs: () => here(fsFactory({ durability: 'os' })),
  redis: () => here(onRedis),
  'cloudflare-kv': () => here(kvFactory((clock) => new ModelKV(clock).place())),
  'durable-object': () => elsewhere((verb) => worker.call(`${verb}/1`)),
  'durable-object in 3 shards': () => elsewhere((verb) => worker.call(`${verb}/3`)),
  'indexeddb in Chromium': () => elsewhere((verb) => page.call('time', verb)),
}

describe.each(Object.keys(STORAGES))('on %s', (name) => {
  test('each instant is sent once, whoever dies, and what is changed or removed is not', async () => {
    const { from, ids, payloads, listed } = await STORAGES[name]!().live()
    expect(payloads).toEqual(expectedOf(from))
    expect(ids).toHaveLength(Object.keys(expectedOf(from)).length)
    expect(listed).toEqual(['changed', 'hourly', 'nightly'])
  })

  test('two releases side by side read what both have written, and nothing dies', async () => {
    const { sent, seen, dead, left } = await STORAGES[name]!().deploy()
    expect({ seen: seen.length, dead, left }).toEqual({ seen: sent, dead: 0, left: 0 })
    const by = (what: RegExp): string[] => seen.filter((one) => what.test(one)).map((one) => one.slice(0, 5))
    expect(by(/bye/)).toEqual(Array(4).fill('older'))
    expect(by(/"fr"|: \d$/)).toEqual(Array(8).fill('newer'))
    const old = seen.filter((one) => one.includes('"old '))
    expect(old.filter((one) => one.startsWith('newer') !== one.includes('"language":"en"'))).toEqual([])
  })
})
