import { Buffer } from 'node:buffer'
import {
  type Key,
  type KeyRange,
  type Row,
  type Table,
  type Transaction,
  TABLES,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { corrupt } from './faults.ts'
import { isIntactApart, liesApart, numberOfTable, valueOfPut } from './format.ts'
import type { QueueRows } from './queue-rows.ts'
import type { Queues } from './queues.ts'
import { NOT_LOADED } from './rows.ts'
import type { Stage } from './stage.ts'

/** Rows that lie so close to each other are read at once, what lies between included. */
const GAP_BYTES = 4096
/** But no more than this at once. */
const READ_BYTES = 1024 * 1024

/** The view of a transaction on the rows of one queue. Answers everything at once. */
export class JournalTransaction implements Transaction {
  readonly #queue: QueueRows
  readonly #queues: Queues
  readonly #stage: Stage
  #buffer = Buffer.allocUnsafe(16 * 1024)

  constructor(queue: QueueRows, queues: Queues, stage: Stage) {
    this.#queue = queue
    this.#queues = queues
    this.#stage = stage
  }

  get<V>(table: Table, key: Key): V | undefined {
    const row = this.#queue.table(numberOfTable(table)).get(key)
    return row === undefined ? undefined : (this.#value(table, row) as V)
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    const found = this.#queue.table(numberOfTable(table)).range(range, limit)
    const rows: Row<V>[] = []
    for (let i = 0; i < found.length; i++) {
      const [key, row] = found[i]!
      if (this.#stage.rows.value(row) === NOT_LOADED && !liesApart(table)) this.#loadFrom(table, found, i)
      rows.push([key, this.#value(table, row) as V])
    }
    return rows
  }

  count(table: Table, range: KeyRange): number {
    return this.#queue.table(numberOfTable(table)).count(range)
  }

  put(table: Table, key: Key, value: unknown): void {
    this.#queues.putName(this.#stage, this.#queue)
    this.#stage.put(this.#queue, table, key, value)
  }

  tell(hint: Hint): void {
    this.#stage.tell(this.#queue, hint)
  }

  delete(table: Table, key: Key): void {
    this.#stage.delete(this.#queue, table, key)
  }

  deleteRange(table: Table, range: KeyRange): void {
    this.#stage.deleteRange(this.#queue, table, range)
    this.#queues.dropName(this.#stage, this.#queue)
  }

  #value(table: Table, row: number): unknown {
    const { rows } = this.#stage
    const known = rows.value(row)
    if (known !== NOT_LOADED) {
      rows.touch(row)
      return known
    }
    if (this.#stage.has(row)) return this.#stage.load(table, row)
    // Whoever has got a long body will hardly ask for it again.
    if (liesApart(table)) return this.#readApart(row)
    const [value] = this.#read(rows.file(row), rows.offset(row), [row])
    this.#remember(table, row, value)
    return value
  }

  #readApart(row: number): unknown {
    const { rows, journal } = this.#stage
    const number = rows.file(row)
    const bytes = Buffer.allocUnsafe(rows.length(row))
    journal.read(number, bytes, bytes.length, rows.offset(row))
    if (!isIntactApart(bytes))
      throw corrupt(
        journal.file(number).path,
        rows.offset(row),
        'this is not the body that was written there',
      )
    return valueOfPut(bytes, 0, bytes.length)
  }

  /** Loads the row at `i`, and with it those behind it that lie near it on the disk. */
  #loadFrom(table: Table, found: readonly Row<number>[], i: number): void {
    const { rows } = this.#stage
    const first = found[i]![1]
    if (this.#stage.has(first)) return
    const file = rows.file(first)
    const start = rows.offset(first)
    let end = start + rows.length(first)
    const wanted = [first]
    for (let next = i + 1; next < found.length; next++) {
      const row = found[next]![1]
      const offset = rows.offset(row)
      const near = rows.file(row) === file && offset >= end && offset <= end + GAP_BYTES
      if (!near || rows.value(row) !== NOT_LOADED || this.#stage.has(row)) break
      if (offset + rows.length(row) - start > READ_BYTES) break
      end = offset + rows.length(row)
      wanted.push(row)
    }
    const values = this.#read(file, start, wanted)
    for (let k = 0; k < wanted.length; k++) this.#remember(table, wanted[k]!, values[k])
  }

  /** Reads rows of a file, the first of which starts at `start`. */
  #read(file: number, start: number, wanted: readonly number[]): unknown[] {
    const { rows, journal } = this.#stage
    const last = wanted[wanted.length - 1]!
    const length = rows.offset(last) + rows.length(last) - start
    if (length > this.#buffer.length && length <= READ_BYTES) this.#buffer = Buffer.allocUnsafe(length * 2)
    const buffer = length > this.#buffer.length ? Buffer.allocUnsafe(length) : this.#buffer
    journal.read(file, buffer, length, start)
    return wanted.map((row) => {
      const from = rows.offset(row) - start
      try {
        return valueOfPut(buffer, from, from + rows.length(row))
      } catch (error) {
        throw corrupt(
          journal.file(file).path,
          start + from,
          'this is not the row that was written there',
          error,
        )
      }
    })
  }

  #remember(table: Table, row: number, value: unknown): void {
    if (TABLES[table] === 's') this.#stage.rows.keep(row, value)
    else this.#stage.rows.cache(row, value)
  }
}
