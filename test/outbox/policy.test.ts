import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type OutboxRequestInit, defaultOutcome } from '../../src/outbox/index.ts'
import { retryAfterMs } from '../../src/outbox/retry-after.ts'
import { defer } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { goOffline, setUpOutbox, stateOf } from './set-up.ts'

const POST = { method: 'POST', body: 'hello' }

/** What each status leads to: the answer to the caller, and what waits. */
const OUTCOMES = [
  {
    outcome: 'accepted',
    all: [200, 201, 202, 204, 207],
    answer: (status: number) => [status, null],
    waits: () => [],
  },
  {
    outcome: 'retry',
    all: [408, 425, 429, 500, 501, 502, 503, 504, 511, 599],
    answer: () => [202, 'retrying'],
    waits: (lastError: string) => [{ state: 'delayed', attempt: 1, lastError }],
  },
  {
    outcome: 'hold',
    all: [401, 419, 440, 498],
    answer: (status: number) => [status, 'held'],
    waits: (lastError: string) => [{ state: 'ready', attempt: 0, lastError }],
  },
  {
    outcome: 'park',
    all: [304, 400, 402, 403, 404, 405, 410, 412, 413, 415, 418, 422, 423, 451],
    answer: (status: number) => [status, 'parked'],
    waits: (reason: string, status: number) => [{ state: 'parked', parked: { reason, data: { status } } }],
  },
]
const CASES = OUTCOMES.flatMap(({ all, ...one }) => all.map((status) => ({ status, ...one })))

const STATES = ['ready', 'delayed', 'leased', 'blocked', 'parked'] as const

