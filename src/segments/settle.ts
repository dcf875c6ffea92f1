import type { SettleResult, Settlement } from '../storage.ts'
import { dropOwned } from './bodies.ts'
import { putId, putOlder } from './id-rows.ts'
import { cutLease, extendLease, findLease, leaseOn } from './leases.ts'
import { endProbes } from './lanes/holds.ts'
import { flowOf, openLane } from './lanes/lane.ts'
import { laneKey } from './lanes/names.ts'
import { bury, done, free, letKeyGo, redrive } from './moves.ts'
import { messageOf } from './places.ts'
import { type DeadRow, type IdRow, type Lease, type Stored, FADES } from './rows.ts'
import type { Read } from './store.ts'
import { countLetter, keep, keepProgress } from './results.ts'
import { park, wait } from './waiting.ts'
import { type Group, logMessage, under } from './work.ts'

const SETTLED: SettleResult = { status: 'settled' }
const STALE: SettleResult = { status: 'stale' }

/**
 * Settles deliveries of a group, and dead letters by the receipts that `list` gave them.
 *
 * @param inHand A receipt that {@link isLeased} is about to be asked for.
 */
export function settle(group: Group, settlements: readonly Settlement[], inHand?: string): SettleResult[] {
  const prefix = `${group.row.token}.`
  // Read twice where that spares a store from waiting: on the fast path, a list of them would cost more.
  if (group.work.tx.expect !== undefined) {
    const receipts = settlements.map(({ receipt }) => parseReceipt(receipt, prefix))
    if (inHand !== undefined) receipts.push(parseReceipt(inHand, prefix))
    group.work.tx.expect(readsOf(group, receipts))
  }
  return settlements.map((settlement) => {
    const receipt = parseReceipt(settlement.receipt, prefix)
    const flow = receipt && flowOf(group, receipt.lane)
    const settled =
      flow !== undefined &&
      (receipt!.dead ? settleDead(flow, receipt!, settlement) : settleLease(flow, receipt!, settlement))
    return settled ? SETTLED : STALE
  })
}

/** Whether the lease that the receipt is of goes on. */
export function isLeased(group: Group, text: string): boolean {
  const receipt = parseReceipt(text, `${group.row.token}.`)
  const flow = receipt && flowOf(group, receipt.lane)
  const lease = flow && findLease(flow, receipt.seq)
  return lease !== undefined && lease.lease === receipt!.lease && lease.until > group.work.now
}

/** What settling is going to read, so that a store that must wait for its rows waits once: heads, the next of their keys, ids. */
function readsOf(group: Group, receipts: readonly (Receipt | undefined)[]): Read[] {
  const { row, name, work } = group
  const reads: Read[] = []
  const lanes = new Set(receipts.map((receipt) => receipt?.lane))
  work.tx.expect?.(
    [...lanes].flatMap((lane) => (lane === undefined ? [] : [['lanes', laneKey(lane)] as const])),
  )
  for (const lane of lanes) {
    const flow = lane === undefined ? undefined : flowOf(group, lane)
    if (flow === undefined) continue
    const own = receipts.filter((receipt) => receipt?.lane === lane)
    flow.work.tx.expect?.(
      readsOf(
        flow,
        own.map((receipt) => ({ ...receipt!, lane: undefined })),
      ),
    )
  }
  receipts = receipts.filter((receipt) => receipt?.lane === undefined)
  if (row.held > 0)
    work.tx.expect?.(
      receipts.flatMap((receipt) =>
        receipt === undefined || leaseOn(group, receipt.seq) >= 0
          ? []
          : [['held', [name, receipt.seq]] as const],
      ),
    )
  for (const receipt of receipts) {
    if (receipt === undefined || receipt.dead) continue
    const lease = findLease(group, receipt.seq)
    const message = lease?.tied && lease.row === undefined ? logMessage(work, receipt.seq) : undefined
    if (message !== undefined) reads.push(['ids', message.id])
    if (lease?.key === undefined) continue
    const chain = [name, lease.key] as const
    if (typeof lease.row === 'number') reads.push(['chain', [...chain, lease.row]])
    else if (row.blocked > 0) reads.push(['chain', under(...chain), 1])
  }
  return reads
}

interface Receipt {
  /** The number of the lease, or the fence of a dead letter. */
  readonly lease: number
  readonly seq: number
  readonly dead: boolean
  readonly lane?: string | undefined
}

const DOT = 46
const ZERO = 48
const BANG = 33

/**
 * `prefix`, `lease.seq`, and a `!` for a dead letter, or a dot and the lane. Written out, because this runs for each message.
 */
export function parseReceipt(receipt: string, prefix: string): Receipt | undefined {
  if (typeof receipt !== 'string' || !receipt.startsWith(prefix)) return undefined
  const end = receipt.length
  let lease = 0
  let seq = 0
  for (let at = prefix.length; at < end; at++) {
    const code = receipt.charCodeAt(at)
    const digit = code - ZERO
    if (digit >= 0 && digit <= 9) seq = seq * 10 + digit
    else if (code === BANG && at === end - 1) return { lease, seq, dead: true }
    else if (code !== DOT) return undefined
    else if (lease > 0) return { lease, seq, dead: false, lane: receipt.slice(at + 1) }
    else {
      lease = seq
      seq = 0
    }
  }
  return { lease, seq, dead: false }
}

