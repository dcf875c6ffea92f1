/**
 * `quayside/fs`: queues in a directory, for Node, Bun and Deno.
 *
 * @module
 */
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { QuaysideError } from '../../src/errors.ts'
import type { JournalStoreOptions } from './options.ts'
import { checkPath } from './path.ts'
import { guaranteesOf } from './guarantees.ts'
import { openJournalReader } from './reader.ts'
import { openJournalStore } from './store.ts'

export type { FsEvent } from './options.ts'
export { salvage } from './salvage.ts'
export type { Lost } from './wreck.ts'

export type FsOptions = Pick<
  JournalStoreOptions,
  'durability' | 'strictAcks' | 'cacheBytes' | 'readOnly' | 'clock' | 'onEvent'
>

const OPTIONS: readonly string[] = [
  'durability',
  'strictAcks',
  'cacheBytes',
  'readOnly',
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
   * `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `QUOTA_EXCEEDED`; with `readOnly`, also that there is no journal in it.
   */
  constructor(directory: string, options: FsOptions = {}) {
    check(directory, options)
    const open = options.readOnly ? openJournalReader : openJournalStore
    super(guaranteesOf(options), () => open(directory, options))
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
