import { type Clock, MAX_TIMEOUT_MS, nextTurn } from './clock.ts'
import { errorText } from './errors.ts'
import { type Message, leaseOf, staleError } from './message.ts'
import type { ClaimResult, Delivery, SettleResult, Settlement } from './storage.ts'
import type { Wakeup } from './wakeup.ts'

/** What a handler gets besides the message. */
export interface HandlerContext {
  /** Aborts when the lease is lost to somebody else, or the run is stopped. */
  readonly signal: AbortSignal
}

/** Works on one message. To return is to ack it, to throw is to nack it, unless the handler has settled it itself. */
export type Handler<T> = (message: Message<T>, context: HandlerContext) => unknown

export interface RunOptions {
  /** How many handlers may work at the same time. @defaultValue 1 */
  readonly concurrency?: number | undefined
  /** Stops the run. */
  readonly signal?: AbortSignal | undefined
}

export interface DrainOptions extends RunOptions {
  /** When to be done, in ms since 1970. @defaultValue never */
  readonly deadline?: number | undefined
}

/** What became of the messages of a drain. */
export interface DrainReport {
  readonly acked: number
  /** To be tried again later. */
  readonly retried: number
  /** Dead letters now. */
  readonly dead: number
  /** Handed back unfinished, without losing an attempt. */
  readonly returned: number
}

/** The loop lets the program's event loop turn after this many rounds. */
const ROUNDS_PER_TURN = 64

/** Before a deadline this much time is kept to hand back what is not finished, in ms; but no more than a tenth of all. */
const HAND_BACK_MS = 100

/** What a loop needs of its consumer. */
export interface LoopOptions<T> {
  readonly clock: Clock
  readonly closing: AbortSignal
  readonly leaseMs: number
  readonly wakeup: Wakeup
  readonly isPaused: () => boolean
  /** Settles what ended, and claims in the same step. */
  readonly claim: (limit: number, ended: readonly Ended<T>[]) => Promise<ClaimResult>
  readonly settle: (name: 'settle' | 'extend', ended: readonly Ended<T>[]) => Promise<readonly SettleResult[]>
  /** While settlements that handlers began are under way: when they are done. */
  readonly unsettled: () => Promise<void> | undefined
  readonly open: (deliveries: readonly Delivery[]) => Message<T>[] | Promise<Message<T>[]>
  /** In how many ms to look again without having been woken. */
  readonly nextLook: (result: ClaimResult) => number | undefined
  /** How a delivery that failed goes on. */
  readonly failureOf: (message: Message<T>, reason: string) => Settlement
  /** Takes in what became of a settlement. Answers whether it was stale. */
  readonly note: (message: Message<T>, settlement: Settlement, result: SettleResult) => boolean
  readonly handler: Handler<T>
  /** Is told how long a handler took, in ms. */
  readonly took: (ms: number) => void
  readonly options: DrainOptions
  /** End when nothing is due. */
  readonly untilEmpty: boolean
}

/** A message under a handler. */
class Job<T> implements HandlerContext {
  readonly message: Message<T>
  readonly startedAt: number
  #controller: AbortController | undefined
  #aborted: { reason: unknown } | undefined

  constructor(message: Message<T>, startedAt: number) {
    this.message = message
    this.startedAt = startedAt
  }

  /** Made when asked for: most handlers never look, and a signal costs more than all else here. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#aborted ??= { reason }
    this.#controller?.abort(reason)
  }
}

/** A message, and how its lease is to end or to go on. */
export interface Ended<T> {
  readonly message: Message<T>
  readonly settlement: Settlement
}

/**
 * What `run` and `drain` do: claim as many messages as handlers are free, settle those that are done in the same call,
 * and wait when there is neither.
 *
 * It **stops** when its signal aborts, the queue is closed, the deadline is near, or the storage fails: it claims nothing
 * more, and ends when the last job has.
 */
export class Loop<T> {
  readonly #with: LoopOptions<T>
  readonly #concurrency: number
  readonly #jobs: Set<Job<T>> = new Set()
  #ended: Ended<T>[] = []
  readonly #report: Record<keyof DrainReport, number> = { acked: 0, retried: 0, dead: 0, returned: 0 }
  /** The sum of the report. */
  #counted = 0
  /** From here on, hand back what is not finished. */
  readonly #handBackAt: number
  /** Why it stopped. */
  #stopped: { reason: unknown } | undefined
  #failure: { error: unknown } | undefined
  /** The longest that a handler has taken, in ms. */
  #longest = 0
  #renewal: unknown

