import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { validate, version } from 'uuid'
import { uuid } from '../../src/message-id.ts'
import { baseOf, makeId, parseId } from '../../src/segments/ids.ts'

test('an id is a UUID v7 and leads back to its number', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.boolean(),
      fc.nat(1000),
      (number, delayed, ahead) => {
        const id = makeId(baseOf(uuid()), number, delayed)
        expect(validate(id)).toBe(true)
        expect(version(id)).toBe(7)
        // The newest number is a little ahead: the id is of the last two billion messages.
        const next = number + 1 + ahead
        expect(parseId(id, { log: next, delayed: next, lane: next })).toEqual({ number, delayed })
      },
    ),
  )
})

test('numbers that never were are not found', () => {
  expect(parseId(makeId(baseOf(uuid()), 7, false), { log: 7, delayed: 1, lane: 1 })).toBeUndefined()
  expect(parseId('order-1', { log: 100, delayed: 100, lane: 100 })).toBeUndefined()
  expect(parseId('', { log: 100, delayed: 100, lane: 100 })).toBeUndefined()
})

test('ids are made of fresh randomness each time, and sort by time', () => {
  const ids = Array.from({ length: 1000 }, uuid)
  expect(new Set(ids.map(baseOf)).size).toBe(1000)
  expect(ids[0]!.slice(0, 8) <= ids[999]!.slice(0, 8)).toBe(true)
})

test('ids begin with the time, and all that is left of them is drawn', () => {
  const before = Date.now()
  const ids = Array.from({ length: 20_000 }, uuid)
  const after = Date.now()
  const seen = Array.from({ length: 36 }, () => new Set<string>())
  for (const id of ids) {
    expect(validate(id) && version(id) === 7).toBe(true)
    const time = parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    expect(before <= time && time <= after).toBe(true)
    for (const [i, digit] of [...id].entries()) seen[i]!.add(digit)
  }
  // Version, variant and dashes: fixed, two bits, fixed.
  const sizes = seen.slice(14).map(({ size }) => size)
  expect(sizes).toEqual([1, 16, 16, 16, 1, 4, 16, 16, 16, 1, ...Array.from({ length: 12 }, () => 16)])
})
