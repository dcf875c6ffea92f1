import { describe, expect, test } from 'vitest'
import {
  type ClaimRequest,
  type ConsumerOptions,
  type ErrorCode,
  type LaneRules,
  type Message,
  type NewMessage,
} from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { type Deferred, defer, expectCode, setUp } from '../support/set-up.ts'
import type { SpyStorage } from '../support/spy-storage.ts'

const ALL = { lanes: true, parking: true, results: true }
const odd = (value: unknown): never => value as never
const many = <V>(count: number, value: V): [string, V][] =>
  Array.from({ length: count }, (_, i) => [`${i}`, value])

describe('send', () => {
  test('says the lane, and how far replacements put a message off', async () => {
    const { producer, storage } = setUp({ guarantees: ALL })
    storage.stubs.append = (messages: readonly NewMessage[]) =>
      messages.map(() => ({ id: 'a', status: 'stored' }))
    await producer.send('x', { lane: 'tenant-7' })
    await producer.sendBatch([{ payload: 'x', lane: '__proto__' }, { payload: 'y' }])
    await producer.send('x', { id: 'a', replace: true, delayMs: 50, maxDelayMs: 50 })
    expect(storage.of('append').map(({ args }) => args[0])).toMatchObject([
      [{ lane: 'tenant-7' }],
      [{ lane: '__proto__' }, { lane: undefined }],
      [{ replace: true, delayMs: 50, maxDelayMs: 50 }],
    ])
  })

  const refused: readonly [object, ...string[]][] = [
    [{ lane: '' }, 'lane', 'not empty'],
    [{ lane: 5 }, 'lane', '5'],
    [{ lane: null }, 'lane', 'null'],
    [{ lane: '\udfff' }, 'lane', 'surrogates'],
    [{ maxDelayMs: 5 }, 'maxDelayMs needs replace and delayMs', '5'],
    [{ id: 'a', replace: true, maxDelayMs: 5 }, 'maxDelayMs needs replace and delayMs'],
    [{ id: 'a', delayMs: 5, maxDelayMs: 5 }, 'maxDelayMs needs replace and delayMs'],
    [{ id: 'a', replace: true, delayMs: 6, maxDelayMs: 5 }, 'maxDelayMs', 'delayMs (6)', '5'],
    [{ id: 'a', replace: true, delayMs: 6, maxDelayMs: 0 }, 'maxDelayMs', 'more than 0'],
    [{ id: 'a', replace: true, delayMs: 6, maxDelayMs: Infinity }, 'maxDelayMs', 'Infinity'],
  ]
  test.each(refused)('refuses %o', async (options, ...texts) => {
    const { producer, storage } = setUp({ guarantees: ALL })
    await expectCode(producer.send('x', odd(options)), 'INVALID_ARGUMENT', 'send', ...texts)
    const batch = [{ payload: 'x' }, { payload: 'y', ...options }]
    await expectCode(producer.sendBatch(odd(batch)), 'INVALID_ARGUMENT', 'sendBatch, message 1', ...texts)
    expect(storage.calls).toEqual([])
  })

  test('counts the lane into the weight of a batch', async () => {
    const { producer } = setUp({ guarantees: { ...ALL, maxBatchBytes: 100 } })
    const batch = [
      { payload: 1, lane: 'x'.repeat(60) },
      { payload: 1, lane: 'x'.repeat(60) },
    ]
    await expectCode(producer.sendBatch(batch), 'TOO_LARGE', 'sendBatch', '100', '122')
  })
})

