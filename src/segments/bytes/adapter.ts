import type { Guarantees } from '../../storage.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../engine.ts'
import type { QueueStore, TransactionalStore } from '../store.ts'
import { ByteQueueStore } from './queue.ts'
import type { ByteStore } from './store.ts'

/** What a byte store promises: these three, and whatever differs from what follows from the engine. */
export type ByteGuarantees = Pick<Guarantees, 'name' | 'durability' | 'sharedBy'> & Partial<Guarantees>

const DEFAULTS = {
  leasesSurviveReopen: true,
  maxBodyBytes: 64 * 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxBatch: 100_000,
  maxBatchBytes: 256 * 1024 * 1024,
}

/**
 * A storage of queues on a {@link ByteStore}.
 *
 * @example
 * ```ts
 * const storage = new ByteAdapter({ name: 'mine', durability: 'disk', sharedBy: 'machine' }, () => new MyStore(path))
 * const queue = new Queue('orders', { storage })
 * ```
 */
export class ByteAdapter extends SegmentAdapter {
  /**
   * @param guarantees What the store promises. By default leases survive that it is opened again (say `leasesSurviveReopen: false` where
   * its queues are `soleOwner`), bodies have 64 MiB, and an append 100,000 messages and 256 MiB.
   * @param openStore Opens the store: when a queue is opened and none is open, and again after it was closed or has failed.
   */
  constructor(guarantees: ByteGuarantees, openStore: () => Promise<ByteStore> | ByteStore) {
    super({ ...SEGMENT_GUARANTEES, ...DEFAULTS, ...guarantees }, async () => transactional(await openStore()))
  }
}

/**
 * Contract 2 on a byte store: what `storeCases` of `quayside-conformance` tests.
 *
 * @example
 * ```ts
 * const cases = storeCases({
 *   async create() {
 *     const store = transactional(new MyStore(path))
 *     return { store, destroy: () => store.close() }
 *   },
 * })
 * ```
 */
export function transactional(store: ByteStore): TransactionalStore {
  /** Those who open a queue twice work with one object: their transactions follow each other, and they hear of each other. */
  const opened = new Map<string, Promise<ByteQueueStore>>()
  let isClosed = false
  return {
    async open(queue: string): Promise<QueueStore> {
      const known = opened.get(queue)
      if (known !== undefined) return await known
      const opening = (async () => {
        const rows = await store.open(queue)
        return new ByteQueueStore(rows, {
          isClosed: () => isClosed,
          onClose: () => void opened.delete(queue),
        })
      })()
      opened.set(queue, opening)
      opening.catch(() => opened.delete(queue))
      return await opening
    },
    ...(store.queues !== undefined && {
      queues: async () => [...(await store.queues!())].sort(),
    }),
    get failure() {
      return store.failure
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await Promise.allSettled([...opened.values()].map(async (rows) => (await rows).idle()))
      await store.close()
    },
  }
}