  constructor(options: LoopOptions<T>) {
    this.#with = options
    this.#concurrency = options.options.concurrency ?? 1
    const { deadline = Infinity } = options.options
    this.#handBackAt = deadline - Math.min(HAND_BACK_MS, Math.max(0, deadline - options.clock.now()) / 10)
  }

  async run(): Promise<DrainReport> {
    const { clock, wakeup } = this.#with
    try {
      for (let round = 1; ; round++) {
        // Storage and handlers that answer at once would otherwise keep all timers and sockets of the program waiting.
        if (round % ROUNDS_PER_TURN === 0) await nextTurn()
        wakeup.clear()
        this.#lookForStop()
        const waitMs = await this.#step()
        if (waitMs === 'done') break
        await wakeup.wait(clock, this.#untilHandBack(waitMs))
      }
    } finally {
      if (this.#renewal !== undefined) clock.clearTimeout(this.#renewal)
    }
    if (this.#failure !== undefined) throw this.#failure.error
    return this.#report
  }

  /** One call to the storage at most. Answers with how long to wait for something to do, in ms, or that all is done. */
  async #step(): Promise<number | undefined | 'done'> {
    const { untilEmpty, isPaused } = this.#with
    const free = this.#concurrency - this.#jobs.size
    const rests = isPaused() || this.#tooLate()
    if (this.#stopped !== undefined || free <= 0 || rests) {
      if (this.#ended.length > 0) {
        await this.#guard(() => this.#settle())
        return 0
      }
      const ends = this.#stopped !== undefined || (untilEmpty && rests)
      return ends && this.#jobs.size === 0 ? 'done' : undefined
    }
    let next: number | undefined | 'done' = 0
    await this.#guard(async () => {
      const ended = this.#take()
      const counted = this.#counted
      const result = await this.#with.claim(free, ended)
      const settledMeanwhile = this.#counted > counted
      if (result.settled !== undefined) this.#noteAll(ended, result.settled)
      const messages = await this.#with.open(result.deliveries)
      this.#report.dead += result.deliveries.length - messages.length
      // It may have been told to stop meanwhile.
      this.#lookForStop()
      for (const message of messages) {
        if (this.#stopped === undefined) void this.#work(message)
        else this.#giveBack(message)
      }
      if (result.deliveries.length > 0) return
      next = this.#with.nextLook(result)
      if (!untilEmpty || next === 0 || this.#jobs.size > 0 || this.#ended.length > 0) return
      // What handlers settle themselves may make other messages due, which this claim came too early to see.
      const settling = this.#with.unsettled()
      await settling
      next = settledMeanwhile || settling !== undefined ? 0 : 'done'
    })
    return next
  }

  /** Runs a call to the storage. If it fails, the loop stops. */
  async #guard(call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stop(error)
    this.#with.wakeup.hint()
  }

  async #work(message: Message<T>): Promise<void> {
    const { clock, handler, took } = this.#with
    const job = new Job(message, clock.now())
    this.#jobs.add(job)
    leaseOf(message).onEnd = this.#count
    this.#renewLater()
    let thrown: { error: unknown } | undefined
    try {
      await handler(message, job)
    } catch (error) {
      thrown = { error }
    }
    const ms = clock.now() - job.startedAt
    took(ms)
    this.#longest = Math.max(this.#longest, ms)
    this.#jobs.delete(job)
    try {
      if (!leaseOf(message).settled) this.#end(message, thrown)
    } catch (error) {
      this.#fail(error)
    }
    this.#with.wakeup.hint()
  }

