import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  type BackgroundSyncOptions,
  type SyncedOutbox,
  registerBackgroundSync,
} from '../../src/service-worker/index.ts'
import { expectCode, thrownBy } from '../support/set-up.ts'
import { fakeScope } from './scope.ts'

// What the events of a worker lead to. The same in a real browser: test/browser/outbox.test.ts.

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2030, 0, 1) })
  onTestFinished(() => void vi.useRealTimers())
})

/** An outbox from which each drain takes one request, or none, and what was asked of it. */
function fakeOutbox(sizes: number[] = [0]) {
  const asked = { drains: [] as { at: number; forMs: number }[], fetched: [] as Request[] }
  const outbox: SyncedOutbox = {
    drain: async (options) => {
      asked.drains.push({ at: Date.now(), forMs: options!.deadline! - Date.now() })
      return { acked: 1, retried: 0, dead: 0, parked: 0, returned: 0 }
    },
    due: async () => (sizes.length > 1 ? sizes.shift()! : sizes[0]!),
    fetch: async (request) => {
      asked.fetched.push(request as Request)
      return new Response(null, { status: 202, headers: { 'quayside-state': 'stored' } })
    },
  }
  return { outbox, ...asked }
}

describe('a sync event', () => {
  test('of the tag drains, with a deadline, and is over when nothing is left', async () => {
    const scope = fakeScope()
    const { outbox, drains } = fakeOutbox()
    registerBackgroundSync(outbox)
    expect(scope.fire('sync', { tag: 'other' }).waits).toEqual([])
    const { waits } = scope.fire('sync', { tag: 'quayside', lastChance: false })
    expect(waits.length).toBe(1)
    await waits[0]
    expect(drains).toEqual([{ at: Date.now(), forMs: 150_000 }])
  })

  test('tries again and again, less and less often', async () => {
    const scope = fakeScope()
    const { outbox, drains } = fakeOutbox([5, 5, 1, 0])
    const start = Date.now()
    registerBackgroundSync(outbox)
    const { waits } = scope.fire('sync', { tag: 'quayside' })
    await vi.advanceTimersByTimeAsync(10_000)
    await waits[0]
    expect(drains.map(({ at }) => at - start)).toEqual([0, 500, 1500, 3500])
  })

  test('fails in the end, so that the browser fires it again', async () => {
    const scope = fakeScope()
    const { outbox } = fakeOutbox([7])
    registerBackgroundSync(outbox)
    const { waits } = scope.fire('sync', { tag: 'quayside', lastChance: false })
    const failed = thrownBy(waits[0]!)
    await vi.advanceTimersByTimeAsync(150_000)
    expect(await failed).toMatchObject({ message: 'requests left for the next sync: 7' })
  })

  test('does not fail at the last chance, because nobody would try again', async () => {
    const scope = fakeScope()
    const { outbox } = fakeOutbox([7])
    registerBackgroundSync(outbox)
    const { waits } = scope.fire('sync', { tag: 'quayside', lastChance: true })
    await vi.advanceTimersByTimeAsync(150_000)
    await expect(waits[0]).resolves.toBeUndefined()
  })

  test('may be handled by a function, which replays when it likes', async () => {
    const scope = fakeScope()
    const { outbox, drains } = fakeOutbox([7])
    const steps: unknown[] = []
    registerBackgroundSync(outbox, {
      onSync: async (replay) => {
        steps.push(drains.length)
        await replay()
        steps.push('not here')
      },
    })
    const { waits } = scope.fire('sync', { tag: 'quayside' })
    const failed = thrownBy(waits[0]!)
    await vi.advanceTimersByTimeAsync(150_000)
    expect(await failed).toMatchObject({ message: 'requests left for the next sync: 7' })
    expect(steps).toEqual([0])
  })

  test('fails with the storage', async () => {
    const scope = fakeScope()
    const { outbox } = fakeOutbox()
    registerBackgroundSync({ ...outbox, drain: () => Promise.reject(new Error('no database')) })
    await expect(scope.fire('sync', { tag: 'quayside' }).waits[0]).rejects.toThrow('no database')
  })
})

