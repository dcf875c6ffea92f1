/**
 * `quayside/fs`: queues in a directory, for Node, Bun and Deno.
 *
 * @module
 */
import { SegmentAdapter } from '../../src/segments/index.ts'
import { QuaysideError } from '../../src/errors.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import type { JournalStoreOptions } from './options.ts'
import { checkPath } from './path.ts'
import { guaranteesOf } from './guarantees.ts'
import { openJournalReader } from './reader.ts'
import { shareJournal } from './shared.ts'

export type { FsEvent } from './options.ts'
export { salvage } from './salvage.ts'
export type { Lost } from './wreck.ts'

/** How a storage in files stores. */
export type FsOptions = Pick<
  JournalStoreOptions,
  'durability' | 'strictAcks' | 'cacheBytes' | 'readOnly' | 'waitForLockMs' | 'mode' | 'clock' | 'onEvent'
>

const OPTIONS: readonly string[] = [
  'durability',
  'strictAcks',
  'cacheBytes',
  'readOnly',
  'waitForLockMs',
  'mode',
  'clock',
  'onEvent',
] satisfies (keyof FsOptions)[]

/**
 * Keeps queues in a directory, in an append-only journal. One process owns the directory at a time.
 *
 * The directory is opened, and locked, when the first queue on it is used, and let go when the last one is closed. Adapters
 * of one thread on one directory share it, also if a bundler has made copies of this module: so they must have the same
 * `durability`, `strictAcks`, `mode` and `clock`; the first one's `cacheBytes` counts. A worker thread cannot share it with
 * the rest of its process: pass messages to the thread that owns it.
 *
 * ```ts
 * const storage = new NodeFsAdapter('./data')
 * const queue = new Queue('orders', { storage })
 * ```
 */
export class NodeFsAdapter extends SegmentAdapter {
  readonly #end: AbortController

  /**
   * @param directory Where the files go; it and its parents are made if they do not exist.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the directory itself is told by the first use:
   * `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `QUOTA_EXCEEDED`; with `readOnly`, also that there is no journal in it; and
   * `INVALID_ARGUMENT` if it is open in this thread with other options.
   */
  constructor(directory: string, options: FsOptions = {}) {
    check(directory, options)
    const end = new AbortController()
    const open = options.readOnly ? openJournalReader : shareJournal
    super(guaranteesOf(options), () => open(directory, { ...options, signal: end.signal }))
    this.#end = end
  }

  override close(): Promise<void> {
    // Nobody waits for a lock any more.
    this.#end.abort()
    return super.close()
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
  const { durability = 'fsync', cacheBytes = 0, waitForLockMs = 0, mode = 0o600 } = options
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
  if (typeof waitForLockMs !== 'number' || !(waitForLockMs >= 0 && waitForLockMs <= MAX_DURATION_MS)) {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: waitForLockMs must be a number of ms from 0 to ${MAX_DURATION_MS}, not ${String(waitForLockMs)}`,
    )
  }
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777 || (mode & 0o600) !== 0o600) {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: mode must be permissions that let this user read and write, from 0o600 to 0o777, not ${String(mode)}`,
    )
  }
}
