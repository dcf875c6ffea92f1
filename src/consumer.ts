import { Batcher } from './batcher.ts'
import {
  checkArray,
  checkBoolean,
  checkCount,
  checkFunction,
  checkMs,
  checkOptions,
  checkPositiveMs,
  checkSignal,
  checkText,
  checkTime,
  checkWaitMs,
  invalid,
} from './check.ts'
import { read } from './codec.ts'
import type { Context } from './context.ts'
import { cutError, errorText } from './errors.ts'
import type { Operation } from './instrumentation.ts'
import {
  type DrainOptions,
  type DrainReport,
  type Ended,
  type Handler,
  Loop,
  type RunOptions,
} from './loop.ts'
import {
  Message,
  type NackOptions,
  type RejectOptions,
  type Settler,
  leaseOf,
  settlerOf,
  staleError,
} from './message.ts'
import { type RetryPolicy, type RetryRules, backoffDelay } from './retry.ts'
import type { ClaimResult, Delivery, QueueStorage, SettleResult, Settlement } from './storage.ts'
import { Wakeup } from './wakeup.ts'

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
}

export interface ReceiveOptions {
  /** How long to wait for a message, in ms, if there is none; `Infinity`: for ever. @defaultValue 0 */
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
}

/** How a message is settled by hand. */
type Settling = 'ack' | 'nack' | 'reject' | 'extend'
/** What the name of a method ends with if it is one for many messages. */
type Batch = '' | 'Batch'

/** A storage without `watch` that knows of nothing to come is asked again after this long. */
const POLL_MS = 1000

const FOREIGN =
  'a message must be one that this consumer received (its own ack(), nack(), … always find the right one)'

const RECEIVE_OPTIONS = { waitMs: checkWaitMs, signal: checkSignal }
const NACK_OPTIONS = { delayMs: checkMs, reason: checkText, counts: checkBoolean }
const RUN_OPTIONS = { concurrency: checkCount, signal: checkSignal }

/** Receives the messages of a queue for one group, in which each message goes to one consumer. */
export class Consumer<T> implements Settler, AsyncIterable<Message<T>> {
  readonly group: string
  readonly #context: Context<T>
  readonly #settings: ConsumerSettings
  readonly #settlements: Batcher<Settlement, SettleResult>
  readonly #resumed: Set<() => void> = new Set()
  #paused = false

