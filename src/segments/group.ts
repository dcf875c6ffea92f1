import { type GroupRow, type Segment, groupKey } from './rows.ts'
import type { Key } from './store.ts'
import { trustGroup, trustSegment } from './trust.ts'
import { type Group, type Work, ALL, under } from './work.ts'

export function openGroup(work: Work, name: string, row: GroupRow): Group {
  return makeGroup(work, name, ownRow({ ...trustGroup(work.name, row, work.queue.tail) }))
}

/** @param row Is changed: see {@link ownRow}. */
export function makeGroup(work: Work, name: string, row: GroupRow, whole?: Group): Group {
  const group = { work, name, row, whole, changed: false, heads: [], leasedKeys: undefined } as unknown as {
    -readonly [F in keyof Group]: Group[F]
  }
  group.whole ??= group
  return group
}

/** Has a copy of a row have leases of its own. */
export function ownRow<R extends GroupRow>(row: R): R {
  row.leases = row.leases.map((lease) => ({ ...lease }))
  return row
}

/** Loads a group; `undefined` if it does not exist. */
export function loadGroup(work: Work, name: string): Group | undefined {
  for (const group of work.groups) if (group.name === name) return group
  const row = work.tx.get<GroupRow>('state', groupKey(name))
  if (row === undefined) return undefined
  const group = openGroup(work, name, row)
  work.groups.push(group)
  return group
}

export function allGroups(work: Work): readonly Group[] {
  const { groups } = work
  if (groups.length < work.queue.groups) {
    const loaded = new Set(groups.map(({ name }) => name))
    for (const [key, row] of work.tx.range<GroupRow>('state', under('group'), ALL)) {
      const name = (key as readonly string[])[1]!
      if (!loaded.has(name)) groups.push(openGroup(work, name, row))
    }
  }
  return groups
}

/** The number at a place of a key. */
export function partOf(key: Key, index: number): number {
  return (key as readonly number[])[index]!
}

export function receiptOf({ row }: Group, lease: number, seq: number | ''): string {
  return `${row.token}.${lease}.${seq}`
}

/** The smallest seq in the log that the group still needs. */
export function floorOf({ row }: Group): number {
  return row.leases.find((lease) => lease.row === undefined)?.first ?? row.cursor
}

/** The smallest seq in the log that some group still needs. */
export function lowestFloor(work: Work): number {
  return allGroups(work).reduce((floor, group) => Math.min(floor, floorOf(group)), work.queue.tail)
}

/** The first segment that is still in the log. */
export function firstSegment(work: Work): Segment | undefined {
  const [row] = work.tx.range<Segment>('log', { upper: work.queue.tail }, 1)
  return row && trustSegment(work.name, row)
}
