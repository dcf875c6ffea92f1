import {
  type Checks,
  checkBoolean,
  checkFunction,
  checkName,
  checkOptions,
  checkPositiveWaitMs,
  mustBeOneOf,
  mustHave,
} from '../../src/check.ts'
import { type Guarantees, type QueueStorage, type StorageAdapter } from '../../src/storage.ts'
import { type Steps, STEPS } from './engine/steps.ts'
import type { IndexedDBOptions } from './options.ts'
import { Store } from './store.ts'
import { View, closedError, isEmpty } from './view.ts'

export type { IndexedDBEvent, IndexedDBOptions } from './options.ts'
export { requestPersistence } from './persistence.ts'

const OPTIONS: Checks = {
  database: checkName,
  durability: mustBeOneOf('strict', 'relaxed'),
  strictAcks: checkBoolean,
  timeoutMs: checkPositiveWaitMs,
  clock: mustHave('now'),
  onEvent: checkFunction,
}

/**
 * Keeps queues in IndexedDB: they are shared by all tabs and workers of an origin, service workers too, and survive the
 * end of the tab, of the browser, and with `durability: 'strict'` a power cut.
 *
 * What browsers do not promise: they may evict the data of an origin when the disk runs full, unless
 * {@link requestPersistence} was granted, and Safari deletes it after 7 days of use without a visit to the site.
 *
 * ```ts
 * const queue = new Queue('orders', { storage: new IndexedDBAdapter() })
 * ```
 */
export class IndexedDBAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #options: IndexedDBOptions
  readonly #steps: Steps
  /** While anybody uses it. */
  #store: Promise<Store> | undefined
  #users = 0
  #closing: Promise<void> | undefined

  /**
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. Whether IndexedDB may be used here is told by the first use:
   * `STORAGE_UNAVAILABLE`, `TIMEOUT`, `QUOTA_EXCEEDED`.
   */
  constructor(options?: IndexedDBOptions)
  /** @internal How much one step does: less in tests. */
  constructor(options: IndexedDBOptions | undefined, steps: Steps | undefined)
  constructor(options: IndexedDBOptions = {}, steps: Steps = STEPS) {
    checkOptions('new IndexedDBAdapter', options, OPTIONS)
    this.#steps = steps
    this.#options = options
    this.guarantees = {
      name: 'indexeddb',
      durability: options.durability === 'relaxed' ? 'process' : 'disk',
      sharedBy: 'origin',
      exclusiveLeases: true,
      fifo: true,
      orderingKeys: true,
      deduplication: true,
      cancellation: true,
      leasesSurviveReopen: true,
      maxBodyBytes: 64 * 1024 * 1024,
      maxHeaderBytes: 64 * 1024,
      maxBatch: 100_000,
      maxBatchBytes: Infinity,
      consistentWithinMs: 0,
      lanes: true,
      parking: true,
      results: true,
    }
  }

  /** Is called by the queue, which gets its view of this storage. See {@link StorageAdapter.open}. */
  async open(queue: string): Promise<QueueStorage> {
    if (this.#closing !== undefined) throw closedError('open a queue', 'storage')
    const store = await this.#enter()
    const database = store.enter(queue)
    const closed = (): string | undefined => (this.#closing === undefined ? undefined : 'storage')
    const view = new View(database, this.#steps, closed, async () => {
      this.#views.delete(view)
      await store.leave(queue)
      await this.#leave()
    })
    this.#views.add(view)
    return view
  }

  readonly #views: Set<View> = new Set()

  /** The names of the queues that have anything, in order. See {@link StorageAdapter.queues}. */
  async queues(): Promise<string[]> {
    if (this.#closing !== undefined) throw closedError('list queues', 'storage')
    const store = await this.#enter()
    try {
      const found: string[] = []
      for (const queue of await store.queues()) {
        const database = store.enter(queue)
        if (!(await isEmpty(database))) found.push(queue)
        await store.leave(queue)
      }
      return found.sort()
    } finally {
      await this.#leave()
    }
  }

  /**
   * Ends every queue of this storage: verbs under way finish first, later ones reject with `CLOSED`. Twice is once.
   * See {@link StorageAdapter.close}.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await Promise.resolve()
    await Promise.all([...this.#views].map((view) => view.close()))
  }

  async #enter(): Promise<Store> {
    this.#users++
    try {
      return await (this.#store ??= Store.open(this.#options))
    } catch (error) {
      this.#store = undefined
      this.#users--
      throw error
    }
  }

  async #leave(): Promise<void> {
    if (--this.#users > 0) return
    const store = this.#store
    this.#store = undefined
    await (await store)?.close()
  }
}
