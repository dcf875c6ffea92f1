import { inboxBounds } from '../../src/segments/inside.ts'
import type { ByteQueue, ByteStore, Kind } from '../../src/segments/index.ts'
import type { Answer, Database } from './database.ts'
import { Ears } from './ears.ts'
import { isLost, isWrongGuess, known } from './faults.ts'
import { bytesLiteral, bytesOf, hexOf, literalOf } from './literals.ts'
import { Memory } from './memory.ts'
import { News } from './news.ts'
import { MARK, type Stretch, TransactionRows } from './rows.ts'
import { ServerClock } from './server-clock.ts'
import { type Names, ensureSchema, lockOf } from './schema.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface StoreSettings {
  readonly timeoutMs: number
  readonly strictAcks?: boolean | undefined
  /** Default: that of the server. */
  readonly clock?: { now(): number } | undefined
  readonly pingMs?: number | undefined
}

/** The names of all queues: one step to each, over whatever rows they have. A mark alone is no queue. */
const queuesSql = (rows: string): string => `WITH RECURSIVE names AS (
  (SELECT queue FROM ${rows} WHERE key <> ${literalOf(MARK)} ORDER BY queue LIMIT 1)
  UNION ALL SELECT (SELECT rows.queue FROM ${rows} AS rows WHERE rows.queue > names.queue AND rows.key <> ${literalOf(MARK)} ORDER BY rows.queue LIMIT 1) FROM names WHERE names.queue IS NOT NULL)
  SELECT encode(queue, 'hex') FROM names WHERE queue IS NOT NULL`

/** Where others put rows without having the queue. */
const INBOX: Stretch = inboxBounds().map(hexOf) as [string, string]

type Body = (rows: TransactionRows) => Promise<void> | void

/** A queue. */
interface Place {
  readonly queue: Uint8Array
  readonly clock: ServerClock
  readonly memory: Memory
}

/** A byte store in the tables of a schema. */
export class PostgresStore implements ByteStore {
  readonly #database: Database
  readonly #names: Names
  readonly #settings: StoreSettings
  readonly #news: News
  readonly #ears: Ears
  /** What the marks of this store begin with, and how many there were. */
  readonly #self: string
  #marks = 0

  /** What tells its database from others. */
  readonly place: string

  private constructor(database: Database, names: Names, settings: StoreSettings, place: string) {
    this.place = place
    const self = crypto.randomUUID()
    this.#self = self.replaceAll('-', '')
    this.#database = database
    this.#names = names
    this.#settings = settings
    this.#news = new News(database, names.schema, self)
    this.#ears = new Ears(database, names.schema, self, settings.pingMs)
  }

  static async open(database: Database, names: Names, settings: StoreSettings): Promise<PostgresStore> {
    const place = await told(() => ensureSchema(database, names))
    return new PostgresStore(database, names, settings, place)
  }

  open(name: string): ByteQueue {
    const place: Place = {
      queue: encoder.encode(name),
      clock: new ServerClock(this.#settings.clock),
      memory: new Memory(),
    }
    return {
      hasInbox: true,
      forgets: !this.#settings.strictAcks,
      now: () => place.clock.now(),
      transact: (kind, body) => (kind === 'read' ? this.#look(place, body) : this.#change(place, kind, body)),
      ...(this.#database.listen !== undefined && { watch: (listener) => this.#ears.watch(name, listener) }),
      tell: (hint, kind) => this.#news.tell(name, hint, kind === 'append' || hint !== undefined),
    }
  }

  async queues(): Promise<string[]> {
    const [rows] = await told(() => this.#database.run([queuesSql(this.#names.rows)]))
    return rows!.map(([hex]) => decoder.decode(bytesOf(`\\x${String(hex)}`))).sort()
  }

  async close(): Promise<void> {
    this.#ears.close()
    await this.#news.close()
  }

  async #look(place: Place, body: Body): Promise<void> {
    const rows = new TransactionRows(this.#database.begin(true), this.#names, place.queue, {
      sql: this.#firstSql('read', place.queue),
      answer: ([row]) => place.clock.set(Number(row!.at(-1))),
    })
    await this.#run(rows, body)
  }

  async #change(place: Place, kind: Kind, body: Body): Promise<void> {
    const { queue, clock, memory } = place
    const first = {
      sql: this.#firstSql(kind, queue),
      answer: ([row]: Answer) => clock.set(Number(row!.at(-1))),
    }
    for (let guesses = memory.isLikely && clock.isKnown; ; guesses = false) {
      const mark = this.#newMark()
      const rows = new TransactionRows(this.#database.begin(false), this.#names, queue, first, {
        memory,
        guesses,
        // Of a queue that is deleted nothing is left.
        mark: kind === 'remove' ? undefined : mark,
        inbox: INBOX,
        holds: () => clock.holdsSql(),
      })
      const before = memory.mark
      try {
        return await this.#run(rows, body)
      } catch (error) {
        const { failure } = rows
        // A body may have failed because of what was supposed.
        if (guesses && failure === undefined) continue
        if (guesses && isWrongGuess(failure!.error)) {
          memory.guessed(false)
          clock.forget()
          continue
        }
        if (failure !== undefined) memory.forget()
        if (!guesses || !failure!.committing || !isLost(failure!.error)) throw error
        // A connection that broke while it was idle is only known by now.
        const found = await this.#markOf(queue)
        if (found === mark) return
        if (found !== before) throw error
      }
    }
  }

  async #run(rows: TransactionRows, body: Body): Promise<void> {
    try {
      await body(rows)
      await rows.commit()
    } catch (error) {
      const { failure } = rows
      await rows.rollback()
      throw failure === undefined ? error : known(failure.error, failure.committing)
    }
  }

  /** The mark of a queue, once nobody has it who was about to change it; `undefined`: there is none, or nobody who tells. */
  async #markOf(queue: Uint8Array): Promise<string | undefined> {
    const session = this.#database.begin(false)
    try {
      const sql = `SELECT value FROM ${this.#names.rows} WHERE queue = ${bytesLiteral(queue)} AND key = ${literalOf(MARK)}`
      const [, rows] = await session.run([this.#firstSql('consume', queue), sql])
      return rows![0] === undefined ? undefined : hexOf(bytesOf(rows![0][0]))
    } catch {
      return undefined
    } finally {
      await session.rollback()
    }
  }

  /** No other step ever leaves the same. */
  #newMark(): string {
    return this.#self + (++this.#marks).toString(16).padStart(12, '0')
  }

  /**
   * Waits until nobody else has the queue, who lets go of it when his transaction ends, or after a while if he is not heard of
   * any more; then looks at the clock.
   */
  #firstSql(kind: Kind, queue: Uint8Array): string {
    const { timeoutMs, strictAcks } = this.#settings
    const settings: (readonly [string, string])[] = [
      ['bytea_output', 'hex'],
      ['lock_timeout', `${Math.ceil(timeoutMs)}`],
      ['idle_in_transaction_session_timeout', `${Math.ceil(timeoutMs / 3)}`],
    ]
    // What is lost of these is delivered once more; no message is.
    if (kind === 'consume' && !strictAcks) settings.push(['synchronous_commit', 'off'])
    const set = settings.map(([name, value]) => `set_config('${name}', '${value}', true)`)
    const lock = kind === 'read' ? [] : [lockOf(this.#names, queue)]
    return `SELECT ${[...set, ...lock, 'extract(epoch FROM clock_timestamp()) * 1000'].join(', ')}`
  }
}

/** Runs what is no transaction, and names what it fails with. */
export async function told<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw known(error, false)
  }
}
