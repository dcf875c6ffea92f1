/** A row's value is not in memory: read it from its file. */
export const NOT_LOADED: unique symbol = Symbol('not loaded')

const FIRST_ROWS = 1024
/** What is forgotten at once leaves this share of the cache. */
const EVICT_TO = 7 / 8

/**
 * Where rows lie on the disk, and their values as far as they are in memory.
 *
 * A row is a number here, and columns hold what belongs to it: 20 bytes, where an object of its own would take 56. With a
 * million waiting messages that is what the process weighs.
 */
export class Rows {
  #file = new Uint32Array(FIRST_ROWS)
  #offset = new Uint32Array(FIRST_ROWS)
  #length = new Uint32Array(FIRST_ROWS)
  readonly #values: unknown[] = []
  /** Numbers of rows that were removed, to be used again. */
  readonly #free: number[] = []
  #count = 0
  /** Rows whose value may be forgotten, the one that was used longest ago first. */
  readonly #cached: Set<number> = new Set()
  #cachedBytes = 0
  readonly #cacheBytes: number

  constructor(cacheBytes: number) {
    this.#cacheBytes = cacheBytes
  }

  add(file: number, offset: number, length: number, value: unknown): number {
    const row = this.#free.pop() ?? this.#count++
    if (row >= this.#file.length) this.#grow()
    this.#file[row] = file
    this.#offset[row] = offset
    this.#length[row] = length
    this.#values[row] = value
    return row
  }

  /** A row lies elsewhere now. Its value, its length and whatever it is known by stay. */
  move(row: number, file: number, offset: number): void {
    this.#file[row] = file
    this.#offset[row] = offset
  }

  remove(row: number): void {
    if (this.#cached.delete(row)) this.#cachedBytes -= this.#length[row]!
    this.#values[row] = undefined
    this.#length[row] = 0
    this.#free.push(row)
  }

  /** Calls `each` with every row that was not removed. */
  forEach(each: (row: number) => void): void {
    for (let row = 0; row < this.#count; row++) if (this.#length[row]! > 0) each(row)
  }

  /** The number of the file that a row lies in. */
  file(row: number): number {
    return this.#file[row]!
  }

  offset(row: number): number {
    return this.#offset[row]!
  }

  /** How many bytes a row takes in its file. */
  length(row: number): number {
    return this.#length[row]!
  }

  /** The value, or {@link NOT_LOADED}. */
  value(row: number): unknown {
    return this.#values[row]
  }

  /** Keeps a value for good. */
  keep(row: number, value: unknown): void {
    this.#values[row] = value
  }

  /** Keeps a value until others need the space more. */
  cache(row: number, value: unknown): void {
    this.#values[row] = value
    this.#cached.add(row)
    this.#cachedBytes += this.#length[row]!
    if (this.#cachedBytes > this.#cacheBytes) this.#evict()
  }

  /** Notes that a cached value was used. */
  touch(row: number): void {
    if (this.#cached.delete(row)) this.#cached.add(row)
  }

  /**
   * Some more than it must: at the front of a set deletions leave holes, which each look at the first rows has to pass over.
   * An iterator that was kept instead would keep all that the set was since.
   */
  #evict(): void {
    for (const row of this.#cached) {
      this.#cached.delete(row)
      this.#cachedBytes -= this.#length[row]!
      this.#values[row] = NOT_LOADED
      if (this.#cachedBytes <= this.#cacheBytes * EVICT_TO) return
    }
  }

  #grow(): void {
    this.#file = larger(this.#file)
    this.#offset = larger(this.#offset)
    this.#length = larger(this.#length)
  }
}

function larger(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(column.length * 2)
  grown.set(column)
  return grown
}