describe('rules', () => {
  const refused: readonly [ConsumerOptions['lanes'] | object, ErrorCode, ...string[]][] = [
    [[], 'INVALID_ARGUMENT', 'lanes.options must be an object'],
    [{ limit: 3 }, 'INVALID_ARGUMENT', 'lanes.options are', 'concurrency', '"limit"'],
    [{ concurrency: 0 }, 'INVALID_ARGUMENT', 'lanes.concurrency', '0'],
    [{ concurrency: Infinity }, 'INVALID_ARGUMENT', 'lanes.concurrency', 'Infinity'],
    [{ weight: 0 }, 'INVALID_ARGUMENT', 'lanes.weight', '0'],
    [{ weight: 1.5 }, 'INVALID_ARGUMENT', 'lanes.weight', '1.5'],
    [{ weight: 1001 }, 'INVALID_ARGUMENT', 'lanes.weight', '1000', '1001'],
    [{ rate: 5 }, 'INVALID_ARGUMENT', 'lanes.rate', '5'],
    [{ rate: { count: 5 } }, 'INVALID_ARGUMENT', 'lanes.rate.perMs', 'undefined'],
    [{ rate: { perMs: 5 } }, 'INVALID_ARGUMENT', 'lanes.rate.count', 'undefined'],
    [{ rate: { count: 5, perMs: 0.5 } }, 'INVALID_ARGUMENT', 'lanes.rate.perMs', '1 or more', '0.5'],
    [{ rate: { count: 5, perMs: 5, burst: 6 } }, 'INVALID_ARGUMENT', 'lanes.rate.burst', '(5)', '6'],
    [{ rate: { count: 5, perMs: 5, burst: 0 } }, 'INVALID_ARGUMENT', 'lanes.rate.burst', '0'],
    [{ rate: { count: 5, perMs: 5, per: 6 } }, 'INVALID_ARGUMENT', 'lanes.rate.options', '"per"'],
    [{ names: 5 }, 'INVALID_ARGUMENT', 'lanes.names', '5'],
    [{ names: [] }, 'INVALID_ARGUMENT', 'lanes.names', 'an array'],
    [{ names: new Map() }, 'INVALID_ARGUMENT', 'lanes.names', 'Object.fromEntries'],
    [{ names: { '': {} } }, 'INVALID_ARGUMENT', 'a name of lanes.names', 'not empty'],
    [{ names: { a: { weight: 0 } } }, 'INVALID_ARGUMENT', 'lanes.names["a"].weight', '0'],
    [{ names: { a: null } }, 'INVALID_ARGUMENT', 'lanes.names["a"].options', 'null'],
    [{ names: { a: { names: {} } } }, 'INVALID_ARGUMENT', 'lanes.names["a"].options', '"names"'],
    [{ names: { ['x'.repeat(129)]: {} } }, 'TOO_LARGE', 'lanes.names', '128', '129'],
    [{ prefixes: {} }, 'INVALID_ARGUMENT', 'lanes.prefixes', 'an object'],
    [{ prefixes: ['a'] }, 'INVALID_ARGUMENT', 'lanes.prefixes[0]', 'array', '"a"'],
    [{ prefixes: [['a', {}, {}]] }, 'INVALID_ARGUMENT', 'lanes.prefixes[0]', 'pair'],
    [{ prefixes: [[5, {}]] }, 'INVALID_ARGUMENT', 'lanes.prefixes[0][0]', '5'],
    [{ prefixes: [['a']] }, 'INVALID_ARGUMENT', 'lanes.prefixes[0][1].options', 'undefined'],
    [
      {
        prefixes: [
          ['a', {}],
          ['b', {}],
          ['c', { rate: { count: 1, perMs: -1 } }],
        ],
      },
      'INVALID_ARGUMENT',
      'lanes.prefixes[2][1].rate.perMs',
      '-1',
    ],
    [{ names: Object.fromEntries(many(257, {})) }, 'TOO_LARGE', 'lanes', '256', '257'],
    [
      { names: Object.fromEntries(many(200, {})), prefixes: many(57, {}) },
      'TOO_LARGE',
      'lanes',
      '256',
      '257',
    ],
  ]

  test.each(refused)('refuses %o with %s', async (lanes, code, ...texts) => {
    const { queue, storage } = setUp({ guarantees: ALL })
    await expectCode(() => queue.createConsumer('g', { lanes: odd(lanes) }), code, 'createConsumer', ...texts)
    expect(storage.calls).toEqual([])
  })

  test('are what every claim brings: a copy that nobody changes, the same each time', async () => {
    const { queue, storage } = setUp({ guarantees: ALL })
    const rules: LaneRules = {
      concurrency: 3,
      rate: { count: 5, perMs: 1000, burst: undefined },
      weight: 1000,
      names: { ['__proto__']: { weight: 2 }, a: {} },
      prefixes: many(254, { concurrency: 1 }),
    }
    const consumer = queue.createConsumer('g', { lanes: rules })
    Object.assign(rules.names!, { b: { weight: 9 } })
    await consumer.receive()
    await consumer.receive()
    const [first, second] = storage.of('claim').map(({ args }) => (args[0] as ClaimRequest).lanes!)
    expect(second).toBe(first)
    expect(first).toMatchObject({ concurrency: 3, rate: { count: 5, perMs: 1000 }, weight: 1000 })
    expect(Object.keys(first!.names!).toSorted()).toEqual(['__proto__', 'a'])
    expect(Object.isFrozen(first!.prefixes![0]![1])).toBe(true)
    expect(Object.isFrozen(first!.rate)).toBe(true)
    await expect(queue.createConsumer('g').receive()).resolves.toBeUndefined()
    expect((storage.of('claim').at(-1)!.args[0] as ClaimRequest).lanes).toBeUndefined()
  })
})

