import type { Clock } from '../clock.ts'
import { type Hold, type Queue, hold, release } from '../core/lean/index.ts'
import { NO_ANSWER } from './attempt.ts'
import { GROUP, laneNamed, lanesOf } from './lanes.ts'
import type { Paces } from './pace.ts'
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
  /** When a failure was last counted. */
  failedAt: number
  /** Answers since it asked for rest; absent: it never did. */
  answers?: number
}

/**
 * Destinations that rest: **held** until somebody has logged in, or **cooling down** for a time. Both are holds of the lane, kept
 * by the storage: all contexts know them at once, and after each of them one request goes first.
 */
export class Rests {
  readonly #queue: Queue<OutboxPayload>
  readonly #clock: Clock
  /** Is told of the lanes that are to get one request at a time. */
  readonly #narrow: (lanes: readonly string[]) => void
  readonly #paces: Paces
  readonly #lanes: Map<string, Record> = new Map()

  constructor(
    queue: Queue<OutboxPayload>,
    clock: Clock,
    paces: Paces,
    narrow: (lanes: readonly string[]) => void,
  ) {
    this.#queue = queue
    this.#clock = clock
    this.#paces = paces
    this.#narrow = narrow
  }

  /** Nothing of the lane goes until somebody calls {@link probe}. One that asked for rest gets that first. */
  async hold(lane: string, reason: string): Promise<void> {
    const known = await this.#holdOf(lane)
    if (known?.endsInMs === undefined || isUnreachable(known))
      await hold(this.#queue, { group: GROUP, lane, reason, probe: true })
    this.#paces.rests(lane)
  }

  /** The server answered, and had nothing against being asked. */
  answered(lane: string): void {
    this.#paces.answered(lane)
    const record = this.#lanes.get(lane)
    if (record === undefined) return
    record.failures = record.rounds = 0
    if (record.answers !== undefined && ++record.answers < TRUSTED) return
    this.#lanes.delete(lane)
    if (record.answers !== undefined) this.#tellNarrow()
  }

  /** An attempt that began at that time failed: its lane may have to rest. */
  async failed(lane: string, { response, reason, retryAfterMs }: Verdict, startedAt: number): Promise<void> {
    const record: Record = this.#lanes.get(lane) ?? { failures: 0, rounds: 0, failedAt: -Infinity }
    this.#lanes.set(lane, record)
    this.#paces.failed(lane)
    record.failures++
    // What was under way at the same time failed of the same cause.
    const isNews = startedAt > record.failedAt
    if (isNews) {
      record.rounds++
      record.failedAt = this.#clock.now()
    }
    const asksForRest = retryAfterMs !== undefined
    if (asksForRest || response?.status === 429) {
      record.answers = 0
      this.#tellNarrow()
    }
    const known = await this.#holdOf(lane)
    if (known !== undefined && isHeld(known) && !asksForRest) return
    // What began before it rested says nothing of its probe, which is still under way.
    if (!asksForRest && (known?.probing ? !isNews : record.failures < MOST_FAILURES)) return
    const ownMs = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(record.rounds - 1, 20))
    const forMs = retryAfterMs ?? ownMs
    if ((known?.endsInMs ?? 0) < forMs)
      await hold(this.#queue, { group: GROUP, lane, reason, forMs, probe: true })
    this.#paces.rests(lane)
  }

  /** Whether a destination rests; also while its probe is out. */
  async isResting(lane: string): Promise<boolean> {
    return (await this.#holdOf(lane)) !== undefined
  }

  /** A probe ends of which the server has not heard, or that it did not like: the next to go is a probe as well. */
  async again(lane: string): Promise<void> {
    const { probing, reason } = (await this.#holdOf(lane)) ?? {}
    if (probing) await hold(this.#queue, { group: GROUP, lane, reason, forMs: 1, probe: true })
  }

  #tellNarrow(): void {
    this.#narrow([...this.#lanes].filter(([, { answers }]) => answers !== undefined).map(([lane]) => lane))
  }

  async #holdOf(lane: string): Promise<Hold | undefined> {
    return (await laneNamed(this.#queue, lane))?.holds.find(({ group }) => group === GROUP)
  }

  /** What is to be said of a lane of which nothing is sent at the moment. */
  async stateOf(lane: string): Promise<'held' | 'stored' | undefined> {
    const hold = await this.#holdOf(lane)
    if (hold === undefined || hold.probing) return undefined
    return isHeld(hold) ? 'held' : 'stored'
  }

  async held(prefix: string): Promise<readonly HeldDestination[]> {
    const held = (await this.#holds(prefix)).filter(isHeld)
    return held.map(({ lane, reason, since }) => ({ destination: destinationOf(lane!), reason, since }))
  }

  /** Has one request go first where holds are as they are asked for. Answers how many there were. */
  async probe(prefix: string, which: (hold: Hold) => boolean): Promise<number> {
    const found = (await this.#holds(prefix)).filter((hold) => !hold.probing && which(hold))
    for (const { lane } of found) await release(this.#queue, { group: GROUP, lane, probe: true })
    return found.length
  }

  /** Ends all holds of an owner. */
  async forget(prefix: string): Promise<void> {
    for (const { lane } of await this.#holds(prefix)) await release(this.#queue, { group: GROUP, lane })
  }

  async #holds(prefix: string): Promise<readonly Hold[]> {
    // That of the name itself is another matter: see `Session`.
    const all = (await lanesOf(this.#queue, prefix)).filter(({ lane }) => lane !== prefix)
    return all.flatMap(({ holds }) => holds).filter(({ group }) => group === GROUP)
  }
}

/** Until somebody logs in. */
export function isHeld({ endsInMs, probing }: Hold): boolean {
  return endsInMs === undefined && !probing
}

/** For a time, because there was no network, or nobody there. */
export function isUnreachable({ endsInMs, reason }: Hold): boolean {
  return endsInMs !== undefined && reason?.startsWith(NO_ANSWER) === true
}
