/**
 * `quayside/segments`: for authors of adapters. Write a {@link TransactionalStore}, a hundred lines on any storage that
 * has transactions and ordered keys, and {@link SegmentAdapter} makes a whole queue storage of it. Who writes all of a storage
 * finds the limits here that it keeps.
 */
export {
  type Answer,
  ByteAdapter,
  type ByteGuarantees,
  type ByteQueue,
  type ByteRow,
  type ByteRows,
  type ByteStore,
  transactional,
} from './bytes/index.ts'
export { SEGMENT_GUARANTEES, SegmentAdapter } from './engine.ts'
export { handOver } from './inbox.ts'
export { OrderedMap } from './ordered-map.ts'
export { type AsyncReads, type Write, rehearse } from './rehearsal.ts'
export {
  DEFAULT_LIMITS,
  type Key,
  type KeyRange,
  type Kind,
  type QueueStore,
  type Read,
  type Row,
  type StoreLimits,
  TABLES,
  type Table,
  type Transaction,
  type TransactionalStore,
  compareKeys,
  isBehind,
} from './store.ts'
export { MAX_REST_MS } from '../lanes.ts'
export { MAX_ANSWER_BYTES, MAX_DURATION_MS, MAX_HOLDS, MAX_NAME_BYTES } from '../storage.ts'
