import { type Clock, MAX_TIMEOUT_MS } from './clock.ts'

/** One waiter and those who may wake it. A hint that comes while nobody waits ends the next wait at once. */
export class Wakeup {
  #hinted = false
  #wake: (() => void) | undefined

  /** Something may have changed. */
  readonly hint = (): void => {
    this.#hinted = true
    this.#wake?.()
  }

  /** Forgets hints: what they announced is about to be looked at. */
  clear(): void {
    this.#hinted = false
  }

  /** Resolves at a hint, or after `ms`; without `ms` only at a hint. */
  wait(clock: Clock, ms: number | undefined): Promise<void> {
    if (this.#hinted || ms === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer =
        ms === undefined ? undefined : clock.setTimeout(() => this.#wake?.(), Math.min(ms, MAX_TIMEOUT_MS))
      this.#wake = () => {
        this.#wake = undefined
        if (timer !== undefined) clock.clearTimeout(timer)
        resolve()
      }
    })
  }
}