describe('only', () => {
  const claims = (storage: SpyStorage): readonly ClaimRequest[] =>
    storage.of('claim').map(({ args }) => args[0] as ClaimRequest)

  const bad: readonly [unknown, ErrorCode, ...string[]][] = [
    [5, 'INVALID_ARGUMENT', 'only', '5'],
    [null, 'INVALID_ARGUMENT', 'only', 'null'],
    ['x'.repeat(129), 'TOO_LARGE', '128', '129'],
    ['\ud800', 'INVALID_ARGUMENT', 'surrogates'],
    [[''], 'INVALID_ARGUMENT', 'a lane of only', 'not empty'],
    [['a', 5], 'INVALID_ARGUMENT', 'a lane of only', '5'],
    [Array.from({ length: 65 }, (_, i) => `${i}`), 'TOO_LARGE', 'only', '64', '65'],
  ]
  test.each(bad)('refuses %j', async (only, code, ...texts) => {
    const { queue, consumer } = setUp({ guarantees: ALL })
    await expectCode(() => queue.createConsumer('g', { only: odd(only) }), code, 'createConsumer', ...texts)
    await expectCode(() => (consumer.only = odd(only)), code, 'consumer.only', ...texts)
    expect(consumer.only).toBeUndefined()
  })

  test('needs a storage with lanes', async () => {
    const { consumer } = setUp({ guarantees: { lanes: false } })
    await expectCode(() => (consumer.only = 'a'), 'UNSUPPORTED', 'consumer.only', 'lanes')
    consumer.only = undefined
  })

  test('is a part of each claim, a copy, with the position of the claim before', async () => {
    const { queue, storage } = setUp({ guarantees: ALL })
    let turn = 0
    storage.stubs.claim = () => ({ deliveries: [], position: `p${++turn}` })
    const names = ['a', 'b']
    const consumer = queue.createConsumer('default', { only: names })
    names.push('c')
    await consumer.receive()
    await consumer.receive()
    consumer.only = 'a'
    await consumer.receive()
    consumer.only = ''
    await consumer.receive()
    consumer.only = []
    await consumer.receive()
    consumer.only = undefined
    await consumer.receive()
    expect(claims(storage).map(({ only, position }) => [only, position])).toEqual([
      [['a', 'b'], undefined],
      [['a', 'b'], 'p1'],
      ['a', undefined],
      ['', undefined],
      [[], undefined],
      [undefined, undefined],
    ])
  })

  test('consumers that take from all lanes by the same rules share a claim, others have their own', async () => {
    const { queue, storage } = setUp({ guarantees: ALL })
    const all = [undefined, undefined, 'a', 'b', ['a']].map((only) => queue.createConsumer('g', { only }))
    const rules = queue.createConsumer('g', { lanes: { concurrency: 1 } })
    storage.stubs.claim = () => ({ deliveries: [] })
    await Promise.all([...all, rules].map((consumer) => consumer.receive()))
    expect(claims(storage).map(({ only, limit, lanes }) => [only, limit, lanes])).toEqual(
      expect.arrayContaining([
        [undefined, 2, undefined],
        ['a', 1, undefined],
        ['b', 1, undefined],
        [['a'], 1, undefined],
        [undefined, 1, { concurrency: 1 }],
      ]),
    )
    expect(claims(storage)).toHaveLength(5)
  })

  test('changes what waits and what runs, with the next claim, at once', async () => {
    const { queue, storage, consumer, producer } = setUp<string>({ guarantees: ALL })
    storage.stubs.claim = () => ({ deliveries: [] })
    const stop = new AbortController()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    const waiting = consumer.receive({ waitMs: 1000, signal: stop.signal })
    waiting.catch(() => undefined)
    const other = queue.createConsumer()
    const elsewhere = other.receive({ waitMs: 1000, signal: stop.signal })
    elsewhere.catch(() => undefined)
    await settle()
    storage.calls.length = 0
    consumer.only = 'mine'
    await settle()
    expect(claims(storage).map(({ only, limit }) => [only, limit])).toEqual([['mine', 2]])
    storage.calls.length = 0
    storage.hint()
    await settle()
    expect(new Set(claims(storage).map(({ only }) => only))).toEqual(new Set(['mine', undefined]))
    delete storage.stubs.claim
    consumer.only = undefined
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }, { payload: 'z' }])
    await settle()
    expect([...seen, (await waiting)!.payload, (await elsewhere)!.payload].toSorted()).toEqual([
      'x',
      'y',
      'z',
    ])
    stop.abort()
    await running
  })

  test('changed while a claim is under way, what it brings is delivered, and the next one is another', async () => {
    const { storage, consumer, producer } = setUp<string>({ guarantees: ALL })
    await producer.send('x')
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'claim' ? gate.promise : undefined)
    const stop = new AbortController()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    consumer.only = 'mine'
    storage.stubs.claim = ({ only }: ClaimRequest) => ({ deliveries: [], position: JSON.stringify(only) })
    delete storage.stubs.claim
    gate.resolve()
    await settle()
    expect(seen).toEqual(['x'])
    const after = claims(storage)
    expect(after[0]!.only).toBeUndefined()
    expect(after.slice(1).every(({ only }) => only === 'mine')).toBe(true)
    expect(after.length).toBeGreaterThan(1)
    stop.abort()
    await running
  })

  test('each of several that wait looks again when its own lanes may go', async () => {
    const { clock, queue, storage } = setUp({ guarantees: ALL })
    storage.stubs.claim = ({ only }: ClaimRequest) => ({
      deliveries: [],
      nextInMs: only === 'soon' ? 500 : only === 'later' ? 700 : undefined,
    })
    const stop = new AbortController()
    const { signal } = stop
    const waiting = [undefined, 'soon', 'later', 'never'].map((only) => {
      return queue.createConsumer('default', { only }).run(() => undefined, { signal })
    })
    await clock.advance(0)
    storage.calls.length = 0
    await clock.advance(1400)
    expect(claims(storage).map(({ only }) => only)).toEqual(['soon', 'later', 'soon', 'later'])
    storage.calls.length = 0
    await clock.advance(28_600)
    expect(claims(storage).filter(({ only }) => only === undefined || only === 'never')).toHaveLength(2)
    stop.abort()
    await Promise.all(waiting)
  })

  test('a thousand selections leave nothing behind', async () => {
    const { queue, storage, consumer } = setUp({ guarantees: ALL })
    storage.stubs.claim = () => ({ deliveries: [] })
    for (let i = 0; i < 1000; i++) {
      consumer.only = `${i}`
      await consumer.receive()
      await queue.createConsumer('default', { only: [`${i}`] }).receive()
    }
    storage.calls.length = 0
    consumer.only = undefined
    await consumer.receive()
    expect(claims(storage)).toHaveLength(1)
  })
})

