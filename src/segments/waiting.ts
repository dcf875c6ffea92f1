import { noteId } from './id-rows.ts'
import type { Group, Head } from './group.ts'
import { type SideRow, type Stored, EXPIRES, WAITS } from './rows.ts'
import type { Key } from './store.ts'
import { reapAt } from './work.ts'

/** The key of the row in `side` of a message, or of the head of its ordering key. */
export function sideKey(group: Group, seq: number, key: string | undefined): Key {
  return [group.name, key ?? seq]
}

/** Makes a message wait. If it has a key, it is the head of it. */
export function wait(group: Group, key: string | undefined, side: SideRow): void {
  group.work.tx.put('side', sideKey(group, side.seq, key), side)
  putDue(group, side.at, side.seq, key)
  noteLeaving(group, side.seq, side.message)
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
