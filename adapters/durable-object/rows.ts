import {
  type Key,
  type KeyRange,
  type Row,
  TABLES,
  type Table,
  type Transaction,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { joinBytes, keyBytes, keyOf, pack, type Packed, unpack } from '../../src/segments/inside.ts'
import type { Sql, SqlValue } from './platform.ts'
import { Segments } from './segments.ts'

/**
 * The rows of one queue in the SQLite of its object. Every table of the engine is a table there, and a row is one row, so that
 * each costs one row written and nothing more.
 *
 * | column | |
 * |---|---|
 * | key | see `key-bytes.ts`; in the log, whose keys are whole numbers, that number |
 * | text | see `packed.ts`; or its length in bytes, where text and bytes together are too long for a row and lie in `parts` |
 * | bytes | see `packed.ts`; empty where they lie in `parts` |
 *
 * In a table without rowids a lookup reads whole rows on its way, so the log, long bodies and the parts, which have large ones, have rowids.
 *
 * The tables are made by the first write: an object that is only asked keeps nothing.
 */
const NAMES = /* @__PURE__ */ Object.keys(TABLES) as Table[]

/** The platform takes 2 MB in a row. */
const MAX_ROW = 1_900_000
/** SQLite takes counts of this size. */
const MAX_COUNT = 2 ** 31 - 1

const encoder = /* @__PURE__ */ new TextEncoder()
const decoder = /* @__PURE__ */ new TextDecoder()

type Stored = readonly [text: string | number, bytes: ArrayBuffer | null]

export class Rows implements Transaction {
  /** A transaction has changed something, as far as this was asked for. */
  wrote = false
  /** What it says to those who watch. */
  hint: Hint | undefined
  readonly #sql: Sql
  readonly #segments: Segments = new Segments()
  /** There are tables. */
  #exists = false
  /** Some row may lie in parts. */
  #hasParts = false

  constructor(sql: Sql) {
    this.#sql = sql
    this.#look()
  }

  tell(hint: Hint): void {
    this.hint = hint
  }

  /** Nothing was ever written, or all of it was dropped. */
  get isEmpty(): boolean {
    return !this.#exists
  }

  #look(): void {
    const query = "SELECT 1 FROM sqlite_master WHERE name = 'quayside_parts'"
    this.#exists = [...this.#sql.exec(query).raw()].length > 0
    this.#hasParts = this.#read('SELECT 1 FROM quayside_parts LIMIT 1').length > 0
  }

  #write(query: string, ...bindings: SqlValue[]): void {
    this.wrote = true
    if (!this.#exists) this.#create()
    this.#sql.exec(query, ...bindings)
  }

  #create(): void {
    for (const table of NAMES) {
      const columns =
        table === 'log'
          ? '(key INTEGER PRIMARY KEY, text, bytes BLOB)'
          : `(key BLOB PRIMARY KEY, text, bytes BLOB)${TABLES[table] === 'l' ? '' : ' WITHOUT ROWID'}`
      this.#sql.exec(`CREATE TABLE IF NOT EXISTS quayside_${table} ${columns}`)
    }
    this.#sql.exec('CREATE TABLE IF NOT EXISTS quayside_parts (row BLOB, part INTEGER, bytes BLOB)')
    this.#sql.exec('CREATE INDEX IF NOT EXISTS quayside_parts_of_row ON quayside_parts (row, part)')
    this.#exists = true
  }

  /** Drops all there is. */
  drop(): void {
    this.wrote = true
    for (const table of [...NAMES, 'parts']) this.#sql.exec(`DROP TABLE IF EXISTS quayside_${table}`)
    this.undone()
  }

  get<V>(table: Table, key: Key): V | undefined {
    const known = table === 'log' ? this.#segments.get(key) : undefined
    if (known !== undefined) return known as V
    const [row] = this.#read(`SELECT text, bytes FROM quayside_${table} WHERE key = ?`, sqlKey(table, key))
    if (row === undefined) return undefined
    const value = this.#value(table, key, row as unknown as Stored)
    if (table === 'log') this.#segments.add(key, value)
    return value as V
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    // Of segments only the keys: their values may be known.
    const columns = table === 'log' ? 'key' : 'key, text, bytes'
    const rows = this.#read(
      `SELECT ${columns} FROM quayside_${table} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`,
      ...sqlBounds(table, range),
      Math.min(limit, MAX_COUNT),
    )
    return rows.map(([stored, ...rest]) => {
      if (table === 'log') return [stored as number, this.get<V>(table, stored as number)!]
      const key = keyOf(new Uint8Array(stored as ArrayBuffer))
      return [key, this.#value(table, key, rest as unknown as Stored) as V]
    })
  }

  /** To be called when a transaction was undone: what it has written may be known, and is not there. */
  undone(): void {
    this.#segments.clear()
    this.#look()
  }

  count(table: Table, range: KeyRange): number {
    const [row] = this.#read(
      `SELECT COUNT(*) FROM quayside_${table} WHERE key >= ? AND key < ?`,
      ...sqlBounds(table, range),
    )
    return row === undefined ? 0 : (row[0] as number)
  }

  put(table: Table, key: Key, value: unknown): void {
    if (table === 'log') this.#segments.drop({ lower: key, upper: key })
    if (this.#hasParts) this.#write('DELETE FROM quayside_parts WHERE row = ?', partKey(table, key))
    const packed = pack(value)
    const size = packed.bytes?.length ?? 0
    // A UTF-16 unit is three bytes at most: most texts need not be counted.
    const isLong = packed.text.length * 3 + size > MAX_ROW && byteLength(packed.text) + size > MAX_ROW
    const [text, bytes] = isLong ? this.#putParts(table, key, packed) : [packed.text, packed.bytes ?? null]
    this.#write(`INSERT OR REPLACE INTO quayside_${table} VALUES (?, ?, ?)`, sqlKey(table, key), text, bytes)
  }

  delete(table: Table, key: Key): void {
    if (!this.#exists) return
    if (table === 'log') this.#segments.drop({ lower: key, upper: key })
    this.#write(`DELETE FROM quayside_${table} WHERE key = ?`, sqlKey(table, key))
    if (this.#hasParts) this.#write('DELETE FROM quayside_parts WHERE row = ?', partKey(table, key))
  }

  deleteRange(table: Table, range: KeyRange): void {
    if (!this.#exists) return
    if (table === 'log') this.#segments.drop(range)
    this.#write(`DELETE FROM quayside_${table} WHERE key >= ? AND key < ?`, ...sqlBounds(table, range))
    if (!this.#hasParts) return
    const [lower, upper] = bounds(range)
    const prefix = keyBytes(table)
    this.#write(
      'DELETE FROM quayside_parts WHERE row >= ? AND row < ?',
      joinBytes([prefix, lower]),
      joinBytes([prefix, upper]),
    )
  }

  #read(query: string, ...bindings: SqlValue[]): readonly SqlValue[][] {
    return this.#exists ? [...this.#sql.exec(query, ...bindings).raw()] : []
  }

  #value(table: Table, key: Key, [text, bytes]: Stored): unknown {
    if (typeof text === 'string')
      return unpack({ text, bytes: bytes === null ? undefined : new Uint8Array(bytes) })
    const parts = this.#read(
      'SELECT bytes FROM quayside_parts WHERE row = ? ORDER BY part',
      partKey(table, key),
    )
    const whole = joinBytes(parts.map(([part]) => new Uint8Array(part as ArrayBuffer)))
    return unpack({
      text: decoder.decode(whole.subarray(0, text)),
      bytes: bytes === null ? undefined : whole.subarray(text),
    })
  }

  #putParts(table: Table, key: Key, { text, bytes }: Packed): [length: number, bytes: Uint8Array | null] {
    this.#hasParts = true
    const encoded = encoder.encode(text)
    const whole = bytes === undefined ? encoded : joinBytes([encoded, bytes])
    for (let at = 0; at < whole.length; at += MAX_ROW / 2) {
      this.#write(
        'INSERT INTO quayside_parts VALUES (?, ?, ?)',
        partKey(table, key),
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

/** A key as its table has it. */
function sqlKey(table: Table, key: Key): SqlValue {
  return table === 'log' ? (key as number) : keyBytes(key)
}

/** From, and up to but without. */
function sqlBounds(table: Table, range: KeyRange): [from: SqlValue, to: SqlValue] {
  if (table !== 'log') return bounds(range)
  const { lower = 0, upper = Number.MAX_SAFE_INTEGER - 1 } = range
  return [lower as number, (upper as number) + 1]
}

/** The key of a row, in whatever table. */
function partKey(table: Table, key: Key): Uint8Array {
  return joinBytes([keyBytes(table), keyBytes(key)])
}

function byteLength(text: string): number {
  return encoder.encode(text).length
}
