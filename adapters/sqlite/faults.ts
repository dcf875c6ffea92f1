import { QuaysideError } from '../../src/errors.ts'

/** The errors of this adapter: which failure of SQLite becomes which code, and what it tells the reader to do. */

/** Primary result codes of SQLite, and the names that drivers give their errors. */
const BUSY = [5, 6]
const FULL = [13]
const CORRUPT = [11, 26]
/** PERM, READONLY, CANTOPEN, AUTH. */
const UNAVAILABLE = [3, 8, 14, 23]
const NAMES: Readonly<Record<string, number>> = {
  SQLITE_PERM: 3,
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_AUTH: 23,
  SQLITE_NOTADB: 26,
}

/** The primary result code of an error; 0: it is none of SQLite's. */
function codeOf(error: unknown): number {
  const { errcode, errno, code } = (error ?? {}) as { errcode?: unknown; errno?: unknown; code?: unknown }
  if (typeof errcode === 'number') return errcode & 0xff
  if (typeof code === 'string' && code.startsWith('SQLITE_'))
    return NAMES[code.split('_', 2).join('_')] ?? (typeof errno === 'number' ? errno & 0xff : 1)
  return 0
}

/** Somebody else has the lock, or this connection is in the middle of a transaction of somebody else. */
export function isBusy(error: unknown): boolean {
  return (
    BUSY.includes(codeOf(error)) ||
    (error instanceof Error && error.message.includes('cannot start a transaction within a transaction'))
  )
}

export function isFull(error: unknown): boolean {
  return FULL.includes(codeOf(error))
}

/** What a failure is called. What is none of SQLite's stays as it is: it is the body's own. */
export function known(error: unknown, file: string): unknown {
  const code = codeOf(error)
  if (code === 0 || error instanceof QuaysideError) return error
  const reason = error instanceof Error ? ` (${error.message})` : ''
  const fault = (name: 'CORRUPT' | 'STORAGE_UNAVAILABLE' | 'STORAGE_FAILED', text: string) =>
    new QuaysideError(name, text, { cause: error })
  if (FULL.includes(code))
    return full(file, error instanceof Error ? error.message : 'the disk is full', error)
  if (CORRUPT.includes(code))
    return fault(
      'CORRUPT',
      `${file} is damaged, or no SQLite database${reason}. Nothing was changed. Restore it from a copy, or save what can be read with the .recover command of the sqlite3 shell`,
    )
  if (UNAVAILABLE.includes(code)) return fault('STORAGE_UNAVAILABLE', `${file} cannot be used${reason}`)
  return fault(
    'STORAGE_FAILED',
    `a transaction in ${file} failed${reason}. The outcome of what was under way is unknown; open it again`,
  )
}

export function full(file: string, reason: string, cause?: unknown): QuaysideError {
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    `no room to store messages in ${file} (${reason}): nothing was stored. Free space there, or consume messages, and send again`,
    { cause },
  )
}

export function replaced(file: string): QuaysideError {
  return new QuaysideError(
    'STORAGE_FAILED',
    `${file} was deleted, moved or replaced while it was open. Nothing was changed now; what was sent in the moment before may be lost. What is there is opened with the next call`,
  )
}

export function unsynced(file: string): QuaysideError {
  return new QuaysideError(
    'STORAGE_FAILED',
    `the disk could not be made to keep a transaction in ${file}, which was committed and may be lost in a power cut. Look at the disk, and do it again`,
  )
}

/** @param isOurs Whether it is on this very connection that a transaction is open. */
export function timeout(file: string, ms: number, isOurs: boolean): QuaysideError {
  const who = isOurs ? 'by a transaction that is open on the connection given' : 'by another connection'
  return new QuaysideError(
    'TIMEOUT',
    `${file} was locked ${who} for ${ms} ms. Nothing was changed; try again. A transaction that somebody has begun must end, and be short; in one of your own, call within or markDone`,
  )
}
