/** `quayside/memory`: the storage that `new Queue(name)` uses, to share between queues or to give a clock. */
export { MemoryAdapter, type MemoryOptions } from '../src/records/index.ts'
