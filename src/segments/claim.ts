import type { ClaimRequest, ClaimResult, Delivery } from '../storage.ts'
import { type Group, deliver } from './group.ts'
import type { Run, Segment, SideRow, Single, Stored } from './rows.ts'
import { bodyAt, idAt, lengthOf, messageAt } from './segment.ts'
import { settle } from './settle.ts'
import { type Row } from './store.ts'
import { sweepDelayed, sweepExpired } from './sweep.ts'
import { trim } from './trim.ts'
import type { Work } from './work.ts'

/**
 * A claim that has found something passes over this many messages of the log at most, cancelled ones and those that it
 * parks behind their key, so that it takes no longer than other claims. The next one goes on from there.
 */
const PASS = 256
/** A claim that has found nothing yet passes over this many. */
const PASS_ON = 2048
/** Segments that one read of the log asks for at most. */
const SEGMENTS_AT_ONCE = 16

const LEASE_LOST = 'the lease ended before the delivery was settled'

/** Leases messages to a consumer. The group exists. */
export function claim(work: Work, group: Group, request: ClaimRequest): ClaimResult {
  work.tick(group)
  const settled = request.settle === undefined ? undefined : settle(group, request.settle)
  sweepDelayed(work)
  sweepExpired(work)
  const taking = new Taking(group, request)
  takeEnded(taking)
  takeDue(taking)
  takeHeads(taking)
  takeFromLog(taking)
  trim(work, group)
  // Before the next time is worked out: heads that were freed and not taken are due now.
  group.spillHeads()
  const nextInMs = nextIn(taking)
  work.finish()
  return { deliveries: taking.deliveries, nextInMs, settled }
}

/** What one claim has taken so far. All of it is one lease. */
class Taking {
  readonly group: Group
  readonly work: Work
  readonly deliveries: Delivery[] = []
  readonly limit: number
  readonly maxAttempts: number
  readonly until: number
  readonly lease: number
  readonly prefix: string
  /** There may be more to take at once. */
  more = false

  constructor(group: Group, { limit, leaseMs, maxAttempts }: ClaimRequest) {
    this.group = group
    this.work = group.work
    this.limit = limit
    this.maxAttempts = maxAttempts
    this.until = group.work.now + leaseMs
    this.lease = group.row.nextLease++
    this.prefix = group.receipt(this.lease, '')
  }

  get room(): number {
    return this.limit - this.deliveries.length
  }

  /** Why a message may not be delivered for the attempt after `attempt`, if it may not. */
  verdict(message: Stored, attempt: number): 'expired' | 'exhausted' | undefined {
    if (message.expires !== undefined && message.expires <= this.work.now) return 'expired'
    return attempt >= (message.maxAttempts ?? this.maxAttempts) ? 'exhausted' : undefined
  }

  give(seq: number, message: Stored, attempt: number, error?: string): void {
    this.deliveries.push(deliver(message, this.prefix + seq, attempt, this.maxAttempts, error))
  }

  /** Leases a message on its own. */
  takeSingle(seq: number, message: Stored, attempt: number, where: Partial<Single>, error?: string): void {
    const { until, lease } = this
    this.group.addSingle({ ...where, seq, until, lease, attempt, named: message.named !== undefined })
    this.give(seq, message, attempt, error)
  }

  takeRun(first: number, last: number, attempt: number, named: boolean): void {
    this.group.addRun({ first, last, until: this.until, lease: this.lease, attempt, named })
  }
}

/** Leases that have ended are leased anew, in place. */
function takeEnded(taking: Taking): void {
  const { group, work } = taking
  const { row } = group
  if (row.until === undefined || row.until > work.now) return
  for (const run of row.runs.filter((one) => one.until <= work.now)) {
    if (taking.room === 0) break
    takeEndedRun(taking, run)
  }
  for (const single of row.singles.filter((one) => one.until <= work.now)) {
    if (taking.room === 0) break
    takeEndedSingle(taking, single)
  }
  row.until = undefined
  for (const { until } of [...row.runs, ...row.singles]) {
    if (row.until === undefined || until < row.until) row.until = until
  }
  group.changed = true
}

