import { checkDelivered, checkFunction, checkOptions, checkText, checkWaitMs } from '../../src/check.ts'
import type { QuaysideError } from '../../src/errors.ts'
import { keyBytes } from '../../src/segments/inside.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import {
  type EmbeddedPostgres,
  type PostgresPool,
  checkDatabase,
  checkTransaction,
  isEmbedded,
  refused,
} from './client.ts'
import { databaseOf } from './database-of.ts'
import { isMissing } from './faults.ts'
import { bytesLiteral } from './literals.ts'
import { DEFAULT_SCHEMA, DEFAULT_TIMEOUT_MS } from './options.ts'
import { keepQuiet } from './pool.ts'
import { type Names, ensureSchema, namesOf } from './schema.ts'
import { runWithin } from './within.ts'

/** What a message must be known by: a `Message` is. */
export interface Delivered {
  readonly queue: string
  readonly group: string
  readonly id: string
  readonly timestamp: number
}

/** What {@link once} does with a message. */
export interface OnceOptions {
  /**
   * How long it is known that a message is done, in ms. Must be longer than it may take until a message arrives again whose ack
   * was lost. @defaultValue 604,800,000 (7 days)
   */
  readonly keepMs?: number | undefined
  /** The schema in which the marks are. @defaultValue `'quayside'` */
  readonly schema?: string | undefined
}

/** What runs the statements of a transaction. */
export interface PostgresWork {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly object[] }>
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000

/** Who says too little of a message marks others with it. */
function checkDone(tried: string, message: unknown, options: unknown): void {
  checkDelivered(tried, message)
  checkOptions(tried, options, { keepMs: checkWaitMs, schema: checkText })
}

/**
 * Runs `effects` in a transaction together with a mark that the message is done, so that what it writes on the client that it is
 * given happens exactly once: a message that arrives again after its ack was lost finds the mark, and `effects` does not run.
 *
 * ```ts
 * await consumer.run((message) => once(pool, message, (client) => client.query('INSERT …', [message.payload.total])))
 * ```
 *
 * @param database A `Pool` of `pg`, or a PGlite; of any database.
 * @returns whether it ran; `false`: the message was done before.
 * @throws what `effects` throws: nothing is changed then; `INVALID_ARGUMENT` where they have caught what a statement of theirs failed with,
 * after which nothing can be committed; and what the client throws. Where that is the connection which broke, the
 * message comes again, and is asked about again.
 */
export async function once(
  database: PostgresPool | EmbeddedPostgres,
  message: Delivered,
  effects: (client: PostgresWork) => unknown,
  options: OnceOptions = {},
): Promise<boolean> {
  checkDatabase('once', database)
  checkDone('once', message, options)
  checkFunction('once', 'effects', effects)
  const names = namesOf(options.schema ?? DEFAULT_SCHEMA)
  const work = async (client: PostgresWork): Promise<boolean> => {
    const isFirst = await client.query(markSql(names, message, options)).then(
      ({ rows }) => rows.length > 0,
      (error: unknown) => {
        throw isMissing(error) ? new NoMarks('there are no tables', { cause: error }) : error
      },
    )
    if (isFirst) await effects(client)
    return isFirst
  }
  const run = isEmbedded(database)
    ? () => database.transaction((tx) => work(tx))
    : () => transact(database, work)
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof NoMarks)) throw error
  }
  await ensureSchema(databaseOf(database, DEFAULT_TIMEOUT_MS), names)
  return await run()
}

/**
 * Marks a message as done in a transaction of your own, for libraries that begin and commit it themselves.
 *
 * @param transaction As {@link Producer.within} takes it.
 * @returns `false` if it was done before: then do nothing.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`: no transaction is open, or there are no tables of quayside in that database.
 * @example
 * ```ts
 * const isFirst = await markDone(transaction, message)
 * ```
 */
export async function markDone(
  transaction: object,
  message: Delivered,
  options: OnceOptions = {},
): Promise<boolean> {
  checkDone('markDone', message, options)
  const names = namesOf(options.schema ?? DEFAULT_SCHEMA)
  checkTransaction('markDone', transaction)
  const sql = markSql(names, message, options)
  return (await runWithin('markDone', transaction, names.done, () => transaction.query(sql))).length > 0
}

/** The server undoes a transaction in which a statement has failed when it is told to commit it, which is no error to it. (It is to PGlite.) */
function undone(): QuaysideError {
  return refused(
    'once',
    'a statement of the effects has failed, and its error was caught: nothing was changed, because PostgreSQL undoes such a transaction. Let the error be thrown, or put a SAVEPOINT before the statement and go back to it',
  )
}

/** The tables are not there. */
class NoMarks extends Error {}

/** Marks a message, and answers with a row if it was not marked before. */
function markSql(
  { done }: Names,
  { queue, group, id, timestamp }: Delivered,
  { keepMs = WEEK_MS }: OnceOptions,
): string {
  const name = bytesLiteral(keyBytes([queue, group, id, timestamp]))
  const until = `clock_timestamp() + interval '${Math.min(keepMs, MAX_DURATION_MS)} milliseconds'`
  // Others may be forgetting the same ones.
  const over = `SELECT message FROM ${done} WHERE until < clock_timestamp() ORDER BY until LIMIT 4 FOR UPDATE SKIP LOCKED`
  return `WITH forgotten AS (DELETE FROM ${done} WHERE message IN (${over})) INSERT INTO ${done} VALUES (${name}, ${until}) ON CONFLICT DO NOTHING RETURNING 1 AS first`
}

/** Runs `work` in a transaction on a client of the pool. */
async function transact<T>(pool: PostgresPool, work: (client: PostgresWork) => Promise<T>): Promise<T> {
  keepQuiet(pool)
  const connected = await pool.connect()
  const client = connected as typeof connected & PostgresWork
  const ignore = (): void => undefined
  client.on('error', ignore)
  let isGood = false
  try {
    await client.query('BEGIN')
    try {
      const result = await work(client)
      const ended = await client.query('COMMIT')
      isGood = true
      if ((ended as { command?: string }).command === 'ROLLBACK') throw undone()
      return result
    } catch (error) {
      await client.query('ROLLBACK').then(() => (isGood = true), ignore)
      throw error
    }
  } finally {
    if (isGood) client.removeListener('error', ignore)
    client.release(!isGood)
  }
}
