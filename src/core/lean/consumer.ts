import { abortReason, onceAborted, throwIfAborted } from '../../aborts.ts'
import { take } from '../ask.ts'
import {
  MADE_HERE,
  checkArray,
  checkCount,
  checkOptions,
  checkPositiveMs,
  checkSignal,
  checkWaitMs,
  invalid,
} from '../../check.ts'
import type { Context } from '../context.ts'
import type { Unit } from '../desk.ts'
import { ENDS, type Kind, endOf } from '../ends.ts'
import { Hand } from '../hand.ts'
import {
  type AckOptions,
  type Attempts,
  type Lease,
  type Message,
  type NackOptions,
  type ParkOptions,
  type RejectOptions,
  type SettleOptions,
  type Settler,
  leaseOf,
  settlerOf,
  staleError,
  ticketOf,
} from '../message.ts'
import { encodeResult } from '../outcomes.ts'
import { type ConsumerSettings, Reader } from '../reader.ts'
import type { RetryPolicy } from '../retry.ts'
import type { SettleResult, Settlement } from '../../storage.ts'

/** How a consumer takes messages, and what becomes of those that fail. */
export interface ConsumerOptions {
  /**
   * How long a message belongs to this consumer once it is delivered, in ms; then others get it, unless the lease was
   * extended. `run` and `drain` extend it while a handler works. Longer than handlers need and shorter than you
   * want to wait for the messages of a consumer that died. @defaultValue 30,000
   */
  readonly leaseMs?: number | undefined
  /** How often, and after how long, a failed delivery is tried again. @defaultValue those of {@link RetryPolicy} */
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

/** How long a `receive` waits. */
export interface ReceiveOptions {
  /**
   * How long to wait for a message, in ms, if there is none; `Infinity`: for ever. What an async codec or schema has not read
   * by then is handed back, without losing an attempt. Who waits tries again while the storage
   * fails in a way that it may get over, and rejects with its error if it still does at the end. What is not read after 15
   * minutes has failed its attempt, however long the wait. @defaultValue 0
   */
  readonly waitMs?: number | undefined
  /** Ends the wait, also for an async codec or schema: the call rejects with the signal's reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined
}

/** What settles a message: the message, or its {@link Message.receipt}. */
export type Settled<T> = Message<T> | string

/** How a message is settled by hand. */
type Settling = 'ack' | Kind | 'extend'
/** What one call settles. */
interface Call<T> {
  readonly tried: string
  readonly messages: readonly Settled<T>[]
  /** Of those that nobody has settled before. */
  readonly leases: readonly Lease[]
  readonly settlements: readonly Settlement[]
}

/** What the name of a method ends with if it is one for many messages. */
type Batch = '' | 'Batch'

const NO_OPTIONS = {}

const FOREIGN = 'a message must be one that this consumer received, or the receipt of one'

const RECEIVE_OPTIONS = { waitMs: checkWaitMs, signal: checkSignal }
const SETTLE_OPTIONS = { signal: checkSignal }
const ACK_OPTIONS = { ...ENDS.ack, ...SETTLE_OPTIONS }

/** Lets those see how a consumer takes and settles who take in its name, and nobody else. */
export let readerOf: <T>(consumer: Consumer<T>) => Reader<T>

/**
 * Receives the messages of a queue for one group, in which each message goes to one consumer.
 *
 * ```ts
 * const message = await queue.createConsumer('mailer').receive({ waitMs: 10_000 })
 * await message?.ack()
 * ```
 */
export class Consumer<T> implements Settler {
  readonly group: string
  readonly #reader: Reader<T>

