import type { DeadReason, Delivery } from '../storage.ts'
import {
  type ChainRow,
  type DeadRow,
  type GroupRow,
  type IdRow,
  type Lease,
  type Parked,
  type Segment,
  type SideRow,
  type Stored,
  groupKey,
} from './rows.ts'
import { search } from './search.ts'
import type { Key, KeyRange } from './store.ts'
import { ALL, type Work } from './work.ts'

/**
 * A redriven message that finds its key busy is parked in a row of its own, under its seq plus this: the row it was
 * parked in the first time may still be there.
 */
const REDRIVEN = 0.5

/** Where a message is in one group, if it is not done there. */
export type Place =
  /** In the log, not reached by the cursor. */
  | { readonly at: 'ahead' }
  | { readonly at: 'leased'; readonly index: number }
  /** Waits for its time. */
  | { readonly at: 'side'; readonly side: SideRow; readonly key: string | undefined }
  /** Parked behind its ordering key. */
  | { readonly at: 'chain'; readonly key: string; readonly row: number; readonly chain: ChainRow }

/** The first message of a key, free to be delivered. */
export interface Head {
  readonly seq: number
  readonly key: string
  /** The chain row in which it lies. */
  readonly row: number
  readonly message: Stored
}

/** One group in a transaction: its row, and the moves a message can make in it. */
export class Group {
  readonly work: Work
  readonly name: string
  readonly row: GroupRow
  changed = false
  /** Keys whose head was done in this transaction; the next of each is delivered by it, or made to wait. */
  readonly heads: Head[] = []
  /** All rows of the group, in each table that keeps rows of groups. */
  readonly all: KeyRange
  /** The keys of all leases, once somebody asked. */
  #leasedKeys: Set<string | undefined> | undefined

  constructor(work: Work, name: string, row: GroupRow) {
    this.work = work
    this.name = name
    this.row = { ...row, leases: row.leases.map((lease) => ({ ...lease })) }
    this.all = { lower: [name], upper: [name] }
  }

  // Leases

  /** The index of the lease on `seq`, or where it would stand, as `-1 - index`. */
  leaseOn(seq: number): number {
    const { leases } = this.row
    const index = search(leases, seq, endsBefore)
    return index < leases.length && leases[index]!.first <= seq ? index : -1 - index
  }

