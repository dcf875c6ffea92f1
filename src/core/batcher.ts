import { next } from '../clock.ts'
import { onAbort, abortReason } from '../aborts.ts'

/** What one call wants done. */
interface Unit<In, Out> {
  /** `undefined` while they are being prepared. */
  items: readonly In[] | undefined
  readonly resolve: (results: readonly Out[]) => void
  readonly reject: (error: unknown) => void
  /** Stops listening to the signal that gives it up. */
  offAbort: (() => void) | undefined
}

/** One whose items are there. */
type ReadyUnit<In, Out> = Unit<In, Out> & { readonly items: readonly In[] }

/** Something that has work under way at times. */
export interface Idling {
  /** While something is under way: when it is done. */
  idle(): Promise<void> | undefined
  /** Waits for nothing that is not in its power: what is not ready by now is rejected. */
  giveUp?(error: unknown): void
}

export interface BatcherOptions<In, Out> {
  /** Does a batch: answers with one result for each item, in order. */
  readonly write: (items: readonly In[]) => Promise<readonly Out[]>
  /** The most items of one batch. A call with more makes a batch of its own. */
  readonly max: () => number
  /** How much a call's items weigh together, where {@link maxWeight} limits that. A call that weighs more goes alone. */
  readonly weigh?: (items: readonly In[]) => number
  readonly maxWeight?: () => number
  /** Two calls that name the same thing must not share a batch: the second is to find what the first left. */
  readonly nameOf?: (item: In) => string | undefined
  /** Whether a batch that failed with this error should be tried again call by call, because one may have spoilt it for all. */
  readonly isolates?: (error: unknown) => boolean
  /** While a write could not begin yet: when it can, or why not. Until then a call can be given up. */
  readonly opening?: () => Promise<unknown> | undefined
  /** The batchers that have something under way: this one is among them while it has. */
  readonly busy: Set<Idling>
}

/**
 * Lets calls ride together: what is asked for in one turn, or while a write is under way, becomes the next write. One
 * awaited call costs one write; a hundred concurrent ones cost one or two. A call's items stay together, and order is kept:
 * also behind a call whose items are still being prepared.
 */
export class Batcher<In, Out> implements Idling {
  readonly #options: BatcherOptions<In, Out>
  #waiting: Unit<In, Out>[] = []
  /** A write is under way, or about to be. Otherwise all that waits is being prepared. */
  #busy = false
  #idle: (() => void)[] = []

  constructor(options: BatcherOptions<In, Out>) {
    this.#options = options
  }

  /** @param signal Gives the call up as long as its items wait: then none is written, and it rejects with the reason. */
  add(
    items: readonly In[] | Promise<readonly In[]>,
    resolve: (results: readonly Out[]) => void,
    reject: (error: unknown) => void,
    signal?: AbortSignal,
  ): void {
    const unit: Unit<In, Out> = { items: undefined, resolve, reject, offAbort: undefined }
    this.#waiting.push(unit)
    if (signal !== undefined) unit.offAbort = onAbort(signal, () => this.#drop(unit, abortReason(signal)))
    if (items instanceof Promise) {
      this.#options.busy.add(this)
      items.then(
        (ready) => {
          unit.items = ready
          this.#wake()
        },
        (error: unknown) => this.#drop(unit, error),
      )
    } else {
      unit.items = items
      this.#wake()
    }
    if (signal?.aborted) this.#drop(unit, abortReason(signal))
  }

  /** Rejects a call, if it still waits. */
  #drop(unit: Unit<In, Out>, error: unknown): void {
    const place = this.#waiting.indexOf(unit)
    if (place < 0) return
    this.#waiting.splice(place, 1)
    unit.offAbort?.()
    unit.reject(error)
    this.#wake()
  }

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    this.#options.busy.add(this)
    next(this.#next)
  }

  /** Nothing waits or is under way: whatever comes need not go behind it. */
  get isIdle(): boolean {
    return !this.#busy && this.#waiting.length === 0
  }

  idle(): Promise<void> {
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  giveUp(error: unknown): void {
    for (const unit of this.#waiting.filter(({ items }) => items === undefined)) this.#drop(unit, error)
  }

  // Callbacks and not `await`, because this runs for each message that is sent or settled on its own.
  readonly #next = (): void => {
    if (this.#waiting[0]?.items !== undefined) {
      const opening = this.#opening()
      if (opening === undefined) this.#write(this.#take(), this.#next)
      else this.#await(opening)
      return
    }
    this.#busy = false
    if (this.#waiting.length > 0) return
    this.#options.busy.delete(this)
    if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #opening(): Promise<unknown> | undefined {
    try {
      return this.#options.opening?.()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** If it fails, so do those that waited for it; who came later tries anew. */
  #await(opening: Promise<unknown>): void {
    const waited = this.#waiting.filter(({ items }) => items !== undefined)
    opening.then(this.#next, (error: unknown) => {
      for (const unit of waited) this.#drop(unit, error)
      this.#next()
    })
  }

  /** As many waiting calls as fit one batch. */
  #take(): ReadyUnit<In, Out>[] {
    const { max, nameOf, weigh, maxWeight } = this.#options
    const waiting = this.#waiting
    const limit = max()
    const most = maxWeight?.() ?? Infinity
    let size = 0
    let weight = 0
    let count = 0
    const names = nameOf === undefined || waiting.length === 1 ? undefined : new Set<string>()
    for (const { items } of waiting) {
      if (items === undefined) break
      if (count > 0 && size + items.length > limit) break
      if (most < Infinity && waiting.length > 1) {
        weight += weigh!(items)
        if (count > 0 && weight > most) break
      }
      if (names !== undefined) {
        const named = items.map(nameOf!).filter((name) => name !== undefined)
        if (count > 0 && named.some((name) => names.has(name))) break
        for (const name of named) names.add(name)
      }
      size += items.length
      count++
    }
    if (count < waiting.length) this.#waiting = waiting.splice(count)
    else this.#waiting = []
    for (const { offAbort } of waiting) offAbort?.()
    return waiting as ReadyUnit<In, Out>[]
  }

  #write(units: readonly ReadyUnit<In, Out>[], done: () => void): void {
    const single = units.length === 1 ? units[0]! : undefined
    const fail = (error: unknown): void => {
      if (single === undefined && this.#options.isolates?.(error)) {
        this.#writeEach(units, done)
        return
      }
      for (const { reject } of units) reject(error)
      done()
    }
    this.#start(single?.items ?? units.flatMap(({ items }) => items)).then((results) => {
      try {
        let from = 0
        if (single !== undefined) single.resolve(results)
        else for (const { items, resolve } of units) resolve(results.slice(from, (from += items.length)))
      } catch (error) {
        fail(error)
        return
      }
      done()
    }, fail)
  }

  /** Whatever a write does, its batcher must go on. */
  #start(items: readonly In[]): Promise<readonly Out[]> {
    try {
      return this.#options.write(items)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #writeEach([first, ...rest]: readonly ReadyUnit<In, Out>[], done: () => void): void {
    if (first === undefined) done()
    else this.#write([first], () => this.#writeEach(rest, done))
  }
}
