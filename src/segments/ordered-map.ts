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
 *
 * @example
 * ```ts
 * const rows = new OrderedMap<string>()
 * rows.set([2, 'b'], 'later')
 * rows.set([1, 'a'], 'earlier')
 * for (const [key, value] of rows.range({ lower: [1], upper: [2] }, 10)) console.log(key, value)
 * ```
 */
export class OrderedMap<V> {
  /** Never holds an empty chunk. */
  readonly #chunks: Chunk<V>[] = []
  #size = 0
  /** The chunk in which a key was looked for last: the next one is near as a rule. */
  #last = 0

  /** How many entries there are. */
  get size(): number {
    return this.#size
  }

  /** The value of a key; `undefined`: there is none. */
  get(key: Key): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    const i = firstNotBefore(chunk.keys, key)
    return i < chunk.keys.length && compareKeys(chunk.keys[i]!, key) === 0 ? chunk.values[i] : undefined
  }

  /** Writes a row; answers with the value it had. */
  set(key: Key, value: V): V | undefined {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key], values: [value] })
      this.#size++
      return undefined
    }
    const { keys, values } = chunk
    const i = firstNotBefore(keys, key)
    if (i < keys.length && compareKeys(keys[i]!, key) === 0) {
      const before = values[i]
      values[i] = value
      return before
    }
    this.#size++
    if (i === keys.length) {
      if (keys.length === MAX_CHUNK && at === this.#chunks.length - 1) {
        // Rows that arrive in order fill their chunks instead of leaving each half empty.
        this.#chunks.push({ keys: [key], values: [value] })
        return undefined
      }
      keys.push(key)
      values.push(value)
    } else {
      keys.splice(i, 0, key)
      values.splice(i, 0, value)
    }
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
    const i = firstNotBefore(chunk.keys, key)
    if (i === chunk.keys.length || compareKeys(chunk.keys[i]!, key) !== 0) return undefined
    const before = chunk.values[i]
    this.#cut(at, i, i + 1)
    return before
  }

  /** Removes every row of a range, and calls `removed` with them, many at a time. Whole chunks cost next to nothing. */
  deleteRange(range: KeyRange, removed?: (keys: readonly Key[], values: readonly V[]) => void): void {
    const chunks = this.#chunks
    let at = this.#chunkOf(range.lower)
    // The chunks that go whole.
    let whole = at
    for (let ended = false; !ended && whole < chunks.length;) {
      const { keys, values } = chunks[whole]!
      const from = firstNotBefore(keys, range.lower)
      const to = firstBehind(keys, range.upper)
      ended = to < keys.length
      if (from === 0 && !ended) {
        removed?.(keys, values)
        this.#size -= keys.length
        whole++
        continue
      }
      chunks.splice(at, whole - at)
      whole = at
      if (to > from) {
        removed?.(keys.slice(from, to), values.slice(from, to))
        this.#cut(at, from, to)
      }
      whole = ++at
    }
    if (whole > at) chunks.splice(at, whole - at)
  }

  /** The first `limit` rows of a range in order. */
  range(range: KeyRange, limit: number): Row<V>[] {
    const rows: Row<V>[] = []
    for (let at = this.#chunkOf(range.lower); at < this.#chunks.length; at++) {
      const { keys, values } = this.#chunks[at]!
      const from = firstNotBefore(keys, range.lower)
      const to = firstBehind(keys, range.upper)
      for (let i = from; i < to; i++) {
        if (rows.length >= limit) return rows
        rows.push([keys[i]!, values[i]!])
      }
      if (to < keys.length) break
    }
    return rows
  }

  /** How many rows a range has. Whole chunks are counted without a look at their rows. */
  count(range: KeyRange): number {
    let count = 0
    for (let at = this.#chunkOf(range.lower); at < this.#chunks.length; at++) {
      const { keys } = this.#chunks[at]!
      const from = firstNotBefore(keys, range.lower)
      const to = firstBehind(keys, range.upper)
      if (to > from) count += to - from
      if (to < keys.length) break
    }
    return count
  }

  #cut(at: number, from: number, to: number): void {
    const { keys, values } = this.#chunks[at]!
    this.#size -= to - from
    if (to - from === keys.length) {
      this.#chunks.splice(at, 1)
      return
    }
    for (const column of [keys, values] as unknown[][]) {
      if (to === 1) column.shift()
      else if (to - from > 1) column.splice(from, to - from)
      else {
        // Quicker than `splice`, which makes an array of what goes.
        for (let i = to; i < column.length; i++) column[i - 1] = column[i]
        column.pop()
      }
    }
  }

  /** The chunk that holds `key`, or would: the last one that does not start behind it. The first one without a key. */
  #chunkOf(key: Key | undefined): number {
    if (key === undefined) return 0
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length - 1
    // The chunk behind the last one that was found, and then that one, or the very last.
    let middle = Math.min(this.#last + 1, high)
    for (let isNear = true; low < high; isNear = false) {
      if (compareKeys(chunks[middle]!.keys[0]!, key) <= 0) low = middle
      else high = middle - 1
      middle = isNear ? high : (low + high + 1) >> 1
    }
    return (this.#last = low)
  }
}

/** The first index whose key is not before `key`, if there is one. Looks at the end first, where most additions go. */
function firstNotBefore(keys: readonly Key[], key: Key | undefined): number {
  if (key === undefined) return 0
  let low = 0
  let high = keys.length
  if (high > 0 && compareKeys(keys[high - 1]!, key) < 0) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The first index whose key is behind `upper`, if there is one. */
function firstBehind(keys: readonly Key[], upper: Key | undefined): number {
  let low = 0
  let high = keys.length
  if (upper === undefined || (high > 0 && !isBehind(keys[high - 1]!, upper))) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBehind(keys[middle]!, upper)) high = middle
    else low = middle + 1
  }
  return low
}