/** Settles one message of a lease. An ack, which is what nearly all get, does not even read it. */
function settleLease(group: Group, receipt: Receipt, settlement: Settlement): boolean {
  const { work } = group
  const { row } = group.whole
  const { seq } = receipt
  const index = leaseOn(group, seq)
  const lease = findLease(group, seq, index)
  if (lease?.lease !== receipt.lease) return false
  const { attempt, key, row: where } = lease
  const { kind } = settlement
  // A group that came later may have given it an id row.
  const tied = lease.tied || (work.queue.groups > 1 && (key ?? work.lane) !== undefined)
  if (kind === 'extend') {
    const { progress } = settlement
    if (progress !== undefined && tied) {
      const message = messageOf(group, lease, seq)!
      if (message.keepMs !== undefined)
        keepProgress(group, seq, message, lease, { status: 'running', progress, at: work.clock })
    }
    extendLease(group, lease, seq, work.now + settlement.leaseMs)
    return true
  }
  const message =
    kind === 'ack' && !tied && work.queue.joining === 0 ? undefined : messageOf(group, lease, seq)
  cutLease(group, seq, index, lease)
  group.whole.changed = true
  if (kind !== 'ack' && kind !== 'dead' && putBack(group, seq, lease, message!, settlement)) return true
  free(group, seq, key, where)
  if (kind !== 'ack') row.failed++
  switch (kind) {
    case 'ack': {
      const { value } = settlement
      row.acked++
      if (message?.keepMs !== undefined)
        keep(group, seq, message, attempt, {
          status: 'done',
          ...(value !== undefined && { value }),
          at: work.clock,
        })
      endProbes(group.whole, seq, receipt.lease, receipt.lane)
      if (message !== undefined) done(group, seq, message)
      if (where !== undefined) dropOwned(group, seq)
      break
    }
    case 'dead': {
      const { reason, error, deadForMs = Infinity, parksNext = false } = settlement
      bury(group, seq, message!, attempt, reason, error, deadForMs, parksNext)
      break
    }
    default:
      bury(
        group,
        seq,
        message!,
        attempt,
        'expired',
        kind === 'park' ? settlement.reason : settlement.error,
        Infinity,
      )
  }
  return true
}

/** Has a message wait for its retry, or be parked. Answers whether it does: not if it expires before. */
function putBack(
  group: Group,
  seq: number,
  { attempt, key, row: where }: Lease,
  message: Stored,
  settlement: Settlement & { readonly kind: 'retry' | 'park' },
): boolean {
  const { work } = group
  const { row } = group.whole
  const at = settlement.kind === 'park' ? work.now : work.now + settlement.delayMs
  // How far its handler was.
  if (message.keepMs !== undefined) work.tx.delete('results', [group.name, seq])
  if (message.expires !== undefined && message.expires <= at) return false
  const place = typeof where === 'number' ? { row: where } : { message }
  if (settlement.kind === 'park') {
    const { reason, data } = settlement
    park(group, key, { seq, attempt, ...place }, message, reason, data === undefined ? {} : { data })
    return true
  }
  const counts = settlement.counts !== false
  if (counts) row.failed++
  wait(group, key, { seq, at, attempt: counts ? attempt : attempt - 1, error: settlement.error, ...place })
  return true
}

/** A dead letter's `retry` redrives it, its `ack` deletes it. */
function settleDead(group: Group, { lease, seq }: Receipt, settlement: Settlement): boolean {
  const { tx, now } = group.work
  const at = [group.name, seq]
  const letter = tx.get<DeadRow>('dead', at)
  if (letter?.fence !== lease || (settlement.kind !== 'retry' && settlement.kind !== 'ack')) return false
  if (letter.until !== undefined && letter.until <= now) return false
  tx.delete('dead', at)
  if (letter.until !== undefined) tx.delete('due', [group.name, FADES, letter.until, seq])
  group.row.dead--
  group.changed = true
  letKeyGo(group, seq, letter.message)
  countLetter(group, seq, letter.message, -1)
  if (settlement.kind === 'retry') {
    if (letter.message.keepMs !== undefined) tx.delete('results', at)
    // Whoever redrives a message that expired wants it delivered.
    const message = { ...letter.message, expires: undefined, redriven: now }
    const { id, key, named } = message
    const { lane } = message
    const work = lane === undefined ? group.work : openLane(group.work, lane, true)
    if (named !== undefined) {
      const known = tx.get<IdRow>('ids', id) ?? {}
      // No message has the id, even if it is still known.
      if ((known.seq ?? known.delayed) === undefined) putId(work, id, { seq, key }, named, known)
      else if (known.seq !== seq) putOlder(work, id, { seq, key, lane, dedupeMs: named })
    }
    redrive(flowOf(group, lane)!, seq, message, now + settlement.delayMs)
  } else dropOwned(group, seq)
  return true
}
