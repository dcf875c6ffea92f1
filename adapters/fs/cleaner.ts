import { Buffer } from 'node:buffer'
import { QuaysideError, hasCode } from '../../src/errors.ts'
import type { Key } from '../../src/segments/index.ts'
import { Reader } from './codec.ts'
import { corrupt, unavailable } from './faults.ts'
import { FRAME_HEADER, isIntactApart, liesApart, readOps, TABLE_NAMES } from './format.ts'
import { Frames } from './frames.ts'
import type { JournalFile } from './files.ts'
import type { Journal } from './journal.ts'
import type { Queues } from './queues.ts'
import { RESERVE_BYTES } from './reserve.ts'
import type { Rows } from './rows.ts'
import type { Stage } from './stage.ts'

/** Read and copied at once: about as much work as an ordinary commit. */
const SLICE = 64 * 1024
/**
 * Dead bytes that are not worth the work: a file and a half of the smallest size, so that a short queue, whose messages
 * come and go, has emptied its oldest file by itself before anything is copied out of it.
 */
const SLACK = 6 * 1024 * 1024

/** A put that was read from the oldest file. */
interface Op {
  readonly queue: number
  readonly table: number
  readonly key: Key
  /** Where it lies in the file. */
  readonly offset: number
  readonly length: number
  /** Nothing if it lies apart: it is read if it is still there. */
  readonly bytes: Uint8Array | undefined
}

/** What the cleaner works on. */
export interface CleanerHost {
  readonly journal: Journal
  readonly rows: Rows
  readonly queues: Queues
  /** Runs a transaction that writes what it likes. It may be run twice, see {@link Commits}. */
  readonly write: (body: (stage: Stage) => void) => Promise<void>
  readonly onFailure: (error: QuaysideError) => void
}

/**
 * Keeps the journal within bounds: drops its oldest file once nothing in it is alive, and helps with that by writing
 * again, at the end of the journal, what still is.
 *
 * Only ever the oldest file is dropped, and so deletions need not be kept: whatever one of them deletes lies in its own
 * file or an older one, and is gone before it.
 *
 * The work is done in slices between the commits, and starts when more than half of the journal is dead. Should commits
 * write faster than that, then beyond {@link Cleaner.pause} they wait for it.
 */
export class Cleaner {
  readonly #host: CleanerHost
  readonly #slack: number
  #running: Promise<void> | undefined
  #stopped = false
  /** The file that the names of queues were moved out of last. */
  #swept = 0
  /** After a failure for want of room: not before so little is left to copy. */
  #atMost = Infinity
  /** Bytes that were dealt with, ever; and who waits for how many. */
  #done = 0
  #waiting: { readonly until: number; readonly go: () => void }[] = []

  constructor(host: CleanerHost) {
    this.#host = host
    this.#slack = Math.min(SLACK, 1.5 * host.journal.options.maxFileBytes)
  }

  /** To be called after each frame. Starts to work if there is a reason to. */
  check(): void {
    if (this.#running !== undefined) return
    if (this.#stopped || !this.#isDue()) return this.#advance(Infinity)
    this.#running = this.#clean()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = undefined
        this.check()
      })
  }

