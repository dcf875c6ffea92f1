import { randomBytes } from 'node:crypto'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { JSON_CODEC } from '../../src/core/codec.ts'
import { type Codec, Queue } from '../../src/index.ts'
import type { Body } from '../../src/storage.ts'
import {
  Outbox,
  type OutboxOptions,
  type OutboxPayload,
  type OutboxRequestInit,
  storedRequest,
} from '../../src/outbox/index.ts'
import { expectCode, expectEmpty, thrownBy } from '../support/set-up.ts'
import { settle } from '../support/settle.ts'
import { serve, statuses } from './server.ts'
import { setUpOutbox, stateOf } from './set-up.ts'

/** Stores a request, looks at what is stored, sends it, and looks at what arrives. */
async function throughOutbox(init: OutboxRequestInit | ((origin: string) => Request)) {
  const server = await serve()
  const { outbox, queue } = setUpOutbox()
  await (typeof init === 'function' ? outbox.store(init(server.origin)) : outbox.store(server.origin, init))
  const [stored] = (await queue.list()).messages
  expect(await outbox.drain()).toMatchObject({ acked: 1 })
  return { origin: server.origin, stored: stored!, arrived: server.arrived[0]! }
}

describe('bodies arrive byte for byte', () => {
  const bytes = new Uint8Array([0, 255, 254, 128, 10, 13])
  test.each<[string, () => OutboxRequestInit, Uint8Array | string, string | undefined, unknown]>([
    ['text', () => ({ body: 'Grüße 🌊' }), 'Grüße 🌊', 'text/plain;charset=UTF-8', 'Grüße 🌊'],
    [
      'JSON',
      () => ({ body: '{"a":1}', headers: { 'content-type': 'application/json' } }),
      '{"a":1}',
      'application/json',
      '{"a":1}',
    ],
    [
      'a form, urlencoded',
      () => ({ body: new URLSearchParams({ a: 'ü b' }) }),
      'a=%C3%BC+b',
      'application/x-www-form-urlencoded;charset=UTF-8',
      'a=%C3%BC+b',
    ],
    [
      'text with a byte order mark',
      () => ({ body: '\uFEFFx' }),
      '\uFEFFx',
      'text/plain;charset=UTF-8',
      '\uFEFFx',
    ],
    ['an empty text', () => ({ body: '' }), '', 'text/plain;charset=UTF-8', ''],
    ['an ArrayBuffer', () => ({ body: bytes.slice().buffer }), bytes, undefined, bytes],
    [
      'a part of a buffer',
      () => ({ body: bytes.subarray(1, 3) }),
      bytes.subarray(1, 3),
      undefined,
      bytes.slice(1, 3),
    ],
    ['a Blob', () => ({ body: new Blob([bytes], { type: 'image/png' }) }), bytes, 'image/png', bytes],
    ['a stream', () => ({ body: new Blob([bytes]).stream() }), bytes, undefined, bytes],
    ['nothing', () => ({}), '', undefined, undefined],
    [
      'what says it is text, and is not UTF-8',
      () => ({ body: bytes, headers: { 'content-type': 'text/plain; charset=latin1' } }),
      bytes,
      'text/plain; charset=latin1',
      bytes,
    ],
  ])('%s', async (_, init, body, type, payload) => {
    const { arrived, stored } = await throughOutbox({ method: 'PUT', ...init() })
    expect(arrived.body).toEqual(Buffer.from(body as string))
    expect(arrived.headers['content-type']).toBe(type)
    expect(storedRequest(stored.payload).body).toEqual(payload)
  })

  test('a form with a file', async () => {
    const form = new FormData()
    form.append('title', 'Hafen ⚓')
    const photo = randomBytes(100_000)
    form.append('photo', new File([photo], 'möwe.jpg', { type: 'image/jpeg' }))
    const { arrived } = await throughOutbox({ method: 'POST', body: form })
    const got = await new Response(new Uint8Array(arrived.body), {
      headers: { 'content-type': arrived.headers['content-type']! },
    }).formData()
    expect(got.get('title')).toBe('Hafen ⚓')
    const file = got.get('photo') as File
    expect([file.name, file.type]).toEqual(['möwe.jpg', 'image/jpeg'])
    expect(Buffer.from(await file.arrayBuffer()).equals(photo)).toBe(true)
  })

  test('20 MB', async () => {
    const body = randomBytes(20_000_000)
    const { arrived } = await throughOutbox({ method: 'PUT', body })
    expect(arrived.body.equals(body)).toBe(true)
  })

  test('on every attempt', async () => {
    const { origin, arrived } = await serve(statuses(500, 500, 200))
    const { outbox, told } = setUpOutbox({ retry: { initialMs: 0 } })
    const stop = outbox.start()
    const body = randomBytes(1000)
    await outbox.fetch(origin, { method: 'POST', body })
    await told('accepted')
    expect(arrived.map((one) => one.body.equals(body))).toEqual([true, true, true])
    await stop()
  })
})

