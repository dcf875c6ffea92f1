import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxOptions, type OutboxRequestInit, storedRequest } from '../../src/outbox/index.ts'
import { defer, expectCode, expectEmpty, isPending, thrownBy } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { goOffline, idOf, setUpOutbox, stateOf } from './set-up.ts'

const POST = { method: 'POST', body: 'hello' }

describe('fetch answers', () => {
  test("with the server's own response, if it accepts at once; then nothing is left", async () => {
    const { origin, arrived } = await serve((response) =>
      response.writeHead(201, 'Made', { 'x-own': 'yes' }).end('{"id":7}'),
    )
    const { outbox, queue, events, told } = setUpOutbox()
    const response = await outbox.fetch(`${origin}/notes`, POST)
    expect(response).toMatchObject({ status: 201, statusText: 'Made', url: `${origin}/notes`, ok: true })
    expect(response.headers.get('x-own')).toBe('yes')
    expect(stateOf(response)).toBeNull()
    expect(await response.json()).toEqual({ id: 7 })
    expect(arrived).toMatchObject([{ method: 'POST', path: '/notes', body: Buffer.from('hello') }])
    expect((await queue.stats()).messages).toBe(0)
    await told('accepted')
    expect(events.map(({ type }) => type)).toEqual(['stored', 'sending', 'accepted'])
    expect(events[2]).toMatchObject({ status: 201, reason: undefined })
  })

  test('after it is stored, not before', async () => {
    const { outbox, queue } = setUpOutbox()
    const { origin } = await serve(async (response) => {
      const { messages } = await queue.list()
      response.end(JSON.stringify(messages.map(({ state, payload }) => [state, storedRequest(payload).body])))
    })
    expect(await (await outbox.fetch(origin, POST)).json()).toEqual([['leased', 'hello']])
  })

  test('202 with the id, if the server is in trouble; it is tried again', async () => {
    const { origin, arrived } = await serve(statuses(503, 200))
    const { outbox, queue, clock, told } = setUpOutbox()
    const stop = outbox.start()
    const response = await outbox.fetch(origin, POST)
    expect(response.status).toBe(202)
    expect(stateOf(response)).toBe('retrying')
    const { messages } = await queue.list()
    expect(messages).toMatchObject([
      { id: idOf(response), state: 'delayed', attempt: 1, lastError: 'HTTP 503: this is 503' },
    ])
    await clock.advance(499)
    expect(arrived.length).toBe(1)
    await clock.advance(1)
    expect(await told('accepted')).toMatchObject({ id: idOf(response), status: 200 })
    expect(arrived.map(({ headers }) => headers['idempotency-key'])).toEqual([idOf(response), idOf(response)])
    await stop()
  })

  test("with the server's refusal, and names the request, which is parked", async () => {
    const { origin } = await serve((response) =>
      response.writeHead(422, { 'content-type': 'text/plain' }).end('title is missing'),
    )
    const { outbox, queue, told } = setUpOutbox()
    const response = await outbox.fetch(origin, POST)
    expect(response.status).toBe(422)
    expect(response.headers.get('content-type')).toBe('text/plain')
    expect(stateOf(response)).toBe('parked')
    expect(await response.text()).toBe('title is missing')
    expect((await queue.list()).messages).toMatchObject([
      { id: idOf(response), state: 'parked', parked: { reason: 'HTTP 422: title is missing' }, attempt: 1 },
    ])
    expect(await told('parked')).toMatchObject({ status: 422, reason: 'HTTP 422: title is missing' })
  })

  test('a dead letter keeps the first 2 KB of the response', async () => {
    const { origin } = await serve((response) => response.writeHead(400).end('é'.repeat(5000)))
    const { outbox, queue } = setUpOutbox({ outcome: () => 'dead' })
    await outbox.fetch(origin, POST)
    const { messages } = await queue.deadLetters().list()
    expect(messages[0]!.lastError).toBe(`HTTP 400: ${'é'.repeat(1024)}`)
  })

  test('202 within answerWithinMs, if the server hangs; sending goes on', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end()))
    const { outbox, queue, clock, told } = setUpOutbox({ answerWithinMs: 3000 })
    const answer = outbox.fetch(origin, POST)
    await told('sending')
    await clock.advance(2999)
    expect(await isPending(answer)).toBe(true)
    await clock.advance(1)
    expect(stateOf(await answer)).toBe('sending')
    while (finish.length === 0) await clock.advance(0)
    finish[0]!()
    await told('accepted')
    expect((await queue.stats()).messages).toBe(0)
  })

  test('202 at once, if it is to be sent later', async () => {
    const { origin, arrived } = await serve()
    const { outbox, clock, told } = setUpOutbox()
    const stop = outbox.start()
    expect(stateOf(await outbox.fetch(origin, { ...POST, delayMs: 60_000 }))).toBe('stored')
    expect(arrived.length).toBe(0)
    await clock.advance(60_000)
    await told('accepted')
    await stop()
  })

  test('202 at once to a second request of the same id, which is not stored', async () => {
    const { origin, bodies } = await serve()
    const { outbox, queue } = setUpOutbox()
    outbox.pause()
    expect(stateOf(await outbox.fetch(origin, { ...POST, id: 'note-1' }))).toBe('stored')
    const second = await outbox.fetch(origin, { method: 'POST', body: 'again', id: 'note-1' })
    expect([second.status, stateOf(second), idOf(second)]).toEqual([202, 'duplicate', 'note-1'])
    expect((await queue.stats()).messages).toBe(1)
    await outbox.resume()
    await expect.poll(bodies).toEqual(['hello'])
  })

  test('whichever of two has the same id at the same time: the first', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox()
    const [first, second] = await Promise.all([
      outbox.fetch(origin, { ...POST, id: 'note-1' }),
      outbox.fetch(origin, { ...POST, id: 'note-1' }),
    ])
    expect([first.status, await first.text()]).toEqual([201, 'made'])
    expect([second.status, stateOf(second)]).toEqual([202, 'duplicate'])
    expect(arrived.length).toBe(1)
  })

  test('many at once, no more than four under way', async () => {
    const { origin, busy } = await serve((response) => setTimeout(() => response.end(), 5))
    const { outbox } = setUpOutbox()
    const stop = outbox.start()
    const all = await Promise.all(Array.from({ length: 40 }, () => outbox.fetch(origin, POST)))
    expect(all.every(({ status }) => status === 200)).toBe(true)
    expect(busy.most).toBe(4)
    await stop()
  })

  test('an id that is not ASCII, percent-encoded', async () => {
    const { origin, arrived } = await serve(statuses(503))
    const { outbox } = setUpOutbox()
    const response = await outbox.fetch(origin, { ...POST, id: 'Grüße/7' })
    expect(idOf(response)).toBe('Gr%C3%BC%C3%9Fe/7')
    expect(arrived[0]!.headers['idempotency-key']).toBe('Gr%C3%BC%C3%9Fe/7')
  })
})

