import { soon } from '../clock.ts'
import { onceAborted, throwIfAborted } from '../aborts.ts'
import { Alarm } from './alarm.ts'
import { checkName, checkOptions, checkSignal, checkWaitMs } from '../check.ts'
import type { Context } from './context.ts'
import { DEFAULT_GROUP, type Queue, contextOf } from './lean/queue.ts'
import { type Result, decodeOutcome } from './outcomes.ts'
import { type Hint, MAX_IDS, type Outcome } from '../storage.ts'
import { isTransient, restMs } from './trouble.ts'

/** Whose result, and how long to wait for it. */
export interface ResultOptions {
  /** In which group. @defaultValue 'default' */
  readonly group?: string | undefined
  /**
   * How long to wait until it is done or dead, in ms; `Infinity`: for ever. Who waits tries again while the storage fails in a
   * way that it may get over, and rejects with its error if it still does at the end. @defaultValue 0
   */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with the signal's reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined
}

const OPTIONS = { group: checkName, waitMs: checkWaitMs, signal: checkSignal }

/** Who waits for outcomes of a queue, by the group. */
const waiting = new WeakMap<Context<unknown>, Map<string, Results<unknown>>>()

/**
 * What became of a message. See `result` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * const outcome = await result(queue, id, { waitMs: 10_000 })
 * ```
 */
export async function result<R = unknown>(
  queue: Queue,
  id: string,
  options: ResultOptions = {},
): Promise<Result<R> | undefined> {
  const tried = 'result'
  checkName(tried, 'id', id)
  checkOptions(tried, options, OPTIONS)
  const context = contextOf(queue)
  context.require(tried, 'results')
  const { group = DEFAULT_GROUP, waitMs = 0, signal } = options
  throwIfAborted(signal)
  if (context.isClosed) throw context.closedError(tried)
  let groups = waiting.get(context)
  if (groups === undefined) waiting.set(context, (groups = new Map()))
  let results = groups.get(group)
  if (results === undefined) groups.set(group, (results = new Results(context, group)))
  // Of groups that come and go, nothing stays.
  const outcome = await results.ask(id, waitMs, signal).finally(() => {
    if (results.isIdle) groups.delete(group)
  })
  return outcome && (await decodeOutcome(context.options.codec, outcome))
}

