/** The record engine: contract 1 by a record for each message, in memory. */
export { RecordAdapter } from './adapter.ts'
export { type Steps, STEPS } from './book.ts'
export { MemoryAdapter, type MemoryOptions } from './memory.ts'
