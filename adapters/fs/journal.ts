import { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'
import { afterBurst } from './burst.ts'
import { Writer } from './codec.ts'
import { isNoRoom, noRoom, storageFailed, unavailable } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { createFile, type JournalFile, markFirst, readAll, writeAll } from './files.ts'
import { FRAME_HEADER, sealFrame, writeNextFile } from './format.ts'

const MB = 1024 * 1024

/** Files are this large at least, so that a small queue does not create one every moment. */
const MIN_FILE_BYTES = 4 * MB
/** And this large at most, so that the cleaner never has to deal with more at once. */
export const MAX_FILE_BYTES: number = 64 * MB

/**
 * Zeros written ahead of small frames. An fdatasync that finds the file no longer than before need not write the file
 * system's own journal: measured on ext4, with the zeros, 78 µs instead of 143 for frames of 21 kB, 120 instead of 180 for 84 kB;
 * a quarter of the zeros at once, 87 and 142. Large frames do not gain.
 */
const PREPARED = Buffer.alloc(MB)
const SMALL_FRAME: number = PREPARED.length / 4

/** A file that is so many times as large as it may be is waited for. */
const CROWDED = 4

/** A file that could not be created for want of room or descriptors is tried again after so many bytes. */
const RETRY_BYTES = MB / 4

/** Where a frame may start at most: places are kept in 32 bits. Only reached if no further file can be created. */
const MAX_OFFSET = 2 ** 31

export interface JournalOptions {
  readonly directory: string
  readonly fileSystem: FileSystem
  /** Whether commits wait for the disk. */
  readonly fsync: boolean
  /** Which boot of the machine this is, see `format.ts`; 0 if unknown. */
  readonly boot: number
  readonly maxFileBytes: number
}

/** Thrown by {@link Journal.write}: the frame was not written, and everything is as before. */
export class NoRoom extends Error {}

type Settle = (error?: QuaysideError) => void

/**
 * The files of a journal: frames are added to the newest, and the oldest are dropped.
 *
 * Writing and syncing are two pipelines: frames go to the system at once, one `fdatasync` runs at a time, and it covers
 * all frames that were written before it started.
 */
export class Journal {
  /** Oldest first; the last one is written to. Never empty. */
  readonly files: JournalFile[]
  readonly options: JournalOptions
  /** The last frame that was written. */
  lsn: number
  /** The last frame that is on the disk for sure. */
  durable: number
  /** Bytes of ops whose rows are still there, in all files. */
  live = 0
  /** Bytes of all files. */
  total: number
  /** Set for good once the outcome of a write or an fsync is unknown. */
  failure: QuaysideError | undefined
  /** Whether space may be prepared, and files may be large: not when the disk is full. */
  hasRoom = true
  /** While the next file is being created. */
  creating: Promise<void> | undefined
  readonly #byNumber: Map<number, JournalFile>
  readonly #unsynced: Set<JournalFile> = new Set()
  #waiting: { readonly lsn: number; readonly settle: Settle }[] = []
  #isSyncing = false
  #syncing: Promise<void> | undefined
  #next: JournalFile | undefined
  #createAt = 0

  /** All frames up to `lsn` must be on the disk. */
  constructor(options: JournalOptions, files: JournalFile[], lsn: number) {
    this.options = options
    this.files = files
    this.#byNumber = new Map(files.map((file) => [file.number, file]))
    this.lsn = lsn
    this.durable = lsn
    this.total = files.reduce((sum, file) => sum + file.size, 0)
  }

  get active(): JournalFile {
    return this.files[this.files.length - 1]!
  }

  file(number: number): JournalFile {
    return this.#byNumber.get(number)!
  }

  /** Counts the bytes of a row that came (positive) or went (negative). */
  count(file: number, bytes: number): void {
    this.#byNumber.get(file)!.live += bytes
    this.live += bytes
  }

  /** What appends have to wait for, while the active file has grown far too large because the next one is not there yet. */
  get crowded(): Promise<void> | undefined {
    return this.active.size > CROWDED * this.#fileBytes() ? this.creating : undefined
  }

  /** To be called when a frame is begun, before its place is fixed: changes to a new file if it is time to. */
  beginFrame(): void {
    const { active } = this
    if (this.#next === undefined || active.size < this.#fileBytes()) return
    const marker = new Writer(64)
    marker.at = FRAME_HEADER
    writeNextFile(marker, this.#next.number)
    try {
      this.write(marker)
      this.#cutPrepared(active)
    } catch {
      // No room: the active file goes on. Any other failure has set `failure`, and the frame will meet it.
      return
    }
    this.files.push(this.#next)
    this.total += this.#next.size
    this.#next = undefined
    // Also where nobody waits for the disk: it bounds what a power cut can take, and how long the next opening works.
    this.onDisk(() => {})
  }

  /**
   * Writes a frame, whose ops lie behind room for its header, with what lies apart, and gives it the next lsn.
   *
   * @throws NoRoom, and everything is as before; any other error has set {@link Journal.failure}.
   */
  write(frame: Writer, apart?: Writer): void {
    if (this.failure !== undefined) throw this.failure
    const { fileSystem, boot } = this.options
    const file = this.active
    const { size } = file
    if (size > MAX_OFFSET) throw new NoRoom('No room', { cause: new Error('No further file can be created') })
    const behind = apart?.at ?? 0
    const bytes = frame.at + behind
    sealFrame(frame, file.magic, { lsn: this.lsn + 1, safe: this.durable, boot }, behind)
    try {
      // Before the frame itself: where that is written, all of it is.
      if (behind > 0) writeAll(fileSystem, file.fd, apart!.buffer, behind, size + frame.at)
      writeAll(fileSystem, file.fd, frame.buffer, frame.at, size)
    } catch (error) {
      if (!isNoRoom(error)) throw this.fail(`Writing to ${file.path}`, error)
      this.#cutPrepared(file)
      throw new NoRoom('No room', { cause: error })
    }
    file.size = size + bytes
    this.total += bytes
    this.lsn++
    this.#unsynced.add(file)
    this.#prepare(file, bytes)
    if (file.size >= this.#fileBytes() / 4 && file.size >= this.#createAt) this.#createNext(file)
  }

  /** Calls `settle` once all that is written now is on the disk, or with the reason why it never will be. */
  onDisk(settle: Settle): void {
    if (this.failure !== undefined) return settle(this.failure)
    if (this.durable === this.lsn) return settle()
    this.#waiting.push({ lsn: this.lsn, settle })
    if (!this.#isSyncing) this.#syncing = this.#sync()
  }

  /** {@link Journal.onDisk} as a promise. */
  untilOnDisk(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onDisk((error) => (error === undefined ? resolve() : reject(error)))
    })
  }

  async #sync(): Promise<void> {
    this.#isSyncing = true
    const { fileSystem } = this.options
    while (this.#waiting.length > 0) {
      const { lsn } = this
      const files = [...this.#unsynced]
      this.#unsynced.clear()
      try {
        // In order, so that a file is never on the disk before the one that it follows.
        for (const file of files) await fileSystem.dataSync(file.fd)
      } catch (error) {
        this.fail(`Syncing ${this.options.directory}`, error)
        break
      }
      if (this.failure !== undefined) break
      this.durable = lsn
      const waiting = this.#waiting
      const covered = waiting.findIndex((one) => one.lsn > lsn)
      this.#waiting = covered === -1 ? [] : waiting.splice(covered)
      for (const { settle } of waiting) settle()
      // Whoever was waiting will have more to write: let it ride in the next sync.
      if (this.#waiting.length > 0) await afterBurst()
    }
    this.#isSyncing = false
  }

  /**
   * Sets {@link Journal.failure} and tells everybody who waits. Nothing is tried again: after a failed fsync the system
   * may have dropped the pages, and report success the next time.
   */
  fail(what: string, cause: unknown): QuaysideError {
    if (this.failure === undefined) {
      this.failure = storageFailed(what, cause)
      for (const { settle } of this.#waiting.splice(0)) settle(this.failure)
    }
    return this.failure
  }

  /** Reads a part of a file that was written before. */
  read(number: number, into: Buffer, length: number, position: number): void {
    const file = this.file(number)
    try {
      readAll(this.options.fileSystem, file, into, length, position)
    } catch (error) {
      throw error instanceof QuaysideError ? error : unavailable(`Reading ${file.path}`, error)
    }
  }

  /** Deletes the oldest file. No row may lie in it, and what took its rows' place must be on the disk. */
  async dropOldest(): Promise<void> {
    const { fileSystem, directory } = this.options
    const [file, next] = this.files as [JournalFile, JournalFile]
    await this.#startWith(next)
    this.files.shift()
    this.total -= file.size
    this.#byNumber.delete(file.number)
    closeQuietly(fileSystem, file.fd)
    fileSystem.remove(file.path)
    // Before the next one goes: files must vanish in order, or a gap would look like damage.
    await fileSystem.syncDirectory(directory)
  }

  /**
   * Has a file say that the journal starts with it, so that nobody misses those before it, but everybody misses it. Also
   * where it says so already: that may be in memory only.
   */
  async #startWith(file: JournalFile): Promise<void> {
    const { fileSystem, directory } = this.options
    try {
      markFirst(fileSystem, file)
    } catch (error) {
      throw isNoRoom(error) ? noRoom(directory, error) : this.fail(`Writing to ${file.path}`, error)
    }
    try {
      await fileSystem.dataSync(file.fd)
    } catch (error) {
      throw this.fail(`Syncing ${file.path}`, error)
    }
  }

  /** Leaves the files as a finished journal, if it has not failed, and lets go of them. */
  async close(): Promise<void> {
    const { fileSystem } = this.options
    try {
      if (this.failure === undefined) await this.#finish()
    } finally {
      await this.#syncing
      await this.creating
      this.failure ??= storageFailed('Using a closed journal', undefined)
      for (const file of this.files) closeQuietly(fileSystem, file.fd)
      if (this.#next !== undefined) closeQuietly(fileSystem, this.#next.fd)
    }
  }

  /** The last frame says that all others are on the disk, so that damage to any of them will be found. */
  async #finish(): Promise<void> {
    await this.untilOnDisk()
    const closing = new Writer(64)
    closing.at = FRAME_HEADER
    try {
      this.write(closing)
      this.#cutPrepared(this.active)
    } catch (error) {
      if (error instanceof NoRoom) return
      throw error
    }
    await this.untilOnDisk()
  }

  /** How large the active file may become: a share of what is alive, so that cleaning never moves much at once. */
  #fileBytes(): number {
    const { maxFileBytes } = this.options
    if (!this.hasRoom) return Math.min(MIN_FILE_BYTES / 16, maxFileBytes)
    return Math.min(Math.max(Math.floor(this.live / 4), MIN_FILE_BYTES), maxFileBytes)
  }

  #prepare(file: JournalFile, frameBytes: number): void {
    if (file.size <= file.prepared) return
    file.prepared = file.size
    if (!this.options.fsync || !this.hasRoom || frameBytes > SMALL_FRAME) return
    try {
      const { fileSystem } = this.options
      // As much again as it has, and no more than it is likely to need: the rest is cut off.
      const wanted = Math.min(file.size, this.#fileBytes() - file.size, PREPARED.length)
      const length = Math.max(wanted, SMALL_FRAME)
      file.prepared += fileSystem.write(file.fd, PREPARED, 0, length, file.size)
    } catch (error) {
      // Without room it is slower, that is all: the frame itself is written.
      if (!isNoRoom(error)) this.fail(`Writing to ${file.path}`, error)
    }
  }

  /** Cuts off whatever lies behind the last frame. */
  #cutPrepared(file: JournalFile): void {
    try {
      this.options.fileSystem.truncate(file.fd, file.size)
      file.prepared = file.size
    } catch (error) {
      throw this.fail(`Truncating ${file.path}`, error)
    }
  }

  /**
   * Creates the next file beside the work. Its header and its name must be on the disk before the first frame goes into
   * it: otherwise one could not tell a header that never got there from one that was damaged. Until then the active file
   * just grows.
   */
  #createNext(active: JournalFile): void {
    if (this.#next !== undefined || this.creating !== undefined) return
    this.#createAt = active.size + RETRY_BYTES
    this.creating = this.#create(active.number + 1)
      .catch((error: unknown) => void this.fail('Creating a journal file', error))
      .finally(() => (this.creating = undefined))
  }

  async #create(number: number): Promise<void> {
    const { fileSystem, directory } = this.options
    let file: JournalFile
    try {
      file = createFile(fileSystem, directory, number, false)
    } catch {
      // No room, no descriptor: nothing depends on it, and it will be tried again.
      return
    }
    try {
      await fileSystem.dataSync(file.fd)
      await fileSystem.syncDirectory(directory)
    } catch (error) {
      closeQuietly(fileSystem, file.fd)
      throw error
    }
    this.#byNumber.set(number, file)
    this.#next = file
    this.#createAt = 0
  }
}
