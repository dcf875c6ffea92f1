import type { StorageAdapter } from '../../../src/index.ts'

/** A storage that can be made to fail. */
export interface FaultyBackend {
  /** The storage, opened anew if it was ended: what a program does after a failure, or after it was killed. */
  open(): Promise<StorageAdapter>
  /** From now on every `every`th operation below the storage fails; 0: none. */
  fail(every: number): void
  /** It was killed in the middle of something: what it still says reaches nobody. */
  readonly isDead?: boolean
  /** How many operations failed. */
  readonly faults: number
  destroy(): Promise<void>
}

export interface FaultyStorage {
  readonly name: string
  /** It does again what failed: a receipt may be void because the time before has settled it, unanswered. */
  readonly repeats?: boolean
  /**
   * It has no transactions: what was cut off may be done in part, and a message there twice. Nor has it keys, lanes or results, or
   * compares ids.
   */
  readonly isBestEffort?: boolean
  /** How many bytes of headers each message has. Default: 0. */
  readonly headerBytes?: number
  /** About how many operations a verb takes. Default: 10. */
  readonly perVerb?: number
  create(clock: { now(): number }, random: () => number): Promise<FaultyBackend>
}

/** Counts operations, and says which are to fail. */
export class Failures {
  faults = 0
  #every = 0
  #count = 0

  fail(every: number): void {
    this.#every = every
  }

  /** Whether this operation fails. */
  next(): boolean {
    if (this.#every === 0 || ++this.#count % this.#every !== 0) return false
    this.faults++
    return true
  }
}
