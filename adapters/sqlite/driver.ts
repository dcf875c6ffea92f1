import { QuaysideError } from '../../src/errors.ts'

/** What a statement can be given, and what a row has. */
export type SQLiteValue = string | number | bigint | Uint8Array | null

/** A statement of {@link SQLiteDatabase}. */
export interface SQLiteStatement {
  run(...values: SQLiteValue[]): unknown
  get(...values: SQLiteValue[]): unknown
  all(...values: SQLiteValue[]): unknown[]
}

/**
 * A connection to a SQLite file: that of `node:sqlite`, `bun:sqlite` or `better-sqlite3`, or anything that has these
 * functions and answers at once. Rows are objects; BLOBs come as `Uint8Array`.
 */
export interface SQLiteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SQLiteStatement
  close(): unknown
  /** Whether a transaction is open: so `node:sqlite` calls it. */
  readonly isTransaction?: boolean
  /** So others call it. */
  readonly inTransaction?: boolean
}

/** Whether a transaction is open on a connection; `undefined` where it does not say. */
export function isBetween(database: SQLiteDatabase): boolean | undefined {
  try {
    return database.isTransaction ?? database.inTransaction
  } catch {
    // It is closed.
    return false
  }
}

/** Ends the transaction on a connection, if SQLite has not ended it already: what it failed with is told, not this. */
export function rollBack(database: SQLiteDatabase): void {
  if (isBetween(database) === false) return
  try {
    database.exec('ROLLBACK')
  } catch {
    // There is none.
  }
}

/** Rows of this are objects, also where the program has its connection answer with arrays. */
export function prepare(database: SQLiteDatabase, sql: string): SQLiteStatement {
  const statement: SQLiteStatement & { setReturnArrays?(arrays: boolean): void } = database.prepare(sql)
  statement.setReturnArrays?.(false)
  return statement
}

/** Refuses what is no connection, such as a transaction object of a query builder. */
export function checkConnection(tried: string, database: unknown): asserts database is SQLiteDatabase {
  const { exec, prepare } = (database ?? {}) as Partial<Record<'exec' | 'prepare', unknown>>
  if (typeof exec === 'function' && typeof prepare === 'function') return
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    `${tried}: needs a connection with the methods exec and prepare, as node:sqlite, bun:sqlite and better-sqlite3 have. Under a query builder, give it the connection below: db.$client of Drizzle, the database that Kysely's dialect was given`,
  )
}

export const isBun: boolean = 'Bun' in globalThis

/** What the connections are called that {@link openFile} makes. */
export function ownClass(): string {
  return isBun ? 'Database' : 'DatabaseSync'
}

/** Opens a file with what the runtime has: asked for so that a bundler for other runtimes need not know it. */
export function openFile(path: string): SQLiteDatabase {
  const name = isBun ? 'bun:sqlite' : 'node:sqlite'
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } }
  const module = process?.getBuiltinModule?.(name)
  if (module === undefined)
    throw new QuaysideError(
      'STORAGE_UNAVAILABLE',
      `this runtime has no ${name}: take Node 22.13 or later, or give the adapter a connection, new SQLiteAdapter(() => new Database(path)) with Database of better-sqlite3`,
    )
  const Database = (module as Record<string, new (path: string) => SQLiteDatabase>)[ownClass()]!
  return new Database(path)
}

/** The file of a connection; empty if it is in memory. */
export function fileOf(database: SQLiteDatabase): string {
  const rows = prepare(database, 'PRAGMA database_list').all() as { name: string; file: string | null }[]
  return rows.find(({ name }) => name === 'main')?.file ?? ''
}
