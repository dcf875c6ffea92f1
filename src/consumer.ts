import { onAbort } from './aborts.ts'
import { Ask } from './ask.ts'
import {
  checkArray,
  checkBoolean,
  checkCount,
  checkFunction,
  checkMs,
  checkOptions,
  checkPositiveMs,
  checkPositiveWaitMs,
  checkSignal,
  checkText,
  checkTime,
  checkWaitMs,
  invalid,
} from './check.ts'
import { read } from './codec.ts'
import type { Context } from './context.ts'
import type { Desk } from './desk.ts'
import { cutError, errorText } from './errors.ts'
import type { Operation } from './instrumentation.ts'
import { type DrainOptions, type DrainReport, type Handler, Loop, type RunOptions } from './loop.ts'
import type { Line } from './line.ts'
import {
  Message,
  type NackOptions,
  type RejectOptions,
  type SettleOptions,
  type Settler,
  type Ticket,
  leaseOf,
  receiptOf,
  settlerOf,
  staleError,
  ticketOf,
} from './message.ts'
import { Messages, type MessagesOptions } from './messages.ts'
import { type RetryPolicy, type RetryRules, backoffDelay } from './retry.ts'
import type { Delivery, SettleResult, Settlement } from './storage.ts'

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
}

export interface ReceiveOptions {
  /**
   * How long to wait for a message, in ms, if there is none; `Infinity`: for ever. Who waits tries again while the storage
   * fails in a way that it may get over, and rejects with its error if it still does at the end. @defaultValue 0
   */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** What a consumer needs of its options, with the defaults filled in. */
export interface ConsumerSettings {
  readonly group: string
  readonly leaseMs: number
  readonly retry: RetryRules
  readonly from: 'earliest' | 'latest' | undefined
  readonly deadForMs: number | undefined
}

/** What settles a message: the message, or its {@link Message.receipt}. */
export type Settled<T> = Message<T> | string

/** How a message is settled by hand. */
type Settling = 'ack' | 'nack' | 'reject' | 'extend'
/** What the name of a method ends with if it is one for many messages. */
type Batch = '' | 'Batch'

const FOREIGN =
  'a message must be one that this consumer received (its own ack(), nack(), … always find the right one), or the receipt of one'

const RECEIVE_OPTIONS = { waitMs: checkWaitMs, signal: checkSignal }
const SETTLE_OPTIONS = { signal: checkSignal }
const NACK_OPTIONS = { delayMs: checkMs, reason: checkText, counts: checkBoolean, ...SETTLE_OPTIONS }
const REJECT_OPTIONS = { reason: checkText, ...SETTLE_OPTIONS }
const RUN_OPTIONS = {
  concurrency: checkCount,
  signal: checkSignal,
  timeoutMs: checkPositiveWaitMs,
  onError: checkFunction,
  onFailed: checkFunction,
}

/** Receives the messages of a queue for one group, in which each message goes to one consumer. */
export class Consumer<T> implements Settler, AsyncIterable<Message<T>> {
  readonly group: string
  readonly #context: Context<T>
  readonly #settings: ConsumerSettings
  readonly #desk: Desk<T>
  readonly #line: Line
  #paused = false

  /** @internal Made by {@link Queue.createConsumer}. */
  constructor(context: Context<T>, settings: ConsumerSettings) {
    const { group, leaseMs, retry, from, deadForMs } = settings
    this.group = group
    this.#context = context
    this.#settings = settings
    this.#desk = context.desk(group)
    this.#line = this.#desk.line({ leaseMs, maxAttempts: retry.maxAttempts, from, deadForMs })
  }

  /**
   * Makes the group now, if it is not there yet: from then on it gets every message. Whatever is done next on the `Queue`
   * object does so too; this is for a start at which others, with objects of their own, may be quicker, and finish with a
   * message before this group exists.
   */
  async join(): Promise<void> {
    const { terms } = this.#line
    await this.#context.use('join', (view) => view.claim({ group: this.group, limit: 0, ...terms }))
  }

  /**
   * Takes the next message, if there is one: `undefined` says that nothing is ready. It belongs to this consumer until its
   * lease ends: settle it before.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; `CLOSED`, `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`,
   * `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used. The signal's reason, once it is aborted.
   */
  receive(options?: ReceiveOptions): Promise<Message<T> | undefined> {
    return this.#receive('receive', 1, options).then(([message]) => message)
  }

