import type { Hint } from '../src/core/index.ts'
import {
  type Key,
  type KeyRange,
  type Kind,
  type QueueStore,
  type Table,
  TABLES,
  type Transaction,
  type TransactionalStore,
  compareKeys,
  isBehind,
} from '../src/segments/index.ts'
import { equal, fail, ok, rejects } from './assert.ts'
import type { ConformanceCase } from './suite.ts'

/** A store of contract 2 to test: how to make one. */
export interface StoreFactory {
  /** Makes a fresh, empty store that shares nothing with others made before. */
  create(): Promise<StoreBackend>
  /** How long a hint may take, in ms. @defaultValue 5000 */
  readonly hintMs?: number
}

/** One store, as one case uses it. */
export interface StoreBackend {
  readonly store: TransactionalStore
  /** Another store on the same rows, as another process would have it; `destroy` closes it, too. Absent where rows have one owner. */
  second?(): Promise<TransactionalStore>
  /** Closes the store, and opens it on the same rows. Absent where nothing survives. */
  reopen?(): Promise<TransactionalStore>
  /** Closes what is open, if anything is, and deletes the rows. */
  destroy(): Promise<void>
}

const HINT_MS = 5000

const LONG = 'l'.repeat(256)

/** Keys in their order: each kind of neighbours that stores have been seen to confuse. */
const KEYS: readonly Key[] = [
  -1e300,
  -1024,
  -2.5,
  -2,
  -1,
  -1e-300,
  0,
  1e-300,
  0.5,
  1,
  1.5,
  2,
  9,
  10,
  255,
  256,
  65_536,
  2 ** 31,
  2 ** 32 + 0.5,
  2 ** 53 - 1,
  1e300,
  [1e301, 'a'],
  '',
  ['', 0],
  ['', ''],
  '\u0000',
  ['\u0000', 1],
  ['\u0000', '\u0000'],
  '\u0000\u0000',
  '\u0000\u0001',
  '\u0001',
  '\u0001\u0000',
  '\u0002',
  '%',
  '-1',
  '10',
  '9',
  'A',
  'B',
  'a',
  ['a', -1],
  ['a', 0],
  ['a', 0, 0],
  ['a', 0, 'x'],
  ['a', 1],
  ['a', 'a'],
  'a\u0000',
  ['a\u0000', 1],
  'aa',
  'a\u0301',
  'b',
  // As long as keys of the engine are, and alike until their ends.
  [LONG, LONG, 1],
  [LONG, LONG, 2],
  '\u007f',
  '\u0080',
  '\u00e1',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\u{10000}',
  '\u{10ffff}',
  '\ue000',
  '\uffff',
]

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1.5,
  2 ** 53 - 1,
  1e300,
  '',
  'null',
  'text \u0000 \ud83d\ude00 \u2028',
  [],
  {},
  [null, [null, undefined, 1], 'x'],
  { a: null, b: [1, 2, 3], c: { d: 'e' }, e: undefined },
  { $: [0, 1], $$: null, $a: { $: null } },
  new Uint8Array(),
  new Uint8Array([0, 1, 254, 255]),
  new Uint8Array(9),
  'spaces and NUL \u0000 ',
  { body: new Uint8Array([1, 2]), more: [new Uint8Array([3]), null, { last: new Uint8Array([4, 5]) }] },
  'x'.repeat(200_000),
  new Uint8Array(300_000).fill(7),
]

/** More than a page of any storage, and no more than one call of the engine asks for. */
const MANY = 2500

const WRITES: readonly Kind[] = ['append', 'consume', 'remove']

/** What a body throws. */
class Thrown extends Error {}

interface Scene {
  readonly backend: StoreBackend
  /** A queue, opened. */
  readonly queue: QueueStore
  readonly hintMs: number
}

type Run = (scene: Scene) => Promise<void>

function read<T>(queue: QueueStore, body: (tx: Transaction) => T): Promise<T> {
  return queue.transact('read', body)
}

