import { damaged } from '../errors.ts'
import { owned } from './bodies.ts'
import { hasIdRowLeased, noteId } from './id-rows.ts'
import { partOf } from './group.ts'
import { type HeldRow, type Lease, type SideRow, ENDS } from './rows.ts'
import { sizeOf } from './segment.ts'
import { sideKey } from './waiting.ts'
import { type Group, logMessage, spend, under } from './work.ts'

/** The index of the lease on `seq`, or where it would stand, as `-1 - index`. */
export function leaseOn({ row: { leases } }: Group, seq: number): number {
  let low = 0
  let high = leases.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (leases[middle]!.last < seq) low = middle + 1
    else high = middle
  }
  return low < leases.length && leases[low]!.first <= seq ? low : -1 - low
}

/** Adds a lease, or joins it to its neighbour if both are about stretches of the log and else the same. */
export function addLease(group: Group, lease: Lease): void {
  const { row } = group
  const { leases } = row
  if (!Number.isInteger(lease.first)) throw damaged(group.work.name)
  const at = -1 - leaseOn(group, lease.first)
  const before = leases[at - 1]
  if (
    before?.last === lease.first - 1 &&
    before.lease === lease.lease &&
    before.until === lease.until &&
    before.attempt === lease.attempt &&
    isPlain(before) &&
    isPlain(lease)
  ) {
    before.last = lease.last
    before.tied ||= lease.tied
  } else leases.splice(at, 0, lease)
  group.leasedKeys?.add(lease.key)
  group.changed = true
  row.until = Math.min(row.until ?? lease.until, lease.until)
}

function isPlain({ key, row }: Lease): boolean {
  return key === undefined && row === undefined
}

/** A lease as it was found, of which the {@link HeldRow.epoch} tells that it has a row of its own. */
type Found = Lease & { readonly epoch?: number }

/** The lease on a message, in the group's row or in a row of its own. */
export function findLease(group: Group, seq: number, index: number = leaseOn(group, seq)): Found | undefined {
  const { row, name, work } = group
  if (index >= 0) return row.leases[index]
  const held = row.held === 0 ? undefined : work.tx.get<HeldRow>('held', [name, seq])
  return held && { ...held, last: seq, until: held.epoch < row.epoch ? 0 : held.until }
}

/** Takes one message out of its lease, which may be known. */
export function cutLease(
  group: Group,
  seq: number,
  index: number = leaseOn(group, seq),
  found?: Found,
): void {
  const { leases } = group.row
  group.changed = true
  if (index < 0) {
    dropHeld(group, seq, found)
    return
  }
  const lease = leases[index]!
  if (lease.first === lease.last) {
    leases.splice(index, 1)
    group.leasedKeys?.delete(lease.key)
  } else if (seq === lease.first) lease.first++
  else if (seq === lease.last) lease.last--
  else {
    leases.splice(index + 1, 0, { ...lease, first: seq + 1 })
    lease.last = seq - 1
  }
}

/** When the first lease ends; never, if there is none. */
export function firstEnd({ row }: Group): number {
  let first = row.heldUntil ?? Infinity
  for (const { until } of row.leases) if (until < first) first = until
  return first
}

/**
 * Gives leases rows of their own, where the group's row has too many, or where one keeps much of the log that is done.
 *
 * @param bytes How many bytes of the log were before the cursor, about, if it has moved.
 */
export function holdLeases(group: Group, bytes: number = group.row.markBytes): void {
  const { row, work } = group
  const { pinnedMessages, pinnedBytes } = work.limits
  makeRoom(group)
  if (row.cursor - row.mark < pinnedMessages && bytes - row.markBytes < pinnedBytes) return
  for (let i = 0; i < row.leases.length && work.left > 0;) {
    const lease = row.leases[i]!
    const { first, last } = lease
    if (last >= row.mark) break
    // What it keeps besides itself, up to the next one that keeps as much.
    const next = row.leases.slice(i + 1).find((one) => one.row === undefined)?.first ?? row.cursor
    if (lease.row !== undefined) i++
    else if (next - last > last - first + 1) holdFirst(group, lease)
    else break
  }
  row.mark = row.cursor
  row.markBytes = bytes
  group.changed = true
}

