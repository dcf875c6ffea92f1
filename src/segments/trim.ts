import { floorOf, lowestFloor } from './group.ts'
import { type Amendment, type Segment, EXPIRE } from './rows.ts'
import { type Group, type Work, edit } from './work.ts'

/** The log is trimmed once a group has moved on by this many messages, or has finished them all; at once where there are long bodies. */
const STRIDE = 64

/** Deletes what every group has finished from the log, if `group` has moved on enough since it last looked. */
export function trim(work: Work, group: Group): void {
  const { row } = group
  const floor = floorOf(group)
  const stride = work.root.queue.longBodies ? 1 : STRIDE
  if (floor === row.checked || (floor - row.checked < stride && floor < work.queue.tail)) return
  group.changed = true
  const lowest = work.queue.groups > 1 ? lowestFloor(work) : floor
  const trimmed = trimBelow(work, row.trimmed, lowest)
  row.checked = trimmed < lowest ? trimmed : floor
  row.trimmed = Math.max(row.trimmed, trimmed)
}

/** Deletes segments that lie wholly in the stretch, which nobody needs any more. Answers with how far it got in this step. */
export function trimBelow(work: Work, from: number, floor: number): number {
  if (from >= floor) return floor
  const { tx, queue } = work
  const { stepMessages } = work.limits
  let end = floor
  if (queue.tied > 0) {
    const rows = tx.range<Segment>('log', { lower: from, upper: end - 1 }, stepMessages)
    if (rows.length === stepMessages) end = (rows.at(-1)![0] as number) + 1
    for (const [last, { alias, more }] of rows) {
      if (alias !== undefined) tx.delete('ids', alias)
      for (const expires of new Set(more?.expires)) forgetExpiry(work, last as number, expires)
      if (alias !== undefined || more?.expires !== undefined) edit(work).tied--
    }
  }
  if (queue.amended > 0) {
    const rows = tx.range<Amendment>('amend', { lower: from, upper: end - 1 }, stepMessages)
    if (rows.length === stepMessages) end = (rows.at(-1)![0] as number) + 1
    for (const [seq, { message }] of rows) forgetExpiry(work, seq as number, message?.expires)
    if (rows.length > 0) {
      tx.deleteRange('amend', { lower: from, upper: end - 1 })
      edit(work).amended -= rows.length
      edit(work).gone -= rows.filter(([, { gone }]) => gone).length
    }
  }
  if (work.root.queue.longBodies) tx.deleteRange('bodies', { lower: from, upper: end - 1 })
  // The lower bound spares stores a walk over the traces of what was deleted before.
  tx.deleteRange('log', { lower: from, upper: end - 1 })
  return end
}

function forgetExpiry({ tx }: Work, seq: number, expires: number | undefined): void {
  if (expires !== undefined) tx.delete('timers', [EXPIRE, expires, seq])
}
