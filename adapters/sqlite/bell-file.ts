import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'

/** As SQLite opens what it has beside a database: what lies there may be a link of somebody else, to any file. */
const NO_LINK = constants.O_NOFOLLOW

/** Each who writes puts so much at the end of it before it is cut off, in bytes. */
const MOST_BYTES = 65_536

/** The file beside a database in which those who use it leave each other signs. Hints, no more: what fails is left out. */
export class BellFile {
  readonly path: string
  readonly #database: string
  readonly #makes: boolean
  #file: number | undefined
  /** The same, for what is put at its end. */
  #end: number | undefined
  #bytesPut = 0

  /** @param database The path of the database. @param makes Whether the file is made if it is not there. */
  constructor(database: string, makes: boolean) {
    this.path = `${database}-bell`
    this.#database = database
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

  /** How long it is, in bytes. */
  get length(): number {
    try {
      return fstatSync(this.open()).size
    } catch {
      return 0
    }
  }

  /** Puts a line behind all that others put there. What there is behind `from` is cut off now and then. */
  put(line: string, from: number): void {
    try {
      this.open()
      this.#end ??= openSync(this.path, constants.O_WRONLY | constants.O_APPEND | NO_LINK)
      if (this.#bytesPut > MOST_BYTES || this.length < from) {
        ftruncateSync(this.open(), from)
        this.#bytesPut = 0
      }
      this.#bytesPut += writeSync(this.#end, `${line}\n`)
    } catch {
      // As above.
    }
  }

  /** Somebody has removed the one that is open: whoever comes now makes another. */
  get isGone(): boolean {
    try {
      return this.#file !== undefined && fstatSync(this.#file).nlink === 0
    } catch {
      return false
    }
  }

  open(): number {
    if (this.isGone) this.close()
    if (this.#file !== undefined) return this.#file
    try {
      if (!this.#makes) throw new Error('it is not to be made')
      this.#file = openSync(this.path, 'wx+', 0o600)
      share(this.#file, this.#database)
    } catch {
      this.#file = openSync(this.path, constants.O_RDWR | NO_LINK)
    }
    return this.#file
  }

  close(): void {
    for (const file of [this.#file, this.#end]) if (file !== undefined) closeSync(file)
    this.#file = this.#end = undefined
  }
}

/** Who may use a file is who may use the other, as far as that can be arranged: so SQLite does it with those that it makes. */
function share(file: number, database: string): void {
  try {
    const { mode, uid, gid } = statSync(database)
    fchmodSync(file, mode & 0o666)
    fchownSync(file, uid, gid)
  } catch {
    // It is ours alone.
  }
}