  /**
   * What appends of so many bytes have to wait for, if anything: while the journal is far too large, until several times
   * as much was cleaned up.
   */
  pause(bytes: number): Promise<void> | undefined {
    const { total, live, creating } = this.#host.journal
    if (total < 2.5 * live + 1.5 * this.#slack) return undefined
    // As long as there is only one file, there is nothing to clean up.
    if (this.#running === undefined) return creating
    const until = this.#done + 4 * bytes
    return new Promise((resolve) => this.#waiting.push({ until, go: resolve }))
  }

  /** Ends the work at the end of its slice. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  #isDue(): boolean {
    const { journal } = this.#host
    const { files } = journal
    const oldest = files[0]!
    if (files.length === 1 || journal.failure !== undefined || oldest.live > this.#atMost) return false
    if (oldest.live === 0 || oldest.number !== this.#swept) return true
    if (!journal.hasRoom) return oldest.live < RESERVE_BYTES / 4
    return journal.total > 2 * journal.live + this.#slack
  }

  async #clean(): Promise<void> {
    const { journal, queues, write } = this.#host
    const oldest = journal.files[0]!
    if (oldest.number !== this.#swept) {
      // The name of a queue must not be what keeps a file of consumed messages.
      this.#swept = oldest.number
      await write((stage) => queues.moveNames(stage, oldest.number))
      if (!this.#isDue()) return
    }
    do {
      if (oldest.live > 0) await this.#moveRows(oldest)
      if (this.#stopped) return
      // What is staged is written now, or is taken back for want of room; and then rows may be where they were.
      await write(() => {})
    } while (oldest.live > 0)
    // Rows that were deleted or replaced, too, must be so on the disk before what they were goes.
    await journal.untilOnDisk()
    await journal.dropOldest()
    this.#advance(oldest.size)
    this.#atMost = Infinity
  }

  /** Writes again what is alive in a file. */
  async #moveRows(file: JournalFile): Promise<void> {
    const { fileSystem } = this.#host.journal.options
    const { live } = file
    const frames = new Frames(fileSystem, file, file.size, Buffer.allocUnsafe(SLICE))
    while (file.live > 0 && !this.#stopped) {
      if (!(await frames.more())) {
        if (frames.position === file.size && file.live < live) return
        throw corrupt(file.path, frames.position, 'what is there is not what was written')
      }
      const from = frames.position
      const ops: Op[] = []
      for (let length = frames.whole(); length > 0; length = frames.whole()) {
        collect(frames, length, ops)
        frames.pass(length)
      }
      while (ops.length > 0 && !this.#stopped) await this.#rewrite(file, ops.splice(0, firstSlice(ops)))
      this.#advance(frames.position - from)
    }
  }

  /** Writes those again whose rows are still there. */
  #rewrite(file: JournalFile, ops: readonly Op[]): Promise<void> {
    const { queues, rows, write } = this.#host
    return write((stage) => {
      for (const { queue: number, table, key, offset, length, bytes } of ops) {
        const queue = queues.find(number)
        const row = queue?.table(table).get(key)
        if (row === undefined || rows.file(row) !== file.number || rows.offset(row) !== offset) continue
        if (bytes !== undefined) stage.rewrite(row, bytes)
        else stage.rewriteApart(queue!, table, key, row, this.#readApart(file, offset, length))
      }
    })
  }

  #readApart(file: JournalFile, offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    this.#host.journal.read(file.number, bytes, length, offset)
    if (!isIntactApart(bytes)) throw corrupt(file.path, offset, 'what is there is not what was written')
    return bytes
  }

  /** Notes that so much was dealt with, and lets those go who waited for that. */
  #advance(bytes: number): void {
    const done = this.#done + bytes
    while (this.#waiting.length > 0 && this.#waiting[0]!.until <= done) this.#waiting.shift()!.go()
    if (done < Infinity) this.#done = done
  }

  #failed(error: unknown): void {
    const { journal, onFailure } = this.#host
    if (journal.failure !== undefined || this.#stopped) return
    if (hasCode(error, 'QUOTA_EXCEEDED')) {
      this.#atMost = journal.files[0]!.live / 2
      return
    }
    this.#stopped = true
    onFailure(error instanceof QuaysideError ? error : unavailable('Cleaning the journal', error))
  }
}

/** Finds the puts of a frame. */
function collect({ buffer, base, at }: Frames, length: number, into: Op[]): void {
  const reader = new Reader(buffer, at + FRAME_HEADER, at + length)
  const sink = {
    put: (queue: number, table: number, key: Key, from: number, to: number): void => {
      const bytes = liesApart(TABLE_NAMES[table]!) ? undefined : buffer.subarray(from, to)
      into.push({ queue, table, key, offset: base + from, length: to - from, bytes })
    },
    delete: (): void => {},
    deleteRange: (): void => {},
    nextFile: (): void => {},
  }
  readOps(reader, sink)
}

/** How many ops, from the first on, are a slice: one at least. */
function firstSlice(ops: readonly Op[]): number {
  let bytes = 0
  const behind = ops.findIndex((op) => (bytes += op.length) > SLICE)
  return behind === -1 ? ops.length : Math.max(behind, 1)
}
