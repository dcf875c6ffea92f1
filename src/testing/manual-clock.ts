import { checkMs, checkTime } from '../check.ts'
import { type Clock, MAX_TIMEOUT_MS } from '../clock.ts'
import { turn } from './turn.ts'

interface Timer {
  readonly id: number
  readonly at: number
  readonly callback: () => void
}

/**
 * A clock that stands still until it is moved, for a queue, its storage and an outbox: delays, leases, backoff and timeouts of
 * hours take no time in a test.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { ManualClock } from 'quayside/testing'
 *
 * const clock = new ManualClock()
 * const queue = new Queue('orders', { clock }) // its storage in memory has the same one
 * await queue.createProducer().send('x', { delayMs: 3_600_000 })
 * await clock.advance(3_600_000)
 * const message = await queue.createConsumer().receive()
 * ```
 */
export class ManualClock implements Clock {
  #now: number
  #timers: Timer[] = []
  #nextId = 1

  /**
   * @param now The time at which it starts, in ms since 1970. @defaultValue the first instant of 2030, UTC
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(now: number = Date.UTC(2030, 0, 1)) {
    checkTime('new ManualClock', 'now', now)
    this.#now = now
  }

  /** The time in ms since 1970. */
  now(): number {
    return this.#now
  }

  /** Has {@link advance} call `callback` once `ms` are over. */
  setTimeout(callback: () => void, ms: number): unknown {
    const id = this.#nextId++
    // As runtimes do it, one that is set for longer is called at once.
    this.#timers.push({ id, at: this.#now + (ms <= MAX_TIMEOUT_MS ? Math.max(0, ms) : 1), callback })
    return id
  }

  /** Forgets a timer, by what {@link setTimeout} has answered. */
  clearTimeout(id: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== id)
  }

  /** How many timers are set. 0 once a queue is closed: it leaves none behind. */
  get timers(): number {
    return this.#timers.length
  }

  /**
   * Sets the time by `ms` forward or back without calling timers, as when somebody sets the clock of a device. Forward also as when
   * the device slept, or the program stood still: what is due by then is late. Back, timers have as long to go as before.
   */
  jump(ms: number): void {
    this.#now += ms
    if (ms < 0) this.#timers = this.#timers.map((timer) => ({ ...timer, at: timer.at + ms }))
  }

  /**
   * Moves the time on by `ms`, calls the timers that are due on the way, in order, and lets everything run after each that waits
   * for nothing but promises. What waits for a disk, a server or a database goes on by itself: see {@link idle}.
   */
  async advance(ms: number): Promise<void> {
    checkMs('advance', 'ms', ms)
    const until = this.#now + ms
    await turn()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.clearTimeout(next.id)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
      await turn()
    }
    this.#now = until
    await turn()
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
    }
    return next
  }
}
