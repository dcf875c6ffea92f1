import { allGroups, lowestFloor } from './group.ts'
import { parseId } from './ids.ts'
import type { Delayed, IdRow, SideRow } from './rows.ts'
import { findLease } from './leases.ts'
import { openLane, workAt } from './lanes/lane.ts'
import { indexOfId } from './segment.ts'
import { sideKey } from './waiting.ts'
import { type Work, isGone, segmentAt } from './work.ts'

/** Where a message was found: not in the log yet; or by its seq, in whatever state. */
export type Found = InDelayed | InLog

export interface InLog {
  readonly seq: number
  readonly key: string | undefined
  /** Its lane, or the queue. */
  readonly work: Work
}

export interface InDelayed {
  /** The key of its row in `delayed`. */
  readonly delayed: number
  readonly segment: Delayed
  readonly index: number
}

/**
 * Finds a message by its id. Ids that their senders chose have a row, and those of messages outside the log that their number
 * does not lead to; others say themselves where to look.
 */
export function find(work: Work, id: string): Found | undefined {
  const row = work.tx.get<IdRow>('ids', id)
  if (row === undefined) return findMade(work, id)
  const { seq, key, lane, delayed } = row
  if (seq !== undefined) {
    const at = lane === undefined ? work : openLane(work, lane)
    return at && { seq, key, work: at }
  }
  // The row may stand for what was kept of it in one group.
  return delayed === undefined ? findMade(work, id) : inDelayed(work, delayed, id)
}

/** Finds a message by an id that was made for it, as long as the log has it, it is leased, or it waits without a key. */
export function findMade(work: Work, id: string): Found | undefined {
  const { tx, queue } = work
  const parsed = parseId(id, { log: queue.tail, delayed: queue.nextDelayed, lane: queue.laneTail })
  if (parsed === undefined) return undefined
  const { number, delayed } = parsed
  if (!delayed) return inLog(work, number, id) ?? inSide(work, number, id)
  const moved = { lower: number, upper: queue.nextDelayed }
  const [alias] = queue.tied + queue.lanes > 0 ? tx.range<number>('ids', moved, 1) : []
  return inDelayed(work, number, id) ?? (alias && inLog(work, alias[1], id))
}

function inLog(root: Work, seq: number, id: string): Found | undefined {
  const work = workAt(root, seq)
  const segment = work && segmentAt(work, seq)
  const index = segment === undefined ? -1 : indexOfId(segment, id)
  return index < 0
    ? undefined
    : { seq: segment!.first + index, key: segment!.more?.key?.[index], work: work! }
}

function inSide(work: Work, seq: number, id: string): Found | undefined {
  for (const group of allGroups(work)) {
    const key = findLease(group, seq)?.key
    const message = work.tx.get<SideRow>('side', sideKey(group, seq, key))?.message
    if (message?.id === id) return { seq, key, work }
  }
  return undefined
}

function inDelayed({ tx, queue }: Work, number: number, id: string): Found | undefined {
  if (queue.delayed === 0) return undefined
  const [row] = tx.range<Delayed>('delayed', { lower: number }, 1)
  const index = row === undefined ? -1 : indexOfId(row[1], id)
  return index < 0 ? undefined : { delayed: row![0] as number, segment: row![1], index }
}

/** Whether somebody may come to a message in the log. A segment stays whole, though all groups may have passed a part of it. */
export function isAhead(work: Work, seq: number): boolean {
  return segmentAt(work, seq) !== undefined && (work.queue.groups === 0 || seq >= lowestFloor(work))
}

/** Whether the log still holds a message, for whatever group comes. */
export function isPending(work: Work, seq: number): boolean {
  return isAhead(work, seq) && !isGone(work, seq)
}
