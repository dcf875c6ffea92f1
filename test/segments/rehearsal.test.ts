import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { OrderedMap } from '../../src/segments/ordered-map.ts'
import { type AsyncReads, type Write, rehearse, rehearseTogether } from '../../src/segments/rehearsal.ts'
import type { Key, KeyRange, Transaction } from '../../src/segments/store.ts'

function readsOf(rows: OrderedMap<unknown>): AsyncReads {
  return {
    get: async (_, key) => rows.get(key),
    range: async (_, range, limit) => rows.range(range, limit),
    count: async (_, range) => rows.count(range),
  }
}

function apply(rows: OrderedMap<unknown>, writes: readonly Write[]): void {
  for (const write of writes) {
    if (write.kind === 'put') rows.set(write.key, write.value)
    else if (write.kind === 'delete') rows.delete(write.key)
    else rows.deleteRange(write.range)
  }
}

const key = fc.integer({ min: 0, max: 12 })
const range: fc.Arbitrary<KeyRange> = fc.record({ lower: key, upper: key }, { requiredKeys: [] })
const step = fc.oneof(
  fc.record({ do: fc.constant('put' as const), key, value: fc.nat() }),
  fc.record({ do: fc.constant('delete' as const), key }),
  fc.record({ do: fc.constant('deleteRange' as const), range }),
  fc.record({ do: fc.constant('get' as const), key }),
  fc.record({ do: fc.constant('count' as const), range }),
  fc.record({
    do: fc.constant('range' as const),
    range,
    limit: fc.integer({ min: 1, max: 6 }),
  }),
)

function perform(
  tx: Pick<Transaction, keyof Transaction>,
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
): unknown[] {
  return steps.map((one) => {
    if (one.do === 'put') return tx.put('log', one.key, one.value)
    if (one.do === 'delete') return tx.delete('log', one.key)
    if (one.do === 'deleteRange') return tx.deleteRange('log', one.range)
    if (one.do === 'get') return tx.get('log', one.key)
    if (one.do === 'count') return tx.count('log', one.range)
    return tx.range('log', one.range, one.limit)
  })
}

test('a body sees the same on a store that has to wait as on one that does not', async () => {
  const stored = fc.uniqueArray(key)
  await fc.assert(
    fc.asyncProperty(stored, fc.array(step, { maxLength: 20 }), async (keys, steps) => {
      const rows = new OrderedMap<unknown>()
      const model = new OrderedMap<unknown>()
      for (const one of keys) {
        rows.set(one, `stored ${one}`)
        model.set(one, `stored ${one}`)
      }
      const wanted = perform(
        {
          get: <V>(_: string, at: Key) => model.get(at) as V,
          range: <V>(_: string, some: KeyRange, limit: number) => model.range(some, limit) as [Key, V][],
          count: (_, some) => model.count(some),
          put: (_, at, value) => void model.set(at, value),
          delete: (_, at) => void model.delete(at),
          deleteRange: (_, some) => model.deleteRange(some),
        },
        steps,
      )
      const { result, writes } = await rehearse(readsOf(rows), (tx) => perform(tx, steps))
      expect(result).toEqual(wanted)
      apply(rows, writes)
      expect(rows.range({}, 100)).toEqual(model.range({}, 100))
    }),
    { numRuns: 500 },
  )
})

test('rows that are expected are read together', async () => {
  const asked: string[] = []
  const reads = readsOf(new OrderedMap())
  const { result } = await rehearse(
    {
      ...reads,
      get: async (table, at) => {
        asked.push(`${table} ${at as string}`)
        await Promise.resolve()
        asked.push('answer')
        return at
      },
    },
    (tx) => {
      tx.expect?.([
        ['state', 'a'],
        ['state', 'b'],
      ])
      return [tx.get('state', 'a'), tx.get('state', 'b')]
    },
  )
  expect(result).toEqual(['a', 'b'])
  expect(asked).toEqual(['state a', 'state b', 'answer', 'answer'])
})

test('an error of the body, or of a read, comes out', async () => {
  const reads = readsOf(new OrderedMap())
  const broken = new Error('broken')
  await expect(
    rehearse(reads, () => {
      throw broken
    }),
  ).rejects.toBe(broken)
  await expect(
    rehearse({ ...reads, get: () => Promise.reject(broken) }, (tx) => tx.get('log', 1)),
  ).rejects.toBe(broken)
})

test('bodies of one transaction follow each other, and read together what they need, once', async () => {
  const rows = new OrderedMap<unknown>()
  for (let i = 0; i < 20; i++) rows.set(i, i)
  const asked: string[] = []
  let runs = 0
  const reads: AsyncReads = {
    get: async (table, key) => {
      asked.push(`get ${String(key)}`)
      return await readsOf(rows).get(table, key)
    },
    range: async (table, some, limit) => {
      asked.push(`range ${limit}`)
      return await readsOf(rows).range(table, some, limit)
    },
    count: async () => 0,
  }
  const bodies = Array.from({ length: 10 }, (_, i) => (tx: Transaction) => {
    runs++
    const sum = tx.get<number>('log', 100) ?? 0
    tx.get('log', i)
    tx.range('log', {}, 3)
    tx.put('log', 100, sum + 1)
    return sum
  })
  const { results, writes } = await rehearseTogether(reads, bodies)
  expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(writes).toHaveLength(10)
  expect(asked.filter((one) => one.startsWith('get'))).toHaveLength(11)
  expect(new Set(asked).size).toBe(asked.length)
  // Not a run for each that each of them reads.
  expect(runs).toBeLessThan(bodies.length * 8)
})
