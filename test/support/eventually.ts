import { vi } from 'vitest'

/** Tries until it no longer throws: as long as a busy machine may take, where `vi.waitFor` alone gives up after a second. */
export function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(attempt, { timeout: 45_000, interval: 20 })
}
