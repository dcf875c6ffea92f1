/**
 * `quayside/fs`: queues in a directory, for Node, Bun and Deno.
 *
 * @module
 */
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { QuaysideError } from '../../src/errors.ts'
import type { JournalStoreOptions } from './options.ts'
import { checkPath } from './path.ts'
import { openJournalStore } from './store.ts'

export type { FsEvent } from './options.ts'
export { salvage } from './salvage.ts'
export type { Lost } from './wreck.ts'

export type FsOptions = Pick<
  JournalStoreOptions,
  'durability' | 'strictAcks' | 'cacheBytes' | 'clock' | 'onEvent'
>

const OPTIONS: readonly string[] = [
  'durability',
  'strictAcks',
  'cacheBytes',
  'clock',
  'onEvent',
] satisfies (keyof FsOptions)[]

/**
 * Keeps queues in a directory, in an append-only journal. One process owns the directory at a time.
 *
 * The directory is opened, and locked, when the first queue on it is used, and let go when the last one is closed.
 *
 * ```ts
 * const storage = new NodeFsAdapter('./data')
 * const queue = new Queue('orders', { storage })
 * ```
 */
export class NodeFsAdapter extends SegmentAdapter {
  /**
   * @param directory Where the files go; it and its parents are made if they do not exist.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the directory itself is told by the first use:
   * `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `QUOTA_EXCEEDED`.
   */
  constructor(directory: string, options: FsOptions = {}) {
    check(directory, options)
    super(
      {
        ...SEGMENT_GUARANTEES,
        name: 'fs',
        durability: options.durability === 'os' ? 'process' : 'disk',
        sharedBy: 'process',
        leasesSurviveReopen: false,
        maxBodyBytes: 64 * 1024 * 1024,
        maxHeaderBytes: 64 * 1024,
        maxBatch: 100_000,
        maxBatchBytes: Infinity,
      },
      () => openJournalStore(directory, options),
    )
  }
}

function check(directory: string, options: FsOptions): void {
  const tried = 'new NodeFsAdapter'
  checkPath(tried, 'directory', directory)
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: options are ${OPTIONS.join(', ')}, not ${JSON.stringify(name)}`,
    )
  }
  const { durability = 'fsync', cacheBytes = 0 } = options
  if (durability !== 'fsync' && durability !== 'os') {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: durability must be "fsync" or "os", not ${JSON.stringify(durability)}`,
    )
  }
  if (!(cacheBytes >= 0)) {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: cacheBytes must be a number of bytes, 0 or more, not ${cacheBytes}`,
    )
  }
}
