import { type ByteRow, OrderedMap } from '../../src/segments/index.ts'
import { bytesOf, hexOf } from './literals.ts'

/** More than this is not remembered: bytes of rows, and stretches of keys. */
const MAX_BYTES = 4 * 1024 * 1024
const MAX_STRETCHES = 1000
/** So many steps others have to leave the rows alone, at most, before it is believed that they do. */
const MAX_DOUBT = 64

/** What was read, or written, of the rows; keys in hexadecimal, whose order is that of the bytes. */
export type Event =
  | { readonly kind: 'read'; readonly from: string; readonly to: string; readonly rows: readonly ByteRow[] }
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'cut'; readonly from: string; readonly to: string }

/**
 * What is known of the rows of a queue as they were after a certain step, whose **mark** is one of them: each step that writes
 * leaves another. A step that finds the mark where it was knows that nobody else has written since, and need not read again.
 *
 * Known are stretches of keys: which rows are there, and that there are no others.
 */
export class Memory {
  /** Of the step after which the rows were so. */
  #mark: string | undefined
  #rows: OrderedMap<Uint8Array> = new OrderedMap()
  #bytes = 0
  /** Stretches, in order, which do not touch. */
  #stretches: { from: string; to: string }[] = []
  /** How many steps must have found the mark before the next is guessed to, and how many are missing. */
  #doubt = 1
  #missing = 1

  get mark(): string | undefined {
    return this.#mark
  }

  /** Whether it may be supposed that nobody else has written. */
  get isLikely(): boolean {
    return this.#mark !== undefined && this.#missing <= 0
  }

  /** A step has found this mark, before it has read or written anything. */
  found(mark: string | undefined): void {
    if (mark !== undefined && mark === this.#mark) {
      this.#missing--
      return
    }
    this.forget()
    this.#mark = mark
    this.#missing = this.#doubt
  }

  /** It was supposed that nobody else has written: rightly, or not. */
  guessed(rightly: boolean): void {
    if (rightly) this.#doubt = Math.max(1, this.#doubt - 1)
    else {
      this.#missing = this.#doubt = Math.min(this.#doubt * 2, MAX_DOUBT)
      this.forget()
    }
  }

  forget(): void {
    this.#mark = undefined
    this.#empty()
  }

  /** A step has been committed that has seen and done this, and left a mark if it wrote; `undefined`: none. */
  committed(events: readonly Event[], mark: string | undefined): void {
    this.#mark = mark
    if (mark === undefined) return this.#empty()
    for (const event of events) this.#learn(event)
    if (this.#bytes > MAX_BYTES || this.#stretches.length > MAX_STRETCHES) this.#empty()
  }

  /** `undefined`: it is not known. */
  get(key: string): { readonly value: Uint8Array | undefined } | undefined {
    return this.#endAfter(key) === undefined ? undefined : { value: this.#rows.get(key) }
  }

  /** The first rows of a stretch, without its end; `undefined`: they are not known. */
  scan(from: string, to: string, limit: number): ByteRow[] | undefined {
    const end = this.#endAfter(from)
    if (end === undefined) return undefined
    const upper = end < to ? end : to
    const rows = this.#within(from, upper, limit)
    if (rows.length < limit && end < to) return undefined
    return rows.map(([key, value]) => [bytesOf(`\\x${key}`), value])
  }

  #within(from: string, to: string, limit: number): [string, Uint8Array][] {
    const rows = this.#rows.range({ lower: from, upper: to }, limit) as [string, Uint8Array][]
    if (rows.at(-1)?.[0] === to) rows.pop()
    return rows
  }

  #empty(): void {
    this.#rows = new OrderedMap()
    this.#bytes = 0
    this.#stretches = []
  }

  #learn(event: Event): void {
    if (event.kind === 'put') {
      this.#set(event.key, event.value)
      this.#know(event.key, `${event.key}00`)
    } else if (event.kind === 'delete') {
      this.#unset(event.key)
      const place = this.#place(event.key)
      const stretch = this.#stretches[place]
      // Of rows that came and went nothing is kept, not even that.
      if (stretch?.from === event.key && stretch.to === `${event.key}00`) this.#stretches.splice(place, 1)
    } else {
      for (const [key] of this.#within(event.from, event.to, Infinity)) this.#unset(key)
      // A small one that was read is a part of something larger, which it would keep.
      if (event.kind === 'read')
        for (const [key, value] of event.rows)
          this.#set(hexOf(key), value.length < value.buffer.byteLength ? value.slice() : value)
      this.#know(event.from, event.to)
    }
  }

  #set(key: string, value: Uint8Array): void {
    this.#unset(key)
    this.#rows.set(key, value)
    this.#bytes += key.length + value.length
  }

  #unset(key: string): void {
    const before = this.#rows.delete(key)
    if (before !== undefined) this.#bytes -= key.length + before.length
  }

  /** The first stretch that ends behind a key. */
  #place(key: string): number {
    let low = 0
    let high = this.#stretches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#stretches[middle]!.to > key) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Where the stretch ends that a key is in; `undefined`: it is in none. */
  #endAfter(key: string): string | undefined {
    const stretch = this.#stretches[this.#place(key)]
    return stretch !== undefined && stretch.from <= key ? stretch.to : undefined
  }

  #know(from: string, to: string): void {
    if (from >= to) return
    let first = this.#place(from)
    // One that ends right where this one begins.
    if (first > 0 && this.#stretches[first - 1]!.to === from) first--
    let last = first
    while (last < this.#stretches.length && this.#stretches[last]!.from <= to) last++
    const all = this.#stretches.slice(first, last)
    const lowest = all.length > 0 && all[0]!.from < from ? all[0]!.from : from
    const highest = all.length > 0 && all.at(-1)!.to > to ? all.at(-1)!.to : to
    this.#stretches.splice(first, last - first, { from: lowest, to: highest })
  }
}
