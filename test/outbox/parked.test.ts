import { describe, expect, test } from 'vitest'
import type { OutboxOptions } from '../../src/outbox/index.ts'
import { expectCode } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { idOf, passes, setUpOutbox, stateOf } from './set-up.ts'

// What the server refuses waits for a person or a fix, and is in nobody's way.

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

test.each([400, 403, 404, 410, 412, 413, 422])('%i is parked, with the answer as data', async (status) => {
  const { origin } = await serve((response) =>
    response.writeHead(status, { 'content-type': 'application/json', etag: '"7"' }).end('{"field":"to"}'),
  )
  const { outbox, queue, told } = setUpOutbox()
  const answer = await outbox.fetch(origin, post('x'))
  expect([answer.status, stateOf(answer), await answer.json()]).toEqual([status, 'parked', { field: 'to' }])
  const [message] = (await outbox.list({ state: 'parked' })).messages
  expect(message!.parked).toMatchObject({
    reason: `HTTP ${status}: {"field":"to"}`,
    data: { status, headers: { 'content-type': 'application/json', etag: '"7"' }, body: '{"field":"to"}' },
  })
  expect(await told('parked')).toMatchObject({ id: message!.id, status })
  expect((await queue.stats()).groups['default']!.parked).toBe(1)
})

test('a large answer is cut to what can be kept', async () => {
  const { origin } = await serve((response) => {
    response.setHeader('x-long', 'y'.repeat(7000))
    response.setHeader('set-cookie', 'session=secret')
    response.writeHead(422, { etag: '"7"' }).end('"\u0001é'.repeat(5000))
  })
  const { outbox } = setUpOutbox()
  expect((await outbox.fetch(origin, post('x'))).status).toBe(422)
  const [message] = (await outbox.list({ state: 'parked' })).messages
  const data = message!.parked!.data as { status: number; headers: Record<string, string>; body: string }
  expect(data.headers).toEqual({ etag: '"7"' })
  expect(data.body.length).toBeGreaterThan(500)
  expect(JSON.stringify(data).length).toBeLessThan(4096)
})

test('one permanent 403 among forty is in the way of its key only', async () => {
  const { origin, bodies } = await serve((response, { body }) =>
    response.writeHead(body.toString() === '7' ? 403 : 200).end(),
  )
  const { outbox } = setUpOutbox({ concurrency: 1 })
  for (let i = 0; i < 40; i++)
    await outbox.store(origin, { ...post(`${i}`), key: i % 10 === 7 ? 'k' : `${i}` })
  await outbox.drain()
  expect(bodies().length).toBe(37)
  expect((await outbox.list()).messages.map(({ state }) => state).toSorted()).toEqual([
    'blocked',
    'blocked',
    'blocked',
    'parked',
  ])
  expect(await outbox.due()).toBe(0)
})

