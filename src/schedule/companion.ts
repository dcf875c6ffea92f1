import { Batcher, type Context, contextOf } from '../core/inside.ts'
import { checkQueue } from '../check.ts'
import { QuaysideError } from '../errors.ts'
import { type Message, Queue } from '../core/index.ts'
import { MAX_DURATION_MS, MAX_NAME_BYTES, type NewMessage } from '../storage.ts'
import { MARK, REVISION, type StoredMessage, type Tick, markOf, ticksOf } from './tick.ts'

/** What the queue of the schedules of a queue is called behind the name of that. */
const SUFFIX = '.schedules'
/** The id of a message that tells the time: a name of a schedule has no line break. */
const CLOCK = '\nclock'
/** Whose ticks they are. */
export const GROUP = 'default'
/** Nobody looks at it as long as it is replaced again and again. */
const CLOCK_DELAY_MS = 86_400_000

/** A schedule is not given up, however often whoever fires it dies. */
const MAX_ATTEMPTS = 2 ** 31

/**
 * The schedules of a queue. They are messages of a queue of their own beside it, on the same storage, so that no consumer of
 * the queue sees them, and neither `purge` nor dead letters nor a backlog end or delay one.
 */
export class Companion {
  readonly queue: Queue<Tick>
  readonly context: Context<Tick>
  readonly #main: Context<unknown>
  readonly #sends: Batcher<unknown>
  readonly #marks: Batcher<Tick>

  constructor(main: Context<unknown>) {
    const { name, storage, clock, random, id } = main.options
    this.#main = main
    this.queue = new Queue<Tick>(name + SUFFIX, { storage, clock, random, id })
    this.context = contextOf(this.queue)
    this.#sends = new Batcher(main)
    this.#marks = new Batcher(this.context)
    const closed = new Promise((resolve) => main.closing.addEventListener('abort', resolve, { once: true }))
    // The end of the queue waits for it.
    void main.track(closed.then(() => this.queue.close()))
  }

  /**
   * Whether messages have ids by which one is found again, and a lease is nobody else's. Otherwise the storage has no clock of its own
   * either.
   */
  get isExact(): boolean {
    return this.context.guarantees.deduplication
  }

  /** Stores a schedule, in place of what is there. Where that cannot be, whoever fires it sees which one is newer. */
  async put(name: string, revision: string, tick: Tick, delayMs = 0): Promise<void> {
    // What takes the place of a retry without a delay of its own waits as long as that.
    await this.queue.createProducer().send(tick, {
      id: name,
      headers: { [REVISION]: revision },
      maxAttempts: MAX_ATTEMPTS,
      delayMs: Math.max(1, delayMs),
      replace: this.isExact,
    })
  }

  /** Notes how far a schedule has come. The storage forgets what a retry waits for with the next lease that ends. */
  async mark(name: string, waits: string): Promise<void> {
    const mark = { id: markOf(name), body: '0', headers: { [MARK]: waits } }
    await this.#marks.add([{ ...mark, replace: true, delayMs: MAX_DURATION_MS }], (results) => results)
  }

  /** Has nobody know how far a schedule had come. */
  async forget(name: string): Promise<void> {
    if (this.context.guarantees.cancellation) await this.queue.cancel([markOf(name)])
  }

  /** Stores what is due in the queue. Answers with how much of it was news. */
  async send(messages: readonly NewMessage[]): Promise<number> {
    const main = this.#main
    const show = (): Draft[] =>
      messages.map(({ id, lane, headers }) => ({ id, lane, headers: { ...headers } }))
    const results = await main.observe('send', undefined, true, show, (drafts) => {
      // With what whoever observes has added.
      const all = messages.map((message, i) => ({
        ...message,
        headers: drafts?.[i]!.headers ?? message.headers,
      }))
      return this.#sends.add(all, (stored) => stored)
    })
    return results.filter(({ status }) => status === 'stored').length
  }

