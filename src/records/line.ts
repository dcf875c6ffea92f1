/** How many stand together, so that one that comes or goes in the middle moves few others. */
const MOST = 512

/** Where one stands in a line: by its order, and among those of the same order by its tie. */
export interface Ordered {
  readonly order: number
  readonly tie: number
}

/** Those that stand together in a line, in their order. */
export interface Stretch {
  readonly of: object
  readonly items: readonly unknown[]
}

/** What stands in one line at a time: it knows where, so that nobody looks for it when it goes. */
export interface Standing {
  among: Stretch | undefined
}

/** By order alone, where no two have the same. */
export function byOrder(a: { readonly order: number }, b: { readonly order: number }): number {
  return a.order - b.order
}

/** By order, and by tie where several have the same. */
export function byOrderAndTie(a: Ordered, b: Ordered): number {
  return a.order - b.order || a.tie - b.tie
}

interface StretchOf<T> extends Stretch {
  readonly items: T[]
}

/**
 * Things in their order: by time, by their place in the queue, by name. To come at the end and to go cost nearly nothing,
 * however long the line is; to come anywhere else, or to be found, costs a search.
 */
export class Line<P, T extends P & Standing = P & Standing> {
  readonly #compare: (a: P, b: P) => number
  /** One at least; none but the only one is empty. */
  readonly #stretches: StretchOf<T>[] = [{ of: this, items: [] }]
  /** How many have left the front of the first stretch. */
  #head = 0
  size = 0
  /** Most verbs look at what comes first, and find that nothing is due. */
  first: T | undefined = undefined

  constructor(compare: (a: P, b: P) => number) {
    this.#compare = compare
  }

  add(item: T): void {
    const stretches = this.#stretches
    let stretch = stretches[stretches.length - 1]!
    const { items } = stretch
    if (this.size++ === 0 || this.#compare(items[items.length - 1]!, item) < 0) {
      this.first ??= item
      if (stretch.items.length >= MOST) stretches.push((stretch = { of: this, items: [] }))
      stretch.items.push(item)
      item.among = stretch
    } else {
      const at = this.#stretchOf(item)
      stretch = stretches[at]!
      stretch.items.splice(this.#slotOf(at, item), 0, item)
      item.among = stretch
      if (stretch.items.length > 2 * MOST) {
        const behind: StretchOf<T> = { of: this, items: stretch.items.splice(MOST) }
        for (const moved of behind.items) moved.among = behind
        stretches.splice(at + 1, 0, behind)
      }
      this.first = stretches[0]!.items[this.#head]
    }
  }

  /** Takes one out. Answers whether it stood in the line. */
  remove(item: T): boolean {
    const { among } = item
    if (among?.of !== this) return false
    const stretches = this.#stretches
    const items = among.items as T[]
    if (items[this.#head] === item && items === stretches[0]!.items) {
      // What has left is not kept alive.
      items[this.#head++] = undefined as unknown as T
      if (this.#head === items.length && stretches.length > 1) {
        stretches.shift()
        this.#head = 0
      } else if (this.#head === MOST >> 1) {
        items.splice(0, this.#head)
        this.#head = 0
      }
      this.first = stretches[0]!.items[this.#head]
    } else {
      if (items.length === 1) stretches.splice(this.#stretchOf(item), 1)
      items.splice(items.indexOf(item), 1)
    }
    item.among = undefined
    this.size--
    return true
  }

  /** The one that stands exactly there. */
  get(place: P): T | undefined {
    const { first } = this
    if (first === undefined || this.#compare(first, place) === 0) return first
    const at = this.#stretchOf(place)
    const found = this.#stretches[at]?.items[this.#slotOf(at, place)]
    return found !== undefined && this.#compare(found, place) === 0 ? found : undefined
  }

  /** The first that stands behind a place. */
  after(place: P | undefined): T | undefined {
    for (const item of this.walk(place)) return item
    return undefined
  }

  /** All that stand behind a place. Nobody may come or go meanwhile. */
  *walk(place?: P): Generator<T, void> {
    let at = place === undefined ? 0 : this.#stretchOf(place)
    let slot = place === undefined ? this.#head : this.#slotOf(at, place)
    for (; at < this.#stretches.length; at++, slot = 0) {
      const { items } = this.#stretches[at]!
      for (; slot < items.length; slot++) {
        const item = items[slot]!
        if (place === undefined || this.#compare(item, place) > 0) yield item
      }
    }
  }

  /** How many stand before a place. */
  countBefore(place: P): number {
    const at = this.#stretchOf(place)
    let count = this.#slotOf(at, place) - this.#head
    for (let i = 0; i < at; i++) count += this.#stretches[i]!.items.length
    return count
  }

  /** The stretch that has the first that does not stand before a place. */
  #stretchOf(place: P): number {
    const stretches = this.#stretches
    let low = 0
    let high = this.size === 0 ? 0 : stretches.length
    while (low < high) {
      const middle = (low + high) >> 1
      const { items } = stretches[middle]!
      if (this.#compare(items[items.length - 1]!, place) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #slotOf(at: number, place: P): number {
    const items = this.#stretches[at]?.items
    let low = at === 0 ? this.#head : 0
    let high = items?.length ?? low
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(items![middle]!, place) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
