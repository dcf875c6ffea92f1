// Values as bytes come back as they were; long texts lie in them as they are.
import { expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../../src/segments/bytes/values.ts'

const long = 'x'.repeat(600)

test.each<[string, unknown]>([
  ['texts', { first: 7, bodies: [long, '', 'ä€😀', '"\\\n'], bytes: 5 }],
  ['texts that begin with a mark of byte order', { bodies: [`\ufeff${long}`, '\ufeff'] }],
  ['halves of a pair, which meet', { bodies: [`${long}\ud83d`, `\ude00${long}`] }],
  ['halves of a pair, which stay alone', { bodies: [`${long}\ud83d`, long, '\ude00'] }],
  ['texts beside bytes', { bodies: [long, long], more: { at: [1, undefined] }, part: Uint8Array.of(1, 2) }],
  ['texts and bytes', { bodies: [long, Uint8Array.of(1), long] }],
  ['two lists of texts', { ids: ['a', 'b'], bodies: [long, long], notes: [long, long] }],
  ['a list alone', [long, long]],
  ['one text', long],
  ['names with a dollar sign', { $: [long, long], $$: 1 }],
])('%s come back', (_, value) => {
  expect(decodeValue(encodeValue(value))).toEqual(value)
})

test('quotation marks in long texts cost a byte each', () => {
  const bodies = Array.from({ length: 100 }, () => '"'.repeat(100))
  expect(encodeValue({ bodies }).length).toBeLessThan(10_500)
})

test('what has lost its end is no value', () => {
  const whole = encodeValue({ bodies: [long, long] })
  for (const length of [3, 20, whole.length - 1]) expect(decodeValue(whole.subarray(0, length))).toBeNull()
})
