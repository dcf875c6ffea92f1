import { Batcher } from './batcher.ts'
import {
  type Check,
  type Checks,
  byteLength,
  checkArray,
  checkNothing,
  checkOptions,
  checkSignal,
  checkSize,
  mustBe,
} from './check.ts'
import type { Context } from './context.ts'
import { QuaysideError } from './errors.ts'
import { MESSAGE } from './message-checks.ts'
import { measure, prepare } from './prepare.ts'
import type { AppendResult, NewMessage } from './storage.ts'
import { TransactionProducer } from './within.ts'

/** What belongs to one message. */
export interface MessageOptions {
  /**
   * The id of the message: a second one with the same id, while the first is retained, is a duplicate and not stored.
   * 1 to 256 bytes of UTF-8. A send that is tried again because its answer was lost needs `dedupeMs` as well: the message
   * may be done by then. @defaultValue a UUID v7
   */
  readonly id?: string | undefined
  /**
   * The ordering key: messages of one key are worked on one at a time and in order, in each group. 1 to 256 bytes of UTF-8.
   * @defaultValue none
   */
  readonly key?: string | undefined
  /**
   * The lane, whose flow it shares: a tenant, a destination, a kind of work. Groups take from lanes in turn, and in order from
   * each; a key belongs to its lane. See {@link ConsumerOptions.lanes} and {@link Queue.hold}. 1 to 128 bytes of UTF-8.
   * @defaultValue none
   */
  readonly lane?: string | undefined
  /** Texts that travel with the message, next to the payload. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long until it may be delivered, in ms. The clock starts when it is stored. @defaultValue 0 */
  readonly delayMs?: number | undefined
  /**
   * How long until nobody wants it any more, in ms, counted from when it is stored; then it becomes a dead letter. Must be
   * more than `delayMs`. @defaultValue never
   */
  readonly expiresInMs?: number | undefined
  /** How many deliveries it may have in each group, the first included. @defaultValue what the consumer's `retry` says */
  readonly maxAttempts?: number | undefined
  /**
   * Together with `id`: if a message of this id still waits, it carries this payload and these options from now on. If
   * somebody works on it already, this one is stored behind it. @defaultValue false
   */
  readonly replace?: boolean | undefined
  /**
   * Together with `replace` and `delayMs`: how far replacements put the message off at most, in ms from when the first of those
   * that wait under this id was stored. So what is replaced again and again is delivered all the same. Not less than
   * `delayMs`. @defaultValue for ever
   */
  readonly maxDelayMs?: number | undefined
  /**
   * How long it is kept what became of the message in each group, in ms, once it is done or dead there: what its handler
   * returned, or why it died. See {@link Queue.result}. 0: not at all. @defaultValue what {@link QueueOptions.keepMs} says
   */
  readonly keepMs?: number | undefined
  /** Together with `id`: how long the id is still known after the message was done, in ms. @defaultValue 0 */
  readonly dedupeMs?: number | undefined
}

export interface SendBatchOptions {
  /**
   * Gives the send up: it rejects with the signal's reason, and nothing is stored. Once the storage was asked it is too late
   * for that: then the call ends as if there were no signal. While another send of this producer is under way it is not
   * asked yet, nor before it is open.
   */
  readonly signal?: AbortSignal | undefined
}

export interface SendOptions extends MessageOptions, SendBatchOptions {}

/** One message of a batch. */
export interface BatchMessage<T> extends MessageOptions {
  readonly payload: T
}

export type SendResult = AppendResult

const checkTransaction: Check = mustBe(
  'a connection or transaction of the database',
  (value) => (typeof value === 'object' || typeof value === 'function') && value !== null,
)
const SEND_OPTIONS = { ...MESSAGE, signal: checkSignal }
/** What a message of a batch may have. */
export const BATCH_MESSAGE: Checks & Readonly<Record<keyof BatchMessage<unknown>, Check>> = {
  payload: checkNothing,
  ...MESSAGE,
}

/** Sends messages to a queue. */
export class Producer<T> {
  readonly #context: Context<T>
  readonly #batcher: Batcher<NewMessage, AppendResult>

  /** @internal Made by {@link Queue.createProducer}. */
  constructor(context: Context<T>) {
    this.#context = context
    this.#batcher = batcherOf(context)
  }

