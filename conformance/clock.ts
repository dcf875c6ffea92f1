/** Where a storage under test reads the time. */
export interface ConformanceClock {
  /** The time in ms since 1970. */
  now(): number
}

/** The time as cases see it and move it. */
export interface CaseClock extends ConformanceClock {
  /** Lets time pass: at once on a clock that obeys, by waiting on one that does not. */
  advance(ms: number): Promise<void>
}

/** A clock that stands still until it is moved. */
export class ManualClock implements CaseClock {
  #now = Date.UTC(2026, 0, 1)

  now(): number {
    return this.#now
  }

  advance(ms: number): Promise<void> {
    this.#now += ms
    return Promise.resolve()
  }

  /** Sets the clock forward or back, as users and time servers do. No time passes. */
  jump(ms: number): void {
    this.#now += ms
  }
}

/** The clock of storages that have one of their own, as far as it can be seen from here. */
export const REAL_CLOCK: CaseClock = {
  now: () => Date.now(),
  advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms + REAL_MARGIN_MS)),
}

/** Clocks of two machines and the timers between them are not exact. */
const REAL_MARGIN_MS = 5

/** Lets other work of this context run, without waiting. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