  /** How many of these messages can be sent at once, up to some number. */
  most(message: StoredMessage, upTo: number): number {
    const { maxBatch, maxBatchBytes } = this.#main.guarantees
    // A character has three bytes of UTF-8 at most, and the ids are not there yet.
    const bytes = JSON.stringify(message).length * 3 + MAX_NAME_BYTES
    return Math.max(1, Math.min(upTo, maxBatch, Math.floor(maxBatchBytes / bytes)))
  }

  /** Where ids are known: for how long. */
  known(dedupeMs: number): Pick<NewMessage, 'dedupeMs'> {
    return this.isExact ? { dedupeMs: Math.min(dedupeMs, MAX_DURATION_MS) } : {}
  }

  /** The time on this side. */
  now(): number {
    return this.context.now()
  }

  /** Whether a message is of this queue. */
  isOwn({ id, headers }: Message<unknown>): boolean {
    return id === CLOCK || headers[REVISION] !== undefined
  }

  /** Whether a revision is not the newest one that is stored. */
  isOver(revision: string, newest: string | undefined): boolean {
    if (this.isExact) return newest !== revision
    // What is stored may not be shown yet.
    return newest !== undefined && newest > revision
  }

  /**
   * What the storage's clock says, which rules: those of processes may be wrong. And the newest revisions of schedules.
   * Together, because a schedule that is changed later than that is changed later than what its old times make be sent.
   */
  async look(messages: readonly Message<unknown>[]): Promise<Look> {
    const { context } = this
    const { group } = messages[0]!
    const ids = messages.map(({ id }) => id)
    const tells = this.isExact
    if (tells) {
      await context.append([{ id: CLOCK, body: '0', replace: true, delayMs: CLOCK_DELAY_MS }])
      ids.push(CLOCK, ...ids.map(markOf))
    }
    const found = await ticksOf(context, group, ids, false)
    const ticks = new Map<string, Revisions>()
    const marks = new Map<string, string>()
    let now = tells ? NaN : this.#main.now()
    for (const { id, headers, timestamp } of found) {
      if (id === CLOCK && !(now >= timestamp)) now = timestamp
      const mark = headers?.[MARK]
      if (mark !== undefined) marks.set(id, mark)
      const revision = headers?.[REVISION]
      if (revision === undefined) continue
      const { newest = '', count = 0 } = ticks.get(id) ?? {}
      ticks.set(id, { newest: newest > revision ? newest : revision, count: count + 1 })
    }
    // Somebody has purged what is here.
    if (Number.isNaN(now))
      throw new QuaysideError('STORAGE_UNAVAILABLE', 'schedule: what was stored just now is gone')
    return { now, at: this.now(), ticks, marks }
  }
}

/** A message that is about to be sent, for whoever observes it. */
interface Draft {
  readonly id: string | undefined
  readonly lane: string | undefined
  readonly headers: Record<string, string>
}

/** What the storage says at some time. */
export interface Look {
  /** The storage's time. */
  readonly now: number
  /** The time on this side. */
  readonly at: number
  readonly ticks: ReadonlyMap<string, Revisions>
  /** What schedules waited for whose last holder has died, by {@link markOf}. */
  readonly marks: ReadonlyMap<string, string>
}

/** What is stored under the name of a schedule. */
export interface Revisions {
  readonly newest: string
  readonly count: number
}

const companions = new WeakMap<Context<unknown>, Companion>()

/** @throws {@link QuaysideError} `CLOSED`, `TOO_LARGE`. */
export function companionOf<T>(tried: string, queue: Queue<T>): Companion {
  checkQueue(tried, 'queue', queue)
  const context = contextOf(queue) as Context<unknown>
  if (context.isClosed) throw context.closedError(tried)
  let companion = companions.get(context)
  if (companion === undefined) companions.set(context, (companion = new Companion(context)))
  return companion
}
