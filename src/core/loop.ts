import { soon } from '../clock.ts'
import { abortError, abortReason, onceAborted } from '../aborts.ts'
import { Alarm } from './alarm.ts'
import { type BatchHandler, type BatchSize, Batches, verdictOn } from './batches.ts'
import type { Unit } from './desk.ts'
import { errorText } from '../errors.ts'
import type { Handler, HandlerContext } from './handler.ts'
import { Hand, type Late, type Opened, TIMEOUT_MS, timedOut } from './hand.ts'
import type { Line, Seat } from './line.ts'
import type { Message } from './message.ts'
import { encodeResult } from './outcomes.ts'
import type { Reader } from './reader.ts'
import type { Body, Delivery, Held, SettleResult, Settlement } from '../storage.ts'

/** How {@link Consumer.run} works, and who is told what goes wrong. */
export interface RunOptions<T = unknown> {
  /** How many handlers may work at the same time. @defaultValue 1 */
  readonly concurrency?: number | undefined
  /** Stops the run. @defaultValue it runs until the queue is closed */
  readonly signal?: AbortSignal | undefined
  /**
   * How long a handler may take, in ms, and before that an async codec or schema. Then its signal aborts, the attempt has failed with `timed out after … ms`, and its place
   * is free; what it still does to its message is refused as stale. `Infinity`: as long as it likes. @defaultValue 900,000, 15 minutes
   */
  readonly timeoutMs?: number | undefined
  /** Has the handler get one message. See {@link BatchRunOptions}. @defaultValue one message at a time */
  readonly batch?: undefined
  /**
   * Is told of trouble with the storage, each time; `run` goes on, unless it rejects with this error. Also of a result that
   * cannot be kept (`UNSERIALIZABLE`, `TOO_LARGE`): its message is done without.
   * @defaultValue nobody is told
   */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Is told what a handler threw, also after it had settled its message, or that it took too long. @defaultValue nobody is told */
  readonly onFailed?: ((message: Message<T>, error: unknown) => void) | undefined
}

/** How {@link Consumer.drain} works, and when it ends. */
export interface DrainOptions<T = unknown> extends RunOptions<T> {
  /** When to be done, in ms since 1970. @defaultValue never */
  readonly deadline?: number | undefined
}

/** How {@link Consumer.run} hands over batches. */
export interface BatchRunOptions<T = unknown> extends Omit<RunOptions<T>, 'batch'> {
  /** Has the handler get many messages at once; `concurrency` counts batches. Once stopped, what was collected is the last batch. */
  readonly batch: BatchSize
}

/** How {@link Consumer.drain} hands over batches. */
export interface BatchDrainOptions<T = unknown> extends Omit<DrainOptions<T>, 'batch'> {
  /** As for {@link BatchRunOptions.batch}. A batch does not wait where nothing else is due. */
  readonly batch: BatchSize
}

/** What a loop calls, and how. */
export type Work<T> =
  | { readonly handler: Handler<T>; readonly options: DrainOptions<T> }
  | { readonly handler: BatchHandler<T>; readonly options: BatchDrainOptions<T> }

/** What became of the messages of a drain. */
export interface DrainReport {
  readonly acked: number
  /** To be tried again later. */
  readonly retried: number
  /** Dead letters now. */
  readonly dead: number
  /** Waiting for a person or a fix. */
  readonly parked: number
  /** Handed back unfinished, without losing an attempt. */
  readonly returned: number
}

/** Before a deadline this much time is kept to hand back what is not finished, in ms; but no more than a tenth of all. */
const HAND_BACK_MS = 100
/** So many steps in a row may fail for a drain that nothing else ends. */
const MOST_FAILURES = 5
/** Who has stopped tries for so long to tell a storage that fails what has ended, in ms. */
const LAST_MS = 10_000
/** While handlers work it looks this often whether time goes on, in ms. */
const STEP_MS = 10_000
/** Timers of a hidden page are late by a minute. What passed unseen and was longer is no time of handlers. */
const LATE_MS = 65_000

const NOTHING: readonly never[] = []

/** A delivery under a handler, until the storage has taken how it ends. */
class Job<T> extends Hand<T> implements HandlerContext, Unit<T> {
  readonly loop: Loop<T>
  readonly kept = true
  /** Its slot is free: what the handler does from now on does not matter. */
  over = false
  settlements: readonly Settlement[] = NOTHING
  unsure = false
  #controller: AbortController | undefined
  #aborted: { reason: unknown } | undefined

