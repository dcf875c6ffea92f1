import type { Connection } from './connection.ts'
import { isQuota } from './faults.ts'

/** Some hundred claims and acks. */
const BYTES = 256 * 1024
/** The most that `getRandomValues` gives at once. */
const CHUNK = 65_536

/**
 * Space that is kept back for claims and acks. When the quota is used up it is deleted, which always works, and what
 * failed is tried again; once something has been deleted it is put back, and before that nothing is appended.
 */
export class Ballast {
  readonly #connection: Connection
  readonly #onFull: () => void
  /** It is in its place. */
  isThere = true
  #restoring: Promise<void> | undefined

  constructor(connection: Connection, onFull: () => void) {
    this.#connection = connection
    this.#onFull = onFull
  }

  /** Finds out whether it is there, and makes it where there is room. */
  async open(): Promise<void> {
    const count = await this.#connection.transact('readonly', 'relaxed', (work) => {
      return work.objectStore('ballast').count()
    })
    this.isThere = count > 0
    if (!this.isThere) await this.#put().catch(passQuota)
  }

  /** Has it put back in its place. Rejects with the quota's error if there is no room for it. */
  async settle(): Promise<void> {
    await this.#restoring
    if (!this.isThere) await this.#put()
  }

  async giveUp(): Promise<void> {
    await this.#restoring
    this.isThere = false
    this.#onFull()
    await this.#connection.transact('readwrite', 'relaxed', (work) => work.objectStore('ballast').clear())
  }

  /** There may be room again. */
  restore(): void {
    if (this.isThere || this.#restoring !== undefined) return
    this.#restoring = this.#put()
      // It stays away until the next try.
      .catch(() => undefined)
      .finally(() => (this.#restoring = undefined))
  }

  async #put(): Promise<void> {
    // Not to be compressed.
    const bytes = new Uint8Array(BYTES)
    for (let at = 0; at < BYTES; at += CHUNK) crypto.getRandomValues(bytes.subarray(at, at + CHUNK))
    await this.#connection.transact('readwrite', 'relaxed', (work) =>
      work.objectStore('ballast').put(bytes, 0),
    )
    this.isThere = true
  }
}

function passQuota(error: unknown): void {
  if (!isQuota(error)) throw error
}
