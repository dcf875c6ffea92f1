import { SEGMENT_GUARANTEES } from '../../src/segments/index.ts'
import type { Guarantees } from '../../src/storage.ts'
import type { JournalStoreOptions } from './options.ts'

/** What a journal promises. */
export function guaranteesOf({ durability }: Pick<JournalStoreOptions, 'durability'>): Guarantees {
  return {
    ...SEGMENT_GUARANTEES,
    name: 'fs',
    durability: durability === 'os' ? 'process' : 'disk',
    sharedBy: 'process',
    leasesSurviveReopen: false,
    maxBodyBytes: 64 * 1024 * 1024,
    maxHeaderBytes: 64 * 1024,
    maxBatch: 100_000,
    // A frame must stay below 2 GiB with all that surrounds the messages.
    maxBatchBytes: 1024 * 1024 * 1024,
  }
}
