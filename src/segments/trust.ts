import { damaged } from '../errors.ts'
import { LANE_BASE } from './ids.ts'
import { type GroupRow, type QueueRow, type Segment, FORGET, KEPT } from './rows.ts'
import { lastOf } from './segment.ts'
import type { Key, Row, Transaction } from './store.ts'

/** A row of the log, whose key says where it must end. */
export function trustSegment(queue: string, [key, segment]: Row<Segment>): Segment {
  if (lastOf(segment) !== key) throw damaged(queue)
  return segment
}

export function trustQueue(queue: string, row: QueueRow): QueueRow {
  const { tail, latest, skew, nextDelayed, nextTimer, reaper = 0 } = row
  const { timer = unless(row.delayed > 0) } = row
  // What comes would be written over what is there.
  if (tail < 1 || !(row.laneTail >= LANE_BASE)) throw damaged(queue)
  return trustNumbers(queue, row, [tail, latest, skew, nextDelayed, nextTimer, timer, reaper])
}

/** @param tail The seq that the next message gets. A group that is beyond would never come to it. */
export function trustGroup(queue: string, row: GroupRow, tail: number): GroupRow {
  const { cursor, nextLease, checked, trimmed, latest } = row
  const { due = unless(row.waiting > 0), until = unless(row.leases.length + row.held > 0) } = row
  const { heldUntil = unless(row.held > 0) } = row
  // Claims would look for ends that are not there, for ever.
  if (row.heldUntil !== undefined && (row.held === 0 || until > heldUntil)) throw damaged(queue)
  if (cursor > tail || typeof row.token !== 'string') throw damaged(queue)
  for (const { first, last } of row.leases)
    if (!(Number.isInteger(first) && Number.isInteger(last) && first <= last && last < tail))
      throw damaged(queue)
  return trustNumbers(queue, row, [cursor, nextLease, checked, trimmed, latest, due, until, heldUntil])
}

/** Stands for a time that is not there: no number at all if it has to be. */
function unless(needed: boolean): number {
  return needed ? Number.NaN : 0
}

function trustNumbers<R>(queue: string, row: R, numbers: readonly number[]): R {
  if (!numbers.every(Number.isFinite)) throw damaged(queue)
  return row
}

/** Timers that are looked at in one step. */
const TIMERS = 256

/**
 * Looks at some of the timers that a purge leaves, from one on: nobody else would get rid of those that others have forged. Answers
 * with where to go on.
 */
export function trustTimers(queue: string, tx: Transaction, from: Key = [FORGET]): Key | undefined {
  const rows = tx.range('timers', { lower: from, upper: [KEPT] }, TIMERS)
  const isPart = (part: unknown): boolean => typeof part === 'string' || Number.isFinite(part)
  if (!rows.every(([, value]) => Array.isArray(value) && [...(value as readonly unknown[])].every(isPart)))
    throw damaged(queue)
  return rows.length < TIMERS ? undefined : rows.at(-1)![0]
}