  /** Takes up to `limit` messages. With `waitMs` it waits for the first, not for the batch to fill. @throws as {@link receive} */
  receiveBatch(limit: number, options?: ReceiveOptions): Promise<Message<T>[]> {
    return this.#receive('receiveBatch', limit, options)
  }

  #receive(tried: string, limit: number, options: ReceiveOptions = {}): Promise<Message<T>[]> {
    try {
      checkCount(tried, 'limit', limit)
      checkOptions(tried, options, RECEIVE_OPTIONS)
      const { waitMs = 0, signal } = options
      signal?.throwIfAborted()
      return this.#take(tried, limit, waitMs, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #take(
    tried: string,
    limit: number,
    waitMs: number,
    signal: AbortSignal | undefined,
    onError?: (error: unknown) => void,
  ): Promise<Message<T>[]> {
    const context = this.#context
    const show = (): Message<T>[] => []
    return this.#observe('receive', tried !== 'receive', show, (messages) => {
      if (context.closing.aborted) return Promise.reject(context.closedError(tried))
      if (this.#paused && waitMs === 0) return Promise.resolve([])
      return new Promise((resolve, reject) => {
        new Ask({
          desk: this.#desk,
          line: this.#line,
          clock: context.options.clock,
          limit,
          waitMs,
          signal,
          isPaused: () => this.#paused,
          open: (deliveries, at) => allOf(this.#open(deliveries, at)),
          closedError: () => context.closedError(tried),
          onError,
          resolve: (received) => {
            messages?.push(...received)
            resolve(received)
          },
          reject,
        })
      })
    })
  }

  #observe<R>(
    name: Operation['name'],
    batch: boolean,
    show: () => Message<T>[],
    run: (messages?: Message<T>[]) => Promise<R>,
  ): Promise<R> {
    return this.#context.observe(name, this.group, batch, show, run)
  }

  /** Makes messages of deliveries. */
  #open(deliveries: readonly Delivery[], at: number): (Message<T> | Promise<Message<T> | undefined>)[] {
    const { activity } = this.#context
    const now = activity.turn()
    activity.count('delivered', deliveries.length)
    for (const { attempt, lastError, timestamp } of deliveries) {
      // One with an error was delivered before, and given back.
      if (attempt === 1 && lastError === undefined) activity.took('delivery', now - timestamp)
    }
    const until = at + this.#settings.leaseMs
    return deliveries.map((delivery) => this.#openOne(delivery, until))
  }

