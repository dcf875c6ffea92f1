import { type QuaysideError, hasCode } from '../../src/errors.ts'
import { cannotOpen, failed, isLost, isPassing, isQuota, nameOf, timeout } from './faults.ts'
import { beginFreshLog } from './fresh-log.ts'
import { open } from './open.ts'
import type { IndexedDBEvent } from './options.ts'
import { Running } from './running.ts'
import type { Schema } from './schema.ts'
import { MAX_TIMEOUT_MS, within } from './within.ts'

export type Mode = 'readonly' | 'readwrite'
type Body<T> = (work: IDBTransaction) => Promise<T>

/**
 * A connection that breaks is opened again at once, and then after pauses, in ms: the process of the browser that has the storage
 * takes 50 to 1,000 ms to start again.
 */
const FIRST_PAUSE_MS = 10
const MOST_PAUSE_MS = 500
/** Where it was never open, it may be that it never will be, and somebody waits to be told. */
const FIRST_OPEN_MS = 1000
/** As often it is tried whatever the clock says: the device may have slept meanwhile, which is when browsers break connections. */
const LEAST_TRIES = 3

export interface ConnectionOptions {
  /** What events and errors call it. */
  readonly database: string
  /** The name that it has in the browser. */
  readonly name: string
  readonly schema: Schema
  readonly timeoutMs: number
  readonly onEvent: (event: IndexedDBEvent) => void
}

/**
 * A connection to the database that comes back. Browsers close connections: when another tab upgrades or deletes the
 * database, when the user clears the data of the site, when a process of theirs dies (Safari, often after the page was in
 * the background). Whatever was under way then is run again, whole, on a new one.
 */
export class Connection {
  readonly #options: ConnectionOptions
  /** What calls wait for, in their order: the database, or that it is late. */
  #opening: Promise<IDBDatabase> | undefined
  /** The request to open it. One that is late goes on, and serves the next call; one that is late for this, too, may never be heard of. */
  #request: Promise<IDBDatabase> | undefined
  #isLate = false
  #database: IDBDatabase | undefined
  /** It was open before: if it has to be made anew, it was deleted. */
  #wasOpen = false
  /** It was let go of, by nobody else. */
  #isResting = false
  readonly #running: Running = new Running()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Opens the database, unless it is open. Rejects with `STORAGE_UNAVAILABLE` or `TIMEOUT`. */
  #open(): Promise<IDBDatabase> {
    return (this.#opening ??= this.#openInTime())
  }

  async #openInTime(): Promise<IDBDatabase> {
    const { database, timeoutMs } = this.#options
    const late = (): QuaysideError => {
      if (this.#isLate) this.#giveUp()
      else this.#isLate = true
      return timeout(
        `opening the IndexedDB database ${JSON.stringify(database)}`,
        timeoutMs,
        'close the tab that has an older version of this page open, or is busy upgrading, and try again',
      )
    }
    try {
      this.#database = await within(timeoutMs, (this.#request ??= this.#requestInTurn()), late)
      this.#isLate = false
      return this.#database
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  /** In a later turn: a browser that refuses at once would do so before the request is noted, and it is never noted off. */
  #requestInTurn(): Promise<IDBDatabase> {
    const request = Promise.resolve().then(() => this.#requestOpen())
    request.catch(() => {
      if (this.#request === request) this.#forget()
    })
    return request
  }

  /** One that comes after all is closed. */
  #giveUp(): void {
    void this.#request?.then(
      (database) => database.close(),
      () => undefined,
    )
    this.#forget()
  }

  #forget(): void {
    this.#database = this.#opening = this.#request = undefined
    this.#isLate = false
  }