  constructor(opened: Opened<T>, loop: Loop<T>, startedAt: number) {
    super(opened, loop.line.terms.leaseMs, startedAt)
    this.loop = loop
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

  override lose(reason: unknown): void {
    this.abort(reason)
    this.loop.lost(this)
  }

  settled(results: readonly SettleResult[], from: number): void {
    this.loop.settled(this, results[from])
  }

  failed(): void {
    this.loop.settled(this, undefined)
  }

  /** Whether a handler that throws this only does what it was told. */
  wasToldTo(error: unknown): boolean {
    return this.#aborted !== undefined && this.#aborted.reason === error
  }
}

/**
 * What `run` and `drain` do: stand in line for as many messages as handlers are free, and settle those that are done.
 *
 * It **stops** when its signal aborts, the queue is closed, the deadline is near, or the storage fails for good: it takes
 * nothing more, and ends when the last job has.
 */
export class Loop<T> implements Seat {
  readonly waits = true
  riding = false
  place: Set<Seat> | undefined = undefined
  readonly #reader: Reader<T>
  readonly #handler: Handler<T>
  readonly #batches: Batches<T> | undefined
  readonly #options: DrainOptions<T> | BatchDrainOptions<T>
  /** End when nothing is due. */
  readonly #untilEmpty: boolean
  readonly #concurrency: number
  readonly #timeoutMs: number
  readonly #jobs: Set<Job<T>> = new Set()
  /** Ends that the storage has not taken yet. */
  readonly #kept: Set<Job<T>> = new Set()
  readonly #report: Record<keyof DrainReport, number> = {
    acked: 0,
    retried: 0,
    dead: 0,
    parked: 0,
    returned: 0,
  }
  readonly #deadline: number
  /** From here on, hand back what is not finished. */
  readonly #handBackAt: number
  /** From here on, a step that fails is the last. */
  #giveUpAt = Infinity
  /** Why it stopped. */
  #stopped: { reason: unknown } | undefined
  #failure: { error: unknown } | undefined
  /** Steps that failed in a row. */
  #failures = 0
  /** The last claim found nothing that is due, and nothing has ended since. */
  #empty = false
  /** The longest that a handler has taken, in ms. */
  #longest = 0
  readonly #alarm: Alarm
  #finish: (() => void) | undefined

  constructor(reader: Reader<T>, { handler, options }: Work<T>, untilEmpty: boolean) {
    const { concurrency = 1, timeoutMs = TIMEOUT_MS, deadline = Infinity } = options
    this.#reader = reader
    this.#handler = handler as Handler<T>
    if (options.batch !== undefined)
      this.#batches = new Batches(reader, handler as BatchHandler<T>, options.batch, concurrency)
    this.#options = options
    this.#untilEmpty = untilEmpty
    this.#alarm = new Alarm(reader.context.options.clock, (now, at) => this.#ring(now, at))
    this.#concurrency = concurrency
    this.#timeoutMs = timeoutMs
    this.#deadline = deadline
    this.#handBackAt = deadline - Math.min(HAND_BACK_MS, Math.max(0, deadline - this.#now()) / 10)
  }

