/** Messages a second, averaged over the last minute, as seen by one `Queue` object. */
export interface Rates {
  readonly sent: number
  readonly delivered: number
  readonly acked: number
  readonly failed: number
}

const WINDOW_S = 60

/** Counts events by the second, and forgets them after a minute. */
export class Throughput {
  readonly #now: () => number
  readonly #seconds: Map<number, Record<keyof Rates, number>> = new Map()
  readonly #since: number

  constructor(now: () => number) {
    this.#now = now
    this.#since = now()
  }

  count(event: keyof Rates, messages: number): void {
    const second = Math.floor(this.#now() / 1000)
    let counts = this.#seconds.get(second)
    if (counts === undefined) {
      this.#forgetBefore(second - WINDOW_S)
      this.#seconds.set(second, (counts = { sent: 0, delivered: 0, acked: 0, failed: 0 }))
    }
    counts[event] += messages
  }

  rates(): Rates {
    const now = this.#now()
    this.#forgetBefore(Math.floor(now / 1000) - WINDOW_S)
    const total = { sent: 0, delivered: 0, acked: 0, failed: 0 }
    for (const counts of this.#seconds.values()) {
      for (const event in total) total[event as keyof Rates] += counts[event as keyof Rates]
    }
    // A queue that is younger than the window is averaged over its life.
    const seconds = Math.min(WINDOW_S, Math.max(1, (now - this.#since) / 1000))
    for (const event in total) total[event as keyof Rates] /= seconds
    return total
  }

  #forgetBefore(second: number): void {
    for (const known of this.#seconds.keys()) if (known < second) this.#seconds.delete(known)
  }
}