describe('an abort', () => {
  test('before it is stored stores nothing', async () => {
    const { outbox, queue } = setUpOutbox()
    const reason = new Error('gone')
    const work = outbox.fetch('http://127.0.0.1:9', { ...POST, signal: AbortSignal.abort(reason) })
    expect(await thrownBy(work)).toBe(reason)
    await expectEmpty(queue)
  })

  test.each<[string, (body: ReadableStream) => [string | Request, RequestInit?]]>([
    ['that is given', (body) => ['http://127.0.0.1:9', { method: 'POST', body }]],
    [
      'of a request',
      (body) => [
        new Request('http://127.0.0.1:9', { method: 'POST', body, duplex: 'half' } as RequestInit),
        {},
      ],
    ],
  ])('while a body is read that stalls (%s) ends both, and stores nothing', async (_, make) => {
    const { outbox, queue } = setUpOutbox()
    const controller = new AbortController()
    const reading = defer()
    const ended = defer<unknown>()
    const body = new ReadableStream({
      pull: (stream) => {
        stream.enqueue(new Uint8Array(7))
        reading.resolve()
        return new Promise(() => {})
      },
      cancel: ended.resolve,
    })
    const [input, init] = make(body)
    const work = outbox.fetch(input, { ...init, signal: controller.signal })
    await reading.promise
    const reason = new Error('gone')
    controller.abort(reason)
    expect(await thrownBy(work)).toBe(reason)
    expect(await ended.promise).toBe(reason)
    await expectEmpty(queue)
  })

  test('while it is asked whose it is stores nothing', async () => {
    const controller = new AbortController()
    const reason = new Error('gone')
    const { outbox, queue } = setUpOutbox({
      owner: () => {
        controller.abort(reason)
        return 'ada'
      },
    })
    const work = outbox.store('http://127.0.0.1:9', { ...POST, signal: controller.signal })
    expect(await thrownBy(work)).toBe(reason)
    await expectEmpty(queue)
  })

  test('later ends the wait, and the request goes on', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end()))
    const { outbox, told } = setUpOutbox()
    const controller = new AbortController()
    const work = outbox.fetch(origin, { ...POST, signal: controller.signal })
    await told('sending')
    const reason = new Error('gone')
    controller.abort(reason)
    expect(await thrownBy(work)).toBe(reason)
    await expect.poll(() => finish.length).toBe(1)
    finish[0]!()
    await told('accepted')
  })
})

