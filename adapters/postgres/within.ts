import { byteRow } from '../../src/segments/inside.ts'
import { handOver } from '../../src/segments/index.ts'
import type { AppendOptions, NewMessage } from '../../src/storage.ts'
import { type PostgresTransaction, checkTransaction, noTransaction, refused } from './client.ts'
import { isAborted, isMissing, isOutside } from './faults.ts'
import { bytesLiteral, textLiteral } from './literals.ts'
import { tellSql } from './news.ts'
import type { Names } from './schema.ts'

const TRIED = 'within'

/**
 * Puts messages into the inbox of a queue, in the transaction that is open on a client. It must be of the same database.
 *
 * @param placed Answers with what tells the database of the adapter from others, for which it may need another connection; `undefined`
 * where it is certain that the transaction is in the right one.
 */
export async function putInbox(
  transaction: object,
  names: Names,
  placed: (() => Promise<string | undefined>) | undefined,
  queue: string,
  messages: readonly NewMessage[],
  options: Pick<AppendOptions, 'groups'>,
): Promise<void> {
  const [key, value] = byteRow(...handOver(messages, options))
  checkTransaction(TRIED, transaction)
  const id = await placed?.()
  const place = id === undefined ? '' : ` WHERE id = '${id}'`
  const name = bytesLiteral(new TextEncoder().encode(queue))
  const put = `INSERT INTO ${names.rows} SELECT ${name}::bytea, ${bytesLiteral(key)}::bytea, ${bytesLiteral(value)}::bytea FROM here RETURNING 1`
  // Told when it is committed, and only then.
  const sql = `WITH here AS (SELECT id FROM ${names.place}${place}), put AS (${put}) SELECT ${tellSql(names.schema, queue)} FROM put`
  const rows = await runWithin(TRIED, transaction, names.rows, () => transaction.query(sql))
  if (rows.length === 0) throw refused(TRIED, 'this client is of another database than the queue')
}

/**
 * Whether our tables are in the database of a transaction; it goes on whatever the answer. `undefined`: it has failed, which the next
 * statement will tell.
 */
export async function hasTables(
  transaction: PostgresTransaction,
  { place }: Names,
): Promise<boolean | undefined> {
  try {
    // A row or none: what a program makes of values is its own.
    const { rows } = await transaction.query(`SELECT 1 WHERE to_regclass(${textLiteral(place)}) IS NOT NULL`)
    return rows.length > 0
  } catch (error) {
    return isAborted(error) ? undefined : false
  }
}

/** Runs a statement of ours in the transaction of somebody else, if one is open and our tables are in its database. */
export async function runWithin(
  tried: string,
  transaction: PostgresTransaction,
  table: string,
  run: () => ReturnType<PostgresTransaction['query']>,
): Promise<readonly object[]> {
  checkTransaction(tried, transaction)
  try {
    if (typeof transaction.getTransactionStatus?.() !== 'string')
      // One that does not know is asked for what the server refuses elsewhere, and a write does anyway.
      await transaction.query(`LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`)
    return (await run()).rows
  } catch (thrown) {
    // Query builders wrap what the server said.
    const errors = [thrown, (thrown as { cause?: unknown } | undefined)?.cause]
    if (errors.some(isOutside)) throw refused(tried, noTransaction(false))
    if (errors.some(isAborted)) throw refused(tried, noTransaction(true))
    if (errors.some(isMissing))
      throw refused(
        tried,
        `there is no table ${table} in the database of this client. It is made where a PostgresAdapter has opened a queue, or once has run`,
      )
    throw thrown
  }
}
