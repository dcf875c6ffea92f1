import type { Delivery, HoldPlace, NewMessage, Settlement } from '../../../src/index.ts'
import type { FaultyStorage } from './backend.ts'

/** A message that somebody tried to send. */
export interface Sent {
  readonly message: NewMessage
  readonly body: string
  /** `no`: not yet, or it was refused. `unknown`: the storage broke while it was stored. */
  stored: 'yes' | 'no' | 'unknown'
  /** Its place among those whose place is known. */
  place: number | undefined
  /** As far as anybody was told. */
  id: string | undefined
}

/** A message in one group. */
interface Work {
  /** Whether the group has finished with it. `maybe`: the storage broke while that was stored. */
  done: 'no' | 'maybe' | 'yes'
  /** Whether it waits for somebody. `maybe`: the storage broke while that was stored, or somebody has come for it. */
  parked: 'no' | 'maybe' | 'yes'
  /** A consumer refused it for good, or may have. */
  rejected: boolean
  /** The next delivery must have a higher number. */
  attempt: number
  /** The highest number that any delivery had. */
  highest: number
  /** The last delivery. Older ones are void. */
  receipt: string | undefined
  /** Until when nobody else may have it. */
  until: number
  /** It was settled together with a claim, which best effort may keep in mind for a while. */
  deferred: boolean
  /** A change of it was cut off where there is best effort only: it may come again, and there may be two of it. */
  doubtful: boolean
}

export interface Dead {
  readonly body: string
  readonly reason: string
}

/** What all claims of a mix say of lanes. */
export const CONCURRENCY = 2

/**
 * What a queue has promised, and whether it keeps it. Throws a {@link Violation} as soon as it does not.
 *
 * - What was sent and acknowledged is handled or becomes a dead letter with a reason that is true; what was refused is
 *   never seen.
 * - No two live leases on one delivery; a receipt is void once somebody else has the message.
 * - With an ordering key: nothing is delivered before what was sent before it is done.
 * - What was acknowledged as done never returns.
 * - Attempts are counted.
 * - What is parked or held is not delivered, nor more of a lane than may be in flight.
 * - What is gone has a result if that is kept, and the right one.
 */
export class Ledger {
  readonly #clock: { now(): number }
  readonly #repeats: boolean
  readonly #isBestEffort: boolean
  /** What is held for sure. */
  readonly #held: Map<string, HoldPlace> = new Map()
  readonly #sent: Map<string, Sent> = new Map()
  readonly #works: Map<string, Work> = new Map()
  /** By receipt, of which group and message. */
  readonly #receipts: Map<string, { readonly group: string; readonly body: string }> = new Map()
  /** Groups that have not seen yet that the clock was set back. */
  #late: Set<string> = new Set()
  /** Claims of a group that were never answered: each may have been an attempt of anything. */
  readonly #lostClaims: Map<string, number> = new Map()

  constructor(
    clock: { now(): number },
    { repeats = false, isBestEffort = false }: Pick<FaultyStorage, 'repeats' | 'isBestEffort'>,
  ) {
    this.#clock = clock
    this.#repeats = repeats
    this.#isBestEffort = isBestEffort
  }

