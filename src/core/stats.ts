import type { ActivityReport } from './activity.ts'
import { type Queue, contextOf } from './lean/queue.ts'
import type { StorageStats } from '../storage.ts'

/**
 * What the storage counts, for all who use it, and what went through this `Queue` object, of which others have no part.
 *
 * `throughput` and `latency` are of the last minute on the queue's clock: of 50 to 60 s, or since the object was made.
 * A clock that is set back begins them anew.
 */
export interface QueueStats extends StorageStats, ActivityReport {}

/**
 * Counts of all groups. Never looks at every message, and changes nothing. See `stats` of the `Queue` of `quayside`, which has rates
 * and latencies besides.
 *
 * ```ts
 * const { messages, groups } = await stats(queue)
 * ```
 */
export async function stats(queue: Queue): Promise<StorageStats> {
  return await contextOf(queue).use('stats', (view) => view.stats())
}
