import { throwIfAborted } from '../../aborts.ts'
import { type Answer, Batcher } from '../batcher.ts'
import {
  type Check,
  type Checks,
  byteLength,
  checkArray,
  checkNothing,
  checkOptions,
  checkSignal,
  checkSize,
} from '../../check.ts'
import type { Context } from '../context.ts'
import { MESSAGE } from '../message-checks.ts'
import type { BatchMessage, MessageOptions, SendBatchOptions, SendOptions } from '../message-options.ts'
import { type Draft, atMost, prepare, weigh } from '../prepare.ts'
import type { AppendResult } from '../../storage.ts'

/** What became of a message that was sent. */
export type SendResult = AppendResult

const SEND_OPTIONS = { ...MESSAGE, signal: checkSignal }
/** What a message of a batch may have. */
export const BATCH_MESSAGE: Checks & Readonly<Record<keyof BatchMessage<unknown>, Check>> = {
  payload: checkNothing,
  ...MESSAGE,
}

/**
 * Sends messages to a queue.
 *
 * ```ts
 * await queue.createProducer().send({ total: 42 }, { id: 'order-1', key: 'customer-7' })
 * ```
 */
export class Producer<T> {
  readonly #context: Context<T>
  readonly #batcher: Batcher<T>

  /** @internal Made by {@link Queue.createProducer}. */
  constructor(context: Context<T>) {
    this.#context = context
    this.#batcher = new Batcher(context)
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
      throwIfAborted(options?.signal)
      return this.#observe(false, [options], (drafts) => {
        const message = this.#prepare('send', payload, options, drafts?.[0])
        const messages = message instanceof Promise ? message.then((ready) => [ready]) : [message]
        return this.#store(messages, (results, from) => results[from]!, options?.signal)
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
    throwIfAborted(signal)
    if (messages.length === 0) return []
    return await this.#observe(true, messages, (drafts) =>
      this.#store(
        this.#prepareBatch(messages, drafts),
        (results, from, to) => results.slice(from, to),
        signal,
      ),
    )
  }

  #prepare(
    tried: string,
    payload: T,
    options: MessageOptions | undefined,
    shown: Shown | undefined,
  ): Draft | Promise<Draft> {
    const context = this.#context
    context.admit(tried)
    return prepare(context, tried, payload, options, (shown ?? options)?.headers, context.atOnce?.values)
  }

  #prepareBatch(
    messages: readonly BatchMessage<T>[],
    drafts: readonly Shown[] | undefined,
  ): readonly Draft[] | Promise<readonly Draft[]> {
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
    send: (drafts?: readonly Shown[]) => Promise<R>,
  ): Promise<R> {
    if (this.#context.options.instrumentation === undefined) return send()
    // Options of a batch may be anything at all here: they are checked later.
    const show = (): Shown[] =>
      all.map((one) => ({ id: one?.id, lane: one?.lane, headers: { ...one?.headers } }))
    return this.#context.observe('send', undefined, batch, show, (drafts) => {
      return send(drafts).then((results) => {
        for (const [i, { id }] of [results].flat().entries()) drafts![i]!.id = id
        return results
      })
    })
  }

  /** Puts messages into the order of sending, before they are ready even. */
  #store<R>(
    messages: readonly Draft[] | Promise<readonly Draft[]>,
    answer: Answer<R>,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    if (!(messages instanceof Promise) && this.#batcher.isIdle && signal?.aborted !== true) {
      const results = this.#context.atOnce?.append(messages)
      if (results !== undefined) return Promise.resolve(answer(results, 0))
    }
    return this.#batcher.add(messages, answer, signal)
  }

  /** What a batch may weigh. One message alone always may: its parts have limits of their own. */
  #checkTogether(messages: readonly Draft[]): readonly Draft[] {
    const { maxBatchBytes } = this.#context.guarantees
    if (messages.length > 1 && maxBatchBytes < Infinity && weigh(messages, atMost) > maxBatchBytes)
      checkSize('sendBatch', 'a batch', 'bytes together', weigh(messages, byteLength), maxBatchBytes)
    return messages
  }
}

/** One that is about to be sent, for whoever observes it. */
interface Shown {
  id: string | undefined
  readonly lane: string | undefined
  headers: Record<string, string>
}

function isReady(message: Draft | Promise<Draft>): message is Draft {
  return !(message instanceof Promise)
}
