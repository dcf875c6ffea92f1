import type { Guarantees, StorageAdapter } from '../src/core/index.ts'
import type { ConformanceClock } from './clock.ts'

/** A storage to test: how to make one, and what it declares. */
export interface ConformanceFactory {
  /** What adapters made by `create` declare. Decides which cases are skipped. */
  readonly guarantees: Guarantees
  /**
   * `true` where the storage has a clock of its own, which nobody here can set (a server's). Cases then wait for real,
   * some tenths of a second each, and those that set the clock are skipped. Default: the storage reads the clock that
   * `create` is given, and no case waits.
   */
  readonly realClock?: boolean
  /** Makes a fresh, empty storage that shares nothing with others made before. */
  create(options: { readonly clock: ConformanceClock }): Promise<Backend>
}

/** One storage, as one case uses it. */
export interface Backend {
  /** The first instance. The suite opens queues on it, and does not close it unless it says so below. */
  readonly adapter: StorageAdapter
  /**
   * Another instance on the same data, as another tab, process or machine would have it. Must be there unless `sharedBy`
   * is `instance` or `process`; the suite then opens the queue twice on the first instance instead.
   */
  second?(): Promise<StorageAdapter>
  /**
   * Closes all instances, and opens one on the same data, as the next start of the program would. Must be there unless
   * `durability` is `none`.
   */
  reopen?(): Promise<StorageAdapter>
  /** Closes what is open and deletes the data. */
  destroy(): Promise<void>
}