describe('a real server answers', () => {
  test.each(CASES)('$status: $outcome', async ({ status, answer, waits }) => {
    const { origin, arrived } = await serve(statuses(status))
    const { outbox, queue } = setUpOutbox()
    const response = await outbox.fetch(origin, POST)
    const reason = `HTTP ${status}: ${status === 304 ? '' : `this is ${status}`}`
    expect(arrived.length).toBe(1)
    expect([response.status, stateOf(response)]).toEqual(answer(status))
    expect((await queue.list({ state: STATES })).messages).toMatchObject(waits(reason, status))
    expect((await queue.deadLetters().list()).messages).toEqual([])
  })

  test('410 with an address, passed on by a worker: parked, for what the server said', async () => {
    const headers = { location: '/notes/7', 'quayside-state': 'unstored' }
    const { origin } = await serve((response) => response.writeHead(410, headers).end('gone'))
    const { outbox, queue } = setUpOutbox()
    await outbox.fetch(origin, POST)
    expect((await queue.list({ state: 'parked' })).messages[0]!.parked!.reason).toBe('HTTP 410: gone')
  })

  test.each([600, 999])('%i, which is no status: retry', async (status) => {
    const { origin } = await serve(statuses(status))
    const { outbox, queue } = setUpOutbox()
    expect(stateOf(await outbox.fetch(origin, POST))).toBe('retrying')
    expect((await queue.list()).messages).toMatchObject([{ lastError: `HTTP ${status}: this is ${status}` }])
  })

  test.each([
    ['park', 999, 'parked'],
    ['dead', 700, 'dead'],
    ['accepted', 999, null],
  ] as const)(
    'by a policy that says %s to %i, which is no status: the caller hears of it',
    async (outcome, status, state) => {
      const { origin } = await serve(statuses(status))
      const { outbox } = setUpOutbox({ outcome: () => outcome })
      const response = await outbox.fetch(origin, POST)
      expect([await response.text(), stateOf(response)]).toEqual([`this is ${status}`, state])
    },
  )

  test('Response.error() of the app’s own fetch: no answer, which costs no attempt offline, and is due with the network', async () => {
    let isOnline = false
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox({
      isOnline: () => isOnline,
      fetch: (request, init) => (isOnline ? fetch(request, init) : Promise.resolve(Response.error())),
    })
    await outbox.store(origin, { method: 'POST', maxAttempts: 1 })
    await outbox.drain()
    expect((await outbox.list()).messages).toMatchObject([
      { state: 'delayed', attempt: 0, lastError: 'no answer: Response.error()' },
    ])
    isOnline = true
    await outbox.drain()
    expect(arrived.length).toBe(1)
  })

  test('nothing at all: retry', async () => {
    const { outbox, queue } = setUpOutbox()
    expect(stateOf(await outbox.fetch(await deadOrigin(), POST))).toBe('retrying')
    const { messages } = await queue.list()
    expect(messages).toMatchObject([{ state: 'delayed', attempt: 1 }])
    expect(messages[0]!.lastError).toMatch(/^no answer: fetch failed: .*ECONNREFUSED/)
  })

  test('never: retry after timeoutMs, and the connection is given up', async () => {
    const { origin, busy } = await serve(() => undefined)
    const { outbox, queue, clock, told } = setUpOutbox({ timeoutMs: 5000 })
    const answer = outbox.fetch(origin, POST)
    await told('sending')
    await expect.poll(() => busy.now).toBe(1)
    await clock.advance(4999)
    expect((await queue.list()).messages).toMatchObject([{ state: 'leased' }])
    await clock.advance(1)
    expect(stateOf(await answer)).toBe('retrying')
    expect((await queue.list()).messages).toMatchObject([
      { state: 'delayed', lastError: 'no answer: not within 5000 ms' },
    ])
    await expect.poll(() => busy.now).toBe(0)
  })

  test.each([200, 201, 299])('%i and half a body, and then never: accepted, as it comes', async (status) => {
    const { origin } = await serve((response) => {
      response.writeHead(status, { 'content-length': '100' })
      response.write('half')
    })
    const { outbox, clock } = setUpOutbox({ timeoutMs: 5000 })
    let response: Response | undefined
    void outbox.fetch(origin, POST).then((answer) => (response = answer))
    await expect
      .poll(async () => {
        await clock.advance(10)
        return response?.status
      })
      .toBe(status)
    const reader = response!.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('half')
    await clock.advance(10_000)
    expect(await outbox.size()).toBe(0)
    void reader.cancel()
  })

  test('200 and a reset in the middle of the body: accepted; who reads the body is told', async () => {
    const { origin, arrived } = await serve((response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => response.destroy())
    })
    const { outbox } = setUpOutbox()
    const response = await outbox.fetch(origin, POST)
    expect([response.status, stateOf(response)]).toEqual([200, null])
    await expect(response.text()).rejects.toThrow('terminated')
    expect([await outbox.size(), arrived.length]).toEqual([0, 1])
  })

  test.each([403, 422, 503])('%i and half a body, and then never: retry after timeoutMs', async (status) => {
    const { origin } = await serve((response) => {
      response.writeHead(status, { 'content-length': '100' })
      response.write('half')
    })
    const begun = defer()
    const { outbox, clock } = setUpOutbox({
      timeoutMs: 5000,
      fetch: async (request, init) => {
        const response = await fetch(request, init)
        begun.resolve()
        return response
      },
    })
    const answer = outbox.fetch(origin, POST)
    await begun.promise
    await clock.advance(5000)
    expect(stateOf(await answer)).toBe('retrying')
  })

  test.each([403, 422])('%i and a reset in the middle of the body: retry', async (status) => {
    const { origin, arrived } = await serve((response, _, number) => {
      if (number > 1) return response.end('whole')
      response.writeHead(status, { 'content-length': '100' })
      return response.write('half', () => response.destroy())
    })
    const { outbox, queue, clock, told } = setUpOutbox()
    const stop = outbox.start()
    expect(stateOf(await outbox.fetch(origin, POST))).toBe('retrying')
    expect((await queue.list()).messages[0]!.lastError).toMatch(/^no answer: /)
    await clock.advance(1000)
    await told('accepted')
    expect(arrived[0]!.headers['idempotency-key']).toBe(arrived[1]!.headers['idempotency-key'])
    await stop()
  })

  test('something that is not HTTP: retry', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { outbox } = setUpOutbox()
    const { port } = server.address() as AddressInfo
    expect(stateOf(await outbox.fetch(`http://127.0.0.1:${port}`, POST))).toBe('retrying')
  })
})

