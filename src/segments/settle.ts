import type { SettleResult, Settlement } from '../storage.ts'
import type { Group } from './group.ts'
import type { DeadRow, IdRow } from './rows.ts'
import type { Read } from './store.ts'

const SETTLED: SettleResult = { status: 'settled' }
const STALE: SettleResult = { status: 'stale' }

/** Settles deliveries of a group, and dead letters by the receipts that `list` gave them. */
export function settle(group: Group, settlements: readonly Settlement[]): SettleResult[] {
  const receipts = settlements.map(({ receipt }) => parseReceipt(receipt, group.row.token))
  if (group.work.tx.expect !== undefined) group.work.tx.expect(readsOf(group, receipts))
  const results: SettleResult[] = []
  for (const [i, settlement] of settlements.entries()) {
    const receipt = receipts[i]
    const settled =
      receipt !== undefined &&
      (receipt.dead ? settleDead(group, receipt, settlement) : settleLease(group, receipt, settlement))
    results.push(settled ? SETTLED : STALE)
  }
  return results
}

/** What settling is going to read, so that a store that must wait for its rows waits once: heads, the next of their keys, ids. */
function readsOf(group: Group, receipts: readonly (Receipt | undefined)[]): Read[] {
  const { row, name, work } = group
  const reads: Read[] = []
  for (const receipt of receipts) {
    if (receipt === undefined || receipt.dead) continue
    const { seq } = receipt
    const run = row.runs[group.runOf(seq)]
    const single = row.singles[group.singleOf(seq)]
    const message = run?.named ? work.logMessage(seq) : undefined
    if (message?.named !== undefined) reads.push(['ids', message.id])
    if (single?.key === undefined || row.chained === 0) continue
    const chain = [name, single.key]
    reads.push(
      single.row === undefined
        ? ['chain', { lower: chain, upper: chain }, 1]
        : ['chain', [...chain, single.row]],
    )
  }
  return reads
}

interface Receipt {
  /** The number of the lease, or the fence of a dead letter. */
  readonly lease: number
  readonly seq: number
  readonly dead: boolean
}

const DOT = 46
const ZERO = 48

/** `token.lease.seq`, with a `!` behind it for a dead letter. Written out, because this runs for each message. */
function parseReceipt(receipt: string, token: string): Receipt | undefined {
  if (typeof receipt !== 'string' || !receipt.startsWith(token)) return undefined
  let at = token.length
  if (receipt.charCodeAt(at++) !== DOT) return undefined
  const dead = receipt.endsWith('!')
  const end = receipt.length - (dead ? 1 : 0)
  let lease = 0
  let seq = 0
  for (; at < end; at++) {
    const digit = receipt.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) break
    lease = lease * 10 + digit
  }
  if (receipt.charCodeAt(at++) !== DOT || at >= end) return undefined
  for (; at < end; at++) {
    const digit = receipt.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return undefined
    seq = seq * 10 + digit
  }
  return { lease, seq, dead }
}

function settleLease(group: Group, { lease, seq }: Receipt, settlement: Settlement): boolean {
  const { row } = group
  const index = group.runOf(seq)
  if (index >= 0) {
    if (row.runs[index]!.lease !== lease) return false
    settleRun(group, index, seq, settlement)
    return true
  }
  const single = group.singleOf(seq)
  if (single < 0 || row.singles[single]!.lease !== lease) return false
  settleSingle(group, single, settlement)
  return true
}

/** Settles one message of a run. Acks, the fast path, do not even read it. */
function settleRun(group: Group, index: number, seq: number, settlement: Settlement): void {
  const { row, work } = group
  const run = row.runs[index]!
  const { attempt, named } = run
  switch (settlement.kind) {
    case 'ack':
      group.cutRun(index, seq)
      row.acked++
      if (named) {
        const message = work.logMessage(seq)
        if (message?.named !== undefined) group.done(seq, message)
      }
      return
    case 'extend': {
      const extended = { ...run, first: seq, last: seq, until: work.now + settlement.leaseMs }
      group.cutRun(index, seq)
      group.addRun(extended)
      return
    }
    case 'retry': {
      const message = work.logMessage(seq)!
      group.cutRun(index, seq)
      const at = work.now + settlement.delayMs
      if (message.expires !== undefined && message.expires <= at) {
        group.bury(seq, message, attempt, 'expired', settlement.error)
        return
      }
      const counts = settlement.counts !== false
      if (counts) row.failed++
      group.wait(undefined, {
        seq,
        at,
        attempt: counts ? attempt : attempt - 1,
        error: settlement.error,
        message,
      })
      return
    }
    case 'dead': {
      const message = work.logMessage(seq)!
      group.cutRun(index, seq)
      group.bury(seq, message, attempt, settlement.reason, settlement.error)
    }
  }
}

function settleSingle(group: Group, index: number, settlement: Settlement): void {
  const { row, work } = group
  const single = row.singles[index]!
  const { seq, attempt, key } = single
  if (settlement.kind === 'extend') {
    group.extendSingle(index, work.now + settlement.leaseMs)
    return
  }
  const message = settlement.kind === 'ack' && !single.named ? undefined : group.messageOf(single)
  group.cutSingle(index)
  if (settlement.kind === 'ack') {
    row.acked++
    group.endSingle(single)
    if (message?.named !== undefined) group.done(seq, message)
    return
  }
  if (settlement.kind === 'retry') {
    const at = work.now + settlement.delayMs
    if (message!.expires === undefined || message!.expires > at) {
      const counts = settlement.counts !== false
      if (counts) row.failed++
      group.wait(key, {
        seq,
        at,
        attempt: counts ? attempt : attempt - 1,
        error: settlement.error,
        message: single.row === undefined ? message : undefined,
        row: single.row,
        index: single.index,
      })
      return
    }
  }
  group.endSingle(single)
  const reason = settlement.kind === 'dead' ? settlement.reason : 'expired'
  group.bury(seq, message!, attempt, reason, settlement.error)
}

/** A dead letter's `retry` redrives it, its `ack` deletes it. */
function settleDead(group: Group, { lease, seq }: Receipt, settlement: Settlement): boolean {
  const { tx } = group.work
  const at = [group.name, seq]
  const letter = tx.get<DeadRow>('dead', at)
  if (letter?.fence !== lease || settlement.kind === 'dead' || settlement.kind === 'extend') return false
  tx.delete('dead', at)
  group.row.dead--
  group.changed = true
  if (settlement.kind === 'retry') {
    // Whoever redrives a message that expired wants it delivered.
    const message = { ...letter.message, expires: undefined }
    if (message.named !== undefined && isFree(tx.get<IdRow>('ids', message.id))) {
      tx.put('ids', message.id, { seq, key: message.key } satisfies IdRow)
    }
    group.redrive(seq, message, settlement.delayMs)
  }
  return true
}

/** Whether no message has an id, even if it is still known. */
function isFree(row: IdRow | undefined): boolean {
  return row === undefined || 'until' in row
}
