import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { keyBytes, keyOf } from '../../src/segments/bytes/key-bytes.ts'
import { type Key, compareKeys, isBehind } from '../../src/segments/store.ts'

/** What is close together: the ends of each length in bytes, what is escaped, surrogates. */
const unit = fc.constantFrom(
  0,
  1,
  2,
  0x61,
  0x7f,
  0x80,
  0x7ff,
  0x800,
  0xd7ff,
  0xd800,
  0xdbff,
  0xdc00,
  0xdfff,
  0xe000,
  0xffff,
)
const text = fc.oneof(
  fc.array(unit, { maxLength: 4 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const number = fc
  .oneof(
    fc.constantFrom(
      0,
      1,
      -1,
      0.5,
      -0.5,
      255,
      256,
      2 ** 31,
      2 ** 53,
      -(2 ** 53),
      Number.MAX_VALUE,
      Number.MIN_VALUE,
      -Number.MIN_VALUE,
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
  )
  .map((value) => value + 0)
  .filter((value) => !Object.is(value, -0))
const key: fc.Arbitrary<Key> = fc.oneof(
  number,
  text,
  fc.array(fc.oneof(number, text), { minLength: 1, maxLength: 3 }),
)

/** As SQLite compares BLOBs. */
const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
const same = (value: Key): Key => (Array.isArray(value) && value.length === 1 ? (value[0] as Key) : value)

test('the order of the bytes is the order of the keys', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareBytes(keyBytes(a), keyBytes(b)))).toBe(Math.sign(compareKeys(a, b)))
    }),
    { numRuns: 20_000 },
  )
})

test('a key comes back as it was', () => {
  fc.assert(
    fc.property(key, (a) => {
      expect(keyOf(keyBytes(a))).toEqual(same(a))
    }),
    { numRuns: 5000 },
  )
})

test('what comes behind a bound is behind every key that starts with it, and before the next', () => {
  fc.assert(
    fc.property(key, key, (a, upper) => {
      expect(compareBytes(keyBytes(a), keyBytes(upper, true)) >= 0).toBe(isBehind(a, upper))
    }),
    { numRuns: 20_000 },
  )
})
