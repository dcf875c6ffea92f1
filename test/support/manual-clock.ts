import type { Clock } from '../../src/index.ts'

/** Lets everything run that waits for nothing but promises. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

interface Timer {
  readonly id: number
  readonly at: number
  readonly callback: () => void
}

/** Runtimes fire a timer that is set for longer at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now: number
  #timers: Timer[] = []
  #nextId = 1

  constructor(now: number = Date.UTC(2030, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const id = this.#nextId++
    this.#timers.push({ id, at: this.#now + (ms <= MAX_TIMEOUT_MS ? Math.max(0, ms) : 1), callback })
    return id
  }

  clearTimeout(id: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id)
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length
  }

  /** Sets the time without firing timers, as when somebody sets the clock of a device. */
  jump(ms: number): void {
    this.#now += ms
  }

  /** Moves the time on; fires the timers that are due on the way, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.clearTimeout(next.id)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
      await settle()
    }
    this.#now = until
    await settle()
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
    }
    return next
  }
}