function write<T>(queue: QueueStore, body: (tx: Transaction) => T): Promise<T> {
  return queue.transact('append', body)
}

/** A key that a table may have. */
function keyIn(table: Table): Key {
  return table === 'log' ? 1 : 'k'
}

/** All rows of a table. */
function all(queue: QueueStore, table: Table = 'ids', range: KeyRange = {}): Promise<readonly unknown[]> {
  return read(queue, (tx) => tx.range(table, range, 10_000).map(([key, value]) => [key, value]))
}

async function fill(queue: QueueStore, keys: readonly Key[] = KEYS): Promise<void> {
  // Not in their order.
  const mixed = keys.map((key, i) => ({ key, at: (i * 7919) % keys.length })).sort((a, b) => a.at - b.at)
  await write(queue, (tx) => {
    for (const { key } of mixed) tx.put('ids', key, { key })
  })
}

function rowsOf(keys: readonly Key[]): readonly unknown[] {
  return keys.map((key) => [key, { key }])
}

function within(range: KeyRange): readonly Key[] {
  const { lower, upper } = range
  return KEYS.filter(
    (key) =>
      (lower === undefined || compareKeys(key, lower) >= 0) && (upper === undefined || !isBehind(key, upper)),
  )
}

const RANGES: readonly KeyRange[] = [
  {},
  { lower: 0 },
  { upper: 0 },
  { lower: -2, upper: 2 },
  { lower: -2.4, upper: -0.1 },
  { lower: 1, upper: 1 },
  { lower: 0.6, upper: 0.9 },
  { lower: '' },
  { upper: '' },
  { lower: 'a', upper: 'a' },
  { lower: ['a'], upper: ['a', 0] },
  { lower: ['a', 0, 0], upper: ['a', 1] },
  { lower: '\u0000', upper: '\u0000' },
  { lower: '\u0001', upper: '\u0002' },
  { lower: '\ud7ff', upper: '\ue000' },
  { lower: 'b', upper: 'a' },
]