  /** @internal Made by {@link Queue.createConsumer}. */
  constructor(context: Context<T>, settings: ConsumerSettings) {
    this.group = settings.group
    this.#context = context
    this.#settings = settings
    this.#settlements = new Batcher({
      write: (settlements) => {
        context.activity.turn()
        return context.finish('settle', (view) => view.settle(settings.group, settlements))
      },
      max: () => context.guarantees.maxBatch,
      busy: context.batchers,
    })
  }

  /**
   * Makes the group, if it is not there yet: from then on it gets every message. Receiving does so too; this is for a
   * start at which another group may be quicker, and finish with a message before this one exists.
   */
  async join(): Promise<void> {
    await this.#context.use('join', (view) => this.#claim(view, 0))
  }

  /**
   * Takes the next message, if there is one. It belongs to this consumer until its lease ends: settle it before.
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
      const show = (): Message<T>[] => []
      return this.#observe('receive', tried !== 'receive', show, (messages) => {
        const received = this.#context.use(tried, (view) => {
          if (waitMs > 0) return this.#wait(tried, view, limit, waitMs, signal)
          return this.#take(view, limit)
        })
        return messages === undefined
          ? received
          : received.then((all) => {
              messages.push(...all)
              return all
            })
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #observe<R>(
    name: Operation['name'],
    batch: boolean,
    show: () => Message<T>[],
    run: (messages?: Message<T>[]) => Promise<R>,
  ): Promise<R> {
    return this.#context.observe(name, this.group, batch, show, run)
  }

  #take(view: QueueStorage, limit: number): Promise<Message<T>[]> {
    if (this.#paused) return Promise.resolve([])
    return this.#claim(view, limit).then(({ deliveries }) => {
      const messages = this.#open(deliveries)
      if (!(messages instanceof Promise)) return messages
      // Behind what cannot be read there may be more.
      return messages.then((readable) => (readable.length > 0 ? readable : this.#take(view, limit)))
    })
  }

  /** Claims until there is something, or the time is over. */
  async #wait(
    tried: string,
    view: QueueStorage,
    limit: number,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Message<T>[]> {
    const { clock } = this.#context.options
    const { closing } = this.#context
    const until = clock.now() + waitMs
    return await this.#listen(view, [signal, closing], async (wakeup) => {
      for (;;) {
        wakeup.clear()
        let nextInMs: number | undefined
        if (!this.#paused) {
          const result = await this.#claim(view, limit)
          const messages = await this.#open(result.deliveries)
          if (messages.length > 0) return messages
          nextInMs = this.#nextLook(view, result)
        }
        signal?.throwIfAborted()
        if (closing.aborted) throw this.#context.closedError(tried)
        const left = until - clock.now()
        if (left <= 0) return []
        await wakeup.wait(clock, Math.min(left, nextInMs ?? left))
      }
    })
  }

  /** Runs `body` with a wakeup that is hinted at changes of the queue, at `resume()`, and when a signal aborts. */
  async #listen<R>(
    view: QueueStorage,
    signals: readonly (AbortSignal | undefined)[],
    body: (wakeup: Wakeup) => Promise<R>,
  ): Promise<R> {
    const wakeup = new Wakeup()
    const unwatch = view.watch?.(wakeup.hint)
    this.#resumed.add(wakeup.hint)
    for (const signal of signals) signal?.addEventListener('abort', wakeup.hint)
    try {
      return await body(wakeup)
    } finally {
      for (const signal of signals) signal?.removeEventListener('abort', wakeup.hint)
      this.#resumed.delete(wakeup.hint)
      unwatch?.()
    }
  }

  /** In how many ms to look again without having been woken. */
  #nextLook(view: QueueStorage, { nextInMs }: ClaimResult): number | undefined {
    return view.watch === undefined ? Math.min(nextInMs ?? POLL_MS, POLL_MS) : nextInMs
  }

  #claim(view: QueueStorage, limit: number, settle?: readonly Settlement[]): Promise<ClaimResult> {
    const { group, leaseMs, retry, from } = this.#settings
    const { maxBatch } = this.#context.guarantees
    // Else the messages do it, if there are any.
    if (settle !== undefined) this.#context.activity.turn()
    return view.claim({
      group,
      limit: Math.min(limit, maxBatch),
      leaseMs,
      maxAttempts: retry.maxAttempts,
      from,
      settle,
    })
  }

  /** Makes messages of deliveries. */
  #open(deliveries: readonly Delivery[]): Message<T>[] | Promise<Message<T>[]> {
    if (deliveries.length === 0) return []
    const { activity } = this.#context
    const now = activity.turn()
    activity.count('delivered', deliveries.length)
    for (const { attempt, lastError, timestamp } of deliveries) {
      // One with an error was delivered before, and given back.
      if (attempt === 1 && lastError === undefined) activity.took('delivery', now - timestamp)
    }
    const until = now + this.#settings.leaseMs
    const opened = deliveries.map((delivery) => this.#openOne(delivery, until))
    if (opened.every((one) => one instanceof Message)) return opened
    return Promise.all(opened.map((one) => Promise.resolve(one))).then((all) =>
      all.filter((one) => one !== undefined),
    )
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
    const settlement: Settlement = { receipt, kind: 'dead', reason: 'unreadable', error: errorText(error) }
    return new Promise((resolve, reject) => {
      // Stale is as good: then somebody else finds it unreadable.
      this.#settlements.add([settlement], () => resolve(undefined), reject)
    })
  }

  /**
   * Done: the group has finished with the message.
   *
   * @throws {@link QuaysideError} `STALE_RECEIPT`: its lease is over and somebody else was given it, or it was settled
   * before. Nothing was changed. And what {@link receive} throws when the storage cannot be used.
   */
  ack(message: Message<T>): Promise<void> {
    return this.#settle('ack', '', [message], ackOf)
  }

  /** Acks messages in one write. Where some are stale the others are acked all the same. @throws as {@link ack} */
  async ackBatch(messages: readonly Message<T>[]): Promise<void> {
    checkArray('ackBatch', 'messages', messages)
    await this.#settle('ack', 'Batch', messages, ackOf)
  }

  /**
   * Not done: deliver it again, after `delayMs` or what the retry policy says. If this was its last attempt it becomes a
   * dead letter, `exhausted`.
   *
   * @throws as {@link ack}
   */
  nack(message: Message<T>, options?: NackOptions): Promise<void> {
    return this.#nack('', [message], options)
  }

  /** As {@link nack}, for messages, in one write. */
  nackBatch(messages: readonly Message<T>[], options?: NackOptions): Promise<void> {
    return this.#nack('Batch', messages, options)
  }

  async #nack(batch: Batch, messages: readonly Message<T>[], options: NackOptions = {}): Promise<void> {
    const tried = `nack${batch}`
    checkArray(tried, 'messages', messages)
    checkOptions(tried, options, NACK_OPTIONS)
    await this.#settle('nack', batch, messages, (one) => this.#failureOf(one, options))
  }

  /** Never deliver it again: it becomes a dead letter, `rejected`. @throws as {@link ack} */
  async reject(message: Message<T>, options: RejectOptions = {}): Promise<void> {
    checkOptions('reject', options, { reason: checkText })
    const error = cutError(options.reason)
    await this.#settle('reject', '', [message], (one) => {
      return { receipt: leaseOf(one).receipt, kind: 'dead', reason: 'rejected', error }
    })
  }

  /** Keeps the message for `leaseMs` from now. @throws as {@link ack} */
  async extend(message: Message<T>, leaseMs: number): Promise<void> {
    checkPositiveMs('extend', 'leaseMs', leaseMs)
    await this.#settle('extend', '', [message], (one) => ({
      receipt: leaseOf(one).receipt,
      kind: 'extend',
      leaseMs,
    }))
    leaseOf(message).until = this.#context.now() + leaseMs
  }

  /** How a delivery that failed goes on. */
  #failureOf(message: Message<unknown>, { delayMs, reason, counts }: NackOptions): Settlement {
    const { receipt } = leaseOf(message)
    const error = cutError(reason)
    if (counts !== false && message.attempt >= message.maxAttempts)
      return { receipt, kind: 'dead', reason: 'exhausted', error }
    const { retry } = this.#settings
    const wait = delayMs ?? backoffDelay(message.attempt, this.#context.options.random(), retry)
    return { receipt, kind: 'retry', delayMs: wait, error, counts }
  }

  #settle(
    name: Settling,
    batch: Batch,
    messages: readonly Message<T>[],
    settlementOf: (message: Message<T>) => Settlement,
  ): Promise<void> {
    // What is none of its messages is refused below.
    const show = (): Message<T>[] => messages.filter((message) => settlerOf(message) === this)
    const settle = (): Promise<void> =>
      new Promise((resolve, reject) => {
        // All of it may throw, so it comes before anything is noted.
        for (const message of messages) {
          if (settlerOf(message) !== this) throw invalid(name + batch, FOREIGN, message)
        }
        const settlements = messages.map(settlementOf)
        if (settlements.length === 0) return resolve()
        if (name !== 'extend') for (const message of messages) leaseOf(message).settled = true
        this.#settlements.add(
          settlements,
          (results) => {
            const stale = messages.filter((message, i) => this.#note(message, settlements[i]!, results[i]!))
            if (stale.length === 0) resolve()
            else reject(staleError(name + batch, stale))
          },
          reject,
        )
      })
    return this.#observe(name, batch !== '', show, settle)
  }

  /** Takes in what became of a settlement. Answers whether it was stale. */
  #note(message: Message<T>, settlement: Settlement, result: SettleResult): boolean {
    if (result.receipt !== undefined) leaseOf(message).receipt = result.receipt
    if (result.status === 'stale') return true
    if (settlement.kind === 'extend') return false
    this.#context.activity.count(settlement.kind === 'ack' ? 'acked' : 'failed', 1)
    leaseOf(message).onEnd?.(settlement)
    return false
  }

  /** Takes no more messages until {@link resume}. What was delivered goes on; `receive` waits, or answers with nothing. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    for (const hint of this.#resumed) hint()
  }

  get paused(): boolean {
    return this.#paused
  }

  /**
   * Works on messages until the signal aborts or the queue is closed: `handler` returns, the message is acked; it throws,
   * the message is tried again by the retry policy. Leases are extended while a handler works.
   *
   * Once stopped it takes nothing new, tells the handlers by their signal, and resolves when they have ended. A handler
   * that throws after that hands its message back, without losing an attempt.
   *
   * @throws {@link QuaysideError} when the storage fails: after the running handlers have ended. `INVALID_ARGUMENT`.
   */
  async run(handler: Handler<T>, options: RunOptions = {}): Promise<void> {
    checkOptions('run', options, RUN_OPTIONS)
    await this.#loop('run', handler, options, false)
  }

  /**
   * Works on messages until nothing is due, and reports. Messages that are tried again later are left for later.
   *
   * With a deadline it takes nothing new once the time that is left is shorter than the longest handler took, and just
   * before the deadline hands back what is not finished, without losing an attempt.
   *
   * @throws as {@link run}
   */
  async drain(handler: Handler<T>, options: DrainOptions = {}): Promise<DrainReport> {
    checkOptions('drain', options, { ...RUN_OPTIONS, deadline: checkTime })
    return await this.#loop('drain', handler, options, true)
  }

  async #loop(
    tried: string,
    handler: Handler<T>,
    options: DrainOptions,
    untilEmpty: boolean,
  ): Promise<DrainReport> {
    checkFunction(tried, 'handler', handler)
    const context = this.#context
    const view = await context.open(tried)
    return await context.track(
      this.#listen(view, [options.signal, context.closing], async (wakeup) => {
        const loop = new Loop<T>({
          clock: context.options.clock,
          closing: context.closing,
          leaseMs: this.#settings.leaseMs,
          wakeup,
          isPaused: () => this.#paused,
          claim: (limit, ended) => {
            if (ended.length === 0) return this.#claim(view, limit)
            return this.#observeEnd('settle', ended, (settlements) => this.#claim(view, limit, settlements))
          },
          settle: (name, ended) =>
            this.#observeEnd(name, ended, (settlements) => {
              context.activity.turn()
              return view.settle(this.group, settlements)
            }),
          unsettled: () => this.#settlements.idle(),
          open: (deliveries) => this.#open(deliveries),
          nextLook: (result) => this.#nextLook(view, result),
          failureOf: (message, reason) => this.#failureOf(message, { reason }),
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
        const report = await loop.run()
        // The report counts what handlers settled themselves, too.
        await this.#settlements.idle()
        return report
      }),
    )
  }

  /** Has a loop settle what ended, under the eyes of whoever observes the queue. */
  #observeEnd<R>(
    name: 'settle' | 'extend',
    ended: readonly Ended<T>[],
    settle: (settlements: readonly Settlement[]) => Promise<R>,
  ): Promise<R> {
    return this.#observe(
      name,
      true,
      () => ended.map(({ message }) => message),
      () => settle(ended.map(({ settlement }) => settlement)),
    )
  }

  /**
   * `for await (const message of consumer)`: messages one at a time, as they come, until the loop is left or the queue is
   * closed. The body settles each message, before its lease ends.
   */
  async *[Symbol.asyncIterator](): AsyncIterator<Message<T>, void, undefined> {
    const { closing } = this.#context
    while (!closing.aborted) {
      let message: Message<T> | undefined
      try {
        message = await this.receive({ waitMs: Infinity })
      } catch (error) {
        if (closing.aborted) return
        throw error
      }
      if (message !== undefined) yield message
    }
  }
}

function ackOf(message: Message<unknown>): Settlement {
  return { receipt: leaseOf(message).receipt, kind: 'ack' }
}
