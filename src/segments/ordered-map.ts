import { search } from './search.ts'
import { type Key, type KeyRange, type Row, compareKeys, isBehind } from './store.ts'

/**
 * A chunk is split in two when it grows beyond this. Small enough that an insertion moves little memory, large enough
 * that a million rows need only some thousand chunks.
 */
const MAX_CHUNK = 256

interface Chunk<V> {
  readonly keys: Key[]
  readonly values: V[]
}

/**
 * Rows in key order, in memory: what the stores keep their rows, or the places of their rows, in.
 *
 * A list of sorted chunks. Looking up is two binary searches; adding at the end and removing at the front, which is what
 * a queue does all day, touches one chunk.
 */
export class OrderedMap<V> {
  /** Never holds an empty chunk. */
  readonly #chunks: Chunk<V>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: Key): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    return chunk.values[indexOf(chunk.keys, key)]
  }

  /** Writes a row; answers with the value it had. */
  set(key: Key, value: V): V | undefined {
    const at = this.#chunkOf(key)
    const { keys, values } = this.#chunks[at] ?? { keys: [], values: [] }
    const i = search(keys, key, isBefore)
    if (isAt(keys, i, key)) {
      const before = values[i]
      values[i] = value
      return before
    }
    this.#size++
    if (keys.length === 0 || (i === MAX_CHUNK && at === this.#chunks.length - 1)) {
      // Rows that arrive in order fill their chunks instead of leaving each half empty.
      this.#chunks.push({ keys: [key], values: [value] })
      return undefined
    }
    insert(keys, i, key)
    insert(values, i, value)
    if (keys.length > MAX_CHUNK) {
      const half = MAX_CHUNK >> 1
      this.#chunks.splice(at + 1, 0, { keys: keys.splice(half), values: values.splice(half) })
    }
    return undefined
  }

  /** Removes a row; answers with the value it had. */
  delete(key: Key): V | undefined {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return undefined
    const i = indexOf(chunk.keys, key)
    if (i < 0) return undefined
    const before = chunk.values[i]
    this.#cut(at, i, i + 1)
    return before
  }

  /** Removes every row of a range, and calls `removed` with each. */
  deleteRange(range: KeyRange, removed?: (key: Key, value: V) => void): void {
    // Backwards, because chunks may go.
    this.#visit(range, true, ({ keys, values }, from, to, at) => {
      if (removed !== undefined) for (let i = from; i < to; i++) removed(keys[i]!, values[i]!)
      this.#cut(at, from, to)
    })
  }

  /** The first `limit` rows of a range in order, or the last ones, backwards. */
  range(range: KeyRange, limit: number, reverse = false): Row<V>[] {
    const rows: Row<V>[] = []
    this.#visit(range, reverse, ({ keys, values }, from, to) => {
      for (let i = from; i < to && rows.length < limit; i++) {
        const at = reverse ? from + to - 1 - i : i
        rows.push([keys[at]!, values[at]!])
      }
      return rows.length >= limit
    })
    return rows
  }

  /** How many rows a range has. Whole chunks are counted without a look at their rows. */
  count(range: KeyRange): number {
    let count = 0
    this.#visit(range, false, (_, from, to) => void (count += to - from))
    return count
  }

  /** Calls `visit` with each chunk that has rows of a range, and from where to where, until it answers `true`. */
  #visit(
    { lower, upper }: KeyRange,
    reverse: boolean,
    visit: (chunk: Chunk<V>, from: number, to: number, at: number) => boolean | void,
  ): void {
    const chunks = this.#chunks
    const first = lower === undefined ? 0 : this.#chunkOf(lower)
    const end = upper === undefined ? chunks.length : search(chunks, upper, startsWithin)
    for (let n = first; n < end; n++) {
      const at = reverse ? first + end - 1 - n : n
      const chunk = chunks[at]!
      const { keys } = chunk
      const from = lower === undefined ? 0 : search(keys, lower, isBefore)
      const to = upper === undefined ? keys.length : search(keys, upper, isWithin)
      if (from < to && visit(chunk, from, to, at)) return
    }
  }

  #cut(at: number, from: number, to: number): void {
    const { keys, values } = this.#chunks[at]!
    this.#size -= to - from
    if (to - from === keys.length) this.#chunks.splice(at, 1)
    else if (to === 1) {
      keys.shift()
      values.shift()
    } else {
      keys.splice(from, to - from)
      values.splice(from, to - from)
    }
  }

  /** The chunk that holds `key`, or would: the last one that does not start behind it. */
  #chunkOf(key: Key): number {
    return Math.max(0, search(this.#chunks, key, startsAtOrBefore) - 1)
  }
}

function isBefore(one: Key, key: Key): boolean {
  return compareKeys(one, key) < 0
}

function isWithin(one: Key, upper: Key): boolean {
  return !isBehind(one, upper)
}

function startsAtOrBefore({ keys }: Chunk<unknown>, key: Key): boolean {
  return compareKeys(keys[0]!, key) <= 0
}

function startsWithin({ keys }: Chunk<unknown>, upper: Key): boolean {
  return isWithin(keys[0]!, upper)
}

function isAt(keys: readonly Key[], index: number, key: Key): boolean {
  return index < keys.length && compareKeys(keys[index]!, key) === 0
}

/** The index of a key, -1 if it is not there. */
function indexOf(keys: readonly Key[], key: Key): number {
  const i = search(keys, key, isBefore)
  return isAt(keys, i, key) ? i : -1
}

function insert<T>(array: T[], index: number, value: T): void {
  if (index === array.length) array.push(value)
  else array.splice(index, 0, value)
}
