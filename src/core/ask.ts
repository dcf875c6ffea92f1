import { soon } from '../clock.ts'
import { onAbort, abortReason, throwIfAborted } from '../aborts.ts'
import { Alarm } from './alarm.ts'
import { Hand, type Late, type Opened, TIMEOUT_MS, timedOut } from './hand.ts'
import type { Line, Seat } from './line.ts'
import type { Message } from './message.ts'
import { type Reader, areThere } from './reader.ts'
import type { Delivery, Held, Settlement } from '../storage.ts'

/** What one call of `receive` or `receiveBatch` wants. */
export interface Wish {
  readonly tried: string
  readonly limit: number
  /** 0: not at all. `Infinity`: until it is told to end. */
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
  /** Is told of trouble that it waits through. */
  readonly onError?: ((error: unknown) => void) | undefined
}

interface AskOptions<T> extends Wish {
  readonly resolve: (messages: readonly Message<T>[]) => void
  readonly reject: (error: unknown) => void
}

/** Who finds something at the very end of its wait has so long to make messages of it, in ms. */
const LAST_MS = 1000

const NOTHING: readonly never[] = []

/** Takes messages, under the eyes of whoever observes the queue. */
export function take<T, R>(
  reader: Reader<T>,
  wish: Wish,
  answerOf: (messages: readonly Message<T>[]) => R,
): Promise<R> {
  const { context, desk } = reader
  if (context.options.instrumentation === undefined) return answer(reader, wish, answerOf)
  const show = (): Message<T>[] => []
  return context.observe('receive', desk.group, wish.tried !== 'receive', show, (seen) => {
    // Whoever observes may have taken its time.
    throwIfAborted(wish.signal)
    return answer(reader, wish, (messages) => {
      seen!.push(...messages)
      return answerOf(messages)
    })
  })
}

function answer<T, R>(
  reader: Reader<T>,
  wish: Wish,
  answerOf: (messages: readonly Message<T>[]) => R,
): Promise<R> {
  const { context, desk } = reader
  const { tried, limit, waitMs } = wish
  if (context.isClosed) return Promise.reject(context.closedError(tried))
  const found = reader.paused ? NOTHING : context.atOnce?.take(desk, reader.line, limit)
  const opened = found && reader.open(found, context.at)
  if (opened !== undefined && (opened.length > 0 ? areThere(opened) : waitMs === 0))
    return Promise.resolve(answerOf(opened as readonly Message<T>[]))
  return new Promise((resolve, reject) => {
    const ask = new Ask(reader, { ...wish, resolve: (messages) => resolve(answerOf(messages)), reject })
    desk.join(ask)
    if (opened !== undefined && opened.length > 0) ask.got(opened)
  })
}

/** Somebody who takes messages once, and may wait for them. */
class Ask<T> implements Seat {
  readonly waits: boolean
  riding = false
  place: Set<Seat> | undefined = undefined
  readonly #reader: Reader<T>
  readonly #with: AskOptions<T>
  #offAbort: (() => void) | undefined
  /** What it got, while messages are being made of it. */
  #hands: readonly Hand<T>[] = NOTHING
  /** What it waits for is over: it looks one more time. */
  #over = false
  /** What the last step failed with. */
  #trouble: unknown
  /** Why it must end. */
  #stopped: unknown
  /** When the wait is over. */
  #until = Infinity
  #alarm: Alarm | undefined
  /** Rings when what it got must have been read. */
  #limit: Alarm | undefined

  constructor(reader: Reader<T>, options: AskOptions<T>) {
    const { waitMs, signal } = options
    this.#reader = reader
    this.#with = options
    this.waits = waitMs > 0
    if (signal !== undefined) this.#offAbort = onAbort(signal, () => this.#end(abortReason(signal)))
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
    const isAway =
      this.#hands.length > 0 || this.#stopped !== undefined || (this.waits && this.#reader.paused)
    return isAway ? 0 : this.#with.limit
  }

