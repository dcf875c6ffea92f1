import type { ClaimRequest, Delivery, GroupStart, Held, Settlement } from '../storage.ts'

/** With what a consumer claims. */
export type Terms = Pick<
  ClaimRequest,
  'leaseMs' | 'maxAttempts' | 'from' | 'deadForMs' | 'parksNext' | 'lanes' | 'only'
>

/** For a group that has no consumer here: whatever is exhausted, this is not the one to say so. */
const NO_TERMS = { leaseMs: 1, maxAttempts: Number.MAX_SAFE_INTEGER, deadForMs: undefined }

/**
 * A claim that also makes groups which do not exist yet. One that is the last of them it makes itself; in its turn, if it is
 * not.
 */
export function claimOf(
  group: string,
  terms: Terms | undefined,
  limit: number,
  unmade: readonly GroupStart[],
  settle?: readonly Settlement[],
  position?: string,
  inHand?: readonly string[],
): ClaimRequest {
  const last = unmade.at(-1)
  const others = last?.name === group ? unmade.slice(0, -1) : unmade
  const groups = others.length > 0 ? others : undefined
  // The terms first: engines copy what comes first in one step.
  return { ...(terms ?? { ...NO_TERMS, from: last?.from }), group, limit, position, groups, settle, inHand }
}

/** Somebody who asks for messages. */
export interface Seat {
  /** Where it is to stand. */
  readonly line: Line
  /** Stays in line while there is nothing. Otherwise it leaves with the next answer. */
  readonly waits: boolean
  /** A claim for it is under way, whose answer it must wait for. */
  riding: boolean
  /** Where it stands, in its line. Set by the line. */
  place: Set<Seat> | undefined
  /** How many messages it would take now. Who says 0 is not asked again before it has called {@link Line.look}. */
  wants(): number
  /** @param more There may be more: whoever stays in line will hear again at once. @param at When they were asked for. */
  answer(deliveries: readonly Delivery<Held>[], more: boolean, at: number): void
  /** A step failed. Unless the trouble is passing, it must leave. */
  failed(error: unknown, passing: boolean): void
  /** A step worked, after some that had failed. */
  recovered?(): void
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
  /** The same for the same terms. */
  readonly key: string
  /** Its desk has it: somebody stands in it. */
  isKept = false
  /** There may be something to claim. */
  due = false
  /** When to look for messages without a hint. */
  lookAt: number = Infinity
  /** Where the turns of its lanes go on. */
  position: string | undefined
  /** Those who want to know. */
  readonly #fresh: Set<Seat> = new Set()
  /** Those who have heard that there is nothing. */
  readonly #idle: Set<Seat> = new Set()
  /** Those who wanted nothing. */
  readonly #away: Set<Seat> = new Set()
  #most = FIRST

  constructor(terms: Terms) {
    this.terms = terms
    this.key = JSON.stringify(terms)
  }

  /** There may be something for those who stand here. Who is away asks on coming back. */
  stir(): void {
    if (this.#fresh.size + this.#idle.size > 0) this.due = true
  }

  /** The seat wants to know whether there is something. */
  look(seat: Seat): void {
    this.due = true
    if (seat.place !== this.#fresh) this.#move(seat, this.#fresh)
  }

  /** Puts the seat at the end. */
  #move(seat: Seat, place: Set<Seat>): void {
    seat.place?.delete(seat)
    seat.place = place.add(seat)
  }

  /** Answers whether it was there. */
  delete(seat: Seat): boolean {
    const wasThere = seat.place?.delete(seat) ?? false
    seat.place = undefined
    return wasThere
  }

  get seats(): readonly Seat[] {
    return [...this.#idle, ...this.#fresh, ...this.#away]
  }

  get isEmpty(): boolean {
    return this.#fresh.size + this.#idle.size + this.#away.size === 0
  }

  /** Somebody here does not wait. */
  get isUrgent(): boolean {
    for (const { waits } of this.#fresh) if (!waits) return true
    return false
  }

  /**
   * For whom to claim now: those who wait longest, some at least, and all who want to know, also those for whom one claim has no
   * room. Where it finds less than it has room for, there is nothing for them either.
   */
  take(maxBatch: number): readonly Share[] {
    const shares: Share[] = []
    let left = maxBatch
    const add = (seats: Set<Seat>, most: number): void => {
      for (const seat of seats) {
        if (shares.length >= most) return
        const wanted = seat.wants()
        if (wanted > 0) {
          const count = Math.min(wanted, left)
          left -= count
          seat.riding = true
          shares.push({ seat, count })
        } else this.#move(seat, this.#away)
      }
    }
    add(this.#idle, this.#most)
    add(this.#fresh, Infinity)
    this.due = false
    return shares
  }

  /** Hands out what was claimed. */
  deal(shares: readonly Share[], deliveries: readonly Delivery<Held>[], more: boolean, at: number): void {
    this.#most = more ? this.#most * 4 : FIRST
    let from = 0
    for (const { seat, count } of shares) {
      seat.riding = false
      const part = shares.length === 1 ? deliveries : deliveries.slice(from, from + count)
      from += count
      // Whoever got something is the last to get something again. Who does not wait is about to leave.
      if (seat.waits && seat.place !== undefined && seat.line === this) {
        if (part.length > 0) this.#move(seat, more ? this.#fresh : this.#idle)
        else if (!more && seat.place === this.#fresh) this.#move(seat, this.#idle)
      }
      seat.answer(part, more, at)
    }
    if (more) this.stir()
  }
}
