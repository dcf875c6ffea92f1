// What becomes of a send whose request or answer is lost, refused or late, and what errors tell.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RedisHttpAdapter } from '../../adapters/redis-http/index.ts'
import { type ErrorCode, Queue } from '../../src/index.ts'
import type { ClaimResult } from '../../src/storage.ts'
import { freePort } from '../redis/support/ports.ts'
import { expectCode } from '../support/set-up.ts'
import type { Fault } from './support/front.ts'
import { overHttp } from './support/over-http.ts'

const http = overHttp()

function openQueue(adapter: RedisHttpAdapter = http.adapter()): Queue<string> {
  const queue = new Queue<string>('q', { storage: adapter })
  onTestFinished(() => queue.close())
  return queue
}

async function payloadsOf(queue: Queue<string>): Promise<string[]> {
  return (await queue.list({ limit: 100 })).messages.map(({ payload }) => payload!)
}

async function claimed(): Promise<ClaimResult> {
  const view = await http.adapter().open('q')
  await view.append([{ body: '1' }], { batchId: crypto.randomUUID() })
  return await view.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 4 })
}

describe('a send', () => {
  test.each<[string, Fault, ErrorCode, string, stored: number]>([
    ['whose request is lost', 'drop before', 'STORAGE_FAILED', 'unknown', 0],
    ['whose answer is lost', 'drop after', 'STORAGE_FAILED', 'unknown', 1],
    ['whose answer ends in its middle', 'cut', 'STORAGE_FAILED', 'unknown', 1],
    ['that is too much', { status: 429 }, 'STORAGE_UNAVAILABLE', 'too many requests', 0],
    ['that is larger than a proxy takes', { status: 413, text: 'too large' }, 'TOO_LARGE', 'larger than', 0],
    ['that fails', { status: 500 }, 'STORAGE_FAILED', 'unknown', 0],
    ['behind a gateway that gave up', { status: 504, text: '<html>' }, 'STORAGE_FAILED', 'unknown', 0],
    ['on a proxy that gave up', { status: 408, text: '' }, 'STORAGE_FAILED', 'unknown', 0],
    [
      'to a server that loads its data',
      { status: 503, text: '{"error":"LOADING Redis is loading"}' },
      'STORAGE_UNAVAILABLE',
      'loading',
      0,
    ],
    [
      'to a service whose commands are used up',
      { status: 400, text: '{"error":"ERR max requests limit exceeded. Limit: 500000"}' },
      'STORAGE_UNAVAILABLE',
      'used up',
      0,
    ],
    [
      'to a full database',
      { status: 400, text: '{"error":"ERR DB capacity quota exceeded"}' },
      'QUOTA_EXCEEDED',
      'full',
      0,
    ],
    [
      'with a token that may only read',
      { status: 400, text: '{"error":"NOPERM this user has no permissions to run the \'evalsha\' command"}' },
      'STORAGE_UNAVAILABLE',
      'token',
      0,
    ],
    ['to another kind of server', { status: 404, text: 'not found' }, 'STORAGE_UNAVAILABLE', 'url', 0],
    ['to a page', { status: 200, text: '<html></html>' }, 'STORAGE_FAILED', 'unknown', 0],
    [
      'that is sent elsewhere',
      { status: 307, text: '', location: '/elsewhere' },
      'STORAGE_UNAVAILABLE',
      'url',
      0,
    ],
  ])('%s', async (_, fault, code, text, stored) => {
    const queue = openQueue()
    const producer = queue.createProducer()
    await producer.send('before')
    http.front.faults.push(fault)
    const error = await expectCode(producer.send('this'), code, 'append: ', text)
    for (let one: unknown = error; one instanceof Error; one = one.cause)
      expect(`${one.message}${one.stack}`).not.toContain(http.front.token)
    expect(await payloadsOf(queue)).toEqual(['before', ...Array<string>(stored).fill('this')])
  })

  test('whose answer never comes ends in time', async () => {
    const queue = openQueue()
    await queue.createProducer().send('before')
    const hasty = openQueue(http.adapter({ timeoutMs: 300 }))
    http.front.faults.push('silence')
    await expectCode(hasty.createProducer().send('this'), 'STORAGE_FAILED', '300 ms', 'timeoutMs', 'unknown')
    expect(await payloadsOf(queue)).toEqual(['before', 'this'])
  })

  test.each<Fault>(['drop before', 'drop after', 'cut'])('with an id is stored once: %s', async (fault) => {
    const queue = openQueue()
    const producer = queue.createProducer()
    await producer.send('before')
    http.front.faults.push(fault)
    const options = { id: 'order-1', dedupeMs: 60_000 }
    await expectCode(producer.send('this', options), 'STORAGE_FAILED')
    const { status } = await producer.send('this', options)
    expect(status).toBe(fault === 'drop before' ? 'stored' : 'duplicate')
    expect(await payloadsOf(queue)).toEqual(['before', 'this'])
  })

  test('larger than the service takes is refused, and those beside it are stored', async () => {
    const queue = openQueue()
    const producer = queue.createProducer()
    await producer.send('before')
    http.front.maxBytes = 5000
    const sent = await Promise.allSettled(
      ['x'.repeat(3000), 'y'.repeat(9000), 'z'.repeat(3000)].map((text) => producer.send(text)),
    )
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    await expectCode(producer.send('y'.repeat(9000)), 'TOO_LARGE', 'larger than', '5000 bytes')
    expect((await payloadsOf(queue)).map((text) => text[0])).toEqual(['b', 'x', 'z'])
  })
})

