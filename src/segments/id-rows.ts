import { isOfDelayed } from './ids.ts'
import type { IdRow, OlderRow, Stored } from './rows.ts'
import { type Work, forgetAt } from './work.ts'

/**
 * What becomes of the ids that senders chose. Each has a row while some group has its message to do, and for its `dedupeMs`
 * from then on, however that end came about.
 *
 * Where many messages end at once (a group is deleted, a queue purged), the rows of their ids stay as they are: a row whose
 * message nobody has any more means that it ended at the queue's last **cut**. They are tidied up some at a time.
 *
 * The row is that of the last message of the id. Earlier ones that are on their way have a row each, if they have promised something.
 */

/** Notes where the message of an id is now. `before`: what was known of the id. */
export function putId(
  work: Work,
  id: string,
  { seq, key, delayed }: Pick<IdRow, 'seq' | 'key' | 'delayed'>,
  dedupeMs: number | undefined,
  { until, kept, keptUntil }: Pick<IdRow, 'until' | 'kept' | 'keptUntil'> = {},
): void {
  const { lane } = work
  // Nothing but what is there: a million of these may be in memory.
  work.tx.put('ids', id, {
    ...(seq === undefined ? { delayed } : { seq }),
    ...(key !== undefined && { key }),
    ...(lane !== undefined && { lane }),
    ...(dedupeMs && { dedupeMs }),
    ...(until !== undefined && { until }),
    ...(kept !== undefined && { kept, keptUntil }),
  } satisfies IdRow)
}

/**
 * Whether a message, once it is outside the log, is found by its number alone. If not, its id gets a row, as if its sender had
 * chosen it.
 */
export function hasIdRow({ id, key, lane, named }: Pick<Stored, 'id' | 'key' | 'lane' | 'named'>): boolean {
  return (named ?? key ?? lane) !== undefined || isOfDelayed(id)
}

/** The same while it is leased: then its number leads to its lease, and that to its key. */
export function hasIdRowLeased({ id, lane, named }: Pick<Stored, 'id' | 'lane' | 'named'>): boolean {
  return hasIdRow({ id, key: undefined, lane, named })
}

/** Has a message that leaves the log be found by its id. */
export function noteId(work: Work, seq: number, message: Stored): void {
  const { id, key, named, keepMs } = message
  if (named !== undefined || !hasIdRow(message)) return
  // Of an id that was made nothing is known but what was kept.
  const before = keepMs === undefined ? undefined : work.tx.get<IdRow>('ids', id)
  putId(work, id, { seq, key }, undefined, before)
}

/** A message that is on its way is an earlier one of its id. */
export function putOlder(
  { tx }: Work,
  id: string,
  { seq, key, lane, dedupeMs }: Pick<IdRow, 'seq' | 'key' | 'lane' | 'dedupeMs'>,
): void {
  if (seq !== undefined && dedupeMs) tx.put('ids', -seq, { id, key, lane, dedupeMs } satisfies OlderRow)
}

/** What is known of an id without its last message. */
export function withoutLast({ until, kept, keptUntil }: IdRow): IdRow {
  return { until, kept, keptUntil }
}

/** The last group is done with a message of an id, at a time. `left`: what is known of the id without it. */
export function endId(work: Work, id: string, left: IdRow, dedupeMs: number, at: number = work.now): void {
  const until = Math.max(at + dedupeMs, left.until ?? 0)
  const known = until > work.now ? until : undefined
  putLeft(work, id, { ...left, until: known })
  if (known !== undefined && known !== left.until) forgetAt(work, known, id)
}

/** Writes the row of an id, if anything is known of it. */
export function putLeft({ tx }: Work, id: string, left: IdRow): void {
  if (Object.values(left).some((one) => one !== undefined)) tx.put('ids', id, left)
  else tx.delete('ids', id)
}

/** Until when an id is known, if nobody has its message to do. */
export function knownUntil({ root: { queue } }: Work, { until = 0, dedupeMs = 0 }: IdRow): number {
  return Math.max(until, (queue.cut ?? -Infinity) + dedupeMs)
}
