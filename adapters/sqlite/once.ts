import { AsyncLocalStorage } from 'node:async_hooks'
import { checkDelivered, checkFunction, checkOptions, checkWaitMs } from '../../src/check.ts'
import { QuaysideError } from '../../src/errors.ts'
import { isLater } from '../../src/segments/inside.ts'
import { BellFile } from './bell-file.ts'
import { patiently } from './connection.ts'
import { type SQLiteDatabase, checkConnection, fileOf, isBetween, rollBack } from './driver.ts'
import { withTables } from './tables.ts'
import { Turns } from './turns.ts'

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
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000
const TIMEOUT_MS = 30_000

/** Those who work on a connection, one after the other. */
const busy = new WeakMap<SQLiteDatabase, Promise<unknown>>()

/** Effects that are under way, and those that they are called in. */
interface Running {
  readonly database: SQLiteDatabase
  readonly outer: Running | undefined
  isOver: boolean
}

const running = new AsyncLocalStorage<Running>()

function isWithin(database: SQLiteDatabase): boolean {
  for (let one = running.getStore(); one !== undefined; one = one.outer)
    if (one.database === database && !one.isOver) return true
  return false
}

/** Who says too little of a message marks others with it. */
function checkDone(tried: string, message: unknown, options: unknown): void {
  checkDelivered(tried, message)
  checkOptions(tried, options, { keepMs: checkWaitMs })
}

/**
 * Runs `effects` in a transaction on `database` together with a mark that the message is done, so that what it writes there
 * happens exactly once: a message that arrives again after its ack was lost finds the mark, and `effects` does not run.
 *
 * ```ts
 * await consumer.run((message) => once(database, message, () => database.prepare(…).run(message.payload.total)))
 * ```
 *
 * @param database Any SQLite file with a connection that nobody else uses meanwhile if `effects` is asynchronous: what happens
 * on it until `effects` has ended is in the transaction. Calls on one connection wait for each other.
 * @returns whether it ran; `false`: the message was done before.
 * @throws what `effects` throws: nothing is changed then. `TIMEOUT`: the file was locked for 30 s. `INVALID_ARGUMENT`: it is called
 * in the effects of another call on the same connection, or `message` is not one message that was delivered.
 */
export async function once(
  database: SQLiteDatabase,
  message: Delivered,
  effects: () => unknown,
  options: OnceOptions = {},
): Promise<boolean> {
  checkConnection('once', database)
  checkDone('once', message, options)
  checkFunction('once', 'effects', effects)
  if (isWithin(database))
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      'once: it is called in the effects of another once on this connection, which would wait for each other. Ask markDone there',
    )
  const before = busy.get(database)
  const work = (before ?? Promise.resolve()).then(() => run(database, message, effects, options))
  const end = work.then(
    () => undefined,
    () => undefined,
  )
  busy.set(database, end)
  return await work
}

async function run(
  database: SQLiteDatabase,
  message: Delivered,
  effects: () => unknown,
  options: OnceOptions,
): Promise<boolean> {
  const file = fileOf(database)
  const bell = new BellFile(file, false)
  try {
    await patiently(database, new Turns(bell), { file, timeoutMs: TIMEOUT_MS }, () =>
      database.exec('BEGIN IMMEDIATE'),
    )
  } finally {
    bell.close()
  }
  const inside: Running = { database, outer: running.getStore(), isOver: false }
  try {
    const isFirst = markDone(database, message, options)
    if (isFirst) {
      // A statement of a query builder is no promise, and does nothing until it is awaited.
      const effect = running.run(inside, effects)
      if (isLater(effect)) await effect
    }
    database.exec('COMMIT')
    return isFirst
  } catch (error) {
    rollBack(database)
    throw error
  } finally {
    inside.isOver = true
  }
}

/**
 * Marks a message as done in a transaction of your own, for libraries that begin and commit it themselves.
 *
 * @returns `false` if it was done before: then do nothing.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`: no transaction is open, or `message` is not one message that was delivered.
 * @example
 * ```ts
 * db.exec('BEGIN IMMEDIATE')
 * const isFirst = markDone(db, message)
 * if (isFirst) db.prepare('INSERT INTO parcels VALUES (?)').run(message.payload.order)
 * db.exec('COMMIT')
 * ```
 */
export function markDone(database: SQLiteDatabase, message: Delivered, options: OnceOptions = {}): boolean {
  checkConnection('markDone', database)
  checkDone('markDone', message, options)
  if (isBetween(database) === false)
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      'markDone: no transaction is open on this connection: begin one first',
    )
  const { queue, group, id, timestamp } = message
  const { keepMs = WEEK_MS } = options
  const name = JSON.stringify([queue, group, id, timestamp])
  return withTables(database, (tables) => tables.mark(name, Date.now(), keepMs))
}
