import { onAbort } from './aborts.ts'
import { Ask } from './ask.ts'
import { type BatchHandler, checkBatch } from './batches.ts'
import {
  checkArray,
  checkBoolean,
  checkCount,
  checkFunction,
  checkMs,
  checkNothing,
  checkOptions,
  checkPositiveMs,
  checkPositiveWaitMs,
  checkSignal,
  checkText,
  checkTime,
  checkWaitMs,
  invalid,
} from './check.ts'
import type { Context } from './context.ts'
import type { Unit } from './desk.ts'
import {
  type BatchDrainOptions,
  type BatchRunOptions,
  type DrainOptions,
  type DrainReport,
  type Handler,
  Loop,
  type RunOptions,
  TIMEOUT_MS,
  type Work,
} from './loop.ts'
import {
  type AckOptions,
  type Lease,
  type Message,
  type NackOptions,
  type ParkOptions,
  type RejectOptions,
  type SettleOptions,
  type Settler,
  type Attempts,
  leaseOf,
  receiptOf,
  settlerOf,
  staleError,
  ticketOf,
} from './message.ts'
import { Messages, type MessagesOptions } from './messages.ts'
import { encodeData, encodeResult } from './outcomes.ts'
import { type ConsumerSettings, Reader } from './reader.ts'
import { Hand } from './hand.ts'
import { checkOnly, checkRules, frozen } from './lane-rules.ts'
import type { LaneRules } from './lanes.ts'
import type { RetryPolicy } from './retry.ts'
import type { SettleResult, Settlement } from './storage.ts'

export interface ConsumerOptions {
  /**
   * How long a message belongs to this consumer once it is delivered, in ms; then others get it, unless the lease was
   * extended. `run`, `drain` extend it while a handler works. Longer than handlers need and shorter than you
   * want to wait for the messages of a consumer that died. @defaultValue 30,000
   */
  readonly leaseMs?: number | undefined
  /** How often, and after how long, a failed delivery is tried again. */
  readonly retry?: RetryPolicy | undefined
  /**
   * Where the group starts, if this consumer is the first of it. `earliest`: with the first message that is still
   * retained. `latest`: with messages sent from now on, unless it is the queue's first group, which gets everything.
   * @defaultValue 'earliest'
   */
  readonly from?: 'earliest' | 'latest' | undefined
  /** How long dead letters that this consumer makes are kept, in ms; then they are deleted. @defaultValue for ever */
  readonly deadForMs?: number | undefined
  /**
   * What each lane of the group may do: how many messages of it may be worked on at once, by all consumers of the group
   * together, how often it may be delivered, and how many turns it has where another has one. For all lanes, for those of a
   * name, or whose names start with a text. The limits are those of the consumer that takes; give all of a group the same.
   * 256 names and prefixes at most. @defaultValue no limits, each as many turns as another
   */
  readonly lanes?: LaneRules | undefined
  /**
   * Takes only from lanes whose names start with this text, or from those of these names, 64 at most; nothing that has no lane.
   * May be changed later: see {@link Consumer.only}. @defaultValue all
   */
  readonly only?: string | readonly string[] | undefined
  /**
   * What a message of an ordering key leaves behind that becomes a dead letter here. `continue`: the next of its key is
   * delivered. `park`: the next is parked, and all behind it wait, until {@link Queue.resume} or {@link Queue.cancel}.
   * @defaultValue 'continue'
   */
  readonly afterDead?: 'continue' | 'park' | undefined
}

export interface ReceiveOptions {
  /**
   * How long to wait for a message, in ms, if there is none; `Infinity`: for ever. What an async codec or schema has not read
   * by then is handed back, without losing an attempt. Who waits tries again while the storage
   * fails in a way that it may get over, and rejects with its error if it still does at the end. @defaultValue 0
   */
  readonly waitMs?: number | undefined
  /** Ends the wait, also for an async codec or schema: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** What settles a message: the message, or its {@link Message.receipt}. */
export type Settled<T> = Message<T> | string

/** How a message is settled by hand. */
type Settling = 'ack' | 'nack' | 'reject' | 'park' | 'extend'
/** What the name of a method ends with if it is one for many messages. */
type Batch = '' | 'Batch'

const NO_OPTIONS = {}

const FOREIGN =
  'a message must be one that this consumer received (its own ack(), nack(), … always find the right one), or the receipt of one'

const RECEIVE_OPTIONS = { waitMs: checkWaitMs, signal: checkSignal }
const SETTLE_OPTIONS = { signal: checkSignal }
const NACK_OPTIONS = { delayMs: checkMs, reason: checkText, counts: checkBoolean, ...SETTLE_OPTIONS }
const ACK_OPTIONS = { result: checkNothing, ...SETTLE_OPTIONS }
const PARK_OPTIONS = { reason: checkText, data: checkNothing, ...SETTLE_OPTIONS }
const REJECT_OPTIONS = { reason: checkText, ...SETTLE_OPTIONS }
const RUN_OPTIONS = {
  concurrency: checkCount,
  signal: checkSignal,
  timeoutMs: checkPositiveWaitMs,
  batch: checkNothing,
  onError: checkFunction,
  onFailed: checkFunction,
}

/** Receives the messages of a queue for one group, in which each message goes to one consumer. */
export class Consumer<T> implements Settler, AsyncIterable<Message<T>> {
  readonly group: string
  readonly #reader: Reader<T>

