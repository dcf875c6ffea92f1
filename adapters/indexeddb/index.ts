import { QuaysideError } from '../../src/errors.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import type { IndexedDBOptions } from './options.ts'
import { IndexedDBStore } from './store.ts'

export type { IndexedDBEvent, IndexedDBOptions } from './options.ts'
export { requestPersistence } from './persistence.ts'

const OPTIONS: readonly string[] = ['database', 'durability', 'strictAcks', 'timeoutMs', 'clock', 'onEvent']

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
export class IndexedDBAdapter extends SegmentAdapter {
  /**
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. Whether IndexedDB may be used here is told by the first use:
   * `STORAGE_UNAVAILABLE`, `TIMEOUT`, `QUOTA_EXCEEDED`.
   */
  constructor(options: IndexedDBOptions = {}) {
    check(options)
    super(
      {
        ...SEGMENT_GUARANTEES,
        name: 'indexeddb',
        durability: options.durability === 'relaxed' ? 'process' : 'disk',
        sharedBy: 'origin',
        leasesSurviveReopen: true,
        maxBodyBytes: 64 * 1024 * 1024,
        maxHeaderBytes: 64 * 1024,
        maxBatch: 100_000,
        maxBatchBytes: Infinity,
      },
      () => IndexedDBStore.open(options),
    )
  }
}

function check(options: IndexedDBOptions): void {
  const refuse = (rule: string, value: unknown): never => {
    throw new QuaysideError('INVALID_ARGUMENT', `new IndexedDBAdapter: ${rule}, not ${JSON.stringify(value)}`)
  }
  for (const name in options) if (!OPTIONS.includes(name)) refuse(`options are ${OPTIONS.join(', ')}`, name)
  const { database = 'quayside', durability = 'strict', timeoutMs = 1 } = options
  if (typeof database !== 'string' || database === '') refuse('database must be a name', database)
  if (durability !== 'strict' && durability !== 'relaxed')
    refuse('durability must be "strict" or "relaxed"', durability)
  if (timeoutMs !== Infinity && !(timeoutMs > 0 && timeoutMs <= MAX_DURATION_MS))
    refuse(
      `timeoutMs must be a number of ms, more than 0 and ${MAX_DURATION_MS} at most, or Infinity`,
      timeoutMs,
    )
}
