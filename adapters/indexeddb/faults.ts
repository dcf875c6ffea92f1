import { QuaysideError, errorText } from '../../src/errors.ts'

/**
 * Errors after which the same transaction may well work on a new connection. The last is that of a call on a
 * transaction which was aborted by the browser while the call before it was under way.
 */
const LOST = ['InvalidStateError', 'UnknownError', 'AbortError', 'TransactionInactiveError']

export function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : ''
}

export function isLost(error: unknown): boolean {
  return LOST.includes(nameOf(error))
}

/** Whether a database that cannot be opened may soon be: not where a browser refuses to open it at all. */
export function isPassing({ cause }: { readonly cause?: unknown }, wasOpen: boolean): boolean {
  return isLost(cause) && (wasOpen || nameOf(cause) !== 'InvalidStateError')
}

export function isQuota(error: unknown): boolean {
  return nameOf(error) === 'QuotaExceededError'
}

export async function quotaExceeded(cause: unknown): Promise<QuaysideError> {
  // Workers of some browsers have no estimate.
  const { usage, quota } = await Promise.resolve(globalThis.navigator?.storage?.estimate?.())
    .catch(() => undefined)
    .then((estimate) => estimate ?? {})
  const known = usage === undefined ? '' : `: ${usage} of ${quota} bytes are used, as the browser estimates`
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    `there is no room in the storage of this origin${known}. Nothing was stored; receiving and acknowledging still work`,
    { cause },
  )
}

export function timeout(what: string, ms: number, advice: string): QuaysideError {
  return new QuaysideError('TIMEOUT', `${what} took longer than ${ms} ms: ${advice}`)
}

function textOf(cause: unknown): string {
  return `${nameOf(cause)}: ${errorText(cause)}`
}

/** Why a database cannot be opened. */
export function cannotOpen(database: string, cause: unknown): QuaysideError {
  const tried = `opening the IndexedDB database ${JSON.stringify(database)}`
  const why =
    nameOf(cause) === 'VersionError'
      ? 'a newer version of this page has upgraded it; reload this tab'
      : typeof indexedDB === 'undefined'
        ? 'this runtime has none; make the queue in the browser only, in Node take quayside/fs'
        : `the browser refuses it here (${textOf(cause)}); storage may be blocked for this site, or in a private window or sandboxed frame`
  return new QuaysideError('STORAGE_UNAVAILABLE', `${tried}: ${why}`, { cause })
}

export function failed(cause: unknown): QuaysideError {
  return new QuaysideError(
    'STORAGE_FAILED',
    `a transaction in IndexedDB failed again and again (${textOf(cause)}). Whether it was stored is unknown; try again, and reload the page if that does not help`,
    { cause },
  )
}
