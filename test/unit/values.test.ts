import { deepStrictEqual } from 'node:assert'
import * as fc from '../support/fast-check.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { JSON_CODEC } from '../../src/core/inside.ts'
import { type Producer, type QueueOptions, type QuaysideError, Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Copied } from '../../src/records/value.ts'

// A queue in memory does not encode most payloads. What is received must be what it would be if it did.

/** Also what JSON knows rules for: own names of prototypes, dates, what is boxed, `toJSON`, halves of pairs, and what it refuses. */
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\ud800', 'x\udc00', '\u2028', '"\\\n', ''),
)
const names = fc.oneof(
  texts,
  fc.constantFrom('__proto__', 'constructor', 'toJSON', 'then', 'length', '1', '0'),
)
const oddities: readonly (() => unknown)[] = [
  () => undefined,
  () => -0,
  () => NaN,
  () => Infinity,
  () => 1n,
  () => Symbol('x'),
  () => () => 1,
  () => new Date(0),
  () => new Date(NaN),
  () => new Map([[1, 2]]),
  () => new Uint8Array(2),
  () => new Blob(['x']),
  () => Promise.resolve(1),
  () => Object(1),
  () => Object('two'),
  () => Object(false),
  () => Object(1n),
  () => Object.create(null),
  () => Object.assign(Object.create(null), { a: 1 }),
  () => Object.create({ inherited: 1 }),
  () => ({ toJSON: (name: string) => ({ name }) }),
  () => ({ toJSON: 1 }),
  () => ({ toJSON: () => undefined }),
  () => Object.assign([1, 2], { extra: 1 }),
  () => Object.assign([1, 2], { toJSON: () => 'list' }),
  // oxlint-disable-next-line no-sparse-arrays
  () => [1, , 3],
  () => new (class extends Array {})(3),
  () => ({ [Symbol('hidden')]: 1, seen: 2 }),
  () => Object.defineProperty({ a: 1 }, 'hidden', { value: 2, enumerable: false }),
  () => Object.defineProperty({}, 'made', { get: () => [1], enumerable: true }),
  () => ({
    get broken(): never {
      throw new Error('not today')
    },
  }),
  () => Object.freeze({ deep: Object.freeze([{ a: -0 }]) }),
  () => (JSON as { rawJSON?: (text: string) => unknown }).rawJSON?.('1e3') ?? 1,
  () => new Proxy({ a: 1 }, {}),
  () => new Proxy([1], {}),
  () => JSON.parse('{"__proto__":{"a":[1]},"b":{"__proto__":2}}'),
  () => {
    const loop: Record<string, unknown> = { a: 1 }
    return (loop['self'] = loop)
  },
  () => {
    const same = { a: [1] }
    return [same, same]
  },
  () => Array.from({ length: 40 }).reduce((inner) => ({ inner }), 1),
  () => Array.from({ length: 5000 }, (_, i) => i),
  () => 'x'.repeat(5000),
]
const parts = fc.letrec((tie) => ({
  part: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(texts, fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.constantFrom(...oddities).map((make) => make()),
    fc.array(tie('part'), { maxLength: 4 }),
    fc
      .array(fc.tuple(names, tie('part')), { maxLength: 5 })
      .map((entries) => Object.fromEntries(entries) as object),
  ),
})).part

function open(options: Partial<QueueOptions<unknown>> = {}) {
  const queue = new Queue<unknown>('values', { storage: new MemoryAdapter(), ...options })
  onTestFinished(() => queue.close())
  return { queue, producer: queue.createProducer(), consumer: queue.createConsumer() }
}

/** As any other storage has it: text. */
function encoded() {
  return open({ codec: { ...JSON_CODEC } })
}

async function sent(producer: Producer<unknown>, payload: unknown): Promise<string | undefined> {
  try {
    await producer.send(payload)
    return undefined
  } catch (error) {
    const { code, message } = error as QuaysideError
    return `${code} ${message}`
  }
}

