import { type SQLiteDatabase, type SQLiteStatement, prepare } from './driver.ts'

/** Longer values lie apart: with 4 KB pages, a quarter of one is the most that a row keeps to itself. */
const MAX_INLINE = 900

/** SQLite takes counts of this size. */
const MAX_COUNT = 2 ** 31 - 1

type Value = Uint8Array
type Entry = readonly [key: Uint8Array, value: Value]

const FIND = `FROM quayside_rows LEFT JOIN quayside_large ON typeof(quayside_rows.value) = 'integer' AND id = quayside_rows.value`
const VALUE = 'coalesce(quayside_large.value, quayside_rows.value) AS value'

/** Rows of bytes, in the transaction that is under way. */
export class Rows {
  readonly #get: SQLiteStatement
  readonly #scan: SQLiteStatement
  readonly #put: SQLiteStatement
  readonly #putLarge: SQLiteStatement
  readonly #putAt: SQLiteStatement
  readonly #delete: SQLiteStatement
  readonly #deleteRange: SQLiteStatement

  constructor(database: SQLiteDatabase) {
    this.#get = prepare(database, `SELECT ${VALUE} ${FIND} WHERE key = ?`)
    this.#scan = prepare(
      database,
      `SELECT key, ${VALUE} ${FIND} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`,
    )
    const put = (value: string): SQLiteStatement =>
      prepare(
        database,
        `INSERT INTO quayside_rows VALUES (?, ${value}) ON CONFLICT DO UPDATE SET value = excluded.value`,
      )
    this.#put = put('?')
    this.#putLarge = prepare(database, 'INSERT INTO quayside_large (value) VALUES (?)')
    this.#putAt = put('last_insert_rowid()')
    this.#delete = prepare(database, 'DELETE FROM quayside_rows WHERE key = ?')
    this.#deleteRange = prepare(database, 'DELETE FROM quayside_rows WHERE key >= ? AND key < ?')
  }

  get(key: Uint8Array): Value | undefined {
    return (this.#get.get(key) as { value: Value } | null | undefined)?.value
  }

  /** From, and up to but without. */
  scan(from: Uint8Array, to: Uint8Array, limit: number): Entry[] {
    const rows = this.#scan.all(from, to, Math.min(limit, MAX_COUNT)) as { key: Uint8Array; value: Value }[]
    return rows.map(({ key, value }) => [key, value])
  }

  put(key: Uint8Array, value: Value): void {
    if (value.length <= MAX_INLINE) this.#put.run(key, value)
    else {
      this.#putLarge.run(value)
      this.#putAt.run(key)
    }
  }

  delete(key: Uint8Array): void {
    this.#delete.run(key)
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#deleteRange.run(from, to)
  }
}
