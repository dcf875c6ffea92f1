import { setImmediate } from 'node:timers'
import type { BellFile } from './bell-file.ts'

/** Behind the places of queues in the bell file. */
const PLACE = 8192
/** For so long it is tried without a rest, in ms: about as long as others have it, and less than the shortest rest. */
const EAGER_MS = 1
/** So long somebody has found the file locked before he says so, in ms. */
const PATIENCE_MS = 10
/** And so long what he has said is heeded, in ms; it is looked for after so long. */
const HEEDED_MS = 30
const LOOK_MS = 2
/** The longest rest between two tries, in ms: then, and before. */
const HUNGRY_REST_MS = 1
const REST_MS = 8
/** How long others leave him the file after a commit, in ms. */
const YIELD_MS = 2

/**
 * Sees to it that everybody gets a file for writing in time. SQLite gives its lock to whoever comes first when it is free, and
 * that is always the one who has just let it go. So who has waited for long says so, and all others then rest after a commit.
 */
export class Turns {
  readonly #file: BellFile
  #yields = false
  #lookedAt = -Infinity

  constructor(file: BellFile) {
    this.#file = file
  }

  /** To be awaited before something is tried, if there is something to await. */
  before(): Promise<void> | undefined {
    if (!this.#yields) return undefined
    this.#yields = false
    return rest(YIELD_MS)
  }

  /** The file was locked, for so many ms by now: resolves when to try again. */
  missed(ms: number): Promise<void> {
    if (ms < EAGER_MS) return new Promise((resolve) => setImmediate(resolve))
    const isHungry = ms > PATIENCE_MS
    if (isHungry) this.#say(Date.now())
    // At different times, or those who wait would meet again.
    return rest(Math.random() * (isHungry ? HUNGRY_REST_MS : Math.min(2 * ms, REST_MS)))
  }

  /** It was not, which had taken so many ms by now. */
  hit(ms: number, now: number): void {
    if (ms > PATIENCE_MS) this.#say(0)
    if (now - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = now
    const said = new Float64Array(1)
    this.#file.read(said, PLACE)
    this.#yields = Math.abs(Date.now() - said[0]!) < HEEDED_MS
  }

  #say(time: number): void {
    this.#file.write(Float64Array.of(time), PLACE)
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
