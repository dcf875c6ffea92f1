import type { Clock } from '../../src/index.ts'

/** A clock that runs `scale` times as fast as the machine's, so that minutes of a queue pass in seconds. */
export class FastClock implements Clock {
  readonly #scale: number
  readonly #startedAt = Date.now()
  readonly #started = performance.now()

  constructor(scale: number) {
    this.#scale = scale
  }

  now(): number {
    return Math.floor(this.#startedAt + (performance.now() - this.#started) * this.#scale)
  }

  setTimeout(callback: () => void, ms: number): unknown {
    return setTimeout(callback, ms / this.#scale)
  }

  clearTimeout(timer: unknown): void {
    clearTimeout(timer as NodeJS.Timeout)
  }

  /** Resolves when `ms` of this clock are over. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.setTimeout(resolve, ms))
  }
}
