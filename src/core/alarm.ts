import { type Clock, MAX_TIMEOUT_MS } from '../clock.ts'

/** One timer, which is set for a time on a clock. What is too far off for a timer of the runtime rings early. */
export class Alarm {
  /** When it rings, on the clock. `Infinity`: it does not. */
  at: number = Infinity
  readonly #clock: Clock
  readonly #ring: (now: number, at: number) => void
  #timer: unknown

  /**
   * @param ring Is called with the time, and with that for which it was set, which is later where the clock was set back:
   * what is due by then is due.
   */
  constructor(clock: Clock, ring: (now: number, at: number) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** @param at `Infinity`: never. */
  set(at: number): void {
    const clock = this.#clock
    if (this.at < Infinity) clock.clearTimeout(this.#timer)
    this.at = at
    if (at === Infinity) return
    const now = clock.now()
    const ms = Math.min(Math.max(0, at - now), MAX_TIMEOUT_MS)
    this.at = now + ms
    this.#timer = clock.setTimeout(() => {
      const setFor = this.at
      this.at = Infinity
      this.#ring(clock.now(), setFor)
    }, ms)
  }
}