  get sent(): readonly Sent[] {
    return [...this.#sent.values()]
  }

  send(message: NewMessage): Sent {
    const body = String(message.body)
    const known = this.#sent.get(body)
    if (known !== undefined) return known
    const sent: Sent = { message, body, stored: 'no', place: undefined, id: message.id }
    this.#sent.set(body, sent)
    return sent
  }

  /** A send was answered. Those with a lower place were sent before it. */
  stored(sent: Sent, status: string, place: number): void {
    if (status === 'duplicate') {
      if (sent.stored === 'no' && !this.#repeats)
        throw new Violation(`${sent.body} was refused, and is a duplicate now`)
      // It was stored when the storage broke; where it stands is unknown.
      sent.stored = 'yes'
      return
    }
    if (sent.stored === 'yes') throw new Violation(`${sent.body} was stored twice`)
    sent.stored = 'yes'
    sent.place = place
  }

  /** The storage broke while it was stored. */
  unknown(sent: Sent): void {
    if (sent.stored === 'no') sent.stored = 'unknown'
  }

  /** A claim of a group was answered; each message was to be leased for `leaseMs`. */
  async delivered(
    group: string,
    deliveries: readonly Delivery[],
    leaseMs: number,
    readDead: () => Promise<readonly Dead[]>,
  ): Promise<void> {
    const now = this.#clock.now()
    this.#late.delete(group)
    const until = this.#late.size > 0 ? -Infinity : now + leaseMs
    for (const { id, body: delivered, receipt, attempt, maxAttempts, lane } of deliveries) {
      const body = String(delivered)
      const work = this.#work(group, body)
      const sent = this.#sent.get(body)
      if (sent === undefined) throw new Violation(`${body} was delivered and never sent`)
      if (sent.stored === 'no') throw new Violation(`${body} was refused, and delivered`)
      sent.stored = 'yes'
      sent.id = id
      if (work.parked === 'yes') throw new Violation(`${body} was parked in ${group}, and came back`)
      this.#mustNotBeHeld(group, body, lane)
      const { doubtful } = work
      if (work.done === 'yes' && !doubtful) throw new Violation(`${body} was done in ${group}, and came back`)
      if (now < work.until && !doubtful)
        throw new Violation(`${body} was leased in ${group}, and given to another`)
      if (attempt <= work.attempt && !doubtful)
        throw new Violation(`${body} came as attempt ${attempt} after attempt ${work.attempt}`)
      if (attempt > maxAttempts) throw new Violation(`${body} came as attempt ${attempt} of ${maxAttempts}`)
      const highest = Math.max(work.highest, attempt)
      // Of a settlement that was cut off it may not know yet.
      const done = doubtful && work.done !== 'no' ? 'maybe' : 'no'
      Object.assign(work, { done, parked: 'no', attempt, highest, receipt, until })
      this.#receipts.set(receipt, { group, body })
      if (!this.#isBestEffort && lane !== undefined) this.#mustHavePlace(group, lane)
    }
    for (const { body } of deliveries) await this.#checkOrder(group, String(body), readDead)
  }

  #mustNotBeHeld(group: string, body: string, lane: string | undefined): void {
    for (const place of this.#held.values()) {
      const isHere = place.group === undefined || place.group === group
      if (isHere && (place.lane === undefined || place.lane === lane))
        throw new Violation(`${body} was delivered in ${group} although ${JSON.stringify(place)} is held`)
    }
  }

  #mustHavePlace(group: string, lane: string): void {
    const live = this.sent.filter(
      ({ body, message }) => message.lane === lane && this.#work(group, body).until > this.#clock.now(),
    )
    if (live.length > CONCURRENCY)
      throw new Violation(`${live.map(({ body }) => body).join(' ')} of ${lane} are in flight in ${group}`)
  }

  /** A place is held from now on, or is about to be nobody knows what. */
  hold(place: HoldPlace, isHeld: boolean): void {
    const name = JSON.stringify([place.group, place.lane])
    if (isHeld) this.#held.set(name, place)
    else this.#held.delete(name)
  }

  /** Ids of what may be parked in some group. Somebody is about to resume these, and their attempts are counted anew. */
  resuming(): string[] {
    const ids = new Set<string>()
    for (const { body, id } of this.sent) {
      for (const [name, work] of this.#works) {
        if (id === undefined || work.parked === 'no' || !name.endsWith(` ${body}`)) continue
        ids.add(id)
        Object.assign(work, { parked: 'maybe', attempt: 0 })
      }
    }
    return [...ids]
  }

  /** The messages whose results are kept. */
  keeping(): { readonly id: string; readonly body: string }[] {
    return this.sent.flatMap(({ message, body, stored }) =>
      stored === 'yes' && message.keepMs !== undefined ? [{ id: message.id!, body }] : [],
    )
  }

  bodyOf(receipt: string): string {
    return this.#receipts.get(receipt)!.body
  }

  async #checkOrder(group: string, body: string, readDead: () => Promise<readonly Dead[]>): Promise<void> {
    const { message, place } = this.#sent.get(body)!
    if (message.key === undefined || place === undefined) return
    const open = this.sent.filter((other) => {
      if (other.message.key !== message.key || other.message.lane !== message.lane) return false
      if (other.stored !== 'yes' || other.place === undefined) return false
      return other.place < place && this.#work(group, other.body).done === 'no'
    })
    if (open.length === 0) return
    const dead = new Set((await readDead()).map((one) => one.body))
    const before = open.find((other) => !dead.has(other.body))
    if (before !== undefined)
      throw new Violation(`${body} was delivered in ${group} before ${before.body} of its key was done`)
  }

