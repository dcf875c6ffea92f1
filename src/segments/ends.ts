import { allGroups, lowestFloor } from './group.ts'
import { isPending } from './find.ts'
import { isOfDelayed } from './ids.ts'
import { locate } from './places.ts'
import { type Delayed, type IdRow, type Stored, DELIVER, EMPTY, EXPIRE } from './rows.ts'
import { indexOfId } from './segment.ts'
import { trimBelow } from './trim.ts'
import { type Work, edit, forgetAt, under } from './work.ts'

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
  { older, until }: Pick<IdRow, 'older' | 'until'> = {},
): void {
  work.tx.put('ids', id, { ...where, dedupeMs: dedupeMs || undefined, older, until } satisfies IdRow)
}

/**
 * Whether a message, once it is outside the log, is found by its number alone. If not, its id gets a row, as if its sender had
 * chosen it.
 */
export function hasIdRow({ id, key, named }: Pick<Stored, 'id' | 'key' | 'named'>): boolean {
  return named !== undefined || key !== undefined || isOfDelayed(id)
}

/** Has a message that leaves the log be found by its id. */
export function noteId(work: Work, seq: number, message: Stored): void {
  const { id, key, named } = message
  if (named === undefined && hasIdRow(message) && work.tx.get('ids', id) === undefined)
    putId(work, id, { seq, key }, undefined)
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
  const left: IdRow = isLast ? { older: row.older, until: known } : { ...row, older: undefined, until: known }
  const isKept = Object.values(left).some((one) => one !== undefined)
  if (isKept) work.tx.put('ids', id, left)
  else work.tx.delete('ids', id)
  if (known !== undefined && known !== row.until) forgetAt(work, known, id)
}

/** Until when an id is known, if nobody has a message of it to do. */
export function knownUntil({ queue }: Work, { until = 0, dedupeMs = 0, older = 0 }: IdRow): number {
  return Math.max(until, (queue.cut ?? -Infinity) + Math.max(dedupeMs, older))
}

/** Whether somebody has a message of the log, or outside it, to do; without groups, whether it waits for the first. */
export function isRetained(work: Work, seq: number, key: string | undefined): boolean {
  const groups = allGroups(work)
  if (groups.length === 0) return isPending(work, seq)
  return groups.some((group) => locate(group, seq, key) !== undefined)
}

/** Deletes all messages that wait for groups. Of those that groups have in rows of their own they have to take care. */
export function empty(work: Work): void {
  const { tx } = work
  const queue = edit(work)
  for (const table of ['log', 'delayed', 'amend'] as const) tx.deleteRange(table, {})
  for (const kind of [DELIVER, EXPIRE]) tx.deleteRange('timers', under(kind))
  tx.deleteRange('ids', { upper: queue.nextDelayed })
  Object.assign(queue, EMPTY)
}

/** Has the log and the rows of ids be tidied up: many messages have ended now. */
export function cutIds(work: Work): void {
  const queue = edit(work)
  queue.cut = work.now
  queue.tidied = ''
}

/** Tidies up some of it. */
export function tidy(work: Work): void {
  const { tx, queue } = work
  const { cut, tidied } = queue
  if (tidied === undefined) return
  const floor = lowestFloor(work)
  if (queue.groups > 0 && trimBelow(work, 0, floor) < floor) return
  const some = Math.ceil(work.limits.stepMessages / 4)
  const rows = tx.range<IdRow>('ids', { lower: tidied }, some)
  for (const [key, row] of rows) {
    const id = key as string
    const segment = row.delayed === undefined ? undefined : tx.get<Delayed>('delayed', row.delayed)
    const isThere =
      row.seq === undefined
        ? segment !== undefined && indexOfId(segment, id) >= 0
        : isRetained(work, row.seq, row.key)
    const { dedupeMs = 0, older = 0 } = row
    // Whether earlier ones of a message that goes on have ended is not known: they are given the time.
    if (!isThere) endId(work, id, { ...row, older: undefined }, Math.max(dedupeMs, older), true, cut)
    else if (older > 0) endId(work, id, row, older, false, cut)
  }
  const isDone = rows.length < some
  if (isDone) edit(work).cut = undefined
  edit(work).tidied = isDone ? undefined : `${rows.at(-1)![0] as string}\0`
}
