import { describe, expect, test } from 'vitest'
import {
  type ConsumerOptions,
  type Consumer,
  type ErrorCode,
  Message,
  type Producer,
  Queue,
  type QueueOptions,
  type SendOptions,
} from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { leaseOf } from '../../src/core/message.ts'
import { settle } from '../support/settle.ts'
import { expectCode, expectEmpty, setUp } from '../support/set-up.ts'

/** What no caller in TypeScript can pass, and any in JavaScript. */
const any = (value: unknown): never => value as never

const LONG = 'x'.repeat(257)
/** 86 characters of three bytes each. */
const WIDE = '€'.repeat(86)

/** A name that is refused, the code, and what the text must say. */
const NAMES: readonly [unknown, ErrorCode, ...string[]][] = [
  ['', 'INVALID_ARGUMENT', 'not empty', '""'],
  [42, 'INVALID_ARGUMENT', 'string', '42'],
  [null, 'INVALID_ARGUMENT', 'null'],
  [{}, 'INVALID_ARGUMENT', 'an object'],
  [Symbol('s'), 'INVALID_ARGUMENT', 'Symbol(s)'],
  ['\ud800', 'INVALID_ARGUMENT', 'well-formed', 'surrogate'],
  ['a\udfffb', 'INVALID_ARGUMENT', 'surrogate'],
  [LONG, 'TOO_LARGE', '256', '257'],
  [WIDE, 'TOO_LARGE', '256', '258'],
  ['x'.repeat(10_000_000), 'TOO_LARGE', '256', '10000000'],
]

const GOOD_NAMES = [
  'x',
  ' ',
  'x'.repeat(256),
  '€'.repeat(85),
  '../../etc',
  '__proto__',
  'a\u0000b',
  '😀',
  '\uffff',
]

