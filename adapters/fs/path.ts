import { QuaysideError } from '../../src/errors.ts'

/** @throws QuaysideError `INVALID_ARGUMENT` for what cannot be the path of a directory. */
export function checkPath(tried: string, what: string, value: unknown): void {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    `${tried}: ${what} must be a path, not ${JSON.stringify(value)}`,
  )
}