  #now(): number {
    return this.#reader.context.now()
  }

  async run(): Promise<DrainReport> {
    const { desk } = this.#reader
    const { signal } = this.#options
    const offAbort = onceAborted(signal, () => this.stop(abortReason(signal!)))
    await new Promise<void>((resolve) => {
      this.#finish = resolve
      desk.join(this)
      this.#setTimer()
      this.#check()
    })
    offAbort()
    // The report counts what handlers settled themselves, too.
    await desk.tell(NOTHING).catch(() => undefined)
    if (this.#failure !== undefined) throw this.#failure.error
    return this.#report
  }

  /** Looks whether all is done. */
  #check(): void {
    this.#lookForStop()
    if (this.riding || this.#jobs.size + this.#kept.size > 0) return
    if (this.#finish === undefined) return
    const { desk } = this.#reader
    const isEmpty = this.#untilEmpty && this.#empty
    if (this.#stopped !== undefined || (isEmpty && !desk.settling) || (this.#untilEmpty && this.#rests)) {
      // At once: it must not be given anything more.
      desk.leave(this)
      this.#alarm.set(Infinity)
      this.#finish()
      this.#finish = undefined
    }
    // What handlers settled themselves may have made something due.
    else if (isEmpty) desk.look(this)
  }

  poke(): void {
    this.#check()
  }

  // Taking

  get line(): Line {
    return this.#reader.line
  }

  wants(): number {
    if (this.#stopped !== undefined || this.#rests) return 0
    return this.#batches?.room ?? this.#concurrency - this.#jobs.size
  }

  /** Takes nothing new for the time being. */
  get #rests(): boolean {
    if (this.#reader.paused) return true
    return this.#handBackAt < Infinity && this.#now() + this.#longest >= this.#handBackAt
  }

  answer(deliveries: readonly Delivery<Held>[], more: boolean, at: number): void {
    this.#empty = deliveries.length === 0 && !more
    if (deliveries.length > 0) {
      this.#lookForStop()
      for (const opened of this.#reader.open(deliveries, at)) this.#start(opened, at)
    }
    this.#batches?.claimed(this.#untilEmpty && !more)
    this.#check()
  }

  #start(opened: Opened<T>, at: number): void {
    const job = new Job(opened, this, this.#reader.context.answeredAt(at))
    job.lease.onEnd = this.#count
    if (this.#stopped === undefined) void this.#work(job)
    else this.#giveBack(job)
  }

  async #work(job: Job<T>): Promise<void> {
    const { context, desk } = this.#reader
    this.#jobs.add(job)
    desk.hold(job)
    this.#batches?.expect(job)
    if (job.startedAt + this.#timeoutMs < this.#alarm.at) this.#setTimer()
    if (job.message === undefined) await this.#read(job)
    const { message } = job
    if (message === undefined) return
    let thrown: { error: unknown } | undefined
    /** Unless it is an ack. */
    let end: Settlement | undefined
    let result: unknown
    try {
      if (this.#batches === undefined) {
        const handle = (): Promise<unknown> => this.#handler(message, job) as Promise<unknown>
        result = await context.observe('process', desk.group, false, () => [message], handle)
      } else {
        const verdict = await this.#batches.add(job)
        end = verdictOn(this.#reader, job, verdict)
        result = (verdict as { readonly result?: unknown } | undefined)?.result
      }
    } catch (error) {
      thrown = { error }
    }
    const ms = this.#now() - job.startedAt
    context.activity?.took('handler', ms)
    if (job.over) return
    this.#longest = Math.max(this.#longest, ms)
    if (thrown !== undefined && !job.wasToldTo(thrown.error)) this.#tellFailed(message, thrown.error)
    let value: Body | undefined
    if (result !== undefined && message.keepMs !== undefined && !job.lease.settled) {
      value = await this.#valueOf(job, result)
      if (job.over) return
    }
    if (job.lease.settled) {
      // Its handler did that.
    } else if (thrown === undefined)
      this.#keep(job, end ?? { receipt: job.lease.receipt, kind: 'ack', value })
    else if (this.#stopped !== undefined) this.#giveBack(job)
    else this.#retry(job, thrown.error)
    this.#let(job)
    this.#next()
  }

  /** What is kept of a result. Where it cannot be, its message is done all the same: it must not be done again for that. */
  async #valueOf({ id }: Job<T>, result: unknown): Promise<Body | undefined> {
    try {
      return await encodeResult(`run, the result of ${id}`, this.#reader.context.options.codec, result)
    } catch (error) {
      this.#tellError(error)
      return undefined
    }
  }

  /** Makes a message, if it can be read and still has its slot then. */
  async #read(job: Job<T>): Promise<void> {
    let why: unknown
    const message = await (job.opened as Late<T>).late.catch((error: unknown) => void (why = error))
    if (job.over) return
    job.startedAt = this.#now()
    job.message = message
    if (message !== undefined) return
    this.#keep(job, this.#reader.unreadable(job, why))
    this.#let(job)
    this.#next()
  }

  #let(job: Job<T>): void {
    this.#jobs.delete(job)
    this.#batches?.forget(job)
    this.#reader.desk.release(job)
  }

  /** Somebody has ended: there may be room for more, or nothing more to do. */
  #next(): void {
    this.#empty = false
    this.#reader.desk.look(this)
    this.#check()
  }

  #tellFailed(message: Message<T> | undefined, error: unknown): void {
    const { onFailed } = this.#options
    // Apart from what goes on here, which it must not break.
    if (onFailed !== undefined && message !== undefined) soon(() => onFailed(message, error))
  }

  #tellError(error: unknown): void {
    const { onError } = this.#options
    if (onError !== undefined) soon(() => onError(error))
  }

  // Settling

  #retry(job: Job<T>, error: unknown): void {
    try {
      const { lease, opened } = job
      this.#keep(job, this.#reader.failureOf(lease.receipt, opened, { reason: errorText(error) }))
    } catch (bug) {
      // A source of random numbers of somebody else's.
      this.#fail(bug)
    }
  }

  #giveBack(job: Job<T>): void {
    this.#keep(job, job.returned)
  }

  #keep(job: Job<T>, settlement: Settlement): void {
    job.lease.settled = true
    job.settlements = [settlement]
    this.#kept.add(job)
    this.#reader.desk.settle(job)
  }

  /** @param result What the storage made of its end; `undefined`: it never will. */
  settled(job: Job<T>, result: SettleResult | undefined): void {
    this.#kept.delete(job)
    if (result !== undefined) this.#reader.note(job.lease, job.settlements[0]!, result)
    this.#empty = false
    this.#check()
  }

  readonly #count = (settlement: Settlement): void => {
    this.#report[outcomeOf(settlement)]++
  }

  // Trouble

  failed(error: unknown, passing: boolean): void {
    const { signal } = this.#options
    this.#tellError(error)
    const isBounded = this.#untilEmpty && this.#deadline === Infinity && signal === undefined
    if (!passing || (isBounded && ++this.#failures >= MOST_FAILURES)) this.#fail(error)
    else if (this.#stopped !== undefined) {
      const now = this.#now()
      this.#giveUpAt = Math.min(this.#giveUpAt, this.#deadline, now + LAST_MS)
      if (now >= this.#giveUpAt) this.#fail(error)
    }
    if (this.#failure !== undefined)
      for (const job of this.#kept) if (this.#reader.desk.drop(job)) this.#kept.delete(job)
    this.#check()
  }

  recovered(): void {
    this.#failures = 0
    // Unless there is no time left.
    if (this.#giveUpAt > 0) this.#giveUpAt = Infinity
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.stop(error)
  }

  // Stopping

  stop(reason: unknown): void {
    if (this.#stopped !== undefined) return
    this.#stopped = { reason }
    const flushes = this.#failure === undefined && this.#now() < this.#handBackAt
    for (const job of this.#jobs) {
      const waits = this.#batches?.has(job)
      if (job.message === undefined || (waits && !flushes)) this.#takeBack(job)
      else if (!waits) job.abort(reason)
    }
    this.#batches?.flush()
    this.#check()
  }

  /** Takes its message from a handler, which may never end. */
  #part(job: Job<T>): boolean {
    this.#let(job)
    job.over = true
    const { lease } = job
    if (lease.settled) return false
    lease.gone = true
    return true
  }

  #takeBack(job: Job<T>): void {
    if (this.#part(job)) this.#giveBack(job)
  }

  /** Nobody need wait for a message that is gone. */
  lost(job: Job<T>): void {
    if (job.message !== undefined && !this.#batches?.has(job)) return
    this.#part(job)
    this.#next()
  }

  handBack(): void {
    for (const job of this.#jobs) this.#takeBack(job)
    // There is no time to wait for a storage that fails.
    this.#giveUpAt = 0
    this.#check()
  }

  #lookForStop(): void {
    if (this.#handBackAt === Infinity || this.#now() < this.#handBackAt) return
    if (this.#stopped === undefined)
      this.stop(abortError('the deadline of the drain is near', 'TimeoutError'))
    for (const job of this.#jobs) this.#takeBack(job)
  }

  // Time

  /** For the deadline, and for the job that began first. */
  #setTimer(): void {
    const now = this.#now()
    let first = Infinity
    for (const job of this.#jobs) {
      // The clock may have been set back.
      job.startedAt = Math.min(job.startedAt, now)
      first = Math.min(first, job.startedAt)
    }
    const timesOutAt = first + this.#timeoutMs
    const handBackAt = this.#handBackAt <= now ? Infinity : this.#handBackAt
    const step = timesOutAt < Infinity ? now + STEP_MS : Infinity
    this.#alarm.set(Math.min(step, timesOutAt, handBackAt))
  }

  #ring(now: number, at: number): void {
    // The machine slept, the program stood still, or the clock was set forward.
    const unseen = now - at > LATE_MS ? now - at : 0
    for (const job of this.#jobs) {
      if (job.startedAt + this.#timeoutMs <= Math.max(now, at) - unseen) this.#timeOut(job)
      job.startedAt += unseen
    }
    this.#setTimer()
    this.#check()
  }

  #timeOut(job: Job<T>): void {
    const error = timedOut(this.#timeoutMs)
    if (this.#part(job)) this.#retry(job, error)
    job.abort(error)
    this.#tellFailed(job.message, error)
    this.#next()
  }
}

function outcomeOf(settlement: Settlement): keyof DrainReport {
  if (settlement.kind === 'ack') return 'acked'
  if (settlement.kind === 'park') return 'parked'
  if (settlement.kind !== 'retry') return 'dead'
  return settlement.counts === false ? 'returned' : 'retried'
}
