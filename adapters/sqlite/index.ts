/**
 * `quayside/sqlite`: queues in a SQLite file, for several processes and threads of Node, Bun and Deno.
 *
 * @module
 */
import { QuaysideError } from '../../src/errors.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import type { Source } from './connection.ts'
import { type SQLiteDatabase, fileOf } from './driver.ts'
import { guaranteesOf } from './guarantees.ts'
import type { SQLiteOptions } from './options.ts'
import { SQLiteStore } from './store.ts'

export type { SQLiteDatabase, SQLiteStatement, SQLiteValue } from './driver.ts'
export type { SQLiteOptions } from './options.ts'

const OPTIONS: readonly string[] = [
  'durability',
  'strictAcks',
  'timeoutMs',
  'clock',
] satisfies (keyof SQLiteOptions)[]

/**
 * Keeps queues in a SQLite file, which any number of processes and threads of a machine use together.
 *
 * ```ts
 * const queue = new Queue('orders', { storage: new SQLiteAdapter('./app.db') })
 * ```
 */
export class SQLiteAdapter extends SegmentAdapter {
  /**
   * @param database The path of the file, which is made if it does not exist; its folder must be there. Or what opens a
   * connection to it, in runtimes without `node:sqlite` and where the program uses another copy of SQLite on the same file:
   * `() => new Database(path)` of better-sqlite3. Or a connection, which stays the caller's and is not closed here.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the file is told by the first use: `CORRUPT`,
   * `STORAGE_UNAVAILABLE`, `TIMEOUT`.
   */
  constructor(database: string | SQLiteDatabase | (() => SQLiteDatabase), options: SQLiteOptions = {}) {
    check(database, options)
    const file = typeof database === 'object' ? fileOf(database) : undefined
    const name = typeof database === 'string' ? database : file || 'the database'
    super(guaranteesOf(options, file === ''), () => SQLiteStore.open(database, name, options))
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
      refuse('database must be the path of a file (in memory, take a MemoryAdapter)', database)
  } else if (typeof database === 'object' && database !== null) {
    for (const method of ['exec', 'prepare'] as const)
      if (typeof database[method] !== 'function')
        refuse('database must be a path, or a connection with the methods exec, prepare and close', database)
  } else if (typeof database !== 'function')
    refuse('database must be a path, a connection, or what opens one', database)
  for (const name in options) if (!OPTIONS.includes(name)) refuse(`options are ${OPTIONS.join(', ')}`, name)
  const { durability = 'full', timeoutMs = 1 } = options
  if (durability !== 'full' && durability !== 'normal')
    refuse('durability must be "full" or "normal"', durability)
  if (!(timeoutMs > 0 && timeoutMs <= MAX_DURATION_MS))
    refuse(`timeoutMs must be a number of ms, more than 0 and ${MAX_DURATION_MS} at most`, timeoutMs)
}
