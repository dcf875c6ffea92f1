import { byteRow } from '../../src/segments/bytes/rows.ts'
import { handOver } from '../../src/segments/inbox.ts'
import type { AppendOptions, NewMessage } from '../../src/storage.ts'
import { type PostgresTransaction, checkTransaction, noTransaction, refused } from './client.ts'
import { isAborted, isMissing, isOutside } from './faults.ts'
import { bytesLiteral } from './literals.ts'
import { tellSql } from './news.ts'
import type { Names } from './schema.ts'

const TRIED = 'within'

/**
 * Puts messages into the inbox of a queue, in the transaction that is open on a client. It must be of the same database.
 *
 * @param placed Answers with what tells the database of the adapter from others. It needs another connection the first time;
 * `undefined` where there is but one.
 */
export async function putInbox(
  transaction: object,
  names: Names,
  placed: (() => Promise<string>) | undefined,
  queue: string,
  messages: readonly NewMessage[],
  options: Pick<AppendOptions, 'groups'>,
): Promise<void> {
  const [key, value] = byteRow(...handOver(messages, options))
  checkTransaction(TRIED, transaction)
  const place = placed === undefined ? '' : ` WHERE id = '${await placed()}'`
  await checkOpen(TRIED, transaction, names.rows)
  const name = bytesLiteral(new TextEncoder().encode(queue))
  const put = `INSERT INTO ${names.rows} SELECT ${name}::bytea, ${bytesLiteral(key)}::bytea, ${bytesLiteral(value)}::bytea FROM here RETURNING 1`
  // Told when it is committed, and only then.
  const { rows } = await (transaction as PostgresTransaction).query(
    `WITH here AS (SELECT id FROM ${names.place}${place}), put AS (${put}) SELECT ${tellSql(names.schema, queue)} FROM put`,
  )
  if (rows.length === 0) throw refused(TRIED, 'this client is of another database than the queue')
}

/** Whether a transaction is open, and our tables are in its database: only then may a table be locked, as a write does anyway. */
export async function checkOpen(tried: string, transaction: object, table: string): Promise<void> {
  checkTransaction(tried, transaction)
  try {
    await transaction.query(`LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`)
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
