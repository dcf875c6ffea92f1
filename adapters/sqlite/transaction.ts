import { joinHints } from '../../src/segments/hints.ts'
import type { Key, KeyRange, Row, Table, Transaction } from '../../src/segments/store.ts'
import type { Hint } from '../../src/storage.ts'
import { keyOfRow, rowBounds, rowKey } from './keys.ts'
import type { Rows } from './rows.ts'
import { valueBytes, valueOf } from './values.ts'

/** The rows of one queue, in the transaction that is under way. */
export class QueueTransaction implements Transaction {
  /** It has changed something. */
  wrote = false
  hint: Hint | undefined
  readonly #rows: Rows
  readonly #queue: number

  constructor(rows: Rows, queue: number) {
    this.#rows = rows
    this.#queue = queue
  }

  get<V>(table: Table, key: Key): V | undefined {
    const value = this.#rows.get(rowKey(this.#queue, table, key))
    return value && (valueOf(value) as V)
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    const rows = this.#rows.scan(...rowBounds(this.#queue, table, range), limit)
    return rows.map(([key, value]) => [keyOfRow(key), valueOf(value) as V])
  }

  count(table: Table, range: KeyRange): number {
    return this.#rows.count(...rowBounds(this.#queue, table, range))
  }

  put(table: Table, key: Key, value: unknown): void {
    this.wrote = true
    this.#rows.put(rowKey(this.#queue, table, key), valueBytes(value))
  }

  delete(table: Table, key: Key): void {
    this.wrote = true
    this.#rows.delete(rowKey(this.#queue, table, key))
  }

  deleteRange(table: Table, range: KeyRange): void {
    this.wrote = true
    this.#rows.deleteRange(...rowBounds(this.#queue, table, range))
  }

  tell(hint: Hint): void {
    this.hint = joinHints(this.hint, hint)
  }
}