  answer(deliveries: readonly Delivery<Held>[], more: boolean, at: number): void {
    this.#trouble = undefined
    if (deliveries.length > 0) {
      const opened = this.#reader.open(deliveries, at)
      if (areThere(opened)) this.#settle(opened)
      else this.got(opened)
      return
    }
    if (this.#stopped !== undefined) this.#fail(this.#stopped)
    else if (!more && (this.#over || !this.waits)) this.#settle([])
    else this.poke()
  }

  /** Whoever is paused when its time is over has nothing to look for. */
  poke(): void {
    if (this.#over && !this.riding && this.#reader.paused) this.#conclude(undefined, false)
  }

  /** Waits for messages that are being made, in order, whichever is made first. */
  got(opened: readonly Opened<T>[]): void {
    const { context, desk } = this.#reader
    const now = context.now()
    const hands = opened.map((one) => new Hand(one, this.line.terms.leaseMs, now))
    this.#hands = hands
    for (const hand of hands) desk.hold(hand)
    const over = new Promise<undefined>((resolve) => {
      this.#limit = new Alarm(context.options.clock, () => resolve(undefined))
    })
    this.#limit!.set(now + TIMEOUT_MS)
    if (this.#over) this.#alarm!.set((this.#until = now + LAST_MS))
    if (context.isClosed) this.stop()
    else if (this.#stopped !== undefined) this.#fail(this.#stopped)
    void Promise.allSettled(hands.map((hand) => this.#read(hand, over))).then((ends) => {
      // It may have left.
      if (this.#hands !== hands) return
      const failed = ends.find((end) => end.status === 'rejected')
      // Behind what cannot be read there may be more.
      this.#conclude(failed?.reason, true)
    })
  }

  /** @param over When it has taken too long: then the attempt has failed, as that of a handler would have. */
  async #read(hand: Hand<T>, over: Promise<undefined>): Promise<void> {
    const { lease, opened } = hand
    const reader = this.#reader
    let settlement: Settlement
    try {
      hand.message ??= await Promise.race([(opened as Late<T>).late, over])
      if (hand.message !== undefined || lease.settled) return
      settlement = reader.failureOf(lease.receipt, opened, { reason: timedOut(TIMEOUT_MS).message })
    } catch (error) {
      if (lease.settled) return
      settlement = reader.unreadable(hand, error)
    }
    lease.settled = true
    const result = await reader.desk.tell([settlement], this.waits)
    reader.note(lease, settlement, result!)
  }

  /** Takes its hands off all. Answers with the messages, if it may have them; what else is not settled goes back. */
  #putDown(keeps: boolean): readonly Message<T>[] {
    const hands = this.#hands
    this.#hands = NOTHING
    this.#limit?.set(Infinity)
    return hands.flatMap((hand) => {
      this.#reader.desk.release(hand)
      if (hand.lease.settled) return []
      if (keeps && hand.message !== undefined) return hand.message
      hand.lease.settled = true
      this.#reader.desk.tell([hand.returned]).catch(() => undefined)
      return []
    })
  }

  #look(): void {
    this.#reader.desk.look(this)
    this.poke()
  }

  failed(error: unknown, passing: boolean): void {
    if (!this.waits || this.#over || !passing) this.#fail(error)
    else if (this.#stopped !== undefined) this.#fail(this.#stopped)
    else {
      this.#trouble = error
      const { onError } = this.#with
      // Apart from what goes on here, which it must not break.
      if (onError !== undefined) soon(() => onError(error))
    }
  }

  stop(): void {
    // Who does not wait is answered, unless its messages would come too late to be settled.
    if (this.waits || this.#hands.length > 0) this.#end(this.#reader.context.closedError(this.#with.tried))
  }

  #end(reason: unknown): void {
    this.#stopped ??= reason
    if (!this.riding) this.#fail(reason)
  }

  #ring(due: number): void {
    if (due < this.#until) return this.#alarm!.set(this.#until)
    this.#over = true
    if (this.riding) return
    this.#conclude(this.#trouble, this.#hands.length === 0)
  }

  /** @param looks Whether it looks again where it has no messages and there is no trouble. */
  #conclude(trouble: unknown, looks: boolean): void {
    const messages = this.#putDown(true)
    if (messages.length > 0) this.#settle(messages)
    else if (trouble !== undefined) this.#fail(trouble)
    else if (looks) this.#look()
    else this.#settle([])
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
    this.#putDown(false)
    this.#leave()
    this.#with.reject(error)
  }
}
