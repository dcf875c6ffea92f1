import { QuaysideError, errorText } from '../../src/errors.ts'

/** How storages say that there is no room: browsers, SQLite, the file systems of Android and iOS. */
const NO_ROOM = /quota|\bfull\b|no space|out of ?space|ENOSPC/i

/** A write was refused because there is no room. Nothing of it is there. */
export class NoRoom extends Error {}

export function isNoRoom(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown }
  return NO_ROOM.test([name, code, errorText(error)].join(' '))
}

export function quotaExceeded(cause: unknown): QuaysideError {
  const text = `there is no room in the storage (${errorText(cause)}). Nothing was stored; receiving and acknowledging still work, and make room`
  return new QuaysideError('QUOTA_EXCEEDED', text, { cause })
}

export function unavailable(name: string, cause: unknown): QuaysideError {
  const text = `opening the key-value storage ${JSON.stringify(name)}: ${errorText(cause)}`
  return new QuaysideError('STORAGE_UNAVAILABLE', text, { cause })
}

export function failed(tried: string, cause: unknown): QuaysideError {
  const text = `${tried} failed (${errorText(cause)}). Whether it was stored is unknown until the storage is opened again`
  return new QuaysideError('STORAGE_FAILED', text, { cause })
}

export function cleared(name: string): QuaysideError {
  const text = `the key-value storage ${JSON.stringify(name)} was emptied, as by clear()`
  return new QuaysideError('STORAGE_FAILED', text)
}

export function takenOver(name: string): QuaysideError {
  const text = `the key-value storage ${JSON.stringify(name)} was opened by another adapter, which has it now: make one KeyValueAdapter for it, once, and share that`
  return new QuaysideError('LOCKED', text)
}

export function corrupt(name: string, key: string, why: string): QuaysideError {
  const text = `the key-value storage ${JSON.stringify(name)} is damaged: ${why}, at the item ${JSON.stringify(key)}. Nothing was dropped. Bring its items back from a copy, or remove ${JSON.stringify(name)} and all whose keys begin with ${JSON.stringify(`${name}.`)} to begin anew`
  return new QuaysideError('CORRUPT', text)
}