describe('a redirect', () => {
  const NEW = 'this is new'
  /** A server that redirects from `/old`, and what an outbox makes of it. */
  async function redirected(status: number, init: OutboxRequestInit, location = '/new') {
    const server = await serve((response, { path }) =>
      path === '/old'
        ? response.writeHead(status, { location }).end()
        : response.writeHead(200, { 'content-type': 'text/html' }).end(NEW),
    )
    const { outbox, queue } = setUpOutbox()
    const response = await outbox.fetch(`${server.origin}/old`, init)
    const [parked] = (await queue.list({ state: 'parked' })).messages
    return {
      ...server,
      response,
      outbox,
      parked,
      paths: server.arrived.map(({ method, path }) => `${method} ${path}`),
    }
  }

  test.each([
    [307, 'POST'],
    [308, 'POST'],
    [307, 'PATCH'],
    [301, 'PUT'],
    [302, 'DELETE'],
  ])('with %i of a %s keeps the request: what it leads to counts', async (status, method) => {
    const { response, paths, arrived } = await redirected(status, {
      method,
      body: 'hello',
      headers: { 'x-own': 'yes' },
    })
    expect([response.status, stateOf(response), await response.text()]).toEqual([200, null, NEW])
    expect(paths).toEqual([`${method} /old`, `${method} /new`])
    expect(arrived[1]).toMatchObject({ body: Buffer.from('hello'), headers: { 'x-own': 'yes' } })
    expect(arrived[1]!.headers['idempotency-key']).toBe(arrived[0]!.headers['idempotency-key'])
  })

  test.each([
    [301, 'POST'],
    [302, 'POST'],
    [303, 'POST'],
    [303, 'PUT'],
    [303, 'DELETE'],
  ])(
    'with %i of a %s would make a GET of it: parked, though that would have been answered with 200',
    async (status, method) => {
      const { response, paths, parked, outbox } = await redirected(status, { method, body: 'hello' })
      expect([response.status, stateOf(response)]).toEqual([status, 'parked'])
      expect(paths).toEqual([`${method} /old`])
      expect(parked!.parked).toMatchObject({
        reason: `redirected to /new (HTTP ${status})`,
        data: { status },
      })
      await outbox.drain()
      expect(await outbox.size()).toBe(1)
    },
  )

  test.each([301, 302, 303])(
    'with %i of a request that allows it (seeOther): what it leads to counts',
    async (status) => {
      const { response, paths, outbox } = await redirected(status, { ...POST, seeOther: 'accept' })
      expect([response.status, await response.text()]).toEqual([200, NEW])
      expect(paths).toEqual(['POST /old', 'GET /new'])
      expect(await outbox.size()).toBe(0)
    },
  )

  test.each([301, 302, 303, 307, 308])('with %i of a GET is followed', async (status) => {
    const { response, paths } = await redirected(status, {})
    expect([response.status, await response.text()]).toEqual([200, NEW])
    expect(paths).toEqual(['GET /old', 'GET /new'])
  })

  test('that the caller wants to see is parked, or accepted if it allows it', async () => {
    const init = { ...POST, redirect: 'manual' } as const
    const { parked } = await redirected(303, init)
    expect(parked!.parked!.reason).toBe('redirected to /new (HTTP 303)')
    const { response, outbox } = await redirected(303, { ...init, seeOther: 'accept' })
    expect([response.status, stateOf(response), await outbox.size()]).toEqual([303, null, 0])
    // As browsers show it.
    const opaque = {
      type: 'opaqueredirect',
      status: 0,
      ok: false,
      redirected: false,
      url: '',
      headers: new Headers(),
    }
    const request = new Request('http://a.example', POST)
    expect(defaultOutcome(opaque as Response, request)).toBe('park')
    const allowed = { payload: { method: 'POST', url: 'http://a.example', headers: {}, seeOther: 'accept' } }
    expect(defaultOutcome(opaque as Response, request, allowed as never)).toBe('accepted')
  })

  test('without end is given up', async () => {
    const { origin, arrived } = await serve((response) => response.writeHead(307, { location: '/' }).end())
    const { outbox, queue } = setUpOutbox()
    await outbox.fetch(origin, POST)
    expect(arrived.length).toBe(21)
    expect((await queue.list({ state: 'parked' })).messages[0]!.parked!.reason).toContain('redirected to /')
  })

  test('whose body has no end is followed, and keeps no connection', async () => {
    let isCut = false
    const { origin, arrived } = await serve((response, { path }) => {
      if (path === '/moved') return response.writeHead(201).end()
      response.on('close', () => (isCut = true))
      return response.writeHead(307, { location: '/moved' }).write('you are sent to')
    })
    const { outbox } = setUpOutbox()
    expect((await outbox.fetch(origin, POST)).status).toBe(201)
    expect(arrived.length).toBe(2)
    await expect.poll(() => isCut).toBe(true)
  })

  test('to another origin takes no token along', async () => {
    const other = await serve()
    const { origin, arrived } = await serve((response) =>
      response.writeHead(307, { location: `${other.origin}/x` }).end(),
    )
    const secrets = ['authorization', 'cookie', 'proxy-authorization']
    const { outbox } = setUpOutbox({
      before: ({ headers }) => {
        for (const name of secrets) headers.set(name, 'secret')
      },
    })
    await outbox.fetch(origin, { ...POST, headers: { 'x-own': 'yes' } })
    await outbox.fetch(`${other.origin}/direct`, POST)
    const sent = [arrived[0]!, ...other.arrived].map(({ headers }) => secrets.map((name) => headers[name]))
    const all = secrets.map(() => 'secret')
    expect(sent).toEqual([all, secrets.map(() => undefined), all])
    expect(other.arrived[0]!.headers).toMatchObject({ 'x-own': 'yes' })
  })

  describe('as a browser shows it, which follows it', () => {
    const CASE = { ok: true, redirected: true, type: 'basic', headers: new Headers() }
    const of = (url: string, status: number, request: Request): string =>
      defaultOutcome({ ...CASE, url, status, ok: status < 300 } as Response, request)
    test.each<[string, string, number, string, string]>([
      ['POST', 'https://a.example/login', 200, 'park', 'https://a.example/'],
      ['POST', 'https://b.example/login', 200, 'park', 'https://a.example/'],
      ['POST', 'https://a.example/new', 201, 'accepted', 'https://a.example/'],
      ['POST', 'https://a.example/new', 204, 'accepted', 'https://a.example/'],
      ['DELETE', 'https://b.example/new', 202, 'accepted', 'https://a.example/'],
      ['PUT', 'https://a.example/new', 200, 'park', 'https://a.example/'],
      ['POST', 'https://a.example/new', 422, 'park', 'https://a.example/'],
      ['POST', 'https://a.example/new', 401, 'hold', 'https://a.example/'],
      ['POST', 'https://a.example/new', 503, 'retry', 'https://a.example/'],
      ['GET', 'https://b.example/new', 200, 'accepted', 'https://a.example/'],
      // Who is on the way can answer http, and nobody else can answer https.
      ['POST', 'http://portal.example/', 200, 'retry', 'http://a.example/'],
      ['POST', 'https://portal.example/', 200, 'retry', 'http://a.example/'],
      ['GET', 'https://portal.example/', 200, 'retry', 'http://a.example/'],
      ['POST', 'https://a.example/', 200, 'park', 'http://a.example/'],
      ['POST', 'http://127.portal.example/', 200, 'retry', 'http://127.a.example/'],
      // Nor can anybody answer for this device.
      ['POST', 'http://localhost:81/login', 200, 'park', 'http://localhost/'],
      ['POST', 'https://sso.example/login', 200, 'park', 'http://app.localhost:3000/'],
      ['POST', 'http://127.0.0.1:81/', 201, 'accepted', 'http://127.0.0.1:80/'],
      ['GET', 'http://b.example/', 200, 'accepted', 'http://[::1]:8080/'],
    ])('%s to %s, %i: %s', (method, url, status, outcome, from) => {
      expect(of(url, status, new Request(from, { method }))).toBe(outcome)
    })
  })
})