  async #requestOpen(): Promise<IDBDatabase> {
    const { database, name, schema, timeoutMs, onEvent } = this.#options
    try {
      let isNew = false
      const isSafe = this.#isResting || !(schema.isFirst || this.#wasOpen)
      this.#isResting = false
      if (!isSafe && (await beginFreshLog(database, timeoutMs))) onEvent({ type: 'damaged', database })
      const opened = await open(name, schema.version, (made, { oldVersion }) => {
        isNew = oldVersion === 0
        schema.upgrade(made)
      })
      // Another context upgrades or deletes it. What is under way here is finished all the same.
      opened.addEventListener('versionchange', () => this.#drop(opened))
      opened.addEventListener('close', () => {
        this.#drop(opened)
        onEvent({ type: 'connection-lost', database })
      })
      if (isNew && this.#wasOpen) onEvent({ type: 'cleared', database })
      this.#wasOpen = true
      return opened
    } catch (error) {
      throw isQuota(error) ? error : cannotOpen(database, error)
    }
  }

  /**
   * Closes the database, once what is under way has ended; the next call opens it again, and without a fresh log, which takes room for
   * a while.
   */
  letGo(): void {
    if (this.#database === undefined) return
    this.#isResting = true
    this.#drop(this.#database)
  }

  /** Lets go of a connection; the next call opens another one. */
  #drop(database: IDBDatabase): void {
    database.close()
    if (this.#database === database) this.#forget()
  }

  /**
   * Runs `body` in a transaction on these stores, or on all, which readwrite transactions of all contexts pass one by one, and resolves
   * with what it answered once it has taken effect. If the connection breaks, `body` is run again on a new one.
   *
   * `body` must await nothing but the requests of its transaction. Where it throws, nothing is changed.
   */
  transact<T>(
    mode: Mode,
    durability: 'strict' | 'relaxed',
    body: Body<T>,
    stores: readonly string[] = this.#options.schema.stores,
  ): Promise<T> {
    return this.#running.add(this.#transact(mode, durability, body, stores))
  }

  async #transact<T>(
    mode: Mode,
    durability: 'strict' | 'relaxed',
    body: Body<T>,
    stores: readonly string[],
  ): Promise<T> {
    const { timeoutMs, schema } = this.#options
    const startedAt = performance.now()
    // Whether a try before this one may have been stored, although it was said to have failed.
    let inDoubt = false
    let pauseMs = 0
    for (let tries = 1; ; tries++, pauseMs = Math.min(pauseMs * 2 || FIRST_PAUSE_MS, MOST_PAUSE_MS)) {
      const isOver = (ms: number): boolean =>
        tries >= LEAST_TRIES && performance.now() - startedAt + pauseMs > ms
      let database: IDBDatabase | undefined
      try {
        database = await this.#open()
        return await this.#once(database.transaction([...stores], mode, { durability }), body)
      } catch (error) {
        if (database === undefined || hasCode(error, 'TIMEOUT')) {
          // The first database of all shows whether the browser lets anybody store anything.
          const works = this.#wasOpen || !schema.isFirst
          const mayPass = works || !isOver(FIRST_OPEN_MS)
          if (isOver(timeoutMs) || !mayPass || !isPassing(error as Error, works))
            throw inDoubt ? failed(error) : error
          await pause(pauseMs)
          continue
        }
        // What a browser refuses to store or to read, for example, because others have changed the database. A full disk
        // says that nothing was stored, which is not known where a try before this one was in doubt.
        if (!isLost(error)) {
          throw error instanceof DOMException && (inDoubt || !isQuota(error)) ? failed(error) : error
        }
        if (isOver(timeoutMs)) throw failed(error)
        this.#drop(database)
        inDoubt = mode === 'readwrite'
        if (pauseMs > 0) await pause(pauseMs)
      }
    }
  }

  async #once<T>(work: IDBTransaction, body: Body<T>): Promise<T> {
    const { timeoutMs } = this.#options
    const ms = Math.min(timeoutMs, MAX_TIMEOUT_MS)
    let late: QuaysideError | undefined
    let timer: ReturnType<typeof setTimeout>
    const failing = new Promise<never>((_, reject) => {
      work.addEventListener('abort', () => reject(work.error ?? new DOMException('aborted', 'AbortError')))
      timer = setTimeout(() => {
        const advice = 'another tab may be holding the database. Nothing was changed; try again'
        if (abort(work)) late = timeout('a transaction in IndexedDB', timeoutMs, advice)
        // It is being stored: the disk is slow. Or it has ended unheard: Firefox calls nothing of a page that somebody has left.
        timer = setTimeout(() => reject(failed(new DOMException('its end was not heard', 'AbortError'))), ms)
      }, ms)
    })
    const complete = new Promise<void>((resolve) => work.addEventListener('complete', () => resolve()))
    const done = Promise.race([complete, failing])
    // It may fail while `body` waits for a request, which tells us too.
    done.catch(() => undefined)
    try {
      const result = await Promise.race([body(work), failing])
      work.commit()
      await done
      return result
    } catch (error) {
      // Chromium tells the requests on a connection that it is just closing that they were aborted, and of the transaction, at times, nothing.
      if (abort(work) || nameOf(error) !== 'AbortError') await done.catch(() => undefined)
      throw late ?? work.error ?? error
    } finally {
      clearTimeout(timer!)
    }
  }

  async close(): Promise<void> {
    await this.#running.end()
    this.#giveUp()
  }
}

/** Aborts a transaction. Answers whether it could be, and has not ended. */
function abort(work: IDBTransaction): boolean {
  try {
    work.abort()
    return true
  } catch {
    return false
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
