import { OrderedMap } from '../ordered-map.ts'
import { type Key, type KeyRange, type Row, type Table, compareKeys, isBehind } from '../store.ts'

/** A stretch of the log has so many bytes and rows at most. */
const MAX_BYTES = 256 * 1024
const MAX_ROWS = 256
/** So many rows of `state` are known at most, and so many ranges of it that have none. */
const MAX_STATES = 64

/** What a row holds, and how many bytes that takes; none are given if it is not to be kept. */
export interface Sized {
  readonly value: unknown
  readonly bytes: number | undefined
}

/**
 * What is known of the rows of a queue from one transaction to the next, while nobody else changes any: those of `state`, which
 * nearly every transaction reads, and of the log what was sent and what was read last, for whoever takes it next. Neither has to
 * be read and decoded again then.
 */
export class KnownRows {
  readonly #states: Map<string, unknown> = new Map()
  /** Ranges of `state` without rows. */
  readonly #empty: Set<KeyRange> = new Set()
  /** The end of the log. */
  #sent: Stretch | undefined
  #read: Stretch | undefined
  /** It was found that rows of the log come behind those that are written. */
  #isBetween = false
  #isTouched = false
  #isSteady = false

  /** A transaction begins. `isUnchanged`: nobody else has changed a row since the one before. */
  begin(isUnchanged: boolean): void {
    this.#isSteady = isUnchanged && !this.#isTouched
    this.#isTouched = false
    if (this.#isSteady) return
    this.#states.clear()
    this.#empty.clear()
    this.#sent = this.#read = undefined
    this.#isBetween = false
  }

  /** What the transaction wrote is there. Without this it may not be. */
  commit(): void {
    this.#isTouched = false
  }

  /** The value of a row of `state`; nothing, if it is not known whether there is one. */
  state(key: Key): { readonly value: unknown } | undefined {
    const name = nameOf(key)
    const value = this.#states.get(name)
    return value !== undefined || this.#states.has(name) ? { value } : undefined
  }

  learnState(key: Key, value: unknown): void {
    if (this.#states.size >= MAX_STATES) this.#states.clear()
    this.#states.set(nameOf(key), value)
  }

  /** Whether a range of `state` is known to have no rows. It is known again by its object. */
  isEmpty(range: KeyRange): boolean {
    return this.#empty.has(range)
  }

  learnEmpty(range: KeyRange): void {
    if (this.#empty.size >= MAX_STATES) this.#empty.clear()
    this.#empty.add(range)
  }

  /** The first rows of a range of the log; nothing, if it is not known which they are. */
  log(range: KeyRange, limit: number): Row<unknown>[] | undefined {
    return this.#sent?.first(range, limit) ?? this.#read?.first(range, limit)
  }

  /** These are the first rows of a range of the log. */
  learnLog(
    { lower = -Infinity, upper = Infinity }: KeyRange,
    limit: number,
    rows: readonly Row<Sized>[],
  ): void {
    const to = rows.length < limit ? upper : rows.at(-1)![0]
    if (typeof lower !== 'number' || typeof to !== 'number') return
    this.#read = new Stretch(lower, to)
    for (const [key, row] of rows) this.#read = this.#read?.with(key, row)
  }

  /** Whether it is to be looked if a row that is about to be written ends the log. Not while others write, too. */
  isNew(key: Key): boolean {
    return this.#isSteady && !this.#isBetween && !(this.#sent?.has(key) ?? false)
  }

  /** Whether rows of the log are there from this one on. */
  learnEnd(key: Key, hasRows: boolean): void {
    this.#isBetween = hasRows
    if (!hasRows && typeof key === 'number') this.#sent = new Stretch(key, Infinity)
  }

  put(table: Table, key: Key, row: Sized): void {
    this.#isTouched = true
    if (table === 'state') {
      for (const range of this.#empty) if (isWithin(key, range)) this.#empty.delete(range)
      this.learnState(key, row.value)
    } else if (table === 'log') {
      this.#sent = this.#sent?.with(key, row)
      this.#read = this.#read?.with(key, row)
    }
  }

  remove(table: Table, range: KeyRange): void {
    this.#isTouched = true
    if (table === 'state') this.#states.clear()
    else if (table === 'log') {
      this.#sent?.cut(range)
      this.#read?.cut(range)
    }
  }
}

/** All rows of the log from one key up to another, both included. Its keys are numbers. */
class Stretch {
  #from: number
  readonly #to: number
  readonly #rows: OrderedMap<Sized> = new OrderedMap()
  #bytes = 0

  constructor(from: number, to: number) {
    this.#from = from
    this.#to = to
  }

  has(key: Key): boolean {
    return typeof key !== 'number' || (key >= this.#from && key <= this.#to)
  }

  first({ lower = -Infinity, upper = Infinity }: KeyRange, limit: number): Row<unknown>[] | undefined {
    if (!this.has(lower) || typeof upper !== 'number') return undefined
    const rows = this.#rows.range({ lower, upper }, limit)
    if (rows.length < limit && upper > this.#to) return undefined
    return rows.map(([key, { value }]) => [key, value])
  }

  /** The stretch once a row was written, or what is left of it; nothing, if nothing is. */
  with(key: Key, row: Sized): Stretch | undefined {
    if (!this.has(key)) return this
    const { bytes = Infinity } = row
    if (typeof key !== 'number' || bytes > MAX_BYTES) return undefined
    this.#bytes += bytes - (this.#rows.set(key, row)?.bytes ?? 0)
    while (this.#bytes > MAX_BYTES || this.#rows.size > MAX_ROWS) {
      const [[first], [second]] = this.#rows.range({}, 2) as [Row<Sized>, Row<Sized>]
      this.#bytes -= this.#rows.delete(first)!.bytes!
      this.#from = second as number
    }
    return this
  }

  cut(range: KeyRange): void {
    this.#rows.deleteRange(range, (_, rows) => {
      for (const { bytes = 0 } of rows) this.#bytes -= bytes
    })
  }
}

function nameOf(key: Key): string {
  return JSON.stringify(typeof key === 'object' ? key : [key])
}

function isWithin(key: Key, { lower, upper }: KeyRange): boolean {
  return (
    (lower === undefined || compareKeys(key, lower) >= 0) && (upper === undefined || !isBehind(key, upper))
  )
}
