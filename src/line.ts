import type { ClaimRequest, Delivery } from './storage.ts'

/** With what a consumer claims. */
export type Terms = Pick<ClaimRequest, 'leaseMs' | 'maxAttempts' | 'from' | 'deadForMs'>

/** Somebody who asks for messages. */
export interface Seat {
  readonly line: Line
  /** Stays in line while there is nothing. Otherwise it leaves with the next answer. */
  readonly waits: boolean
  /** A claim for it is under way, whose answer it must wait for. */
  riding: boolean
  /** How many messages it would take now. Who says 0 is not asked again before it has called {@link Line.look}. */
  wants(): number
  /** @param more There may be more: whoever stays in line will hear again at once. @param at When they were asked for. */
  answer(deliveries: readonly Delivery[], more: boolean, at: number): void
  /** A step failed. Unless the trouble is passing, it must leave. */
  failed(error: unknown, passing: boolean): void
  /** The queue is closed. */
  stop(reason: unknown): void
  /** The queue is closed, and waits no longer. */
  handBack?(): void
  /** Its consumer was paused or goes on. */
  poke(): void
}

/** A seat, and how many messages are claimed for it. */
export interface Share {
  readonly seat: Seat
  readonly count: number
}

/** Of those who were told that there is nothing, so many are asked for at first, so that many cost no more than few. */
const FIRST = 8

/** Those who claim with the same terms, in the order in which they get messages. */
export class Line {
  readonly terms: Terms
  /** There may be something to claim. */
  due = false
  /** Those who want to know. */
  readonly #fresh: Set<Seat> = new Set()
  /** Those who have heard that there is nothing. */
  readonly #idle: Set<Seat> = new Set()
  /** Those who wanted nothing. */
  readonly #away: Set<Seat> = new Set()
  #most = FIRST

  constructor(terms: Terms) {
    this.terms = terms
  }

  /** The seat wants to know whether there is something. */
  look(seat: Seat): void {
    this.due = true
    if (this.#fresh.has(seat)) return
    this.delete(seat)
    this.#fresh.add(seat)
  }

  delete(seat: Seat): boolean {
    return this.#fresh.delete(seat) || this.#idle.delete(seat) || this.#away.delete(seat)
  }

  get seats(): readonly Seat[] {
    return [...this.#idle, ...this.#fresh, ...this.#away]
  }

  /** Somebody here does not wait. */
  get isUrgent(): boolean {
    for (const { waits } of this.#fresh) if (!waits) return true
    return false
  }

  /** For whom to claim now: those who wait longest, some at least, and all who want to know. */
  take(maxBatch: number): readonly Share[] {
    const shares: Share[] = []
    let left = maxBatch
    const add = (seat: Seat, from: Set<Seat>): void => {
      const wants = seat.wants()
      if (wants > 0) {
        const count = Math.min(wants, left)
        left -= count
        shares.push({ seat, count })
      } else {
        from.delete(seat)
        this.#away.add(seat)
      }
    }
    for (const seat of this.#idle) {
      if (shares.length >= this.#most || left <= 0) break
      add(seat, this.#idle)
    }
    for (const seat of this.#fresh) {
      if (left <= 0) break
      add(seat, this.#fresh)
    }
    if (shares.length > 0) this.due = false
    return shares
  }

  /** Hands out what was claimed. */
  deal(shares: readonly Share[], deliveries: readonly Delivery[], more: boolean, at: number): void {
    if (more) this.due = true
    this.#most = more ? this.#most * 4 : FIRST
    let from = 0
    for (const { seat, count } of shares) {
      seat.riding = false
      const part = shares.length === 1 ? deliveries : deliveries.slice(from, from + count)
      from += count
      if (part.length > 0) {
        // Whoever got something is the last to get something again.
        if (this.delete(seat)) (more ? this.#fresh : this.#idle).add(seat)
      } else if (!more && this.#fresh.delete(seat)) this.#idle.add(seat)
      seat.answer(part, more, at)
    }
  }
}
