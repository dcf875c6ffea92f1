import { partOf } from './group.ts'
import { findLease } from './leases.ts'
import type { ChainRow, Lease, SideRow, Stored } from './rows.ts'
import type { Key, Row } from './store.ts'
import { sideKey, spillHeads } from './waiting.ts'
import { type Group, isGone, logMessage } from './work.ts'

/** Where a message is in one group, if it is not done there. */
export type Place =
  /** In the log, not reached by the cursor. */
  | { readonly at: 'ahead' }
  | { readonly at: 'leased'; readonly lease: Lease }
  /** Waits for its time. */
  | { readonly at: 'side'; readonly side: SideRow; readonly key: string | undefined }
  /** Blocked behind its ordering key. */
  | { readonly at: 'chain'; readonly key: string; readonly row: number; readonly chain: ChainRow }

export function locate(group: Group, seq: number, key: string | undefined): Place | undefined {
  const { tx } = group.work
  // A head that was freed a moment ago has to have a place.
  spillHeads(group)
  // One that expired before the cursor came, and was redriven, is elsewhere.
  if (seq >= group.row.cursor && !isGone(group.work, seq)) return { at: 'ahead' }
  const lease = findLease(group, seq)
  if (lease !== undefined) return { at: 'leased', lease }
  const { waiting, parked = 0 } = group.row
  const side = waiting + parked > 0 ? tx.get<SideRow>('side', sideKey(group, seq, key)) : undefined
  if (side?.seq === seq) return { at: 'side', side, key }
  if (key === undefined || group.row.blocked === 0) return undefined
  const [found] = chainFrom(group, key, seq)
  if (found === undefined || !undone(group, ...found).some((one) => one[0] === seq)) return undefined
  return { at: 'chain', key, row: partOf(found[0], 2), chain: found[1] }
}

/** The first chain row of a key that may hold a message, or comes behind it. */
export function chainFrom({ name, work }: Group, key: string, seq: number): readonly Row<ChainRow>[] {
  return work.tx.range<ChainRow>('chain', { lower: [name, key, seq], upper: [name, key] }, 1)
}

/** The message of a key that is leased or waits: its seq, and where it lies. */
export function headOf(
  group: Group,
  key: string,
): { readonly seq: number; readonly row?: Lease['row'] } | undefined {
  const lease = group.row.leases.find((one) => one.key === key)
  if (lease !== undefined) return { seq: lease.first, row: lease.row }
  return group.work.tx.get<SideRow>('side', sideKey(group, 0, key))
}

/** The messages of a chain row that are not done. */
export function undone(group: Group, rowKey: Key, chain: ChainRow): ChainRow {
  const [, key, row] = rowKey as readonly [string, string, number]
  const head = headOf(group, key)
  return head?.row === row ? chain.filter((one) => one[0] >= head.seq) : chain
}

/** What the message at a place carries. */
export function messageIn(group: Group, place: Place, seq: number): Stored | undefined {
  switch (place.at) {
    case 'ahead':
      return logMessage(group.work, seq)
    case 'leased':
      return messageOf(group, place.lease, seq)
    case 'side':
      return sideMessage(group, place.side, place.key)
    default:
      return inChain(place.chain, seq)
  }
}

/** What a message under a lease carries. */
export function messageOf(group: Group, { row, key }: Lease, seq: number): Stored | undefined {
  if (row === undefined) return logMessage(group.work, seq)
  if (row !== 'side') return inChain(chainOf(group, key!, row), seq)
  return group.work.tx.get<SideRow>('side', sideKey(group, seq, key))?.message
}

export function sideMessage(
  group: Group,
  { seq, message, row }: SideRow,
  key: string | undefined,
): Stored | undefined {
  return message ?? inChain(chainOf(group, key!, row!), seq)
}

export function chainOf(group: Group, key: string, row: number): ChainRow {
  return group.work.tx.get<ChainRow>('chain', [group.name, key, row]) ?? []
}

export function inChain(chain: ChainRow, seq: number): Stored | undefined {
  return chain.find((one) => one[0] === seq)?.[1]
}
