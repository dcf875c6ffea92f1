import type { ByteQueue, ByteStore } from '../../src/segments/bytes/store.ts'
import type { Kind } from '../../src/segments/store.ts'
import type { Database } from './database.ts'
import { Ears } from './ears.ts'
import { known } from './faults.ts'
import { bytesOf } from './literals.ts'
import { News } from './news.ts'
import { TransactionRows } from './rows.ts'
import { type Names, ensureSchema, lockOf } from './schema.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface StoreSettings {
  readonly timeoutMs: number
  /** Default: that of the server. */
  readonly clock?: { now(): number } | undefined
  readonly pingMs?: number | undefined
}

/** The names of all queues: one step to each, over whatever rows they have. */
const queuesSql = (rows: string): string => `WITH RECURSIVE names AS (
  (SELECT queue FROM ${rows} ORDER BY queue LIMIT 1)
  UNION ALL SELECT (SELECT rows.queue FROM ${rows} AS rows WHERE rows.queue > names.queue ORDER BY rows.queue LIMIT 1) FROM names WHERE names.queue IS NOT NULL)
  SELECT encode(queue, 'hex') FROM names WHERE queue IS NOT NULL`

/** A byte store in the tables of a schema. */
export class PostgresStore implements ByteStore {
  readonly #database: Database
  readonly #names: Names
  readonly #settings: StoreSettings
  readonly #news: News
  readonly #ears: Ears

  private constructor(database: Database, names: Names, settings: StoreSettings) {
    const self = crypto.randomUUID()
    this.#database = database
    this.#names = names
    this.#settings = settings
    this.#news = new News(database, names.schema, self)
    this.#ears = new Ears(database, names.schema, self, settings.pingMs)
  }

  static async open(database: Database, names: Names, settings: StoreSettings): Promise<PostgresStore> {
    await told(() => ensureSchema(database, names))
    return new PostgresStore(database, names, settings)
  }

  open(name: string): ByteQueue {
    const queue = encoder.encode(name)
    const clock = new ServerClock(this.#settings.clock)
    const transact = (kind: Kind, body: (rows: TransactionRows) => Promise<void> | void): Promise<void> =>
      this.#transact(queue, kind, clock, body)
    return {
      hasInbox: true,
      now: () => clock.now(),
      transact,
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

  async #transact(
    queue: Uint8Array,
    kind: Kind,
    clock: ServerClock,
    body: (rows: TransactionRows) => Promise<void> | void,
  ): Promise<void> {
    const reads = kind === 'read'
    const rows = new TransactionRows(this.#database.begin(reads), this.#names, queue, {
      sql: this.#firstSql(reads, queue),
      answer: ([row]) => clock.set(Number(row!.at(-1))),
    })
    try {
      await body(rows)
      await rows.commit()
    } catch (error) {
      const { failure } = rows
      await rows.rollback()
      throw failure === undefined ? error : known(failure.error, failure.committing)
    }
  }

  /**
   * Waits until nobody else has the queue, who lets go of it when his transaction ends, or after a while if he is not heard of
   * any more; then looks at the clock.
   */
  #firstSql(reads: boolean, queue: Uint8Array): string {
    const { timeoutMs } = this.#settings
    const settings: readonly (readonly [string, string])[] = [
      ['bytea_output', 'hex'],
      ['lock_timeout', `${Math.ceil(timeoutMs)}`],
      ['idle_in_transaction_session_timeout', `${Math.ceil(timeoutMs / 3)}`],
    ]
    const set = settings.map(([name, value]) => `set_config('${name}', '${value}', true)`)
    const lock = reads ? [] : [lockOf(this.#names, queue)]
    return `SELECT ${[...set, ...lock, 'extract(epoch FROM clock_timestamp()) * 1000'].join(', ')}`
  }
}

/** The clock of the server, at which each transaction looks when it begins. */
class ServerClock {
  readonly #clock: { now(): number } | undefined
  #latest: number | undefined

  constructor(clock: { now(): number } | undefined) {
    this.#clock = clock
  }

  set(now: number): void {
    this.#latest = Math.floor(now)
  }

  now(): number {
    return this.#clock?.now() ?? this.#latest ?? Date.now()
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
