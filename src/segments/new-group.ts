import { firstSegment, lowestFloor, makeGroup } from './group.ts'
import { beginJoining } from './joining.ts'
import type { GroupRow } from './rows.ts'
import { type Group, type Work, amendmentsOf, edit, isOverdue } from './work.ts'

/** The row of a group that has nothing in flight yet. */
export function newRow(token: string, cursor: number): GroupRow {
  return {
    token,
    cursor,
    leases: [],
    held: 0,
    heldUntil: undefined,
    epoch: 0,
    mark: cursor,
    markBytes: 0,
    nextLease: 1,
    due: undefined,
    until: undefined,
    checked: cursor,
    trimmed: cursor,
    skipped: 0,
    waiting: 0,
    blocked: 0,
    redriven: false,
    dead: 0,
    acked: 0,
    failed: 0,
    passed: 0,
    latest: 0,
  }
}

/** A group as it would start now. It is not part of the transaction until {@link createGroup} makes it so. */
export function imagineGroup(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  const { tail, groups, groupsEver } = work.queue
  // The first group takes everything: messages sent before anybody listened wait for it.
  let cursor = from === 'latest' && groups > 0 ? tail : (firstSegment(work)?.first ?? tail)
  // What every group has finished is not retained, even if a segment still holds it.
  if (cursor < tail && groups > 0) cursor = Math.max(cursor, lowestFloor(work))
  const row = newRow(tokenOf(work, groupsEver), cursor)
  row.skipped = cursor < tail ? work.queue.gone : 0
  // What is not trimmed yet.
  if (row.skipped > 0)
    for (const { gone } of amendmentsOf(work, 0, cursor - 1)?.values() ?? []) if (gone) row.skipped--
  return makeGroup(work, name, row)
}

/**
 * What the receipts of a new group start with: no other group has it, neither of this queue nor, but for rare luck, of
 * others, nor of a queue of this name that was deleted.
 */
function tokenOf({ clock }: Work, groupsEver: number): string {
  return [Math.random() * 2 ** 52, clock, groupsEver].map((part) => Math.floor(part).toString(36)).join('-')
}

/** Makes a group. */
export function createGroup(work: Work, name: string, from: 'earliest' | 'latest' = 'earliest'): Group {
  const group = imagineGroup(work, name, from)
  const queue = edit(work)
  const { row } = group
  row.passed = queue.intoLanes
  if (from === 'latest' && queue.groups > 0) row.late = true
  else if (queue.lanes > 0) row.walk = ''
  if (queue.groups === 0) {
    row.first = true
    row.passed -= queue.inLanes
  }
  group.changed = true
  queue.groups++
  queue.groupsEver++
  if (from === 'latest' && queue.groups > 1 && isOverdue(work))
    queue.since = row.since = [work.now, queue.nextTimer]
  work.groups.push(group)
  if (from === 'earliest' && queue.groups > 1) beginJoining(group)
  return group
}