/** One call that asks for an outcome. */
interface Waiter {
  /** Until there is an end, or it is told that its time is over. */
  waits: boolean
  readonly resolve: (outcome: Outcome | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Where the storage tells of changes, all are looked for all the same this often, in ms: a hint may be lost. */
const LOOK_MS = 30_000
/** Elsewhere this often. */
const POLL_MS = 1000
/** Hints that do not say what has finished have all looked for, but not more often than this, in ms. */
const SPACE_MS = 100

/**
 * Where all who wait for outcomes of one group on one `Queue` object are woken. A hint that says what has finished has exactly
 * that read which somebody here waits for, in one call for all.
 */
class Results<T> {
  readonly #context: Context<T>
  readonly #group: string
  /** By the id of the message. */
  readonly #waiters: Map<string, Set<Waiter>> = new Map()
  /** Ids to be read next. */
  readonly #due: Set<string> = new Set()
  /** How many wait. */
  #waiting = 0
  #unwatch: (() => void) | undefined
  #busy = false
  /** Reads that failed in a row: until the alarm rings, nobody tries but who has just come. */
  #failures = 0
  /** When all were looked for. */
  #lookedAt = 0
  readonly #alarm: Alarm

  constructor(context: Context<T>, group: string) {
    this.#context = context
    this.#group = group
    this.#alarm = new Alarm(context.options.clock, () => this.#lookForAll())
  }

  /** @param waitMs 0: looks once. `Infinity`: until it is done or dead. */
  ask(id: string, waitMs: number, signal: AbortSignal | undefined): Promise<Outcome | undefined> {
    const context = this.#context
    return new Promise((resolve, reject) => {
      const leaving =
        <V>(tell: (value: V) => void) =>
        (value: V): void => {
          for (const offAbort of offAborts) offAbort()
          timer.set(Infinity)
          this.#delete(id, waiter, waitMs > 0)
          tell(value)
        }
      const waiter: Waiter = { waits: waitMs > 0, resolve: leaving(resolve), reject: leaving(reject) }
      const offAborts = [context.closing, signal].map((one) =>
        onceAborted(one, () => waiter.reject(one!.reason)),
      )
      const until = context.now() + waitMs
      const timer = new Alarm(context.options.clock, (now, at) => {
        if (Math.max(now, at) < until) return timer.set(until)
        // It looks one more time.
        waiter.waits = false
        this.#look(id)
      })
      this.#add(id, waiter)
      if (waitMs > 0) timer.set(until)
      this.#look(id)
    })
  }

  /** Nobody asks. */
  get isIdle(): boolean {
    return this.#waiters.size === 0
  }

  #add(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id)
    if (waiters === undefined) this.#waiters.set(id, new Set([waiter]))
    else waiters.add(waiter)
    if (waiter.waits && ++this.#waiting === 1) this.#unwatch = this.#context.watch(this.#hint)
  }

  #delete(id: string, waiter: Waiter, waited: boolean): void {
    const waiters = this.#waiters.get(id)
    if (!waiters?.delete(waiter)) return
    if (waiters.size === 0) this.#waiters.delete(id)
    if (!waited || --this.#waiting > 0) return
    this.#unwatch!()
    this.#alarm.set(Infinity)
  }

  // When to read

  readonly #hint = (hint?: Hint): void => {
    // All are looked for once the storage has recovered.
    if (this.#failures > 0) return
    // A storage that has never said what has finished cannot tell.
    const finished = hint?.finished ?? (this.#context.tells ? [] : 'many')
    const now = this.#context.now()
    if (finished !== 'many') for (const id of finished) this.#look(id)
    else if (Math.abs(now - this.#lookedAt) >= SPACE_MS) this.#lookForAll()
    else if (this.#alarm.at > now + SPACE_MS) this.#alarm.set(now + SPACE_MS)
  }

  #look(id: string): void {
    if (!this.#waiters.has(id)) return
    this.#due.add(id)
    this.#wake()
  }

  #lookForAll(): void {
    this.#alarm.set(Infinity)
    this.#lookedAt = this.#context.now()
    for (const id of this.#waiters.keys()) this.#due.add(id)
    this.#wake()
  }

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    // All that is asked for in one turn is one read.
    soon(() => {
      this.#work().catch((bug: unknown) => {
        // A source of random numbers of somebody else's.
        this.#busy = false
        for (const waiters of this.#waiters.values()) for (const { reject } of waiters) reject(bug)
      })
    })
  }

  async #work(): Promise<void> {
    /** How long to leave a storage alone that has failed, in ms. */
    let restsMs = 0
    while (this.#due.size > 0) {
      const ids = [...this.#due].slice(0, MAX_IDS)
      for (const id of ids) this.#due.delete(id)
      const known = ids.filter((id) => this.#waiters.has(id))
      if (known.length > 0) restsMs = Math.max(restsMs, await this.#read(known))
    }
    this.#busy = false
    if (restsMs === 0) this.#failures = 0
    if (this.#waiting === 0) return
    const now = this.#context.now()
    if (restsMs > 0) this.#alarm.set(now + restsMs)
    else if (this.#alarm.at === Infinity) this.#alarm.set(now + (this.#context.watches ? LOOK_MS : POLL_MS))
  }

  /** Answers 0 if it worked, else how long to wait before the next try. */
  async #read(ids: readonly string[]): Promise<number> {
    // Who comes later is to learn what was stored later.
    const asked = ids.map((id) => [...this.#waiters.get(id)!])
    try {
      const outcomes = await this.#context.useAsItIs('result', (view) => view.results(this.#group, ids))
      for (const [i, waiters] of asked.entries()) {
        // The rest is asked for once more.
        if (i >= outcomes.length) {
          this.#due.add(ids[i]!)
          continue
        }
        const outcome = outcomes[i]
        const isOver = outcome !== undefined && outcome.status !== 'running'
        for (const waiter of waiters) if (isOver || !waiter.waits) waiter.resolve(outcome)
      }
      return 0
    } catch (error) {
      const passing = isTransient(error)
      for (const waiter of asked.flat()) if (!passing || !waiter.waits) waiter.reject(error)
      return restMs(++this.#failures, this.#context.options.random())
    }
  }
}