  /** @internal Made by {@link Queue.createConsumer}. */
  constructor(context: Context<T>, settings: ConsumerSettings) {
    this.group = settings.group
    this.#reader = new Reader(context, settings, this)
  }

  /**
   * Makes the group now, if it is not there yet: from then on it gets every message. Whatever is done next on the `Queue`
   * object does so too; this is for a start at which others, with objects of their own, may be quicker, and finish with a
   * message before this group exists.
   */
  async join(): Promise<void> {
    const { context, line } = this.#reader
    const { terms } = line
    await context.use('join', (view) => view.claim({ group: this.group, limit: 0, ...terms }))
  }

  /**
   * Takes the next message, if there is one: `undefined` says that nothing is ready. It belongs to this consumer until its
   * lease ends: settle it before.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; `CLOSED`, `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`,
   * `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used. The signal's reason, once it is aborted.
   */
  receive(options?: ReceiveOptions): Promise<Message<T> | undefined> {
    return this.#receive('receive', 1, firstOf, options)
  }

  /** Takes up to `limit` messages. With `waitMs` it waits for the first, not for the batch to fill. @throws as {@link receive} */
  receiveBatch(limit: number, options?: ReceiveOptions): Promise<Message<T>[]> {
    return this.#receive('receiveBatch', limit, allOf, options)
  }

  #receive<R>(
    tried: string,
    limit: number,
    answerOf: (messages: readonly Message<T>[]) => R,
    options: ReceiveOptions = NO_OPTIONS,
  ): Promise<R> {
    try {
      checkCount(tried, 'limit', limit)
      checkOptions(tried, options, RECEIVE_OPTIONS)
      const { waitMs = 0, signal } = options
      signal?.throwIfAborted()
      return this.#take(tried, limit, answerOf, waitMs, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #take<R>(
    tried: string,
    limit: number,
    answerOf: (messages: readonly Message<T>[]) => R,
    waitMs: number,
    signal: AbortSignal | undefined,
    onError?: (error: unknown) => void,
  ): Promise<R> {
    const reader = this.#reader
    const { context } = reader
    const show = (): Message<T>[] => []
    return context.observe('receive', this.group, tried !== 'receive', show, (seen) => {
      if (context.isClosed) return Promise.reject(context.closedError(tried))
      return new Promise((resolve, reject) => {
        // Whoever observes may have taken its time.
        signal?.throwIfAborted()
        const answer = (messages: readonly Message<T>[]): void => {
          seen?.push(...messages)
          resolve(answerOf(messages))
        }
        if (reader.paused && waitMs === 0) answer([])
        else
          reader.desk.join(
            new Ask(reader, { tried, limit, waitMs, signal, onError, resolve: answer, reject }),
          )
      })
    })
  }

  /**
   * Done: the group has finished with the message.
   *
   * @param message Its {@link Message.receipt} does as well: from another request or process, on any consumer of the group.
   * @throws {@link QuaysideError} `UNSERIALIZABLE`, `TOO_LARGE`: the result cannot be kept; nothing was changed. `STALE_RECEIPT`: its lease is over and somebody else was given it, it was cancelled, or it
   * was settled before; `stale` has its id. Nothing was changed. And what {@link receive} throws when the storage cannot be
   * used; then it may be tried again.
   */
  ack(message: Settled<T>, options?: AckOptions): Promise<void> {
    try {
      if (options !== undefined) checkOptions('ack', options, ACK_OPTIONS)
      if (options?.result !== undefined) return this.#ackWith(message, options)
      return this.#settle('ack', '', [message], ackOf, options) as Promise<void>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #ackWith(message: Settled<T>, options: AckOptions): Promise<void> {
    // Whoever sends a message decides whether anything of it is kept. Who has a receipt only does not know.
    const keeps = !this.#isOwn(message) || message.keepMs !== undefined
    const { codec } = this.#reader.context.options
    const value = keeps ? await encodeResult('ack', codec, options.result) : undefined
    await this.#settle('ack', '', [message], (receipt) => ({ receipt, kind: 'ack', value }), options)
  }

  /**
   * Acks messages in one write. Where some are stale the others are acked all the same: `stale` of the error has the ids of
   * those that were not.
   *
   * @throws as {@link ack}
   */
  async ackBatch(messages: readonly Settled<T>[], options?: SettleOptions): Promise<void> {
    checkArray('ackBatch', 'messages', messages)
    if (options !== undefined) checkOptions('ackBatch', options, SETTLE_OPTIONS)
    await this.#settle('ack', 'Batch', messages, ackOf, options)
  }

  /**
   * Not done: deliver it again, after `delayMs` or what the retry policy says. If this was its last attempt it becomes a
   * dead letter, `exhausted`.
   *
   * @throws as {@link ack}
   */
  nack(message: Settled<T>, options?: NackOptions): Promise<void> {
    return this.#nack('', [message], options)
  }

  /** As {@link nack}, for messages, in one write. */
  nackBatch(messages: readonly Settled<T>[], options?: NackOptions): Promise<void> {
    return this.#nack('Batch', messages, options)
  }

  async #nack(batch: Batch, messages: readonly Settled<T>[], options: NackOptions = {}): Promise<void> {
    const tried = `nack${batch}`
    checkArray(tried, 'messages', messages)
    checkOptions(tried, options, NACK_OPTIONS)
    await this.#settle(
      'nack',
      batch,
      messages,
      (receipt, attempts) => this.#reader.failureOf(receipt, attempts, options),
      options,
    )
  }

