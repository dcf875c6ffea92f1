import { type Standing, type Stretch, Line, byOrder } from './line.ts'

/** So many numbers make a page. It is all that one which stays behind keeps of the others. */
const PAGE = 32

interface Numbered {
  readonly order: number
}

class Page<T> implements Standing {
  among: Stretch | undefined = undefined
  readonly order: number
  readonly items: (T | undefined)[] = []
  size = 0

  constructor(order: number) {
    this.order = order
  }
}

/**
 * Things in the order of their numbers, which mostly grow by one. Each comes, is found and goes where its number says: nobody
 * is looked through for it, however many there are.
 */
export class Log<T extends Numbered> {
  readonly #byNumber: Map<number, Page<T>> = new Map()
  /** None but the only one is empty. */
  readonly #pages: Line<Numbered, Page<T>> = new Line(byOrder)
  /** The page that was asked for last: most ask for its neighbour next. */
  #page: Page<T> | undefined
  size = 0

  get first(): T | undefined {
    return this.#pages.first?.items.find((item) => item !== undefined)
  }

  add(item: T): void {
    const { order } = item
    let page = this.#pageOf(order)
    if (page === undefined) {
      const { first } = this.#pages
      if (first?.size === 0) this.#drop(first)
      this.#page = page = new Page(Math.floor(order / PAGE))
      this.#byNumber.set(page.order, page)
      this.#pages.add(page)
    }
    const slot = order % PAGE
    // No holes: those are slow.
    while (page.items.length < slot) page.items.push(undefined)
    page.items[slot] = item
    page.size++
    this.size++
  }

  /** Takes one out. Answers whether it was there. */
  remove(item: T): boolean {
    const { order } = item
    const page = this.#pageOf(order)
    const slot = order % PAGE
    if (page?.items[slot] !== item) return false
    page.items[slot] = undefined
    this.size--
    // The next one may have its place on the last.
    if (--page.size === 0 && this.#pages.size > 1) this.#drop(page)
    return true
  }

  get(order: number): T | undefined {
    return this.#pageOf(order)?.items[order % PAGE]
  }

  /** The first behind a number. */
  after(order: number): T | undefined {
    for (const item of this.walk(order)) return item
    return undefined
  }

  /** All behind a number. Nobody may come or go meanwhile. */
  *walk(order: number = -1): Generator<T, void> {
    // Behind the number of the page before.
    for (const { items } of this.#pages.walk({ order: Math.floor(order / PAGE) - 1 }))
      for (const item of items) if (item !== undefined && item.order > order) yield item
  }

  #drop(page: Page<T>): void {
    this.#pages.remove(page)
    this.#byNumber.delete(page.order)
    this.#page = undefined
  }

  #pageOf(order: number): Page<T> | undefined {
    const number = Math.floor(order / PAGE)
    if (this.#page?.order === number) return this.#page
    const page = this.#byNumber.get(number)
    if (page !== undefined) this.#page = page
    return page
  }
}
