// Queues over HTTP as their users see them: what verbs cost, together with sockets, and what is behind the service.
import { Redis } from '@upstash/redis'
import * as fc from '../support/fast-check.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RedisHttpAdapter } from '../../adapters/redis-http/index.ts'
import { toWire } from '../../adapters/redis-http/wire.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { SCRIPTS } from '../../adapters/redis/scripts.ts'
import { uuid } from '../../src/message-id.ts'
import { Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'
import { overHttp } from './support/over-http.ts'

const http = overHttp()

const CLAIM = { group: 'g', limit: 100, leaseMs: 60_000, maxAttempts: 5, from: 'earliest' } as const

/** What the service is asked for meanwhile. */
async function commandsOf(run: () => Promise<unknown>): Promise<string[]> {
  const { length } = http.front.commands
  await run()
  return http.front.commands.slice(length)
}

test('the REST API of these tests is one that the client of Upstash takes', async () => {
  const redis = new Redis({ url: http.front.url, token: http.front.token, enableAutoPipelining: false })
  expect(await redis.set('k', 'ü')).toBe('OK')
  expect(await redis.get('k')).toBe('ü')
  await expect(redis.evalsha('0'.repeat(40), [], [])).rejects.toThrow('NOSCRIPT')
  expect(await redis.eval('return { ARGV[1], 2, false }', [], ['b'])).toEqual(['b', 2, null])
})

describe('bytes on their way to a script', () => {
  test('come as they are', async () => {
    const { url, token } = http.front
    // A script that does with its arguments what each of ours does first.
    const end = SCRIPTS.tidy.text.search(/^local \w+=false$/m)
    expect(end).toBeGreaterThan(0)
    const head = SCRIPTS.tidy.text.slice(0, end)
    const echo = `${head}\nreturn ARGV[2]`
    const sent = async (argument: string | Uint8Array): Promise<string> => {
      const command = ['eval', echo, '1', '{p:q}:state', '1 0t', argument].map((one) => toWire(one))
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'upstash-encoding': 'base64' },
        body: JSON.stringify(command),
      })
      return ((await response.json()) as { result: string }).result
    }
    const unit = fc.constantFrom(
      'a',
      '\0',
      '"',
      'ü',
      '€',
      '😀',
      '\u{F77F}',
      '\u{F780}',
      '\u{F7BF}',
      '\u{F7FF}',
      '\u{F800}',
      '\uFFFD',
      '\uFEFF',
    )
    const edge = fc.constantFrom(0, 0x7f, 0x80, 0x9e, 0x9f, 0xbf, 0xc0, 0xef, 0xf0, 0xff)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(edge, { maxLength: 30 }).map((all) => Uint8Array.from(all)),
      // Texts that are cut somewhere.
      fc
        .tuple(fc.string({ unit, maxLength: 20 }), fc.nat(5))
        .map(([text, cut]) => new TextEncoder().encode(text).slice(cut)),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (all) => {
        expect(await sent(all)).toBe(Buffer.from(all).toString('base64'))
      }),
      { numRuns: 300 },
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, maxLength: 20 }), async (text) => {
        expect(await sent(text)).toBe(Buffer.from(text).toString('base64'))
      }),
      { numRuns: 100 },
    )
  })

  test('of text are no longer than JSON makes them', () => {
    const text = 'Grüße 😀 €'
    expect(toWire(new TextEncoder().encode(text))).toBe(text)
  })
})

test('every verb is one request, once the server knows its script', async () => {
  const storage = http.adapter()
  const queue = await storage.open('q')
  const append = (count = 1): Promise<unknown> =>
    queue.append(
      Array.from({ length: count }, () => ({ body: 'a' })),
      { batchId: uuid() },
    )
  expect(await commandsOf(() => append())).toEqual(['evalsha', 'eval'])
  expect(await commandsOf(() => append())).toEqual(['evalsha'])
  expect(await commandsOf(() => append(100))).toEqual(['evalsha'])
  let { deliveries } = await queue.claim(CLAIM)
  expect(deliveries).toHaveLength(100)
  const settle = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
  expect(await commandsOf(async () => ({ deliveries } = await queue.claim({ ...CLAIM, settle })))).toEqual([
    'evalsha',
  ])
  expect(deliveries).toHaveLength(2)
  const verbs: Record<string, () => Promise<unknown>> = {
    settle: () => queue.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'ack' }]),
    list: () => queue.list({ group: 'g', limit: 10 }),
    stats: () => queue.stats(),
    cancel: () => queue.cancel(['x']),
    retryNow: () => queue.retryNow('g', ['x']),
    results: () => queue.results('g', ['x']),
    purge: () => queue.purge(),
    delete: () => queue.delete(),
  }
  for (const verb of Object.values(verbs)) await verb()
  await append()
  for (const [name, verb] of Object.entries(verbs))
    expect([name, await commandsOf(verb)]).toEqual([name, ['evalsha']])
  // Opening and closing ask for nothing; names are looked for a thousand keys at a time.
  expect(await commandsOf(async () => await (await http.adapter().open('q')).close())).toEqual([])
  expect(await commandsOf(() => storage.queues())).toEqual(['scan'])
})