  /** Never deliver it again: it becomes a dead letter, `rejected`. @throws as {@link ack} */
  async reject(message: Settled<T>, options: RejectOptions = {}): Promise<void> {
    checkOptions('reject', options, REJECT_OPTIONS)
    const { reason } = options
    await this.#settle(
      'reject',
      '',
      [message],
      (receipt) => this.#reader.deadOf(receipt, 'rejected', reason),
      options,
    )
  }

  /**
   * It waits for a person or a fix: it keeps its place, is handed to nobody, blocks its ordering key, and is listed as `parked`
   * with what is said here, until {@link Queue.resume}, {@link Queue.edit} or {@link Queue.cancel}. It never goes on by itself,
   * but may expire.
   *
   * @throws as {@link ack}, and `INVALID_ARGUMENT`, `UNSERIALIZABLE`, `TOO_LARGE`, `UNSUPPORTED`: nothing was changed.
   */
  async park(message: Settled<T>, options: ParkOptions): Promise<void> {
    const tried = 'park'
    checkOptions(tried, options, PARK_OPTIONS)
    const { reason } = options
    checkText(tried, 'reason', reason)
    const reader = this.#reader
    reader.context.require(tried, 'parking')
    const data = encodeData(tried, options.data)
    await this.#settle(tried, '', [message], (receipt) => reader.parkOf(receipt, reason, data), options)
  }

  /**
   * Tells how far the handler of a message is: what {@link Queue.result} answers with until it has ended. Calls are cheap: the
   * storage is told of the last one within a second, together with an extension of the lease. Resolves when it is taken in.
   *
   * @param value Whatever the queue's codec can carry, 128 KiB at most.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: also where the message was sent without `keepMs`. `UNSERIALIZABLE`,
   * `TOO_LARGE`. `STALE_RECEIPT`: it was settled, or is lost.
   */
  async progress(message: Message<T>, value: unknown): Promise<void> {
    const tried = 'progress'
    if (!this.#isOwn(message)) throw invalid(tried, FOREIGN, message)
    if (message.keepMs === undefined)
      throw invalid(tried, 'the message must keep what becomes of it: send it with keepMs', message.keepMs)
    if (value === undefined) throw invalid(tried, 'value must be something', value)
    const lease = leaseOf(message)
    const { context, desk, line } = this.#reader
    const turn = ++lease.told
    const body = await encodeResult(tried, context.options.codec, value)
    if (lease.settled || lease.gone) throw staleError(tried, [message.id])
    // A later one may have been encoded sooner.
    if (turn === lease.told) desk.report(new Hand(message, line.terms.leaseMs, context.now()), body!)
  }

  /**
   * Keeps the message for `leaseMs` from now. Answers with the {@link Message.receipt} that holds from then on.
   *
   * @throws as {@link ack}
   */
  async extend(message: Settled<T>, leaseMs: number, options?: SettleOptions): Promise<string> {
    checkPositiveMs('extend', 'leaseMs', leaseMs)
    if (options !== undefined) checkOptions('extend', options, SETTLE_OPTIONS)
    const renewed = await this.#settle(
      'extend',
      '',
      [message],
      (receipt) => ({ receipt, kind: 'extend', leaseMs }),
      options,
    )
    if (typeof message === 'string') {
      const ticket = ticketOf(message)!
      return receiptOf(renewed ?? ticket.receipt, ticket)
    }
    leaseOf(message).until = this.#reader.context.now() + leaseMs
    return message.receipt
  }

  /** Answers with the receipt that holds from now on, where the first of them got a new one. */
  #settle(
    name: Settling,
    batch: Batch,
    messages: readonly Settled<T>[],
    settlementOf: (receipt: string, attempts: Attempts) => Settlement,
    { signal }: SettleOptions = NO_OPTIONS,
  ): Promise<string | undefined> {
    const { context, desk } = this.#reader
    // What is none of its messages is refused below.
    const show = (): Message<T>[] => messages.filter((message) => this.#isOwn(message))
    return context.observe(name, this.group, batch !== '', show, () => {
      return new Promise((resolve, reject) => {
        const tried = name + batch
        // All of it may throw, so it comes before anything is noted.
        signal?.throwIfAborted()
        /** Of those that nobody has settled before. */
        const leases: Lease[] = []
        let gone = 0
        const settlements = messages.map((message) => {
          if (this.#isOwn(message)) {
            const lease = leaseOf(message)
            if (lease.gone) gone++
            if (!lease.settled && name !== 'extend') leases.push(lease)
            return settlementOf(lease.receipt, message)
          }
          const ticket = typeof message === 'string' ? ticketOf(message) : undefined
          if (ticket === undefined) throw invalid(tried, FOREIGN, message)
          return settlementOf(ticket.receipt, ticket)
        })
        if (messages.length === 0) return resolve(undefined)
        // What was taken from its handler must not be settled by it before whoever took it has done so.
        if (gone === messages.length) throw staleError(tried, messages.map(idOf))
        for (const lease of leases) lease.settled = true
        const unit: Unit<T> = {
          settlements,
          unsure: false,
          settled: (results, from) => {
            offAbort?.()
            const stale: string[] = []
            for (let i = 0; i < messages.length; i++)
              if (this.#note(messages[i]!, settlements[i]!, results[from + i]!))
                stale.push(idOf(messages[i]!))
            if (stale.length === 0) resolve(results[from]!.receipt)
            else reject(staleError(tried, stale, messages.length - stale.length))
          },
          failed: (error) => {
            offAbort?.()
            // It may be tried again: by its handler, or by the loop that called it.
            for (const lease of leases) lease.settled = lease.gone
            reject(error)
          },
        }
        const offAbort =
          signal &&
          onAbort(signal, () => {
            desk.drop(unit)
            unit.failed(signal.reason)
          })
        desk.settle(unit)
      })
    })
  }

  #note(message: Settled<T>, settlement: Settlement, result: SettleResult): boolean {
    return this.#reader.note(typeof message === 'string' ? undefined : leaseOf(message), settlement, result)
  }

  #isOwn(message: Settled<T>): message is Message<T> {
    return settlerOf(message) === this
  }

  /** Takes no more messages until {@link resume}. What was delivered goes on; `receive` waits, or answers with nothing. */
  pause(): void {
    this.#reader.paused = true
    this.#reader.desk.poke()
  }

  resume(): void {
    this.#reader.paused = false
    this.#reader.desk.poke()
  }

  get paused(): boolean {
    return this.#reader.paused
  }

  /**
   * From which lanes it takes: see {@link ConsumerOptions.only}. Changed, it acts from the next claim on, also for what runs or
   * waits already; what was delivered stays. `undefined`: from all, and what has no lane.
   *
   * @throws {@link QuaysideError} on setting: `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  get only(): string | readonly string[] | undefined {
    return this.#reader.line.terms.only
  }

  set only(only: string | readonly string[] | undefined) {
    const tried = 'consumer.only'
    if (only !== undefined) {
      checkOnly(tried, 'only', only)
      this.#reader.context.require(tried, 'lanes')
    }
    this.#reader.select({ only: frozen(only) })
  }

  /**
   * What each lane may do: see {@link ConsumerOptions.lanes}. Changed, it acts from the next claim on, as {@link only} does.
   *
   * @throws {@link QuaysideError} on setting: `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  get lanes(): LaneRules | undefined {
    return this.#reader.line.terms.lanes
  }

  set lanes(lanes: LaneRules | undefined) {
    const tried = 'consumer.lanes'
    if (lanes !== undefined) {
      checkRules(tried, 'lanes', lanes)
      this.#reader.context.require(tried, 'lanes')
    }
    this.#reader.select({ lanes: frozen(lanes) })
  }

  /**
   * Works on messages until the signal aborts or the queue is closed: `handler` returns, the message is acked; it throws,
   * the message is tried again by the retry policy. Leases are extended while a handler works, `timeoutMs` at most.
   *
   * It goes on when the storage fails in a way that it may get over (`STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`,
   * `LOCKED`): it tries again after 50 ms to 10 s, handlers go on meanwhile, and what they finished is settled later. See
   * `onError`.
   *
   * With `batch` the handler gets many messages at once: see {@link BatchRunOptions} and {@link BatchHandler}.
   *
   * Once stopped it takes nothing new, tells the handlers by their signal, and resolves when they have ended. A handler
   * that throws after that hands its message back, without losing an attempt.
   *
   * @throws {@link QuaysideError} `CLOSED`, `CORRUPT`, `INVALID_ARGUMENT`, `UNSUPPORTED`, and whatever else is no passing
   * trouble of the storage: after the running handlers have ended. Once stopped, also what has kept it for 10 s from
   * settling what handlers had finished.
   */
  async run(handler: BatchHandler<T>, options: BatchRunOptions<T>): Promise<void>
  async run(handler: Handler<T>, options?: RunOptions<T>): Promise<void>
  async run(
    handler: Handler<T> | BatchHandler<T>,
    options: RunOptions<T> | BatchRunOptions<T> = {},
  ): Promise<void> {
    checkOptions('run', options, RUN_OPTIONS)
    await this.#loop('run', { handler, options } as Work<T>, false)
  }

  /**
   * Works on messages until nothing is due, and reports. Messages that are tried again later are left for later.
   *
   * With a deadline it takes nothing new once the time that is left is shorter than the longest handler took, and just
   * before the deadline hands back what is not finished, without losing an attempt.
   *
   * A storage that fails in a way that it may get over is tried again until the deadline or the signal, or 5 times if there
   * is neither.
   *
   * @throws as {@link run}, and what the storage failed with at last.
   */
  async drain(handler: BatchHandler<T>, options: BatchDrainOptions<T>): Promise<DrainReport>
  async drain(handler: Handler<T>, options?: DrainOptions<T>): Promise<DrainReport>
  async drain(
    handler: Handler<T> | BatchHandler<T>,
    options: DrainOptions<T> | BatchDrainOptions<T> = {},
  ): Promise<DrainReport> {
    checkOptions('drain', options, { ...RUN_OPTIONS, deadline: checkTime })
    return await this.#loop('drain', { handler, options } as Work<T>, true)
  }

  async #loop(tried: string, work: Work<T>, untilEmpty: boolean): Promise<DrainReport> {
    checkFunction(tried, 'handler', work.handler)
    const { batch, timeoutMs = TIMEOUT_MS } = work.options
    if (batch !== undefined) checkBatch(tried, batch, timeoutMs)
    const { context } = this.#reader
    if (context.isClosed) throw context.closedError(tried)
    return await context.track(new Loop(this.#reader, work, untilEmpty).run())
  }

  /**
   * `for await (const message of consumer.messages())`: messages one at a time, as they come, until the loop is left, the
   * signal aborts or the queue is closed. The body settles each message, before its lease ends. While the storage fails in a
   * way that it may get over, it waits.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. The loop throws what {@link run} rejects with.
   */
  messages(options: MessagesOptions = {}): AsyncIterableIterator<Message<T>, undefined, undefined> {
    checkOptions('messages', options, { signal: checkSignal, onError: checkFunction })
    const { closing } = this.#reader.context
    const { onError } = options
    return new Messages(closing, options.signal, (signal) =>
      this.#take('receive', 1, firstOf, Infinity, signal, onError),
    )
  }

  /** As {@link messages}, without options: `for await (const message of consumer)`. */
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined, undefined> {
    return this.messages()
  }
}

function ackOf(receipt: string): Settlement {
  return { receipt, kind: 'ack' }
}

function idOf(message: Settled<unknown>): string {
  return typeof message === 'string' ? message : message.id
}

/** Who waits for ever gets one. */
function firstOf<T>(messages: readonly Message<T>[]): Message<T> {
  return messages[0]!
}

function allOf<T>(messages: readonly Message<T>[]): Message<T>[] {
  return messages as Message<T>[]
}