describe('an answer of another outbox is not the server', () => {
  test.each(['stored', 'retrying', 'held', 'accepted', 'parked'])('%s: parked', async (state) => {
    const { origin, arrived } = await serve((response) =>
      response.writeHead(202, { 'quayside-state': state }).end(),
    )
    const { outbox, queue } = setUpOutbox()
    await outbox.fetch(origin, POST)
    expect((await queue.list({ state: 'parked' })).messages[0]!.parked!.reason).toContain('isAttempt')
    await outbox.drain()
    expect(arrived.length).toBe(1)
  })

  test('that passed it through, because it could not store it, is: accepted', async () => {
    const { origin } = await serve((response) =>
      response.writeHead(201, { 'quayside-state': 'unstored' }).end(),
    )
    const { outbox } = setUpOutbox()
    await outbox.fetch(origin, POST)
    expect(await outbox.size()).toBe(0)
  })
})

describe('Retry-After', () => {
  test.each([
    ['seconds', () => '120', 120_000],
    ['a date', (now: number) => new Date(now + 3_600_000).toUTCString(), 3_600_000],
  ])('as %s is kept, and retried then', async (_, header, waitMs) => {
    const { outbox, queue, clock, told } = setUpOutbox()
    const { origin, arrived } = await serve((response, _request, number) =>
      number > 1
        ? response.end()
        : response
            .writeHead(503, { 'retry-after': header(clock.now()), date: new Date(clock.now()).toUTCString() })
            .end('later'),
    )
    const stop = outbox.start()
    await outbox.fetch(origin, POST)
    const [message] = (await queue.list()).messages
    expect(message!.nextInMs).toBeGreaterThan(waitMs * 0.9)
    expect(message!.nextInMs).toBeLessThan(waitMs * 1.1)
    await clock.advance(waitMs * 0.99)
    expect(arrived.length).toBe(1)
    await clock.advance(waitMs * 0.02)
    await told('accepted')
    await stop()
  })

  const NOW = Date.UTC(2030, 0, 1)
  test.each<[string | null, number | undefined]>([
    [null, undefined],
    ['', undefined],
    ['0', undefined],
    ['1', 1000],
    ['86400', 86_400_000],
    ['86401', 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['-1', undefined],
    ['1.5', 1500],
    ['2050.5', 2_050_500],
    ['120, 120', 120_000],
    ['soon', undefined],
    ['Tue, 01 Jan 2030 00:01:00 GMT', 60_000],
    ['Mon, 31 Dec 2029 00:00:00 GMT', undefined],
    ['Tue, 01 Jan 2999 00:00:00 GMT', 86_400_000],
  ])('%j is %j ms', (value, ms) => {
    expect(retryAfterMs(new Headers(value === null ? {} : { 'retry-after': value }), NOW)).toBe(ms)
  })

  test.each<[string, number | undefined]>([
    ['Tue, 01 Jan 2030 00:01:00 GMT', 60_000],
    ['Tue, 01 Jan 2030 00:00:00 GMT', undefined],
    ['60', 60_000],
  ])('%j is read by the clock of the server', (value, ms) => {
    const headers = new Headers({ 'retry-after': value, date: 'Tue, 01 Jan 2030 00:00:00 GMT' })
    for (const offMs of [-7_200_000, 0, 7_200_000]) expect(retryAfterMs(headers, NOW + offMs)).toBe(ms)
    headers.set('date', 'yesterday')
    expect(retryAfterMs(headers, NOW)).toBe(ms)
  })
})

describe('attempts', () => {
  test('wait longer and longer, up to five minutes, and there are 1,000 of them', async () => {
    const { origin, arrived } = await serve(statuses(500))
    let most = 0
    const { outbox, queue } = setUpOutbox({ before: (_, { maxAttempts }) => void (most = maxAttempts) })
    await outbox.fetch(origin, POST)
    const waits: (number | undefined)[] = []
    for (let attempt = 1; attempt <= 11; attempt++) {
      waits.push((await queue.list()).messages[0]!.nextInMs)
      await outbox.retryNow()
      await expect.poll(() => arrived.length).toBe(attempt + 1)
      await expect.poll(async () => (await queue.list()).messages[0]!.state).toBe('delayed')
    }
    // Half of the cap each: the test's random number.
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000])
    expect(most).toBe(1000)
  })

  test('are numbered, and end in a dead letter with the last error', async () => {
    const { origin } = await serve(statuses(500, 503))
    const { outbox, queue, told } = setUpOutbox({ retry: { maxAttempts: 2, initialMs: 0 } })
    const stop = outbox.start()
    await outbox.fetch(origin, POST)
    expect(await told('dead')).toMatchObject({ status: 503, reason: 'HTTP 503: this is 503' })
    expect((await queue.deadLetters().list()).messages).toMatchObject([
      { reason: 'exhausted', attempt: 2, lastError: 'HTTP 503: this is 503' },
    ])
    await stop()
  })

  test('that end at once answer with what the server said', async () => {
    const { origin } = await serve(statuses(500))
    const { outbox } = setUpOutbox()
    const response = await outbox.fetch(origin, { ...POST, maxAttempts: 1 })
    expect([response.status, stateOf(response), await response.text()]).toEqual([500, 'dead', 'this is 500'])
    const nobody = await outbox.fetch(await deadOrigin(), { ...POST, maxAttempts: 1 })
    expect([nobody.status, stateOf(nobody)]).toEqual([202, 'dead'])
  })

  test('all bear the same Idempotency-Key', async () => {
    const { origin, arrived } = await serve(statuses(500, 500, 200))
    const { outbox, told } = setUpOutbox({ retry: { initialMs: 0 } })
    const stop = outbox.start()
    const { headers } = await outbox.fetch(origin, POST)
    await told('accepted')
    expect(arrived.length).toBe(3)
    const keys = new Set(arrived.map((one) => one.headers['idempotency-key']))
    expect([...keys]).toEqual([headers.get('quayside-message-id')])
    await stop()
  })

  test('keep an Idempotency-Key that the request brought', async () => {
    const { origin, arrived } = await serve(statuses(500, 200))
    const { outbox, told } = setUpOutbox({ retry: { initialMs: 0 } })
    const stop = outbox.start()
    await outbox.fetch(origin, { ...POST, headers: { 'Idempotency-Key': 'mine' } })
    await told('accepted')
    expect(arrived.map(({ headers }) => headers['idempotency-key'])).toEqual(['mine', 'mine'])
    await stop()
  })
})