  /** Adds a lease, or joins it to its neighbour if both are about stretches of the log and else the same. */
  addLease(lease: Lease): void {
    const { row } = this
    const { leases } = row
    const at = -1 - this.leaseOn(lease.first)
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
      before.named ||= lease.named
    } else leases.splice(at, 0, lease)
    this.#leasedKeys?.add(lease.key)
    this.changed = true
    row.until = Math.min(row.until ?? lease.until, lease.until)
  }

  /** Takes one message out of a lease. */
  cutLease(index: number, seq: number): void {
    const { leases } = this.row
    const lease = leases[index]!
    this.changed = true
    if (lease.first === lease.last) {
      leases.splice(index, 1)
      this.#leasedKeys?.delete(lease.key)
    } else if (seq === lease.first) lease.first++
    else if (seq === lease.last) lease.last--
    else {
      leases.splice(index + 1, 0, { ...lease, first: seq + 1 })
      lease.last = seq - 1
    }
  }

  /** When the first lease ends. */
  firstEnd(): number {
    let first = Infinity
    for (const { until } of this.row.leases) if (until < first) first = until
    return first
  }

  /** The smallest seq in the log that the group still needs. */
  floor(): number {
    return this.row.leases.find(({ row }) => row === undefined)?.first ?? this.row.cursor
  }

  // Places

  locate(seq: number, key: string | undefined): Place | undefined {
    const { tx } = this.work
    // A head that was freed a moment ago has to have a place.
    this.spillHeads()
    // One that expired before the cursor came, and was redriven, is elsewhere.
    if (seq >= this.row.cursor && !this.work.isGone(seq)) return { at: 'ahead' }
    const index = this.leaseOn(seq)
    if (index >= 0) return { at: 'leased', index }
    const side = tx.get<SideRow>('side', this.sideKey(seq, key))
    if (side?.seq === seq) return { at: 'side', side, key }
    if (key === undefined || this.row.blocked === 0) return undefined
    const range = { lower: [this.name, key], upper: [this.name, key, seq + REDRIVEN] }
    for (const [rowKey, chain] of tx.range<ChainRow>('chain', range, ALL)) {
      if (this.undone(rowKey, chain).some(([one]) => one === seq))
        return { at: 'chain', key, row: partOf(rowKey, 2), chain }
    }
    return undefined
  }

  /** The message of a key that is leased or waits: its seq, and where it lies. */
  headOf(key: string): { readonly seq: number; readonly row?: Lease['row'] } | undefined {
    const lease = this.row.leases.find((one) => one.key === key)
    if (lease !== undefined) return { seq: lease.first, row: lease.row }
    return this.work.tx.get<SideRow>('side', this.sideKey(0, key))
  }

  /** The messages of a chain row that are not done. */
  undone(rowKey: Key, chain: ChainRow): ChainRow {
    const [, key, row] = rowKey as readonly [string, string, number]
    const head = this.headOf(key)
    return head?.row === row ? chain.filter(([seq]) => seq >= head.seq) : chain
  }

  /** What the message at a place carries. */
  messageAt(place: Place, seq: number): Stored | undefined {
    switch (place.at) {
      case 'ahead':
        return this.work.logMessage(seq)
      case 'leased':
        return this.messageOf(this.row.leases[place.index]!, seq)
      case 'side':
        return this.sideMessage(place.side, place.key)
      default:
        return inChain(place.chain, seq)
    }
  }

  /** What a message under a lease carries. */
  messageOf({ row, key }: Lease, seq: number): Stored | undefined {
    if (row === undefined) return this.work.logMessage(seq)
    if (row !== 'side') return inChain(this.#chain(key!, row), seq)
    return this.work.tx.get<SideRow>('side', this.sideKey(seq, key))?.message
  }

  sideMessage({ seq, message, row }: SideRow, key: string | undefined): Stored | undefined {
    return message ?? inChain(this.#chain(key!, row!), seq)
  }

  #chain(key: string, row: number): ChainRow {
    return this.work.tx.get<ChainRow>('chain', [this.name, key, row]) ?? []
  }

  sideKey(seq: number, key: string | undefined): Key {
    return [this.name, key ?? seq]
  }

  /** The messages that lie outside the log. */
  *outsideLog(): Iterable<Parked> {
    const { tx } = this.work
    for (const [, { seq, message }] of tx.range<SideRow>('side', this.all, ALL)) {
      if (message !== undefined) yield [seq, message]
    }
    for (const [key, chain] of tx.range<ChainRow>('chain', this.all, ALL)) yield* this.undone(key, chain)
  }

  // Moves

  /** Takes a message out of its place: it is dead or cancelled here, or about to be put elsewhere. */
  remove(place: Place, seq: number): void {
    const { row, work } = this
    this.changed = true
    switch (place.at) {
      case 'ahead':
        row.skipped++
        break
      case 'leased': {
        const lease = row.leases[place.index]!
        this.cutLease(place.index, seq)
        this.free(seq, lease.key, lease.row)
        break
      }
      case 'side':
        work.tx.delete('due', [this.name, place.side.at, seq])
        row.waiting--
        this.freeSide(place.side, place.key)
        break
      default:
        this.#putChain(
          place.key,
          place.row,
          place.chain.filter(([one]) => one !== seq),
        )
        row.blocked--
    }
  }

  /** A message that was the head of its key, or had none, is done or dead: the next of its key comes free. */
  free(seq: number, key: string | undefined, row: Lease['row']): void {
    const { tx } = this.work
    if (row === 'side') tx.delete('side', this.sideKey(seq, key))
    if (key === undefined) return
    if (typeof row === 'number') {
      const left = this.#chain(key, row).filter(([one]) => one > seq)
      if (left.length > 0 && !this.row.redriven) {
        this.#pushHead(key, row, left[0]!)
        return
      }
      // What is done must not be taken for parked, should the head lie elsewhere from now on.
      this.#putChain(key, row, [])
      if (left.length > 0) this.#putChain(key, left[0]![0], left)
    }
    if (this.row.blocked === 0) return
    const [first] = tx.range<ChainRow>('chain', { lower: [this.name, key], upper: [this.name, key] }, 1)
    if (first !== undefined) this.#pushHead(key, partOf(first[0], 2), first[1][0]!)
  }

  #pushHead(key: string, row: number, [seq, message]: Parked): void {
    this.changed = true
    if (--this.row.blocked === 0) this.row.redriven = false
    this.heads.push({ key, row, seq, message })
  }

  #putChain(key: string, row: number, chain: ChainRow): void {
    const { tx } = this.work
    const at = [this.name, key, row]
    if (chain.length > 0) tx.put('chain', at, chain)
    else tx.delete('chain', at)
  }

  /** As {@link free}, for one that waited. */
  freeSide({ seq, row }: SideRow, key: string | undefined): void {
    this.work.tx.delete('side', this.sideKey(seq, key))
    this.free(seq, key, row)
  }

  /** Has a message that waits carry another one, from its first attempt on. */
  replace(place: Place, seq: number, message: Stored): void {
    if (place.at !== 'side' && place.at !== 'chain') return
    const { key } = place
    const { row, at } = place.at === 'side' ? place.side : { row: place.row, at: 0 }
    if (row !== undefined) {
      const chain = this.#chain(key!, row)
      this.#putChain(
        key!,
        row,
        chain.map((one) => (one[0] === seq ? [seq, message] : one)),
      )
    }
    if (place.at === 'chain') return
    const carried = row === undefined ? message : undefined
    this.work.tx.put('side', this.sideKey(seq, key), {
      seq,
      at,
      attempt: 0,
      message: carried,
      row,
    } satisfies SideRow)
  }

  /** Has a message wait for its time, but behind its key if that is busy. */
  enter(seq: number, message: Stored, at: number, offset = 0): void {
    const { key } = message
    if (key === undefined || !this.isBusy(key)) this.wait(key, { seq, at, attempt: 0, message })
    else this.park(key, [[seq, { ...message, due: at }]], seq + offset)
  }

  /** Delivers a dead letter again, in its turn: before those behind it that wait for its key. */
  redrive(seq: number, message: Stored, at: number): void {
    this.row.redriven = true
    this.enter(seq, message, at, REDRIVEN)
  }

  /** Parks messages behind their key. */
  park(key: string, chain: ChainRow, row: number = chain[0]![0]): void {
    this.#putChain(key, row, chain)
    this.row.blocked += chain.length
    this.changed = true
  }

  /** Whether a message of this key is leased or waits. */
  isBusy(key: string): boolean {
    this.#leasedKeys ??= new Set(this.row.leases.map((lease) => lease.key))
    if (this.#leasedKeys.has(key) || this.heads.some((head) => head.key === key)) return true
    // Only a head that waits has a row.
    return this.row.waiting > 0 && this.work.tx.get('side', this.sideKey(0, key)) !== undefined
  }

  /** Makes a message wait. If it has a key, it is the head of it. */
  wait(key: string | undefined, side: SideRow): void {
    const { row, work } = this
    work.tx.put('side', this.sideKey(side.seq, key), side)
    work.tx.put('due', [this.name, side.at, side.seq], key ?? 0)
    row.waiting++
    row.due = Math.min(row.due ?? side.at, side.at)
    this.changed = true
  }

  /** Makes a head wait: until now, unless it has a time of its own. */
  spill({ seq, key, row, message }: Head): void {
    this.wait(key, { seq, at: Math.max(this.work.now, message.due ?? 0), attempt: 0, row })
  }

  /** Heads that this transaction freed and did not deliver are due at once. */
  spillHeads(): void {
    for (const head of this.heads.splice(0)) this.spill(head)
  }

  /** Keeps a message as a dead letter. Its place must be taken care of. */
  bury(seq: number, message: Stored, attempt: number, reason: DeadReason, error?: string): void {
    const row: DeadRow = { message, attempt, reason, error, at: this.work.clock, fence: this.row.nextLease++ }
    this.work.tx.put('dead', [this.name, seq], row)
    this.row.dead++
    this.row.failed++
    this.changed = true
    this.done(seq, message)
  }

  /** The group has finished with a message: once all have, the id that its sender chose is free again. */
  done(seq: number, { id, key, named }: Stored): void {
    if (named === undefined) return
    const { work } = this
    const row = work.tx.get<IdRow>('ids', id)
    if (row === undefined || !('seq' in row) || row.seq !== seq) return
    for (const other of allGroups(work)) {
      if (other !== this && other.locate(seq, key) !== undefined) return
    }
    if (named > 0) {
      const until = work.now + named
      work.tx.put('ids', id, { until } satisfies IdRow)
      work.reap(until, id)
    } else work.tx.delete('ids', id)
  }

  receipt(lease: number, seq: number | ''): string {
    return `${this.row.token}.${lease}.${seq}`
  }
}