test('it tries soon after the worker has started, and a storage that fails does no harm', async () => {
  fakeScope()
  const { outbox, drains } = fakeOutbox()
  registerBackgroundSync(outbox)
  expect(drains).toEqual([])
  vi.advanceTimersByTime(500)
  expect(drains).toEqual([{ at: Date.now(), forMs: 25_000 }])
  registerBackgroundSync({ ...outbox, drain: () => Promise.reject(new Error('no database')) })
  await vi.advanceTimersByTimeAsync(500)
})

test('it does not if the event that started it tries already', async () => {
  const scope = fakeScope()
  const { outbox, drains } = fakeOutbox()
  registerBackgroundSync(outbox)
  await scope.fire('message', { data: { quayside: 'quayside' } }).waits[0]
  vi.advanceTimersByTime(500)
  expect(drains.length).toBe(1)
})

test('it tries at a message with the tag', async () => {
  const scope = fakeScope()
  const { outbox, drains } = fakeOutbox()
  registerBackgroundSync(outbox, { tag: 'notes' })
  for (const data of [undefined, null, 'notes', { quayside: 'other' }]) {
    expect(scope.fire('message', { data }).waits).toEqual([])
  }
  await scope.fire('message', { data: { quayside: 'notes' } }).waits[0]
  expect(drains).toEqual([{ at: Date.now(), forMs: 25_000 }])
})

test('it tries at fetch events, but not at each', async () => {
  const scope = fakeScope()
  const { outbox, drains } = fakeOutbox()
  registerBackgroundSync(outbox)
  const request = new Request('http://a.example/')
  expect(scope.fire('fetch', { request })).toMatchObject({ responses: [], waits: [expect.anything()] })
  expect(scope.fire('fetch', { request })).toEqual({ responses: [], waits: [] })
  vi.advanceTimersByTime(60_001)
  expect(scope.fire('fetch', { request }).waits.length).toBe(1)
  expect(scope.fire('fetch', { request }).waits.length).toBe(0)
  expect(drains.length).toBe(2)
  // Somebody sets the clock back.
  vi.setSystemTime(Date.now() - 86_400_000)
  expect(scope.fire('fetch', { request }).waits.length).toBe(1)
  expect(scope.fire('fetch', { request }).waits.length).toBe(0)
})

test('requests that match go through the outbox, and a sync is asked for if they are not sent', async () => {
  const tags: string[] = []
  const scope = fakeScope({
    registration: { sync: { register: async (tag: string) => void tags.push(tag) } },
  })
  const { outbox, fetched } = fakeOutbox()
  registerBackgroundSync(outbox, { match: ({ method }) => method === 'POST' })
  expect(scope.fire('fetch', { request: new Request('http://a.example/') }).responses).toEqual([])
  const request = new Request('http://a.example/', { method: 'POST' })
  const { responses } = scope.fire('fetch', { request })
  expect((await responses[0])!.status).toBe(202)
  expect(fetched).toEqual([request])
  expect(tags).toEqual(['quayside'])
})