/** A duration that is refused, and how the text shows it. */
const BAD_MS: readonly [unknown, string][] = [
  [-1, '-1'],
  [Number.NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [-Infinity, '-Infinity'],
  [2 ** 53, '9007199254740992'],
  [1_780_000_000_000_000, '1780000000000000'],
  ['5', '"5"'],
  [null, 'null'],
  [5n, '5'],
  [new Date(0), 'an object'],
]

/** A count that is refused, and how the text shows it. */
const BAD_COUNTS: readonly [unknown, string][] = [
  [0, '0'],
  [-1, '-1'],
  [1.5, '1.5'],
  [Number.NaN, 'NaN'],
  [Infinity, 'Infinity'],
  ['3', '"3"'],
  [null, 'null'],
]

describe('names', () => {
  test.each(NAMES)('of a queue: %s', async (name, code, ...texts) => {
    await expectCode(() => new Queue(any(name)), code, 'new Queue', 'name', ...texts)
  })

  test.each(NAMES)('of a group: %s', async (name, code, ...texts) => {
    const { queue } = setUp()
    await expectCode(() => queue.createConsumer(any(name)), code, 'createConsumer', 'group', ...texts)
    await expectCode(() => queue.deadLetters(any(name)), code, 'deadLetters', 'group', ...texts)
    await expectCode(queue.deleteGroup(any(name)), code, 'deleteGroup', 'group', ...texts)
    await expectCode(queue.list({ group: any(name) }), code, 'list', 'group', ...texts)
    expect(Object.keys((await queue.stats()).groups)).toEqual(['default'])
  })

  test.each(NAMES)('of a message, an ordering key: %s', async (name, code, ...texts) => {
    const { queue, producer } = setUp()
    await expectCode(producer.send('x', { id: any(name) }), code, 'send', 'id', ...texts)
    await expectCode(producer.send('x', { key: any(name) }), code, 'send', 'key', ...texts)
    await expectCode(queue.cancel([any(name)]), code, 'cancel', 'id', ...texts)
    await expectCode(queue.list({ ids: [any(name)] }), code, 'list', 'id', ...texts)
    await expectCode(queue.deadLetters().redrive([any(name)]), code, 'redrive', 'id', ...texts)
    await expectCode(queue.deadLetters().delete(['fine', any(name)]), code, 'delete', 'id', ...texts)
    await expectEmpty(queue)
  })

  test.each(GOOD_NAMES)('anything else is fine: %j', async (name) => {
    const storage = new MemoryAdapter()
    const queue = new Queue(name, { storage })
    await queue.createProducer().send('x', { id: name, key: name })
    const consumer = queue.createConsumer(name)
    const message = await consumer.receive()
    expect(message).toMatchObject({ id: name, key: name, group: name })
    expect(Object.entries((await queue.stats()).groups)).toMatchObject([[name, { leased: 1 }]])
    await message!.reject()
    expect((await queue.deadLetters(name).list()).messages).toHaveLength(1)
    await queue.close()
  })
})

describe('options of send', () => {
  type Row = [string, unknown, ErrorCode, ...string[]]
  const bad: readonly Row[] = [
    ...BAD_MS.map(([ms, shown]): Row => ['delayMs', ms, 'INVALID_ARGUMENT', '0 or more', shown]),
    ...BAD_MS.map(([ms, shown]): Row => ['expiresInMs', ms, 'INVALID_ARGUMENT', 'more than 0', shown]),
    ...BAD_MS.map(([ms, shown]): Row => ['dedupeMs', ms, 'INVALID_ARGUMENT', '0 or more', shown]),
    ...BAD_COUNTS.map(([n, shown]): Row => ['maxAttempts', n, 'INVALID_ARGUMENT', '1 or more', shown]),
    ['expiresInMs', 0, 'INVALID_ARGUMENT', 'more than 0', '0'],
    ['replace', 'yes', 'INVALID_ARGUMENT', 'true or false', '"yes"'],
    ['replace', null, 'INVALID_ARGUMENT', 'null'],
    ['headers', 'a: b', 'INVALID_ARGUMENT', 'object'],
    ['headers', null, 'INVALID_ARGUMENT', 'object'],
    ['headers', [['a', 'b']], 'INVALID_ARGUMENT', 'object'],
    ['headers', new Headers({ a: 'b' }), 'INVALID_ARGUMENT', 'object'],
    ['headers', new Map([['a', 'b']]), 'INVALID_ARGUMENT', 'object'],
    ['headers', { tries: 3 }, 'INVALID_ARGUMENT', '"tries"', 'string', '3'],
    ['headers', { none: undefined }, 'INVALID_ARGUMENT', '"none"', 'undefined'],
    ['headers', { big: 'x'.repeat(65_536) }, 'TOO_LARGE', '65536', '65539'],
    ['headers', { ['x'.repeat(65_537)]: '' }, 'TOO_LARGE', '65536', '65537'],
    ['delay', 5, 'INVALID_ARGUMENT', 'delayMs', '"delay"'],
    ['DelayMs', 5, 'INVALID_ARGUMENT', '"DelayMs"'],
    ['priority', undefined, 'INVALID_ARGUMENT', '"priority"'],
    ['payload', 5, 'INVALID_ARGUMENT', '"payload"'],
  ]

  test.each(bad)('%s: %s', async (option, value, code, ...texts) => {
    const { queue, producer } = setUp()
    const options = { id: 'a', [option]: value } as SendOptions
    await expectCode(producer.send('x', options), code, 'send', ...texts)
    if (option !== 'payload') {
      await expectCode(
        producer.sendBatch([{ payload: 'fine' }, { payload: 'x', ...options }, { payload: 'fine' }]),
        code,
        'sendBatch, message 1',
        ...texts,
      )
    }
    await expectEmpty(queue)
  })

  test.each([null, 5, 'id', true, [], () => undefined])('that are none: %s', async (options) => {
    const { queue, producer } = setUp()
    await expectCode(producer.send('x', any(options)), 'INVALID_ARGUMENT', 'send', 'options')
    await expectCode(producer.sendBatch([any(options)]), 'INVALID_ARGUMENT', 'sendBatch, message 0')
    await expectEmpty(queue)
  })

  test('that contradict each other', async () => {
    const { queue, producer } = setUp()
    const refused: readonly [SendOptions, ...string[]][] = [
      [{ replace: true }, 'need an id'],
      [{ dedupeMs: 5 }, 'need an id'],
      [{ dedupeMs: 0 }, 'need an id'],
      [{ delayMs: 100, expiresInMs: 100 }, 'more than delayMs', '100'],
      [{ delayMs: 100, expiresInMs: 50 }, 'more than delayMs', '50', '100'],
    ]
    for (const [options, ...texts] of refused) {
      await expectCode(producer.send('x', options), 'INVALID_ARGUMENT', ...texts)
    }
    await expectEmpty(queue)
    await producer.send('x', { delayMs: 100, expiresInMs: 101 })
    await producer.send('x', { replace: false })
  })

  test('header bytes up to the limit are fine', async () => {
    const { producer, consumer } = setUp()
    await producer.send('x', { headers: { big: 'x'.repeat(65_533) } })
    expect((await consumer.receive())?.headers['big']).toHaveLength(65_533)
  })

  test('undefined is as if it were not there', async () => {
    const { producer } = setUp()
    const options = {
      id: undefined,
      key: undefined,
      headers: undefined,
      delayMs: undefined,
      replace: undefined,
    }
    expect(await producer.send('x', any(options))).toMatchObject({ status: 'stored' })
    expect(await producer.send('x', any(undefined))).toMatchObject({ status: 'stored' })
  })
})

describe('payloads', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle

  test.each([
    ['a cycle', cycle, 'circular'],
    ['a BigInt', 5n, 'BigInt'],
    ['a BigInt deep inside', { a: [{ b: 5n }] }, 'BigInt'],
    ['undefined', undefined, 'undefined'],
    ['a function', () => 1, 'function'],
    ['a symbol', Symbol('s'), 'symbol'],
    [
      'one whose toJSON throws',
      {
        toJSON() {
          throw new Error('not me')
        },
      },
      'not me',
    ],
  ])('that cannot be encoded: %s', async (_, payload, text) => {
    const { queue, producer } = setUp()
    await expectCode(producer.send(payload), 'UNSERIALIZABLE', 'send', text)
    await expectCode(
      producer.sendBatch([{ payload: 'fine' }, { payload }]),
      'UNSERIALIZABLE',
      'sendBatch, message 1',
      text,
    )
    await expectEmpty(queue)
  })

  test('that are too large, as text, as wide text and as bytes', async () => {
    const { queue, producer, consumer } = setUp({ guarantees: { maxBodyBytes: 1000 } })
    await expectCode(producer.send('x'.repeat(999)), 'TOO_LARGE', 'send', '1000', '1001')
    await expectCode(producer.send('€'.repeat(333)), 'TOO_LARGE', '1000', '1001')
    await expectCode(producer.send(new Uint8Array(1001)), 'TOO_LARGE', '1000', '1001')
    await expectCode(
      producer.sendBatch([{ payload: 1 }, { payload: 'x'.repeat(2000) }]),
      'TOO_LARGE',
      'sendBatch, message 1',
      '2002',
    )
    await expectEmpty(queue)
    await producer.send('x'.repeat(998))
    await producer.send(new Uint8Array(1000))
    expect(await consumer.receiveBatch(5)).toHaveLength(2)
  })

  test('that are too large for memory, whose limit is 64 MiB', async () => {
    const { queue, producer } = setUp()
    const limit = 64 * 1024 * 1024
    await expectCode(producer.send('x'.repeat(limit)), 'TOO_LARGE', String(limit), String(limit + 2))
    await expectCode(producer.send(new Uint8Array(limit + 1)), 'TOO_LARGE', String(limit))
    await expectEmpty(queue)
  })
})

