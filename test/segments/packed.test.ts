import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { fromWire, toWire } from '../../adapters/durable-object/outcome.ts'
import { pack, unpack } from '../../src/segments/bytes/packed.ts'
import { same } from '../../conformance/assert.ts'

const leaf = fc.oneof(
  fc.constantFrom(undefined, null, true, false, '', '$', '$$', '\ud800', '\u0000'),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.uint8Array({ maxLength: 8 }),
)
/**
 * Without backslashes: V8 up to 14.6 at least reads a name that JSON has to escape as another, of as many characters, that it has seen
 * in its place and that has a backslash where the escape is (https://github.com/nodejs/node/issues/63785). Whoever parses JSON has that.
 */
const name = fc.oneof(
  fc.constantFrom('$', '$$', '__proto__', '', 'body', '"', '\n', '\ud800'),
  fc.string({ maxLength: 3 }).map((text) => text.replaceAll('\\', '/')),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))

test('plain data comes back as it was, bytes, undefined, null and names with $ included', () => {
  fc.assert(
    fc.property(value, (data) => {
      const again = unpack(pack(data))
      expect(same(again, data), JSON.stringify(pack(data))).toBe(true)
    }),
    { numRuns: 20_000 },
  )
})

test('what JSON keeps as it is, is JSON', () => {
  const segment = { first: 1, bodies: ['a', 'b'], more: { key: ['k', 'l'] } }
  expect(pack(segment)).toEqual({ text: JSON.stringify(segment) })
})

test('bytes are copied: they share nothing with what was packed, nor with each other', () => {
  const whole = Uint8Array.of(1, 2, 3, 4)
  const [a, b] = unpack(pack([whole.subarray(1, 3), whole])) as [Uint8Array, Uint8Array]
  expect([...a, ...b]).toEqual([2, 3, 1, 2, 3, 4])
  expect(a.buffer).not.toBe(b.buffer)
  expect(a.buffer.byteLength).toBe(2)
})

test('a long text goes as UTF-8, and comes back', () => {
  const long = ['😀\ud800"\\'.repeat(300_000)]
  const wire = toWire(long)
  expect(wire.text).toBeInstanceOf(Uint8Array)
  expect(fromWire(wire)).toEqual(long)
})

test('names with a backslash come back, where V8 has seen no other in their place', () => {
  for (const data of [{ 'C:\\Temp': [undefined] }, { '\\': { $: '\\' } }, { 'a\\"b': Uint8Array.of(1) }])
    expect(same(unpack(pack(data)), data), JSON.stringify(pack(data))).toBe(true)
})
