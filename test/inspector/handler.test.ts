import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import {
  type InspectorHandlerOptions,
  type Permission,
  inspectorHandler,
  nodeListener,
} from '../../inspector/server/index.ts'
import { fromWire, toWire } from '../../inspector/server/wire.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { type Codec, Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'

const PAGE = 'https://shop.example/admin/queues'

type Handler = (request: Request) => Promise<Response>

function setUp(permission: Permission = true, codec?: Codec<unknown>): { queue: Queue; handler: Handler } {
  const queue = new Queue('orders', { storage: new MemoryAdapter(), codec })
  onTestFinished(() => queue.close())
  return { queue, handler: inspectorHandler([queue], { allow: () => permission }) }
}

const OWN = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }

function post(handler: Handler, question: unknown, headers: Record<string, string> = OWN): Promise<Response> {
  return handler(new Request(PAGE, { method: 'POST', headers, body: JSON.stringify(question) }))
}

async function ask(
  handler: Handler,
  verb: string,
  ...args: readonly unknown[]
): Promise<{ status: number; value?: unknown; error?: { code: string; message: string } }> {
  const response = await post(handler, { queue: 'orders', verb, args })
  return { status: response.status, ...((await response.json()) as object) }
}

test('asks who is allowed, and cannot be made without', async () => {
  const { queue } = setUp()
  for (const options of [undefined, {}, { allow: true }]) {
    const make = (): unknown => inspectorHandler([queue], options as never)
    await expectCode(make, 'INVALID_ARGUMENT', 'inspectorHandler', 'allow')
  }
  await expectCode(
    () => inspectorHandler(queue as never, { allow: () => true }),
    'INVALID_ARGUMENT',
    'queues',
  )
  const broken: InspectorHandlerOptions['allow'][] = [
    () => false,
    () => Promise.resolve(false),
    () => undefined as never,
    () => 'yes' as never,
    () => Promise.reject(new Error('no sessions: redis://:secret@host')),
    () => {
      throw new Error('secret')
    },
  ]
  for (const allow of broken) {
    const handler = inspectorHandler([queue], { allow })
    for (const url of [PAGE, `${PAGE}?events`, `${PAGE}?script`]) {
      const response = await handler(new Request(url))
      expect(response.status).toBe(403)
      expect(await response.text()).not.toContain('secret')
    }
    expect((await post(handler, { queue: 'orders', verb: 'stats', args: [] })).status).toBe(403)
  }
})

test('refuses what another site causes, and every method that it has no use for', async () => {
  const { queue, handler } = setUp()
  await queue.createProducer().send(1, { id: 'a' })
  const question = { queue: 'orders', verb: 'cancel', args: [['a']] }
  const json = { 'content-type': 'application/json' }
  const foreign: Record<string, string>[] = [
    { ...json, 'sec-fetch-site': 'cross-site' },
    { ...json, 'sec-fetch-site': 'same-site' },
    { ...json, origin: 'https://evil.example' },
    { ...json, origin: 'null' },
    { ...json, origin: 'https://shop.example.evil.example' },
    { ...json, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  ]
  for (const headers of foreign) expect((await post(handler, question, headers)).status).toBe(403)
  // What a form can send.
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; application/json'])
    expect((await post(handler, question, { 'content-type': type })).status).toBe(415)
  for (const url of ['?events', '?script', '?style'])
    expect(
      (await handler(new Request(PAGE + url, { headers: { 'sec-fetch-site': 'cross-site' } }))).status,
    ).toBe(403)
  for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])
    expect((await handler(new Request(PAGE, { method }))).status).toBe(405)
  const query = new URLSearchParams({ queue: 'orders', verb: 'cancel', args: '[["a"]]' })
  expect((await handler(new Request(`${PAGE}?${query}`))).headers.get('content-type')).toContain('text/html')
  expect((await queue.list()).messages).toHaveLength(1)

  // A link in a mail leads to the page, behind a proxy that ends TLS too; who is no browser has no such headers.
  const navigation = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  expect((await handler(new Request(PAGE, { headers: navigation }))).status).toBe(200)
  expect((await post(handler, {}, { ...json, origin: 'http://shop.example' })).status).toBe(200)
  expect((await post(handler, question, json)).status).toBe(200)
  expect((await queue.list()).messages).toEqual([])
})

test('serves a page without anything inline', async () => {
  const { handler } = setUp()
  const page = await handler(new Request(PAGE))
  const csp = page.headers.get('content-security-policy')!
  expect(csp).toContain("default-src 'none'")
  expect(csp).toContain("frame-ancestors 'none'")
  expect(csp).not.toContain('unsafe')
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  const html = await page.text()
  expect(html).not.toMatch(/<style|<script>|\son\w+=|[^?]style=/)
  const [, script] = /src="(\?script=\w+)"/.exec(html)!
  const served = await handler(new Request(PAGE + script))
  expect(served.headers.get('content-type')).toContain('javascript')
  expect(await served.text()).toContain('quayside-inspector')
})