  static {
    readerOf = (consumer) => {
      if (!(#reader in Object(consumer))) throw invalid('consumer', MADE_HERE, consumer)
      return consumer.#reader
    }
  }

  /** @internal Made by {@link Queue.createConsumer}. */
  constructor(context: Context<T>, settings: ConsumerSettings) {
    this.group = settings.group
    this.#reader = new Reader(context, settings, this)
  }

  /**
   * Makes the group now, if it is not there yet: from then on it gets every message. Whatever is done next on the `Queue`
   * object does so too; this is for a start at which others, with objects of their own, may be quicker, and finish with a
   * message before this group exists.
   *
   * @throws {@link QuaysideError} `CLOSED`, `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used.
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
      throwIfAborted(signal)
      return take(this.#reader, { tried, limit, waitMs, signal }, answerOf)
    } catch (error) {
      return Promise.reject(error)
    }
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
      return this.#settle('ack', '', [message], ackOf, options)
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
  nack(message: Settled<T>, options: NackOptions = NO_OPTIONS): Promise<void> {
    return this.#end('nack', '', [message], options)
  }

  /** As {@link nack}, for messages, in one write. */
  nackBatch(messages: readonly Settled<T>[], options: NackOptions = NO_OPTIONS): Promise<void> {
    return this.#end('nack', 'Batch', messages, options)
  }

  /** Never deliver it again: it becomes a dead letter, `rejected`. @throws as {@link ack} */
  reject(message: Settled<T>, options: RejectOptions = NO_OPTIONS): Promise<void> {
    return this.#end('reject', '', [message], options)
  }

  /**
   * It waits for a person or a fix: it keeps its place, is handed to nobody, blocks its ordering key, and is listed as `parked`
   * with what is said here, until {@link Queue.resume}, {@link Queue.edit} or {@link Queue.cancel}. It never goes on by itself,
   * but may expire.
   *
   * @throws as {@link ack}, and `INVALID_ARGUMENT`, `UNSERIALIZABLE`, `TOO_LARGE`, `UNSUPPORTED`: nothing was changed.
   */
  park(message: Settled<T>, options: ParkOptions): Promise<void> {
    return this.#end('park', '', [message], options)
  }

  async #end(
    kind: Kind,
    batch: Batch,
    messages: readonly Settled<T>[],
    options: NackOptions | RejectOptions | ParkOptions,
  ): Promise<void> {
    const tried = kind + batch
    checkArray(tried, 'messages', messages)
    checkOptions(tried, options, { ...ENDS[kind], ...SETTLE_OPTIONS })
    await this.#settle(kind, batch, messages, endOf(this.#reader, tried, kind, options), options)
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
   * Keeps the message for `leaseMs` from now. Answers with its {@link Message.receipt}, which stays as it was.
   *
   * @throws as {@link ack}
   */
  async extend(message: Settled<T>, leaseMs: number, options?: SettleOptions): Promise<string> {
    checkPositiveMs('extend', 'leaseMs', leaseMs)
    if (options !== undefined) checkOptions('extend', options, SETTLE_OPTIONS)
    await this.#settle('extend', '', [message], (receipt) => ({ receipt, kind: 'extend', leaseMs }), options)
    return typeof message === 'string' ? message : message.receipt
  }

  #settle(
    name: Settling,
    batch: Batch,
    messages: readonly Settled<T>[],
    settlementOf: (receipt: string, attempts: Attempts) => Settlement,
    { signal }: SettleOptions = NO_OPTIONS,
  ): Promise<void> {
    const { context } = this.#reader
    const run = (): Promise<void> => this.#settleNow(name, name + batch, messages, settlementOf, signal)
    // What is none of its messages is refused below.
    const show = (): Message<T>[] => messages.filter((message) => this.#isOwn(message))
    return context.observe(name, this.group, batch !== '', show, run)
  }

  /** All of it that throws comes before anything is noted. */
  #settleNow(
    name: Settling,
    tried: string,
    messages: readonly Settled<T>[],
    settlementOf: (receipt: string, attempts: Attempts) => Settlement,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { context, desk } = this.#reader
    throwIfAborted(signal)
    const leases: Lease[] = []
    const settlements: Settlement[] = []
    const call: Call<T> = { tried, messages, leases, settlements }
    let gone = 0
    for (const message of messages) {
      if (this.#isOwn(message)) {
        const lease = leaseOf(message)
        if (lease.gone) gone++
        if (!lease.settled && name !== 'extend') leases.push(lease)
        settlements.push(settlementOf(lease.receipt, message))
        continue
      }
      const ticket = typeof message === 'string' ? ticketOf(message) : undefined
      if (ticket === undefined) throw invalid(tried, FOREIGN, message)
      settlements.push(settlementOf(ticket.receipt, ticket))
    }
    if (messages.length === 0) return Promise.resolve()
    // What was taken from its handler must not be settled by it before whoever took it has done so.
    if (gone === messages.length) throw staleError(tried, messages.map(idOf))
    if (context.isEnded) throw context.closedError(tried)
    for (const lease of leases) lease.settled = true
    let done: readonly SettleResult[] | undefined
    try {
      done = context.atOnce?.end(desk, settlements)
    } catch (error) {
      giveBack(call)
      throw error
    }
    return done === undefined ? this.#settleSoon(call, signal) : Promise.resolve(this.#noteAll(call, done, 0))
  }

  #settleSoon(call: Call<T>, signal: AbortSignal | undefined): Promise<void> {
    const { desk } = this.#reader
    return new Promise((resolve, reject) => {
      const unit: Unit<T> = {
        ...call,
        unsure: false,
        settled: (results, from) => {
          offAbort()
          try {
            resolve(this.#noteAll(call, results, from))
          } catch (error) {
            reject(error)
          }
        },
        failed: (error) => {
          offAbort()
          giveBack(call)
          reject(error)
        },
      }
      const offAbort = onceAborted(signal, () => {
        desk.drop(unit)
        unit.failed(abortReason(signal!))
      })
      desk.settle(unit)
    })
  }

  /** Takes in what became of settlements. Throws if some were stale. */
  #noteAll({ tried, messages, settlements }: Call<T>, results: readonly SettleResult[], from: number): void {
    const stale = messages.filter((message, i) => {
      const lease = typeof message === 'string' ? undefined : leaseOf(message)
      return this.#reader.note(lease, settlements[i]!, results[from + i]!)
    })
    if (stale.length > 0) throw staleError(tried, stale.map(idOf), messages.length - stale.length)
  }

  #isOwn(message: Settled<T>): message is Message<T> {
    return settlerOf(message) === this
  }

  /** Takes no more messages until {@link resume}. What was delivered goes on; `receive` waits, or answers with nothing. */
  pause(): void {
    this.#reader.paused = true
    this.#reader.desk.poke()
  }

  /** Goes on after {@link pause}. */
  resume(): void {
    this.#reader.paused = false
    this.#reader.desk.poke()
  }

  /** Whether {@link pause} was called, and {@link resume} not since. */
  get paused(): boolean {
    return this.#reader.paused
  }
}

/** It may be tried again: by its handler, or by the loop that called it. */
function giveBack({ leases }: Call<unknown>): void {
  for (const lease of leases) lease.settled = lease.gone
}

function ackOf(receipt: string): Settlement {
  return { receipt, kind: 'ack' }
}

function idOf(message: Settled<unknown>): string {
  return typeof message === 'string' ? message : message.id
}

function firstOf<T>(messages: readonly Message<T>[]): Message<T> | undefined {
  return messages[0]
}

function allOf<T>(messages: readonly Message<T>[]): Message<T>[] {
  return messages as Message<T>[]
}