function endsBefore({ last }: Lease, seq: number): boolean {
  return last < seq
}

function isPlain({ key, row }: Lease): boolean {
  return key === undefined && row === undefined
}

function inChain(chain: ChainRow, seq: number): Stored | undefined {
  return chain.find(([one]) => one === seq)?.[1]
}

/** The number at a place of a key. */
export function partOf(key: Key, index: number): number {
  return (key as readonly number[])[index]!
}

/** The delivery of a message that stands on its own. */
export function deliver(
  { id, body, headers, key, at, maxAttempts: own }: Stored,
  receipt: string,
  attempt: number,
  maxAttempts: number,
  lastError?: string,
): Delivery {
  return {
    receipt,
    id,
    body,
    headers,
    key,
    timestamp: at,
    attempt,
    maxAttempts: own ?? maxAttempts,
    lastError,
  }
}

/** Loads a group; `undefined` if it does not exist. */
export function loadGroup(work: Work, name: string): Group | undefined {
  const row = work.groups.has(name) ? undefined : work.tx.get<GroupRow>('state', groupKey(name))
  if (row !== undefined) work.groups.set(name, new Group(work, name, row))
  return work.groups.get(name)
}

/** The row of a group that has nothing in flight, but for what outlives that. */
export function idleRow(
  cursor: number,
): Omit<GroupRow, 'token' | 'nextLease' | 'acked' | 'failed' | 'latest'> {
  return {
    cursor,
    leases: [],
    due: undefined,
    until: undefined,
    checked: cursor,
    trimmed: cursor,
    skipped: 0,
    waiting: 0,
    blocked: 0,
    redriven: false,
    dead: 0,
  }
}

