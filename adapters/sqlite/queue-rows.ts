import type { ByteRow, ByteRows } from '../../src/segments/index.ts'
import type { Rows } from './rows.ts'

/** Before each key: the number of the queue. */
const PREFIX_BYTES = 4

/** The key of a row of a queue among all rows of the file. */
export function keyOfQueue(queue: number, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + key.length)
  // Not through a view, for whose sake a few bytes would move into memory of their own.
  bytes[0] = queue >>> 24
  bytes[1] = queue >>> 16
  bytes[2] = queue >>> 8
  bytes[3] = queue
  bytes.set(key, PREFIX_BYTES)
  return bytes
}

/** The rows of one queue, in the transaction that is under way. */
export class QueueRows implements ByteRows {
  readonly #rows: Rows
  readonly #queue: number

  constructor(rows: Rows, queue: number) {
    this.#rows = rows
    this.#queue = queue
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(keyOfQueue(this.#queue, key))
  }

  scan(from: Uint8Array, to: Uint8Array, limit: number): ByteRow[] {
    const rows = this.#rows.scan(keyOfQueue(this.#queue, from), keyOfQueue(this.#queue, to), limit)
    return rows.map(([key, value]) => [key.subarray(PREFIX_BYTES), value])
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#rows.put(keyOfQueue(this.#queue, key), value)
  }

  delete(key: Uint8Array): void {
    this.#rows.delete(keyOfQueue(this.#queue, key))
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#rows.deleteRange(keyOfQueue(this.#queue, from), keyOfQueue(this.#queue, to))
  }
}
