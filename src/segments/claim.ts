import { damaged } from '../errors.ts'
import { type Body, type ClaimRequest, type ClaimResult, type Delivery, LEASE_LOST } from '../storage.ts'
import { partOf } from './group.ts'
import { join } from './joining.ts'
import { carryBodies } from './bodies.ts'
import { addLease, cutLease, endedHeld, findLease, firstEnd, firstHeld, holdLeases } from './leases.ts'
import { block } from './chains.ts'
import { isBusy } from './moves.ts'
import { messageOf, sideMessage } from './places.ts'
import { type Lease, type Blocked, type Segment, type SideRow, WAITS } from './rows.ts'
import { bodyAt, idAt, lastOf, lengthOf, messageAt, sizeOf, sizeOfBody } from './segment.ts'
import { groupState, nextLift, sendProbe } from './lanes/holds.ts'
import { type Flow, hasLanes } from './lanes/lane.ts'
import { nextWake, takeTurns } from './lanes/turns.ts'
import { isLeased, settle } from './settle.ts'
import { sweepDelayed, sweepReaped } from './sweep.ts'
import { Taking } from './taking.ts'
import { trim } from './trim.ts'
import { trustSegment } from './trust.ts'
import { parkBehind, sideKey, spill, spillHeads } from './waiting.ts'
import { type Group, type Work, amendmentsOf, isOverdue, largeAtOnce, spend, under } from './work.ts'

/**
 * A claim that has found something passes over this share of a step's messages in the log at most, cancelled ones and those
 * that it blocks behind their key, so that it takes no longer than other claims. The next one goes on from there.
 */
const PASS = 1 / 4
/** A claim that has found nothing yet passes over this many steps' messages. */
const PASS_ON = 2
/** Messages that waited and that are read at once at most. */
const DUE_AT_ONCE = 64
/** Segments that one read of the log asks for at most. */
const SEGMENTS_AT_ONCE = 16

const BEFORE_ALL: number = -(2 ** 49)

/** Leases messages to a consumer. */
export function claim(work: Work, group: Group, request: ClaimRequest): ClaimResult {
  const { inHand: [inHand] = [] } = request
  const settled = request.settle && settle(group, request.settle, inHand)
  join(group)
  let position = request.only === undefined ? undefined : (request.position ?? '[]')
  if (group.row.joining !== undefined) return { deliveries: [], nextInMs: 0, settled, position }
  const { deadForMs, parksNext = false } = request
  const { row } = group
  // Stored with what else changes: for these alone, claims in different terms would wake each other without end.
  row.deadForMs = deadForMs
  row.parksNext = parksNext
  const isSwept = sweepReaped(work)
  const taking = new Taking(group, request)
  const { until, isOut, probing } = groupState(group)
  const isHeld = until > work.now
  const late = inHand !== undefined && !isLeased(group, inHand)
  if (probing.length > 0) taking.limit = Math.min(taking.limit, 1)
  if (isHeld || late) taking.limit = 0
  else if (hasLanes(work) || request.only !== undefined) {
    sweepDelayed(work, work.moves)
    // Whose turn it is is only known once all that is due has its place.
    if (isOverdue(work)) taking.more = true
    else position = takeTurns(taking, request, serve) ?? position
  } else {
    takeAll(taking)
    while (!taking.isFull && !taking.more && isOverdue(work) && work.moves > 0) {
      sweepDelayed(work, taking.room)
      takeFromLog(taking)
    }
    // It was their turn.
    if (row.at !== '' && taking.deliveries.length > 0) {
      row.at = ''
      row.atLeft = 0
    }
  }
  sendProbe(group, probing, taking.deliveries)
  taking.more ||= !isSwept
  // Before anything is taken out of the log.
  carryBodies(work, taking.deliveries)
  holdLeases(group, taking.looked)
  trim(work, group)
  // Before the next time is worked out: heads that were freed and not taken are due now.
  spillHeads(group)
  const { deliveries } = taking
  if (late) return { deliveries, nextInMs: 0, settled, position, late }
  if (isHeld && !taking.more) {
    const next = finite(isOut ? until : nextLift(work))
    return { deliveries, nextInMs: next && Math.max(0, next - work.now), settled, position }
  }
  return { deliveries, nextInMs: nextIn(taking, request), settled, position }
}

function takeAll(taking: Taking): void {
  takeEnded(taking)
  takeDue(taking)
  takeHeads(taking)
  takeFromLog(taking)
}

/** In a lane: what was delivered before. */
function takeAgain(taking: Taking): void {
  takeEnded(taking)
  if (!taking.isFull && taking.group.row.waiting > 0) takeSomeDue(taking, 0, taking.work.now)
}

/** In a lane: what waited behind its key or comes from another group, and the log. */
function takeFirst(taking: Taking): void {
  if (!taking.isFull && (taking.group.row.due ?? 0) < 0) takeSomeDue(taking, BEFORE_ALL, -1)
  takeFromLog(taking)
}