describe('batches', () => {
  test('that are none, or too large', async () => {
    const { queue, producer } = setUp({ guarantees: { maxBatch: 3 } })
    for (const none of [undefined, null, 'abc', { length: 1 }, 5]) {
      await expectCode(producer.sendBatch(any(none)), 'INVALID_ARGUMENT', 'sendBatch', 'array')
    }
    const four = Array.from({ length: 4 }, (_, payload) => ({ payload }))
    await expectCode(producer.sendBatch(four), 'TOO_LARGE', 'sendBatch', '3', '4')
    await expectCode(producer.sendBatch([any(undefined)]), 'INVALID_ARGUMENT', 'sendBatch, message 0')
    await expectEmpty(queue)
    expect(await producer.sendBatch(four.slice(0, 3))).toHaveLength(3)
  })
})

describe('batches of too many bytes', () => {
  test('are refused whole, counted in UTF-8 with ids, keys and headers', async () => {
    const { queue, producer } = setUp({ guarantees: { maxBatchBytes: 30 } })
    const nine = { payload: 'é'.repeat(2), key: 'k', id: 'i', headers: { a: '' } } // 2 quotes, 4, 1, 1, 1
    const named = (...ids: string[]): unknown[] => ids.map((id) => ({ ...nine, id }))
    await expectCode(
      producer.sendBatch(any(named('a', 'b', 'c', 'd'))),
      'TOO_LARGE',
      'sendBatch',
      '30 bytes',
      '36',
    )
    await expectEmpty(queue)
    expect(await producer.sendBatch(any(named('a', 'b', 'c')))).toHaveLength(3)
  })
})

