import { closeSync, openSync, statSync } from 'node:fs'
import { QuaysideError } from '../../src/errors.ts'
import { BellFile } from './bell-file.ts'
import {
  type SQLiteDatabase,
  type SQLiteStatement,
  fileOf,
  isBetween,
  isBun,
  openFile,
  prepare,
  rollBack,
} from './driver.ts'
import { isBusy, known, replaced, timeout, unsynced } from './faults.ts'
import { Log } from './log.ts'
import { Turns } from './turns.ts'

/** What the adapter was given: a path, a connection, or what opens one. */
export type Source = string | SQLiteDatabase | (() => SQLiteDatabase)

/** How long a commit of SQLite waits for the disk: `FULL`, until it has it; `NORMAL`, not at all. */
type Synchronous = 'FULL' | 'NORMAL'

/**
 * Nobody waits for a lock inside of SQLite, which would block the event loop: who finds it taken comes again. A log that has
 * grown for once is cut; true waiting for the disk needs a special word on a Mac.
 */
const PRAGMAS = `
  PRAGMA busy_timeout = 0;
  PRAGMA journal_mode = WAL;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -8192;
  PRAGMA fullfsync = 1;
  PRAGMA checkpoint_fullfsync = 1;`

/** It is looked at whether the file is still there after so long, in ms. */
const LOOK_MS = 100

/** A connection of our own to the file, one transaction at a time. */
export class Connection {
  readonly database: SQLiteDatabase
  /** The path of the file. */
  readonly file: string
  readonly timeoutMs: number
  readonly bell: BellFile
  readonly #turns: Turns
  readonly #closes: boolean
  /** Absent where SQLite has to see to it. */
  readonly #log: Log | undefined
  /** Which file it is, on which disk. */
  readonly #inode: string | undefined
  #lookedAt = 0
  #failure: QuaysideError | undefined
  #synchronous: Synchronous | undefined
  readonly #begin: SQLiteStatement
  readonly #look: SQLiteStatement
  readonly #commit: SQLiteStatement
  readonly #free: SQLiteStatement

