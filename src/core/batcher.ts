import { next } from '../clock.ts'
import { abortReason, onceAborted } from '../aborts.ts'
import type { Context, Idling } from './context.ts'
import { hasCode } from '../errors.ts'
import { type Draft, atMost, weigh } from './prepare.ts'
import type { AppendResult } from '../storage.ts'

/** What one call answers with, of the results of an append those from one place up to another. */
export type Answer<R> = (results: readonly AppendResult[], from: number, to?: number) => R

/** What one call wants stored. */
interface Unit {
  /** `undefined` while they are being prepared. */
  messages: readonly Draft[] | undefined
  readonly answer: Answer<unknown>
  readonly resolve: (answer: never) => void
  readonly reject: (error: unknown) => void
  /** Stops listening to the signal that gives it up. */
  offAbort: (() => void) | undefined
}

/**
 * Lets sends ride together: what is sent in one turn, or while an append is under way, becomes the next append. One awaited
 * call costs one append; a hundred concurrent ones cost one or two. A call's messages stay together, and order is kept: also
 * behind a call whose messages are still being prepared.
 */
export class Batcher<T> implements Idling {
  readonly #context: Context<T>
  #waiting: Unit[] = []
  /** An append is under way, or about to be. Otherwise all that waits is being prepared. */
  #busy = false
  #idle: (() => void)[] = []

  constructor(context: Context<T>) {
    this.#context = context
  }

  /** @param signal Gives the call up as long as its messages wait: then none is stored, and it rejects with the reason. */
  add<R>(
    messages: readonly Draft[] | Promise<readonly Draft[]>,
    answer: Answer<R>,
    signal?: AbortSignal,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      const unit: Unit = {
        messages: undefined,
        answer,
        resolve,
        reject,
        offAbort: undefined,
      }
      this.#waiting.push(unit)
      if (!(messages instanceof Promise)) {
        unit.messages = messages
        this.#wake()
      } else {
        this.#context.batchers.add(this)
        messages.then(
          (ready) => {
            unit.messages = ready
            this.#wake()
          },
          (error: unknown) => this.#drop(unit, error),
        )
      }
      unit.offAbort = onceAborted(signal, () => this.#drop(unit, abortReason(signal!)))
    })
  }

  /** Rejects a call, if it still waits. */
  #drop(unit: Unit, error: unknown): void {
    const place = this.#waiting.indexOf(unit)
    if (place < 0) return
    this.#waiting.splice(place, 1)
    unit.offAbort?.()
    unit.reject(error)
    this.#wake()
  }

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    this.#context.batchers.add(this)
    next(() => void this.#work())
  }

  /** Nothing waits or is under way: whatever comes need not go behind it. */
  get isIdle(): boolean {
    return !this.#busy && this.#waiting.length === 0
  }

  idle(): Promise<void> {
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  giveUp(error: unknown): void {
    for (const unit of this.#waiting.filter(({ messages }) => messages === undefined)) this.#drop(unit, error)
  }

  async #work(): Promise<void> {
    const context = this.#context
    while (this.#waiting[0]?.messages !== undefined) {
      if (context.view === undefined) await this.#open()
      else await this.#append(this.#take())
    }
    this.#busy = false
    if (this.#waiting.length > 0) return
    context.batchers.delete(this)
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** If that fails, so do those that waited for it; who came later tries anew. */
  async #open(): Promise<void> {
    const waited = this.#waiting.filter(({ messages }) => messages !== undefined)
    try {
      await this.#context.open('send')
    } catch (error) {
      for (const unit of waited) this.#drop(unit, error)
    }
  }

  /** As many waiting calls as fit one append; one that is too large goes alone. */
  #take(): Unit[] {
    const { maxBatch, maxBatchBytes } = this.#context.guarantees
    let size = 0
    let bytes = 0
    let count = 0
    const ids = new Set<string>()
    for (const { messages } of this.#waiting) {
      if (messages === undefined) break
      size += messages.length
      if (maxBatchBytes < Infinity) bytes += weigh(messages, atMost)
      // The second of an id is to find what the first left. Those without are not among them.
      const isKnown = messages.some(({ id }) => ids.has(id!))
      if (count > 0 && (size > maxBatch || bytes > maxBatchBytes || isKnown)) break
      for (const { id } of messages) if (id !== undefined) ids.add(id)
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #append(units: readonly Unit[]): Promise<void> {
    try {
      const all: Draft[] = []
      for (const { messages, offAbort } of units) {
        offAbort!()
        for (const message of messages!) all.push(message)
      }
      const results = await this.#context.append(all)
      let from = 0
      for (const { messages, answer, resolve } of units)
        resolve(answer(results, from, (from += messages!.length)) as never)
    } catch (error) {
      // One may have spoilt it for all.
      const isOnes = hasCode(error, 'QUOTA_EXCEEDED') || hasCode(error, 'TOO_LARGE')
      if (isOnes && units.length > 1) for (const unit of units) await this.#append([unit])
      else for (const { reject } of units) reject(error)
    }
  }
}
