import { describe, expect, test } from 'vitest'
import { type HoldRequest, type ReleaseRequest } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, setUp } from '../support/set-up.ts'

const ALL = { lanes: true, parking: true, results: true }
const odd = (value: unknown): never => value as never

test('hold and release say which place, and what else they were told', async () => {
  const { queue, storage } = setUp({ guarantees: ALL })
  storage.stubs.hold = () => undefined
  storage.stubs.release = () => true
  await queue.hold()
  const request: HoldRequest = { group: 'g', lane: 'l', forMs: 5, reason: 'they asked for it', probe: true }
  await queue.hold(request)
  await queue.hold({ reason: 'x'.repeat(5000) })
  expect(storage.of('hold').map(({ args }) => args[0])).toEqual([{}, request, { reason: 'x'.repeat(4096) }])
  const place: ReleaseRequest = { group: 'g', lane: 'l', probe: true }
  expect(await queue.release(place)).toBe(true)
  storage.stubs.release = () => false
  expect(await queue.release()).toBe(false)
  expect(storage.of('release').map(({ args }) => args[0])).toEqual([place, {}])
})

test.each([
  ['group', ''],
  ['group', 5],
  ['lane', ''],
  ['lane', '\ud800'],
  ['forMs', 0],
  ['forMs', Infinity],
  ['forMs', '5'],
  ['reason', 5],
  ['probe', 'yes'],
  ['ms', 5],
])('hold refuses %s: %j, release as well', async (option, value) => {
  const { queue, storage } = setUp({ guarantees: ALL })
  await expectCode(queue.hold(odd({ [option]: value })), 'INVALID_ARGUMENT', 'hold', option)
  await expectCode(queue.release(odd({ [option]: value })), 'INVALID_ARGUMENT', 'release', option)
  expect(storage.calls).toEqual([])
})

test('lanes may have 128 bytes', async () => {
  const { queue, producer, storage } = setUp({ guarantees: ALL })
  storage.stubs.hold = () => undefined
  await queue.hold({ lane: 'x'.repeat(128) })
  const lane = '€'.repeat(43)
  await expectCode(queue.hold({ lane }), 'TOO_LARGE', 'lane', '128', '129')
  await expectCode(queue.release({ lane }), 'TOO_LARGE', 'lane', '128', '129')
  await expectCode(producer.send('x', { lane }), 'TOO_LARGE', 'send', 'lane', '128', '129')
  await expectCode(queue.list({ lane }), 'TOO_LARGE', 'list', 'lane', '128', '129')
  await expectCode(queue.lanes({ prefix: lane }), 'TOO_LARGE', 'lanes', 'prefix', '128', '129')
})

test('lanes are a page', async () => {
  const { queue, storage } = setUp({ guarantees: ALL })
  const page = { lanes: [{ lane: 'a', waiting: 1, leased: 0, holds: [] }], cursor: 'next' }
  storage.stubs.lanes = () => page
  expect(await queue.lanes()).toEqual(page)
  const query = { group: 'g', prefix: 't-', limit: 5, cursor: 'next' }
  await queue.lanes(query)
  expect(storage.of('lanes').map(({ args }) => args[0])).toEqual([
    { group: 'default', prefix: undefined, limit: 100, cursor: undefined },
    query,
  ])
  for (const [option, value] of Object.entries({ group: '', prefix: 5, limit: 0, cursor: 5, lane: 'a' })) {
    await expectCode(queue.lanes(odd({ [option]: value })), 'INVALID_ARGUMENT', 'lanes', option)
  }
})

test('a storage without lanes refuses all of it, before anything is stored', async () => {
  const { queue, producer, storage } = setUp({ guarantees: { lanes: false } })
  await expectCode(queue.hold(), 'UNSUPPORTED', 'hold', 'lanes', 'memory')
  await expectCode(queue.release(), 'UNSUPPORTED', 'release')
  await expectCode(queue.lanes(), 'UNSUPPORTED', 'lanes')
  await expectCode(producer.send('x', { lane: 'a' }), 'UNSUPPORTED', 'send', 'lanes')
  await expectCode(producer.sendBatch([{ payload: 'x', lane: 'a' }]), 'UNSUPPORTED', 'sendBatch, message 0')
  await expectCode(() => queue.createConsumer('g', { lanes: {} }), 'UNSUPPORTED', 'createConsumer', 'lanes')
  await expectCode(() => queue.createConsumer('g', { only: 'a' }), 'UNSUPPORTED', 'createConsumer', 'lanes')
  expect(storage.calls).toEqual([])
})

describe('in memory', () => {
  test('a hold stops a lane, a group or the queue, for whoever waits, until it is released', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const stop = new AbortController()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    for (const place of [{ lane: 'A' }, { group: 'default' }, {}, { group: 'default', lane: 'A' }]) {
      seen.length = 0
      await queue.hold({ ...place, reason: 'maintenance' })
      expect((await queue.stats()).holds).toMatchObject([{ ...place, reason: 'maintenance', probe: false }])
      await producer.send('a', { lane: 'A' })
      await producer.send('b', { lane: 'B' })
      await settle()
      expect(seen).toEqual('lane' in place ? ['b'] : [])
      expect(await queue.release({ lane: 'other' })).toBe(false)
      expect(await queue.release(place)).toBe(true)
      expect(await queue.release(place)).toBe(false)
      await settle()
      expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'b'])
    }
    expect((await queue.stats()).holds).toEqual([])
    stop.abort()
    await running
  })

  test('it ends by itself, whoever waits is there in time, and a probe goes first', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await queue.hold({ lane: 'A', forMs: 5000, probe: true })
    await producer.sendBatch(Array.from({ length: 5 }, (_, payload) => ({ payload, lane: 'A' })))
    const stop = new AbortController()
    const seen: number[] = []
    const gate = defer()
    const running = consumer.run(
      async ({ payload }) => {
        seen.push(payload)
        await gate.promise
      },
      { concurrency: 5, signal: stop.signal },
    )
    await clock.advance(4999)
    expect(seen).toEqual([])
    await clock.advance(1)
    expect(seen).toEqual([0])
    await clock.advance(1000)
    expect(seen).toEqual([0])
    gate.resolve()
    await settle()
    expect(seen).toEqual([0, 1, 2, 3, 4])
    stop.abort()
    await running
  })
})