describe('resolve', () => {
  test('retry: it is tried again, and what was behind it goes', async () => {
    let fixed = false
    const { origin, bodies } = await serve((response) => response.writeHead(fixed ? 200 : 422).end())
    const { outbox, told } = setUpOutbox()
    const id = idOf(await outbox.fetch(origin, { ...post('1'), key: 'k' }))
    await outbox.store(origin, { ...post('2'), key: 'k' })
    fixed = true
    expect(await outbox.resolve(id, 'retry')).toBe(true)
    await told('accepted', 2)
    expect(bodies()).toEqual(['1', '1', '2'])
    expect(await outbox.resolve(id, 'retry')).toBe(false)
  })

  test('drop: it is gone, and what was behind it goes', async () => {
    const { origin, bodies } = await serve(statuses(422, 200))
    const { outbox, told } = setUpOutbox()
    const id = idOf(await outbox.fetch(origin, { ...post('1'), key: 'k' }))
    await outbox.store(origin, { ...post('2'), key: 'k' })
    expect(await outbox.resolve(id, 'drop')).toBe(true)
    expect(await told('cancelled')).toMatchObject({ id })
    await outbox.drain()
    expect(bodies()).toEqual(['1', '2'])
    expect(await outbox.size()).toBe(0)
    expect(await outbox.resolve(id, 'drop')).toBe(false)
  })

  test('another request: it is sent in its place, with a key of its own', async () => {
    const { origin, arrived } = await serve(statuses(412, 200))
    const { outbox, told } = setUpOutbox()
    const id = idOf(await outbox.fetch(origin, { ...post('1'), meta: { note: '7' } }))
    const request = new Request(`${origin}/again`, { ...post('merged'), headers: { 'if-match': '"8"' } })
    expect(await outbox.resolve(id, { request })).toBe(true)
    expect(await told('accepted')).toMatchObject({ id })
    expect(arrived[1]).toMatchObject({ path: '/again', headers: { 'if-match': '"8"' } })
    expect(arrived[1]!.body.toString()).toBe('merged')
    expect(arrived[1]!.headers['idempotency-key']).not.toBe(arrived[0]!.headers['idempotency-key'])
  })

  test('is for dead ones, too', async () => {
    const { origin, arrived } = await serve(statuses(500, 500, 200))
    const { outbox, queue, told } = setUpOutbox()
    const [one, two] = [
      idOf(await outbox.fetch(origin, { ...post('1'), maxAttempts: 1 })),
      idOf(await outbox.fetch(origin, { ...post('2'), maxAttempts: 1 })),
    ]
    expect(await outbox.resolve(one, 'retry')).toBe(true)
    await told('accepted')
    expect(await outbox.resolve(two, 'drop')).toBe(true)
    expect(arrived.length).toBe(3)
    expect((await queue.deadLetters().list()).messages).toEqual([])
  })

  test('of what waits, or nobody knows, changes nothing', async () => {
    const { outbox } = setUpOutbox()
    const { id } = await outbox.store('http://127.0.0.1:9', post('1'))
    const request = new Request('http://127.0.0.1:9')
    for (const resolution of ['retry', 'drop', { request }] as const) {
      expect(await outbox.resolve(id, resolution)).toBe(false)
      expect(await outbox.resolve('nobody', resolution)).toBe(false)
    }
    expect(await outbox.size()).toBe(1)
    await expectCode(outbox.resolve(id, 'again' as never), 'INVALID_ARGUMENT', 'resolution')
    await expectCode(outbox.resolve(id, { request: 'x' } as never), 'INVALID_ARGUMENT', 'Request')
  })
})

describe('onParked', () => {
  test('mends a request, which keeps its place, and its caller gets the answer to that', async () => {
    const { origin, arrived } = await serve((response, { headers }) =>
      headers['if-match'] === '"8"'
        ? response.writeHead(200).end('merged')
        : response.writeHead(412, { etag: '"8"' }).end(),
    )
    const { outbox } = setUpOutbox({
      onParked: (request, response) =>
        response.status === 412
          ? new Request(request, {
              headers: { ...Object.fromEntries(request.headers), 'if-match': response.headers.get('etag')! },
            })
          : undefined,
    })
    const answer = await outbox.fetch(origin, { ...post('1'), key: 'k', headers: { 'if-match': '"7"' } })
    expect([answer.status, await answer.text()]).toEqual([200, 'merged'])
    expect(arrived.length).toBe(2)
    expect(arrived[1]!.headers['idempotency-key']).not.toBe(arrived[0]!.headers['idempotency-key'])
    expect(arrived[1]!.body.toString()).toBe('1')
  })

  test('mends one three times at most, or as often as it may', async () => {
    const { origin, arrived } = await serve(statuses(422))
    const { outbox, another, told } = setUpOutbox({
      onParked: (request) => new Request(request, post('again')),
    })
    await outbox.store(origin, post('1'))
    await outbox.drain()
    await told('parked')
    expect(arrived.length).toBe(4)
    const other = another({ maxEdits: 1 })
    await other.store(origin, post('1'))
    await other.drain()
    expect(arrived.length).toBe(6)
    expect((await outbox.list({ state: 'parked' })).messages.length).toBe(2)
  })

  test('parks what it does not mend, or fails at, and says so', async () => {
    const { origin } = await serve(statuses(422))
    const { outbox, told } = setUpOutbox({
      onParked: () => {
        throw new Error('no idea')
      },
    })
    expect(stateOf(await outbox.fetch(origin, post('1')))).toBe('parked')
    expect((await told('failed')).reason).toBe('no idea')
  })
})

