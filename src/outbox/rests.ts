import { onceAborted } from '../aborts.ts'
import type { Clock } from '../clock.ts'
import type { Hold, Queue } from '../core/lean/index.ts'
import { NO_ANSWER } from './attempt.ts'
import { GROUP, freeLane, holdLane, holdOf, lanesOf } from './lanes.ts'
import { destinationOf } from './places.ts'
import type { OutboxPayload } from './request.ts'
import type { Verdict } from './verdict.ts'

/** After so many failures in a row a destination is left alone for a while. */
const MOST_FAILURES = 3
/** For how long at first, and at most, in ms; each time that it fails again, twice as long. */
const FIRST_MS = 1000
const MOST_MS = 300_000
/** So many answers in a row, and a destination that asked for rest gets several requests at once again. */
const TRUSTED = 32
/** For an answer of a slow one the others wait so long at most, in ms, for each answer that it takes until it is trusted. */
const PATIENCE_MS = 2000
/** Of a destination of which nothing was heard for so long, in ms, nothing is known. */
const KNOWN_MS = 600_000
/** Of so many destinations something is known. */
const MOST = 1000

/** A destination that waits for a person: somebody has to log in. */
export interface HeldDestination {
  readonly destination: string
  /** What the server said. */
  readonly reason: string | undefined
  /** Since when, on the storage's clock, in ms since 1970. */
  readonly since: number
}

/** What this context has seen of a lane lately. */
interface Record {
  /** Failures in a row. */
  failures: number
  /** How often in a row it failed when it was tried anew. */
  rounds: number
  /** When a failure was last counted, and when somebody had to log in last: see {@link Rests.turn}. */
  failedAt: number
  heldAt: number
  heardAt: number
  /** How many answers it takes until several requests go at once; before, one goes, and the others wait for how it ends. */
  untilTrusted: number
  underWay: Set<object>
  readonly waiting: Set<() => void>
}

/**
 * Destinations that rest: **held** until somebody has logged in, or **cooling down** for a time. Both are holds of the lane, kept
 * by the storage: all contexts know them at once, and after each of them one request goes first. So it does in this context where a
 * destination is not known to be well: one request learns that it refuses all, and not as many as fit.
 */
export class Rests {
  readonly #queue: Queue<OutboxPayload>
  readonly #clock: Clock
  readonly #lanes: Map<string, Record> = new Map()
  /** Tells what came before what, however clocks are set. */
  turn = 0
  /** When somebody has logged in last. */
  #loggedInAt = 0

  constructor(queue: Queue<OutboxPayload>, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
  }