test('does all that a page asks, and says with the code of the queue what was wrong', async () => {
  const { queue, handler } = setUp()
  await queue.createProducer().sendBatch([
    { id: 'a', payload: { n: 1, $bytes: 'not bytes', $$: [1] } },
    { id: 'b', payload: new Uint8Array([0, 255, 7]) },
    { id: 'c', payload: 'parked', headers: { by: 'ada' } },
  ])
  const consumer = queue.createConsumer()
  for (const message of await consumer.receiveBatch(3)) {
    if (message.id === 'a') await message.nack({ delayMs: 60_000 })
    if (message.id === 'b') await message.reject({ reason: 'no' })
    if (message.id === 'c') await message.park({ reason: 'why' })
  }
  const listed = await ask(handler, 'list', { group: 'default', limit: 10 })
  const { messages } = fromWire(listed.value) as { messages: { id: string; payload: unknown }[] }
  expect(messages).toEqual(
    (await queue.list()).messages.map((one) => expect.objectContaining({ id: one.id, payload: one.payload })),
  )
  const dead = await ask(handler, 'deadLetters', 'default', { limit: 10 })
  expect(fromWire(dead.value)).toMatchObject({
    messages: [{ id: 'b', payload: new Uint8Array([0, 255, 7]) }],
  })
  const rest = { group: 'default', headers: { by: 'bob' } }
  expect((await ask(handler, 'edit', 'c', toWire({ $shown: 'x' }), rest)).value).toBe(true)
  const [edited] = (await queue.list({ ids: ['c'] })).messages
  expect(edited).toMatchObject({ state: 'ready', payload: { $shown: 'x' }, headers: { by: 'bob' } })
  expect((await ask(handler, 'retryNow', null, { group: 'default' })).value).toBe(1)
  expect((await ask(handler, 'redrive', 'default', ['b'])).value).toBe(1)
  expect((await ask(handler, 'hold', { group: 'default' })).status).toBe(200)
  expect((await queue.stats()).holds).toHaveLength(1)
  expect((await ask(handler, 'release', { group: 'default' })).value).toBe(true)
  expect((await ask(handler, 'cancel', ['a', 'nothing'])).value).toEqual([true, false])

  for (const [verb, ...args] of [
    ['cancel', 'a'],
    ['list', { limit: 0 }],
    ['hold', { forMs: -1 }],
    ['deadLetters', 7, {}],
    ['edit', '', {}, {}],
  ] as const) {
    const { status, error } = await ask(handler, verb, ...args)
    expect([status, error?.code], verb).toEqual([400, 'INVALID_ARGUMENT'])
  }
  for (const verb of ['purge', 'constructor', '__proto__', 'close', 'createConsumer'])
    expect((await ask(handler, verb)).status, verb).toBe(400)
  for (const question of [null, 7, 'text', { queue: 'orders' }, { queue: 'orders', verb: 'list', args: {} }])
    expect((await post(handler, question)).status).toBe(400)
  expect((await post(handler, { queue: 'mails', verb: 'stats', args: [] })).status).toBe(404)
  const long = new Request(PAGE, { method: 'POST', headers: OWN, body: `"${'x'.repeat(9 * 1024 * 1024)}"` })
  expect((await handler(long)).status).toBe(400)
})

test('lets who may only look change nothing', async () => {
  const { queue, handler } = setUp('read')
  await queue.createProducer().send(1, { id: 'a' })
  expect(await (await post(handler, {})).json()).toEqual({ value: { names: ['orders'], readOnly: true } })
  expect((await ask(handler, 'stats')).status).toBe(200)
  for (const verb of ['redrive', 'delete', 'cancel', 'retryNow', 'resume', 'edit', 'hold', 'release'])
    expect(await ask(handler, verb, ['a']), verb).toMatchObject({
      status: 403,
      error: { code: 'UNSUPPORTED' },
    })
  expect((await queue.list()).messages).toHaveLength(1)
})

test('tells nothing of a storage that fails, and shows what JSON has no word for', async () => {
  const codec: Codec<unknown> = {
    encode: JSON.stringify as (value: unknown) => string,
    decode: () => ({ big: 10n, at: new Date(0), map: new Map([[1, 2]]), no: NaN }),
  }
  const { queue, handler } = setUp(true, codec)
  await queue.createProducer().send(1)
  const { value } = await ask(handler, 'list', { limit: 5 })
  const { messages } = JSON.parse(JSON.stringify(fromWire(value))) as { messages: { payload: unknown }[] }
  expect(messages[0]!.payload).toEqual({
    big: '10',
    at: '1970-01-01T00:00:00.000Z',
    map: 'Map of 1 entries',
    no: 'NaN',
  })
  queue.stats = () => Promise.reject(new Error('connect ECONNREFUSED redis://:secret@host'))
  const failed = await post(handler, { queue: 'orders', verb: 'stats', args: [] })
  expect(failed.status).toBe(500)
  expect(await failed.text()).not.toMatch(/secret|REFUSED|host/)
})

test('through Node: a page, a call, and the news of a change, until who listens is gone', async () => {
  const { queue, handler } = setUp()
  let listeners = 0
  const watch = queue.watch.bind(queue)
  queue.watch = (listener) => {
    listeners++
    const unwatch = watch(listener)
    return () => {
      listeners--
      unwatch()
    }
  }
  const server = createServer(nodeListener(handler))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.close().closeAllConnections())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await (await fetch(origin)).text()).toContain('<nav')
  const call = await fetch(origin, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  expect(await call.json()).toEqual({ value: { names: ['orders'], readOnly: false } })

  const leave = new AbortController()
  const events = await fetch(`${origin}/?events`, { signal: leave.signal })
  expect(events.headers.get('content-type')).toBe('text/event-stream')
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
  await reader.read()
  expect(listeners).toBe(1)
  await queue.createProducer().send(1)
  let heard = ''
  while (!heard.includes('data: "orders"')) heard += (await reader.read()).value
  leave.abort()
  await expect.poll(() => listeners).toBe(0)
})