/**
 * Where some leases have rows of their own already, most of those that come would be given one before they end: each step is
 * cheaper if that is at once, and the row has room for few. A stretch of the log stays where it is as long as there is room,
 * because it costs rows for all that it has.
 */
function makeRoom(group: Group): void {
  const { row, work } = group
  const most = work.limits.leases
  const few = Math.ceil(most / 8)
  const { length } = row.leases
  if (length > (row.held > 0 ? few : most)) {
    const ones = row.leases.filter(({ first, last }) => first === last)
    if (ones.length > few) holdSome(group, ones, length - ones.length + few / 2)
  }
  if (row.leases.length > most)
    holdSome(
      group,
      [...row.leases].sort((a, b) => a.last - a.first - (b.last - b.first)),
      most / 2,
    )
}

/** Gives leases rows of their own until so many are left: half of those for which there is room, so that not each claim does. */
function holdSome(group: Group, leases: readonly Lease[], left: number): void {
  for (const lease of leases)
    for (let rest = lease.last - lease.first; rest >= 0; rest--) {
      if (group.row.leases.length <= left || group.work.left <= 0) return
      holdFirst(group, lease)
    }
}

/** Gives the first message of a lease a row of its own. */
function holdFirst(group: Group, lease: Lease): void {
  const { row, work, name } = group
  const { tx } = work
  const { first: seq, key, until, row: where } = lease
  const message = where === undefined ? logMessage(work, seq) : undefined
  if (where === undefined && message === undefined) throw damaged(work.name)
  spend(work, message === undefined ? 0 : sizeOf(message))
  cutLease(group, seq)
  group.leasedKeys?.add(key)
  const { attempt } = lease
  const isNoted = message !== undefined && hasIdRowLeased(message)
  if (isNoted) noteId(work, seq, message)
  if (where !== 'side')
    tx.put('side', sideKey(group, seq, key), {
      seq,
      at: 0,
      attempt: attempt - 1,
      message: message && owned(group, seq, message),
      row: where,
    } satisfies SideRow)
  const { epoch } = row
  const { lease: number } = lease
  const tied = lease.tied || isNoted
  const held: HeldRow = { first: seq, until, lease: number, attempt, tied, key, row: where ?? 'side', epoch }
  tx.put('held', [name, seq], held)
  tx.put('due', [name, ENDS, epoch, until, seq], 0)
  row.held++
  row.heldUntil = Math.min(row.heldUntil ?? until, until)
  group.changed = true
}

/** Has a lease on one message end at another time. */
export function extendLease(group: Group, lease: Found, seq: number, until: number): void {
  const index = leaseOn(group, seq)
  const isHeld = index < 0
  cutLease(group, seq, index, lease)
  addLease(group, { ...lease, first: seq, last: seq, until })
  // It stays where it was.
  if (isHeld) holdFirst(group, group.row.leases[leaseOn(group, seq)]!)
}

function dropHeld(group: Group, seq: number, found?: Found): void {
  const { row, work, name } = group
  const { tx } = work
  // Of one that was given up it is not known when it would have ended.
  const held = found?.epoch === row.epoch ? found : tx.get<HeldRow>('held', [name, seq])!
  const { epoch = row.epoch, until, key, row: where } = held
  tx.delete('held', [name, seq])
  tx.delete('due', [name, ENDS, epoch, until, seq])
  if (typeof where === 'number') tx.delete('side', sideKey(group, seq, key))
  if (--row.held === 0) row.heldUntil = undefined
  group.leasedKeys?.delete(key)
}

/** The seqs of some leases that have ended and have rows of their own. */
export function endedHeld({ row, work, name }: Group, some: number): number[] {
  if (row.held === 0) return []
  const range = { lower: [name, ENDS], upper: [name, ENDS, row.epoch, work.now] }
  return work.tx.range('due', range, some).map(([key]) => partOf(key, 4))
}

/** When the first of those that are left ends. */
export function firstHeld({ row, work, name }: Group): number | undefined {
  const [first] = work.tx.range('due', under(name, ENDS), 1)
  if (first === undefined) return undefined
  return partOf(first[0], 2) < row.epoch ? 0 : partOf(first[0], 3)
}