describe('options of a queue', () => {
  test.each<[string, unknown, ...string[]]>([
    ['storage', {}, 'storage', 'open'],
    ['storage', null, 'storage'],
    ['storage', './data', 'storage', '"./data"'],
    ['storage', { open: () => undefined }, 'storage'],
    ['clock', {}, 'clock', 'now'],
    ['clock', { now: Date.now }, 'clock', 'setTimeout'],
    ['clock', null, 'clock'],
    ['random', 0.5, 'random', 'function'],
    ['id', 'abc', 'id', 'function'],
    ['codec', {}, 'codec', 'encode'],
    ['codec', { encode: String }, 'codec', 'decode'],
    ['codec', null, 'codec'],
    ['schema', {}, 'schema', 'Standard Schema'],
    ['schema', null, 'schema'],
    ['schema', { '~standard': {} }, 'schema', 'validate'],
    ['Storage', new MemoryAdapter(), '"Storage"'],
    ['retry', {}, '"retry"'],
  ])('%s: %s', async (option, value, ...texts) => {
    const options = { [option]: value } as QueueOptions<unknown>
    await expectCode(() => new Queue('q', options), 'INVALID_ARGUMENT', 'new Queue', ...texts)
  })

  test.each([null, 5, 'q', []])('that are none: %s', async (options) => {
    await expectCode(() => new Queue('q', any(options)), 'INVALID_ARGUMENT', 'options')
  })

  test('undefined is as if it were not there', async () => {
    const none = { storage: undefined, clock: undefined, codec: undefined, schema: undefined, id: undefined }
    const queue = new Queue('q', any(none))
    expect(await queue.createProducer().send('x')).toMatchObject({ status: 'stored' })
    await queue.close()
  })
})

describe('options of a consumer', () => {
  type Row = [string, unknown, ...string[]]
  test.each<Row>([
    ...BAD_MS.map(([ms, shown]): Row => ['leaseMs', ms, 'leaseMs', 'more than 0', shown]),
    ['leaseMs', 0, 'more than 0'],
    ...BAD_COUNTS.map(([n, shown]): Row => ['retry', { maxAttempts: n }, 'retry.maxAttempts', shown]),
    ...BAD_MS.map(([ms, shown]): Row => ['retry', { initialMs: ms }, 'retry.initialMs', shown]),
    ...BAD_MS.map(([ms, shown]): Row => ['retry', { maxMs: ms }, 'retry.maxMs', shown]),
    ['retry', { factor: 0.5 }, 'retry.factor', '0.5'],
    ['retry', { factor: Infinity }, 'retry.factor', 'Infinity'],
    ['retry', { factor: Number.NaN }, 'retry.factor', 'NaN'],
    ['retry', { factor: '2' }, 'retry.factor', '"2"'],
    ['retry', { max: 5 }, 'maxAttempts', '"max"'],
    ['retry', 5, 'object'],
    ['from', 'now', 'earliest', '"now"'],
    ['from', null, 'earliest', 'null'],
    ['group', 'g', '"group"'],
    ['leaseMS', 5, '"leaseMS"'],
  ])('%s: %s', async (option, value, ...texts) => {
    const { queue } = setUp()
    const options = { [option]: value } as ConsumerOptions
    await expectCode(() => queue.createConsumer('g', options), 'INVALID_ARGUMENT', 'createConsumer', ...texts)
  })

  test.each([null, 5, 'g', []])('that are none: %s', async (options) => {
    const { queue } = setUp()
    await expectCode(() => queue.createConsumer('g', any(options)), 'INVALID_ARGUMENT', 'options')
  })
})

