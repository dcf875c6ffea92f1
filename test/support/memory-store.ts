import { MemoryAdapter, type MemoryOptions } from '../../src/records/memory.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { OrderedMap } from '../../src/segments/ordered-map.ts'
import {
  type Key,
  type KeyRange,
  type Kind,
  type QueueStore,
  type Row,
  type Table,
  type Transaction,
  type TransactionalStore,
} from '../../src/segments/store.ts'
import type { Hint } from '../../src/storage.ts'

/** The segment engine on nothing but memory, to test it without what storages do. */
export class SegmentMemory extends SegmentAdapter {
  constructor({ clock = Date }: MemoryOptions = {}) {
    super(new MemoryAdapter().guarantees, memoryStore(clock))
  }
}

/** Contract 2 on nothing but memory. Every opening of the adapter finds the same rows, as long as the object lives. */
export function memoryStore(clock: { now(): number }): () => Promise<TransactionalStore> {
  const queues = new Map<string, MemoryQueue>()
  const store: TransactionalStore = {
    async open(queue) {
      const rows = queues.get(queue) ?? new MemoryQueue(clock, () => queues.delete(queue))
      queues.set(queue, rows)
      return rows
    },
    async queues() {
      return [...queues].flatMap(([name, rows]) => (rows.isEmpty ? [] : [name])).sort()
    },
    async close() {},
  }
  return async () => store
}

/** A row that was written, what it was before, `undefined` where there was none, and what was written before it. */
type Undo = readonly [rows: OrderedMap<unknown>, key: Key, before: unknown, earlier: Undo | undefined]

/** Many rows that were removed together. */
class Removed {
  readonly #keys: readonly Key[]
  readonly #values: readonly unknown[]

  constructor(keys: readonly Key[], values: readonly unknown[]) {
    this.#keys = keys
    this.#values = values
  }

  putBack(rows: OrderedMap<unknown>): void {
    for (const [i, key] of this.#keys.entries()) rows.set(key, this.#values[i])
  }
}

/** The rows of one queue. Bodies run at once and to their end, so transactions are alone by themselves. */
class MemoryQueue implements QueueStore, Transaction {
  readonly soleOwner = false
  readonly #clock: { now(): number }
  readonly #listeners: Set<(hint?: Hint) => void> = new Set()
  readonly #tables: { [T in Table]?: OrderedMap<unknown> } = {}
  /** What the running transaction has written over, last first, to be put back if it fails. */
  #undo: Undo | undefined
  readonly #forget: () => void
  /** What the running transaction says to those who watch. */
  #hint: Hint | undefined

  /** @param forget Is called where nobody has it, and it has no rows. */
  constructor(clock: { now(): number }, forget: () => void) {
    this.#clock = clock
    this.#forget = forget
  }

  transact<T>(_kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    this.#hint = undefined
    try {
      const result = body(this)
      if (this.#undo !== undefined) {
        this.#undo = undefined
        const hint = this.#hint
        for (const listener of this.#listeners) queueMicrotask(() => listener(hint))
      }
      return Promise.resolve(result)
    } catch (error) {
      while (this.#undo !== undefined) {
        const [rows, key, before, earlier] = this.#undo
        this.#undo = earlier
        if (before instanceof Removed) before.putBack(rows)
        else if (before === undefined) rows.delete(key)
        else rows.set(key, before)
      }
      return Promise.reject(error)
    }
  }

  now(): number {
    return this.#clock.now()
  }

  tell(hint: Hint): void {
    this.#hint = hint
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const own = (hint?: Hint): void => listener(hint)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    if (this.isEmpty) this.#forget()
  }

  get isEmpty(): boolean {
    return Object.values(this.#tables).every(({ size }) => size === 0)
  }

  #table(table: Table): OrderedMap<unknown> {
    return (this.#tables[table] ??= new OrderedMap())
  }

  get<V>(table: Table, key: Key): V | undefined {
    return this.#table(table).get(key) as V | undefined
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    return this.#table(table).range(range, limit) as readonly Row<V>[]
  }

  count(table: Table, range: KeyRange): number {
    return this.#table(table).count(range)
  }

  #note(rows: OrderedMap<unknown>, key: Key, before: unknown): void {
    this.#undo = [rows, key, before, this.#undo]
  }

  put(table: Table, key: Key, value: unknown): void {
    const rows = this.#table(table)
    this.#note(rows, key, rows.set(key, value))
  }

  delete(table: Table, key: Key): void {
    const rows = this.#table(table)
    const before = rows.delete(key)
    if (before !== undefined) this.#note(rows, key, before)
  }

  deleteRange(table: Table, range: KeyRange): void {
    const rows = this.#table(table)
    rows.deleteRange(range, (keys, values) => this.#note(rows, 0, new Removed(keys, values)))
  }
}
