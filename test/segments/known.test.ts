// What a byte store need not read again is what it would read.
import { expect, test } from 'vitest'
import {
  type Key,
  type KeyRange,
  type QueueStore,
  type Table,
  transactional,
} from '../../src/segments/index.ts'
import { byteMemory } from '../support/byte-store.ts'

/** Numbers from 0 up to one, the same for each seed. */
function lots(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const TABLES: readonly Table[] = ['state', 'log']
/** Most rows of the log come behind all others. */
let tail = 0
const EMPTY: KeyRange = { lower: ['inbox'], upper: ['inbox'] }

function keyOf(table: Table, draw: (below: number) => number): Key {
  if (table === 'log') return draw(3) > 0 ? ++tail : tail - draw(20)
  return [['queue'], ['group', 'a'], ['group', 'b'], ['inbox', draw(3), 1]][draw(4)]!
}

function rangeOf(table: Table, draw: (below: number) => number): KeyRange {
  if (table === 'state') return [EMPTY, {}, { lower: ['group'], upper: ['group'] }][draw(3)]!
  const lower = tail - draw(20)
  return [{ lower }, { lower, upper: lower + draw(10) }, { upper: lower - 10 }, {}][draw(4)]!
}

function valueOf(draw: (below: number) => number): unknown {
  return (
    [{ n: draw(100) }, 'x'.repeat(draw(60_000)), Uint8Array.of(draw(9)), 'y'.repeat(260_000)][
      draw(25) || 3
    ] ?? draw(100)
  )
}

/** Does something in a transaction, here and there, and answers with what both see. */
async function step(
  store: QueueStore,
  plain: QueueStore,
  draw: (below: number) => number,
): Promise<{ seen: unknown; expected: unknown }> {
  const count = 1 + draw(4)
  const fails = draw(8) === 0
  const todo = Array.from({ length: count }, () => {
    const table = TABLES[draw(2)]!
    return {
      kind: draw(8),
      table,
      key: keyOf(table, draw),
      range: rangeOf(table, draw),
      value: valueOf(draw),
      limit: 1 + draw(5),
    }
  })
  const run = async (queue: QueueStore): Promise<unknown> => {
    try {
      return await queue.transact('append', (tx) => {
        const seen = todo.map(({ kind, table, key, range, value, limit }) => {
          if (kind < 3) return tx.range(table, range, limit)
          if (kind === 3) return tx.get(table, key)
          if (kind === 4) return tx.delete(table, key)
          if (kind === 5) return tx.count(table, range)
          if (kind === 6 && limit < 4) return tx.deleteRange(table, range)
          return tx.put(table, key, value)
        })
        if (fails) throw new Error('undo')
        return seen
      })
    } catch (error) {
      return (error as Error).message
    }
  }
  // The plain one is of the same rows: what it does is undone, and done again by the other.
  const expected = await run({ ...plain, transact: (kind, body) => undone(plain, kind, body) })
  return { expected, seen: await run(store) }
}

async function undone<T>(queue: QueueStore, ...[kind, body]: Parameters<QueueStore['transact']>): Promise<T> {
  let result: unknown
  const undo = new Error('undone')
  await queue
    .transact(kind, (tx) => {
      result = body(tx)
      throw undo
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error
    })
  return result as T
}

test.each(Array.from({ length: 15 }, (_, i) => i + 1))(
  'two who know what they have read see what one sees who reads each time, seed %i',
  async (seed) => {
    const draw = lots(seed)
    tail = 0
    const open = byteMemory({ knows: true })
    const own = [await transactional(open()).open('q'), await transactional(open()).open('q')]
    const plain = await transactional({ ...plainOf(open()) }).open('q')
    for (let i = 0; i < 100; i++) {
      const { seen, expected } = await step(own[draw(10) < 8 ? 0 : 1]!, plain, draw)
      expect(seen).toEqual(expected)
    }
  },
)

/** The same store, which does not tell whether others have changed rows. */
function plainOf(store: ReturnType<ReturnType<typeof byteMemory>>): typeof store {
  return {
    ...store,
    async open(name) {
      const { isUnchanged: _, ...queue } = await store.open(name)
      return queue
    },
  }
}

test('what was sent and read last is not read again', async () => {
  let reads = 0
  const store = byteMemory({ knows: true })()
  const queue = await transactional({
    ...store,
    async open(name) {
      const rows = await store.open(name)
      return {
        ...rows,
        transact: (kind, body) =>
          rows.transact(kind, (seen) =>
            body({
              get: (key) => (reads++, seen.get(key)),
              scan: (from, to, limit) => (reads++, seen.scan(from, to, limit)),
              put: (key, value) => seen.put(key, value),
              delete: (key) => seen.delete(key),
              deleteRange: (from, to) => seen.deleteRange(from, to),
            }),
          ),
      }
    },
  }).open('q')
  const lap = (n: number): Promise<unknown> =>
    queue.transact('append', (tx) => {
      const state = tx.get<number>('state', ['queue'])
      tx.range('state', EMPTY, 1)
      tx.put('log', n, `segment ${n}`)
      tx.put('state', ['queue'], n)
      tx.deleteRange('log', { upper: n - 2 })
      return [state, tx.range('log', { lower: n - 1 }, 2), tx.range('log', { lower: n + 1 }, 1)]
    })
  await lap(1)
  await lap(2)
  await lap(3)
  const before = reads
  expect(await lap(4)).toEqual([
    3,
    [
      [3, 'segment 3'],
      [4, 'segment 4'],
    ],
    [],
  ])
  expect(reads - before).toBe(0)
})
