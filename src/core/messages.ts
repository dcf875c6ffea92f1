import { onceAborted } from '../aborts.ts'
import { take } from './ask.ts'
import { checkFunction, checkOptions, checkSignal } from '../check.ts'
import { type Consumer, readerOf } from './lean/consumer.ts'
import type { Message } from './message.ts'

/** How a loop over messages ends. */
export interface MessagesOptions {
  /** Ends the loop. @defaultValue it goes on until the queue is closed */
  readonly signal?: AbortSignal | undefined
  /** Is told of trouble with the storage that it waits through, each time. @defaultValue nobody is told */
  readonly onError?: ((error: unknown) => void) | undefined
}

const OPTIONS = { signal: checkSignal, onError: checkFunction }

/**
 * Messages one at a time, as they come. See `messages` of the `Consumer` of `quayside`, which this is.
 *
 * ```ts
 * for await (const message of messages(consumer)) await message.ack()
 * ```
 */
export function messages<T>(
  consumer: Consumer<T>,
  options: MessagesOptions = {},
): AsyncIterableIterator<Message<T>, undefined, undefined> {
  checkOptions('messages', options, OPTIONS)
  const reader = readerOf(consumer)
  const { onError } = options
  const receive = (signal: AbortSignal): Promise<Message<T>> =>
    take(reader, { tried: 'receive', limit: 1, waitMs: Infinity, signal, onError }, ([first]) => first!)
  return new Messages(reader.context.closing, options.signal, receive)
}

/** The messages of a consumer, one at a time. */
class Messages<T> implements AsyncIterableIterator<Message<T>, undefined, undefined> {
  readonly #receive: (signal: AbortSignal) => Promise<Message<T>>
  readonly #isOver: () => boolean
  /** Aborts when nobody wants more. */
  readonly #end: AbortController = new AbortController()
  readonly #offAbort: () => void

  constructor(
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    receive: (signal: AbortSignal) => Promise<Message<T>>,
  ) {
    this.#receive = receive
    this.#isOver = () => this.#end.signal.aborted || closing.aborted
    this.#offAbort = onceAborted(signal, () => this.#end.abort())
  }

  async next(): Promise<IteratorResult<Message<T>, undefined>> {
    try {
      if (this.#isOver()) return await this.return()
      const message = await this.#receive(this.#end.signal)
      if (!this.#end.signal.aborted) return { done: false, value: message }
      // Nobody wants it any more.
      await message.nack({ delayMs: 0, counts: false, reason: message.lastError })
    } catch (error) {
      if (!this.#isOver()) {
        this.#offAbort()
        throw error
      }
    }
    return await this.return()
  }

  /** Ends at once what waits. */
  async return(): Promise<IteratorResult<Message<T>, undefined>> {
    this.#offAbort()
    this.#end.abort()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
