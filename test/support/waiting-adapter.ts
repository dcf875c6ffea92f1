import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { OrderedMap } from '../../src/segments/ordered-map.ts'
import { rehearse } from '../../src/segments/rehearsal.ts'
import type { Kind, QueueStore, Table, Transaction, TransactionalStore } from '../../src/segments/store.ts'

/**
 * A storage in memory whose reads take a turn of the event loop, as those of IndexedDB do: shows that the engine runs on
 * stores that have to wait.
 */
export class WaitingAdapter extends SegmentAdapter {
  constructor({ clock }: { readonly clock: { now(): number } }) {
    const store = new WaitingStore(clock)
    super(
      {
        ...SEGMENT_GUARANTEES,
        name: 'waiting',
        durability: 'none',
        sharedBy: 'instance',
        leasesSurviveReopen: false,
        maxBodyBytes: 1024 * 1024,
        maxHeaderBytes: 64 * 1024,
        maxBatch: 100_000,
        maxBatchBytes: Infinity,
      },
      () => Promise.resolve(store),
    )
  }
}

export class WaitingStore implements TransactionalStore {
  readonly #clock: { now(): number }
  readonly #queues: Map<string, QueueStore> = new Map()

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  async open(queue: string): Promise<QueueStore> {
    const known = this.#queues.get(queue) ?? new WaitingQueue(this.#clock)
    this.#queues.set(queue, known)
    return known
  }

  async close(): Promise<void> {}
}

class WaitingQueue implements QueueStore {
  readonly soleOwner = false
  readonly #clock: { now(): number }
  readonly #tables: Map<Table, OrderedMap<unknown>> = new Map()
  readonly #listeners: Set<() => void> = new Set()
  /** Transactions run one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  transact<T>(_kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    const done = this.#last.then(() => this.#run(body))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #run<T>(body: (tx: Transaction) => T): Promise<T> {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const reads = {
      get: async (table: Table, key: Parameters<Transaction['get']>[1]) => {
        await turn()
        return this.#table(table).get(key)
      },
      range: async (...[table, range, limit]: Parameters<Transaction['range']>) => {
        await turn()
        return this.#table(table).range(range, limit)
      },
      count: async (...[table, range]: Parameters<Transaction['count']>) => {
        await turn()
        return this.#table(table).count(range)
      },
    }
    const { result, writes } = await rehearse(reads, body)
    for (const write of writes) {
      if (write.kind === 'put') this.#table(write.table).set(write.key, write.value)
      else if (write.kind === 'delete') this.#table(write.table).delete(write.key)
      else this.#table(write.table).deleteRange(write.range)
    }
    if (writes.length > 0) for (const listener of this.#listeners) queueMicrotask(listener)
    return result
  }

  #table(table: Table): OrderedMap<unknown> {
    let rows = this.#tables.get(table)
    if (rows === undefined) this.#tables.set(table, (rows = new OrderedMap()))
    return rows
  }

  now(): number {
    return this.#clock.now()
  }

  watch(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }
}