  /** The storage broke while a group claimed. */
  lostClaim(group: string): void {
    this.#lostClaims.set(group, (this.#lostClaims.get(group) ?? 0) + 1)
    // It may have made dead letters of anything.
    if (!this.#isBestEffort) return
    for (const body of this.#sent.keys()) {
      const work = this.#work(group, body)
      work.doubtful ||= work.done !== 'yes'
    }
  }

  receipts(group: string): string[] {
    return [...this.#receipts].filter(([, of]) => of.group === group).map(([receipt]) => receipt)
  }

  /** The storage was ended in the middle of something. */
  cutOff(): void {
    if (!this.#isBestEffort) return
    this.giveUpLeases()
    for (const work of this.#works.values()) {
      // What was handed out of a batch that was leased before was not told to the storage.
      work.attempt--
      if (!work.deferred) continue
      if (work.done === 'yes') work.done = 'maybe'
      work.doubtful = true
    }
  }

  /**
   * A settlement was answered.
   *
   * @param status `undefined`: the storage broke meanwhile.
   * @param isInClaim It went with a claim.
   */
  settled(settlement: Settlement, status: 'settled' | 'stale' | undefined, isInClaim: boolean = false): void {
    const of = this.#receipts.get(settlement.receipt)
    if (of === undefined) {
      if (status === 'settled') throw new Violation(`${settlement.receipt} was made up, and settled`)
      return
    }
    const { group, body } = of
    const work = this.#work(group, body)
    const isLast = work.receipt === settlement.receipt
    if (this.#isBestEffort && status === undefined) work.doubtful = true
    const { doubtful } = work
    if (status === 'settled' && !isLast && !doubtful)
      throw new Violation(`a void receipt of ${body} was settled`)
    if (status === 'settled' && work.done === 'yes' && !doubtful)
      throw new Violation(`${body} was done twice`)
    if (!isLast || (status === 'stale' && !this.#repeats)) return
    const sure = status === 'settled'
    work.deferred = isInClaim
    if (settlement.kind === 'ack') work.done = sure ? 'yes' : 'maybe'
    if (settlement.kind === 'dead') work.rejected = true
    if (settlement.kind === 'park') work.parked = sure ? 'yes' : 'maybe'
    if (settlement.kind === 'retry' && settlement.counts === false) work.attempt--
    if (settlement.kind === 'extend') {
      const until = this.#late.size > 0 ? -Infinity : this.#clock.now() + settlement.leaseMs
      work.until = sure ? until : Math.min(until, work.until)
    } else {
      work.until = -Infinity
      if (sure) work.receipt = undefined
    }
  }

  /** From now on any lease may be over: the storage was opened again. */
  giveUpLeases(): void {
    for (const work of this.#works.values()) work.until = -Infinity
  }

  /** The clock was set back: what is leased before all groups have seen that may end early. */
  setBack(groups: readonly string[]): void {
    this.#late = new Set(groups)
    this.giveUpLeases()
  }

  /** Everything was worked off: whether all is accounted for. */
  close(group: string, dead: readonly Dead[]): void {
    const reasons = new Map(dead.map(({ body, reason }) => [body, reason]))
    for (const [body, reason] of reasons) {
      const sent = this.#sent.get(body)
      const work = this.#work(group, body)
      if (sent === undefined || sent.stored === 'no')
        throw new Violation(`${body} is dead, and was never sent`)
      if (work.done === 'yes' && !work.doubtful)
        throw new Violation(`${body} was done in ${group}, and is a dead letter`)
      const isTrue =
        reason === 'expired'
          ? sent.message.expiresInMs !== undefined
          : reason === 'rejected'
            ? work.rejected
            : reason === 'exhausted' &&
              // A claim that the storage ran again has counted an attempt that nobody saw.
              (this.#repeats ||
                work.highest + (this.#lostClaims.get(group) ?? 0) >= (sent.message.maxAttempts ?? Infinity))
      if (!isTrue) throw new Violation(`${body} is a dead letter in ${group}, falsely ${reason}`)
    }
    for (const { body, stored } of this.#sent.values()) {
      if (stored !== 'yes' || reasons.has(body) || this.#work(group, body).done !== 'no') continue
      throw new Violation(`${body} was sent, and lost in ${group}`)
    }
  }

  #work(group: string, body: string): Work {
    const name = `${group} ${body}`
    let work = this.#works.get(name)
    if (work === undefined) {
      work = {
        done: 'no',
        parked: 'no',
        rejected: false,
        attempt: 0,
        highest: 0,
        receipt: undefined,
        until: -Infinity,
        deferred: false,
        doubtful: false,
      }
      this.#works.set(name, work)
    }
    return work
  }
}

/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'
}
