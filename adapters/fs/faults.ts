import { QuaysideError } from '../../src/errors.ts'

/** The errors of this adapter: which failure of the file system becomes which code, and what it tells the reader to do. */

/** The code of a failed system call: `'ENOSPC'`; empty for any other error. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** Whether a write failed only because there is no space left: on the disk, in a quota, or under a limit of file size. */
export function isNoRoom(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
}

export function noRoom(directory: string, cause?: unknown): QuaysideError {
  const why = codeOf(cause) === '' ? '' : ` (${codeOf(cause)})`
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    `No room to store messages in ${directory}${why}: nothing was stored. Free space there, or consume messages, and send again`,
    cause === undefined ? undefined : { cause },
  )
}

export function storageFailed(what: string, cause: unknown): QuaysideError {
  return new QuaysideError(
    'STORAGE_FAILED',
    `${what} failed${reason(cause)}. The outcome of what was under way is unknown; open the directory again`,
    { cause },
  )
}

export function unavailable(what: string, cause: unknown): QuaysideError {
  return new QuaysideError('STORAGE_UNAVAILABLE', `${what} failed${reason(cause)}`, { cause })
}

export function corrupt(path: string, offset: number, what: string, cause?: unknown): QuaysideError {
  return new QuaysideError(
    'CORRUPT',
    `${path} is damaged at byte ${offset}: ${what}. Nothing was changed. ` +
      'Restore the directory from a copy, or use salvage() of quayside/fs or `npx quayside salvage` for how to keep the rest',
    cause === undefined ? undefined : { cause },
  )
}

function reason(cause: unknown): string {
  return cause instanceof Error ? ` (${cause.message})` : ''
}
