import { Buffer } from 'node:buffer'
import type { QuaysideError } from '../../src/errors.ts'
import type { Key } from '../../src/segments/store.ts'
import { Reader } from './codec.ts'
import { corrupt, unavailable } from './faults.ts'
import { decodeFrame, FILE_HEADER, FRAME_HEADER, frameLength, isIntact, readOp } from './format.ts'
import type { Journal, JournalFile } from './journal.ts'
import type { QueueRows, Queues } from './queues.ts'
import { RESERVE_BYTES } from './reserve.ts'
import type { Rows } from './rows.ts'
import type { Stage } from './stage.ts'

/** Read and copied at once: about as much work as an ordinary commit. */
const SLICE = 64 * 1024
/** Dead bytes that are not worth the work. */
const SLACK = 4 * 1024 * 1024

/** A put that was read from the oldest file, and may be alive. */
interface Op {
  readonly queue: QueueRows
  readonly table: number
  readonly key: Key
  readonly bytes: Uint8Array
}

/** What the cleaner works on. */
export interface CleanerHost {
  readonly journal: Journal
  readonly rows: Rows
  readonly queues: Queues
  /** Runs a transaction that writes what it likes. It may be run twice, see {@link Commits}. */
  write(body: (stage: Stage) => void): Promise<void>
  onFailure(error: QuaysideError): void
}

/**
 * Keeps the journal within bounds: drops its oldest file once nothing in it is alive, and helps with that by writing
 * again, at the end of the journal, what still is.
 *
 * Only ever the oldest file is dropped, and so deletions need not be kept: whatever one of them deletes lies in its own
 * file or an older one, and is gone before it.
 */
export class Cleaner {
  readonly #host: CleanerHost
  readonly #slack: number
  #running: Promise<void> | undefined
  #stopped = false
  /** The file whose own rows were moved out last. */
  #swept = 0
  /** After a failure for want of room: not before so little is left to copy. */
  #atMost = Infinity

  constructor(host: CleanerHost) {
    this.#host = host
    this.#slack = Math.min(SLACK, host.journal.options.maxFileBytes)
  }

  /** To be called after each frame. Starts to work if there is a reason to. */
  check(): void {
    if (this.#running !== undefined || this.#stopped || !this.#isDue()) return
    this.#running = this.#clean()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = undefined
        this.check()
      })
  }

  /** Ends the work at the next pause. */
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
    const host = this.#host
    const { journal } = host
    const oldest = journal.files[0]!
    if (oldest.number !== this.#swept) {
      this.#swept = oldest.number
      await host.write((stage) => host.queues.moveOwnRows(stage, oldest.number))
      if (!this.#isDue()) return
    }
    if (oldest.live > 0) await this.#moveRows(oldest)
    if (this.#stopped) return
    await host.write((stage) => host.queues.putOldestFile(stage, oldest.number + 1))
    // Rows that were deleted or replaced, too, must be so on the disk before what they were goes.
    await journal.untilOnDisk()
    if (oldest.live > 0) throw corrupt(oldest.path, 0, 'it does not hold all rows that were read from it')
    await journal.dropOldest()
    this.#atMost = Infinity
  }

  async #moveRows(file: JournalFile): Promise<void> {
    const { fileSystem } = this.#host.journal.options
    let buffer = Buffer.allocUnsafe(SLICE)
    let filled = 0
    let base = FILE_HEADER
    while (base < file.size && file.live > 0 && !this.#stopped) {
      const wanted = Math.min(buffer.length - filled, file.size - base - filled)
      filled += await fileSystem.readAhead(file.fd, buffer, filled, wanted, base + filled)
      const length = filled >= FRAME_HEADER ? frameLength(buffer, 0, file.magic) : FRAME_HEADER
      if (length === undefined || base + length > file.size) throw corrupt(file.path, base, 'no frame starts here')
      if (length > filled) {
        if (length > buffer.length) buffer = Buffer.concat([buffer], length)
        continue
      }
      const end = await this.#moveFrames(file, buffer.subarray(0, filled), base)
      buffer.copyWithin(0, end, filled)
      filled -= end
      base += end
    }
  }

  /** Copies what is alive in the whole frames of a buffer; answers where they end. */
  async #moveFrames(file: JournalFile, buffer: Buffer, base: number): Promise<number> {
    let at = 0
    let ops: Op[] = []
    let bytes = 0
    while (buffer.length - at >= FRAME_HEADER) {
      const length = frameLength(buffer, at, file.magic)
      if (length === undefined) throw corrupt(file.path, base + at, 'no frame starts here')
      if (at + length > buffer.length) break
      if (!isIntact(buffer, at, length)) throw corrupt(file.path, base + at, 'this is not the frame that was written')
      decodeFrame(buffer, at)
      const reader = new Reader(buffer, at + FRAME_HEADER, at + length)
      while (reader.at < reader.end) {
        let op: Op | undefined
        readOp(reader, {
          put: (number, table, key, from, to) => {
            const queue = this.#host.queues.numbered(number)
            if (this.#liesAt(queue, table, key, file.number, base + from)) {
              op = { queue, table, key, bytes: buffer.subarray(from, to) }
            }
          },
          delete: () => {},
          deleteRange: () => {},
          nextFile: () => {},
        })
        if (op === undefined) continue
        if (bytes > 0 && bytes + op.bytes.length > SLICE) {
          await this.#rewrite(file, ops)
          ops = []
          bytes = 0
        }
        ops.push(op)
        bytes += op.bytes.length
      }
      at += length
    }
    if (ops.length > 0) await this.#rewrite(file, ops)
    return at
  }

  #rewrite(file: JournalFile, ops: readonly Op[]): Promise<void> {
    return this.#host.write((stage) => {
      for (const { queue, table, key, bytes } of ops) {
        const row = queue.table(table).get(key)
        // A row that lies in this file at all is the one that was read: replaced in it, it would not have been.
        if (row !== undefined && stage.rows.file(row) === file.number) stage.rewrite(queue, table, key, bytes)
      }
    })
  }

  #liesAt(queue: QueueRows, table: number, key: Key, file: number, offset: number): boolean {
    const row = queue.table(table).get(key)
    return row !== undefined && this.#host.rows.file(row) === file && this.#host.rows.offset(row) === offset
  }

  #failed(error: unknown): void {
    const { journal } = this.#host
    if (journal.failure !== undefined || this.#stopped) return
    if ((error as QuaysideError).code === 'QUOTA_EXCEEDED') {
      this.#atMost = journal.files[0]!.live / 2
      return
    }
    this.#stopped = true
    this.#host.onFailure(
      (error as QuaysideError).code === 'CORRUPT' ? (error as QuaysideError) : unavailable('Cleaning the journal', error),
    )
  }
}
