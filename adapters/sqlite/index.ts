/**
 * `quayside/sqlite`: queues in a SQLite file, for several processes and threads of Node, Bun and Deno.
 *
 * @module
 */
import { sendWithin } from '../../src/core/index.ts'
import { QuaysideError } from '../../src/errors.ts'
import { ByteAdapter } from '../../src/segments/index.ts'
import { type AppendOptions, MAX_DURATION_MS, type NewMessage, type Part } from '../../src/storage.ts'
import { Bell } from './bell.ts'
import { BellFile } from './bell-file.ts'
import type { Source } from './connection.ts'
import { type SQLiteDatabase, fileOf } from './driver.ts'
import { guaranteesOf } from './guarantees.ts'
import type { SQLiteOptions } from './options.ts'
import { ringAfter } from './ring-after.ts'
import { SQLiteStore } from './store.ts'
import { putInbox } from './within.ts'

export type { SQLiteDatabase, SQLiteStatement, SQLiteValue } from './driver.ts'
export { type Delivered, type OnceOptions, markDone, once } from './once.ts'
export type { SQLiteOptions } from './options.ts'

const OPTIONS: readonly string[] = [
  'durability',
  'strictAcks',
  'timeoutMs',
  'clock',
] satisfies (keyof SQLiteOptions)[]

const FILE = 'database must be a file, by its path or by a connection to it (in memory, take a MemoryAdapter)'

/**
 * Keeps queues in a SQLite file, which any number of processes and threads of a machine use together.
 *
 * ```ts
 * const queue = new Queue('orders', { storage: new SQLiteAdapter('./app.db') })
 * ```
 */
export class SQLiteAdapter extends ByteAdapter {
  readonly #source: Source
  readonly sendWithin: Part = sendWithin
  /** For what is handed over while the store may not be open. */
  #bell: Bell | undefined

  /**
   * @param database The path of the file, which is made if it does not exist; its folder must be there. Or what opens a
   * connection to it, in runtimes without `node:sqlite` and where the program uses another copy of SQLite on the same file:
   * `() => new Database(path)` of better-sqlite3. Or a connection, which stays the caller's and is not closed here.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the file is told by the first use: `CORRUPT`,
   * `STORAGE_UNAVAILABLE`, `TIMEOUT`.
   */
  constructor(database: string | SQLiteDatabase | (() => SQLiteDatabase), options: SQLiteOptions = {}) {
    check(database, options)
    super(guaranteesOf(options), () => SQLiteStore.open(database, options))
    this.#source = database
  }

  /**
   * See {@link Producer.within}: `transaction` is a connection to this file on which a transaction is open, as
   * `node:sqlite`, `bun:sqlite` and `better-sqlite3` make them; it must be of the same library as the adapter's.
   */
  appendWithin(
    transaction: object,
    queue: string,
    messages: readonly NewMessage[],
    options: Pick<AppendOptions, 'groups'>,
  ): void {
    const connection = transaction as SQLiteDatabase
    const number = putInbox(this.#source, connection, queue, messages, options)
    this.#bell ??= new Bell(new BellFile(fileOf(connection), true))
    ringAfter(connection, number, this.#bell)
  }
}

function check(database: Source, options: SQLiteOptions): void {
  const refuse = (rule: string, value: unknown): never => {
    throw new QuaysideError('INVALID_ARGUMENT', `new SQLiteAdapter: ${rule}, not ${JSON.stringify(value)}`)
  }
  if (typeof database === 'string') {
    if (
      database === '' ||
      database.includes('\0') ||
      database.startsWith(':') ||
      database.startsWith('file:')
    )
      refuse(FILE, database)
  } else if (typeof database === 'object' && database !== null) {
    for (const method of ['exec', 'prepare'] as const)
      if (typeof database[method] !== 'function')
        refuse('database must be a path, or a connection with the methods exec, prepare and close', database)
    if (fileOf(database) === '') refuse(FILE, ':memory:')
  } else if (typeof database !== 'function')
    refuse('database must be a path, a connection, or what opens one', database)
  for (const name in options) if (!OPTIONS.includes(name)) refuse(`options are ${OPTIONS.join(', ')}`, name)
  const { durability = 'full', timeoutMs = 1 } = options
  if (durability !== 'full' && durability !== 'normal')
    refuse('durability must be "full" or "normal"', durability)
  if (!(timeoutMs > 0 && timeoutMs <= MAX_DURATION_MS))
    refuse(`timeoutMs must be a number of ms, more than 0 and ${MAX_DURATION_MS} at most`, timeoutMs)
}