/** Takes up to so many more. In a lane, what is due again and first deliveries take turns. */
function serve(taking: Taking, most: number): number {
  const { group, deliveries, work } = taking
  const before = deliveries.length
  const goal = before + most
  const { row } = group as Flow
  taking.limit = goal
  if (group === group.whole) takeAll(taking)
  while (group !== group.whole && !taking.isFull) {
    spillHeads(group)
    const start = deliveries.length
    const { until = Infinity, due = Infinity, cursor, waiting, held } = row
    const { now, queue } = work
    const hasAgain = until <= now || (waiting > 0 && due <= now)
    const hasFirst = cursor < queue.tail || due < 0
    if (hasAgain && hasFirst) taking.limit = start + 1
    const takes = row.again ? [takeFirst, takeAgain] : [takeAgain, takeFirst]
    for (const take of takes) {
      if (deliveries.length > start) break
      take(taking)
      if (deliveries.length > start) row.again = take === takeAgain
    }
    taking.limit = goal
    // What was taken may all have died.
    const isMoving =
      row.waiting !== waiting || row.held !== held || row.cursor !== cursor || group.heads.length > 0
    if (deliveries.length === start && !isMoving) break
  }
  return deliveries.length - before
}

/** Leases that have ended are leased anew, in place. */
function takeEnded(taking: Taking): void {
  const { group, work } = taking
  const { row } = group
  if (row.until === undefined || row.until > work.now) return
  for (const lease of row.leases.filter(({ until }) => until <= work.now)) {
    if (taking.isFull) break
    const { first, last } = lease
    for (let seq = first; seq <= last && !taking.isFull; seq++) retake(taking, lease, seq)
  }
  if (!taking.isFull) {
    const seqs = endedHeld(group, taking.room)
    work.tx.expect?.(seqs.map((seq) => ['held', [group.name, seq]]))
    for (const seq of seqs) {
      if (taking.isFull) break
      retake(taking, findLease(group, seq)!, seq)
    }
    row.heldUntil = firstHeld(group)
  }
  row.until = finite(firstEnd(group))
  group.changed = true
}

function retake(taking: Taking, lease: Lease, seq: number): void {
  const { group } = taking
  const { attempt, key, row } = lease
  const message = messageOf(group, lease, seq)!
  const { whole } = group
  cutLease(group, seq)
  whole.row.failed++
  whole.changed = true
  taking.take(seq, message, attempt, { key, row }, LEASE_LOST)
}

function finite(time: number): number | undefined {
  return time === Infinity ? undefined : time
}

/** Messages that waited for their time. */
function takeDue(taking: Taking): void {
  const { row } = taking.group
  while (!taking.isFull && row.due !== undefined && row.due <= taking.work.now) takeSomeDue(taking)
}

function takeSomeDue(taking: Taking, from?: number, to: number = taking.work.now): void {
  const { group, work } = taking
  const { row, name } = group
  const { tx } = work
  const some = Math.min(taking.room, DUE_AT_ONCE)
  const range =
    from === undefined ? under(name, WAITS) : { lower: [name, WAITS, from], upper: [name, WAITS, to] }
  const rows = tx.range<string | 0>('due', range, some + 1)
  const due = rows.slice(0, some).filter(([key]) => partOf(key, 2) <= to)
  const waited = due.map(([at, key]) => [key || undefined, [name, key || partOf(at, 3)]] as const)
  tx.expect?.(waited.map(([, sideKey]) => ['side', sideKey]))
  tx.expect?.(
    waited.flatMap(([key, sideKey]) => {
      const row = tx.get<SideRow>('side', sideKey)?.row
      return row === undefined ? [] : [['chain', [name, key!, row]] as const]
    }),
  )
  let taken = 0
  for (const [key, sideKey] of waited) {
    if (taking.isFull) break
    const side = tx.get<SideRow>('side', sideKey)!
    const message = sideMessage(group, side, key)!
    if (side.row !== undefined) tx.delete('side', sideKey)
    tx.delete('due', due[taken++]![0])
    row.waiting--
    taking.take(side.seq, message, side.attempt, { key, row: side.row ?? 'side' }, side.error)
  }
  const [next] = from === undefined ? rows.slice(taken) : tx.range('due', under(name, WAITS), 1)
  row.due = next && partOf(next[0], 2)
  group.changed = true
}

/** Messages whose key came free in this very transaction. */
function takeHeads(taking: Taking): void {
  const { group } = taking
  const { heads, work } = group
  while (!taking.isFull && heads.length > 0) {
    const head = heads.shift()!
    const { key, row, seq, message } = head
    if (parkBehind(group, key, seq, message, row)) continue
    if (message.due !== undefined && message.due > work.now) spill(group, head)
    else taking.take(seq, message, 0, { key, row })
  }
}

