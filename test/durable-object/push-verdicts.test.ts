import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Push, type PushOptions } from '../../adapters/durable-object/push.ts'
import { type Message, Queue, type Verdict } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'

// How the messages of a pushed batch end, each by its verdict: no runtime.

beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2030, 0, 1) }))
afterEach(() => vi.useRealTimers())

type Handle = (messages: readonly Message<string>[]) => unknown

/** A queue with these payloads, whose results are kept, pushed to a handler once. */
async function pushed(payloads: readonly string[], handle: Handle, options: PushOptions<string> = {}) {
  const storage = new MemoryAdapter()
  const errors: unknown[] = []
  const failed: string[] = []
  const push = new Push<string>({
    name: 'q',
    storage,
    alarms: { getAlarm: () => Promise.resolve(null), setAlarm: () => Promise.resolve() },
    isEmpty: () => false,
    options: () => ({
      retry: { initialMs: 60_000 },
      onError: (error) => errors.push(error),
      onFailed: (messages) => failed.push(...messages.map(({ payload }) => payload)),
      ...options,
    }),
    handle,
  })
  await push.load()
  const queue = new Queue<string>('q', { storage, keepMs: 60_000 })
  const sent = await queue.createProducer().sendBatch(payloads.map((payload) => ({ payload })))
  await push.alarm()
  const results = await Promise.all(sent.map(({ id }) => queue.result(id)))
  const list = await queue.list({ state: ['ready', 'leased', 'delayed', 'parked', 'dead'] })
  return { results, list: list.messages, errors, failed, stats: (await queue.stats()).groups['default']! }
}

test('each message ends as its verdict says', async () => {
  const verdicts: Verdict[] = [
    undefined,
    { kind: 'ack', result: { stored: 7 } },
    new Error('no room'),
    { kind: 'nack', delayMs: 5000, reason: 'later', counts: false },
    { kind: 'reject', reason: 'nonsense' },
    { kind: 'park', reason: 'no such address', data: { field: 'to' } },
  ]
  const { results, list, errors, stats } = await pushed(['a', 'b', 'c', 'd', 'e', 'f'], () => verdicts)
  expect(results).toMatchObject(
    [
      { status: 'done', value: undefined },
      { status: 'done', value: { stored: 7 } },
      {},
      {},
      { status: 'dead', reason: 'rejected', error: 'nonsense' },
      {},
    ].map((result) => (Object.keys(result).length > 0 ? result : undefined) as object),
  )
  const found = new Map(list.map((message) => [message.payload, message]))
  expect(found.get('c')).toMatchObject({ state: 'delayed', attempt: 1, lastError: 'no room' })
  expect(found.get('d')).toMatchObject({ state: 'delayed', attempt: 0, lastError: 'later' })
  expect(found.get('e')).toMatchObject({ state: 'dead' })
  expect(found.get('f')).toMatchObject({
    state: 'parked',
    parked: { reason: 'no such address', data: { field: 'to' } },
  })
  expect(errors).toEqual([])
  expect(stats).toMatchObject({ acked: 2, delayed: 2, parked: 1, dead: 1, leased: 0 })
})

test('what the handler has settled itself stays as it is', async () => {
  const { stats, errors } = await pushed(['a', 'b'], async ([first]) => {
    await first!.reject()
    return [undefined, { kind: 'ack' }]
  })
  expect(stats).toMatchObject({ acked: 1, dead: 1, leased: 0 })
  expect(errors).toEqual([])
})

test.each([['some'], [{}], [[undefined]], [[undefined, { kind: 'drop' }]], [[undefined, 'ack']], [null]])(
  'an answer that is no list of verdicts fails the batch: %j',
  async (answer) => {
    const { stats, failed, list } = await pushed(['a', 'b'], () => answer)
    expect(stats).toMatchObject({ acked: 0, delayed: 2, leased: 0 })
    expect(failed).toEqual(['a', 'b'])
    expect(list[0]!.lastError).toContain('onMessages: ')
  },
)

test('a verdict that is wrong fails its message alone', async () => {
  const { stats, failed, errors } = await pushed(['a', 'b', 'c'], () => [
    undefined,
    { kind: 'park' },
    { kind: 'nack', delay: 5 },
  ])
  expect(stats).toMatchObject({ acked: 1, delayed: 2, leased: 0 })
  expect(failed).toEqual(['b', 'c'])
  expect(errors).toEqual([])
})

test('a result that cannot be kept is told, and its message done', async () => {
  const { stats, errors, results } = await pushed(['a'], () => [{ kind: 'ack', result: 1n }])
  expect(stats).toMatchObject({ acked: 1, delayed: 0, leased: 0 })
  expect(errors).toMatchObject([{ code: 'UNSERIALIZABLE' }])
  expect(results).toMatchObject([{ status: 'done', value: undefined }])
})
