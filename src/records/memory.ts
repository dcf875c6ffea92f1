import { SYSTEM_CLOCK } from '../clock.ts'
import { askAtOnce } from '../core/index.ts'
import { RecordAdapter } from './adapter.ts'

/** Where a storage in memory reads the time. */
export interface MemoryOptions {
  /** Where the storage reads the time, in ms since 1970. @defaultValue that of the runtime */
  readonly clock?: { now(): number } | undefined
}

/**
 * Keeps queues in memory: the fastest storage, which survives nothing. Queues are shared by whoever shares the adapter
 * object. It is what `new Queue(name)` uses.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { MemoryAdapter } from 'quayside/memory'
 *
 * const storage = new MemoryAdapter() // shared by both
 * const [orders, mails] = [new Queue('orders', { storage }), new Queue('mails', { storage })]
 * ```
 */
export class MemoryAdapter extends RecordAdapter {
  constructor({ clock = SYSTEM_CLOCK }: MemoryOptions = {}) {
    super(
      {
        name: 'memory',
        durability: 'none',
        sharedBy: 'instance',
        exclusiveLeases: true,
        fifo: true,
        orderingKeys: true,
        deduplication: true,
        cancellation: true,
        leasesSurviveReopen: false,
        maxBodyBytes: 64 * 1024 * 1024,
        maxHeaderBytes: 64 * 1024,
        maxBatch: 100_000,
        maxBatchBytes: Infinity,
        consistentWithinMs: 0,
        lanes: true,
        parking: true,
        results: true,
      },
      clock,
      askAtOnce,
    )
  }
}
