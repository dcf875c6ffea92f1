import { closeSync, openSync, statSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** What SQLite keeps in its log before it moves it into the file, which may have to grow by as much; and a little more. */
export const RESERVE_BYTES: number = 4.5 * 1024 * 1024
/** With so much room on the disk, in bytes, none is kept back. */
const PLENTY_BYTES = 256 * 1024 * 1024
/** It is looked at how things are after so long, in ms: others write, too. */
const LOOK_MS = 100
/** No more noise can be had at once. */
const PART_BYTES = 64 * 1024

/**
 * Space kept back where the disk is nearly full: a file beside the database, that is deleted when it is full, so that messages
 * can still be consumed. It is that of all who use the database. It holds noise, not zeros, which a file system might not store.
 */
export class Reserve {
  readonly #path: string
  #hasRoom = true
  #lookedAt = -Infinity

  /** @param database The path of the database. */
  constructor(database: string) {
    this.#path = `${database}-reserve`
  }

  /** Whether there is room for messages: on the disk, and kept back. */
  get hasRoom(): boolean {
    const now = performance.now()
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now
      this.#look()
    }
    return this.#hasRoom
  }

  /** Frees the space, if there is any. */
  release(): void {
    this.#hasRoom = false
    this.#lookedAt = performance.now()
    this.#remove()
  }

  #look(): void {
    const free = freeBytes(this.#path)
    const isEnough = free === undefined || free >= PLENTY_BYTES
    // What is taken would be missing elsewhere before it is all there.
    this.#hasRoom = isEnough || this.#isThere() || (free >= 2 * RESERVE_BYTES && this.#take())
  }

  #isThere(): boolean {
    try {
      return statSync(this.#path).size === RESERVE_BYTES
    } catch {
      return false
    }
  }

  /** At once: who sends without end would never let it come to its turn. */
  #take(): boolean {
    try {
      const file = openSync(this.#path, 'w', 0o600)
      try {
        const noise = crypto.getRandomValues(new Uint8Array(PART_BYTES))
        for (let at = 0; at < RESERVE_BYTES;)
          at += writeSync(file, noise, 0, Math.min(PART_BYTES, RESERVE_BYTES - at), at)
      } finally {
        closeSync(file)
      }
      return this.#isThere()
    } catch {
      // Whatever the reason, it is not there.
      this.#remove()
      return false
    }
  }

  #remove(): void {
    try {
      unlinkSync(this.#path)
    } catch {
      // There is none.
    }
  }
}

/** What is left on the disk; `undefined` where the system does not tell. */
function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize
  } catch {
    return undefined
  }
}
