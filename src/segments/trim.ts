import { type Group, floorOf, lowestFloor } from './group.ts'
import type { Segment } from './rows.ts'
import { type Work, ALL, edit } from './work.ts'

/** The log is trimmed once a group has moved on by this many messages, or has finished them all. */
const STRIDE = 64

/** Deletes what every group has finished from the log, if `group` has moved on enough since it last looked. */
export function trim(work: Work, group: Group): void {
  const { row } = group
  const floor = floorOf(group)
  if (floor === row.checked || (floor - row.checked < STRIDE && floor < work.queue.tail)) return
  group.changed = true
  row.checked = floor
  const lowest = work.queue.groups > 1 ? lowestFloor(work) : floor
  trimBelow(work, row.trimmed, lowest)
  row.trimmed = Math.max(row.trimmed, lowest)
}

/** Deletes segments that lie wholly in the stretch, which nobody needs any more. */
export function trimBelow(work: Work, from: number, floor: number): void {
  if (from >= floor) return
  const { tx, queue } = work
  // The lower bound spares stores a walk over the traces of what was deleted before.
  const range = { lower: from, upper: floor - 1 }
  if (queue.aliased > 0) {
    for (const [, segment] of tx.range<Segment>('log', range, ALL)) {
      if (segment.alias === undefined) continue
      tx.delete('ids', segment.alias)
      edit(work).aliased--
    }
  }
  tx.deleteRange('log', range)
  if (queue.amended > 0) {
    const amended = tx.count('amend', range)
    if (amended === 0) return
    tx.deleteRange('amend', range)
    edit(work).amended -= amended
  }
}