test('afterDead is a part of claims and of dead letters', async () => {
  const { queue, storage, producer } = setUp<string>({ guarantees: ALL })
  const parks = queue.createConsumer('g', { afterDead: 'park', retry: { maxAttempts: 1 } })
  const goesOn = queue.createConsumer('h', { afterDead: 'continue' })
  await producer.send('x')
  const message = (await parks.receive())!
  storage.stubs.settle = () => [{ status: 'settled' }]
  await message.reject({ reason: 'no' })
  await goesOn.receive()
  const [first, second] = storage.of('claim').map(({ args }) => args[0] as ClaimRequest)
  expect([first!.parksNext, second!.parksNext]).toEqual([true, undefined])
  expect(storage.of('settle')[0]!.args[1]).toMatchObject([
    { kind: 'dead', reason: 'rejected', parksNext: true },
  ])
  await expectCode(
    () => queue.createConsumer('g', { afterDead: odd('stop') }),
    'INVALID_ARGUMENT',
    'afterDead',
    '"continue", "park"',
  )
  const none = setUp({ guarantees: { parking: false } })
  await expectCode(
    () => none.queue.createConsumer('g', { afterDead: 'park' }),
    'UNSUPPORTED',
    'createConsumer',
    'parking',
  )
  expect(none.queue.createConsumer('g', { afterDead: 'continue' }).group).toBe('g')
})