describe('receiving', () => {
  type Row = [string, (consumer: Consumer<unknown>) => Promise<unknown>, ...string[]]
  const CALLS: readonly Row[] = [
    ...BAD_COUNTS.map(([n, shown]): Row => [
      `limit ${String(n)}`,
      (consumer) => consumer.receiveBatch(any(n)),
      'receiveBatch',
      'limit',
      shown,
    ]),
    ['no limit', (consumer) => consumer.receiveBatch(any(undefined)), 'limit', 'undefined'],
    // For ever is a wait, too.
    ...BAD_MS.filter(([ms]) => ms !== Infinity).map(([ms, shown]): Row => [
      `waitMs ${String(ms)}`,
      (consumer) => consumer.receive({ waitMs: any(ms) }),
      'receive',
      'waitMs',
      shown,
    ]),
    ['unknown option', (consumer) => consumer.receive(any({ wait: 5 })), 'waitMs', '"wait"'],
    ['options that are none', (consumer) => consumer.receive(any(5)), 'options', '5'],
    ['null for options', (consumer) => consumer.receiveBatch(1, any(null)), 'options', 'null'],
    ['no signal', (consumer) => consumer.receive({ signal: any({}) }), 'signal', 'AbortSignal'],
    ['null for a signal', (consumer) => consumer.receive({ signal: any(null) }), 'signal'],
    ['the controller', (consumer) => consumer.receive({ signal: any(new AbortController()) }), 'signal'],
    ['run without a handler', (consumer) => consumer.run(any(undefined)), 'run', 'handler', 'undefined'],
    ['drain without a handler', (consumer) => consumer.drain(any({})), 'drain', 'handler', 'an object'],
    ...BAD_COUNTS.map(([n, shown]): Row => [
      `concurrency ${String(n)}`,
      (consumer) => consumer.run(() => 1, { concurrency: any(n) }),
      'run',
      'concurrency',
      shown,
    ]),
    ...BAD_MS.filter(([ms]) => ms !== 1_780_000_000_000_000).map(([ms, shown]): Row => [
      `deadline ${String(ms)}`,
      (consumer) => consumer.drain(() => 1, { deadline: any(ms) }),
      'drain',
      'deadline',
      shown,
    ]),
    ['no signal for run', (consumer) => consumer.run(() => 1, { signal: any('x') }), 'signal'],
    ['no signal for drain', (consumer) => consumer.drain(() => 1, { signal: any(true) }), 'signal'],
    ['a deadline for run', (consumer) => consumer.run(() => 1, any({ deadline: 5 })), '"deadline"'],
    ['unknown option of drain', (consumer) => consumer.drain(() => 1, any({ limit: 5 })), '"limit"'],
    ['null for options of run', (consumer) => consumer.run(() => 1, any(null)), 'options'],
  ]

  test.each(CALLS)('%s', async (_, call, ...texts) => {
    const { storage, producer, consumer } = setUp()
    await producer.send('x')
    await expectCode(call(consumer), 'INVALID_ARGUMENT', ...texts)
    expect(storage.count('claim')).toBe(0)
  })
})

