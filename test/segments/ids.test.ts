import * as fc from '../support/fast-check.ts'
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
