import { QuaysideError } from '../../../src/index.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../../src/segments/engine.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../../src/segments/store.ts'
import { pick } from '../../fs/history.ts'
import { WaitingStore } from '../../support/waiting-adapter.ts'
import { Failures, type FaultyStorage } from './backend.ts'

/**
 * The segment engine on a store in memory, each row operation of which may fail: before it takes effect, or at the end
 * of the transaction, with the answer lost.
 */
export const MEMORY: FaultyStorage = {
  name: 'engine over memory',
  async create(clock, random) {
    const failures = new Failures()
    const store = new WaitingStore(clock)
    const adapter = new SegmentAdapter(
      {
        ...SEGMENT_GUARANTEES,
        name: 'faulty',
        durability: 'none',
        sharedBy: 'instance',
        leasesSurviveReopen: false,
        maxBodyBytes: 1024,
        maxHeaderBytes: 1024,
        maxBatch: 1000,
        maxBatchBytes: Infinity,
      },
      async () => faulty(store, failures, random),
    )
    return {
      open: async () => adapter,
      fail: (every) => failures.fail(every),
      get faults() {
        return failures.faults
      },
      destroy: () => adapter.close(),
    }
  },
}

function faulty(store: TransactionalStore, failures: Failures, random: () => number): TransactionalStore {
  return {
    async open(queue) {
      return new FaultyQueue(await store.open(queue), failures, random)
    },
    close: () => store.close(),
  }
}

class FaultyQueue implements QueueStore {
  readonly soleOwner: boolean
  readonly #queue: QueueStore
  readonly #failures: Failures
  readonly #random: () => number

  constructor(queue: QueueStore, failures: Failures, random: () => number) {
    this.#queue = queue
    this.soleOwner = queue.soleOwner
    this.#failures = failures
    this.#random = random
  }

  async transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    const result = await this.#queue.transact(kind, (tx) => body(this.#watched(kind, tx)))
    if (this.#failures.next()) throw new QuaysideError('STORAGE_FAILED', 'the answer was lost')
    return result
  }

  #watched(kind: Kind, tx: Transaction): Transaction {
    const check = (): void => {
      if (!this.#failures.next()) return
      const codes = [
        'STORAGE_UNAVAILABLE',
        'TIMEOUT',
        ...(kind === 'append' ? ['QUOTA_EXCEEDED'] : []),
      ] as const
      throw new QuaysideError(pick(this.#random, codes) as 'TIMEOUT', 'nothing was changed')
    }
    return {
      get: (table, key) => (check(), tx.get(table, key)),
      range: (table, range, limit) => (check(), tx.range(table, range, limit)),
      count: (table, range) => (check(), tx.count(table, range)),
      expect: (reads) => tx.expect?.(reads),
      put: (table, key, value) => (check(), tx.put(table, key, value)),
      delete: (table, key) => (check(), tx.delete(table, key)),
      deleteRange: (table, range) => (check(), tx.deleteRange(table, range)),
    }
  }

  now(): number {
    return this.#queue.now()
  }

  watch(listener: () => void): () => void {
    return this.#queue.watch!(listener)
  }
}
