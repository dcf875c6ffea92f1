import { expect, test } from 'vitest'
import { type Outbox, isAttempt, storedRequest } from '../../src/outbox/index.ts'
import { isAttempt as ofWorkers } from '../../src/service-worker/index.ts'
import { expectCode } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { setUpOutbox, stateOf } from './set-up.ts'

const POST = { method: 'POST', body: 'hello' }

test.each([
  ['http://a.example/#~quayside-attempt', true],
  ['http://a.example/?q=1#mine~quayside-attempt', true],
  ['http://a.example/', false],
  ['http://a.example/#mine', false],
  ['http://a.example/?q=~quayside-attempt', false],
  ['http://a.example/#~quayside-attempt/2', false],
])('%s is an attempt: %s', (url, is) => {
  expect(isAttempt({ url })).toBe(is)
  expect(isAttempt(new Request(url))).toBe(is)
  expect(ofWorkers).toBe(isAttempt)
})

test.each(['/notes', '/notes?a=b', '/notes#mine', '/notes?a=b#mine'])(
  'an attempt at %s is known as one, its URL looks as it did, and the server sees neither mark nor fragment',
  async (path) => {
    const { origin, arrived } = await serve(statuses(503, 201))
    const seen: unknown[] = []
    const look = (who: string, request: Request): void => {
      // A worker sees what a copy shows.
      seen.push([
        who,
        request.url,
        isAttempt(request),
        isAttempt(new Request(request, { method: 'POST' })),
        request.clone().url,
      ])
    }
    const { outbox, told } = setUpOutbox({
      retry: { initialMs: 0 },
      before: (request) => look('before', request),
      fetch: (request, init) => {
        look('fetch', request)
        return fetch(request, init)
      },
    })
    const stop = outbox.start()
    await outbox.fetch(origin + path, { method: 'POST' })
    await told('accepted')
    expect(arrived.map((one) => one.path)).toEqual(Array.from({ length: 2 }, () => path.split('#')[0]))
    const url = origin + path
    const marked = `${url}${path.includes('#') ? '' : '#'}~quayside-attempt`
    for (const who of ['before', 'fetch']) expect(seen).toContainEqual([who, url, true, true, marked])
    await stop()
  },
)

test.each<[string, (request: Request) => Request]>([
  ['a copy', (request) => new Request(request, { headers: { 'x-own': 'yes' } })],
  ['a clone', (request) => request.clone()],
  ['another one', ({ url }) => new Request(url, POST)],
  ['one to another URL', (request) => new Request(`${request.url}?v=2`, request)],
])('%s that `before` answers with is an attempt too', async (_, make) => {
  const { origin, arrived } = await serve()
  const sent: unknown[] = []
  const { outbox } = setUpOutbox({
    before: make,
    fetch: (request, init) => {
      sent.push([isAttempt(request), request.url.includes('quayside')])
      return fetch(request, init)
    },
  })
  expect((await outbox.fetch(`${origin}/x`, POST)).status).toBe(201)
  expect(sent).toEqual([[true, false]])
  expect(arrived[0]).toMatchObject({ method: 'POST', body: Buffer.from('hello') })
})

test("an app's own fetch that stores lets attempts through: nothing is stored twice", async () => {
  const { origin, arrived } = await serve((response) => response.destroy())
  const { outbox, queue, clock } = setUpOutbox({ fetch: (request, init) => own(request, init) })
  const own = async (request: Request, init?: RequestInit): Promise<Response> =>
    isAttempt(request) ? fetch(request, init) : outbox.fetch(request, init)
  const stop = outbox.start()
  expect(stateOf(await own(new Request(origin, POST)))).toBe('retrying')
  for (let i = 0; i < 10; i++) await clock.advance(1000)
  expect((await queue.list()).messages.length).toBe(1)
  expect((await queue.stats()).sent).toBe(1)
  expect(arrived.length).toBeLessThan(12)
  await stop()
})

test("an app's own fetch that stores attempts too has them passed through, once", async () => {
  const { origin, arrived } = await serve()
  const { outbox, another } = setUpOutbox({ fetch: (request, init) => own(request, init) })
  const second: Outbox = another({ fetch: (request, init) => fetch(request, init) })
  const own = (request: Request, init?: RequestInit): Promise<Response> => second.fetch(request, init)
  expect((await outbox.fetch(origin, POST)).status).toBe(201)
  expect(arrived.length).toBe(1)
})

test('what leads an attempt back to the outbox that makes it fails the attempt, and stores nothing', async () => {
  const { origin, arrived } = await serve()
  const { outbox, queue } = setUpOutbox({ fetch: (request, init) => outbox.fetch(request, init) })
  expect(stateOf(await outbox.fetch(origin, POST))).toBe('retrying')
  const { messages } = await queue.list()
  expect(messages.length).toBe(1)
  expect(messages[0]!.lastError).toContain('isAttempt')
  expect(arrived.length).toBe(0)
})

test('to store an attempt is refused; a request that is mended with one is stored without the mark', async () => {
  const { outbox, queue } = setUpOutbox()
  const attempt = new Request('http://a.example/x#mine~quayside-attempt', POST)
  await expectCode(outbox.store(attempt), 'INVALID_ARGUMENT', 'outbox.store', 'isAttempt')
  const { id } = await outbox.store('http://a.example/', { ...POST, id: 'a' })
  expect(await outbox.edit(id, attempt)).toBe(true)
  const { messages } = await queue.list()
  expect(messages.map(({ payload }) => storedRequest(payload).url)).toEqual(['http://a.example/x#mine'])
})