describe('the rest of a request', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'])(
    'the method %s',
    async (method) => {
      expect((await throughOutbox({ method })).arrived.method).toBe(method)
    },
  )

  test('path, query and headers', async () => {
    const { arrived } = await throughOutbox(
      (origin) =>
        new Request(`${origin}/a%20b?c=d&c=e#f`, {
          method: 'POST',
          body: 'x',
          headers: [
            ['X-One', '1'],
            ['X-One', '2'],
            ['Accept', 'text/html'],
          ],
        }),
    )
    expect(arrived.path).toBe('/a%20b?c=d&c=e')
    expect(arrived.headers).toMatchObject({ 'x-one': '1, 2', accept: 'text/html' })
  })

  test('is one payload, with what it is sent with and nothing else; what was said of it is beside it', async () => {
    const { origin, stored, arrived } = await throughOutbox({
      method: 'POST',
      body: 'x',
      headers: { 'X-One': '1', 'Sec-Fetch-Site': 'same-origin', 'Content-Length': '1' },
      credentials: 'include',
      redirect: 'error',
      cache: 'no-store',
      key: 'note-7',
      meta: { title: 'a note' },
    })
    expect(stored.payload).toEqual({
      method: 'POST',
      url: `${origin}/`,
      credentials: 'include',
      redirect: 'error',
      cache: 'no-store',
      headers: { 'content-type': 'text/plain;charset=UTF-8', 'x-one': '1' },
      body: 'x',
    })
    expect(stored).toMatchObject({ key: 'note-7', headers: { title: 'a note' } })
    expect(JSON.stringify(arrived)).not.toContain('a note')
  })

  test.each(['quayside-owner', 'quayside-after', 'quayside-terms', 'quayside-edits'])(
    'is not %s of its meta, which would be taken for our own word',
    async (name) => {
      const { outbox } = setUpOutbox()
      const init = { method: 'POST', meta: { title: 'a note', [name]: 'x' } }
      await expectCode(
        outbox.store('http://a.example/', init),
        'INVALID_ARGUMENT',
        'meta must',
        'not begin with quayside-',
      )
      await expectCode(
        outbox.fetch('http://a.example/', init),
        'INVALID_ARGUMENT',
        'meta must',
        'not begin with quayside-',
      )
      expect(await outbox.size()).toBe(0)
    },
  )

  test('is the same again when it is sent', async () => {
    const { origin } = await serve()
    let seen: Request | undefined
    const { outbox } = setUpOutbox({ before: (request) => void (seen = request) })
    await outbox.fetch(origin, {
      mode: 'same-origin',
      credentials: 'omit',
      cache: 'reload',
      redirect: 'manual',
      referrerPolicy: 'no-referrer',
      integrity: 'sha256-x',
    })
    expect(seen).toMatchObject({
      mode: 'same-origin',
      credentials: 'omit',
      cache: 'reload',
      redirect: 'manual',
      referrerPolicy: 'no-referrer',
      integrity: 'sha256-x',
    })
  })
})

describe('a body over maxBodyBytes', () => {
  const LIMIT = 1000
  test.each<[string, () => BodyInit]>([
    ['text', () => 'x'.repeat(LIMIT + 1)],
    ['bytes', () => new Uint8Array(LIMIT + 1)],
    ['a Blob', () => new Blob(['x'.repeat(LIMIT + 1)])],
    ['a stream', () => new Blob(['x'.repeat(LIMIT + 1)]).stream()],
  ])('is not stored: %s', async (_, body) => {
    const { outbox, queue } = setUpOutbox({ maxBodyBytes: LIMIT })
    const work = outbox.store('http://127.0.0.1:9', { method: 'POST', body: body() })
    await expectCode(work, 'TOO_LARGE', 'outbox.store', '1000', '1001', 'maxBodyBytes')
    await expectEmpty(queue)
  })

  test('is not read to its end if it is a stream', async () => {
    let pulled = 0
    let cancelled = false
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(100 * ++pulled)),
      cancel: () => void (cancelled = true),
    })
    const { outbox } = setUpOutbox({ maxBodyBytes: LIMIT })
    await expectCode(outbox.store('http://127.0.0.1:9', { method: 'POST', body: endless }), 'TOO_LARGE')
    expect(pulled).toBeLessThan(8)
    expect(cancelled).toBe(true)
  })

  test('is stored if it is one byte less', async () => {
    const { outbox } = setUpOutbox({ maxBodyBytes: LIMIT })
    await outbox.store('http://127.0.0.1:9', { method: 'POST', body: 'x'.repeat(LIMIT) })
    expect(await outbox.size()).toBe(1)
  })
})

