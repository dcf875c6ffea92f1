import { realpathSync } from 'node:fs'
import { QuaysideError } from '../../src/errors.ts'
import { byteRow } from '../../src/segments/inside.ts'
import { handOver } from '../../src/segments/index.ts'
import type { AppendOptions, NewMessage } from '../../src/storage.ts'
import type { Source } from './connection.ts'
import { type SQLiteDatabase, checkConnection, fileOf, isBetween, ownClass } from './driver.ts'
import { keyOfQueue } from './queue-rows.ts'
import { withTables } from './tables.ts'

const TRIED = 'within'

/** Connections that were found to be of the file. */
const trusted = new WeakMap<SQLiteDatabase, Source>()

/** Puts messages into the inbox of a queue, in the transaction that is open on a connection. Answers with the queue's number. */
export function putInbox(
  source: Source,
  database: SQLiteDatabase,
  queue: string,
  messages: readonly NewMessage[],
  options: Pick<AppendOptions, 'groups'>,
): number {
  checkConnection(TRIED, database)
  if (trusted.get(database) !== source) {
    checkFile(source, database)
    trusted.set(database, source)
  }
  if (isBetween(database) === false)
    throw refused(
      'no transaction is open on this connection. Begin one, send before it is committed, and do not wait for anything else between',
    )
  const [key, value] = byteRow(...handOver(messages, options))
  return withTables(database, (tables) => {
    const number = tables.numberOf(queue)
    tables.rows.put(keyOfQueue(number, key), value)
    return number
  })
}

/** It must be one of ours, to the same file, and of the same copy of SQLite. */
function checkFile(source: Source, database: SQLiteDatabase): void {
  if (typeof source === 'function') return
  const theirs = fileOf(database)
  const ours = typeof source === 'string' ? source : fileOf(source)
  if (theirs === '' || real(theirs) !== real(ours))
    throw refused(`this connection is to ${theirs || 'memory'}, and the queue lies in ${ours}`)
  const made = Object.getPrototypeOf(database) as { constructor?: { name?: string } } | null
  const name = made?.constructor?.name
  if (typeof source === 'string' && made !== Object.prototype && name !== ownClass())
    throw refused(
      `this connection is one of another library (${name}) than the queue's (${ownClass()}). Two copies of SQLite in one process lose each other's locks, and damage the file. Give the adapter connections of the same library: new SQLiteAdapter(() => new Database(path))`,
    )
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function refused(why: string): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `${TRIED}: ${why}`)
}
