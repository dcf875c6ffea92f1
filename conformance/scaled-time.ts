import type { QueueStorage } from '../src/core/index.ts'
import { ok } from './assert.ts'
import type { CaseClock } from './clock.ts'

/**
 * How the times of a history stand for those of a storage whose clock goes on while its verbs run: one ms of the history is `scale`
 * ms of the storage.
 *
 * All that happens in one ms of a history happens in the first quarter of it, or a history is given up. Durations are given a quarter short, so
 * that they are over in their ms whenever in a ms they began, and not in the one before, though up to three of them follow each other.
 */
export class ScaledTime implements CaseClock {
  readonly #clock: CaseClock
  readonly #scale: number
  readonly #began: number
  /** Of the history. */
  #now: number

  constructor(clock: CaseClock, scale: number) {
    this.#clock = clock
    this.#scale = scale
    this.#began = this.#now = clock.now()
  }

  now(): number {
    return this.#now
  }

  async advance(ms: number): Promise<void> {
    this.#now += ms
    const spent = this.#spent
    // It may have come by itself.
    if (spent < 0) await this.#clock.advance(-spent)
  }

  /** Goes on to the next ms, unless enough is left of this one for another step. */
  async begin(): Promise<void> {
    if (this.#spent * 8 > this.#scale) await this.advance(1)
  }

  /** Of this ms of the history, in ms of the storage. */
  get #spent(): number {
    return this.#clock.now() - this.#began - (this.#now - this.#began) * this.#scale
  }

  /** A storage that is called with times of the history, and answers with them. */
  over(storage: QueueStorage): QueueStorage {
    const translated =
      (verb: (...args: readonly unknown[]) => unknown) =>
      async (...args: readonly unknown[]) => {
        const answer = await verb.apply(
          storage,
          args.map((arg) => walk(arg, this.#given)),
        )
        const need = Math.ceil(this.#spent * 8)
        ok(
          need < this.#scale * 2,
          `a step took ${need / 8} ms on the clock of the storage, and may take an eighth of scale, which is ${this.#scale}: give a scale of ${need} or more`,
        )
        return walk(answer, this.#told)
      }
    return new Proxy(storage, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? translated(value as Parameters<typeof translated>[0]) : value
      },
    })
  }

  readonly #given = (name: string, ms: number): number =>
    name.endsWith('Ms') && ms > 0 ? (ms - 0.25) * this.#scale : ms

  readonly #told = (name: string, ms: number): number => {
    if (TIMES.has(name)) return this.#began + Math.floor((ms - this.#began) / this.#scale + 0.75)
    if (name === 'oldestMs') return Math.round(ms / this.#scale)
    return name.endsWith('Ms') ? Math.ceil(ms / this.#scale) : ms
  }
}

/** What is no duration. */
const TIMES: ReadonlySet<string> = new Set(['timestamp', 'deadAt', 'at', 'since'])

/** Plain data, with other numbers in it. */
function walk(value: unknown, change: (name: string, ms: number) => number, name = ''): unknown {
  if (typeof value === 'number') return change(name, value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map((one) => walk(one, change, name))
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one, change, key)]))
}