describe('in memory', () => {
  test('a lane with one message has its turn soon, however much waits in another', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.sendBatch(Array.from({ length: 1000 }, () => ({ payload: 'a', lane: 'A' })))
    const stop = new AbortController()
    const seen: string[] = []
    const gate: Deferred = defer()
    const running = consumer.run(
      async ({ payload }) => {
        seen.push(payload)
        if (seen.length === 50) await producer.send('b', { lane: 'B' })
        if (payload === 'b') gate.resolve()
      },
      { concurrency: 2, signal: stop.signal },
    )
    await gate.promise
    expect(seen.indexOf('b')).toBeLessThan(50 + 4)
    stop.abort()
    await running
    expect((await queue.stats()).groups['default']!.leased).toBe(0)
  })

  test('the concurrency of a lane is that of all consumers together, and the others go on', async () => {
    const { queue, producer } = setUp<number>()
    const lanes = { concurrency: 2, names: { B: { concurrency: 1 } } }
    const consumers = [1, 2].map(() => queue.createConsumer('default', { lanes }))
    const messages = Array.from({ length: 30 }, (_, i) => ({ payload: i, lane: 'ABC'[i % 3]! }))
    await producer.sendBatch(messages)
    const running = new Map<string, number>()
    const most = new Map<string, number>()
    const work = async ({ lane = '' }: Message<number>): Promise<void> => {
      running.set(lane, (running.get(lane) ?? 0) + 1)
      most.set(lane, Math.max(most.get(lane) ?? 0, running.get(lane)!))
      await settle()
      running.set(lane, running.get(lane)! - 1)
    }
    const reports = await Promise.all(consumers.map((one) => one.drain(work, { concurrency: 10 })))
    expect(reports.reduce((sum, { acked }) => sum + acked, 0)).toBe(30)
    expect(Object.fromEntries(most)).toEqual({ A: 2, B: 1, C: 2 })
  })

  test('a rate spaces deliveries, and who waits is there in time', async () => {
    const { clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', {
      lanes: { rate: { count: 5, perMs: 1000, burst: 1 } },
    })
    await producer.sendBatch(Array.from({ length: 20 }, (_, payload) => ({ payload, lane: 'A' })))
    const stop = new AbortController()
    const at: number[] = []
    const start = clock.now()
    const running = consumer.run(() => void at.push(clock.now() - start), {
      concurrency: 5,
      signal: stop.signal,
    })
    await clock.advance(2000)
    expect(at).toEqual([0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000])
    stop.abort()
    await running
  })

  test('only: a running loop takes from other lanes at once', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const lanes = ['t1', 't2', 'x', undefined]
    await producer.sendBatch(lanes.map((lane) => ({ payload: lane ?? 'none', lane })))
    const stop = new AbortController()
    const seen: string[] = []
    consumer.only = ['t2']
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    expect(seen).toEqual(['t2'])
    consumer.only = 't'
    await settle()
    expect(seen).toEqual(['t2', 't1'])
    consumer.only = []
    await producer.send('t3', { lane: 't3' })
    await settle()
    expect(seen).toHaveLength(2)
    consumer.only = undefined
    await settle()
    expect(seen.slice(2).toSorted(inOrder)).toEqual(['none', 't3', 'x'])
    stop.abort()
    await running
    expect((await queue.stats()).messages).toBe(0)
  })

  test('a message knows its lane, and a list shows one lane', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('a', { lane: 'A' })
    await producer.send('b')
    expect((await queue.list({ lane: 'A' })).messages).toMatchObject([{ payload: 'a', lane: 'A' }])
    expect((await queue.list({ lane: '' })).messages).toMatchObject([{ payload: 'b', lane: undefined }])
    const received = await consumer.receiveBatch(2)
    expect(received.map(({ lane }) => lane)).toEqual([undefined, 'A'])
    expect((await queue.lanes()).lanes).toMatchObject([{ lane: 'A', leased: 1, waiting: 0, holds: [] }])
  })
})

const inOrder = (a: string, b: string): number => a.localeCompare(b)