function takeEndedRun(taking: Taking, { first, last, attempt, named }: Run): void {
  const { group, work } = taking
  for (let seq = first; seq <= last && taking.room > 0; seq++) {
    const message = work.logMessage(seq)!
    group.cutRun(group.runOf(seq), seq)
    const verdict = taking.verdict(message, attempt)
    if (verdict !== undefined) {
      group.bury(seq, message, attempt, verdict, LEASE_LOST)
      continue
    }
    group.row.failed++
    taking.takeRun(seq, seq, attempt + 1, named)
    taking.give(seq, message, attempt + 1, LEASE_LOST)
  }
}

function takeEndedSingle(taking: Taking, single: Single): void {
  const { group } = taking
  const { seq, attempt } = single
  const message = group.messageOf(single)!
  group.cutSingle(group.singleOf(seq))
  const verdict = taking.verdict(message, attempt)
  if (verdict !== undefined) {
    group.endSingle(single)
    group.bury(seq, message, attempt, verdict, LEASE_LOST)
    return
  }
  group.row.failed++
  taking.takeSingle(seq, message, attempt + 1, single, LEASE_LOST)
}

/** Messages that waited for their time. */
function takeDue(taking: Taking): void {
  const { group, work } = taking
  const { row, name } = group
  const { tx } = work
  if (taking.room === 0 || row.due === undefined || row.due > work.now) return
  const rows: readonly Row<string | 0>[] = tx.range<string | 0>(
    'due',
    { lower: [name], upper: [name] },
    taking.room + 1,
  )
  row.due = undefined
  group.changed = true
  let taken = 0
  for (const [key] of rows) {
    const at = (key as readonly number[])[1]!
    if (at > work.now || taken === taking.room) {
      row.due = at
      break
    }
    taken++
  }
  if (taken === 0) return
  tx.deleteRange('due', { lower: [name], upper: rows[taken - 1]![0] })
  row.waiting -= taken
  const due = rows.slice(0, taken).map(([at, ordering]) => {
    const seq = (at as readonly number[])[2]!
    const key = ordering === 0 ? undefined : ordering
    return { key, sideKey: [name, key ?? seq] }
  })
  tx.expect?.(due.map(({ sideKey }) => ['side', sideKey]))
  tx.expect?.(
    due.flatMap(({ key, sideKey }) => {
      const row = tx.get<SideRow>('side', sideKey)?.row
      return row === undefined ? [] : [['chain', [name, key!, row]] as const]
    }),
  )
  for (const { key, sideKey } of due) {
    const side = tx.get<SideRow>('side', sideKey)!
    const { seq, attempt, error } = side
    const message = group.sideMessage(side, key)!
    const verdict = taking.verdict(message, attempt)
    if (verdict === undefined) {
      taking.takeSingle(
        seq,
        message,
        attempt + 1,
        { key, side: true, row: side.row, index: side.index },
        error,
      )
      continue
    }
    tx.delete('side', sideKey)
    if (key !== undefined) group.freeKey(key, side.row, side.index)
    group.bury(seq, message, attempt, verdict, error)
  }
}

/** Messages whose key came free in this very transaction. */
function takeHeads(taking: Taking): void {
  const { group } = taking
  while (taking.room > 0) {
    const head = group.heads.shift()
    if (head === undefined) return
    const { key, seq, row, index, message } = head
    if (message.due !== undefined && message.due > group.work.now) {
      group.spill(head)
      continue
    }
    const verdict = taking.verdict(message, 0)
    if (verdict === undefined) taking.takeSingle(seq, message, 1, { key, row, index })
    else {
      group.freeKey(key, row, index)
      group.bury(seq, message, 0, verdict)
    }
  }
}

