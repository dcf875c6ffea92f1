import { abortReason } from '../aborts.ts'
import { Alarm } from './alarm.ts'
import { checkCount, checkMs, checkOptions, invalid } from '../check.ts'
import { ENDS, endOf } from './ends.ts'
import type { Hand } from './hand.ts'
import type { HandlerContext } from './handler.ts'
import type { Message, NackOptions, ParkOptions, RejectOptions, SettleOptions } from './message.ts'
import type { Reader } from './reader.ts'
import type { Settlement } from '../storage.ts'

/** How large a batch is, and how long it waits for that. */
export interface BatchSize {
  /** The most messages that one call of the handler gets. */
  readonly size: number
  /**
   * How long a batch waits to be full, in ms, from its first message on. Less than `timeoutMs`. What waits is kept from others
   * for so long. @defaultValue 0: it gets what there is
   */
  readonly withinMs?: number | undefined
}

/**
 * How one message of a batch ends: `undefined`, it is done; an `Error`, it has failed and is tried again as if its handler had
 * thrown that; else as the method of {@link Message} with the name of `kind` does, with its options.
 */
export type Verdict =
  | undefined
  | Error
  | { readonly kind: 'ack'; readonly result?: unknown }
  | ({ readonly kind: 'nack' } & Omit<NackOptions, keyof SettleOptions>)
  | ({ readonly kind: 'reject' } & Omit<RejectOptions, keyof SettleOptions>)
  | ({ readonly kind: 'park' } & Omit<ParkOptions, keyof SettleOptions>)

/**
 * Works on a batch. To return nothing is to ack all, to throw is to nack all, but for those that the handler has settled
 * itself; else it returns a verdict for each message, in their order.
 */
export type BatchHandler<T> = (
  messages: readonly Message<T>[],
  context: HandlerContext,
) => void | readonly Verdict[] | Promise<void | readonly Verdict[]>

export function checkBatch(tried: string, batch: BatchSize, timeoutMs: number): void {
  checkOptions(tried, batch, { size: checkCount, withinMs: checkMs }, 'batch.')
  const { size, withinMs = 0 } = batch
  checkCount(tried, 'batch.size', size)
  if (withinMs >= timeoutMs)
    throw invalid(tried, `batch.withinMs must be less than timeoutMs (${timeoutMs})`, withinMs)
}

/** How a message of a batch ends that is not acked. */
export function verdictOn<T>(reader: Reader<T>, hand: Hand<T>, verdict: Verdict): Settlement | undefined {
  if (verdict === undefined) return undefined
  const tried = `run, the verdict on ${hand.id}`
  const { kind, ...options } = Object(verdict) as Exclude<Verdict, Error | undefined>
  if (!Object.hasOwn(ENDS, kind))
    throw invalid(tried, `kind must be one of ${Object.keys(ENDS).join(', ')}`, kind ?? verdict)
  checkOptions(tried, options, ENDS[kind])
  if (kind === 'ack') return undefined
  return endOf(reader, tried, kind, options as NackOptions)(hand.lease.receipt, hand.opened)
}

/** A delivery under a handler, as batches see it. */
interface Job<T> extends HandlerContext, Hand<T> {}

/** What its loop is told. */
interface Entry<T> {
  readonly job: Job<T>
  /** Missing as long as a message is being made of it. */
  tell?: { readonly resolve: (verdict: Verdict) => void; readonly reject: (error: unknown) => void }
}

/** Aborts when all messages of a batch are lost, or taken away. */
class BatchContext<T> implements HandlerContext {
  readonly #jobs: readonly Job<T>[]
  #controller: AbortController | undefined

  constructor(jobs: readonly Job<T>[]) {
    this.#jobs = jobs
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal
    const controller = (this.#controller = new AbortController())
    let left = this.#jobs.length
    for (const { signal } of this.#jobs) {
      const lost = (): void => {
        if (--left === 0) controller.abort(abortReason(signal))
      }
      if (signal.aborted) lost()
      else signal.addEventListener('abort', lost, { once: true })
    }
    return controller.signal
  }
}

/** Where the messages of a loop become batches, in the order of the queue. */
export class Batches<T> {
  readonly #reader: Reader<T>
  readonly #handler: BatchHandler<T>
  readonly #size: number
  readonly #withinMs: number
  readonly #concurrency: number
  /** Handlers that work. */
  #running = 0
  /** What the next batches are made of. */
  readonly #filling: Map<Job<T>, Entry<T>> = new Map()
  #ready = 0
  /** It need not be full. */
  #due = false
  readonly #alarm: Alarm

