/**
 * `quayside/postgres`: queues in a PostgreSQL database, shared by all who reach it; or in an embedded one, PGlite.
 *
 * @module
 */
import { sendWithin } from '../../src/core/index.ts'
import { QuaysideError } from '../../src/errors.ts'
import { ByteAdapter } from '../../src/segments/index.ts'
import { type AppendOptions, MAX_DURATION_MS, type NewMessage, type Part } from '../../src/storage.ts'
import {
  type EmbeddedPostgres,
  type PostgresPool,
  type PostgresTransaction,
  checkDatabase,
  isEmbedded,
} from './client.ts'
import type { Database } from './database.ts'
import { databaseOf } from './database-of.ts'
import { guaranteesOf } from './guarantees.ts'
import { DEFAULT_SCHEMA, DEFAULT_TIMEOUT_MS, type PostgresOptions } from './options.ts'
import { isOf } from './pool.ts'
import { type Names, ensureSchema, namesOf } from './schema.ts'
import { PostgresStore, told } from './store.ts'
import { hasTables, putInbox } from './within.ts'

export type {
  EmbeddedPostgres,
  EmbeddedTransaction,
  PostgresClient,
  PostgresPool,
  PostgresQuery,
  PostgresTransaction,
} from './client.ts'
export { type Delivered, type OnceOptions, type PostgresWork, markDone, once } from './once.ts'
export type { PostgresOptions } from './options.ts'

const OPTIONS: readonly string[] = [
  'schema',
  'strictAcks',
  'timeoutMs',
  'clock',
] satisfies (keyof PostgresOptions)[]

/** As long as the server lets names of schemas and channels be, in bytes. */
const MAX_SCHEMA_BYTES = 63

/**
 * Keeps queues in tables of a PostgreSQL database, 13 or later, which any number of processes and machines use together.
 *
 * ```ts
 * const queue = new Queue('orders', { storage: new PostgresAdapter(new Pool({ connectionString })) })
 * ```
 *
 * The pool stays yours: the adapter neither configures nor ends it. Each step takes one of its connections for a few trips; while
 * somebody waits for messages, one more listens. A queue has one writer at a time, as short as two trips; calls that come
 * meanwhile share the next commit.
 */
export class PostgresAdapter extends ByteAdapter {
  readonly #database: Database
  readonly #names: Names
  /** Absent where it is embedded. */
  readonly #pool: PostgresPool | undefined
  /** What tells the database from others. */
  readonly sendWithin: Part = sendWithin
  #place: Promise<string> | undefined
  /** A client of the pool has seen our tables. */
  #isReady = false

  /**
   * @param database A `Pool` of `pg`, or a PGlite.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the database is told by the first use:
   * `STORAGE_UNAVAILABLE`.
   */
  constructor(database: PostgresPool | EmbeddedPostgres, options: PostgresOptions = {}) {
    checkDatabase('new PostgresAdapter', database)
    check(options)
    const { schema = DEFAULT_SCHEMA, timeoutMs = DEFAULT_TIMEOUT_MS, strictAcks, clock } = options
    const opened = databaseOf(database, timeoutMs)
    const names = namesOf(schema)
    super(guaranteesOf(database), async () => {
      const store = await PostgresStore.open(opened, names, { timeoutMs, strictAcks, clock })
      this.#place = Promise.resolve(store.place)
      return store
    })
    this.#database = opened
    this.#names = names
    this.#pool = isEmbedded(database) ? undefined : database
  }

  /**
   * See {@link Producer.within}: `transaction` is a client of `pg` on which a transaction is open, a transaction of PGlite, or
   * anything whose `query(text)` runs a statement in one; of the same database.
   */
  async appendWithin(
    transaction: object,
    queue: string,
    messages: readonly NewMessage[],
    options: Pick<AppendOptions, 'groups'>,
  ): Promise<void> {
    const placed = this.#pool && (() => this.#placed(this.#pool!, transaction))
    await putInbox(transaction, this.#names, placed, queue, messages, options)
  }

  /**
   * On a connection of its own: only then it is the right database that answers. Where the client is one of the pool's, it is; others like it may have
   * all the connections that there are, and wait for this one. `undefined`: so it is, and the tables are there.
   */
  async #placed(pool: PostgresPool, transaction: object): Promise<string | undefined> {
    if (this.#place === undefined) {
      if (isOf(pool, transaction)) {
        const isReady = this.#isReady || (await hasTables(transaction as PostgresTransaction, this.#names))
        this.#isReady = isReady === true
        if (isReady !== false) return undefined
      }
      const place = told(() => ensureSchema(this.#database, this.#names))
      place.catch(() => (this.#place = undefined))
      this.#place = place
    }
    return this.#place
  }
}

function check(options: PostgresOptions): void {
  const refuse = (rule: string, value: unknown): never => {
    throw new QuaysideError('INVALID_ARGUMENT', `new PostgresAdapter: ${rule}, not ${JSON.stringify(value)}`)
  }
  for (const name in options) if (!OPTIONS.includes(name)) refuse(`options are ${OPTIONS.join(', ')}`, name)
  const { schema = DEFAULT_SCHEMA, timeoutMs = 1 } = options
  if (
    typeof schema !== 'string' ||
    schema === '' ||
    schema.includes('\0') ||
    new TextEncoder().encode(schema).length > MAX_SCHEMA_BYTES
  )
    refuse(`schema must be a name of 1 to ${MAX_SCHEMA_BYTES} bytes`, schema)
  if (!(timeoutMs > 0 && timeoutMs <= MAX_DURATION_MS))
    refuse(`timeoutMs must be a number of ms, more than 0 and ${MAX_DURATION_MS} at most`, timeoutMs)
}
