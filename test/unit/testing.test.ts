import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { FakeDestination, ManualClock, expectSent, idle, recordSent } from '../../src/testing/index.ts'
import { defer, expectCode, isPending, thrownBy } from '../support/set-up.ts'
import { settle } from '../support/settle.ts'

function open<T>(clock?: ManualClock): Queue<T> {
  const queue = new Queue<T>('orders', { clock })
  onTestFinished(() => queue.close({ graceMs: 0 }))
  return queue
}

describe('ManualClock', () => {
  test('timers have as long to go as before once it is set back, and are due once it is set forward', async () => {
    const clock = new ManualClock()
    const rung: number[] = []
    for (const ms of [1000, 2000]) clock.setTimeout(() => rung.push(ms), ms)
    clock.jump(-3_600_000)
    await clock.advance(999)
    expect(rung).toEqual([])
    await clock.advance(1)
    expect(rung).toEqual([1000])
    clock.jump(3_600_000)
    expect(rung).toEqual([1000])
    await clock.advance(0)
    expect(rung).toEqual([1000, 2000])
  })
})

describe('idle', () => {
  test('waits until what is ready was worked on, and what handlers sent as well', async () => {
    const queue = open<number>()
    const producer = queue.createProducer()
    const done: number[] = []
    const stop = new AbortController()
    const running = queue.createConsumer().run(
      async ({ payload }) => {
        await settle()
        if (payload < 20) await producer.send(payload + 1)
        done.push(payload)
      },
      { signal: stop.signal },
    )
    await producer.send(1)
    await idle(queue, { withinMs: 45_000 })
    expect(done).toHaveLength(20)
    stop.abort()
    await running
  })

  test('waits while a handler is at work', async () => {
    const queue = open<string>()
    const { promise, resolve } = defer()
    await queue.createProducer().send('x')
    const drained = queue.createConsumer().drain(() => promise)
    const waiting = idle(queue, { withinMs: 45_000 })
    expect(await isPending(waiting)).toBe(true)
    resolve()
    await waiting
    expect((await drained).acked).toBe(1)
  })

  test('does not wait for what is delayed, retried, parked or dead, nor for a clock that stands still', async () => {
    const queue = open<string>(new ManualClock())
    const consumer = queue.createConsumer()
    await queue.createProducer().sendBatch(['retry', 'park', 'dead'].map((payload) => ({ payload })))
    await queue.createProducer().send('later', { delayMs: 1000 })
    const [retried, parked, dead] = await consumer.receiveBatch(3)
    await retried!.nack({ delayMs: 1000 })
    await parked!.park({ reason: 'a fix' })
    await dead!.reject()
    await idle(queue, { withinMs: 45_000 })
    const { delayed, parked: waits, dead: gone } = (await queue.stats()).groups['default']!
    expect([delayed, waits, gone]).toEqual([2, 1, 1])
  })

  test('waits for a first group, where there is none', async () => {
    const queue = open<string>()
    const producer = queue.createProducer()
    await producer.send('later', { delayMs: 60_000 })
    await idle(queue, { withinMs: 45_000 })
    await producer.send('x')
    await expectCode(idle(queue, { withinMs: 1 }), 'TIMEOUT', 'messages that wait for a first group')
    const waiting = idle(queue, { withinMs: 45_000 })
    await queue.createConsumer().drain(() => undefined)
    await waiting
  })

  test('works under fake timers of a test runner', async () => {
    const queue = open<string>()
    await queue.createProducer().send('x')
    await queue.createConsumer().drain(() => undefined)
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    await idle(queue, { withinMs: 45_000 })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('says what is left, by group, and looks only at those that it is told', async () => {
    const queue = open<string>()
    queue.createConsumer('billing')
    queue.createConsumer('stock')
    await queue.createProducer().sendBatch([{ payload: 'a' }, { payload: 'b' }])
    await queue.hold({ group: 'stock' })
    const texts = ["'orders'", 'billing: 2 ready, 0 leased', 'stock: 2 ready', '1 holds', '20 ms']
    await expectCode(idle(queue, { withinMs: 20 }), 'TIMEOUT', ...texts)
    await queue.createConsumer('billing').drain(() => undefined)
    await idle(queue, { groups: ['billing'], withinMs: 45_000 })
  })

  test('refuses options that are none', async () => {
    const queue = open<string>()
    await expectCode(idle(queue, { withinMs: 0 }), 'INVALID_ARGUMENT', 'withinMs')
    await expectCode(idle(queue, { groups: [''] }), 'INVALID_ARGUMENT', 'groups')
    await expectCode(idle(queue, { within: 1 } as never), 'INVALID_ARGUMENT', 'within')
  })
})

describe('recordSent', () => {
  test('notes what was stored, with its options and its id, and the queue works as ever', async () => {
    const queue = open<{ n: number }>()
    const sent = recordSent(queue)
    const producer = queue.createProducer()
    const { id } = await producer.send({ n: 1 }, { key: 'k', headers: { a: 'b' } })
    await producer.sendBatch([
      { payload: { n: 2 }, lane: 'l' },
      { payload: { n: 3 }, id: 'three' },
    ])
    await queue.createProducer().send({ n: 4 }, { id: 'three' })
    expect(sent).toMatchObject([
      { payload: { n: 1 }, key: 'k', headers: { a: 'b' }, id, status: 'stored' },
      { payload: { n: 2 }, lane: 'l', status: 'stored' },
      { payload: { n: 3 }, id: 'three', status: 'stored' },
      { payload: { n: 4 }, id: 'three', status: 'duplicate' },
    ])
    expect((await queue.createConsumer().drain(() => undefined)).acked).toBe(3)
  })

  test('notes nothing of what was refused', async () => {
    const queue = open<unknown>()
    const sent = recordSent(queue)
    await expectCode(queue.createProducer().send(new Map()), 'UNSERIALIZABLE')
    await expectCode(queue.createProducer().sendBatch([{ payload: 1n }]), 'UNSERIALIZABLE')
    expect(sent).toEqual([])
  })
})

describe('expectSent', () => {
  const list = [
    { payload: { to: 'ada', tags: ['a', 'b'], at: new Date(5) }, key: 'x' },
    { payload: { to: 'bob', tags: [], at: new Date(6) }, key: undefined },
  ]

  test.each([
    [{ key: 'x' }, 0],
    [{ payload: { to: 'bob' } }, 1],
    [{ payload: { to: /^a/ } }, 0],
    [{ payload: { tags: ['a', 'b'] } }, 0],
    [{ payload: { at: new Date(6) } }, 1],
    [{ key: undefined }, 1],
    [{ payload: ({ to }: { to: string }) => to === 'bob' }, 1],
    [(one: { key: string | undefined }) => one.key === undefined, 1],
    [list[1]!, 1],
  ])('finds %o', (pattern, index) => {
    expect(expectSent(list, pattern as never)).toBe(list[index])
    expect(expectSent(list, pattern as never, 1)).toBe(list[index])
  })

  test.each([
    { key: 'y' },
    { payload: { to: /^A/ } },
    { payload: { tags: ['a'] } },
    { payload: { at: new Date(7) } },
    { payload: { to: { length: 3 } } },
    { payload: { missing: 1 } },
    { payload: { tags: { 0: 'a', length: 1 } } },
    { payload: 'ada' },
    () => false,
  ])('does not find %o', async (pattern) => {
    expect(expectSent(list, pattern as never, 0)).toBeUndefined()
    const error = await thrownBy(() => expectSent(list, pattern as never))
    expect(error).toMatchObject({ name: 'AssertionError', message: expect.stringContaining('1. {"payload"') })
  })

  test('counts, where it is told how often', async () => {
    const error = await thrownBy(() => expectSent(list, { payload: { to: /./ } }, 1))
    expect(String(error)).toContain('exactly 1')
    expect(String(error)).toContain('of 2 there are 2')
    expectSent(list, { payload: { to: /./ } }, 2)
    await expectCode(() => expectSent(undefined as never, {}), 'INVALID_ARGUMENT', 'list')
  })

  test('compares bytes by their values', () => {
    const bytes = [{ payload: new Uint8Array([1, 2]) }]
    expectSent(bytes, { payload: new Uint8Array([1, 2]) })
    expectSent(bytes, { payload: new Uint8Array([1, 3]) }, 0)
    expectSent(bytes, { payload: new Uint8Array([1]) }, 0)
  })
})

describe('FakeDestination', () => {
  const url = 'https://api.example/notes?draft=1'

  test('answers by method, URL, path or RegExp, in turn, and with the last one from then on', async () => {
    const server = new FakeDestination()
      .answer(/example/, 418)
      .answer('/notes?draft=1', 503, 429, 201)
      .answer(`DELETE ${url}`, new Response('gone', { status: 410 }))
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await server.fetch(url, { method: 'POST' })).status)
    expect(statuses).toEqual([503, 429, 201, 201])
    for (let i = 0; i < 2; i++)
      expect(await (await server.fetch(new Request(url, { method: 'DELETE' }))).text()).toBe('gone')
    expect((await server.fetch('https://api.example/else')).status).toBe(418)
    expect((await server.fetch('https://other.test/')).status).toBe(200)
    server.answer(url, async (request) => Response.json({ got: await request.text() }))
    const echoed = await server.fetch(url, { method: 'POST', body: 'hello' })
    expect(await echoed.json()).toEqual({ got: 'hello' })
    expect(server.requests).toHaveLength(9)
    expectSent(server.requests, { method: 'POST', url, body: 'hello', answer: 200 }, 1)
  })

  test('refuses, hangs until it is released or aborted, and has no network', async () => {
    const server = new FakeDestination().answer('/a', 'refuse').answer('/b', 'hang')
    await expect(server.fetch('https://x.test/a')).rejects.toThrow(TypeError)
    const [first, stop] = [server.fetch('https://x.test/b'), new AbortController()]
    const second = server.fetch('https://x.test/b', { signal: stop.signal })
    expect(await isPending(first)).toBe(true)
    expectSent(server.requests, { answer: 'hang' }, 2)
    stop.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    expect(server.release(202)).toBe(1)
    expect((await first).status).toBe(202)
    expect(server.release()).toBe(0)
    const third = server.fetch('https://x.test/b')
    await settle()
    server.online = false
    await expect(third).rejects.toThrow(TypeError)
    await expect(server.fetch('https://x.test/c')).rejects.toThrow('no network')
    expect(server.isOnline()).toBe(false)
    server.online = true
    expect((await server.fetch('https://x.test/c')).status).toBe(200)
    expect(server.requests.map(({ answer }) => answer)).toEqual([
      'refuse',
      202,
      'hang',
      'refuse',
      'offline',
      200,
    ])
  })

  test('takes paths in any spelling, and expressions that are global', async () => {
    const server = new FakeDestination()
      .answer('/ä b?q=ö', 201)
      .answer('/up/../here', 202)
      .answer('https://X.test/other#part', 203)
      .answer(/every/g, 204)
    const statusOf = async (path: string): Promise<number> =>
      (await server.fetch(`https://x.test${path}`)).status
    expect(await statusOf('/ä b?q=ö')).toBe(201)
    expect(await statusOf('/here?')).toBe(202)
    expect(await statusOf('/other')).toBe(203)
    expect([await statusOf('/every'), await statusOf('/every')]).toEqual([204, 204])
    expect(await statusOf('/else')).toBe(200)
  })

  test('refuses answers that are none', async () => {
    for (const answer of [0, 199, 600, 200.5, 'no', undefined, {}])
      await expectCode(() => new FakeDestination().answer('/', answer as never), 'INVALID_ARGUMENT', 'answer')
    await expectCode(() => new FakeDestination().answer('/'), 'INVALID_ARGUMENT')
    for (const pattern of [
      'notes',
      'post /notes',
      'POST notes',
      'https://',
      'http:x',
      '',
      undefined,
      { url: '/notes' },
    ])
      await expectCode(
        () => new FakeDestination().answer(pattern as never, 200),
        'INVALID_ARGUMENT',
        'answer: a pattern must be a URL or a path',
      )
    await expectCode(() => new FakeDestination().release(1), 'INVALID_ARGUMENT')
  })

  test('tells a page that the network is back, so that an outbox sends at once', async () => {
    const scope = new EventTarget()
    for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent'] as const)
      vi.stubGlobal(name, scope[name].bind(scope))
    onTestFinished(() => void vi.unstubAllGlobals())
    const clock = new ManualClock()
    const server = new FakeDestination()
    const { fetch, isOnline } = server
    const queue = new Queue('outbox', { clock, storage: new MemoryAdapter({ clock }) })
    onTestFinished(() => queue.close())
    server.online = false
    const outbox = new Outbox(queue, { clock, fetch, isOnline })
    const stop = outbox.start()
    const response = await outbox.fetch(url, { method: 'POST', body: 'in a tunnel' })
    expect([response.status, response.headers.get('quayside-state')]).toEqual([202, 'retrying'])
    expectSent(server.requests, { answer: 'offline' }, server.requests.length)
    server.online = true
    await outbox.settled()
    expectSent(server.requests, { method: 'POST', url, body: 'in a tunnel', answer: 200 }, 1)
    await stop()
  })
})

test('a URL is one also where it is not written as servers see it', async () => {
  const server = new FakeDestination().answer('POST https://API.example', 503)
  expect((await server.fetch('https://api.example', { method: 'POST' })).status).toBe(503)
  expect((await server.fetch('https://api.example')).status).toBe(200)
})

test('an outbox tries again by a clock that is moved, with the same key', async () => {
  const clock = new ManualClock()
  const server = new FakeDestination().answer('POST /notes', 503, 'refuse', 201)
  const queue = new Queue('outbox', { clock })
  onTestFinished(() => queue.close())
  const outbox = new Outbox(queue, { clock, fetch: server.fetch })
  const stop = outbox.start()
  await outbox.store('https://api.example/notes', { method: 'POST', body: 'hello' })
  for (let i = 0; i < 3; i++) await clock.advance(60_000)
  expect(await outbox.size()).toBe(0)
  expect(server.requests.map(({ answer }) => answer)).toEqual([503, 'refuse', 201])
  expect(new Set(server.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  await stop()
})
