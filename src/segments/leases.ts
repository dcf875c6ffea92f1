import type { Group } from './group.ts'
import type { Lease } from './rows.ts'

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

/** Takes one message out of a lease. */
export function cutLease(group: Group, index: number, seq: number): void {
  const { leases } = group.row
  const lease = leases[index]!
  group.changed = true
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
  let first = Infinity
  for (const { until } of row.leases) if (until < first) first = until
  return first
}
