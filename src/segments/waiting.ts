import { owned } from './bodies.ts'
import { noteId } from './id-rows.ts'
import {
  type IdRow,
  type DeadRow,
  type ParkedRow,
  type SideRow,
  type Stored,
  EXPIRES,
  HIDDEN,
  PARKED,
  STOPS,
  WAITS,
} from './rows.ts'
import { BEHIND_DEAD } from '../storage.ts'
import type { Key } from './store.ts'
import { type Group, type Head, reapAt } from './work.ts'

/** The key of the row in `side` of a message, or of the head of its ordering key. */
export function sideKey(group: Group, seq: number, key: string | undefined): Key {
  return [group.name, key ?? seq]
}

/** Makes a message wait. If it has a key, it is the head of it. */
export function wait(group: Group, key: string | undefined, side: SideRow): void {
  group.work.tx.put('side', sideKey(group, side.seq, key), withOwn(group, side))
  putDue(group, side.at, side.seq, key)
  noteLeaving(group, side.seq, side.message)
}

/** Has a row of `side` carry a message as it stands in rows of the group. */
function withOwn(group: Group, side: SideRow): SideRow {
  const { seq, message } = side
  return message === undefined ? side : { ...side, message: owned(group, seq, message) }
}

/** Has a message be due that waits. */
export function putDue({ row, work, name }: Group, at: number, seq: number, key: string | undefined): void {
  work.tx.put('due', [name, WAITS, at, seq], key ?? 0)
  row.waiting++
  row.due = Math.min(row.due ?? at, at)
}

/** Has a message expire that lies outside the log from now on, if it ever does. */
export function noteLeaving(group: Group, seq: number, message: Stored | undefined): void {
  const { work, whole } = group
  group.changed = true
  if (message === undefined) return
  noteId(work, seq, message)
  if (message.expires === undefined) return
  const { expires, key } = message
  const { row } = whole
  whole.work.tx.put('due', expiryKey(whole.name, seq, message), key ?? 0)
  row.expires = Math.min(row.expires ?? expires, expires)
  whole.changed = true
  reapAt(work, expires)
}

/** Parks a message. If it has a key, it is the head of it, and whoever comes behind it finds the key busy. */
export function park(
  group: Group,
  key: string | undefined,
  side: Omit<SideRow, 'at' | 'parked' | 'error'>,
  message: Stored,
  reason: string,
  parked: Omit<ParkedRow, 'at' | 'hidden'>,
): void {
  const { now, clock } = group.work
  putParked(group, key, { ...side, at: now, error: reason, parked: { ...parked, at: clock } }, message)
}

/** Writes the rows of a message that is parked. */
export function putParked(group: Group, key: string | undefined, side: SideRow, message: Stored): void {
  const { row, work, name } = group
  const { seq } = side
  const own = withOwn(group, side)
  work.tx.put('side', sideKey(group, seq, key), own)
  work.tx.put('due', [name, PARKED, seq], key ?? 0)
  row.parked = (row.parked ?? 0) + 1
  noteLeaving(group, seq, side.message)
  const { id, named } = message
  if (named !== undefined && work.tx.get<IdRow>('ids', id)?.seq !== seq) hide(group, key, own, id)
}

/** The id of a parked message leads to a later one: it is found by it nevertheless. */
export function hide(group: Group, key: string | undefined, side: SideRow, id: string): void {
  const { whole, work } = group
  whole.work.tx.put('due', [whole.name, HIDDEN, id, side.seq], [key ?? 0, work.lane ?? 0])
  const parked = { ...side.parked!, hidden: id }
  work.tx.put('side', sideKey(group, side.seq, key), { ...side, parked } satisfies SideRow)
}

/** A message is no longer parked. Its row in `side` has to be taken care of. */
export function unpark({ row, work, name, whole }: Group, { seq, parked }: SideRow): void {
  const { hidden } = parked!
  if (hidden !== undefined) whole.work.tx.delete('due', [whole.name, HIDDEN, hidden, seq])
  work.tx.delete('due', [name, PARKED, seq])
  row.parked = row.parked! - 1 || undefined
}

/** Has the next of a key be parked: it stands behind a dead letter. */
export function stopKey(group: Group, key: string, seq: number): void {
  const { row, work, name } = group
  group.changed = true
  const before = stopOf(group, key)
  // The first of several: whoever stands behind the others stands behind it.
  if (before !== undefined && before < seq) return
  if (before === undefined) row.stops = (row.stops ?? 0) + 1
  work.tx.put('due', [name, STOPS, key], seq)
}

/** The seq of the dead letter that has the next of a key parked, if one has. */
export function stopOf({ row, work, name }: Group, key: string): number | undefined {
  return row.stops === undefined ? undefined : work.tx.get<number>('due', [name, STOPS, key])
}

export function dropStop({ row, work, name }: Group, key: string): void {
  work.tx.delete('due', [name, STOPS, key])
  row.stops = row.stops! - 1 || undefined
}

/** Parks a message that comes free, if it stands behind a dead letter that has it so. Answers whether it did. */
export function parkBehind(group: Group, key: string, seq: number, message: Stored, row?: number): boolean {
  const behind = stopOf(group, key)
  if (behind === undefined || behind > seq || message.redriven !== undefined) return false
  // It is about to die: the next behind it then.
  const { now } = group.work
  if (message.expires !== undefined && message.expires <= now) return false
  dropStop(group, key)
  const { work, name } = group.whole
  // Its time is over, and it has yet to be deleted.
  if ((work.tx.get<DeadRow>('dead', [name, behind])?.until ?? Infinity) <= now) return false
  const where = row === undefined ? { message } : { row }
  park(group, key, { seq, attempt: 0, ...where }, message, BEHIND_DEAD, { behind })
  return true
}

/** Where it is written down that a message outside the log expires. */
export function expiryKey(name: string, seq: number, { expires, lane }: Stored): Key {
  const key = [name, EXPIRES, expires!, seq] as const
  return lane === undefined ? key : [...key, lane]
}

/**
 * When a message is due that was never delivered: at a time, or, in a lane, before all times, in the order of the log. There it
 * takes turns with those that were.
 */
export function firstAt({ whole, work }: Group, seq: number, at: number): number {
  return whole.work === work ? at : seq - 2 ** 49
}

/** Makes a head wait: until now, unless it has a time of its own. */
export function spill(group: Group, { seq, key, row, message }: Head): void {
  if (parkBehind(group, key, seq, message, row)) return
  wait(group, key, {
    seq,
    at: Math.max(message.due ?? -Infinity, firstAt(group, seq, group.work.now)),
    attempt: 0,
    row,
  })
}

/** Heads that this transaction freed and did not deliver are due at once. */
export function spillHeads(group: Group): void {
  for (const head of group.heads.splice(0)) spill(group, head)
}
