import { closeSync, fdatasyncSync, openSync } from 'node:fs'

/** Databases in whose logs is something that the disk has failed to take: the next of us who opens one of them must know, too. */
const gaps = new Set<string>()

/**
 * The log in which SQLite keeps what was committed last. It is us who have the disk take it, right after a commit: SQLite would do so while it
 * has the file locked, so that all others waited for the disk, too.
 */
export class Log {
  readonly #database: string
  readonly #file: number

  /** @param database The path of a database that is open, and stays so for as long as this is used: its log is one and the same file meanwhile. */
  constructor(database: string) {
    this.#database = database
    this.#file = openSync(`${database}-wal`, 'r+')
  }

  /** Answers whether the disk has all that was committed. @param move Moves all of it into the database, and has the disk take that. */
  sync(move: () => boolean): boolean {
    try {
      fdatasyncSync(this.#file)
    } catch {
      // An error is told once: what the next call has the disk take would come behind something that it may not have.
      gaps.add(this.#database)
    }
    if (!gaps.has(this.#database)) return true
    if (!move()) return false
    gaps.delete(this.#database)
    return true
  }

  close(): void {
    closeSync(this.#file)
  }
}
