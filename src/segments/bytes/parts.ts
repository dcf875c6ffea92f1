import type { Answer, ByteRow, ByteRows } from './store.ts'

/** Comes first in the row of a value that lies in parts; then, in 4 bytes, how many. No other value begins with it. */
const IN_PARTS = 2
/** Comes first in the keys of parts, and behind those of all tables. */
const PARTS = 0xff

/**
 * Rows of which no value is longer than a store can hold: longer ones lie in parts, under their key between a mark and a number. These are in the
 * order of the keys, and no key goes on with the 0 that a number begins with, so that a range of keys is a range of parts.
 */
export class PartedRows implements ByteRows {
  readonly #rows: ByteRows
  readonly #maxBytes: number

  constructor(rows: ByteRows, maxBytes: number) {
    this.#rows = rows
    this.#maxBytes = maxBytes
  }

  get(key: Uint8Array): Answer<Uint8Array | null | undefined> {
    return after(this.#rows.get(key), (value) => (value ? this.#whole(key, value) : value))
  }

  scan(from: Uint8Array, to: Uint8Array, limit: number): Answer<Iterable<ByteRow>> {
    return after(this.#rows.scan(from, to, limit), (rows) => {
      const all = Array.from(rows, ([key, value]): Answer<ByteRow> =>
        after(this.#whole(key, value), (whole) => [key, whole] as const),
      )
      return all.some(isLater) ? Promise.all(all.map(async (one) => await one)) : (all as ByteRow[])
    })
  }

  put(key: Uint8Array, value: Uint8Array): void {
    // There may be more of an earlier value.
    this.#rows.deleteRange(partKey(key, 0), partKey(key, END))
    if (value.length <= this.#maxBytes) return this.#rows.put(key, value)
    let count = 0
    for (let at = 0; at < value.length; at += this.#maxBytes)
      this.#rows.put(partKey(key, count++), value.subarray(at, at + this.#maxBytes))
    this.#rows.put(key, numbered(Uint8Array.of(IN_PARTS), count))
  }

  delete(key: Uint8Array): void {
    this.#rows.deleteRange(partKey(key, 0), partKey(key, END))
    this.#rows.delete(key)
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#rows.deleteRange(marked(from), marked(to))
    this.#rows.deleteRange(from, to)
  }

  #whole(key: Uint8Array, value: Uint8Array): Answer<Uint8Array> {
    if (value[0] !== IN_PARTS) return value
    const count = new DataView(value.buffer, value.byteOffset).getUint32(1)
    return after(this.#rows.scan(partKey(key, 0), partKey(key, END), count), (rows) =>
      joinBytes(Array.from(rows, ([, part]) => part)),
    )
  }
}

/** Behind the numbers of parts. */
const END = 2 ** 24

function marked(key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(key.length + 1)
  bytes[0] = PARTS
  bytes.set(key, 1)
  return bytes
}

function partKey(key: Uint8Array, part: number): Uint8Array {
  return numbered(marked(key), part)
}

function numbered(start: Uint8Array, number: number): Uint8Array {
  const bytes = new Uint8Array(start.length + 4)
  bytes.set(start)
  new DataView(bytes.buffer).setUint32(start.length, number)
  return bytes
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, { length }) => size + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Promises of other realms and libraries are none of ours. */
export function isLater<T>(answer: Answer<T>): answer is PromiseLike<T> {
  return typeof (answer as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

function after<T, U>(answer: Answer<T>, next: (value: T) => Answer<U>): Answer<U> {
  return isLater(answer) ? answer.then(next) : next(answer)
}
