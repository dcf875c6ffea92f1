import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/**
 * What the disk and JSON cost and nothing else: an append-only file with group commit (writeSync, then an asynchronous
 * fdatasync that acknowledges all that was written before it), and an array. No ids, leases, retries or compaction; it
 * cannot even be read again. Frames: length, crc32, then for each message its length and body.
 */
export class RawJournal<T> {
  readonly #file: number
  #buffer = Buffer.allocUnsafe(1 << 20)
  #end = 8
  #waiting: (() => void)[] = []
  #due = false
  #syncing = false
  #ready: string[] = []
  #staged: string[] = []

  constructor(folder: string) {
    this.#file = openSync(join(folder, 'journal.log'), 'w')
  }

  send(payload: T): Promise<void> {
    this.#stage(payload)
    return this.#durable()
  }

  sendBatch(payloads: readonly T[]): Promise<void> {
    for (const payload of payloads) this.#stage(payload)
    return this.#durable()
  }

  receiveBatch(limit: number): T[] {
    return this.#ready.splice(0, limit).map((body) => JSON.parse(body) as T)
  }

  /** Written, not synced. */
  ackBatch(count: number): void {
    this.#room(8)
    this.#buffer.writeUInt32LE(0xffff_ffff, this.#end)
    this.#buffer.writeUInt32LE(count, this.#end + 4)
    this.#end += 8
    if (!this.#syncing) this.#write()
  }

  close(): void {
    closeSync(this.#file)
  }

  #stage(payload: T): void {
    const body = JSON.stringify(payload)
    this.#room(4 + body.length * 3)
    const length = this.#buffer.write(body, this.#end + 4)
    this.#buffer.writeUInt32LE(length, this.#end)
    this.#end += 4 + length
    this.#staged.push(body)
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe((this.#buffer.length + bytes) * 2)
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }

  #durable(): Promise<void> {
    if (!this.#due && !this.#syncing) {
      this.#due = true
      queueMicrotask(() => this.#commit())
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #commit(): void {
    this.#due = false
    const acknowledged = this.#waiting
    const ready = this.#staged
    this.#waiting = []
    this.#staged = []
    this.#write()
    this.#syncing = true
    fdatasync(this.#file, (error) => {
      if (error) throw error
      this.#syncing = false
      this.#ready.push(...ready)
      for (const resolve of acknowledged) resolve()
      if (this.#waiting.length > 0) this.#commit()
    })
  }

  #write(): void {
    const frame = this.#buffer.subarray(0, this.#end)
    frame.writeUInt32LE(this.#end - 8, 0)
    frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
    writeSync(this.#file, frame)
    this.#end = 8
  }
}
