import type { GroupRow, QueueRow } from './rows.ts'

/**
 * How far the clock may run behind the latest time seen before that counts as a jump. Contexts of one machine read
 * clocks that differ by some ms (browsers round them); following each such difference would make time run fast.
 */
const JUMP_MS = 1000

/**
 * The queue's own time, which never jumps back.
 *
 * Deadlines are points on this time. It is the store's clock plus a skew. Whenever the clock is found well before the
 * latest time that anybody saw on this queue, it was set back, and the skew grows by the difference: time goes on from
 * where it was, so nothing waits longer than the duration it was given. A jump forward moves time forward and ends leases
 * and delays early, which is safe.
 *
 * Returns the time now, and writes a changed skew to `queue`, which the caller puts.
 */
export function tick(clock: number, queue: QueueRow, group?: GroupRow): number {
  const latest = group === undefined ? queue.latest : Math.max(queue.latest, group.latest)
  const now = clock + queue.skew
  // What was there a moment ago is not undone: orders that go by time rely on it.
  if (now >= latest - JUMP_MS) return Math.max(now, latest)
  queue.skew = latest - clock
  return latest
}
