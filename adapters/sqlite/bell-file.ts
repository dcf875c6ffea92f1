import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** The file beside a database in which those who use it leave each other signs. Hints, no more: what fails is left out. */
export class BellFile {
  readonly path: string
  readonly #makes: boolean
  #file: number | undefined

  /** @param database The path of the database. @param makes Whether the file is made if it is not there. */
  constructor(database: string, makes: boolean) {
    this.path = `${database}-bell`
    this.#makes = makes
  }

  /** Fills `bytes`, as far as there is something. */
  read(bytes: NodeJS.ArrayBufferView, at: number): void {
    try {
      readSync(this.open(), bytes, 0, bytes.byteLength, at)
    } catch {
      // Nobody has written anything.
    }
  }

  write(bytes: NodeJS.ArrayBufferView, at: number): void {
    try {
      writeSync(this.open(), bytes, 0, bytes.byteLength, at)
    } catch {
      // Whoever waits looks again by himself.
    }
  }

  open(): number {
    if (this.#file !== undefined) return this.#file
    try {
      if (!this.#makes) throw new Error('it is not to be made')
      this.#file = openSync(this.path, 'wx+', 0o600)
    } catch {
      this.#file = openSync(this.path, 'r+')
    }
    return this.#file
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }
}
