/** Messages a second that went through one `Queue` object. */
export interface Rates {
  readonly sent: number
  readonly delivered: number
  readonly acked: number
  readonly failed: number
}

type Counts = Record<keyof Rates, number>

const WINDOW_MS = 60_000
const MIN_MS = 1000

/**
 * Counts messages, and says how many there were each second: since the oldest time in the last minute at which somebody
 * asked, or since the beginning. Counting is nothing but an addition; the clock is only read by those who ask.
 */
export class Throughput {
  readonly #now: () => number
  readonly #counts: Counts = { sent: 0, delivered: 0, acked: 0, failed: 0 }
  #samples: { readonly at: number; readonly counts: Counts }[]

  constructor(now: () => number) {
    this.#now = now
    this.#samples = [{ at: now(), counts: { ...this.#counts } }]
  }

  count(event: keyof Rates, messages: number): void {
    this.#counts[event] += messages
  }

  rates(): Rates {
    const at = this.#now()
    // A clock that was set back: what was noted before says nothing any more.
    if (at < this.#samples.at(-1)!.at) this.#samples = [{ at, counts: { ...this.#counts } }]
    // One sample older than the window is kept, to compare with.
    while (this.#samples.length > 1 && this.#samples[1]!.at <= at - WINDOW_MS) this.#samples.shift()
    const oldest = this.#samples[0]!
    const rates = { ...this.#counts }
    const seconds = Math.max(MIN_MS, at - oldest.at) / 1000
    for (const event of Object.keys(rates) as (keyof Rates)[]) {
      rates[event] = (rates[event] - oldest.counts[event]) / seconds
    }
    if (at - this.#samples.at(-1)!.at >= MIN_MS) this.#samples.push({ at, counts: { ...this.#counts } })
    return rates
  }
}
