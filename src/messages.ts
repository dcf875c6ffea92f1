import { onAbort } from './aborts.ts'
import type { Message } from './message.ts'

export interface MessagesOptions {
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined
  /** Is told of trouble with the storage that it waits through, each time. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** The messages of a consumer, one at a time. */
export class Messages<T> implements AsyncIterableIterator<Message<T>, undefined, undefined> {
  readonly #receive: (signal: AbortSignal) => Promise<Message<T>>
  readonly #isOver: () => boolean
  /** Aborts when nobody wants more. */
  readonly #end: AbortController = new AbortController()
  readonly #offAbort: (() => void) | undefined

  constructor(
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    receive: (signal: AbortSignal) => Promise<Message<T>>,
  ) {
    this.#receive = receive
    this.#isOver = () => this.#end.signal.aborted || closing.aborted
    this.#offAbort = signal && onAbort(signal, () => this.#end.abort())
    if (signal?.aborted) this.#end.abort()
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
        this.#offAbort?.()
        throw error
      }
    }
    return await this.return()
  }

  /** Ends at once what waits. */
  async return(): Promise<IteratorResult<Message<T>, undefined>> {
    this.#offAbort?.()
    this.#end.abort()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