describe('settling', () => {
  type Row = [string, (message: Message<unknown>) => Promise<unknown>, ...string[]]
  test.each<Row>([
    ...BAD_MS.map(([ms, shown]): Row => [
      `nack after ${String(ms)}`,
      (message) => message.nack({ delayMs: any(ms) }),
      'nack',
      'delayMs',
      shown,
    ]),
    ...BAD_MS.map(([ms, shown]): Row => [
      `extend by ${String(ms)}`,
      (message) => message.extend(any(ms)),
      'extend',
      'leaseMs',
      shown,
    ]),
    ['extend by 0', (message) => message.extend(0), 'extend', 'more than 0'],
    ['extend by nothing', (message) => message.extend(any(undefined)), 'extend', 'undefined'],
    ['a reason that is no text', (message) => message.nack({ reason: any(5) }), 'nack', 'reason', '5'],
    ['a rejection that is no text', (message) => message.reject({ reason: any(new Error('x')) }), 'reason'],
    ['a text for options', (message) => message.nack(any('no good')), 'nack', 'options'],
    ['a text for options of reject', (message) => message.reject(any('no good')), 'reject', 'options'],
    ['null for options', (message) => message.nack(any(null)), 'nack', 'options'],
    ['an unknown option', (message) => message.nack(any({ delay: 5 })), 'nack', 'delayMs', '"delay"'],
    ['a delay for reject', (message) => message.reject(any({ delayMs: 5 })), 'reject', '"delayMs"'],
  ])('%s', async (_, call, ...texts) => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x')
    const message = await consumer.receive()
    await expectCode(call(message!), 'INVALID_ARGUMENT', ...texts)
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 1, failed: 0, acked: 0 })
    await message!.ack()
  })

  test('messages of others: of another consumer, group, queue; copies, proxies, forgeries', async () => {
    const { queue, storage, clock, producer, consumer } = setUp()
    const other = new Queue('other', { storage, clock })
    await other.createProducer().send('x')
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }])
    const own = (await consumer.receive())!
    const delivery = {
      receipt: 'forged',
      id: own.id,
      body: '',
      timestamp: 0,
      attempt: 1,
      maxAttempts: 4,
    }
    const foreign: unknown[] = [
      await queue.createConsumer().receive(),
      await queue.createConsumer('g').receive(),
      await other.createConsumer().receive(),
      Object.assign({}, own),
      structuredClone({ id: own.id, payload: own.payload }),
      new Proxy(own, {}),
      Object.create(own),
      Object.create(Message.prototype),
      new Message(delivery, 'x', 'orders', 'default', leaseOf(own), queue.createConsumer()),
      undefined,
      null,
      'receipt',
      own.id,
      [own],
    ]
    for (const message of foreign.map(any)) {
      await expectCode(consumer.ack(message), 'INVALID_ARGUMENT', 'ack')
      await expectCode(consumer.nack(message), 'INVALID_ARGUMENT', 'nack')
      await expectCode(consumer.reject(message), 'INVALID_ARGUMENT', 'reject')
      await expectCode(consumer.extend(message, 5), 'INVALID_ARGUMENT', 'extend')
      await expectCode(consumer.ackBatch([own, message]), 'INVALID_ARGUMENT', 'ackBatch')
      await expectCode(consumer.nackBatch([own, message]), 'INVALID_ARGUMENT', 'nackBatch')
    }
    expect(storage.count('settle')).toBe(0)
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 2, acked: 0 })
    await own.ack()
    await other.close()
  })

  test('a forged message of this consumer is stale', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x')
    const own = (await consumer.receive())!
    for (const receipt of ['forged', '', '0', '.1.1', 'a.b.c', '1.1.1!', '\ud800', '🧾']) {
      const delivery = { receipt, id: own.id, body: '', timestamp: 0, attempt: 1, maxAttempts: 4 }
      const forged = new Message<unknown>(
        delivery,
        'x',
        'orders',
        'default',
        { ...leaseOf(own), receipt },
        consumer,
      )
      await expectCode(forged.ack(), 'STALE_RECEIPT', own.id)
      await expectCode(forged.nack(), 'STALE_RECEIPT')
      await expectCode(forged.reject(), 'STALE_RECEIPT')
      await expectCode(forged.extend(5), 'STALE_RECEIPT')
    }
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 1, acked: 0, dead: 0 })
    await own.ack()
  })

  test('batches that are none', async () => {
    const { consumer } = setUp()
    for (const none of [undefined, null, 'x', {}]) {
      await expectCode(consumer.ackBatch(any(none)), 'INVALID_ARGUMENT', 'ackBatch', 'array')
      await expectCode(consumer.nackBatch(any(none)), 'INVALID_ARGUMENT', 'nackBatch', 'array')
    }
    await expectCode(consumer.nackBatch([], any({ delay: 1 })), 'INVALID_ARGUMENT', '"delay"')
  })
})

