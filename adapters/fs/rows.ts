/** A row's value is not in memory: read it from its file. */
export const NOT_LOADED: unique symbol = Symbol('not loaded')

/**
 * What was just written is likely to be read soon, or not for long. More than this would survive until the collector moves it to
 * where only its slow rounds free it: with 16 MB a process that sends takes 120 MB more, and twice the time of the collector.
 */
const CACHE_BYTES = 2 * 1024 * 1024

const FIRST_ROWS = 1024
/** No row has this number: it stands between the ends of the ring. */
const ENDS = 0

/**
 * Where rows lie on the disk, and their values as far as they are in memory.
 *
 * A row is a number here, and columns hold what belongs to it: 28 bytes, where an object of its own would take 64. With a
 * million waiting messages that is what the process weighs.
 */
export class Rows {
  #file = new Uint32Array(FIRST_ROWS)
  #offset = new Uint32Array(FIRST_ROWS)
  #length = new Uint32Array(FIRST_ROWS)
  readonly #values: unknown[] = []
  /** Numbers of rows that were removed, to be used again. */
  readonly #free: number[] = []
  #count = ENDS + 1
  /**
   * The neighbours of a row in the ring of those whose value may be forgotten, the one that was used longest ago first; itself
   * where it is none of them. In a Set each use would leave a hole, and rows whose numbers come again all their holes in one place.
   */
  #before = new Uint32Array(FIRST_ROWS)
  #after = new Uint32Array(FIRST_ROWS)
  #cachedBytes = 0
  readonly #cacheBytes: number

  constructor(cacheBytes: number = CACHE_BYTES) {
    this.#cacheBytes = cacheBytes
  }

  add(file: number, offset: number, length: number, value: unknown): number {
    const row = this.#free.pop() ?? this.#count++
    if (row >= this.#file.length) this.#grow()
    this.#file[row] = file
    this.#offset[row] = offset
    this.#length[row] = length
    this.#values[row] = value
    this.#before[row] = this.#after[row] = row
    return row
  }

  /** A row lies elsewhere now. Its value, its length and whatever it is known by stay. */
  move(row: number, file: number, offset: number): void {
    this.#file[row] = file
    this.#offset[row] = offset
  }

  remove(row: number): void {
    if (this.#unlink(row)) this.#cachedBytes -= this.#length[row]!
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
    this.#link(row)
    this.#cachedBytes += this.#length[row]!
    while (this.#cachedBytes > this.#cacheBytes) this.#forget(this.#after[ENDS]!)
  }

  /** Notes that a cached value was used. */
  touch(row: number): void {
    if (this.#unlink(row)) this.#link(row)
  }

  #forget(row: number): void {
    this.#unlink(row)
    this.#cachedBytes -= this.#length[row]!
    this.#values[row] = NOT_LOADED
  }

  /** Puts a row at the end of the ring. */
  #link(row: number): void {
    const last = this.#before[ENDS]!
    this.#after[last] = this.#before[ENDS] = row
    this.#before[row] = last
    this.#after[row] = ENDS
  }

  /** Answers whether it was in the ring. */
  #unlink(row: number): boolean {
    const before = this.#before[row]!
    const after = this.#after[row]!
    if (after === row) return false
    this.#after[before] = after
    this.#before[after] = before
    this.#before[row] = this.#after[row] = row
    return true
  }

  #grow(): void {
    this.#file = larger(this.#file)
    this.#offset = larger(this.#offset)
    this.#length = larger(this.#length)
    this.#before = larger(this.#before)
    this.#after = larger(this.#after)
  }
}

function larger(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(column.length * 2)
  grown.set(column)
  return grown
}