  #end(message: Message<T>, thrown: { error: unknown } | undefined): void {
    const { receipt } = leaseOf(message)
    if (thrown === undefined) {
      this.#ended.push({ message, settlement: { receipt, kind: 'ack' } })
    } else if (this.#stopped !== undefined) {
      this.#giveBack(message)
    } else {
      this.#ended.push({ message, settlement: this.#with.failureOf(message, errorText(thrown.error)) })
    }
  }

  #giveBack(message: Message<T>): void {
    const { receipt } = leaseOf(message)
    const error = message.lastError
    this.#ended.push({ message, settlement: { receipt, kind: 'retry', delayMs: 0, counts: false, error } })
  }

  #take(): Ended<T>[] {
    const ended = this.#ended
    this.#ended = []
    for (const { message } of ended) leaseOf(message).settled = true
    return ended
  }

  async #settle(): Promise<void> {
    const ended = this.#take()
    this.#noteAll(ended, await this.#with.settle('settle', ended))
  }

  #noteAll(ended: readonly Ended<T>[], results: readonly SettleResult[]): void {
    for (const [i, { message, settlement }] of ended.entries()) {
      this.#with.note(message, settlement, results[i]!)
    }
  }

  readonly #count = (settlement: Settlement): void => {
    this.#report[outcomeOf(settlement)]++
    this.#counted++
  }

  // Stopping

  #stop(reason: unknown): void {
    if (this.#stopped !== undefined) return
    this.#stopped = { reason }
    for (const job of this.#jobs) job.abort(reason)
  }

  #lookForStop(): void {
    const { closing, options, clock } = this.#with
    if (closing.aborted) this.#stop(closing.reason)
    if (options.signal?.aborted) this.#stop(options.signal.reason)
    if (clock.now() < this.#handBackAt) return
    this.#stop(new DOMException('the deadline of the drain is near', 'TimeoutError'))
    for (const job of this.#jobs) {
      this.#jobs.delete(job)
      const lease = leaseOf(job.message)
      if (lease.settled) continue
      lease.settled = true
      this.#giveBack(job.message)
    }
  }

  #tooLate(): boolean {
    return this.#with.clock.now() + this.#longest >= this.#handBackAt
  }

  #untilHandBack(ms: number | undefined): number | undefined {
    if (this.#handBackAt === Infinity) return ms
    const left = Math.max(0, this.#handBackAt - this.#with.clock.now())
    // Once it has stopped there is nothing to do at that time but what is done already.
    if (this.#stopped !== undefined && left === 0) return ms
    return Math.min(ms ?? left, left)
  }

  // Leases

  /** Extends the leases of running jobs halfway through: one timer for all, and only while there are jobs. */
  #renewLater(): void {
    if (this.#renewal !== undefined) return
    const { clock, leaseMs } = this.#with
    const renew = (): void => void this.#guard(() => this.#renew())
    this.#renewal = clock.setTimeout(renew, Math.min(leaseMs / 2, MAX_TIMEOUT_MS))
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs, settle, note } = this.#with
    const jobs = [...this.#jobs].filter(({ message }) => !leaseOf(message).settled)
    this.#renewal = undefined
    if (jobs.length === 0) return
    this.#renewLater()
    const extended = jobs.map(({ message }): Ended<T> => {
      return { message, settlement: { receipt: leaseOf(message).receipt, kind: 'extend', leaseMs } }
    })
    const results = await settle('extend', extended)
    for (const [i, job] of jobs.entries()) {
      const lease = leaseOf(job.message)
      if (!note(job.message, extended[i]!.settlement, results[i]!)) lease.until = clock.now() + leaseMs
      else if (this.#jobs.has(job) && !lease.settled) {
        lease.settled = true
        job.abort(staleError('extend', [job.message]))
      }
    }
  }
}

function outcomeOf(settlement: Settlement): keyof DrainReport {
  if (settlement.kind === 'ack') return 'acked'
  if (settlement.kind !== 'retry') return 'dead'
  return settlement.counts === false ? 'returned' : 'retried'
}
