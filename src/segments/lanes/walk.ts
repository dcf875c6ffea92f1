import { allGroups } from '../group.ts'
import { join } from '../joining.ts'
import { type Group, type Work, edit } from '../work.ts'
import { flowOf, openLane, settleDown } from './lane.ts'
import { laneOf } from './names.ts'
import { IN_LANES } from './lens.ts'

/** Lanes that one claim or step looks at besides those that it is about. */
export const AT_ONCE = 64

/** A new group, or one whose leases were given up, looks what lanes have for it: some in each step. */
export function walk(group: Group, most: number): void {
  const { row, work } = group
  if (row.walk === undefined) return
  group.changed = true
  const rows = work.tx.range('lanes', { lower: row.walk }, most)
  for (const [key] of rows) {
    row.walk = key as string
    if (work.left <= 0) return
    const flow = flowOf(group, laneOf(key as string))
    if (flow === undefined) continue
    flow.changed = true
    join(flow)
    if (flow.row.joining !== undefined) return
  }
  row.walk = rows.length < most ? undefined : `${row.walk}\0`
  settleDown(work)
}

/** A group is to be deleted: others take over from its lanes first. Answers whether they have it all. */
export function letWalk(group: Group): boolean {
  const others = allGroups(group.work).filter((other) => other !== group && other.row.walk !== undefined)
  for (const other of others) walk(other, AT_ONCE)
  return others.every(({ row }) => row.walk === undefined)
}

/** What lanes have of a group goes with it. What stands in their own rows is tidied up later. */
export function forgetGroup(work: Work, name: string): void {
  const { tx } = work
  for (const table of ['ready', 'wake'] as const) tx.deleteRange(table, { lower: [name], upper: [name] })
  work.lanes?.forEach((lane) => lane.leave(name))
  const own = [IN_LANES, name]
  for (const table of ['side', 'due', 'chain', 'held'] as const)
    tx.deleteRange(table, { lower: own, upper: own })
}

/** Has lanes let go of what only a deleted group needed. Answers whether all have. */
export function tidyLanes(work: Work): boolean {
  const { tx, queue } = work
  if (queue.tidiedLane === undefined) return true
  const rows = tx.range('lanes', { lower: queue.tidiedLane }, AT_ONCE)
  for (const [key] of rows) {
    const lane = openLane(work, laneOf(key as string))
    lane?.finish()
    edit(work).tidiedLane = lane?.isBehind ? (key as string) : `${key as string}\0`
    if (lane?.isBehind) return false
  }
  if (rows.length < AT_ONCE) edit(work).tidiedLane = undefined
  return rows.length < AT_ONCE
}
