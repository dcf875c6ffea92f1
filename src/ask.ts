import { onAbort } from './aborts.ts'
import { type Clock, MAX_TIMEOUT_MS } from './clock.ts'
import type { Desk } from './desk.ts'
import type { QuaysideError } from './errors.ts'
import type { Line, Seat } from './line.ts'
import type { Message } from './message.ts'
import type { Delivery } from './storage.ts'

/** What one call of `receive` or `receiveBatch` wants. */
export interface AskOptions<T> {
  readonly desk: Desk<T>
  readonly line: Line
  readonly clock: Clock
  readonly limit: number
  /** 0: not at all. `Infinity`: until it is told to end. */
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
  readonly isPaused: () => boolean
  readonly open: (deliveries: readonly Delivery[], at: number) => Message<T>[] | Promise<Message<T>[]>
  /** What to reject with when the queue is closed. */
  readonly closedError: () => QuaysideError
  /** Is told of trouble that it waits through. */
  readonly onError: ((error: unknown) => void) | undefined
  readonly resolve: (messages: Message<T>[]) => void
  readonly reject: (error: unknown) => void
}

/** Somebody who takes messages once, and may wait for them. */
export class Ask<T> implements Seat {
  readonly line: Line
  readonly waits: boolean
  riding = false
  readonly #with: AskOptions<T>
  readonly #offAbort: () => void
  /** Messages are being made of what it got. */
  #opening = false
  /** What it waits for is over: it looks one more time. */
  #over = false
  /** What the last step failed with. */
  #trouble: { error: unknown } | undefined
  /** Why it must end. */
  #stopped: { reason: unknown } | undefined
  #left: number
  #timer: unknown

  constructor(options: AskOptions<T>) {
    const { desk, line, waitMs, signal } = options
    this.#with = options
    this.line = line
    this.waits = waitMs > 0
    this.#left = waitMs
    this.#offAbort = onAbort(signal, () => this.#end(signal!.reason))
    this.#setTimer()
    desk.join(this)
  }

  wants(): number {
    const { limit, isPaused } = this.#with
    return this.#opening || this.#stopped !== undefined || (this.waits && isPaused()) ? 0 : limit
  }

  answer(deliveries: readonly Delivery[], more: boolean, at: number): void {
    if (deliveries.length > 0) {
      const messages = this.#with.open(deliveries, at)
      if (messages instanceof Promise) this.#await(messages)
      else this.#settle(messages)
      return
    }
    this.#trouble = undefined
    if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
    else if (!more && (this.#over || !this.waits)) this.#settle([])
    else this.poke()
  }

  /** Whoever is paused when its time is over has nothing to look for. */
  poke(): void {
    if (this.#over && !this.riding && !this.#opening && this.#with.isPaused()) this.#settle([])
  }

  #await(messages: Promise<Message<T>[]>): void {
    this.#opening = true
    messages.then(
      (readable) => {
        this.#opening = false
        if (readable.length > 0) this.#settle(readable)
        else if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
        else {
          // Behind what cannot be read there may be more.
          this.#with.desk.look(this)
          this.poke()
        }
      },
      (error: unknown) => this.#fail(error),
    )
  }

  failed(error: unknown, passing: boolean): void {
    if (!this.waits || this.#over || !passing) this.#fail(error)
    else if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
    else {
      this.#trouble = { error }
      this.#with.onError?.(error)
    }
  }

  stop(): void {
    // Who does not wait is answered.
    if (this.waits) this.#end(this.#with.closedError())
  }

  #end(reason: unknown): void {
    this.#stopped ??= { reason }
    if (!this.riding && !this.#opening) this.#fail(reason)
  }

  #setTimer(): void {
    if (!(this.#left > 0) || this.#left === Infinity) return
    const ms = Math.min(this.#left, MAX_TIMEOUT_MS)
    this.#left -= ms
    this.#timer = this.#with.clock.setTimeout(() => {
      if (this.#left > 0) return this.#setTimer()
      this.#over = true
      if (this.riding || this.#opening) return
      if (this.#trouble !== undefined) return this.#fail(this.#trouble.error)
      this.#with.desk.look(this)
      this.poke()
    }, ms)
  }

  #leave(): void {
    const { desk, clock } = this.#with
    desk.leave(this)
    this.#offAbort()
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
  }

  #settle(messages: Message<T>[]): void {
    this.#leave()
    this.#with.resolve(messages)
  }

  #fail(error: unknown): void {
    this.#leave()
    this.#with.reject(error)
  }
}
