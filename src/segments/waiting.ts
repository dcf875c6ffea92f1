import type { Group, Head } from './group.ts'
import type { SideRow } from './rows.ts'
import type { Key } from './store.ts'

/** The key of the row in `side` of a message, or of the head of its ordering key. */
export function sideKey(group: Group, seq: number, key: string | undefined): Key {
  return [group.name, key ?? seq]
}

/** Makes a message wait. If it has a key, it is the head of it. */
export function wait(group: Group, key: string | undefined, side: SideRow): void {
  const { row, work } = group
  work.tx.put('side', sideKey(group, side.seq, key), side)
  work.tx.put('due', [group.name, side.at, side.seq], key ?? 0)
  row.waiting++
  row.due = Math.min(row.due ?? side.at, side.at)
  group.changed = true
}

/** Makes a head wait: until now, unless it has a time of its own. */
export function spill(group: Group, { seq, key, row, message }: Head): void {
  wait(group, key, { seq, at: Math.max(group.work.now, message.due ?? 0), attempt: 0, row })
}

/** Heads that this transaction freed and did not deliver are due at once. */
export function spillHeads(group: Group): void {
  for (const head of group.heads.splice(0)) spill(group, head)
}
