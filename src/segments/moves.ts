import type { DeadReason } from '../storage.ts'
import { dropOwned, isLong, owned } from './bodies.ts'
import { endId, hasIdRow, withoutLast } from './id-rows.ts'
import { allGroups, partOf } from './group.ts'
import { block, putChain } from './chains.ts'
import { handOver } from './joining.ts'
import { cutLease } from './leases.ts'
import { type Place, chainFrom, chainOf, locate, messageIn, undone } from './places.ts'
import {
  type ChainRow,
  type DeadRow,
  type IdRow,
  type Lease,
  type Blocked,
  type SideRow,
  type Stored,
  FADES,
  WAITS,
} from './rows.ts'
import { flowOf } from './lanes/lane.ts'
import { countLetter, keep } from './results.ts'
import {
  dropStop,
  expiryKey,
  noteLeaving,
  putDue,
  sideKey,
  stopKey,
  stopOf,
  unpark,
  wait,
} from './waiting.ts'
import { type Group, amend, isGone, noteExpiry, reapAt, under } from './work.ts'

/** Takes a message out of its place: it is dead or cancelled here, or about to be put elsewhere. */
export function remove(group: Group, place: Place, seq: number): void {
  const { row, work } = group
  group.changed = true
  if (place.at !== 'ahead' && (place.at !== 'leased' || place.lease.tied)) {
    const message = messageIn(group, place, seq)
    left(group, seq, message)
    // How far its handler was.
    if (message?.keepMs !== undefined) work.tx.delete('results', [group.name, seq])
  }
  switch (place.at) {
    case 'ahead':
      row.skipped++
      break
    case 'leased': {
      const { lease } = place
      cutLease(group, seq)
      free(group, seq, lease.key, lease.row)
      break
    }
    case 'side':
      unwait(group, place.side)
      freeSide(group, place.side, place.key)
      break
    default:
      putChain(
        group,
        place.key,
        place.row,
        place.chain.filter((one) => one[0] !== seq),
      )
      row.blocked--
  }
}

/** A message waits no longer, or is no longer parked. Its row in `side` has to be taken care of. */
export function unwait(group: Group, side: SideRow): void {
  const { row, work, name } = group
  const { seq, at, parked } = side
  if (parked !== undefined) {
    unpark(group, side)
    return
  }
  work.tx.delete('due', [name, WAITS, at, seq])
  row.waiting--
}

/** A message that was the head of its key, or had none, is done or dead: the next of its key comes free. */
export function free(group: Group, seq: number, key: string | undefined, row: Lease['row']): void {
  const { tx } = group.work
  if (row === 'side') tx.delete('side', sideKey(group, seq, key))
  if (key === undefined) return
  if (typeof row === 'number') {
    const chain = chainOf(group, key, row)
    const next = chain.find((one) => one[0] > seq)
    if (next !== undefined && !group.row.redriven) {
      pushHead(group, key, row, next)
      return
    }
    // What is done must not be taken for blocked, should the head lie elsewhere from now on.
    putChain(group, key, row, next === undefined ? [] : chain.slice(chain.indexOf(next)))
  }
  if (group.row.blocked === 0) return
  const [first] = tx.range<ChainRow>('chain', under(group.name, key), 1)
  if (first !== undefined) pushHead(group, key, partOf(first[0], 2), first[1][0]!)
}

function pushHead(group: Group, key: string, row: number, [seq, message]: Blocked): void {
  group.changed = true
  if (--group.row.blocked === 0) group.row.redriven = false
  group.heads.push({ key, row, seq, message })
}

/** As {@link free}, for one that waited. */
export function freeSide(group: Group, { seq, row }: SideRow, key: string | undefined): void {
  group.work.tx.delete('side', sideKey(group, seq, key))
  free(group, seq, key, row)
}

/** Has a message that waits carry another one, from its first attempt on. */
export function replace(group: Group, place: Place, seq: number, given: Stored): void {
  if (place.at !== 'side' && place.at !== 'chain') return
  const { key } = place
  left(group, seq, messageIn(group, place, seq))
  const message = owned(group, seq, given)
  if (!isLong(message.body)) dropOwned(group, seq)
  noteLeaving(group, seq, message)
  const side: SideRow = place.at === 'side' ? place.side : { seq, at: 0, attempt: 0, row: place.row }
  const { row, at, parked } = side
  if (row !== undefined) putIn(group, key!, row, seq, message)
  if (place.at === 'chain') return
  const carried = row === undefined ? message : undefined
  // What was parked goes on.
  const { now } = group.work
  if (parked !== undefined) {
    unpark(group, side)
    putDue(group, now, seq, key)
  }
  group.work.tx.put('side', sideKey(group, seq, key), {
    seq,
    at: parked === undefined ? at : now,
    attempt: 0,
    message: carried,
    row,
  } satisfies SideRow)
}

/** Has a message of an id that was made go on, where it is, as one whose sender has chosen the id. */
export function nameIn(group: Group, place: Place, seq: number): void {
  const { work } = group
  const unnamed = messageIn(group, place, seq)
  if (unnamed === undefined || unnamed.named !== undefined) return
  const message: Stored = { ...unnamed, named: 0 }
  const { key, row } = whereIs(place)
  if (row === undefined) {
    amend(work, seq, { gone: isGone(work, seq), message })
    noteExpiry(work, seq, message.expires)
  } else if (row === 'side') {
    const at = sideKey(group, seq, key)
    work.tx.put('side', at, { ...work.tx.get<SideRow>('side', at)!, message } satisfies SideRow)
  } else putIn(group, key!, row, seq, message)
}