  /**
   * Stores a message. Resolves when it is as durable as the storage promises. Calls that are made while one is under way
   * share the next write.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSERIALIZABLE`, `SCHEMA_MISMATCH`, `UNSUPPORTED`:
   * nothing was stored. `QUOTA_EXCEEDED`: no room, nothing was stored. `CLOSED`, `LOCKED`, `CORRUPT`,
   * `STORAGE_UNAVAILABLE`, `TIMEOUT`: the storage could not be used. `STORAGE_FAILED`: it broke; whether the message was
   * stored is unknown; sending it again is safe with the same `id` and a `dedupeMs`. The signal's reason, if it is aborted
   * before the storage was asked: nothing was stored.
   */
  send(payload: T, options?: SendOptions): Promise<SendResult> {
    try {
      if (options !== undefined) checkOptions('send', options, SEND_OPTIONS)
      options?.signal?.throwIfAborted()
      return this.#observe(false, [options], (drafts) => {
        const message = this.#prepare('send', payload, options, drafts?.[0])
        const messages = message instanceof Promise ? message.then((ready) => [ready]) : [message]
        return this.#store(messages, firstOf, options?.signal)
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Stores messages in one write, all or none. Answers in their order.
   *
   * @throws as {@link send}, and `TOO_LARGE` where the batch has more messages or bytes than the storage takes at once.
   */
  async sendBatch(
    messages: readonly BatchMessage<T>[],
    options: SendBatchOptions = {},
  ): Promise<SendResult[]> {
    checkArray('sendBatch', 'messages', messages)
    checkOptions('sendBatch', options, { signal: checkSignal })
    const { maxBatch } = this.#context.guarantees
    checkSize('sendBatch', 'a batch', 'messages', messages.length, maxBatch)
    this.#context.admit('sendBatch')
    const { signal } = options
    signal?.throwIfAborted()
    if (messages.length === 0) return []
    return await this.#observe(true, messages, (drafts) =>
      this.#store(this.#prepareBatch(messages, drafts), (results) => results as SendResult[], signal),
    )
  }

  /**
   * Sends in a transaction that the caller has begun on the database in which the storage lies, and commits: what it stores
   * and the messages are there together, or not at all. What a transaction is says the storage; sqlite and postgres
   * have them.
   *
   * @throws {@link QuaysideError} `UNSUPPORTED`, `INVALID_ARGUMENT`.
   */
  within(transaction: object): TransactionProducer<T> {
    checkTransaction('within', 'transaction', transaction)
    return new TransactionProducer(this.#context, transaction)
  }

  #prepare(
    tried: string,
    payload: T,
    options: MessageOptions | undefined,
    draft: Draft | undefined,
  ): NewMessage | Promise<NewMessage> {
    this.#context.admit(tried)
    return prepare(this.#context, tried, payload, options, (draft ?? options)?.headers)
  }

  #prepareBatch(
    messages: readonly BatchMessage<T>[],
    drafts: readonly Draft[] | undefined,
  ): readonly NewMessage[] | Promise<readonly NewMessage[]> {
    const prepared = messages.map((message, i) => {
      try {
        const tried = `sendBatch, message ${i}`
        checkOptions(tried, message, BATCH_MESSAGE)
        return this.#prepare(tried, message.payload, message, drafts?.[i])
      } catch (error) {
        // Not thrown: then nobody would listen to a schema that refuses another message later.
        return Promise.reject(error)
      }
    })
    // Most schemas and codecs answer at once.
    if (prepared.every(isReady)) return this.#checkTogether(prepared)
    return Promise.all(prepared.map((one) => Promise.resolve(one))).then((all) => this.#checkTogether(all))
  }

  /** Sends messages under the eyes of whoever observes the queue, and shows them the ids that they got. */
  #observe<R extends SendResult | SendResult[]>(
    batch: boolean,
    all: readonly (MessageOptions | undefined)[],
    send: (drafts?: readonly Draft[]) => Promise<R>,
  ): Promise<R> {
    if (this.#context.options.instrumentation === undefined) return send()
    // Options of a batch may be anything at all here: they are checked later.
    const show = (): Draft[] =>
      all.map((one) => ({ id: one?.id, lane: one?.lane, headers: { ...one?.headers } }))
    return this.#context.observe('send', undefined, batch, show, (drafts) => {
      const sent = send(drafts)
      return sent.then((results) => {
        for (const [i, { id }] of [results].flat().entries()) drafts![i]!.id = id
        return results
      })
    })
  }

  /** Puts messages into the order of sending, before they are ready even. */
  #store<R>(
    messages: readonly NewMessage[] | Promise<readonly NewMessage[]>,
    answer: (results: readonly SendResult[]) => R,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#batcher.add(
        messages,
        (results) => {
          this.#context.activity.count('sent', results.length)
          resolve(answer(results))
        },
        reject,
        signal,
      )
    })
  }

  /** What a batch may weigh. One message alone always may: its parts have limits of their own. */
  #checkTogether(messages: readonly NewMessage[]): readonly NewMessage[] {
    const { maxBatchBytes } = this.#context.guarantees
    if (messages.length > 1 && maxBatchBytes < Infinity && sum(messages, atMost) > maxBatchBytes)
      checkSize('sendBatch', 'a batch', 'bytes together', sum(messages, byteLength), maxBatchBytes)
    return messages
  }
}

/** Where messages become appends, as many at a time as the storage takes. */
export function batcherOf<T>(context: Context<T>): Batcher<NewMessage, AppendResult> {
  return new Batcher({
    write: (messages) => context.append(messages),
    max: () => context.guarantees.maxBatch,
    weigh: (messages) => sum(messages, atMost),
    maxWeight: () => context.guarantees.maxBatchBytes,
    nameOf: ({ id }) => id,
    opening: () => context.opening('send'),
    isolates: (error) => error instanceof QuaysideError && error.code === 'QUOTA_EXCEEDED',
    busy: context.batchers,
  })
}

/** A message that is about to be sent, for whoever observes it. */
interface Draft {
  id: string | undefined
  readonly lane: string | undefined
  headers: Record<string, string>
}

/** A UTF-16 unit is three bytes of UTF-8 at most: quicker than an exact count. */
function atMost(text: string): number {
  return text.length * 3
}

/** The bytes of all messages together: bodies, ids, keys, lanes and headers. */
function sum(messages: readonly NewMessage[], ofText: (text: string) => number): number {
  let bytes = 0
  for (const { body, id = '', key = '', lane = '', headers } of messages) {
    bytes += measure(body, ofText) + ofText(id) + ofText(key) + ofText(lane)
    for (const name in headers) bytes += ofText(name) + ofText(headers[name]!)
  }
  return bytes
}

function isReady(message: NewMessage | Promise<NewMessage>): message is NewMessage {
  return !(message instanceof Promise)
}

function firstOf(results: readonly SendResult[]): SendResult {
  return results[0]!
}
