import { isOfDelayed } from './ids.ts'
import type { IdRow, Stored } from './rows.ts'
import { type Work, forgetAt } from './work.ts'

/**
 * What becomes of the ids that senders chose. Each has a row while some group has its message to do, and for its `dedupeMs`
 * from then on, however that end came about.
 *
 * Where many messages end at once (a group is deleted, a queue purged), the rows of their ids stay as they are: a row whose
 * message nobody has any more means that it ended at the queue's last **cut**. They are tidied up some at a time.
 */

/** Notes where the message of an id is now. `before`: what was known of the id. */
export function putId(
  work: Work,
  id: string,
  where: Pick<IdRow, 'seq' | 'key' | 'delayed'>,
  dedupeMs: number | undefined,
  { older, until, kept, keptUntil }: Pick<IdRow, 'older' | 'until' | 'kept' | 'keptUntil'> = {},
): void {
  const { lane } = work
  work.tx.put('ids', id, {
    ...where,
    lane,
    dedupeMs: dedupeMs || undefined,
    older,
    until,
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

/** What is left of what is known of an id when another message takes its place. `isOver`: nobody has the old one any more. */
export function promises(work: Work, row: IdRow, isOver: boolean): Pick<IdRow, 'older' | 'until'> {
  const older = Math.max(row.older ?? 0, row.dedupeMs ?? 0)
  const until = isOver ? knownUntil(work, row) : (row.until ?? 0)
  return { older: isOver || older === 0 ? undefined : older, until: until > work.now ? until : undefined }
}

/** The last group is done with the message of an id, at a time. */
export function endId(
  work: Work,
  id: string,
  row: IdRow,
  dedupeMs: number,
  isLast: boolean,
  at: number = work.now,
): void {
  const until = Math.max(at + dedupeMs, row.until ?? 0)
  const known = until > work.now ? until : undefined
  const { kept, keptUntil } = row
  const left: IdRow = isLast
    ? { older: row.older, until: known, ...(kept !== undefined && { kept, keptUntil }) }
    : { ...row, older: undefined, until: known }
  const isKept = Object.values(left).some((one) => one !== undefined)
  if (isKept) work.tx.put('ids', id, left)
  else work.tx.delete('ids', id)
  if (known !== undefined && known !== row.until) forgetAt(work, known, id)
}

/** Until when an id is known, if nobody has a message of it to do. */
export function knownUntil({ root: { queue } }: Work, { until = 0, dedupeMs = 0, older = 0 }: IdRow): number {
  return Math.max(until, (queue.cut ?? -Infinity) + Math.max(dedupeMs, older))
}