describe('looking', () => {
  test('options of list and of dead letters', async () => {
    const { queue } = setUp()
    const letters = queue.deadLetters()
    await expectCode(queue.list(any({ states: [] })), 'INVALID_ARGUMENT', 'list', '"states"')
    await expectCode(queue.list({ state: any('waiting') }), 'INVALID_ARGUMENT', 'state', 'ready', '"waiting"')
    await expectCode(queue.list({ state: [any(5)] }), 'INVALID_ARGUMENT', 'state', '5')
    await expectCode(queue.list({ state: any({}) }), 'INVALID_ARGUMENT', 'state', 'array')
    await expectCode(queue.list({ ids: any('a') }), 'INVALID_ARGUMENT', 'ids', 'array')
    await expectCode(queue.list({ cursor: any(5) }), 'INVALID_ARGUMENT', 'cursor', '5')
    await expectCode(queue.list(any(null)), 'INVALID_ARGUMENT', 'options')
    await expectCode(letters.list(any({ state: 'dead' })), 'INVALID_ARGUMENT', '"state"')
    await expectCode(letters.list({ cursor: any({}) }), 'INVALID_ARGUMENT', 'cursor')
    for (const [limit, shown] of BAD_COUNTS) {
      await expectCode(queue.list({ limit: any(limit) }), 'INVALID_ARGUMENT', 'list', 'limit', shown)
      await expectCode(letters.list({ limit: any(limit) }), 'INVALID_ARGUMENT', 'limit', shown)
    }
    await expectCode(letters.redrive(any('a')), 'INVALID_ARGUMENT', 'redrive', 'ids', 'array')
    await expectCode(letters.delete(any({})), 'INVALID_ARGUMENT', 'delete', 'ids', 'array')
    await expectCode(queue.cancel(any('a')), 'INVALID_ARGUMENT', 'cancel', 'ids', 'array')
    await expectCode(queue.cancel(any(undefined)), 'INVALID_ARGUMENT', 'cancel', 'undefined')
    await expectCode(() => queue.watch(any({})), 'INVALID_ARGUMENT', 'watch', 'listener', 'function')
    await expectCode(queue.deleteGroup(any(undefined)), 'INVALID_ARGUMENT', 'deleteGroup', 'undefined')
  })

  test('cursors that nobody gave are the end of the list', async () => {
    const { queue, producer, consumer } = setUp()
    const [one] = await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    await (await consumer.receive())!.reject()
    for (const cursor of ['', 'forged', '[]', '{}', 'null', '["nowhere",1]', '-1', '1e99']) {
      expect(await queue.list({ cursor }), cursor).toEqual({ messages: [], cursor: undefined })
      expect(await queue.list({ cursor, ids: [one!.id] }), cursor).toMatchObject({ messages: [] })
      expect(await queue.deadLetters().list({ cursor }), cursor).toEqual({ messages: [], cursor: undefined })
    }
  })
})