test('what is received and listed, what is refused and what it weighs is what it would be as JSON', async () => {
  const [own, other] = [open(), encoded()]
  const both = [own, other]
  // They are opened with the first.
  for (const { producer, consumer } of both) {
    await producer.send('first')
    await (await consumer.receive())!.ack()
  }
  const property = fc.asyncProperty(parts, async (payload) => {
    const errors = await Promise.all(both.map(({ producer }) => sent(producer, payload)))
    expect(errors[0]).toEqual(errors[1])
    if (errors[0] !== undefined) return
    // What was looked at is encoded from then on.
    if (JSON.stringify(payload).length % 2 > 0) {
      const [a, b] = await Promise.all(both.map(({ queue }) => queue.list()))
      deepStrictEqual(a!.messages[0]!.payload, b!.messages[0]!.payload)
      const [mine, others] = await Promise.all(both.map(({ queue }) => queue.stats()))
      deepStrictEqual(mine!.bytes, others!.bytes)
    }
    const [mine, others] = await Promise.all(both.map(({ consumer }) => consumer.receive()))
    deepStrictEqual(mine!.payload, others!.payload)
    expect(JSON.stringify(mine!.payload)).toBe(JSON.stringify(others!.payload))
    await Promise.all([mine!.ack(), others!.ack()])
  })
  await fc.assert(property, { numRuns: 2000 })
})

test.for(oddities.map((make, i) => [i, make] as const))(
  'oddity %i, alone and inside of others',
  ([, make]) => {
    for (const payload of [make(), { a: make() }, [make()], { deep: [{ a: make(), b: 1 }] }]) {
      const value = Copied.of(payload)
      if (value === undefined) continue
      const text = JSON_CODEC.encode(payload) as string
      expect(value.text).toBe(text)
      deepStrictEqual(value.copy(), JSON.parse(text))
      deepStrictEqual(value.copy(), JSON.parse(text))
    }
  },
)

describe('what most payloads are', () => {
  test('is not encoded', async () => {
    const { producer, consumer } = open()
    await producer.send('first')
    await (await consumer.receive())!.ack()
    const order = { id: 1, paid: true, note: null, total: -1.5, lines: [{ sku: 'A', count: 2 }] }
    const payload = { ...order, cc: undefined }
    const spies = [vi.spyOn(JSON, 'stringify'), vi.spyOn(JSON, 'parse')]
    await producer.sendBatch([{ payload }, { payload: [order, [order]] }])
    const messages = await consumer.receiveBatch(2)
    await consumer.ackBatch(messages)
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled()
      spy.mockRestore()
    }
    deepStrictEqual(
      messages.map((message) => message.payload),
      [order, [order, [order]]],
    )
  })

  test('and what loops over names of everything would come by, is', () => {
    const prototype = Object.prototype as { litter?: unknown }
    const value = Copied.of({ a: { b: 1 } })!
    try {
      prototype.litter = { everywhere: true }
      expect(Copied.of({ a: 1 })).toBeUndefined()
      deepStrictEqual(Object.keys(value.copy() as object), ['a'])
    } finally {
      delete prototype.litter
    }
  })
})

test('what its sender or somebody who had it does to it changes nothing for others', async () => {
  const { queue, producer, consumer } = open()
  const other = queue.createConsumer('other')
  await producer.send({})
  await (await consumer.receive())!.ack()
  await (await other.receive())!.ack()
  const make = () => ({ name: 'a', list: [{ n: 1 }], inner: { deep: { x: 1 } } })
  const spoil = (payload: ReturnType<typeof make>): void => {
    payload.name = 'spoilt'
    payload.list[0]!.n = 2
    payload.list.push({ n: 3 })
    Object.assign(payload.inner.deep, { x: 2, y: 3 })
  }
  const payload = make()
  await producer.send(payload)
  spoil(payload)
  const first = await consumer.receive()
  expect(first!.payload).toEqual(make())
  spoil(first!.payload as ReturnType<typeof make>)
  expect((await other.receive())!.payload).toEqual(make())
  await first!.nack({ delayMs: 0 })
  const again = await consumer.receive()
  expect(again).toMatchObject({ attempt: 2, payload: make() })
  spoil(again!.payload as ReturnType<typeof make>)
  await again!.reject()
  const { messages } = await queue.deadLetters().list()
  expect(messages[0]!.payload).toEqual(make())
})

test('another codec on the same storage gets what is encoded', async () => {
  const storage = new MemoryAdapter()
  const { producer, consumer } = open({ storage })
  const upper = open({ storage, codec: { encode: String, decode: (body) => String(body).toUpperCase() } })
  await producer.send({})
  await (await consumer.receive())!.ack()
  await producer.send({ a: 'b' })
  expect((await upper.consumer.receive())!.payload).toBe('{"A":"B"}')
})
