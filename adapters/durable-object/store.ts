import { QuaysideError } from '../../src/errors.ts'
import {
  DEFAULT_LIMITS,
  type Kind,
  type QueueStore,
  type StoreLimits,
  type Transaction,
  type TransactionalStore,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { LIMITS } from './guarantees.ts'
import type { ObjectStorage } from './platform.ts'
import { Rows } from './rows.ts'

/** The platform gives an object 10 GB. What is kept back of them is for claims and acks, so that a full queue can be emptied. */
const MAX_BYTES = 10_000_000_000 - 64 * 1024 * 1024

/** What a subclass keeps in the same object. The platform has a table of its own for alarms. */
const OTHERS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name <> '_cf_METADATA' LIMIT 1"

export interface StoreOptions {
  readonly now: () => number
  /** Called after each transaction that changed something, with what it tells, before anything else happens in the object. */
  readonly onChange: (hint?: Hint) => void
  /** @defaultValue what the platform gives */
  readonly maxBytes?: number | undefined
}

/**
 * Contract 2 on the storage of one object, for the one queue that the object is. The object is alone with it, and runs
 * each transaction at once and to its end.
 */
export class ObjectStore implements TransactionalStore, QueueStore {
  readonly soleOwner = false
  readonly limits: StoreLimits = { ...DEFAULT_LIMITS, ...LIMITS }
  readonly #storage: ObjectStorage
  readonly #options: StoreOptions
  readonly #rows: Rows
  readonly #listeners: Set<(hint?: Hint) => void> = new Set()

  constructor(storage: ObjectStorage, options: StoreOptions) {
    this.#storage = storage
    this.#options = options
    this.#rows = new Rows(storage.sql)
  }

  /** The object keeps nothing of a queue. */
  get isEmpty(): boolean {
    return this.#rows.isEmpty
  }

  /** Forgets the queue, damaged or not. */
  drop(): void {
    if (!this.isEmpty) this.#change(() => this.#rows.drop())
  }

  /** Lets go of the storage of an object that keeps nothing at all, so that it is no longer billed. To be called with `drop`. */
  async release(): Promise<void> {
    if ([...this.#storage.sql.exec(OTHERS).raw()].length === 0) await this.#storage.deleteAll()
  }

  open(): Promise<QueueStore> {
    return Promise.resolve(this)
  }

  // oxlint-disable-next-line typescript/no-misused-promises -- It is both, and a store's must be awaited.
  async close(): Promise<void> {}

  async transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    if (kind === 'read') return body(this.#rows)
    const { maxBytes = MAX_BYTES } = this.#options
    if (kind === 'append' && this.#storage.sql.databaseSize >= maxBytes) throw quotaExceeded()
    return this.#change(() => body(this.#rows))
  }

  #change<T>(body: () => T): T {
    this.#rows.wrote = false
    this.#rows.hint = undefined
    const result = this.#run(body)
    if (this.#rows.wrote) {
      const { hint } = this.#rows
      this.#options.onChange(hint)
      for (const listener of this.#listeners) queueMicrotask(() => listener(hint))
    }
    return result
  }

  #run<T>(body: () => T): T {
    try {
      return this.#storage.transactionSync(body)
    } catch (error) {
      this.#rows.undone()
      throw String(error).includes('SQLITE_FULL') ? quotaExceeded(error) : error
    }
  }

  now(): number {
    return this.#options.now()
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const own = (hint?: Hint): void => listener(hint)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }
}

function quotaExceeded(cause?: unknown): QuaysideError {
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    'the storage of this Durable Object is full. Nothing was stored; receiving and acknowledging still work. Use more shards for more room',
    { cause },
  )
}