describe('what a storage cannot do', () => {
  test('is refused with UNSUPPORTED, and nothing is stored', async () => {
    const guarantees = { orderingKeys: false, deduplication: false, cancellation: false, name: 'simple' }
    const { queue, producer } = setUp({ guarantees })
    const refused: readonly [Promise<unknown>, ...string[]][] = [
      [producer.send('x', { key: 'k' }), 'send', 'ordering keys'],
      [producer.sendBatch([{ payload: 'x', key: 'k' }]), 'sendBatch, message 0', 'ordering keys'],
      [producer.send('x', { id: 'a', replace: true }), 'deduplication'],
      [producer.send('x', { id: 'a', dedupeMs: 5 }), 'deduplication'],
      [queue.cancel(['a']), 'cancel', 'cancellation'],
    ]
    for (const [work, ...texts] of refused) {
      await expectCode(work, 'UNSUPPORTED', 'the storage simple', 'memory', ...texts)
    }
    await expectEmpty(queue)
    await producer.send('x', { id: 'a', replace: false })
  })
})

describe('a closed queue', () => {
  test('refuses everything with CLOSED', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }])
    const message = (await consumer.receive())!
    const letters = queue.deadLetters()
    await queue.close()
    const calls: (() => unknown)[] = [
      () => producer.send('x'),
      () => producer.sendBatch([{ payload: 'x' }]),
      () => producer.sendBatch([]),
      () => queue.createProducer().send('x'),
      () => consumer.join(),
      () => consumer.receive(),
      () => consumer.receiveBatch(5),
      () => consumer.receive({ waitMs: 1000 }),
      () => queue.createConsumer().receive(),
      () => consumer.ack(message),
      () => consumer.ackBatch([message]),
      () => consumer.nack(message),
      () => consumer.nackBatch([message]),
      () => consumer.reject(message),
      () => consumer.extend(message, 5),
      () => message.ack(),
      () => message.nack(),
      () => message.reject(),
      () => message.extend(5),
      () => consumer.run(() => undefined),
      () => consumer.drain(() => undefined),
      () => queue.stats(),
      () => queue.list(),
      () => queue.cancel(['a']),
      () => queue.purge(),
      () => queue.deleteGroup('g'),
      () => queue.delete(),
      () => queue.watch(() => undefined),
      () => letters.list(),
      () => letters.redrive(),
      () => letters.delete(),
      () => letters.redrive([]),
      () => queue.deadLetters('g').list(),
    ]
    for (const call of calls) await expectCode(call, 'CLOSED', '"orders"')
    await expectCode(consumer.ack(message), 'CLOSED', 'ack: ')
    await expectCode(consumer.nackBatch([message]), 'CLOSED', 'nackBatch: ')
    await expectCode(message.extend(5), 'CLOSED', 'extend: ')
    await queue.close()
  })

  test('on a closed adapter refuses everything with CLOSED too', async () => {
    const storage = new MemoryAdapter()
    const queue = new Queue('q', { storage })
    await queue.createProducer().send('x')
    await storage.close()
    await expectCode(queue.createProducer().send('x'), 'CLOSED')
    await expectCode(queue.createConsumer().receive(), 'CLOSED')
    await expectCode(
      queue.createConsumer().run(() => undefined),
      'CLOSED',
    )
    await expectCode(queue.stats(), 'CLOSED')
    await expectCode(new Queue('q', { storage }).stats(), 'CLOSED')
    await queue.close()
  })
})

test('a rejection that nobody could listen to never comes up', async () => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listener)
  try {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: async (value: unknown) =>
          value === 'fine' ? { value } : { issues: [{ message: 'not fine' }] },
      },
    }
    const { queue } = setUp({ schema })
    const producer: Producer<unknown> = queue.createProducer()
    const bad = { payload: 'bad' }
    // A schema that says no later, beside a message that is refused at once.
    await expectCode(
      producer.sendBatch([bad, { payload: 'fine', delayMs: -1 }, bad]),
      'INVALID_ARGUMENT',
      'sendBatch, message 1',
    )
    await expectCode(
      producer.sendBatch([{ payload: 'fine' }, bad, bad]),
      'SCHEMA_MISMATCH',
      'sendBatch, message 1',
    )
    await settle()
    await settle()
    expect(unhandled).toEqual([])
    await expectEmpty(queue)
  } finally {
    process.off('unhandledRejection', listener)
  }
})
