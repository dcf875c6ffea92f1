import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import {
  type Stretch,
  type Stretches,
  between,
  includes,
  joined,
  sizeOfAll,
  stretchesOf,
  without,
} from '../../src/segments/stretches.ts'

const MAX = 40
const numbers = fc.array(fc.integer({ min: 0, max: MAX }))
const stretch = fc.tuple(fc.integer({ min: 0, max: MAX }), fc.integer({ min: -2, max: 8 }))

function numbersIn(stretches: Stretches): number[] {
  return stretches.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
}

function inOrder(all: Iterable<number>): number[] {
  return [...new Set(all)].sort((a, b) => a - b)
}

test('numbers become stretches, of which none touches the next', () => {
  fc.assert(
    fc.property(numbers, (all) => {
      const stretches = stretchesOf(all)
      expect(numbersIn(stretches)).toEqual(inOrder(all))
      expect(sizeOfAll(stretches)).toBe(new Set(all).size)
      stretches.slice(1).forEach(({ first }, i) => expect(first).toBeGreaterThan(stretches[i]!.last + 1))
    }),
  )
})

test('stretches that overlap, touch or are empty are joined', () => {
  fc.assert(
    fc.property(fc.array(stretch), (all) => {
      const some: Stretch[] = all.map(([first, more]) => ({ first, last: first + more }))
      const filled = some.filter(({ first, last }) => first <= last)
      expect(joined(some)).toEqual(stretchesOf(numbersIn(filled)))
    }),
  )
})

test('what is in one set and not in another', () => {
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      const expected = inOrder(a).filter((number) => !b.includes(number))
      expect(without(stretchesOf(a), stretchesOf(b))).toEqual(stretchesOf(expected))
    }),
  )
})

test('nothing lies between a number and one before it', () => {
  expect(between([{ first: 4, last: 5 }], 5, 4)).toEqual([])
})

test('what lies between two numbers, and whether one is there', () => {
  fc.assert(
    fc.property(numbers, fc.nat(MAX), fc.nat(MAX), (all, first, last) => {
      const stretches = stretchesOf(all)
      const expected = inOrder(all).filter((number) => first <= number && number <= last)
      expect(between(stretches, first, last)).toEqual(stretchesOf(expected))
      expect(includes(stretches, first)).toBe(all.includes(first))
    }),
  )
})
