import { type ErrorCode, QuaysideError, hasCode } from '../errors.ts'
import { backoffDelay } from './retry.ts'

/** What a storage may get over: whoever waits tries again. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'STORAGE_UNAVAILABLE',
  'STORAGE_FAILED',
  'TIMEOUT',
  'LOCKED',
])

/** Whether trying again may help. All else, a bug as well, must be seen at once. */
export function isTransient(error: unknown): boolean {
  return error instanceof QuaysideError && TRANSIENT.has(error.code)
}

/** Whether what failed may have been done all the same. */
export function isUnsure(error: unknown): boolean {
  return hasCode(error, 'STORAGE_FAILED') || hasCode(error, 'TIMEOUT')
}

const LEAST_MS = 50
const RULES = { maxAttempts: Infinity, initialMs: 100, maxMs: 10_000, factor: 2 }

/** How long to leave a storage alone that has failed so many times in a row, in ms: 50 to 150 at first, 10 s at most. */
export function restMs(failures: number, random: number): number {
  return LEAST_MS + backoffDelay(failures, random, RULES)
}