describe('being offline', () => {
  test('costs no attempt, and nothing more is tried', async () => {
    const { origin } = await serve()
    const { outbox, queue, clock, events, told } = setUpOutbox({
      fetch: () => {
        goOffline()
        return Promise.reject(new TypeError('Failed to fetch'))
      },
    })
    const stop = outbox.start()
    expect(stateOf(await outbox.fetch(origin, POST))).toBe('retrying')
    await clock.advance(3_600_000)
    expect((await queue.list()).messages).toMatchObject([
      { state: 'ready', attempt: 0, lastError: 'no answer: Failed to fetch' },
    ])
    expect((await told('retrying')).reason).toBe('no answer: Failed to fetch')
    expect(events.filter(({ type }) => type === 'sending').length).toBe(1)
    await stop()
  })

  test('what failed before the runtime knew is due again with the next drain', async () => {
    let up = false
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox({
      fetch: (request, init) =>
        up ? fetch(request, init) : Promise.reject(new TypeError('Failed to fetch')),
    })
    await outbox.fetch(origin, POST)
    up = true
    expect(await outbox.drain()).toMatchObject({ acked: 1 })
    expect(arrived.length).toBe(1)
  })

  test('what a server asked to wait is left to wait', async () => {
    const { origin, arrived } = await serve(statuses(503))
    const { outbox } = setUpOutbox()
    await outbox.fetch(origin, POST)
    await outbox.drain()
    expect(arrived.length).toBe(1)
  })
})