test('a stream that breaks rejects with what it broke with, and nothing is stored', async () => {
  const { outbox, queue } = setUpOutbox()
  const reason = new Error('the camera is gone')
  const body = new ReadableStream({ pull: () => Promise.reject(reason) })
  expect(await thrownBy(outbox.fetch('http://127.0.0.1:9', { method: 'POST', body }))).toBe(reason)
  await expectEmpty(queue)
})

test('a Request whose body cannot be read, as of a file that was deleted since, is refused', async () => {
  const { outbox, queue } = setUpOutbox()
  // What it is like with a real file: test/browser/outbox.test.ts.
  const body = new ReadableStream({ pull: () => Promise.reject(new DOMException('gone', 'NotFoundError')) })
  const request = new Request('http://127.0.0.1:9', { method: 'POST', body, duplex: 'half' } as RequestInit)
  await expectCode(
    outbox.fetch(request),
    'INVALID_ARGUMENT',
    'outbox.fetch',
    'cannot be read',
    'deleted',
    'gone',
  )
  await expectEmpty(queue)
})

test('a Request whose body was read says so', async () => {
  const { outbox, queue } = setUpOutbox()
  const request = new Request('http://127.0.0.1:9', { method: 'POST', body: 'x' })
  await request.text()
  await expectCode(outbox.fetch(request), 'INVALID_ARGUMENT', 'read before', 'clone()')
  await expectEmpty(queue)
})

test('a body of bytes is stored as bytes, behind the rest of the request', async () => {
  const { stored } = await throughOutbox({ method: 'PUT', body: new Uint8Array([1, 10, 255]) })
  const payload = stored.payload as Uint8Array
  const head = new TextDecoder().decode(payload.subarray(0, -4))
  expect(JSON.parse(head)).toMatchObject({ method: 'PUT', headers: {} })
  expect([...payload.subarray(-4)]).toEqual([10, 1, 10, 255])
})

test('one payload goes through the codec of the queue, and nothing of the request is beside it', async () => {
  const { origin, arrived } = await serve()
  const storage = new MemoryAdapter()
  const bodies: Body[] = []
  const flip = (body: Body): Uint8Array =>
    (typeof body === 'string' ? new TextEncoder().encode(body) : body).map((byte) => byte ^ 255)
  // As one that encrypts: with a promise, and a flag in front for what was text.
  const codec: Codec<OutboxPayload> = {
    encode: async (payload) => {
      const body = await JSON_CODEC.encode(payload)
      const whole = new Uint8Array([Number(typeof body === 'string'), ...flip(body)])
      bodies.push(whole)
      return whole
    },
    decode: async (body) => {
      const bytes = flip(body.slice(1))
      return (await JSON_CODEC.decode(
        body[0] === 1 ? new TextDecoder().decode(bytes) : bytes,
      )) as OutboxPayload
    },
  }
  const queue = new Queue<OutboxPayload>('outbox', { storage, codec })
  const outbox = new Outbox(queue)
  const meta = { title: 'open' }
  for (const body of ['secret', new TextEncoder().encode('secret')])
    await outbox.store(`${origin}/secret`, { method: 'POST', body, headers: { 'x-a': 'secret' }, meta })
  const raw = await new Queue('outbox', { storage, codec: { encode: String, decode: (body) => body } }).list()
  for (const { payload, ...rest } of raw.messages) {
    expect(Buffer.from(payload as Uint8Array).toString('latin1')).not.toContain('secret')
    expect(JSON.stringify(rest)).not.toContain('secret')
    expect(rest.headers).toMatchObject(meta)
  }
  expect(bodies.length).toBe(2)
  await outbox.drain()
  expect(arrived.map(({ path, headers, body }) => [path, headers['x-a'], body.toString()])).toEqual(
    Array.from({ length: 2 }, () => ['/secret', 'secret', 'secret']),
  )
  await queue.close()
})