  /**
   * Resolves when a request may go, with a function to call when it has ended; with nothing where its destination rests meanwhile, or
   * the signal has aborted.
   */
  async enter(
    lane: string,
    signal: AbortSignal,
    lastError: string | undefined,
  ): Promise<(() => void) | undefined> {
    const record = this.#of(lane)
    // It may be another context that has heard it.
    if (lastError?.startsWith('HTTP 429')) record.untilTrusted = TRUSTED
    for (let isLate = false; !isLate && record.untilTrusted > 0 && record.underWay.size > 0;) {
      isLate = await this.#wait(record, signal)
      if (signal.aborted) return undefined
      if (!isLate && record.untilTrusted > 0 && (await holdOf(this.#queue, lane)) !== undefined)
        return undefined
    }
    if (signal.aborted) return undefined
    const { underWay } = record
    const pass = {}
    underWay.add(pass)
    return () => {
      underWay.delete(pass)
      record.heardAt = this.#clock.now()
      wake(record)
    }
  }

  /** Until something has changed. Answers whether it has waited long enough. */
  async #wait({ waiting, untilTrusted }: Record, signal: AbortSignal): Promise<boolean> {
    let end!: (isLate: boolean) => void
    const ended = new Promise<boolean>((resolve) => (end = resolve))
    const woken = (): void => end(false)
    waiting.add(woken)
    const timer = this.#clock.setTimeout(() => end(true), PATIENCE_MS * untilTrusted)
    const unhook = onceAborted(signal, woken)
    const isLate = await ended
    unhook()
    this.#clock.clearTimeout(timer)
    waiting.delete(woken)
    return isLate
  }

  #of(lane: string): Record {
    const lanes = this.#lanes
    const now = this.#clock.now()
    const known = lanes.get(lane)
    if (known !== undefined && !(isIdle(known) && now - known.heardAt > KNOWN_MS)) return known
    const record: Record = {
      failures: 0,
      rounds: 0,
      failedAt: 0,
      heldAt: 0,
      heardAt: now,
      untilTrusted: 1,
      underWay: new Set(),
      waiting: new Set(),
    }
    for (const [name, one] of lanes) if (lanes.size >= MOST && isIdle(one)) lanes.delete(name)
    lanes.set(lane, record)
    return record
  }

  /**
   * Nothing of the lane goes until somebody calls {@link probe}. One that asked for rest gets that first. What began before it was held
   * last says nothing of who has logged in since.
   */
  async hold(lane: string, reason: string, began: number): Promise<void> {
    const record = this.#of(lane)
    if (began < Math.max(record.heldAt, this.#loggedInAt)) return
    const known = await holdOf(this.#queue, lane)
    if (known?.endsInMs === undefined || isUnreachable(known)) await holdLane(this.#queue, lane, reason)
    record.heldAt = ++this.turn
    this.#rests(record)
  }

  /** It rests from now on: what is under way says nothing of the next that goes, and what waits here goes back. */
  #rests(record: Record): void {
    record.untilTrusted ||= 1
    record.underWay = new Set()
    wake(record)
  }

  /** The server answered, and had nothing against being asked. */
  answered(lane: string): void {
    const record = this.#of(lane)
    record.failures = record.rounds = 0
    if (record.untilTrusted > 0 && --record.untilTrusted === 0) wake(record)
  }

  /** An attempt that began at that {@link turn} failed: its lane may have to rest. */
  async failed(lane: string, { response, reason, retryAfterMs }: Verdict, began: number): Promise<void> {
    const record = this.#of(lane)
    record.failures++
    // What was under way at the same time failed of the same cause.
    const isNews = began >= record.failedAt
    if (isNews) {
      record.rounds++
      record.failedAt = ++this.turn
    }
    const asksForRest = retryAfterMs !== undefined
    record.untilTrusted = asksForRest || response?.status === 429 ? TRUSTED : record.untilTrusted || 1
    const known = await holdOf(this.#queue, lane)
    // What began before it rested says nothing of its probe, which is still under way.
    if (
      !asksForRest &&
      (known?.probing ? !isNews : (known && isHeld(known)) || record.failures < MOST_FAILURES)
    )
      return
    const forMs = retryAfterMs ?? Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(record.rounds - 1, 20))
    if ((known?.endsInMs ?? 0) < forMs) await holdLane(this.#queue, lane, reason, forMs)
    this.#rests(record)
  }

  /** A probe ends of which the server has not heard, or that it did not like: the next to go is a probe as well. */
  async again(lane: string): Promise<void> {
    const { probing, reason } = (await holdOf(this.#queue, lane)) ?? {}
    if (probing) await holdLane(this.#queue, lane, reason, 1)
  }

  /** Somebody has logged in. */
  loggedIn(): void {
    this.#loggedInAt = ++this.turn
  }

  /** What is to be said of a lane of which nothing is sent at the moment. */
  async stateOf(lane: string): Promise<'held' | 'stored' | undefined> {
    const hold = await holdOf(this.#queue, lane)
    if (hold === undefined || hold.probing) return undefined
    return isHeld(hold) ? 'held' : 'stored'
  }

  async held(prefix: string): Promise<readonly HeldDestination[]> {
    const held = (await this.#holds(prefix)).filter(isHeld)
    return held.map(({ lane, reason, since }) => ({ destination: destinationOf(lane!), reason, since }))
  }

  /** Has one request go first where holds are as they are asked for. */
  async probe(prefix: string, which: (hold: Hold) => boolean): Promise<void> {
    for (const hold of await this.#holds(prefix))
      if (!hold.probing && which(hold)) await freeLane(this.#queue, hold.lane!, true)
  }

  /** Ends all holds of an owner. */
  async forget(prefix: string): Promise<void> {
    for (const { lane } of await this.#holds(prefix)) await freeLane(this.#queue, lane!)
  }

  async #holds(prefix: string): Promise<readonly Hold[]> {
    // That of the name itself is another matter: see `Session`.
    const all = (await lanesOf(this.#queue, prefix)).filter(({ lane }) => lane !== prefix)
    return all.flatMap(({ holds }) => holds).filter(({ group }) => group === GROUP)
  }
}

function isIdle({ underWay, waiting }: Record): boolean {
  return underWay.size === 0 && waiting.size === 0
}

function wake({ waiting }: Record): void {
  for (const woken of waiting) woken()
}

/** Until somebody logs in. */
export function isHeld({ endsInMs, probing }: Hold): boolean {
  return endsInMs === undefined && !probing
}

/** For a time, because there was no network, or nobody there. */
export function isUnreachable({ endsInMs, reason }: Hold): boolean {
  return endsInMs !== undefined && reason?.startsWith(NO_ANSWER) === true
}
