import { type ErrorCode, QuaysideError } from '../../src/errors.ts'

/** The errors of this adapter: which failure of PostgreSQL becomes which code, and what it tells the reader to do. */

/** No connection could be had. */
export class NoConnection extends Error {
  constructor(ms: number | undefined, cause?: unknown) {
    super(
      ms === undefined
        ? cause instanceof Error
          ? cause.message || String((cause as { code?: unknown }).code)
          : String(cause)
        : `the pool had no connection for ${ms} ms`,
      { cause },
    )
  }
}

/** The server has not answered in time. */
export class NoAnswer extends Error {
  constructor(ms: number) {
    super(`the server has not answered for ${ms} ms`)
  }
}

/** What the server says of a state in which it does nothing: see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const STATES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  '25006': ['STORAGE_UNAVAILABLE', 'it takes no writes: give the adapter a pool of the primary'],
  '25P03': [
    'STORAGE_UNAVAILABLE',
    'this process has not answered for too long in the middle of a transaction',
  ],
  '3D000': ['STORAGE_UNAVAILABLE', 'there is no such database'],
  '42501': [
    'STORAGE_UNAVAILABLE',
    'the user of the pool may not do this: see docs/storage-postgres.md for what it needs',
  ],
  '42P01': ['STORAGE_UNAVAILABLE', 'the tables are gone: close the queue, and open it again'],
  '53100': ['QUOTA_EXCEEDED', 'its disk is full: free space there, or consume messages, and send again'],
  '53300': ['STORAGE_UNAVAILABLE', 'it has too many connections: try again, or make the pools smaller'],
  '55P03': [
    'TIMEOUT',
    'others had the queue all the time: try again. A process that stands still lets go of it in the end',
  ],
  '57014': ['TIMEOUT', 'it was canceled, as by statement_timeout: try again'],
  '57P01': ['STORAGE_UNAVAILABLE', 'it is shutting down, or has ended the connection: try again'],
  '57P02': ['STORAGE_UNAVAILABLE', 'another of its processes has crashed: try again'],
  '57P03': ['STORAGE_UNAVAILABLE', 'it is starting or shutting down: try again'],
  XX001: ['CORRUPT', 'its data is damaged'],
  XX002: ['CORRUPT', 'an index of it is damaged: REINDEX'],
}

/** The five signs that the server gives an error; `undefined`: it is none of the server's. */
function stateOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^[\dA-Z]{5}$/.test(code) && !code.startsWith('E') ? code : undefined
}

/** Whether the server has ended the connection with these words. */
function endsConnection(state: string): boolean {
  return state.startsWith('08') || state.startsWith('57P') || state === '25P03'
}

/** Whether a connection broke, and not by what was asked of it. */
export function isLost(error: unknown): boolean {
  if (error instanceof NoAnswer || error instanceof NoConnection) return false
  const state = stateOf(error)
  return state === undefined ? error instanceof Error : endsConnection(state)
}

/** Whether tables are not there. */
export function isMissing(error: unknown): boolean {
  return ['42P01', '3F000'].includes(stateOf(error) ?? '')
}

/** Whether no transaction is open where one must be. */
export function isOutside(error: unknown): boolean {
  return stateOf(error) === '25P01'
}

/** Whether a transaction has failed before. */
export function isAborted(error: unknown): boolean {
  return stateOf(error) === '25P02'
}

/** Whether others have written, though it was supposed that they have not: what is asked for that divides by zero. */
export function isWrongGuess(error: unknown): boolean {
  return stateOf(error) === '22012'
}

/** What a failure is called. @param committing Whether COMMIT was on its way. */
export function known(error: unknown, committing: boolean): QuaysideError {
  if (error instanceof QuaysideError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const fault = (code: ErrorCode, text: string) => new QuaysideError(code, text, { cause: error })
  const state = stateOf(error)
  const isOver = state !== undefined && !endsConnection(state)
  if (committing && !isOver && !(error instanceof NoConnection))
    return fault(
      'STORAGE_FAILED',
      `the connection to PostgreSQL broke while a transaction was being committed: whether it was is unknown (${reason})`,
    )
  if (state === undefined)
    return fault('STORAGE_UNAVAILABLE', `PostgreSQL cannot be reached; nothing was changed (${reason})`)
  const [code, advice] = STATES[state] ?? ['STORAGE_UNAVAILABLE', `it refuses with the code ${state}`]
  return fault(code, `PostgreSQL has changed nothing: ${advice} (${reason})`)
}