describe('store', () => {
  test('stores and does not wait; a drain sends it', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox()
    expect(await outbox.store(origin, { ...POST, id: 'a' })).toEqual({ id: 'a', status: 'stored' })
    expect(await outbox.size()).toBe(1)
    expect(arrived.length).toBe(0)
    expect(await outbox.drain()).toEqual({ acked: 1, retried: 0, dead: 0, parked: 0, returned: 0 })
    expect(arrived.length).toBe(1)
    expect(await outbox.size()).toBe(0)
  })
})

describe('what is no request is refused, and nothing is stored', () => {
  const post = (body: unknown): RequestInit => ({ method: 'POST', body: body as BodyInit })

  test.each<[string, () => [string, RequestInit?], string]>([
    ['a relative URL where there is no base', () => ['/notes'], 'this is no request'],
    ['another scheme', () => ['data:text/plain,hello'], 'only http and https'],
    ['a GET with a body', () => ['http://127.0.0.1:9', { body: 'x' }], 'this is no request'],
    ['an object as the body', () => ['http://127.0.0.1:9', post({ text: 'hello' })], 'JSON.stringify'],
    // Requests of the engines of apps know it, that of Node does not.
    ['a form without a tag of its kind', () => ['http://127.0.0.1:9', post(untaggedForm())], 'what kind'],
    ['an array as the body', () => ['http://127.0.0.1:9', post(['hello'])], 'JSON.stringify'],
    [
      'a stream of strings',
      () => ['http://127.0.0.1:9', { method: 'POST', body: stream('x') }],
      'Uint8Array',
    ],
  ])('%s', async (_, make, text) => {
    const { outbox, queue } = setUpOutbox()
    await expectCode(() => outbox.fetch(...make()), 'INVALID_ARGUMENT', 'outbox.fetch', text)
    await expectEmpty(queue)
  })

  test('options that the queue refuses', async () => {
    const { outbox, queue } = setUpOutbox()
    await expectCode(outbox.fetch('http://127.0.0.1:9', { delayMs: -1 }), 'INVALID_ARGUMENT', 'delayMs')
    await expectEmpty(queue)
  })

  test.each<[string, unknown, ...texts: string[]]>([
    ['no options', null, 'options must be an object', 'null'],
    ['a text', 'POST', 'options must be an object', '"POST"'],
    ['a Request, which would be sent without its body', new Request('http://a.example'), 'no Request'],
    ['a delay without its unit', { delay: 5 }, 'delayMs', 'not "delay"'],
    ['one in other letters', { delayMS: 5 }, 'not "delayMS"'],
    ['one that is misspelt', { id: 'a', dedupMs: 5 }, 'dedupeMs', 'not "dedupMs"'],
    ['a lane, which is its destination', { lane: 'a' }, 'not "lane"'],
    ['keepMs', { keepMs: 5 }, 'keepResponse', 'not "keepMs"'],
    ['keepResponse', { keepResponse: -1 }, 'keepResponse must be', '-1'],
    ['seeOther', { seeOther: true }, 'seeOther must be one of "accept"', 'true'],
    ['a text as meta', { meta: 'abc' }, 'meta must be a plain object', '"abc"'],
    [
      'Headers as meta, which would be empty',
      { meta: new Headers({ a: 'b' }) },
      'meta must be a plain object',
    ],
    ['replace without an id', { replace: true }, 'replace and dedupeMs need an id'],
    ['dedupeMs without an id', { dedupeMs: 5 }, 'replace and dedupeMs need an id'],
    ['what would wait for itself', { id: 'a', after: 'a' }, 'after must be the id of another request', '"a"'],
    ['a signal that is none', { signal: {} }, 'signal (an AbortSignal)', 'not an object'],
  ])('options of a request: %s', async (_, init, ...texts) => {
    const { outbox, queue } = setUpOutbox()
    for (const call of ['fetch', 'store'] as const) {
      const work = outbox[call]('http://127.0.0.1:9', init as OutboxRequestInit)
      await expectCode(work, 'INVALID_ARGUMENT', `outbox.${call}: `, ...texts)
    }
    await expectEmpty(queue)
  })

  test('options that some runtime has for its fetch pass', async () => {
    const { outbox } = setUpOutbox()
    const init = {
      replace: false,
      dedupeMs: 0,
      cf: {},
      next: { revalidate: 5 },
      dispatcher: undefined,
      timeout: 5,
      keepalive: true,
    }
    expect(await outbox.store('http://127.0.0.1:9', init)).toMatchObject({ status: 'stored' })
  })

  test.each<[string, unknown]>([
    ['an unknown option', { retries: 3 }],
    ['concurrency', { concurrency: 0 }],
    ['before', { before: 'x' }],
    ['outcome', { outcome: {} }],
    ['fetch', { fetch: 1 }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['answerWithinMs', { answerWithinMs: '1' }],
    ['maxBodyBytes', { maxBodyBytes: 1.5 }],
    ['omitHeaders', { omitHeaders: 'authorization' }],
    ['a name in omitHeaders', { omitHeaders: [1] }],
    ['clock', { clock: {} }],
    ['leaseMs', { leaseMs: 0 }],
    ['retry', { retry: { maxAttempts: 0 } }],
  ])('%s', async (_, options) => {
    await expectCode(() => new Outbox(new Queue('outbox'), options as OutboxOptions), 'INVALID_ARGUMENT')
  })

  test('a listener that is none', async () => {
    const { outbox } = setUpOutbox()
    await expectCode(() => outbox.watch({} as never), 'INVALID_ARGUMENT', 'listener')
  })
})

test('offline, or so it seems, what is asked for is tried once', async () => {
  const { origin, arrived } = await serve()
  const { outbox } = setUpOutbox()
  goOffline()
  expect((await outbox.fetch(origin, POST)).status).toBe(201)
  await outbox.store(origin, POST)
  expect(await outbox.drain()).toMatchObject({ acked: 1 })
  expect(arrived.length).toBe(2)
})

/** A stream of one chunk, of whatever kind. */
/** As React Native has it. */
function untaggedForm(): object {
  class FormData {
    readonly parts = []
  }
  vi.stubGlobal('FormData', FormData)
  onTestFinished(() => void vi.unstubAllGlobals())
  return new FormData()
}

function stream(chunk: unknown): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(chunk)
      controller.close()
    },
  })
}