/** Where the message of a place lies, if not in the log. */
function whereIs(place: Place): Pick<Lease, 'key' | 'row'> {
  switch (place.at) {
    case 'ahead':
      return {}
    case 'leased':
      return place.lease
    case 'side':
      return { key: place.key, row: place.side.row ?? 'side' }
    default:
      return place
  }
}

function putIn(group: Group, key: string, row: number, seq: number, message: Stored): void {
  const chain = chainOf(group, key, row).map((one): Blocked => (one[0] === seq ? [seq, message] : one))
  putChain(group, key, row, chain)
}

/** Delivers a dead letter again, in its turn: before those behind it that wait for its key. */
export function redrive(group: Group, seq: number, message: Stored, at: number): void {
  const { key } = message
  if (key !== undefined) goOnBehind(group, seq, key)
  if (key === undefined || !isBusy(group, key)) {
    wait(group, key, { seq, at, attempt: 0, message })
    return
  }
  const blocked: Blocked = [seq, { ...message, due: at }]
  const [found] = chainFrom(group, key, seq)
  const chain = found === undefined ? [] : undone(group, ...found)
  if (chain.length === 0 || chain[0]![0] > seq) block(group, key, [blocked])
  else {
    // Into the row of its neighbours.
    const row = partOf(found![0], 2)
    putChain(
      group,
      key,
      row,
      [...found![1], blocked].sort(([a], [b]) => a - b),
    )
    noteLeaving(group, seq, message)
    group.row.blocked++
  }
  group.row.redriven = true
}

/** What a dead letter had parked is blocked behind it now. */
function goOnBehind(group: Group, seq: number, key: string): void {
  const { row, work } = group
  const at = sideKey(group, seq, key)
  const side = row.parked === undefined ? undefined : work.tx.get<SideRow>('side', at)
  if (side?.parked?.behind !== seq) return
  unpark(group, side)
  work.tx.delete('side', at)
  if (side.row === undefined) {
    block(group, key, [[side.seq, side.message!]])
    return
  }
  // It lies where it was blocked before; those in front of it are done.
  putChain(
    group,
    key,
    side.row,
    chainOf(group, key, side.row).filter((one) => one[0] >= side.seq),
  )
  row.blocked++
}

/** Whether a message of this key is leased, waits or is parked. */
export function isBusy(group: Group, key: string): boolean {
  group.leasedKeys ??= new Set(group.row.leases.map((lease) => lease.key))
  if (group.leasedKeys.has(key) || group.heads.some((head) => head.key === key)) return true
  // Only a head that waits, or is leased in a row of its own, has a row.
  return (
    group.row.waiting + group.row.held + (group.row.parked ?? 0) > 0 &&
    group.work.tx.get('side', sideKey(group, 0, key)) !== undefined
  )
}

/** Keeps a message as a dead letter. Its place must be taken care of. */
export function bury(
  group: Group,
  seq: number,
  message: Stored,
  attempt: number,
  reason: DeadReason,
  error?: string,
  deadForMs: number = group.whole.row.deadForMs ?? Infinity,
  parksNext: boolean | undefined = group.whole.row.parksNext,
): void {
  const { work, name, row } = group.whole
  const until = deadForMs < Infinity ? work.now + deadForMs : undefined
  const fence = row.nextLease++
  const { keepMs } = message
  const isKept =
    keepMs !== undefined &&
    keep(group, seq, message, attempt, { status: 'dead', reason, error, at: work.clock })
  const own = owned(group, seq, message)
  const letter = isKept || keepMs === undefined ? own : { ...own, keepMs: undefined }
  countLetter(group, seq, letter)
  work.tx.put('dead', [name, seq], {
    message: letter,
    attempt,
    reason,
    error,
    at: work.clock,
    fence,
    until,
  } satisfies DeadRow)
  if (until !== undefined) {
    work.tx.put('due', [name, FADES, until, seq], 0)
    row.fades = Math.min(row.fades ?? until, until)
    reapAt(work, until)
  }
  row.dead++
  group.whole.changed = group.changed = true
  if (parksNext && message.key !== undefined) stopKey(group, message.key, seq)
  done(group, seq, message)
}

/** A dead letter is gone: it has nothing parked any more. */
export function letKeyGo(whole: Group, seq: number, { key, lane }: Stored): void {
  const group = key === undefined ? undefined : flowOf(whole, lane)
  if (group === undefined || stopOf(group, key!) !== seq) return
  dropStop(group, key!)
  group.changed = true
}

/** A message is no longer outside the log, if it was. */
export function left({ whole }: Group, seq: number, message: Stored | undefined): void {
  if (message?.expires !== undefined) whole.work.tx.delete('due', expiryKey(whole.name, seq, message))
}

/** The group has finished with a message: once all have, the id that its sender chose is free again. */
export function done(group: Group, seq: number, message: Stored): void {
  handOver(group, seq, message)
  left(group, seq, message)
  if (!hasIdRow(message)) return
  const { id, key, named = 0 } = message
  const { work } = group
  const row = work.tx.get<IdRow>('ids', id) ?? {}
  const isLast = row.seq === seq
  // Another message has its id, and it has promised nothing.
  if (!isLast && named === 0) return
  for (const other of allGroups(work)) {
    if (other !== group && locate(other, seq, key) !== undefined) return
  }
  if (!isLast) work.tx.delete('ids', -seq)
  endId(work, id, isLast ? withoutLast(row) : row, named)
}
