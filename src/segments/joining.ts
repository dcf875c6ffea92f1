import { allGroups } from './group.ts'
import { block } from './chains.ts'
import { locate, messageIn, undone } from './places.ts'
import { type ChainRow, type Blocked, type SideRow, type Stored, WAITS } from './rows.ts'
import { sizeOf } from './segment.ts'
import { compareKeys } from './store.ts'
import { firstAt, sideKey, wait } from './waiting.ts'
import { type Group, type Work, edit, spend } from './work.ts'

/**
 * A group that starts at the earliest gets what the log has. What the log has let go, but another group has not finished, is
 * retained as well: the new group takes it over, some in each step, and delivers nothing before it has it all. What others
 * finish meanwhile they hand over.
 */

/** Rows of another group that are read at once. */
const ROWS_AT_ONCE = 64

/** Has a new group take over what others have, if they have something. */
export function beginJoining(group: Group): void {
  const { row, work } = group
  const hasOutside = ({ row: other }: Group): boolean =>
    other.waiting + other.blocked + other.held + (other.parked ?? 0) > 0 ||
    other.leases.some((lease) => lease.row !== undefined)
  if (!allGroups(work).some((other) => other !== group && hasOutside(other))) return
  row.joining = { below: row.cursor, at: work.now }
  edit(work).joining++
}

/** Takes over some more. */
export function join(group: Group): void {
  const { row, work, name } = group
  if (row.joining === undefined) return
  group.changed = true
  const { key: from } = row.joining
  const names = allGroups(work).map((other) => other.name)
  for (const other of names.sort()) {
    if (other === name || (from !== undefined && other < from[0])) continue
    for (const table of ['side', 'chain'] as const) if (!joinRows(group, other, table)) return
  }
  endJoining(group)
}

function endJoining({ row, work }: Group): void {
  row.joining = undefined
  edit(work).joining--
}

/** Answers whether it has got to the end of a table of another group. */
function joinRows(group: Group, name: string, table: 'side' | 'chain'): boolean {
  const { row, work } = group
  const other = allGroups(work).find((one) => one.name === name)!
  for (;;) {
    const { table: current, key: last } = row.joining!
    const isThere = last?.[0] === name
    if (isThere && current === 'chain' && table === 'side') return true
    const lower = isThere && current === table ? last : undefined
    const range = { lower: lower ?? [name], upper: [name] }
    const rows = work.tx.range<SideRow | ChainRow>(table, range, ROWS_AT_ONCE)
    for (const [key, value] of rows) {
      // The bound is inclusive, and its row may be there or not.
      if (lower !== undefined && compareKeys(key, lower) === 0) continue
      if (work.left <= 0) return false
      for (const [seq, message] of 'seq' in value ? inSide(value) : undone(other, key, value))
        takeOver(group, seq, message)
      spend(work)
      row.joining = { ...row.joining!, table, key: key as [string, string] }
    }
    if (rows.length < ROWS_AT_ONCE) return true
  }
}

export function inSide({ seq, message }: SideRow): Blocked[] {
  return message === undefined ? [] : [[seq, message]]
}

/** A group has finished a message that groups may yet take over from it. */
export function handOver({ work, name }: Group, seq: number, message: Stored): void {
  if (work.queue.joining === 0) return
  for (const group of allGroups(work)) {
    if (group.name !== name && group.row.joining !== undefined) takeOver(group, seq, message)
  }
}

/** As {@link handOver}, by all that have a message, because it is about to change. */
export function handOverNow(work: Work, seq: number, key: string | undefined): void {
  if (work.queue.joining === 0) return
  for (const group of allGroups(work)) {
    const place = locate(group, seq, key)
    const message = place && messageIn(group, place, seq)
    if (message !== undefined) handOver(group, seq, message)
  }
}

/**
 * A group is to be deleted, and nothing will be left to come back to: others take over some more. Answers whether they have
 * it all.
 */
export function letJoin(group: Group): boolean {
  const { row, work } = group
  const isJoining = ({ row: other }: Group): boolean => other !== row && other.joining !== undefined
  for (const other of allGroups(work).filter(isJoining)) join(other)
  if (allGroups(work).some(isJoining)) return false
  if (row.joining !== undefined) endJoining(group)
  return true
}

/** Whether a group that starts has yet to take over a message that another has. */
export function isYetToCome(group: Group, seq: number, { key, redriven }: Stored): boolean {
  const { below, at } = group.row.joining!
  // What was a dead letter when it started was not retained for it.
  if (seq >= below || (redriven !== undefined && redriven >= at)) return false
  return locate(group, seq, key) === undefined
}

function takeOver(group: Group, seq: number, message: Stored): void {
  const { work, name, row } = group
  const { at } = row.joining!
  const { key } = message
  if (!isYetToCome(group, seq, message)) return
  spend(work, sizeOf(message))
  const wanted: SideRow = { seq, at: firstAt(group, seq, at), attempt: 0, message }
  const head = key === undefined ? undefined : work.tx.get<SideRow>('side', sideKey(group, seq, key))
  if (head === undefined) return wait(group, key, wanted)
  if (head.seq < seq) return block(group, key!, [[seq, message]])
  // Nothing is delivered yet, so an earlier one can still be the first of its key.
  work.tx.delete('due', [name, WAITS, head.at, head.seq])
  row.waiting--
  block(group, key!, [[head.seq, head.message!]])
  wait(group, key, wanted)
}
