import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { OrderedMap } from '../../src/segments/ordered-map.ts'
import { type Key, type KeyRange, compareKeys, isBehind } from '../../src/segments/store.ts'

const part = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -2, max: 2 }).map((n) => n + 0),
  fc.constantFrom('', 'a', 'ab', 'b', '\0', '\uffff', '\ud800', 'é'),
)
const key: fc.Arbitrary<Key> = fc.oneof(part, fc.array(part, { minLength: 1, maxLength: 3 }))
const range: fc.Arbitrary<KeyRange> = fc.record({ lower: key, upper: key }, { requiredKeys: [] })

/** The simplest thing that can be right: an array that is sorted anew. */
class Model {
  rows: [Key, number][] = []

  set(at: Key, value: number): number | undefined {
    const before = this.delete(at)
    this.rows.push([at, value])
    this.rows.sort(([a], [b]) => compareKeys(a, b))
    return before
  }

  delete(at: Key): number | undefined {
    const found = this.rows.find(([other]) => compareKeys(other, at) === 0)
    this.rows = this.rows.filter((row) => row !== found)
    return found?.[1]
  }

  inside({ lower, upper }: KeyRange): [Key, number][] {
    return this.rows.filter(
      ([at]) =>
        (lower === undefined || compareKeys(at, lower) >= 0) && (upper === undefined || !isBehind(at, upper)),
    )
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteRange' as const), range }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('range' as const),
      range,
      limit: fc.nat(10),
    }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Does one step to both, and answers with what came of it. */
function perform(one: Step, map: OrderedMap<number>, model: Model): { got: unknown; wanted: unknown } {
  if (one.do === 'set') return { got: map.set(one.key, one.value), wanted: model.set(one.key, one.value) }
  if (one.do === 'delete') return { got: map.delete(one.key), wanted: model.delete(one.key) }
  const rows = model.inside(one.range)
  if (one.do === 'deleteRange') {
    model.rows = model.rows.filter((row) => !rows.includes(row))
    const removed: number[] = []
    map.deleteRange(one.range, (_, values) => removed.push(...values))
    return { got: removed, wanted: rows.map(([, value]) => value) }
  }
  const count = map.count(one.range)
  const got = map.range(one.range, one.limit).map(([, value]) => value)
  const values = rows.map(([, value]) => value)
  return { got: { count, got }, wanted: { count: values.length, got: values.slice(0, one.limit) } }
}

test('does what a sorted array does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const map = new OrderedMap<number>()
      const model = new Model()
      for (const one of steps) {
        const { got, wanted } = perform(one, map, model)
        expect(got).toEqual(wanted)
        expect(map.size).toBe(model.rows.length)
        for (const [at, value] of model.rows) expect(map.get(at)).toBe(value)
      }
    }),
    { numRuns: 300 },
  )
})

test('keeps its order through many chunks', () => {
  const map = new OrderedMap<number>()
  const numbers = Array.from({ length: 5000 }, (_, i) => (i * 2654435761) % 5003)
  for (const n of numbers) map.set(n, n)
  expect(map.size).toBe(5000)
  const sorted = numbers.toSorted((a, b) => a - b)
  expect(map.range({}, 10_000).map(([, n]) => n)).toEqual(sorted)
  expect(map.range({}, 3).map(([, n]) => n)).toEqual(sorted.slice(0, 3))
  expect(map.range({ lower: 1000, upper: 3000 }, 10_000).map(([, n]) => n)).toEqual(
    sorted.filter((n) => n >= 1000 && n <= 3000),
  )
  expect(map.count({ lower: 7, upper: 4000 })).toBe(sorted.filter((n) => n >= 7 && n <= 4000).length)
  map.deleteRange({ lower: 100, upper: 4900 })
  expect(map.range({}, 10_000).map(([, n]) => n)).toEqual(sorted.filter((n) => n < 100 || n > 4900))
  map.deleteRange({})
  expect(map.size).toBe(0)
})