/** A group as it would start now. It is not part of the transaction until {@link createGroup} makes it so. */
export function imagineGroup(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  const { tail, groups, groupsEver } = work.queue
  // The first group takes everything: messages sent before anybody listened wait for it.
  let cursor = from === 'latest' && groups > 0 ? tail : (firstSegment(work)?.first ?? tail)
  // What every group has finished is not retained, even if a segment still holds it.
  if (cursor < tail && groups > 0) cursor = Math.max(cursor, lowestFloor(work))
  let skipped = 0
  for (const amendment of work.amendments(cursor, tail)?.values() ?? []) if (amendment.gone) skipped++
  const row = {
    ...idleRow(cursor),
    token: tokenOf(work, groupsEver),
    nextLease: 1,
    acked: 0,
    failed: 0,
    latest: 0,
  }
  return new Group(work, name, { ...row, skipped })
}

/** The smallest seq in the log that some group still needs. */
export function lowestFloor(work: Work): number {
  return allGroups(work).reduce((floor, group) => Math.min(floor, group.floor()), work.queue.tail)
}

/** What the receipts of a new group start with: no other group has it, neither of this queue nor, but for rare luck, of others. */
function tokenOf({ name, clock }: Work, groupsEver: number): string {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return [hash >>> 0, clock, groupsEver].map((part) => Math.floor(part).toString(36)).join('-')
}

/** Makes a group. */
export function createGroup(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  const group = imagineGroup(work, name, from)
  const queue = work.edit()
  group.changed = true
  queue.groups++
  queue.groupsEver++
  work.groups.set(name, group)
  if (from === 'earliest' && queue.groups > 1) adopt(work, group)
  return group
}

/** What the log has let go, but another group has not finished, is retained: a new group gets it too. */
function adopt(work: Work, group: Group): void {
  const retained = new Map<number, Stored>()
  for (const other of allGroups(work)) {
    for (const [seq, message] of other.outsideLog()) if (seq < group.row.cursor) retained.set(seq, message)
  }
  for (const [seq, message] of [...retained].sort(([a], [b]) => a - b)) group.enter(seq, message, work.now)
}

/** The first segment that is still in the log. */
export function firstSegment(work: Work): Segment | undefined {
  return work.tx.range<Segment>('log', {}, 1)[0]?.[1]
}

export function allGroups(work: Work): readonly Group[] {
  if (work.groups.size < work.queue.groups) {
    const prefix = ['group']
    const rows = work.tx.range<GroupRow>('state', { lower: prefix, upper: prefix }, ALL)
    for (const [key, row] of rows) {
      const name = (key as readonly string[])[1]!
      if (!work.groups.has(name)) work.groups.set(name, new Group(work, name, row))
    }
  }
  return [...work.groups.values()]
}
