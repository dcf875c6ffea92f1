import {
  type Key,
  type KeyRange,
  type Row,
  TABLES,
  type Table,
  type Transaction,
} from '../../src/segments/store.ts'
import { keyBytes, keyOf } from './key-bytes.ts'
import { type Packed, pack, unpack } from './packed.ts'
import type { Sql, SqlValue } from './platform.ts'
import { Segments } from './segments.ts'

/**
 * The rows of one queue in the SQLite of its object. Every table of the engine is a table there, without rowids, so that a
 * row costs one row written and nothing more.
 *
 * | column | |
 * |---|---|
 * | key | see `key-bytes.ts` |
 * | text | see `packed.ts`; or its length in bytes, where text and bytes together are too long for a row and lie in `parts` |
 * | bytes | see `packed.ts`; empty where they lie in `parts` |
 */
const NAMES = Object.keys(TABLES) as Table[]

/** The platform takes 2 MB in a row. */
const MAX_ROW = 1_900_000
/** SQLite takes counts of this size. */
const MAX_COUNT = 2 ** 31 - 1

const encoder = new TextEncoder()
const decoder = new TextDecoder()

type Stored = readonly [text: string | number, bytes: ArrayBuffer | null]

export class Rows implements Transaction {
  /** A transaction has changed something, as far as this was asked for. */
  wrote = false
  readonly #sql: Sql
  readonly #segments: Segments = new Segments()
  /** Some row may lie in parts. */
  #hasParts: boolean

  constructor(sql: Sql) {
    this.#sql = sql
    for (const table of NAMES) {
      sql.exec(
        `CREATE TABLE IF NOT EXISTS quayside_${table} (key BLOB PRIMARY KEY, text, bytes BLOB) WITHOUT ROWID`,
      )
    }
    sql.exec(
      'CREATE TABLE IF NOT EXISTS quayside_parts (row BLOB, part INTEGER, bytes BLOB, PRIMARY KEY (row, part)) WITHOUT ROWID',
    )
    this.#hasParts = this.#read('SELECT 1 FROM quayside_parts LIMIT 1').length > 0
  }

  get<V>(table: Table, key: Key): V | undefined {
    const known = table === 'log' ? this.#segments.get(key) : undefined
    if (known !== undefined) return known as V
    const bytes = keyBytes(key)
    const [row] = this.#read(`SELECT text, bytes FROM quayside_${table} WHERE key = ?`, bytes)
    if (row === undefined) return undefined
    const value = this.#value(table, bytes, row as unknown as Stored)
    if (table === 'log') this.#segments.add(key, value)
    return value as V
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    // Of segments only the keys: their values may be known.
    const columns = table === 'log' ? 'key' : 'key, text, bytes'
    const rows = this.#read(
      `SELECT ${columns} FROM quayside_${table} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`,
      ...bounds(range),
      Math.min(limit, MAX_COUNT),
    )
    return rows.map(([stored, ...rest]) => {
      const bytes = new Uint8Array(stored as ArrayBuffer)
      const key = keyOf(bytes)
      const value =
        table === 'log' ? this.get(table, key) : this.#value(table, bytes, rest as unknown as Stored)
      return [key, value as V]
    })
  }

  /** To be called when a transaction was undone: what it has written may be known, and is not there. */
  undone(): void {
    this.#segments.clear()
  }

  count(table: Table, range: KeyRange): number {
    const [row] = this.#read(
      `SELECT COUNT(*) FROM quayside_${table} WHERE key >= ? AND key < ?`,
      ...bounds(range),
    )
    return row![0] as number
  }

  put(table: Table, key: Key, value: unknown): void {
    this.wrote = true
    if (table === 'log') this.#segments.drop({ lower: key, upper: key })
    const row = keyBytes(key)
    if (this.#hasParts) this.#sql.exec('DELETE FROM quayside_parts WHERE row = ?', partKey(table, row))
    const packed = pack(value)
    const size = row.length + (packed.bytes?.length ?? 0)
    // A UTF-16 unit is three bytes at most: most texts need not be counted.
    const isLong = packed.text.length * 3 + size > MAX_ROW && byteLength(packed.text) + size > MAX_ROW
    const [text, bytes] = isLong ? this.#putParts(table, row, packed) : [packed.text, packed.bytes ?? null]
    this.#sql.exec(`INSERT OR REPLACE INTO quayside_${table} VALUES (?, ?, ?)`, row, text, bytes)
  }

  delete(table: Table, key: Key): void {
    this.wrote = true
    if (table === 'log') this.#segments.drop({ lower: key, upper: key })
    const row = keyBytes(key)
    this.#sql.exec(`DELETE FROM quayside_${table} WHERE key = ?`, row)
    if (this.#hasParts) this.#sql.exec('DELETE FROM quayside_parts WHERE row = ?', partKey(table, row))
  }

  deleteRange(table: Table, range: KeyRange): void {
    this.wrote = true
    if (table === 'log') this.#segments.drop(range)
    const [lower, upper] = bounds(range)
    this.#sql.exec(`DELETE FROM quayside_${table} WHERE key >= ? AND key < ?`, lower, upper)
    if (!this.#hasParts) return
    this.#sql.exec(
      'DELETE FROM quayside_parts WHERE row >= ? AND row < ?',
      partKey(table, lower),
      partKey(table, upper),
    )
  }

  #read(query: string, ...bindings: SqlValue[]): readonly SqlValue[][] {
    return [...this.#sql.exec(query, ...bindings).raw()]
  }

  #value(table: Table, key: Uint8Array, [text, bytes]: Stored): unknown {
    if (typeof text === 'string')
      return unpack({ text, bytes: bytes === null ? undefined : new Uint8Array(bytes) })
    const parts = this.#read(
      'SELECT bytes FROM quayside_parts WHERE row = ? ORDER BY part',
      partKey(table, key),
    )
    const whole = join(parts.map(([part]) => new Uint8Array(part as ArrayBuffer)))
    return unpack({
      text: decoder.decode(whole.subarray(0, text)),
      bytes: bytes === null ? undefined : whole.subarray(text),
    })
  }

  #putParts(
    table: Table,
    row: Uint8Array,
    { text, bytes }: Packed,
  ): [length: number, bytes: Uint8Array | null] {
    this.#hasParts = true
    const encoded = encoder.encode(text)
    const whole = bytes === undefined ? encoded : join([encoded, bytes])
    for (let at = 0; at < whole.length; at += MAX_ROW / 2) {
      this.#sql.exec(
        'INSERT INTO quayside_parts VALUES (?, ?, ?)',
        partKey(table, row),
        at,
        whole.subarray(at, at + MAX_ROW / 2),
      )
    }
    return [encoded.length, bytes === undefined ? null : new Uint8Array()]
  }
}

function bounds({ lower, upper }: KeyRange): [from: Uint8Array, to: Uint8Array] {
  return [
    lower === undefined ? new Uint8Array() : keyBytes(lower),
    upper === undefined ? LAST : keyBytes(upper, true),
  ]
}

/** Comes after every key. */
const LAST = Uint8Array.of(0xff)

/** The key of a row, in whatever table. */
function partKey(table: Table, key: Uint8Array): Uint8Array {
  return join([keyBytes(table), key])
}

function byteLength(text: string): number {
  return encoder.encode(text).length
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
