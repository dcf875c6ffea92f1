import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { findLoss } from '../../src/json.ts'
import { expectCode, expectEmpty, setUp } from '../support/set-up.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
}

class Itself extends Money {
  readonly at: unknown
  constructor(at: unknown) {
    super(1)
    this.at = at
  }
  toJSON(): this {
    return this
  }
}

class Basket {
  readonly items: Map<string, number> = new Map([['a', 1]])
  toJSON(): object {
    return { items: this.items }
  }
}

/** What JSON would make nothing of, or something else, and what the error says besides the path. */
const LOST: readonly [string, unknown, ...string[]][] = [
  ['a promise', Promise.resolve(1), 'await'],
  ['a promise of another realm', runInNewContext('Promise.resolve(1)'), 'await'],
  ['a Blob', new Blob(['x']), 'Blob', 'Uint8Array'],
  ['a File', new File(['x'], 'x'), 'File'],
  ['a FormData', new FormData(), 'FormData', 'Object.fromEntries'],
  ['a Headers', new Headers(), 'Headers', 'Object.fromEntries'],
  ['a URLSearchParams', new URLSearchParams('a=1'), 'URLSearchParams', 'Object.fromEntries'],
  ['a Request', new Request('http://localhost/'), 'Request'],
  ['a Response', new Response(''), 'Response'],
  ['an AbortSignal', new AbortController().signal, 'AbortSignal'],
  ['a ReadableStream', new ReadableStream(), 'ReadableStream'],
  ['an Error', new RangeError('x'), 'RangeError', 'a text'],
  ['a DOMException', new DOMException('x', 'AbortError'), 'DOMException'],
  ['a Map', new Map([[1, 2]]), 'Map', 'Object.fromEntries'],
  ['a Set', new Set([1]), 'Set', 'an array'],
  ['a WeakMap', new WeakMap(), 'WeakMap'],
  ['a WeakSet', new WeakSet(), 'WeakSet'],
  ['a WeakRef', new WeakRef({}), 'WeakRef'],
  ['a RegExp', /x/, 'RegExp'],
  ['an ArrayBuffer', new ArrayBuffer(1), 'ArrayBuffer', 'Uint8Array'],
  ['a SharedArrayBuffer', new SharedArrayBuffer(1), 'SharedArrayBuffer', 'Uint8Array'],
  ['a DataView', new DataView(new ArrayBuffer(1)), 'DataView', 'Uint8Array'],
  ['a Float64Array', new Float64Array(1), 'Float64Array', 'Uint8Array'],
  ['a Uint8ClampedArray', new Uint8ClampedArray(1), 'Uint8ClampedArray'],
  ['an instance of a class', new Money(1), 'Money', 'toJSON'],
  [
    'an instance of a class without a name',
    new (class {
      a = 1
    })(),
    'toJSON',
  ],
  ['an object that inherits', Object.create({ a: 1 }), 'plain object'],
  ['a generator', (function* () {})(), 'Generator'],
  ['a Map of another realm', runInNewContext('new Map()'), 'Map'],
  ['an Error of another realm', runInNewContext('new Error("x")'), 'Error'],
  ['an instance of another realm', runInNewContext('new (class Far {})()'), 'Far'],
  ['a function', () => 1, 'function'],
  ['a class', Money, 'function'],
  ['a symbol', Symbol('s'), 'symbol'],
  ['a BigInt', 5n, 'BigInt'],
  ['NaN', Number.NaN, 'NaN', 'null'],
  ['Infinity', Infinity, 'Infinity', 'null'],
  ['-Infinity', -Infinity, '-Infinity', 'null'],
  ['NaN in an object', Object(Number.NaN), 'NaN'],
  ['a Date without a time', new Date('x'), 'Date'],
  ['what toJSON leaves as it is', new Itself(new Map()), 'payload', '.at', 'Map'],
  ['what toJSON leaves', new Basket(), 'payload', '.items', 'Map'],
  ['toJSON that answers with a class', { toJSON: () => new Money(1) }, 'Money'],
]

describe('what JSON would lose is refused, with its path, and nothing is stored', () => {
  test.each(LOST)('%s', async (_, value, ...texts) => {
    const { queue, producer } = setUp()
    const at = async (payload: unknown, path: string): Promise<void> => {
      await expectCode(producer.send(payload), 'UNSERIALIZABLE', 'send', `: ${path}`, ...texts)
    }
    await at(value, 'payload')
    await at({ a: value }, 'payload.a')
    await at([1, value], 'payload[1]')
    await at({ items: ['x', null, { 'not a name': { when: value } }] }, 'payload.items[2]["not a name"].when')
    await at(Object.assign(Object.create(null), { a: { b: value } }), 'payload.a.b')
    await at({ toJSON: () => ({ a: value }) }, 'payload.a')
    await expectCode(
      producer.sendBatch([{ payload: 1 }, { payload: { a: value } }]),
      'UNSERIALIZABLE',
      'sendBatch, message 1',
      'payload.a',
    )
    await expectEmpty(queue)
  })

  test('bytes inside of something else', async () => {
    const { queue, producer } = setUp()
    await expectCode(
      producer.send({ image: new Uint8Array(3) }),
      'UNSERIALIZABLE',
      'payload.image',
      'Uint8Array',
    )
    await expectCode(producer.send([new Uint8Array(3)]), 'UNSERIALIZABLE', 'payload[0]')
    await expectEmpty(queue)
  })

  test('cycles', async () => {
    const { queue, producer } = setUp()
    const one: Record<string, unknown> = { name: 'one' }
    one['next'] = { list: [one] }
    await expectCode(producer.send(one), 'UNSERIALIZABLE', 'payload.next.list[0]', 'contains itself')
    const json = { toJSON: () => ({ again: json }) }
    await expectCode(producer.send({ json }), 'UNSERIALIZABLE', 'payload.json.again', 'contains itself')
    await expectEmpty(queue)
  })

  test('a getter that throws', async () => {
    const { queue, producer } = setUp()
    const payload = {
      get broken(): never {
        throw new Error('no such thing')
      },
    }
    await expectCode(producer.send(payload), 'UNSERIALIZABLE', 'no such thing')
    await expectEmpty(queue)
  })
})

