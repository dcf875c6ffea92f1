import {
  ByteAdapter,
  type ByteRow,
  type ByteRows,
  type ByteStore,
  type Kind,
  type StoreLimits,
} from '../../src/segments/index.ts'

/** Rows in an array, in the order of their keys, with what undoes the running transaction. */
export class Rows implements ByteRows {
  #rows: ByteRow[] = []
  #before: ByteRow[] | undefined
  /** Is another one after each transaction that has changed rows. */
  version = 0
  #changes = { before: 0, ever: 0 }
  readonly #maxValueBytes: number

  constructor(maxValueBytes: number) {
    this.#maxValueBytes = maxValueBytes
  }

  begin(): void {
    this.#before = undefined
  }

  undo(): void {
    if (this.#before === undefined) return
    this.#rows = this.#before
    this.version = this.#changes.before
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const row = this.#rows[this.#slot(key)]
    return row !== undefined && compare(row[0], key) === 0 ? row[1] : undefined
  }

  scan(from: Uint8Array, to: Uint8Array, limit: number): ByteRow[] {
    const first = this.#slot(from)
    return this.#rows.slice(first, Math.min(first + limit, this.#slot(to)))
  }

  put(key: Uint8Array, value: Uint8Array): void {
    if (value.length > this.#maxValueBytes) throw new Error(`a value has ${value.length} bytes`)
    this.#splice(key, this.get(key) === undefined ? 0 : 1, [key, value])
  }

  delete(key: Uint8Array): void {
    if (this.get(key) !== undefined) this.#splice(key, 1)
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#splice(from, this.#slot(to) - this.#slot(from))
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0
  }

  #splice(at: Uint8Array, count: number, ...rows: ByteRow[]): void {
    if (this.#before === undefined) {
      this.#before = [...this.#rows]
      this.#changes = { before: this.version, ever: this.#changes.ever + 1 }
      this.version = this.#changes.ever
    }
    this.#rows.splice(this.#slot(at), Math.max(0, count), ...rows)
  }

  #slot(key: Uint8Array): number {
    let low = 0
    let high = this.#rows.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compare(this.#rows[middle]![0], key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

export interface ByteMemoryOptions {
  readonly clock?: { now(): number }
  /** Reads answer with promises. */
  readonly later?: boolean
  /** What it can hold; longer values are refused. */
  readonly maxValueBytes?: number
  /** Whether it says so. @defaultValue `true` */
  readonly saysMax?: boolean
  /** It says whether others have changed rows, and copies the values that it is given. */
  readonly knows?: boolean
  /** Called before each commit with the kind of the transaction; may throw. */
  readonly onCommit?: (kind: Kind) => void
  readonly limits?: StoreLimits
}

/** A byte store that keeps its rows as long as the object lives: every opening finds the same ones. */
export function byteMemory({
  clock = Date,
  later = false,
  maxValueBytes = Infinity,
  saysMax = maxValueBytes < Infinity,
  knows = false,
  onCommit,
  limits,
}: ByteMemoryOptions = {}): () => ByteStore {
  const queues = new Map<string, Rows>()
  return () => ({
    open(queue) {
      const rows = queues.get(queue) ?? new Rows(maxValueBytes)
      queues.set(queue, rows)
      const seen: ByteRows = later ? slow(rows) : knows ? copying(rows) : rows
      let latest: number | undefined
      return {
        maxValueBytes: saysMax ? maxValueBytes : undefined,
        ...(limits !== undefined && { limits }),
        now: () => clock.now(),
        ...(knows && { copies: true, isUnchanged: () => latest === (latest = rows.version) }),
        async transact(kind, body) {
          rows.begin()
          try {
            await body(seen)
            onCommit?.(kind)
            if (latest !== undefined) latest = rows.version
          } catch (error) {
            rows.undo()
            throw error
          }
        },
      }
    },
    queues: () => [...queues].flatMap(([name, { isEmpty }]) => (isEmpty ? [] : [name])),
    close: () => undefined,
  })
}

function slow(rows: Rows): ByteRows {
  return {
    get: async (key) => rows.get(key),
    scan: async (from, to, limit) => rows.scan(from, to, limit),
    put: (key, value) => rows.put(key, value),
    delete: (key) => rows.delete(key),
    deleteRange: (from, to) => rows.deleteRange(from, to),
  }
}

function copying(rows: Rows): ByteRows {
  return {
    get: (key) => rows.get(key),
    scan: (from, to, limit) => rows.scan(from, to, limit),
    put: (key, value) => rows.put(key, value.slice()),
    delete: (key) => rows.delete(key),
    deleteRange: (from, to) => rows.deleteRange(from, to),
  }
}

/** A storage on it. */
export class ByteMemory extends ByteAdapter {
  constructor(options: ByteMemoryOptions = {}) {
    super({ name: 'byte-memory', durability: 'none', sharedBy: 'instance' }, byteMemory(options))
  }
}
