/** What one call wants done. */
interface Unit<In, Out> {
  readonly items: readonly In[]
  readonly resolve: (results: readonly Out[]) => void
  readonly reject: (error: unknown) => void
}

export interface BatcherOptions<In, Out> {
  /** Does a batch: answers with one result for each item, in order. */
  readonly write: (items: readonly In[]) => Promise<readonly Out[]>
  /** The most items of one batch. A call with more makes a batch of its own. */
  readonly max: () => number
  /** Whether an item must not share a batch with the items before it. */
  readonly separates?: (item: In, before: readonly In[]) => boolean
  /** Whether a batch that failed with this error should be tried again call by call, because one may have spoilt it for all. */
  readonly isolates?: (error: unknown) => boolean
}

/**
 * Lets calls ride together: what is asked for in one turn, or while a write is under way, becomes the next write. One
 * awaited call costs one write; a hundred concurrent ones cost one or two. A call's items stay together, and order is kept.
 */
export class Batcher<In, Out> {
  readonly #options: BatcherOptions<In, Out>
  #waiting: Unit<In, Out>[] = []
  #busy = false
  #idle: (() => void)[] = []

  constructor(options: BatcherOptions<In, Out>) {
    this.#options = options
  }

  add(
    items: readonly In[],
    resolve: (results: readonly Out[]) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#waiting.push({ items, resolve, reject })
    if (this.#busy) return
    this.#busy = true
    queueMicrotask(() => void this.#work())
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const units = this.#next()
      await this.#write(units)
    }
    this.#busy = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** As many waiting calls as fit one batch. */
  #next(): Unit<In, Out>[] {
    const { max, separates } = this.#options
    const waiting = this.#waiting
    const limit = max()
    let size = waiting[0]!.items.length
    let count = 1
    if (separates === undefined) {
      while (count < waiting.length && size + waiting[count]!.items.length <= limit)
        size += waiting[count++]!.items.length
    } else {
      const before = [...waiting[0]!.items]
      for (; count < waiting.length; count++) {
        const { items } = waiting[count]!
        if (before.length + items.length > limit || items.some((item) => separates(item, before))) break
        before.push(...items)
      }
    }
    if (count === waiting.length) {
      this.#waiting = []
      return waiting
    }
    return waiting.splice(0, count)
  }

  async #write(units: readonly Unit<In, Out>[]): Promise<void> {
    const { write, isolates } = this.#options
    const single = units.length === 1 ? units[0]! : undefined
    try {
      const results = await write(single !== undefined ? single.items : units.flatMap(({ items }) => items))
      let from = 0
      for (const { items, resolve } of units) {
        resolve(single !== undefined ? results : results.slice(from, from + items.length))
        from += items.length
      }
    } catch (error) {
      if (single === undefined && isolates?.(error)) {
        for (const unit of units) await this.#write([unit])
        return
      }
      for (const { reject } of units) reject(error)
    }
  }
}
