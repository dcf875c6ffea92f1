import type { Guarantees } from '../../src/storage.ts'

/**
 * Calls and their answers may have 32 MiB. A code unit takes 6 bytes in the worst case, a control character in JSON; then
 * 4 MiB and one message more come to 31.
 */
const CALL_BYTES = 4 * 1024 * 1024

/** What a queue in one object promises, to its own side and to those who call it. */
export const GUARANTEES: Guarantees = {
  name: 'durable-object',
  durability: 'replicated',
  sharedBy: 'network',
  exclusiveLeases: true,
  fifo: true,
  orderingKeys: true,
  deduplication: true,
  cancellation: true,
  leasesSurviveReopen: true,
  maxBodyBytes: 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxBatch: 1000,
  maxBatchBytes: CALL_BYTES,
  consistentWithinMs: 0,
  listsQueues: false,
}

/** Rows are billed one by one: a batch is one row, up to a size that is not too long to read for the sake of a claim. */
export const LIMITS = {
  segmentMessages: GUARANTEES.maxBatch,
  segmentBytes: 1024 * 1024,
  bodyBytes: 256 * 1024,
  answerBytes: CALL_BYTES,
}