  constructor(
    reader: Reader<T>,
    handler: BatchHandler<T>,
    { size, withinMs = 0 }: BatchSize,
    concurrency: number,
  ) {
    this.#reader = reader
    this.#handler = handler
    this.#size = size
    this.#withinMs = withinMs
    this.#concurrency = concurrency
    this.#alarm = new Alarm(reader.context.options.clock, () => this.flush())
  }

  /** How many more messages there is room for. */
  get room(): number {
    return Math.max(0, (this.#concurrency - this.#running) * this.#size - this.#filling.size)
  }

  /** Keeps a place for a message. */
  expect(job: Job<T>): void {
    this.#filling.set(job, { job })
  }

  /** Answers, once its handler has ended, with the verdict on a message. */
  add(job: Job<T>): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      this.#filling.get(job)!.tell = { resolve, reject }
      this.#ready++
      if (this.#withinMs > 0 && this.#alarm.at === Infinity)
        this.#alarm.set(this.#reader.context.now() + this.#withinMs)
      this.#check()
    })
  }

  has(job: Job<T>): boolean {
    return this.#filling.has(job)
  }

  /** No handler is to get it. */
  forget(job: Job<T>): void {
    const entry = this.#filling.get(job)
    if (entry === undefined) return
    this.#filling.delete(job)
    if (entry.tell !== undefined) this.#ready--
    entry.tell?.resolve(undefined)
    this.#check()
  }

  /** All that was claimed is here. @param isAll It makes no sense to wait for more. */
  claimed(isAll: boolean): void {
    if (isAll || this.#withinMs === 0) this.flush()
  }

  /** Waits for nothing but what is being made a message. */
  flush(): void {
    this.#due = true
    this.#check()
  }

  #check(): void {
    while (
      this.#ready >= this.#size ||
      (this.#due && this.#ready > 0 && this.#ready === this.#filling.size)
    ) {
      const entries: Entry<T>[] = []
      for (const entry of this.#filling.values()) {
        if (entry.tell !== undefined) entries.push(entry)
        if (entries.length === this.#size) break
      }
      for (const { job } of entries) this.#filling.delete(job)
      this.#ready -= entries.length
      this.#running++
      void this.#work(entries)
    }
    if (this.#filling.size > 0) return
    this.#due = false
    this.#alarm.set(Infinity)
  }

  async #work(entries: readonly Entry<T>[]): Promise<void> {
    const { context, desk } = this.#reader
    const now = context.now()
    const jobs = entries.map(({ job }) => job)
    for (const job of jobs) job.startedAt = now
    const messages = jobs.map(({ message }) => message!)
    let verdicts: readonly Verdict[] | undefined
    let failure: { error: unknown } | undefined
    try {
      const handle = (): Promise<unknown> =>
        this.#handler(messages, new BatchContext(jobs)) as Promise<unknown>
      verdicts = verdictsOf(await context.observe('process', desk.group, true, () => messages, handle), jobs)
    } catch (error) {
      failure = { error }
    }
    this.#running--
    for (const [i, { tell }] of entries.entries()) {
      const verdict = verdicts?.[i]
      if (failure !== undefined) tell!.reject(failure.error)
      else if (verdict instanceof Error) tell!.reject(verdict)
      else tell!.resolve(verdict)
    }
  }
}

function verdictsOf(answer: unknown, { length }: readonly unknown[]): readonly Verdict[] | undefined {
  if (answer === undefined || (Array.isArray(answer) && answer.length === length))
    return answer as readonly Verdict[] | undefined
  throw invalid(
    'run',
    `a handler of batches returns nothing, or ${length} verdicts for ${length} messages`,
    answer,
  )
}
