import { SEGMENT_GUARANTEES } from '../../src/segments/index.ts'
import type { Guarantees } from '../../src/storage.ts'
import type { SQLiteOptions } from './options.ts'

/** What a file promises. */
export function guaranteesOf({ durability }: SQLiteOptions): Guarantees {
  return {
    ...SEGMENT_GUARANTEES,
    name: 'sqlite',
    durability: durability === 'normal' ? 'process' : 'disk',
    sharedBy: 'machine',
    leasesSurviveReopen: true,
    maxBodyBytes: 64 * 1024 * 1024,
    maxHeaderBytes: 64 * 1024,
    maxBatch: 100_000,
    // What is stored together is in memory together.
    maxBatchBytes: 1024 * 1024 * 1024,
  }
}
