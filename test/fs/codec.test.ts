import { isDeepStrictEqual } from 'node:util'
import * as fc from '../support/fast-check.ts'
import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../adapters/fs/codec.ts'

function encode(value: unknown): Uint8Array {
  const writer = new Writer(1)
  writer.value(value)
  return Uint8Array.prototype.slice.call(writer.buffer, 0, writer.at)
}

function decode(bytes: Uint8Array): unknown {
  const reader = new Reader(Buffer.from(bytes))
  const value = reader.value()
  expect(reader.at).toBe(bytes.length)
  return value
}

/** Stricter than `toEqual`, which takes -0 for 0; and not led astray by properties called `constructor`. */
function expectSame(is: unknown, should: unknown): void {
  expect(isDeepStrictEqual(is, should)).toBe(true)
}

/** Anything a row may hold. */
const anything: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(
      undefined,
      null,
      true,
      false,
      0,
      -0,
      127,
      128,
      -1,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      -(2 ** 53),
      1e300,
    ),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: 'binary-ascii', maxLength: 300 }),
    fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
    fc.uint8Array({ maxLength: 300 }),
  ),
  any: fc.oneof(
    { depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('bodies', 'at', '__proto__', 'constructor', '')),
      tie('any'),
      {
        noNullPrototype: true,
      },
    ),
  ),
})).any

describe('values', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expectSame(decode(encode(value)), value)
      }),
      { numRuns: 3000 },
    )
  })

  test('strings of every length around the limits of the forms, in each alphabet', () => {
    for (const unit of ['a', 'é', '\u{1f6a2}', '\ud83d', '\0']) {
      for (const length of [0, 1, 2, 23, 24, 25, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 100_000]) {
        const text = unit.repeat(length)
        expect(decode(encode(text))).toBe(text)
        expect(decode(encode(`${text}x`))).toBe(`${text}x`)
      }
    }
  })

  test('a name that would change the prototype is a name like any other', () => {
    const value = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as object
    const back = decode(encode(value)) as Record<string, unknown>
    expect(Object.keys(back)).toEqual(['__proto__', 'a'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(back['polluted']).toBeUndefined()
  })

  test('bytes that were read do not change with the buffer they were read from', () => {
    const bytes = Buffer.from(encode({ body: new Uint8Array([1, 2, 3]) }))
    const back = new Reader(bytes).value()
    bytes.fill(0)
    expect(back).toEqual({ body: new Uint8Array([1, 2, 3]) })
  })

  test('what is no plain data is refused', () => {
    for (const value of [() => 1, Symbol('x'), 1n, new Date(0), new Map(), [new Error('x')]]) {
      expect(() => encode(value)).toThrow(TypeError)
    }
  })

  test('objects without a prototype and from elsewhere are plain data', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    expect(decode(encode(bare))).toEqual({ a: 1 })
  })

  test('bytes that end too early, or are no value, are an error and nothing worse', () => {
    fc.assert(
      fc.property(anything, fc.nat(), (value, cut) => {
        const bytes = encode(value)
        const reader = new Reader(Buffer.from(bytes), 0, cut % bytes.length)
        expect(() => reader.value()).toThrow(RangeError)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const reader = new Reader(Buffer.from(bytes))
        expect(thrownBy(() => reader.value())).toSatisfy(
          (error) => error === undefined || error instanceof RangeError,
        )
        expect(reader.at).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 2000 },
    )
  })

  test('a message takes little more than its body', () => {
    const body = 'x'.repeat(200)
    const segment = {
      first: 1e6,
      at: 1.8e12,
      base: 'b'.repeat(28),
      bodies: [body, body, body, body],
      bytes: 1e8,
    }
    expect(encode(segment).length).toBeLessThan(4 * 200 + 70)
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}