test('a handler that drains a queue settles with what it claims', async () => {
  const queue = new Queue<number>('q', { storage: http.adapter() })
  onTestFinished(() => queue.close())
  await queue.createProducer().sendBatch(Array.from({ length: 100 }, (_, i) => ({ payload: i })))
  const consumer = queue.createConsumer('g')
  const seen: number[] = []
  await consumer.drain(({ payload }) => void seen.push(payload), { concurrency: 100 })
  await queue.createProducer().sendBatch(Array.from({ length: 100 }, (_, i) => ({ payload: i })))
  const asked = await commandsOf(() =>
    consumer.drain(({ payload }) => void seen.push(payload), { concurrency: 100 }),
  )
  expect(seen).toHaveLength(200)
  expect(asked.length).toBeLessThanOrEqual(3)
})

test('sockets and requests share a queue: what one sends the other receives, leases are exact, sockets wake', async () => {
  const bySocket = new Queue<string>('q', { storage: new RedisAdapter(http.connected.client) })
  const byRequest = new Queue<string>('q', { storage: http.adapter() })
  onTestFinished(async () => void (await Promise.all([bySocket.close(), byRequest.close()])))
  const [there, here] = [bySocket.createConsumer('g'), byRequest.createConsumer('g')]
  await Promise.all([there.join(), here.join()])
  const waiting = there.receive({ waitMs: 45_000 })
  await byRequest.createProducer().send('by request: ü\0', { headers: { 'x-kind': 'ü' } })
  const message = await waiting
  expect(message).toMatchObject({ payload: 'by request: ü\0', headers: { 'x-kind': 'ü' } })
  // It is leased there, so nobody here gets it; what is settled there is stale here.
  expect(await here.receiveBatch(10)).toEqual([])
  await message!.ack()
  await bySocket.createProducer().sendBatch(Array.from({ length: 60 }, (_, i) => ({ payload: `${i}` })))
  const [one, two] = await Promise.all([there.receiveBatch(30), here.receiveBatch(30)])
  const payloads = [...one, ...two].map(({ payload }) => payload)
  expect(new Set(payloads).size).toBe(60)
  await Promise.all([there.ackBatch(one), here.ackBatch(two)])
  expect(await byRequest.stats()).toMatchObject({ messages: 0, groups: { g: { acked: 61, leased: 0 } } })
  expect(await http.adapter().queues()).toEqual(['q'])
})

test('a consumer that waits looks by itself', async () => {
  const queue = new Queue<string>('q', { storage: http.adapter() })
  onTestFinished(() => queue.close())
  const waiting = queue.createConsumer('g').receive({ waitMs: 45_000 })
  await new Queue<string>('q', { storage: http.adapter() }).createProducer().send('a')
  expect((await waiting)?.payload).toBe('a')
  expect((await http.adapter().open('q')).watch).toBeUndefined()
})

describe('a server that evicts', () => {
  test('is found by the first append, which stores nothing, and costs no request', async () => {
    const set = (policy: string, limit: string): Promise<unknown> =>
      http.connected.command('CONFIG', 'SET', 'maxmemory-policy', policy, 'maxmemory', limit)
    onTestFinished(async () => void (await set('noeviction', '0')))
    await set('allkeys-lru', '100mb')
    const queue = await http.adapter().open('q')
    const append = (): Promise<unknown> => queue.append([{ body: 'a' }], { batchId: uuid() })
    await expectCode(append(), 'STORAGE_UNAVAILABLE', 'allkeys-lru', 'noeviction')
    await expectCode(append(), 'STORAGE_UNAVAILABLE', 'allkeys-lru')
    expect((await queue.stats()).messages).toBe(0)
    await set('allkeys-lru', '0')
    expect(await commandsOf(append)).toEqual(['evalsha'])
    await set('volatile-lru', '100mb')
    await (await http.adapter().open('q')).append([{ body: 'a' }], { batchId: uuid() })
    expect((await queue.stats()).messages).toBe(2)
  })

  test('and does not let scripts ask is used', async () => {
    const { command } = http.connected
    await command('ACL', 'SETUSER', 'default', '-info')
    onTestFinished(async () => void (await command('ACL', 'SETUSER', 'default', '+@all')))
    const queue = await http.adapter().open('q')
    expect(await queue.append([{ body: 'a' }], { batchId: uuid() })).toMatchObject([{ status: 'stored' }])
  })
})

test('a server that has forgotten its scripts is told them again', async () => {
  const queue = new Queue<string>('q', { storage: http.adapter() })
  onTestFinished(() => queue.close())
  const producer = queue.createProducer()
  await producer.send('a')
  await http.connected.command('SCRIPT', 'FLUSH')
  expect(await commandsOf(() => producer.send('b'))).toEqual(['evalsha', 'eval'])
  expect((await queue.stats()).messages).toBe(2)
})

test('a fetch of the caller is used, and called without an owner', async () => {
  const urls: string[] = []
  const queue = new Queue<string>('q', {
    storage: http.adapter({
      fetch(this: unknown, ...args: Parameters<typeof fetch>) {
        expect(this).toBeUndefined()
        urls.push(args[0] as string)
        return fetch(...args)
      },
    }),
  })
  onTestFinished(() => queue.close())
  await queue.createProducer().send('a')
  expect(new Set(urls)).toEqual(new Set([http.front.url]))
})

test('a client of Upstash says where its server is, and bytes stay what they are', async () => {
  const { url, token } = http.front
  const storage = new RedisHttpAdapter(new Redis({ url, token }))
  const queue = new Queue<Uint8Array>('of a client', { storage })
  onTestFinished(() => queue.close())
  const payload = Uint8Array.from({ length: 256 }, (_, i) => i)
  await queue.createProducer().send(payload)
  const there = new Queue<Uint8Array>('of a client', { storage: http.adapter() })
  onTestFinished(() => there.close())
  expect((await there.createConsumer().receive())?.payload).toEqual(payload)
})
