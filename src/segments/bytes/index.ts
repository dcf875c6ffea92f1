/** The byte store: what the least storage has to offer, and what makes a storage of queues of it. */
export { ByteAdapter, type ByteGuarantees, transactional } from './adapter.ts'
export type { Answer, ByteQueue, ByteRow, ByteRows, ByteStore } from './store.ts'