describe('a request of a page', () => {
  const POST = { method: 'POST' }

  test.each(['http://a.example/#~quayside-attempt', 'http://b.example/x#mine~quayside-attempt'])(
    'that is an attempt of an outbox is let through: %s',
    async (url) => {
      const scope = fakeScope()
      const { outbox, fetched } = fakeOutbox()
      registerBackgroundSync(outbox, { match: () => true })
      expect(scope.fire('fetch', { request: new Request(url, POST) }).responses).toEqual([])
      expect(fetched).toEqual([])
    },
  )

  test('that says it is longer than the outbox stores is let through, unread', async () => {
    const scope = fakeScope()
    const { outbox, fetched } = fakeOutbox()
    registerBackgroundSync({ ...outbox, maxBodyBytes: 1000 }, { match: () => true })
    const of = (length: number): object => ({
      request: new Request('http://a.example/', { ...POST, headers: { 'content-length': `${length}` } }),
    })
    expect(scope.fire('fetch', of(1001)).responses).toEqual([])
    expect(scope.fire('fetch', of(1000)).responses.length).toBe(1)
    expect(fetched.length).toBe(1)
  })

  test('is stored with the options that match answers with', async () => {
    const scope = fakeScope()
    const inits: unknown[] = []
    const { outbox } = fakeOutbox()
    const fetch: SyncedOutbox['fetch'] = async (_, init) => {
      inits.push(init)
      return new Response()
    }
    const options = { key: 'a', seeOther: 'accept' } as const
    registerBackgroundSync({ ...outbox, fetch }, { match: ({ method }) => method === 'POST' && options })
    expect(scope.fire('fetch', { request: new Request('http://a.example/') }).responses).toEqual([])
    await scope.fire('fetch', { request: new Request('http://a.example/', POST) }).responses[0]
    expect(inits).toEqual([options])
  })
})

describe('a navigation', () => {
  /** What a form gets for an answer, and what was asked of the browser. */
  async function answerTo(response: Response, options: BackgroundSyncOptions = {}, mode = 'navigate') {
    const tags: string[] = []
    const scope = fakeScope({
      registration: { sync: { register: async (tag: string) => void tags.push(tag) } },
    })
    registerBackgroundSync(
      { ...fakeOutbox().outbox, fetch: async () => response },
      { match: () => true, ...options },
    )
    const request = new Request('http://a.example/', { method: 'POST' })
    Object.defineProperty(request, 'mode', { value: mode })
    const answer = (await scope.fire('fetch', { request }).responses[0])!
    const { status, headers } = answer
    return {
      status,
      state: headers.get('quayside-state'),
      type: headers.get('content-type'),
      text: await answer.text(),
      tags,
    }
  }
  const named = (state: string, status = 202): Response =>
    new Response(status === 202 ? null : 'of the server', { status, headers: { 'quayside-state': state } })
  const ANSWER = {
    answer: ({ url }: Request, state: string) => new Response(`${state} ${url}`, { status: 200 }),
  }

  test('that is stored shows a page', async () => {
    const { text, ...rest } = await answerTo(named('stored'))
    expect(rest).toEqual({
      status: 202,
      state: 'stored',
      type: 'text/html; charset=utf-8',
      tags: ['quayside'],
    })
    expect(text).toContain('<h1>Saved</h1>')
  })

  test('that is stored shows a page of your own', async () => {
    expect(await answerTo(named('retrying'), ANSWER)).toMatchObject({
      status: 200,
      text: 'retrying http://a.example/',
    })
  })

  test.each<[string, Response]>([
    ['answered by the server', new Response('of the server', { status: 201 })],
    ['refused by the server', named('parked', 422)],
    ['passed through', named('unstored', 200)],
  ])('that is %s shows that', async (_, response) => {
    expect(await answerTo(response, ANSWER)).toMatchObject({ status: response.status, text: 'of the server' })
  })

  test('is not what a script sends', async () => {
    expect(await answerTo(named('stored'), ANSWER, 'cors')).toMatchObject({ status: 202, text: '' })
  })

  test('that is passed through asks for no sync', async () => {
    expect((await answerTo(named('unstored', 200))).tags).toEqual([])
  })
})

test.each<[string, unknown]>([
  ['an unknown option', { tags: 'x' }],
  ['an answer that is none', { answer: 'x' }],
  ['a tag that is empty', { tag: '' }],
  ['a match that is none', { match: /api/ }],
  ['an onSync that is none', { onSync: 7 }],
])('%s is refused', async (_, options) => {
  fakeScope()
  const { outbox } = fakeOutbox()
  await expectCode(
    () => registerBackgroundSync(outbox, options as BackgroundSyncOptions),
    'INVALID_ARGUMENT',
    'registerBackgroundSync',
  )
})