/** First deliveries, in order, from the cursor on. */
function takeFromLog(taking: Taking): void {
  const { group, work } = taking
  const { row } = group
  const before = taking.deliveries.length
  let looked = 0
  let ask = 1
  while (taking.room > 0 && row.cursor < work.queue.tail) {
    const given = taking.deliveries.length - before
    if (looked - given >= (given > 0 ? PASS : PASS_ON)) {
      taking.more = true
      return
    }
    const segments: readonly Row<Segment>[] = work.tx.range<Segment>('log', { lower: row.cursor }, ask)
    if (segments.length === 0) throw new Error(`the log ends before ${work.queue.tail}`)
    for (const [, segment] of segments) {
      if (taking.room === 0) break
      const from = Math.max(row.cursor, segment.first)
      takeFromSegment(taking, segment, from - segment.first)
      looked += row.cursor - from
      // Few large reads: as many segments as are likely to be needed, going by this one.
      ask = Math.min(SEGMENTS_AT_ONCE, Math.max(1, Math.ceil(taking.room / lengthOf(segment))))
    }
  }
}

function takeFromSegment(taking: Taking, segment: Segment, from: number): void {
  const { group, work } = taking
  const { row } = group
  const length = lengthOf(segment)
  const { more } = segment
  group.changed = true
  const amendments = work.amendments(segment.first + from, segment.first + length - 1)
  if (amendments === undefined && more?.keys === undefined && more?.expires === undefined) {
    const to = Math.min(length, from + taking.room)
    takeStretch(taking, segment, from, to)
    row.cursor = segment.first + to
    return
  }
  if (row.waiting > 0 && more?.keys !== undefined) {
    const keys = new Set(more.keys.slice(from))
    work.tx.expect?.(
      [...keys].flatMap((key) => (key === undefined ? [] : [['side', [group.name, key]] as const])),
    )
  }
  const parked = new Map<string, { seqs: number[]; messages: Stored[] }>()
  let i = from
  for (; i < length && taking.room > 0; i++) {
    const seq = segment.first + i
    const amendment = amendments?.get(seq)
    if (amendment?.gone) {
      row.skipped--
      continue
    }
    const message = amendment?.message ?? messageAt(segment, i)
    const { key } = message
    const verdict = taking.verdict(message, 0)
    if (verdict !== undefined) {
      group.bury(seq, message, 0, verdict)
    } else if (key === undefined) {
      taking.takeRun(seq, seq, 1, message.named !== undefined)
      taking.give(seq, message, 1)
    } else if (!parked.has(key) && !group.isBusy(key)) {
      taking.takeSingle(seq, message, 1, { key })
    } else {
      const some = parked.get(key)
      if (some === undefined) parked.set(key, { seqs: [seq], messages: [message] })
      else {
        some.seqs.push(seq)
        some.messages.push(message)
      }
    }
  }
  row.cursor = segment.first + i
  for (const [key, { seqs, messages }] of parked) group.park(key, seqs, messages)
}

/** The fast path: a stretch of a segment that holds nothing to decide. */
function takeStretch(taking: Taking, segment: Segment, from: number, to: number): void {
  const { deliveries, prefix, maxAttempts } = taking
  const { first, at, more } = segment
  for (let i = from; i < to; i++) {
    deliveries.push({
      receipt: prefix + (first + i),
      id: idAt(segment, i),
      body: bodyAt(segment, i),
      headers: more?.headers?.[i],
      key: undefined,
      timestamp: at,
      attempt: 1,
      maxAttempts: more?.maxAttempts?.[i] ?? maxAttempts,
      lastError: undefined,
    })
  }
  const named = more?.named?.some((dedupeMs, i) => dedupeMs !== undefined && i >= from && i < to) ?? false
  taking.takeRun(first + from, first + to - 1, 1, named)
}

/** In how many ms another claim may find what this one did not. */
function nextIn({ group, work, deliveries, limit, more }: Taking): number | undefined {
  const { row } = group
  if (more || (deliveries.length === limit && row.cursor < work.queue.tail)) return 0
  let next = Infinity
  if (row.due !== undefined) next = row.due
  if (work.queue.timer !== undefined && work.queue.timer < next) next = work.queue.timer
  for (const { until } of row.runs) if (until < next) next = until
  for (const { until } of row.singles) if (until < next) next = until
  return next === Infinity ? undefined : Math.max(0, next - work.now)
}
