import type { Connection } from './connection.ts'
import { answer } from './engine/rows.ts'
import { isQuota } from './faults.ts'

/**
 * Measured on a full origin: with 256 KB, Chromium's LevelDB ran out of it while 30,000 small messages were drained, because
 * it takes back the space of what is deleted some megabytes later. With 1 MB all could be drained.
 */
const BYTES = 1024 * 1024
/** The most that `getRandomValues` gives at once. */
const CHUNK = 65_536

/**
 * Space that is kept back for claims and acks. When the quota is used up it is deleted, which always works, and what
 * failed is tried again. The next append has to put it back first: until there is room for it, nothing is appended.
 */
export class Ballast {
  readonly #connection: Connection
  /** It is in its place. */
  isThere = true

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Finds out whether it is there, and makes it where there is room. */
  async open(): Promise<void> {
    const count = await this.#connection.transact('readonly', 'relaxed', (work) => {
      return answer(work.objectStore('ballast').count())
    })
    this.isThere = count > 0
    if (!this.isThere) await this.#put().catch(passQuota)
  }

  /** Has it put back in its place. Rejects with the quota's error if there is no room for it. */
  async settle(): Promise<void> {
    if (!this.isThere) await this.#put()
  }

  async giveUp(): Promise<void> {
    this.isThere = false
    await this.#connection.transact('readwrite', 'relaxed', async (work) => {
      work.objectStore('ballast').clear()
    })
  }

  async #put(): Promise<void> {
    // Not to be compressed.
    const bytes = new Uint8Array(BYTES)
    for (let at = 0; at < BYTES; at += CHUNK) crypto.getRandomValues(bytes.subarray(at, at + CHUNK))
    await this.#connection.transact('readwrite', 'relaxed', async (work) => {
      work.objectStore('ballast').put(bytes, 0)
    })
    this.isThere = true
  }
}

function passQuota(error: unknown): void {
  if (!isQuota(error)) throw error
}