describe('a policy of your own', () => {
  test('decides, with the default at hand', async () => {
    const { origin } = await serve(statuses(409))
    const seen: unknown[] = []
    const { outbox } = setUpOutbox({
      outcome: (response, request, message) => {
        seen.push([response?.status, request.url, message.attempt])
        return response?.status === 409 ? 'accepted' : defaultOutcome(response, request)
      },
    })
    expect((await outbox.fetch(`${origin}/x`, POST)).status).toBe(409)
    expect(seen).toEqual([[409, `${origin}/x`, 1]])
    expect(await outbox.size()).toBe(0)
  })

  test.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      'outcome threw: no idea',
    ],
    ['rejects', () => Promise.reject(new Error('no idea')), 'outcome threw: no idea'],
    ['answers with nothing', () => undefined, 'outcome answered undefined'],
    ['answers with a promise of something else', () => Promise.resolve('ok'), 'outcome answered ok'],
    ['answers as every object could', () => 'toString', 'outcome answered toString'],
  ])('that %s parks the request with that reason', async (_, outcome, reason) => {
    const { origin, arrived } = await serve()
    const { outbox, queue, told } = setUpOutbox({ outcome: outcome as never })
    await outbox.fetch(origin, POST)
    expect((await told('parked')).reason).toContain(reason)
    const [message] = (await queue.list({ state: 'parked' })).messages
    expect(message!.parked!.reason).toContain(reason)
    expect(message!.parked!.data).toMatchObject({ status: 201, body: 'made' })
    await outbox.drain()
    expect(arrived.length).toBe(1)
  })

  test('may take its time', async () => {
    const { origin } = await serve()
    const { outbox } = setUpOutbox({ outcome: async () => await Promise.resolve('accepted') })
    expect((await outbox.fetch(origin, POST)).status).toBe(201)
    expect(await outbox.size()).toBe(0)
  })
})

/** An address at which nobody listens. */
async function deadOrigin(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}`
}