describe('a conflict', () => {
  test('that may be with an earlier attempt which got no answer is tried again first', async () => {
    let works = 0
    const { origin, arrived } = await serve((response, _, number) => {
      if (number === 1) return response.destroy()
      return response.writeHead(++works < 3 ? 409 : 200).end()
    })
    const { outbox, queue, clock, told } = setUpOutbox()
    const stop = outbox.start()
    await outbox.store(origin, post('1'))
    for (let times = 1; times < 4; times++) {
      await told('retrying', times)
      const [message] = (await queue.list()).messages
      await clock.advance(message!.nextInMs!)
    }
    expect(await told('accepted')).toMatchObject({ status: 200 })
    expect(arrived.length).toBe(4)
    await stop()
  })

  /** Statuses of answers, 0: none. */
  test.each<[before: string, answers: readonly number[], options: OutboxOptions]>([
    ['many that got no answer', [...Array<number>(12).fill(0), 409, 409, 409], {}],
    ['many that the server failed at', [503, 504, 503, 409, 409], {}],
    ['one without an answer and one that failed', [0, 503, 409, 409], {}],
    ['one that a gateway gave up, without our key', [504, 409, 409], { idempotencyKey: false }],
    ['others that were too early', [425, 425, 425, 409, 409], {}],
  ])('after %s is tried again first', async (_, answers, options) => {
    const { origin, arrived } = await serve((response, _request, number) => {
      const status = answers[number - 1]
      return status === 0 ? response.destroy() : response.writeHead(status ?? 200).end()
    })
    const { outbox, clock, events } = setUpOutbox({ ...options, retry: { initialMs: 1 } })
    const stop = outbox.start()
    await outbox.store(origin, post('1'))
    await passes(clock, 300_000, () => events.some(({ type }) => type === 'accepted' || type === 'parked'))
    expect(events.at(-1)).toMatchObject({ type: 'accepted', status: 200 })
    expect(arrived.length).toBe(answers.length + 1)
    await stop()
  })

  test('at the last attempt is parked, and no dead letter', async () => {
    const { origin } = await serve(statuses(503, 409))
    const { outbox, clock, told } = setUpOutbox({ retry: { initialMs: 0, maxAttempts: 2 } })
    const stop = outbox.start()
    await outbox.store(origin, post('1'))
    await told('retrying')
    await clock.advance(1000)
    expect((await told('parked')).reason).toBe('HTTP 409: this is 409')
    await stop()
  })

  test.each([
    ['with our own key is tried again first, and parked after some times', {}, 3],
    ['without is parked at once', { idempotencyKey: false }, 1],
  ])('%s', async (_, options, times) => {
    const { origin, arrived } = await serve(statuses(409))
    const { outbox, told } = setUpOutbox({ ...options, retry: { initialMs: 0 } })
    const stop = outbox.start()
    await outbox.store(origin, post('1'))
    expect((await told('parked')).reason).toBe('HTTP 409: this is 409')
    expect(arrived.length).toBe(times)
    await stop()
  })
})

describe('of one id', () => {
  test('no two are under way: the newer one goes last, whoever sends it', async () => {
    const finish: (() => void)[] = []
    const { origin, bodies, busy } = await serve((response) => finish.push(() => response.end()))
    const { outbox, another } = setUpOutbox()
    const stops = [outbox.start(), another().start()]
    await outbox.store(origin, { method: 'PUT', body: 'v1', id: 'doc', replace: true })
    await expect.poll(() => finish.length).toBe(1)
    await outbox.store(origin, { method: 'PUT', body: 'v2', id: 'doc', replace: true })
    await outbox.store(origin, { method: 'PUT', body: 'v3', id: 'doc', replace: true })
    finish[0]!()
    await expect.poll(() => finish.length).toBe(2)
    finish[1]!()
    await expect.poll(() => outbox.size()).toBe(0)
    expect(bodies()).toEqual(['v1', 'v3'])
    expect(busy.most).toBe(1)
    await Promise.all(stops.map((stop) => stop()))
  })

  test.each([401, 409, 422, 503])(
    'one that is refused (%i) while a newer one waits makes way for it',
    async (status) => {
      const finish: (() => void)[] = []
      const { origin, bodies } = await serve((response, { body }) =>
        body.toString() === 'v1' ? finish.push(() => response.writeHead(status).end()) : response.end(),
      )
      const { outbox, told } = setUpOutbox()
      const stop = outbox.start()
      await outbox.store(origin, { method: 'PUT', body: 'v1', id: 'doc', replace: true })
      await expect.poll(() => finish.length).toBe(1)
      // Within the same millisecond.
      const v2 = outbox.fetch(origin, { method: 'PUT', body: 'v2', id: 'doc', replace: true })
      await told('stored', 2)
      finish[0]!()
      expect((await v2).status).toBe(200)
      expect(bodies()).toEqual(['v1', 'v2'])
      expect(await outbox.size()).toBe(0)
      await stop()
    },
  )
})
