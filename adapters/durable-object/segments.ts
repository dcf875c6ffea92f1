import { type Key, type KeyRange, compareKeys, isBehind } from '../../src/segments/index.ts'

/** Few: each may have a megabyte, and all share the 128 MB of their object with others. */
const MOST = 4

/**
 * The segments of the log that were read last. A claim takes some messages of one and the next claim comes back for more:
 * to read a large one again each time would cost more than all else.
 */
export class Segments {
  readonly #values: Map<Key, unknown> = new Map()

  get(key: Key): unknown {
    return this.#values.get(key)
  }

  add(key: Key, value: unknown): void {
    if (this.#values.size === MOST) this.#values.delete(this.#values.keys().next().value!)
    this.#values.set(key, value)
  }

  /** Forgets those of a range: they are written anew, or gone. */
  drop({ lower, upper }: KeyRange): void {
    for (const key of this.#values.keys()) {
      if (lower !== undefined && compareKeys(key, lower) < 0) continue
      if (upper === undefined || !isBehind(key, upper)) this.#values.delete(key)
    }
  }

  clear(): void {
    this.#values.clear()
  }
}