const shared = { a: 1 }

const KEPT: readonly [string, unknown, unknown][] = [
  ['without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  [
    'of another realm',
    runInNewContext('({ a: [{ b: new Date(0) }] })'),
    { a: [{ b: '1970-01-01T00:00:00.000Z' }] },
  ],
  ['twice the same', [shared, { shared }], [{ a: 1 }, { shared: { a: 1 } }]],
  ['undefined', { a: undefined, b: [undefined] }, { b: [null] }],
  ['arrays with holes', Object.assign(Array(3), { 0: 1, 2: 3 }), [1, null, 3]],
  ['a Date', { a: new Date(0) }, { a: '1970-01-01T00:00:00.000Z' }],
  ['a URL', { a: new URL('http://a/') }, { a: 'http://a/' }],
  ['toJSON', { a: { toJSON: () => 5, b: () => 1 } }, { a: 5 }],
  ['toJSON that answers with itself', { a: new Itself(5) }, { a: { cents: 1, at: 5 } }],
  ['toJSON of a class', [Object.assign(new Money(1), { toJSON: () => '1 ct' })], ['1 ct']],
  ['toJSON of a function', [Object.assign(() => 1, { toJSON: () => 'f' })], ['f']],
  ['boxed', [Object(1), Object('s'), Object(true)], [1, 's', true]],
  ['a proxy', new Proxy({ a: 1 }, {}), { a: 1 }],
  ['a subclass of Array', new (class List extends Array {})(2).fill(1), [1, 1]],
  ['a Buffer inside', { a: Buffer.from('x') }, { a: { type: 'Buffer', data: [120] } }],
  [
    'keys that look like methods',
    { toJSON: 2, constructor: 3, isPrototypeOf: 4 },
    { toJSON: 2, constructor: 3, isPrototypeOf: 4 },
  ],
  ['keys that are symbols', { [Symbol('s')]: 1 }, {}],
]

test.each(KEPT)('is sent as JSON has it: %s', async (_, payload, expected) => {
  const { producer, consumer } = setUp()
  await producer.send(payload)
  expect((await consumer.receive())?.payload).toEqual(expected)
})

test('a BigInt whose prototype has toJSON is sent', async () => {
  const { producer, consumer } = setUp()
  const prototype = BigInt.prototype as { toJSON?: () => string }
  prototype.toJSON = () => '5'
  try {
    await producer.send({ a: 5n })
  } finally {
    delete prototype.toJSON
  }
  expect((await consumer.receive())?.payload).toEqual({ a: '5' })
})

test('what others have put on Object.prototype is none of the payload', async () => {
  const { producer, consumer } = setUp()
  const prototype = Object.prototype as { shout?: unknown }
  prototype.shout = () => '!'
  try {
    await producer.send({ a: [{}] })
  } finally {
    delete prototype.shout
  }
  expect((await consumer.receive())?.payload).toEqual({ a: [{}] })
})

test('bytes of another realm are bytes', async () => {
  const { storage, producer, consumer } = setUp()
  const bytes: unknown = runInNewContext('new Uint8Array([1, 2, 3]).subarray(1)')
  expect(bytes).not.toBeInstanceOf(Uint8Array)
  await producer.send(bytes)
  expect((storage.of('append')[0]!.args[0] as { body: unknown }[])[0]!.body).toBeInstanceOf(Uint8Array)
  expect((await consumer.receive())?.payload).toEqual(new Uint8Array([2, 3]))
})

test('bytes of another realm that a codec makes are bytes', async () => {
  const far = runInNewContext('(n) => new Uint8Array([n])') as (n: number) => Uint8Array
  const { storage, producer } = setUp<number>({ codec: { encode: far, decode: (body) => Number(body[0]) } })
  await producer.send(7)
  expect((storage.of('append')[0]!.args[0] as { body: unknown }[])[0]!.body).toEqual(new Uint8Array([7]))
})

test('a codec of its own may take what JSON cannot', async () => {
  const { producer, consumer } = setUp<Map<string, number>>({
    codec: {
      encode: (map) => JSON.stringify([...map]),
      decode: (body) => new Map(JSON.parse(body as string) as [string, number][]),
    },
  })
  await producer.send(new Map([['a', 1]]))
  expect((await consumer.receive())?.payload).toEqual(new Map([['a', 1]]))
})

test('looking costs less than writing the JSON', WALL_CLOCK, () => {
  const order = {
    id: 'a1b2c3d4e5',
    total: 129.95,
    customer: { name: 'Jane Doe', email: 'jane@example.com' },
    items: [
      { sku: 'A-1', n: 2 },
      { sku: 'B-7', n: 1 },
    ],
    when: '2026-11-28T18:00:00Z',
    paid: true,
  }
  // The best of several rounds, in turns: a busy machine slows both.
  const best = [Infinity, Infinity]
  for (let round = 0; round < 20; round++) {
    for (const [i, work] of [JSON.stringify, findLoss].entries()) {
      const started = performance.now()
      for (let n = 0; n < 2000; n++) work(order)
      best[i] = Math.min(best[i]!, performance.now() - started)
    }
  }
  // It is a quarter where nothing else runs.
  expect(best[1]! / best[0]!).toBeLessThan(0.7)
})
