/** How many stand together, so that one that comes or goes in the middle moves few others. */
const MOST = 512

/** Where one stands in a line: by its order, and among those of the same order by its tie. */
export interface Ordered {
  readonly order: number
  readonly tie: number
}

/** By order alone, where no two have the same. */
export function byOrder(a: { readonly order: number }, b: { readonly order: number }): number {
  return a.order - b.order
}

/** By order, and by tie where several have the same. */
export function byOrderAndTie(a: Ordered, b: Ordered): number {
  return a.order - b.order || a.tie - b.tie
}

/**
 * Things in their order: by time, by their place in the queue, by name. To come at the end and to go from the front costs
 * nearly nothing; anywhere else it costs a search and a small move, however long the line is.
 */
export class Line<P, T extends P = P> {
  readonly #compare: (a: P, b: P) => number
  /** One at least; none but the only one is empty. */
  readonly #chunks: T[][] = [[]]
  /** How many have left the front of the first chunk. */
  #head = 0
  size = 0

  constructor(compare: (a: P, b: P) => number) {
    this.#compare = compare
  }

  get first(): T | undefined {
    return this.#chunks[0]![this.#head]
  }

  add(item: T): void {
    const chunks = this.#chunks
    const last = chunks[chunks.length - 1]!
    if (this.size++ === 0) last.push(item)
    else if (this.#compare(last[last.length - 1]!, item) < 0) {
      if (last.length < MOST) last.push(item)
      else chunks.push([item])
    } else {
      const at = this.#chunkOf(item)
      const chunk = chunks[at]!
      chunk.splice(this.#slotOf(at, item), 0, item)
      if (chunk.length > 2 * MOST) chunks.splice(at + 1, 0, chunk.splice(MOST))
    }
  }

  /** Takes one out. Answers whether it stood in the line. */
  remove(item: T): boolean {
    const chunks = this.#chunks
    const first = chunks[0]!
    if (this.size > 0 && first[this.#head] === item) {
      // What has left is not kept alive.
      first[this.#head++] = undefined as unknown as T
      if (this.#head === first.length || this.#head === MOST >> 1) {
        first.splice(0, this.#head)
        this.#head = 0
      }
      if (first.length === 0 && chunks.length > 1) chunks.shift()
    } else {
      const at = this.#chunkOf(item)
      const chunk = chunks[at]
      const slot = chunk === undefined ? 0 : this.#slotOf(at, item)
      if (chunk?.[slot] !== item) return false
      chunk.splice(slot, 1)
      if (chunk.length === 0) chunks.splice(at, 1)
    }
    this.size--
    return true
  }

  /** The one that stands exactly there. */
  get(place: P): T | undefined {
    const { first } = this
    if (first === undefined || this.#compare(first, place) === 0) return first
    const at = this.#chunkOf(place)
    const found = this.#chunks[at]?.[this.#slotOf(at, place)]
    return found !== undefined && this.#compare(found, place) === 0 ? found : undefined
  }

  /** The first that stands behind a place. */
  after(place: P | undefined): T | undefined {
    for (const item of this.walk(place)) return item
    return undefined
  }

  /** All that stand behind a place. Nobody may come or go meanwhile. */
  *walk(place?: P): Generator<T, void> {
    let at = place === undefined ? 0 : this.#chunkOf(place)
    let slot = place === undefined ? this.#head : this.#slotOf(at, place)
    for (; at < this.#chunks.length; at++, slot = 0) {
      const chunk = this.#chunks[at]!
      for (; slot < chunk.length; slot++) {
        const item = chunk[slot]!
        if (place === undefined || this.#compare(item, place) > 0) yield item
      }
    }
  }

  /** How many stand before a place. */
  countBefore(place: P): number {
    const at = this.#chunkOf(place)
    let count = this.#slotOf(at, place) - this.#head
    for (let i = 0; i < at; i++) count += this.#chunks[i]!.length
    return count
  }

  /** The chunk that has the first that does not stand before a place. */
  #chunkOf(place: P): number {
    const chunks = this.#chunks
    let low = 0
    let high = this.size === 0 ? 0 : chunks.length
    while (low < high) {
      const middle = (low + high) >> 1
      const chunk = chunks[middle]!
      if (this.#compare(chunk[chunk.length - 1]!, place) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #slotOf(at: number, place: P): number {
    const chunk = this.#chunks[at]
    let low = at === 0 ? this.#head : 0
    let high = chunk?.length ?? low
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(chunk![middle]!, place) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