const CASES: readonly (readonly [name: string, run: Run])[] = [
  [
    'rows: what was put is there, later too, and what was deleted is not',
    async ({ queue }) => {
      equal(await read(queue, (tx) => tx.get('ids', 'a')), undefined, 'a row that nobody has put')
      await write(queue, (tx) => tx.put('ids', 'a', 1))
      await write(queue, (tx) => tx.put('ids', 'b', 2))
      await write(queue, (tx) => tx.put('ids', 'a', 3))
      equal(
        await all(queue),
        [
          ['a', 3],
          ['b', 2],
        ],
        'two rows, one of them put twice',
      )
      await write(queue, (tx) => {
        tx.delete('ids', 'a')
        tx.delete('ids', 'aa')
        tx.delete('ids', 'nobody')
      })
      equal(await all(queue), [['b', 2]], 'after a deletion')
    },
  ],
  [
    'rows: a key of one element is the element alone',
    async ({ queue }) => {
      await write(queue, (tx) => tx.put('ids', ['a'], 1))
      await write(queue, (tx) => tx.put('ids', [7], 2))
      equal(await read(queue, (tx) => [tx.get('ids', 'a'), tx.get('ids', 7)]), [1, 2], 'by the bare keys')
      await write(queue, (tx) => tx.delete('ids', 7))
      equal(await read(queue, (tx) => tx.get('ids', [7])), undefined, 'deleted by the bare key')
    },
  ],
  [
    'rows: tables are apart',
    async ({ queue }) => {
      await write(queue, (tx) => {
        for (const table of Object.keys(TABLES) as Table[]) tx.put(table, keyIn(table), table)
      })
      await write(queue, (tx) => tx.deleteRange('ids', {}))
      for (const table of Object.keys(TABLES) as Table[])
        equal(
          await all(queue, table),
          table === 'ids' ? [] : [[keyIn(table), table]],
          `table ${table} after all of ids was deleted`,
        )
    },
  ],
  [
    'queues: are apart, whatever their names',
    async ({ backend, queue }) => {
      const names = [
        'queue',
        'queue2',
        'Queue',
        'queue/',
        '"',
        "'; --",
        '%',
        '_',
        '\u{1f600}',
        'ü'.repeat(128),
        'queue ',
        'que\u0000ue',
        '\u00e9',
        'e\u0301',
      ]
      const queues = await Promise.all(names.map((name) => backend.store.open(name)))
      await Promise.all(
        queues.map((one, i) =>
          write(one, (tx) => {
            tx.put('ids', 'k', i)
            tx.put('log', 1, i)
          }),
        ),
      )
      await write(queue, (tx) => tx.deleteRange('ids', {}))
      for (const [i, one] of queues.entries()) {
        equal(await all(one), i === 0 ? [] : [['k', i]], `the ids of the queue ${names[i]}`)
        equal(await all(one, 'log'), [[1, i]], `the log of the queue ${names[i]}`)
      }
      if (backend.store.queues !== undefined)
        equal(await backend.store.queues(), [...names].sort(), 'the names of the queues')
      const again = await backend.reopen?.()
      for (const [i, name] of (again === undefined ? [] : names).entries())
        equal(await all(await again!.open(name), 'log'), [[1, i]], `the log of ${name}, opened again`)
    },
  ],
  ...VALUES.map((value, i): readonly [string, Run] => [
    `values: the ${i + 1}. of the examples comes back as it was`,
    async ({ queue }) => {
      await write(queue, (tx) => tx.put('ids', 'a', value))
      equal(await read(queue, (tx) => tx.get('ids', 'a')), value, 'the value')
      equal(await all(queue), [['a', value]], 'the row')
    },
  ]),
  [
    'order: numbers by value, before strings; strings by UTF-16 code unit; a tuple before those that start with it',
    async ({ queue }) => {
      await fill(queue)
      equal(await all(queue), rowsOf(KEYS), 'all rows in their order')
      for (const key of KEYS)
        equal(await read(queue, (tx) => tx.get('ids', key)), { key }, 'a row by its key')
    },
  ],
  [
    'order: the log, whose keys are whole numbers, has them by value',
    async ({ queue }) => {
      const numbers = [1, 2, 9, 10, 99, 100, 255, 256, 65_536, 2 ** 31, 2 ** 32, 2 ** 40]
      await write(queue, (tx) => {
        for (const number of numbers.toReversed()) tx.put('log', number, { number })
      })
      equal(
        await all(queue, 'log'),
        numbers.map((number) => [number, { number }]),
        'the log',
      )
      const some = await read(queue, (tx) =>
        tx.range('log', { lower: 10, upper: 256 }, 3).map(([key]) => key),
      )
      equal(some, [10, 99, 100], 'the first three from 10 to 256')
    },
  ],
  ...RANGES.map((range): readonly [string, Run] => [
    `ranges: ${JSON.stringify(range)} has both of its ends, and what starts with the upper one`,
    async ({ queue }) => {
      await fill(queue)
      const keys = within(range)
      equal(await all(queue, 'ids', range), rowsOf(keys), 'the rows')
      equal(await read(queue, (tx) => tx.count('ids', range)), keys.length, 'their count')
      const two = await read(queue, (tx) => tx.range('ids', range, 2))
      equal(two, rowsOf(keys.slice(0, 2)), 'the first two')
      await write(queue, (tx) => tx.deleteRange('ids', range))
      equal(
        await all(queue),
        rowsOf(KEYS.filter((key) => !keys.includes(key))),
        'what is left of deleteRange',
      )
    },
  ]),
  [
    'ranges: of many rows has all of them',
    async ({ queue }) => {
      const keys = Array.from({ length: MANY }, (_, i) => i)
      await fill(queue, keys)
      equal((await all(queue)).length, MANY, 'the rows')
      equal(await read(queue, (tx) => tx.count('ids', {})), MANY, 'their count')
      await write(queue, (tx) => tx.deleteRange('ids', { lower: 1 }))
      equal(await all(queue), rowsOf([0]), 'what is left of deleteRange')
    },
  ],
  [
    'transactions: see what they have written themselves',
    async ({ queue }) => {
      await fill(queue, ['a', 'b', 'c', 'd'])
      const seen = await write(queue, (tx) => {
        const rows = (limit: number): unknown => tx.range('ids', {}, limit).map(([key]) => key)
        tx.put('ids', 'aa', 1)
        tx.put('ids', 'ab', 1)
        tx.delete('ids', 'b')
        const first = [tx.get('ids', 'aa'), tx.get('ids', 'b'), rows(2), rows(10), tx.count('ids', {})]
        tx.deleteRange('ids', { lower: 'a', upper: 'c' })
        const second = [tx.get('ids', 'aa'), tx.get('ids', 'c'), rows(1), rows(10)]
        tx.put('ids', 'b', 2)
        return [first, second, [tx.get('ids', 'b'), rows(10)]]
      })
      equal(
        seen,
        [
          [1, undefined, ['a', 'aa'], ['a', 'aa', 'ab', 'c', 'd'], 5],
          [undefined, undefined, ['d'], ['d']],
          [2, ['b', 'd']],
        ],
        'what was seen',
      )
      equal(
        (await all(queue)).map((row) => (row as Key[])[0]),
        ['b', 'd'],
        'what is there afterwards',
      )
    },
  ],
  ...WRITES.map((kind): readonly [string, Run] => [
    `transactions: of a body that throws nothing is left (${kind})`,
    async ({ queue }) => {
      await fill(queue, ['a', 'b', 'c'])
      const thrown = new Thrown('the body of a case')
      const failing = queue.transact(kind, (tx) => {
        tx.put('ids', 'a', 'new')
        tx.put('ids', 'd', 'new')
        tx.put('log', 1, 'new')
        tx.delete('ids', 'b')
        tx.deleteRange('ids', { lower: 'c' })
        throw thrown
      })
      const error = await failing.then(
        () => fail('a transaction whose body throws has resolved'),
        (one: unknown) => one,
      )
      ok(error === thrown, `it rejects with what the body has thrown, not with ${String(error)}`)
      equal(await all(queue), rowsOf(['a', 'b', 'c']), 'the rows')
      equal(await all(queue, 'log'), [], 'another table')
      await queue.transact(kind, (tx) => tx.put('ids', 'd', 1))
      equal((await all(queue)).length, 4, 'and the next one works')
    },
  ]),
  [
    'transactions: one that fails spoils none that are called with it',
    async ({ queue }) => {
      const calls = Array.from({ length: 20 }, (_, i) =>
        queue.transact(WRITES[i % 3]!, (tx) => {
          tx.put('ids', i, i)
          if (i % 4 === 1) throw new Thrown()
          return i
        }),
      )
      const results = await Promise.allSettled(calls)
      for (const [i, result] of results.entries()) {
        equal(result.status, i % 4 === 1 ? 'rejected' : 'fulfilled', `call ${i}`)
        if (result.status === 'fulfilled') equal(result.value, i, `what call ${i} answers`)
        else ok(result.reason instanceof Thrown, `call ${i} rejects with its own error`)
      }
      const kept = results.flatMap((_, i) => (i % 4 === 1 ? [] : [[i, i]]))
      equal(await all(queue), kept, 'the rows')
    },
  ],
  [
    'transactions: take effect in the order of their calls',
    async ({ queue }) => {
      const order: number[] = []
      const calls = Array.from({ length: 30 }, (_, i) =>
        queue
          .transact([...WRITES, 'read' as const][(i * 7) % 4]!, (tx) => {
            const before = tx.get<number[]>('ids', 'all') ?? []
            if ((i * 7) % 4 < 3) tx.put('ids', 'all', [...before, i])
            return before.length
          })
          .then((count) => void (order[i] = count)),
      )
      await Promise.all(calls)
      let expected = 0
      for (let i = 0; i < 30; i++) {
        equal(order[i], expected, `how many came before call ${i}`)
        if ((i * 7) % 4 < 3) expected++
      }
    },
  ],
  [
    'transactions: what resolved is seen by every later one, through every opening, and none is lost',
    async ({ backend, queue }) => {
      const other = await backend.store.open('queue')
      await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          (i % 2 === 0 ? queue : other).transact(WRITES[i % 3]!, (tx) =>
            tx.put('state', 'count', (tx.get<number>('state', 'count') ?? 0) + 1),
          ),
        ),
      )
      equal(await read(other, (tx) => tx.get('state', 'count')), 40, 'the counter')
      for (let i = 41; i < 50; i++) {
        await write(i % 2 === 0 ? queue : other, (tx) => tx.put('state', 'count', i))
        equal(await read(i % 2 === 0 ? other : queue, (tx) => tx.get('state', 'count')), i, 'the counter')
      }
    },
  ],
  [
    'another store: sees what was committed, and works as if alone',
    async ({ backend, queue }) => {
      const other = await (await backend.second?.())?.open('queue')
      if (other === undefined) return
      const sides = [queue, other]
      for (let i = 0; i < 6; i++) {
        // Those that have looked before must look again.
        for (const table of ['state', 'log', 'ids'] as const) {
          for (const side of sides) equal((await all(side, table)).length, i, `rows of ${table} before`)
          await write(sides[i % 2]!, (tx) => tx.put(table, i + 1, i))
          for (const side of sides) equal((await all(side, table)).length, i + 1, `rows of ${table}`)
        }
      }
      // Each counts the rows, and adds one that is no other's: no two may have seen the same.
      const counts: number[] = []
      for (let round = 0; round < 4; round++) {
        const adding = [...WRITES, ...WRITES].map((kind, i) =>
          sides[i % 2]!.transact(kind, (tx) => {
            const count = tx.count('due', {})
            tx.put('due', [i, round], i)
            return count
          }),
        )
        counts.push(...(await Promise.all(adding)))
      }
      counts.sort((one, two) => one - two)
      equal(counts, [...counts.keys()], 'what those who add to both stores at once have counted')
      const twenty = async (step: () => Promise<void>): Promise<void> => {
        for (let i = 0; i < 20; i++) await step()
      }
      await Promise.all([
        twenty(() =>
          write(queue, (tx) => {
            const at = tx.get<number>('ids', 'at') ?? 100
            tx.delete('ids', at)
            tx.put('ids', at + 1, true)
            tx.put('ids', 'at', at + 1)
          }),
        ),
        twenty(async () => {
          const isThere = await read(
            other,
            (tx) => tx.get('ids', tx.get<number>('ids', 'at') ?? 1) !== undefined,
          )
          ok(isThere, 'a read sees the rows of one moment')
        }),
      ])
    },
  ],
  [
    'watch: tells each listener of a change, with what was told, and no more once it was stopped',
    async ({ backend, queue, hintMs }) => {
      if (queue.watch === undefined) return
      const told: string[] = []
      const heard = async (count: number): Promise<void> => {
        const end = Date.now() + hintMs
        while (told.length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 1))
        ok(told.length >= count, `${told.length} of ${count} listeners were told within ${hintMs} ms`)
      }
      const listener = (_hint?: Hint): void => void told.push('twice')
      const stops = [queue.watch(listener), queue.watch(listener)]
      await write(queue, (tx) => tx.put('ids', 'a', 1))
      await heard(2)
      stops[0]!()
      stops[0]!()
      told.length = 0
      const other = await backend.store.open('queue')
      await write(other, (tx) => tx.put('ids', 'a', 2))
      await heard(1)
      stops[1]!()
      await new Promise((resolve) => setTimeout(resolve, 0))
      told.length = 0
      await write(queue, (tx) => tx.put('ids', 'a', 3))
      await new Promise((resolve) => setTimeout(resolve, 20))
      equal(told, [], 'nobody listens any more')
    },
  ],
  [
    'closing: verbs under way finish, later ones reject with CLOSED, and twice is once',
    async ({ backend, queue }) => {
      const under = write(queue, (tx) => tx.put('ids', 'a', 1))
      const closing = backend.store.close()
      await under
      await Promise.all([closing, backend.store.close()])
      await rejects(
        queue.transact('append', (tx) => tx.put('ids', 'b', 1)),
        'CLOSED',
        'a transaction after close',
      )
      await rejects(
        read(queue, (tx) => tx.get('ids', 'a')),
        'CLOSED',
        'a read after close',
      )
    },
  ],
  [
    'closing a queue: its rows are there when it is opened again',
    async ({ backend, queue }) => {
      await fill(queue, ['a', 'b'])
      queue.close?.()
      equal(await all(await backend.store.open('queue')), rowsOf(['a', 'b']), 'the rows')
    },
  ],
  [
    'opening again: finds what each kind of transaction has left, and nothing of those that failed',
    async ({ backend, queue }) => {
      if (backend.reopen === undefined) return
      await fill(
        queue,
        WRITES.flatMap((kind) => [`${kind} 0`, `${kind} 1`, `${kind} 2`]),
      )
      for (const kind of WRITES) {
        const key = `${kind} 1`
        const failing = queue.transact(kind, (tx) => {
          tx.deleteRange('ids', {})
          tx.put('ids', key, 'new')
          throw new Thrown()
        })
        await failing.catch(() => undefined)
        await queue.transact(kind, (tx) => tx.deleteRange('ids', { lower: key, upper: `${kind} 2` }))
        await queue.transact(kind, (tx) => {
          tx.put('ids', key, 1)
          tx.delete('ids', key)
          tx.put('ids', key, 2)
        })
      }
      const rows = [...WRITES].sort().flatMap((kind) => [
        [`${kind} 0`, { key: `${kind} 0` }],
        [`${kind} 1`, 2],
      ])
      equal(await all(await (await backend.reopen()).open('queue')), rows, 'the rows')
    },
  ],
  [
    'opening again: finds the rows',
    async ({ backend, queue }) => {
      if (backend.reopen === undefined) return
      await fill(queue)
      await queue.transact('consume', (tx) => tx.delete('ids', 'a'))
      await write(queue, (tx) => {
        for (const [i, value] of VALUES.entries()) tx.put('log', i + 1, value)
      })
      const again = await (await backend.reopen()).open('queue')
      equal(await all(again), rowsOf(KEYS.filter((key) => key !== 'a')), 'the rows')
      equal(
        await all(again, 'log'),
        VALUES.map((value, i) => [i + 1, value]),
        'the values',
      )
    },
  ],
]

/**
 * Cases for contract 2: what {@link TransactionalStore} asks of a store, each rule by itself. A store that breaks one may well
 * pass all of `conformanceCases`, and lose messages later. The whole takes a second or two on a store in memory.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { storeCases } from 'quayside-conformance'
 *
 * const create = async () => {
 *   const store = await MyStore.open(':memory:')
 *   return { store, destroy: () => store.close() }
 * }
 * for (const { name, run } of storeCases({ create })) test(name, run)
 * ```
 */
export function storeCases(factory: StoreFactory): ConformanceCase[] {
  return CASES.map(([name, run]) => ({
    name,
    skip: undefined,
    async run() {
      const backend = await factory.create()
      try {
        const queue = await backend.store.open('queue')
        await run({ backend, queue, hintMs: factory.hintMs ?? HINT_MS })
      } finally {
        await backend.destroy()
      }
    },
  }))
}
