import { randomFillSync } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { writeAll } from './files.ts'

/** Enough for some thousand claims and acks, which is when a full disk can become emptier. */
export const RESERVE_BYTES: number = 1024 * 1024

/**
 * Space kept back for the day when the disk is full: a file that is deleted then, so that messages can still be consumed.
 *
 * It holds noise, not zeros, which a file system might not store.
 */
export class Reserve {
  readonly #fileSystem: FileSystem
  readonly #path: string
  #held = false

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#path = join(directory, 'reserve')
  }

  /** Frees the space. Answers `false` if there is none. */
  release(): boolean {
    if (!this.#held) return false
    this.#held = false
    return this.#remove()
  }

  /** Takes the space, if it is not held yet. Answers whether it is now. */
  restore(): boolean {
    if (this.#held) return true
    const fileSystem = this.#fileSystem
    this.#remove()
    try {
      const fd = fileSystem.open(this.#path, true)
      try {
        writeAll(fileSystem, fd, randomFillSync(Buffer.allocUnsafe(RESERVE_BYTES)), RESERVE_BYTES, 0)
        this.#held = true
      } finally {
        closeQuietly(fileSystem, fd)
      }
    } catch {
      // Whatever the reason, it is not there, and not having it is what the caller deals with.
      this.#remove()
    }
    return this.#held
  }

  /** Finds out whether an earlier owner of the directory left it; if not, takes it. */
  adopt(): boolean {
    const fileSystem = this.#fileSystem
    try {
      const fd = fileSystem.open(this.#path, false)
      this.#held = fileSystem.size(fd) === RESERVE_BYTES
      closeQuietly(fileSystem, fd)
    } catch {
      this.#held = false
    }
    return this.restore()
  }

  #remove(): boolean {
    try {
      this.#fileSystem.remove(this.#path)
      return true
    } catch {
      return false
    }
  }
}
