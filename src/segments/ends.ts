import { allGroups, lowestFloor } from './group.ts'
import { isPending } from './find.ts'
import { endId } from './id-rows.ts'
import { openLane } from './lanes/lane.ts'
import { tidyLanes } from './lanes/walk.ts'
import { locate } from './places.ts'
import { type Delayed, type IdRow, DELIVER, EMPTY, EXPIRE } from './rows.ts'
import { indexOfId } from './segment.ts'
import { sweepDelayed } from './sweep.ts'
import { trimBelow } from './trim.ts'
import { type Work, edit, isOverdue, under } from './work.ts'

/** Whether somebody has a message of the log, or outside it, to do; without groups, whether it waits for the first. */
export function isRetained(work: Work | undefined, seq: number, key: string | undefined): boolean {
  if (work === undefined) return false
  const groups = allGroups(work)
  if (groups.length === 0) return isPending(work, seq)
  return groups.some((group) => locate(group, seq, key) !== undefined)
}

/** Deletes all messages that wait for groups. Of those that groups have in rows of their own they have to take care. */
export function empty(work: Work): void {
  const { tx } = work
  const queue = edit(work)
  for (const table of ['log', 'delayed', 'amend', 'lanes', 'ready', 'wake'] as const)
    tx.deleteRange(table, {})
  for (const kind of [DELIVER, EXPIRE]) tx.deleteRange('timers', under(kind))
  tx.deleteRange('ids', { upper: queue.nextDelayed })
  work.lanes = undefined
  for (const { row } of allGroups(work)) row.walk = undefined
  Object.assign(queue, EMPTY)
}

/** Has the log and the rows of ids be tidied up: many messages have ended now. */
export function cutIds(work: Work): void {
  const queue = edit(work)
  queue.cut = work.now
  queue.tidied = ''
  if (queue.lanes > 0) queue.tidiedLane = ''
}

/** Tidies up some of it. */
export function tidy(work: Work): void {
  const { tx, queue } = work
  const { cut, tidied } = queue
  if (tidied === undefined) return
  // What is overdue, and was before the groups that there are, may have been needed by those that were deleted.
  if (queue.groups > 0 && queue.since !== undefined) {
    sweepDelayed(work, work.moves)
    if (isOverdue(work) && queue.since !== undefined) return
  }
  if (!tidyLanes(work)) return
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
        : isRetained(row.lane === undefined ? work : openLane(work, row.lane), row.seq, row.key)
    const { dedupeMs = 0, older = 0 } = row
    // Whether earlier ones of a message that goes on have ended is not known: they are given the time.
    if (!isThere) endId(work, id, { ...row, older: undefined }, Math.max(dedupeMs, older), true, cut)
    else if (older > 0) endId(work, id, row, older, false, cut)
  }
  const isDone = rows.length < some
  if (isDone) edit(work).cut = undefined
  edit(work).tidied = isDone ? undefined : `${rows.at(-1)![0] as string}\0`
}