/** First deliveries, in order, from the cursor on. */
function takeFromLog(taking: Taking): void {
  const { group, work } = taking
  const { row } = group
  const before = taking.deliveries.length
  const most = largeAtOnce(work, SEGMENTS_AT_ONCE)
  const { stepMessages } = work.limits
  let looked = 0
  let ask = 1
  while (taking.room > 0 && row.cursor < work.queue.tail) {
    const given = taking.deliveries.length - before
    if (looked - given >= (given > 0 ? PASS : PASS_ON) * stepMessages || work.left <= 0) {
      taking.more = true
      return
    }
    for (const segment of segmentsFrom(work, row.cursor, ask)) {
      if (taking.isFull) break
      const from = Math.max(row.cursor, segment.first)
      takeFromSegment(taking, segment, from - segment.first)
      looked += row.cursor - from
      // Few large reads: as many segments as are likely to be needed, going by this one.
      ask = Math.min(most, Math.max(1, Math.ceil(taking.room / lengthOf(segment))))
    }
  }
}

/** Some segments, from the one on that has a message. */
function segmentsFrom(work: Work, seq: number, some: number): readonly Segment[] {
  const { known, queue } = work
  // A lane in its next turn.
  if (known !== undefined && known.first <= seq && seq <= lastOf(known)) return [known]
  const rows = work.tx.range<Segment>('log', { lower: seq, upper: queue.tail }, some)
  if (rows.length === 0) throw damaged(work.name)
  return rows.map((row) => (work.known = trustSegment(work.name, row)))
}

function takeFromSegment(taking: Taking, segment: Segment, from: number): void {
  const { group, work } = taking
  const { row } = group
  const { first, more } = segment
  const length = lengthOf(segment)
  taking.looked = segment.bytes
  group.changed = true
  const amendments = amendmentsOf(work, first + from, first + length - 1)
  if (row.waiting + (row.parked ?? 0) > 0 && more?.key !== undefined) {
    const keys = new Set(more.key.slice(from))
    work.tx.expect?.(
      [...keys].flatMap((key) => (key === undefined ? [] : [['side', sideKey(group, 0, key)] as const])),
    )
  }
  if (amendments === undefined && more?.key === undefined && more?.expires === undefined) {
    row.cursor = first + takeStretch(taking, segment, from, Math.min(length, from + taking.room))
    return
  }
  const blocked = new Map<string, Blocked[]>()
  let i = from
  for (; i < length && !taking.isFull; i++) {
    const seq = first + i
    const amendment = amendments?.get(seq)
    if (amendment?.gone) {
      row.skipped--
      continue
    }
    const message = amendment?.message ?? messageAt(segment, i)
    const { key } = message
    if (key === undefined || taking.verdict(message, 0) !== undefined) taking.take(seq, message, 0, {})
    else if (blocked.has(key)) blocked.get(key)!.push([seq, message])
    else if (isBusy(group, key)) blocked.set(key, [[seq, message]])
    else if (parkBehind(group, key, seq, message)) spend(work, sizeOf(message))
    else taking.take(seq, message, 0, { key })
  }
  row.cursor = first + i
  for (const [key, chain] of blocked) block(group, key, chain)
}

/** The fast path: a stretch of a segment that holds nothing to decide. Answers with where it ended. */
function takeStretch(taking: Taking, segment: Segment, from: number, end: number): number {
  const { group, deliveries, prefix, suffix, maxAttempts, until, lease } = taking
  const { first, at, more } = segment
  let { bytes } = taking
  let to = end
  for (let i = from; i < to; i++) {
    const body = bodyAt(segment, i)
    bytes -= more === undefined ? sizeOfBody(body) : sizeOf(messageAt(segment, i))
    if (bytes <= 0) to = i + 1
    const delivery: { -readonly [F in keyof Delivery]: Delivery[F] } = {
      receipt: prefix + (first + i) + suffix,
      id: idAt(segment, i),
      body: body as Body,
      headers: more?.headers?.[i],
      key: undefined,
      lane: segment.lane,
      timestamp: more?.at?.[i] ?? at,
      attempt: 1,
      maxAttempts: more?.maxAttempts?.[i] ?? maxAttempts,
      lastError: undefined,
    }
    if (more?.keepMs !== undefined) delivery.keepMs = more.keepMs[i]
    deliveries.push(delivery)
  }
  taking.bytes = bytes
  const tied =
    segment.alias !== undefined ||
    [more?.named, more?.keepMs].some((column) => column?.slice(from, to).some((one) => one !== undefined))
  addLease(group, { first: first + from, last: first + to - 1, until, lease, attempt: 1, tied })
  return to
}

/** In how many ms another claim may find what this one did not. */
function nextIn({ group, work, room, more }: Taking, { only }: ClaimRequest): number | undefined {
  const { row } = group
  const { timer = Infinity, tail } = work.queue
  if (more || (room === 0 && row.cursor < tail && only === undefined)) return 0
  const own = only === undefined ? Math.min(row.due ?? Infinity, firstEnd(group)) : Infinity
  const next = finite(Math.min(own, timer, nextWake(group), nextLift(work)))
  return next && Math.max(0, Math.ceil(next - work.now))
}
