import { allGroups, lowestFloor } from './group.ts'
import { isPending } from './find.ts'
import { endId, withoutLast } from './id-rows.ts'
import { openLane } from './lanes/lane.ts'
import { tidyLanes } from './lanes/walk.ts'
import { locate } from './places.ts'
import { type Delayed, type IdRow, type OlderRow, DELIVER, EMPTY, EXPIRE } from './rows.ts'
import { indexOfId } from './segment.ts'
import { sweepDelayed } from './sweep.ts'
import { trimBelow } from './trim.ts'
import { type Work, edit, isOverdue, under } from './work.ts'

/** Whether somebody has a message of the log, or outside it, to do; without groups, whether it waits for the first. */
function isRetained(root: Work, { lane, key }: Pick<IdRow, 'lane' | 'key'>, seq: number): boolean {
  const work = lane === undefined ? root : openLane(root, lane)
  if (work === undefined) return false
  const groups = allGroups(work)
  if (groups.length === 0) return isPending(work, seq)
  return groups.some((group) => locate(group, seq, key) !== undefined)
}

/** Notes what earlier messages of ids have promised that have ended now: of some, from one on. */
function tidyOlder(work: Work, from: number, some: number): void {
  const { tx, queue } = work
  const rows = tx.range<OlderRow>('ids', { lower: from, upper: -1 }, some)
  for (const [at, row] of rows) {
    if (isRetained(work, row, -(at as number))) continue
    tx.delete('ids', at)
    endId(work, row.id, tx.get<IdRow>('ids', row.id) ?? {}, row.dedupeMs, queue.cut)
  }
  edit(work).tidied = rows.length < some ? '' : (rows.at(-1)![0] as number) + 1
}

/** Deletes all messages that wait for groups. Of those that groups have in rows of their own they have to take care. */
export function empty(work: Work): void {
  const { tx } = work
  const queue = edit(work)
  for (const table of ['log', 'delayed', 'amend', 'bodies', 'lanes', 'ready', 'wake'] as const)
    tx.deleteRange(table, {})
  for (const kind of [DELIVER, EXPIRE]) tx.deleteRange('timers', under(kind))
  tx.deleteRange('ids', { lower: 0, upper: queue.nextDelayed })
  work.lanes = undefined
  for (const { row } of allGroups(work)) row.walk = undefined
  Object.assign(queue, EMPTY)
}

/** Has the log and the rows of ids be tidied up: many messages have ended now. */
export function cutIds(work: Work): void {
  const queue = edit(work)
  queue.cut = work.now
  queue.tidied = Number.MIN_SAFE_INTEGER
  if (queue.lanes > 0) queue.tidiedLane = ''
}

/** Tidies up some of it. */
export function tidy(work: Work): void {
  const { tx, queue } = work
  if (queue.tidied === undefined) return
  const some = Math.ceil(work.limits.stepMessages / 4)
  if (typeof queue.tidied === 'number') tidyOlder(work, queue.tidied, some)
  const { cut, tidied } = queue
  if (typeof tidied === 'number') return
  // What is overdue, and was before the groups that there are, may have been needed by those that were deleted.
  if (queue.groups > 0 && queue.since !== undefined) {
    sweepDelayed(work, work.moves)
    if (isOverdue(work) && queue.since !== undefined) return
  }
  if (!tidyLanes(work)) return
  const floor = lowestFloor(work)
  if (queue.groups > 0 && trimBelow(work, 0, floor) < floor) return
  const rows = tx.range<IdRow>('ids', { lower: tidied }, some)
  for (const [key, row] of rows) {
    const id = key as string
    const segment = row.delayed === undefined ? undefined : tx.get<Delayed>('delayed', row.delayed)
    const isThere =
      row.seq === undefined
        ? segment !== undefined && indexOfId(segment, id) >= 0
        : isRetained(work, row, row.seq)
    if (!isThere) endId(work, id, withoutLast(row), row.dedupeMs ?? 0, cut)
  }
  const isDone = rows.length < some
  if (isDone) edit(work).cut = undefined
  edit(work).tidied = isDone ? undefined : `${rows.at(-1)![0] as string}\0`
}
