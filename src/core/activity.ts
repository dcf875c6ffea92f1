import type { Delivery, Held } from '../storage.ts'

/** Messages a second that went through one `Queue` object. */
export interface Rates {
  readonly sent: number
  readonly delivered: number
  readonly acked: number
  /** Deliveries that ended in a retry or a dead letter. */
  readonly failed: number
}

/** How long something took, in ms. Each figure is within 5 % and half a millisecond of the true one. */
export interface Percentiles {
  /** How often it was measured. */
  readonly count: number
  /** Half of all took this long or less. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** How long messages and handlers of one `Queue` object took. `undefined`: there were none. */
export interface Latencies {
  /**
   * From the time a message was sent, or last replaced, to its first delivery by this object; a `delayMs` is part of it.
   * A dead letter that was redriven starts anew, and counts again.
   * The first time is read on the storage's clock, the second on the queue's: where these are two, as with a server,
   * their difference is in the figure, and what would be less than 0 counts as 0.
   */
  readonly delivery: Percentiles | undefined
  /** From the call of a handler of `run` or `drain` until it had ended, well or not. On the queue's clock. */
  readonly handler: Percentiles | undefined
}

/** What went through one `Queue` object. */
export interface ActivityReport {
  readonly throughput: Rates
  readonly latency: Latencies
}

const SLOT_MS = 10_000
const WINDOW_MS = 60_000
/** The least time that rates are made of: one message in the first millisecond is not a thousand a second. */
const MIN_MS = 1000

/** Durations are counted in buckets, 8 of which make a factor of 2. The last one begins at 2 ** 31 ms, 25 days. */
const PER_OCTAVE = 8
const BUCKETS = 256

/** Where a slot counts what: each event, then each bucket of what is timed. */
const EVENTS = { sent: 0, delivered: 1, acked: 2, failed: 3 } as const
const TIMED = { delivery: 4, handler: 260 } as const
const CELLS = 516

/** The counts of ten seconds. */
interface Slot {
  readonly start: number
  readonly counts: Uint32Array
}

/**
 * What went through one `Queue` object in the last minute, in slots of ten seconds: the current one and the five before
 * it. Takes 2 kB for each slot in which something happened, however much that is.
 *
 * Counting is nothing but an addition. The clock is read by {@link turn}, once for each call to the storage.
 */
export class Activity {
  readonly #now: () => number
  /** Since when it counts. */
  #since: number
  /** The last is the current one. */
  #slots: Slot[] = []

  constructor(now: () => number) {
    this.#now = now
    this.#since = now()
  }

  /** Makes the slot of this moment the current one. Answers with the time. */
  turn(): number {
    const at = this.#now()
    const start = this.#slots.at(-1)?.start ?? -Infinity
    if (at >= start && at < start + SLOT_MS) return at
    if (at < Math.max(start, this.#since)) {
      // A clock that was set back: what was noted before says nothing any more.
      this.#slots = []
      this.#since = at
    }
    const current = at - (at % SLOT_MS)
    this.#slots = this.#slots.filter((slot) => slot.start > current - WINDOW_MS)
    this.#slots.push({ start: current, counts: new Uint32Array(CELLS) })
    return at
  }

  count(event: keyof typeof EVENTS, messages: number): void {
    this.#add(EVENTS[event], messages)
  }

  delivered(deliveries: readonly Delivery<Held>[], now: number): void {
    this.count('delivered', deliveries.length)
    for (const { attempt, lastError, timestamp } of deliveries)
      // One with an error was delivered before, and given back.
      if (attempt === 1 && lastError === undefined) this.took('delivery', now - timestamp)
  }

  took(what: keyof typeof TIMED, ms: number): void {
    const bucket = Math.round(Math.log2(1 + Math.max(0, ms)) * PER_OCTAVE)
    this.#add(TIMED[what] + Math.min(bucket, BUCKETS - 1), 1)
  }

  #add(index: number, amount: number): void {
    if (this.#slots.length === 0) this.turn()
    this.#slots.at(-1)!.counts[index]! += amount
  }

  report(): ActivityReport {
    const at = this.turn()
    const from = Math.max(this.#since, this.#slots.at(-1)!.start + SLOT_MS - WINDOW_MS)
    const seconds = Math.max(MIN_MS, at - from) / 1000
    const sum = (cell: number): number => this.#slots.reduce((all, { counts }) => all + counts[cell]!, 0)
    const rate = (event: keyof typeof EVENTS): number => sum(EVENTS[event]) / seconds
    const time = (what: keyof typeof TIMED): Percentiles | undefined =>
      percentiles(Array.from({ length: BUCKETS }, (_, i) => sum(TIMED[what] + i)))
    return {
      throughput: {
        sent: rate('sent'),
        delivered: rate('delivered'),
        acked: rate('acked'),
        failed: rate('failed'),
      },
      latency: { delivery: time('delivery'), handler: time('handler') },
    }
  }
}

function percentiles(buckets: readonly number[]): Percentiles | undefined {
  const count = buckets.reduce((sum, one) => sum + one)
  if (count === 0) return undefined
  const reached = (share: number): number => {
    let left = Math.ceil(count * share)
    const bucket = buckets.findIndex((one) => (left -= one) <= 0)
    return Math.round(2 ** (bucket / PER_OCTAVE) - 1)
  }
  return { count, p50: reached(0.5), p95: reached(0.95), p99: reached(0.99) }
}