test('a claim whose answer is lost is given out again when its lease ends, and no ack of before settles it', async () => {
  const queue = openQueue()
  await queue.createProducer().send('this')
  const storage = await http.adapter().open('q')
  const claim = { group: 'default', limit: 10, leaseMs: 1000, maxAttempts: 5, from: 'earliest' } as const
  http.front.faults.push('drop after')
  await storage.claim(claim).catch(() => undefined)
  await storage.claim(claim)
  await expect
    .poll(async () => (await storage.claim(claim)).deliveries.map(({ attempt }) => attempt))
    .toEqual([2])
})

test('a service that is not there was sent nothing', async () => {
  const refused = http.adapter({ url: `http://127.0.0.1:${await freePort()}` })
  await expectCode(openQueue(refused).createProducer().send('a'), 'STORAGE_UNAVAILABLE', 'cannot be reached')
  const unknown = http.adapter({ url: 'http://quayside.invalid' })
  await expectCode(openQueue(unknown).createProducer().send('a'), 'STORAGE_UNAVAILABLE', 'cannot be reached')
})

test('a wrong token is told of, and not told', async () => {
  const token = 'hunter2hunter2'
  const error = await expectCode(
    openQueue(http.adapter({ token })).createProducer().send('a'),
    'STORAGE_UNAVAILABLE',
    'token',
    '401',
  )
  for (let one: unknown = error; one instanceof Error; one = one.cause)
    expect(`${one.message}${one.stack}`).not.toContain(token)
})

test('a service that repeats the token in what it says does not get it into an error', async () => {
  http.front.faults.push({ status: 500, text: JSON.stringify({ error: `ERR no ${http.front.token}` }) })
  const error = await expectCode(openQueue().createProducer().send('a'), 'STORAGE_FAILED', 'ERR no …')
  expect(error.message).not.toContain(http.front.token)
})

test('a service that does not know Upstash-Encoding is found out', async () => {
  const raw = createServer((_, response) => response.end(JSON.stringify({ result: ['{"é"', 1, 1] })))
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void raw.close())
  const url = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`
  await expectCode(
    openQueue(http.adapter({ url })).createProducer().send('a'),
    'STORAGE_FAILED',
    'Upstash-Encoding',
  )
})

test.each(
  [null, 0, 'T0s=', [], [1], [null, null, null, null, null, null], {}, true].map((result) => ({ result })),
)('a service that answers %j, as no script does, is found out by each verb', async ({ result }) => {
  const strange: typeof fetch = () => Promise.resolve(Response.json({ result }))
  const storage = http.adapter({ fetch: strange })
  const view = await storage.open('q')
  const { receipt } = (await claimed()).deliveries[0]!
  const calls: [string, () => Promise<unknown>][] = [
    ['append', () => view.append([{ body: '1' }], { batchId: crypto.randomUUID() })],
    ['claim', () => view.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 4 })],
    ['list', () => view.list({ group: 'g', limit: 10 })],
    ['lanes', () => view.lanes({ group: 'g', limit: 10 })],
  ]
  if (typeof result !== 'string')
    calls.push(
      ['stats', () => view.stats()],
      ['settle', () => view.settle('g', [{ receipt, kind: 'ack' }])],
      ['cancel', () => view.cancel(['a'])],
      ['retryNow', () => view.retryNow('g', ['a'])],
      ['resume', () => view.resume(['a'])],
    )
  if (result !== null) calls.push(['hold', () => view.hold({})])
  if (result !== 0) calls.push(['purge', () => view.purge()], ['release', () => view.release({})])
  for (const [verb, call] of calls)
    await expectCode(call, 'STORAGE_FAILED', `${verb}: `, 'no answer of a script', 'unknown')
  await storage.close()
})

describe('an adapter', () => {
  const good = { url: 'https://a.upstash.io', token: 'secret-token' }
  test.each<[string, unknown, unknown, ...string[]]>([
    ['without anything', undefined, undefined, '{ url, token }'],
    ['with a url alone', 'https://user:secret-token@host', undefined, '{ url, token }', 'string'],
    [
      'with a client of another make',
      { evalsha: () => 0, client: { baseUrl: good.url } },
      undefined,
      '{ url, token }',
    ],
    [
      'with a client that has no token',
      { evalsha: () => 0, client: { baseUrl: good.url, headers: { authorization: 'Basic secret-token' } } },
      undefined,
      '@upstash/redis',
    ],
    [
      'with a client whose variables are not set',
      { evalsha: () => 0, client: { baseUrl: '', headers: { authorization: 'Bearer secret-token' } } },
      undefined,
      'url',
      'empty',
    ],
    [
      'with variables that are not set',
      { url: undefined, token: undefined },
      undefined,
      'url',
      'is the variable set?',
    ],
    ['with an empty token', { ...good, token: '' }, undefined, 'token', 'empty'],
    ['with a token that has a line end', { ...good, token: 'secret-token\n' }, undefined, 'token', 'spaces'],
    [
      'with a url for sockets',
      { ...good, url: 'rediss://default:secret-token@host:6379' },
      undefined,
      'url',
      'rediss://',
    ],
    ['with a password in its url', { ...good, url: 'https://default:secret-token@host' }, undefined, 'url'],
    ['with a timeout of nothing', { ...good, timeoutMs: 0 }, undefined, 'timeoutMs', '0'],
    ['with a fetch that is none', { ...good, fetch: 'node-fetch' }, undefined, 'fetch', 'string'],
    ['with an option that is not there', { ...good, tls: true }, undefined, '"tls"'],
    ['with a prefix in braces', good, { prefix: '{a}' }, 'new RedisHttpAdapter: prefix'],
  ])('%s is refused, and no secret is told', async (_, endpoint, options, ...texts) => {
    const make = (): unknown => new RedisHttpAdapter(endpoint as never, options as never)
    const error = await expectCode(make, 'INVALID_ARGUMENT', 'new RedisHttpAdapter', ...texts)
    expect(error.message).not.toContain('secret')
  })
})
