import { onceAborted } from '../aborts.ts'
import type { Clock } from '../clock.ts'

/** For an answer of a slow one the others wait so long at most, in ms. */
const PATIENCE_MS = 2000
/** Of a destination of which nothing was heard for so long, in ms, nothing is known. */
const KNOWN_MS = 600_000
/** Of so many destinations something is known. */
const MOST = 1000

/** What this context has seen of a destination lately. */
interface Pace {
  /** It answered last, and not with a failure. */
  isWell: boolean
  readonly underWay: Set<object>
  /** Those that wait for their turn: `true`, they may try; `false`, they look first whether it rests. */
  readonly waiting: Set<(go: boolean) => void>
  heardAt: number
}

/**
 * How many requests go to a destination at once: where it is not known to be well, one goes first, and the rest once it was answered.
 * So one request learns that a destination refuses all, and not as many as fit.
 */
export class Paces {
  readonly #clock: Clock
  readonly #concurrency: number
  readonly #all: Map<string, Pace> = new Map()

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock
    this.#concurrency = concurrency
  }

  /**
   * Resolves when a request may go, with a function to call when it has ended; with nothing where its destination rests meanwhile, or
   * the signal has aborted.
   */
  async enter(
    lane: string,
    signal: AbortSignal,
    rests: () => Promise<boolean>,
  ): Promise<(() => void) | undefined> {
    const pace = this.#paceOf(lane)
    const pass = {}
    for (let late = false; ;) {
      if (signal.aborted) return undefined
      if (late || pace.underWay.size < this.#room(pace)) break
      const woken = await this.#wait(pace, signal)
      if (woken === false && (await rests())) return undefined
      late = woken === undefined
    }
    pace.underWay.add(pass)
    return () => {
      pace.underWay.delete(pass)
      pace.heardAt = this.#clock.now()
      this.#wake(pace)
    }
  }

  answered(lane: string): void {
    const pace = this.#paceOf(lane)
    pace.isWell = true
    this.#wake(pace)
  }

  failed(lane: string): void {
    this.#paceOf(lane).isWell = false
  }

  /** It rests from now on: what is under way says nothing of the next that goes, and what waits here goes back. */
  rests(lane: string): void {
    this.failed(lane)
    const { underWay, waiting } = this.#paceOf(lane)
    underWay.clear()
    for (const wake of waiting) wake(false)
  }

  #room({ isWell }: Pace): number {
    return isWell ? this.#concurrency : 1
  }

  #wake(pace: Pace): void {
    const room = this.#room(pace) - pace.underWay.size
    for (const wake of [...pace.waiting].slice(0, Math.max(0, room))) wake(pace.isWell)
  }

  /** Answers how it was woken; `undefined`: it has waited long enough. */
  async #wait(pace: Pace, signal: AbortSignal): Promise<boolean | undefined> {
    let wake!: (go: boolean | undefined) => void
    const woken = new Promise<boolean | undefined>((resolve) => (wake = resolve))
    pace.waiting.add(wake)
    const timer = this.#clock.setTimeout(() => wake(undefined), PATIENCE_MS)
    const unhook = onceAborted(signal, () => wake(true))
    try {
      return await woken
    } finally {
      unhook()
      this.#clock.clearTimeout(timer)
      pace.waiting.delete(wake)
    }
  }

  #paceOf(lane: string): Pace {
    const now = this.#clock.now()
    let pace = this.#all.get(lane)
    const isOld = pace && isIdle(pace) && now - pace.heardAt > KNOWN_MS
    if (pace === undefined || isOld) {
      pace = { isWell: false, underWay: new Set(), waiting: new Set(), heardAt: now }
      this.#all.set(lane, pace)
      for (const [name, one] of this.#all) {
        if (this.#all.size <= MOST) break
        if (isIdle(one) && one !== pace) this.#all.delete(name)
      }
    }
    return pace
  }
}

function isIdle({ underWay, waiting }: Pace): boolean {
  return underWay.size === 0 && waiting.size === 0
}