describe('the Idempotency-Key', () => {
  /** What the requests of a page of `https://app.example` bear. */
  async function keyOf(url: string, options: OutboxOptions = {}, init: OutboxRequestInit = {}) {
    vi.stubGlobal('location', { origin: 'https://app.example' })
    onTestFinished(() => void vi.unstubAllGlobals())
    const keys: (string | null)[] = []
    const { outbox } = setUpOutbox({
      ...options,
      fetch: async ({ headers }) => {
        keys.push(headers.get('idempotency-key'))
        return new Response()
      },
    })
    const response = await outbox.fetch(url, { id: 'a', ...init })
    expect(response.status).toBe(200)
    return keys[0]
  }

  const OWN = 'https://app.example/x'
  const OTHER = 'https://other.example/x'
  const path = (request: Request): string | undefined => /y$/.exec(request.url)?.[0]
  const mine = { headers: { 'idempotency-key': 'mine' } }
  test.each<[string, OutboxOptions, OutboxRequestInit, string | null]>([
    [OWN, {}, {}, 'a'],
    [OTHER, {}, {}, null],
    [OTHER, { idempotencyKey: true }, {}, 'a'],
    [OWN, { idempotencyKey: false }, {}, null],
    [OTHER, { idempotencyKey: path }, {}, null],
    [OTHER.replace('/x', '/y'), { idempotencyKey: path }, {}, 'y'],
    [OTHER, { idempotencyKey: () => 'Grüße' }, {}, 'Gr%C3%BC%C3%9Fe'],
    [OTHER, {}, mine, 'mine'],
    [OWN, { idempotencyKey: false }, mine, 'mine'],
  ])('%s with %j and %j: %s', async (url, options, init, key) => {
    expect(await keyOf(url, options, init)).toBe(key)
  })

  test('of what replaces a request is another one, and none where none is asked for', async () => {
    expect(await keyOf(OWN, {}, { replace: true })).toMatch(/^[\da-f-]{36}$/)
    expect(await keyOf(OTHER, {}, { replace: true })).toBeNull()
  })

  test('may be why a browser cannot send it: the error says so', async () => {
    vi.stubGlobal('location', { origin: 'https://app.example' })
    onTestFinished(() => void vi.unstubAllGlobals())
    const { outbox, queue } = setUpOutbox({
      idempotencyKey: true,
      fetch: () => Promise.reject(new TypeError('Failed to fetch')),
    })
    await outbox.store(OTHER, { method: 'POST', body: 'x', id: 'a' })
    await outbox.store(OTHER, {
      method: 'PUT',
      body: '{}',
      id: 'b',
      headers: { 'content-type': 'application/json' },
    })
    await outbox.store(OWN, { method: 'PUT', body: 'x', id: 'c' })
    await outbox.drain()
    const errors = Object.fromEntries(
      (await queue.list()).messages.map(({ id, lastError }) => [id, lastError]),
    )
    expect(errors).toEqual({
      a: 'no answer: Failed to fetch (or https://other.example refused the preflight because of idempotency-key)',
      b: 'no answer: Failed to fetch (or https://other.example refused the preflight because of content-type, idempotency-key, PUT)',
      c: 'no answer: Failed to fetch',
    })
  })
})

test('an attempt may take longer with a long body: a second for each 20 kB', async () => {
  const { origin, busy } = await serve(() => undefined)
  const { outbox, queue, clock, told } = setUpOutbox({ timeoutMs: 5000 })
  const answer = outbox.fetch(origin, { method: 'POST', body: new Uint8Array(1_000_000) })
  await told('sending')
  await expect.poll(() => busy.now).toBe(1)
  await clock.advance(9_000)
  expect(stateOf(await Promise.race([answer, Promise.resolve(new Response())]))).toBeNull()
  await clock.advance(46_000)
  expect((await queue.list()).messages).toMatchObject([{ lastError: 'no answer: not within 55000 ms' }])
  await answer
})

