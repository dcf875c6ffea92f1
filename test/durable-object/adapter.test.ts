import { describe, expect, test, vi } from 'vitest'
import { DurableObjectAdapter, inShards } from '../../adapters/durable-object/index.ts'
import type { ErrorCode } from '../../src/index.ts'
import { Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'

// What can be seen without the runtime: what is refused, and what becomes of errors that it makes too seldom to wait for.

// Only Cloudflare's runtime has it.
vi.mock('cloudflare:workers', () => ({ DurableObject: Object }))

/** A binding whose objects fail. */
function failing(thrown: unknown): {
  idFromName: (name: string) => object
  get: () => object
  stubs: number
} {
  const namespace = {
    stubs: 0,
    idFromName: () => ({}),
    get() {
      namespace.stubs++
      return { verb: () => Promise.reject(thrown) }
    },
  }
  return namespace
}

const make = (namespace: unknown, options?: unknown): unknown =>
  new DurableObjectAdapter(namespace as never, options as never)

describe('what cannot work is refused at once', () => {
  test.each([[undefined], [null], [{}], ['QUEUE']])('the binding %s', async (namespace) => {
    await expectCode(() => make(namespace), 'INVALID_ARGUMENT', 'binding')
  })

  test.each([0, -1, 1.5, 257, '3', Number.NaN])('%s shards', async (count) => {
    await expectCode(() => inShards(count as number), 'INVALID_ARGUMENT', 'inShards', '1 to 256')
  })

  test.each([4, null, {}])('%s for shards', async (shards) => {
    await expectCode(() => make(failing(null), { shards }), 'INVALID_ARGUMENT', 'inShards(4)')
  })

  test('options of other names and kinds', async () => {
    await expectCode(
      () => make(failing(null), { shard: 3 }),
      'INVALID_ARGUMENT',
      'shards, locationHint',
      'shard',
    )
    await expectCode(() => make(failing(null), { locationHint: 1 }), 'INVALID_ARGUMENT', 'locationHint')
  })
})

describe('errors of the platform', () => {
  const overloaded = Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true })
  const lost = Object.assign(new Error('Network connection lost.'), { retryable: true })
  const cases: [string, unknown, 'send' | 'stats', ErrorCode][] = [
    ['overload, a change', overloaded, 'send', 'STORAGE_UNAVAILABLE'],
    ['overload, a look', overloaded, 'stats', 'STORAGE_UNAVAILABLE'],
    ['a lost connection, a change', lost, 'send', 'STORAGE_FAILED'],
    ['a lost connection, a look', lost, 'stats', 'STORAGE_UNAVAILABLE'],
    ['something that is no error', 'gone', 'send', 'STORAGE_FAILED'],
  ]

  test.each(cases)('%s', async (_, error, verb, code) => {
    const namespace = failing(error)
    const queue = new Queue('orders', { storage: new DurableObjectAdapter(namespace) })
    const use = (): Promise<unknown> => (verb === 'send' ? queue.createProducer().send(1) : queue.stats())
    const thrown = await expectCode(use(), code, '"orders"')
    expect(thrown.cause).toBe(error)
    // What reached the object may be broken: the next call takes another.
    await expectCode(use(), code)
    expect(namespace.stubs).toBe(2)
  })

  test('in some shards only: the whole is neither done nor not', async () => {
    let calls = 0
    const namespace = {
      idFromName: () => ({}),
      get: () => ({
        verb: () =>
          calls++ === 0 ? Promise.reject(overloaded) : Promise.resolve({ text: '[{"status":"stored"}]' }),
      }),
    }
    const queue = new Queue('orders', {
      storage: new DurableObjectAdapter(namespace, { shards: inShards(2) }),
    })
    const batch = Array.from({ length: 8 }, (_, i) => ({ payload: i, key: `${i}` }))
    await expectCode(queue.createProducer().sendBatch(batch), 'STORAGE_FAILED', 'some shards')
  })
})

test('in shards a message has an id or a key: the core refuses it, and those sent with it go through', async () => {
  const sent: string[] = []
  const namespace = {
    idFromName: (name: string) => ({ name }),
    get: () => ({
      verb: (_: string, { text }: { text: string }) => {
        sent.push(text)
        return Promise.resolve({ text: '[{"id":"a","status":"stored"}]' })
      },
    }),
  }
  const producer = new Queue('orders', {
    storage: new DurableObjectAdapter(namespace, { shards: inShards(2) }),
  }).createProducer()
  const [both, other] = [producer.send(1, { id: 'i', key: 'k' }), producer.send(2, { id: 'j' })]
  await expectCode(both, 'UNSUPPORTED', 'ids with keys')
  expect(await other).toEqual({ id: 'a', status: 'stored' })
  expect(sent).toHaveLength(1)
})

describe('where one shard of two fails', () => {
  const overloaded = Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true })

  /** Objects that know their verbs; the second fails. */
  function halfFailing(): { namespace: object; stored: string[]; fails: boolean } {
    const state = { namespace: {}, stored: [] as string[], fails: true }
    const claimed = {
      deliveries: [{ receipt: 'r', id: 'i', body: '1', timestamp: 0, attempt: 1, maxAttempts: 4 }],
    }
    state.namespace = {
      idFromName: (name: string) => ({ name }),
      get: ({ name }: { name: string }) => ({
        verb: (verb: string, { text }: { text: string }) => {
          if (name.endsWith('1') && state.fails) return Promise.reject(overloaded)
          if (verb === 'append') {
            const [messages] = JSON.parse(text) as [unknown[]]
            if (messages.length > 0) state.stored.push(name)
            return Promise.resolve({
              text: JSON.stringify(messages.map(() => ({ id: 'i', status: 'stored' }))),
            })
          }
          const empty = (JSON.parse(text) as [{ limit: number }])[0].limit === 0 || name.endsWith('1')
          return Promise.resolve({ text: JSON.stringify(empty ? { deliveries: [] } : claimed) })
        },
      }),
    }
    return state
  }

  const request = { group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 4 }

  test('messages that may lie anywhere are stored in the other', async () => {
    const { namespace, stored } = halfFailing()
    const view = await new DurableObjectAdapter(namespace as never, { shards: inShards(2) }).open('q')
    for (let i = 0; i < 4; i++) {
      const options = { batchId: crypto.randomUUID(), groups: [{ name: 'g' }] }
      expect(await view.append([{ body: 'a' }], options)).toMatchObject([{ status: 'stored' }])
    }
    expect(stored).toEqual(['q#0', 'q#0', 'q#0', 'q#0'])
    const keyed = [{ body: 'a', key: 'k' }]
    const ends = ['k', 'l', 'm', 'n'].map((key) => view.append([{ ...keyed[0]!, key }], { batchId: 'b' }))
    const codes = await Promise.allSettled(ends)
    expect(codes.some(({ status }) => status === 'rejected')).toBe(true)
  })

  test('claims give what the other has, wherever they start, and fail when it has nothing', async () => {
    const state = halfFailing()
    const view = await new DurableObjectAdapter(state.namespace as never, { shards: inShards(2) }).open('q')
    for (let i = 0; i < 4; i++) expect((await view.claim(request)).deliveries).toHaveLength(1)
    const { nextInMs } = await view.claim({ ...request, limit: 2 })
    expect(nextInMs).toBe(0)
    await expectCode(view.claim({ ...request, limit: 0 }), 'STORAGE_UNAVAILABLE')
  })
})
