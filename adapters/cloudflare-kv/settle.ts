import { QuaysideError } from '../../src/errors.ts'
import type { SettleResult, Settlement } from '../../src/storage.ts'
import { Change, type Work } from './change.ts'
import { type Segment, isForgotten } from './entries.ts'
import { DEAD, type Receipt, parseReceipt } from './keys.ts'
import { type Row, trustRows } from './rows.ts'

const STALE: SettleResult = { status: 'stale' }
const SETTLED: SettleResult = { status: 'settled' }

/** A settlement whose receipt is good. */
interface Good {
  readonly settlement: Settlement
  readonly receipt: Receipt
  readonly segment: Segment
  /** The number of the lease; 0 for a dead letter. */
  readonly count: number
}

/** Puts what was settled into a change. It is decided, and told to all of this isolate, before anything is awaited. */
export async function settle(
  change: Change,
  settlements: readonly Settlement[],
  extensions: Change[],
): Promise<SettleResult[]> {
  const { work } = change
  const good = new Map<number, Good>()
  const seen = new Set<string>()
  for (const [i, settlement] of settlements.entries()) {
    const found = seen.has(settlement.receipt) ? undefined : check(change, settlement)
    if (found === undefined) continue
    if (settlement.kind !== 'extend') seen.add(settlement.receipt)
    good.set(i, found)
  }
  const extended = new Map<string, Good>()
  for (const one of good.values()) {
    const { settlement, receipt, segment } = one
    if (settlement.kind === 'extend') extended.set(settlement.receipt, one)
    else change.done(segment.key, receipt.index)
  }
  for (const [text, one] of extended) if (!seen.has(text)) extend(change, one, extensions)
  change.tell()
  for (const extension of extensions) extension.tell()

  const missing = await readRows(
    work,
    'settle',
    [...good.values()]
      .filter(({ settlement }) => settlement.kind === 'retry' || settlement.kind === 'dead')
      .map(({ segment }) => segment),
    false,
  )
  for (const [i, one] of good) {
    if (missing.has(one.segment.key)) good.delete(i)
    else apply(change, one)
  }
  for (const key of missing) {
    change.forget(key)
    work.ledger.hide(key)
  }
  return settlements.map((_, i) => (good.has(i) ? SETTLED : STALE))
}

/** Whether the list has to be made anew before a receipt can be judged. */
export function isKnown({ ledger }: Work, { receipt }: Settlement): boolean {
  const parsed = parseReceipt(receipt)
  return parsed === undefined || ledger.segment(parsed.key) !== undefined || ledger.isGone(parsed.key)
}

function check({ work: { ledger }, group, now }: Change, settlement: Settlement): Good | undefined {
  const receipt = parseReceipt(settlement.receipt)
  if (receipt === undefined || !group.ids.has(receipt.group)) return undefined
  const segment = ledger.segment(receipt.key)
  if (segment === undefined || receipt.index >= segment.count || !ledger.belongs(group, segment))
    return undefined
  const { done, leases } = ledger.standing(group, segment)
  if (done.has(receipt.index) || isForgotten(segment, now)) return undefined
  if (receipt.key.startsWith(DEAD)) {
    const redrives = settlement.kind === 'retry' || settlement.kind === 'ack'
    return redrives ? { settlement, receipt, segment, count: 0 } : undefined
  }
  const lease = leases.get(receipt.index)
  if (lease === undefined || lease.token !== receipt.lease) return undefined
  return { settlement, receipt, segment, count: lease.count }
}

/** A record of its own for each lease and each length, under the token of the lease. */
function extend(
  { work, group, now }: Change,
  { settlement, receipt: { key, index, lease }, count }: Good,
  extensions: Change[],
): void {
  const { leaseMs } = settlement as Settlement & { kind: 'extend' }
  let extension = extensions.find(({ record }) => record.lease === lease && record.until === now + leaseMs)
  if (extension === undefined) extensions.push((extension = new Change(work, group, now, leaseMs, lease)))
  extension.lease(key, [[index, count]])
}

function apply(change: Change, { settlement, receipt, segment, count }: Good): void {
  const { work, group, now } = change
  const { ledger } = work
  if (settlement.kind === 'extend') return
  if (settlement.kind === 'park') throw new QuaysideError('UNSUPPORTED', 'park: this storage cannot do that')
  if (settlement.kind === 'ack') {
    if (count > 0) ledger.count(group.name, 'acked', 1)
    return
  }
  const row = ledger.rows.get(segment.key)!.rows[receipt.index]!
  if (settlement.kind === 'dead') {
    ledger.count(group.name, 'failed', 1)
    const died: Row = { ...row, attempts: row.attempts + count, error: settlement.error }
    change.bury(deadRow(change, died, settlement.reason), settlement.deadForMs)
    return
  }
  const at = now + settlement.delayMs
  if (count === 0) {
    // Whoever redrives a message wants it, as if it had just been sent.
    const { reason: _reason, deadAt: _deadAt, error: _error, expires: _expires, ...rest } = row
    change.retry({ row: { ...rest, attempts: 0 }, at })
    return
  }
  const counts = settlement.counts !== false
  const dies = row.expires !== undefined && row.expires <= at
  if (counts || dies) ledger.count(group.name, 'failed', 1)
  const tried: Row = {
    ...row,
    attempts: row.attempts + (counts ? count : count - 1),
    error: settlement.error,
  }
  if (dies) change.bury(deadRow(change, tried, 'expired'), undefined)
  else change.retry({ row: tried, at })
}

export function deadRow({ work }: Change, row: Row, reason: NonNullable<Row['reason']>): Row {
  return { ...row, reason, deadAt: work.settings.clock.now() }
}

/** For how long a value that was read is as good as one that KV has cached here. */
const FRESH_MS = 30_000

/**
 * Has the rows of segments at hand; `fresh`: read not long ago, because somebody else may have deleted them. Answers with
 * the keys of those that are not there.
 */
export async function readRows(
  { kv, ledger, settings }: Work,
  tried: string,
  segments: readonly Segment[],
  fresh: boolean,
): Promise<Set<string>> {
  const now = ledger.now(settings.clock)
  const isAtHand = (key: string): boolean => {
    const known = ledger.rows.get(key)
    return known !== undefined && !(fresh && now - known.at >= FRESH_MS)
  }
  const unread = [...new Set(segments)].filter(({ key }) => !isAtHand(key))
  const missing = new Set<string>()
  if (unread.length === 0) return missing
  const values = await kv.read(
    tried,
    unread.map(({ key, bytes }) => ({ key: ledger.prefix + key, bytes })),
  )
  for (const segment of unread) {
    const { key } = segment
    const value = values.get(ledger.prefix + key)
    if (value === undefined) missing.add(key)
    else ledger.rows.set(key, { rows: trustRows(segment, value), at: now })
  }
  return missing
}
