import { onAbort } from './aborts.ts'
import { Alarm } from './alarm.ts'
import type { Line, Seat } from './line.ts'
import type { Message } from './message.ts'
import { type Opened, type Reader, areThere } from './reader.ts'
import type { Delivery } from './storage.ts'

/** What one call of `receive` or `receiveBatch` wants. */
export interface AskOptions<T> {
  readonly tried: string
  readonly limit: number
  /** 0: not at all. `Infinity`: until it is told to end. */
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
  /** Is told of trouble that it waits through. */
  readonly onError: ((error: unknown) => void) | undefined
  readonly resolve: (messages: readonly Message<T>[]) => void
  readonly reject: (error: unknown) => void
}

/** Somebody who takes messages once, and may wait for them. */
export class Ask<T> implements Seat {
  readonly waits: boolean
  riding = false
  place: Set<Seat> | undefined = undefined
  readonly #reader: Reader<T>
  readonly #with: AskOptions<T>
  #offAbort: (() => void) | undefined
  /** Messages are being made of what it got. */
  #opening = false
  /** What it waits for is over: it looks one more time. */
  #over = false
  /** What the last step failed with. */
  #trouble: { error: unknown } | undefined
  /** Why it must end. */
  #stopped: { reason: unknown } | undefined
  /** When the wait is over. */
  #until = Infinity
  #alarm: Alarm | undefined

  constructor(reader: Reader<T>, options: AskOptions<T>) {
    const { waitMs, signal } = options
    this.#reader = reader
    this.#with = options
    this.waits = waitMs > 0
    if (signal !== undefined) this.#offAbort = onAbort(signal, () => this.#end(signal.reason))
    if (!this.waits || waitMs === Infinity) return
    const { context } = reader
    this.#until = context.now() + waitMs
    this.#alarm = new Alarm(context.options.clock, (now, at) => this.#ring(Math.max(now, at)))
    this.#alarm.set(this.#until)
  }

  get line(): Line {
    return this.#reader.line
  }

  wants(): number {
    const isAway = this.#opening || this.#stopped !== undefined || (this.waits && this.#reader.paused)
    return isAway ? 0 : this.#with.limit
  }

  answer(deliveries: readonly Delivery[], more: boolean, at: number): void {
    if (deliveries.length > 0) {
      const opened = this.#reader.open(deliveries, at)
      if (areThere(opened)) this.#settle(opened)
      else this.#await(opened)
      return
    }
    this.#trouble = undefined
    if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
    else if (!more && (this.#over || !this.waits)) this.#settle([])
    else this.poke()
  }

  /** Whoever is paused when its time is over has nothing to look for. */
  poke(): void {
    if (this.#over && !this.riding && !this.#opening && this.#reader.paused) this.#settle([])
  }

  #await(opened: readonly Opened<T>[]): void {
    this.#opening = true
    Promise.all(opened.map((one) => Promise.resolve(one))).then(
      (all) => {
        this.#opening = false
        const readable = all.filter((one) => one !== undefined)
        if (readable.length > 0) this.#settle(readable)
        else if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
        // Behind what cannot be read there may be more.
        else this.#look()
      },
      (error: unknown) => this.#fail(error),
    )
  }

  #look(): void {
    this.#reader.desk.look(this)
    this.poke()
  }

  failed(error: unknown, passing: boolean): void {
    if (!this.waits || this.#over || !passing) this.#fail(error)
    else if (this.#stopped !== undefined) this.#fail(this.#stopped.reason)
    else {
      this.#trouble = { error }
      const { onError } = this.#with
      // Apart from what goes on here, which it must not break.
      if (onError !== undefined) queueMicrotask(() => onError(error))
    }
  }

  stop(): void {
    // Who does not wait is answered.
    if (this.waits) this.#end(this.#reader.context.closedError(this.#with.tried))
  }

  #end(reason: unknown): void {
    this.#stopped ??= { reason }
    if (!this.riding && !this.#opening) this.#fail(reason)
  }

  #ring(due: number): void {
    if (due < this.#until) return this.#alarm!.set(this.#until)
    this.#over = true
    if (this.riding || this.#opening) return
    if (this.#trouble !== undefined) this.#fail(this.#trouble.error)
    else this.#look()
  }

  #leave(): void {
    this.#reader.desk.leave(this)
    this.#offAbort?.()
    this.#alarm?.set(Infinity)
  }

  #settle(messages: readonly Message<T>[]): void {
    this.#leave()
    this.#with.resolve(messages)
  }

  #fail(error: unknown): void {
    this.#leave()
    this.#with.reject(error)
  }
}