  /** Makes a dead letter instead, and no message, of what cannot be read or no longer fits the schema. */
  #openOne(delivery: Delivery, until: number): Message<T> | Promise<Message<T> | undefined> {
    const { codec, schema } = this.#context.options
    const { group } = this
    try {
      const payload = read(codec, schema, delivery.body)
      if (!(payload instanceof Promise)) return new Message(delivery, payload, group, until, this)
      return payload.then(
        (valid) => new Message(delivery, valid, group, until, this),
        (error: unknown) => this.#bury(delivery, error),
      )
    } catch (error) {
      return this.#bury(delivery, error)
    }
  }

  #bury({ receipt }: Delivery, error: unknown): Promise<undefined> {
    this.#context.activity.count('failed', 1)
    const { deadForMs } = this.#settings
    const reason = 'unreadable'
    const settlement: Settlement = { receipt, kind: 'dead', reason, error: errorText(error), deadForMs }
    return new Promise((resolve, reject) => {
      // Stale is as good: then somebody else finds it unreadable.
      this.#desk.settle([settlement], () => resolve(undefined), reject)
    })
  }

  /**
   * Done: the group has finished with the message.
   *
   * @param message Its {@link Message.receipt} does as well: from another request or process, on any consumer of the group.
   * @throws {@link QuaysideError} `STALE_RECEIPT`: its lease is over and somebody else was given it, it was cancelled, or it
   * was settled before; `stale` has its id. Nothing was changed. And what {@link receive} throws when the storage cannot be
   * used; then it may be tried again.
   */
  ack(message: Settled<T>, options?: SettleOptions): Promise<void> {
    try {
      if (options !== undefined) checkOptions('ack', options, SETTLE_OPTIONS)
      return this.#settle('ack', '', [message], ackOf, options)
    } catch (error) {
      return Promise.reject(error)
    }
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
    await this.#settle('nack', batch, messages, (ticket) => this.#failureOf(ticket, options), options)
  }

  /** Never deliver it again: it becomes a dead letter, `rejected`. @throws as {@link ack} */
  async reject(message: Settled<T>, options: RejectOptions = {}): Promise<void> {
    checkOptions('reject', options, REJECT_OPTIONS)
    const error = cutError(options.reason)
    const { deadForMs } = this.#settings
    await this.#settle(
      'reject',
      '',
      [message],
      ({ receipt }) => ({ receipt, kind: 'dead', reason: 'rejected', error, deadForMs }),
      options,
    )
  }

  /**
   * Keeps the message for `leaseMs` from now. Answers with the {@link Message.receipt} that holds from then on.
   *
   * @throws as {@link ack}
   */
  async extend(message: Settled<T>, leaseMs: number, options?: SettleOptions): Promise<string> {
    checkPositiveMs('extend', 'leaseMs', leaseMs)
    if (options !== undefined) checkOptions('extend', options, SETTLE_OPTIONS)
    let receipt: string | undefined
    await this.#settle(
      'extend',
      '',
      [message],
      (ticket) => ({ receipt: ticket.receipt, kind: 'extend', leaseMs }),
      options,
      ([result]) => (receipt = result!.receipt),
    )
    if (typeof message === 'string') {
      const ticket = ticketOf(message)!
      return receiptOf(receipt === undefined ? ticket : { ...ticket, receipt })
    }
    leaseOf(message).until = this.#context.now() + leaseMs
    return message.receipt
  }

  /** How a delivery that failed goes on. */
  #failureOf(
    { receipt, attempt, maxAttempts }: Ticket,
    { delayMs, reason, counts }: NackOptions,
  ): Settlement {
    const error = cutError(reason)
    const { retry, deadForMs } = this.#settings
    if (counts !== false && attempt >= maxAttempts)
      return { receipt, kind: 'dead', reason: 'exhausted', error, deadForMs }
    const wait = delayMs ?? backoffDelay(attempt, this.#context.options.random(), retry)
    return { receipt, kind: 'retry', delayMs: wait, error, counts }
  }

  #settle(
    name: Settling,
    batch: Batch,
    messages: readonly Settled<T>[],
    settlementOf: (ticket: Ticket) => Settlement,
    { signal }: SettleOptions = {},
    look?: (results: readonly SettleResult[]) => void,
  ): Promise<void> {
    const tried = name + batch
    // What is none of its messages is refused below.
    const show = (): Message<T>[] => messages.filter((message) => this.#isOwn(message))
    const settle = (): Promise<void> =>
      new Promise((resolve, reject) => {
        // All of it may throw, so it comes before anything is noted.
        signal?.throwIfAborted()
        const own: Message<T>[] = []
        const settlements = messages.map((message) => {
          if (this.#isOwn(message)) {
            own.push(message)
            return settlementOf(ticketFor(message))
          }
          const ticket = typeof message === 'string' ? ticketOf(message) : undefined
          if (ticket === undefined) throw invalid(tried, FOREIGN, message)
          return settlementOf(ticket)
        })
        if (settlements.length === 0) return resolve()
        const lost = own.filter((message) => leaseOf(message).gone)
        // What was taken from its handler must not be settled by it before whoever took it has done so.
        if (lost.length > 0 && lost.length === messages.length) throw staleError(tried, lost.map(idOf))
        const before = own.map((message) => leaseOf(message).settled)
        if (name !== 'extend') for (const message of own) leaseOf(message).settled = true
        const fail = (error: unknown): void => {
          // It may be tried again: by its handler, or by the loop that called it.
          for (const [i, message] of own.entries())
            leaseOf(message).settled = before[i]! || leaseOf(message).gone
          reject(error)
        }
        const offAbort = onAbort(signal, () => fail(signal!.reason))
        this.#desk.settle(
          settlements,
          (results) => {
            offAbort()
            const stale = messages.filter((message, i) => this.#note(message, settlements[i]!, results[i]!))
            look?.(results)
            if (stale.length === 0) resolve()
            else reject(staleError(tried, stale.map(idOf), messages.length - stale.length))
          },
          (error) => {
            offAbort()
            fail(error)
          },
          signal,
        )
      })
    return this.#observe(name, batch !== '', show, settle)
  }

  #isOwn(message: Settled<T>): message is Message<T> {
    return settlerOf(message) === this
  }

  /** Takes in what became of a settlement. Answers whether it was stale. */
  #note(message: Settled<T>, settlement: Settlement, result: SettleResult): boolean {
    const lease = typeof message === 'string' ? undefined : leaseOf(message)
    if (result.receipt !== undefined && lease !== undefined) lease.receipt = result.receipt
    if (result.status === 'stale') return true
    if (settlement.kind === 'extend') return false
    this.#context.activity.count(settlement.kind === 'ack' ? 'acked' : 'failed', 1)
    lease?.onEnd?.(settlement)
    return false
  }

  /** Takes no more messages until {@link resume}. What was delivered goes on; `receive` waits, or answers with nothing. */
  pause(): void {
    this.#paused = true
    this.#desk.poke()
  }

  resume(): void {
    this.#paused = false
    this.#desk.poke()
  }

  get paused(): boolean {
    return this.#paused
  }

  /**
   * Works on messages until the signal aborts or the queue is closed: `handler` returns, the message is acked; it throws,
   * the message is tried again by the retry policy. Leases are extended while a handler works, `timeoutMs` at most.
   *
   * It goes on when the storage fails in a way that it may get over (`STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`,
   * `LOCKED`): it tries again after 50 ms to 10 s, handlers go on meanwhile, and what they finished is settled later. See
   * `onError`.
   *
   * Once stopped it takes nothing new, tells the handlers by their signal, and resolves when they have ended. A handler
   * that throws after that hands its message back, without losing an attempt.
   *
   * @throws {@link QuaysideError} `CLOSED`, `CORRUPT`, `INVALID_ARGUMENT`, `UNSUPPORTED`, and whatever else is no passing
   * trouble of the storage: after the running handlers have ended. Once stopped, also what has kept it for 10 s from
   * settling what handlers had finished.
   */
  async run(handler: Handler<T>, options: RunOptions<T> = {}): Promise<void> {
    checkOptions('run', options, RUN_OPTIONS)
    await this.#loop('run', handler, options, false)
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
  async drain(handler: Handler<T>, options: DrainOptions<T> = {}): Promise<DrainReport> {
    checkOptions('drain', options, { ...RUN_OPTIONS, deadline: checkTime })
    return await this.#loop('drain', handler, options, true)
  }

  async #loop(
    tried: string,
    handler: Handler<T>,
    options: DrainOptions<T>,
    untilEmpty: boolean,
  ): Promise<DrainReport> {
    checkFunction(tried, 'handler', handler)
    const context = this.#context
    if (context.closing.aborted) throw context.closedError(tried)
    const loop = new Loop<T>({
      clock: context.options.clock,
      desk: this.#desk,
      line: this.#line,
      isPaused: () => this.#paused,
      open: (deliveries, at) => this.#open(deliveries, at),
      failureOf: (message, reason) => this.#failureOf(ticketFor(message), { reason }),
      note: (message, settlement, result) => this.#note(message, settlement, result),
      handler: (message, job) =>
        this.#observe(
          'process',
          false,
          () => [message],
          () => handler(message, job) as Promise<unknown>,
        ),
      took: (ms) => context.activity.took('handler', ms),
      options,
      untilEmpty,
    })
    return await context.track(loop.run())
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
    const { closing } = this.#context
    const { onError } = options
    return new Messages(closing, options.signal, (signal) =>
      this.#take('receive', 1, Infinity, signal, onError).then(([message]) => message!),
    )
  }

  /** As {@link messages}, without options: `for await (const message of consumer)`. */
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined, undefined> {
    return this.messages()
  }
}

function ackOf({ receipt }: Ticket): Settlement {
  return { receipt, kind: 'ack' }
}

function ticketFor(message: Message<unknown>): Ticket {
  const { attempt, maxAttempts } = message
  return { receipt: leaseOf(message).receipt, attempt, maxAttempts }
}

function idOf(message: Settled<unknown>): string {
  return typeof message === 'string' ? message : message.id
}

/** Those that could be read. */
function allOf<T>(
  opened: (Message<T> | Promise<Message<T> | undefined>)[],
): Message<T>[] | Promise<Message<T>[]> {
  if (opened.every((one) => one instanceof Message)) return opened
  return Promise.all(opened.map((one) => Promise.resolve(one))).then((all) =>
    all.filter((one) => one !== undefined),
  )
}