test('a message that is no request is a dead letter, and holds nobody up', async () => {
  const { origin, arrived } = await serve()
  const { outbox, queue } = setUpOutbox()
  await queue.createProducer().send('no request' as never, { lane: ' anywhere' })
  await outbox.fetch(origin)
  expect(arrived.length).toBe(1)
  const { messages } = await queue.deadLetters().list()
  expect(messages).toMatchObject([{ reason: 'rejected', payload: 'no request' }])
  expect(messages[0]!.lastError).toContain('no stored request')
})

describe('headers that are never stored', () => {
  const init = {
    method: 'POST',
    headers: { Authorization: 'Bearer secret', Cookie: 'a=secret', 'X-Key': 'secret' },
  }

  test.each(['authorization', 'cookie', 'x-api-key', 'x-csrf-token', 'x-xsrf-token'])(
    '%s by default',
    async (name) => {
      const { outbox, queue } = setUpOutbox()
      await outbox.store('http://127.0.0.1:9', { headers: { [name]: 'secret' } })
      expect(JSON.stringify((await queue.list()).messages)).not.toContain('secret')
    },
  )

  test('authorization and cookie; the attempt that the caller waits for carries them', async () => {
    const { origin, arrived } = await serve(statuses(503, 200))
    const { outbox, queue, told } = setUpOutbox({ retry: { initialMs: 0 } })
    outbox.pause()
    const stop = outbox.start()
    const answer = outbox.fetch(origin, { ...init, delayMs: 0 })
    expect(stateOf(await answer)).toBe('stored')
    expect(JSON.stringify((await queue.list()).messages)).not.toMatch(/Bearer|a=secret/)
    await outbox.resume()
    await told('accepted')
    expect(arrived.map(({ headers }) => [headers.authorization, headers.cookie])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ])
    await outbox.fetch(origin, init)
    expect(arrived[2]!.headers).toMatchObject({ authorization: 'Bearer secret', cookie: 'a=secret' })
    await stop()
  })

  test('those that you name, instead', async () => {
    const { outbox, queue } = setUpOutbox({ omitHeaders: ['X-KEY'] })
    await outbox.store('http://127.0.0.1:9', init)
    const { headers } = storedRequest((await queue.list()).messages[0]!.payload)
    expect(headers).toEqual({ authorization: 'Bearer secret', cookie: 'a=secret' })
  })
})

describe('before', () => {
  test('sets a fresh token on each attempt', async () => {
    const { origin, arrived } = await serve(statuses(500, 500, 200))
    let tokens = 0
    const { outbox, told } = setUpOutbox({
      retry: { initialMs: 0 },
      before: async (request, { attempt }) =>
        request.headers.set('authorization', `Bearer ${++tokens} for attempt ${attempt}`),
    })
    const stop = outbox.start()
    await outbox.fetch(origin, { method: 'POST', body: 'x', headers: { authorization: 'Bearer stale' } })
    await told('accepted')
    expect(arrived.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer 1 for attempt 1',
      'Bearer 2 for attempt 2',
      'Bearer 3 for attempt 3',
    ])
    await stop()
  })

  test('may answer with another request', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox({
      before: (request) => new Request(`${request.url}v2`, request),
    })
    await outbox.fetch(origin, { method: 'POST', body: 'x', id: 'a' })
    expect(arrived).toMatchObject([{ method: 'POST', path: '/v2', body: Buffer.from('x') }])
    expect(arrived[0]!.headers['idempotency-key']).toBe('a')
  })

  test('that throws fails the attempt', async () => {
    const { origin, arrived } = await serve()
    const { outbox, queue } = setUpOutbox({
      before: () => {
        throw new Error('no token')
      },
    })
    expect(stateOf(await outbox.fetch(origin))).toBe('retrying')
    expect((await queue.list()).messages).toMatchObject([{ attempt: 1, lastError: 'no answer: no token' }])
    expect(arrived.length).toBe(0)
  })

  test('that hangs is over with timeoutMs: that attempt sends nothing, though it ends after all', async () => {
    const { origin } = await serve()
    let sent = 0
    let end!: () => void
    const { outbox, clock, told } = setUpOutbox({
      timeoutMs: 5000,
      before: () => new Promise<void>((resolve) => (end = resolve)),
      fetch: (request) => {
        sent++
        return fetch(request)
      },
    })
    const answer = outbox.fetch(origin)
    await told('sending')
    await clock.advance(5000)
    expect(stateOf(await answer)).toBe('retrying')
    end()
    for (let i = 0; i < 20; i++) await settle()
    expect(sent).toBe(0)
  })
})