  private constructor(
    database: SQLiteDatabase,
    bell: BellFile,
    turns: Turns,
    file: string,
    timeoutMs: number,
    closes: boolean,
  ) {
    this.database = database
    this.file = file
    this.timeoutMs = timeoutMs
    this.bell = bell
    this.#turns = turns
    this.#closes = closes
    this.#log = closes ? logOf(file) : undefined
    this.#inode = closes ? inodeOf(file) : undefined
    this.#begin = prepare(database, 'BEGIN IMMEDIATE')
    this.#look = prepare(database, 'BEGIN')
    this.#commit = prepare(database, 'COMMIT')
    this.#free = prepare(
      database,
      'SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size',
    )
  }

  /** @param setUp Makes what has to be there. */
  static async open(
    source: Source,
    setUp: (database: SQLiteDatabase) => void,
    timeoutMs: number,
  ): Promise<Connection> {
    let database: SQLiteDatabase | undefined
    const ends = typeof source !== 'object'
    let bell: BellFile | undefined
    let name = typeof source === 'string' ? source : 'the database'
    try {
      if (typeof source === 'string') {
        create(source)
        database = openFile(source)
      } else database = typeof source === 'function' ? source() : source
      const opened = database
      name = fileOf(opened)
      if (name === '') throw new Error('it is in memory')
      bell = new BellFile(name, true)
      const turns = new Turns(bell)
      await patiently(opened, turns, { file: name, timeoutMs }, () => {
        opened.exec(PRAGMAS)
        setUp(opened)
      })
      return new Connection(opened, bell, turns, name, timeoutMs, ends)
    } catch (error) {
      if (ends) database?.close()
      bell?.close()
      const fault = known(error, name)
      if (fault instanceof QuaysideError && fault.code !== 'STORAGE_FAILED') throw fault
      const reason = error instanceof Error ? ` (${error.message})` : ''
      throw new QuaysideError('STORAGE_UNAVAILABLE', `${name} cannot be opened${reason}`, { cause: error })
    }
  }

  /**
   * Runs `body` alone, in one transaction, when the lock is free. It may run again from its start.
   *
   * @param synced Whether this waits until the disk has it.
   */
  change<T>(synced: boolean, body: () => T): Promise<T> {
    return this.#patiently(() => {
      const synchronous = synced && this.#log === undefined ? 'FULL' : 'NORMAL'
      if (synchronous !== this.#synchronous) {
        // It takes effect when it is prepared, so each time anew.
        this.database.exec(`PRAGMA synchronous = ${synchronous}`)
        this.#synchronous = synchronous
      }
      const result = this.#run(this.#begin, body)
      if (synced && !(this.#log?.sync(() => this.#moveAll()) ?? true)) throw unsynced(this.file)
      return result
    })
  }

  /** Runs `body`, which only reads, on the file as it is at one moment. */
  look<T>(body: () => T): Promise<T> {
    return this.#patiently(() => this.#run(this.#look, body))
  }

  #patiently<T>(step: () => T): Promise<T> {
    return patiently(this.database, this.#turns, this, () => {
      const { failure } = this
      if (failure !== undefined) throw failure
      return step()
    })
  }

  /** Set once another file lies in its place, or none: SQLite would go on with the one that it has, which is lost when it is closed. */
  get failure(): QuaysideError | undefined {
    const now = performance.now()
    if (this.#inode !== undefined && this.#failure === undefined && now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now
      if (inodeOf(this.file) !== this.#inode) this.#failure = replaced(this.file)
    }
    return this.#failure
  }

  #run<T>(begin: SQLiteStatement, body: () => T): T {
    begin.run()
    try {
      const result = body()
      this.#commit.run()
      return result
    } catch (error) {
      rollBack(this.database)
      throw error
    }
  }

  /** How many bytes of the file nobody uses. */
  freeBytes(): number {
    return Number((this.#free.get() as { bytes: number | bigint }).bytes)
  }

  /** Moves the log into the file, as far as that is possible now, so that the log can begin anew. */
  moveLog(): void {
    try {
      this.database.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch {
      // Whoever needs the room is told that there is none.
    }
  }

  /** Answers whether all of the log was moved. */
  #moveAll(): boolean {
    try {
      const { busy } = this.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as {
        busy: number | bigint
      }
      return Number(busy) === 0
    } catch {
      return false
    }
  }

  /** Whether nobody else has it. */
  get isOurs(): boolean {
    return this.#closes
  }

  close(): void {
    this.#log?.close()
    if (this.#closes) this.database.close()
  }
}

/** `undefined` where the file cannot be looked at, or is not there. */
function inodeOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/** The log of a connection that is nobody else's. On a Mac, Bun may leave it in the memory of the disk. */
function logOf(file: string): Log | undefined {
  if (isBun) return undefined
  try {
    return new Log(file)
  } catch {
    return undefined
  }
}

/**
 * Has something done at once, or else as soon as nobody else has the lock, or is in the middle of a transaction on this very
 * connection. The event loop goes on meanwhile.
 */
export async function patiently<T>(
  database: SQLiteDatabase,
  turns: Turns,
  { file, timeoutMs }: { readonly file: string; readonly timeoutMs: number },
  step: () => T,
): Promise<T> {
  await turns.before()
  const start = performance.now()
  for (;;) {
    try {
      if (!isBetween(database)) {
        const result = step()
        const now = performance.now()
        turns.hit(now - start, now)
        return result
      }
    } catch (error) {
      if (!isBusy(error)) throw known(error, file)
    }
    const ms = performance.now() - start
    if (ms > timeoutMs) throw timeout(file, timeoutMs, isBetween(database) === true)
    await turns.missed(ms)
  }
}

/**
 * Makes an empty file that nobody else may read: SQLite gives those beside it the same permissions. One that is there is not
 * touched: who closes a file loses the locks that this process has on it.
 */
function create(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST')
      throw new QuaysideError('STORAGE_UNAVAILABLE', `${path} cannot be made (${(error as Error).message})`, {
        cause: error,
      })
  }
}
