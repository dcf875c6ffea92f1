import { type ClaimRequest, type ClaimResult, type Delivery, MAX_ANSWER_BYTES } from '../../src/storage.ts'
import { Change, type Work } from './change.ts'
import type { Segment } from './entries.ts'
import { SEGMENT, digitsOf, formatReceipt, timeOf } from './keys.ts'
import type { Group, Stock } from './ledger.ts'
import { makeGroups } from './groups.ts'
import { deadRow, isKnown, readRows, settle } from './settle.ts'

/** What a claim does besides deleting each segment in the end: it lists, reads, makes dead letters, records. */
const MOST_BESIDES = 8

/** What was picked of a segment: indices, and for each how often it was leased before. */
interface Pick {
  readonly segment: Segment
  readonly counts: ReadonlyMap<number, number>
  /** What could be had besides, and was never given to anybody. */
  readonly rest: Set<number>
}

interface Picks {
  readonly picks: readonly Pick[]
  /** Where it is from, if KV need not be told. */
  readonly stock?: Stock | undefined
  /** There is more. */
  readonly left: boolean
}

export async function claim(work: Work, request: ClaimRequest): Promise<ClaimResult> {
  const { kv, ledger, settings } = work
  const { group: name, groups = [], from, leaseMs, limit, settle: settlements } = request
  let now = ledger.now(settings.clock)
  await ledger.load(kv, 'claim', now, false)
  await makeGroups(work, 'claim', [...groups, { name, from }], now)
  const group = ledger.groups.get(name)!
  if (settlements?.some((one) => !isKnown(work, one))) await ledger.load(kv, 'claim', now, true)
  now = ledger.now(settings.clock)
  const change = new Change(work, group, now, leaseMs)
  const extensions: Change[] = []
  const rounds: Change[] = []
  try {
    const settled = settlements && (await settle(change, settlements, extensions))
    const deliveries: Delivery[] = []
    let bytes = 0
    while (deliveries.length < limit) {
      const { picks, stock, left } = pick(change, limit - deliveries.length, leaseMs, bytes)
      if (picks.length === 0) {
        if (left || !(await ledger.more(kv, 'claim', now))) break
        continue
      }
      const round = new Change(work, group, now, leaseMs, stock?.token, stock !== undefined)
      rounds.push(round)
      for (const { segment, counts, rest } of picks) {
        bytes += segment.bytes
        round.lease(
          segment.key,
          [...counts].map(([index, count]) => [index, count + 1]),
        )
        if (stock === undefined && rest.size > 0) round.stockUp(segment.key, rest)
        for (const index of counts.keys()) stock?.indices.delete(index)
      }
      round.tell()
      deliveries.push(...(await open(round, picks, request)))
      round.tell()
    }
    // What was settled goes with the record of what was claimed, or waits for another: who got something comes again.
    await change.commit('claim', deliveries.length > 0)
    for (const one of [...extensions, ...rounds]) await one.commit('claim', true)
    return {
      deliveries,
      ...withNext(nextIn(work, group)),
      ...(settled !== undefined && { settled }),
    }
  } catch (error) {
    for (const one of [change, ...extensions, ...rounds]) one.abandon()
    throw error
  }
}

function withNext(nextInMs: number | undefined): { nextInMs?: number } {
  return nextInMs === undefined ? {} : { nextInMs }
}

/**
 * Picks what may be delivered: whole segments, in the order in which they are due, and only the first in part if it has more
 * than is wanted. The rest of that is leased too, and put in stock for the next claims here: small claims of a large
 * batch cost one record together.
 */
function pick(change: Change, limit: number, leaseMs: number, already: number): Picks {
  const { work, group, now } = change
  const { kv, ledger } = work
  const picks: Pick[] = []
  const end = SEGMENT + digitsOf(now + 1)
  let room = limit
  let bytes = already
  for (const segment of ledger.segments(SEGMENT)) {
    if (segment.key >= end) break
    if (!ledger.belongs(group, segment)) continue
    const { done, leases } = ledger.standing(group, segment)
    if (done.size >= segment.count) {
      if (ledger.isFinished(segment) && kv.left > MOST_BESIDES) {
        kv.reserve(segment.key)
        change.sweep(segment)
      }
      continue
    }
    const counts = new Map<number, number>()
    const rest = new Set<number>()
    let some = 0
    for (let i = 0; i < segment.count; i++) {
      if (done.has(i)) continue
      const lease = leases.get(i)
      if (lease !== undefined && lease.until > now) continue
      some++
      if (counts.size < room) counts.set(i, lease?.count ?? 0)
      // Those that somebody has lost are leased one by one, so that each attempt is counted.
      else if (lease === undefined) rest.add(i)
    }
    if (some === 0) continue
    const isMore = some > counts.size
    // One that is too large for an answer with others has one of its own.
    if (bytes > 0 && (isMore || bytes + segment.bytes > MAX_ANSWER_BYTES)) {
      return { picks, left: true }
    }
    if (kv.left < MOST_BESIDES + picks.length) return { picks, left: true }
    const stock = ledger.stockOf(group, segment.key)
    const isCovered =
      stock !== undefined &&
      stock.until - now >= leaseMs / 2 &&
      [...counts.keys()].every((index) => stock.indices.has(index))
    if (isCovered && picks.length > 0) return { picks, left: true }
    picks.push({ segment, counts, rest })
    if (isCovered) return { picks, stock, left: true }
    room -= counts.size
    bytes += segment.bytes
    if (isMore) return { picks, left: true }
    if (room === 0) break
  }
  return { picks, left: false }
}

/** Reads what was picked: it may not be there any more. What must not be delivered becomes a dead letter. */
async function open(
  change: Change,
  picks: readonly Pick[],
  { leaseMs, maxAttempts: ofGroup, deadForMs }: ClaimRequest,
): Promise<Delivery[]> {
  const { work, group, now, record } = change
  const { ledger, kv } = work
  const segments = picks.map(({ segment }) => segment)
  const missing = await readRows(work, 'claim', segments, true)
  const deliveries: Delivery[] = []
  for (const { segment, counts } of picks) {
    const { key } = segment
    const rows = ledger.rows.get(key)?.rows
    if (missing.has(key) || rows === undefined) {
      change.forget(key)
      ledger.hide(key)
      continue
    }
    ledger.hold(segment, now + leaseMs)
    kv.reserve(key)
    for (const [index, count] of counts) {
      const row = rows[index]!
      const { id, body, headers, timestamp, expires } = row
      const maxAttempts = row.maxAttempts ?? ofGroup
      const attempts = row.attempts + count
      const lastError = count === 0 ? row.error : undefined
      if (count > 0) ledger.count(group.name, 'failed', 1)
      const isExpired = expires !== undefined && expires <= now
      if (isExpired || attempts >= maxAttempts) {
        change.done(key, index)
        const died = { ...row, attempts, error: lastError }
        change.bury(deadRow(change, died, isExpired ? 'expired' : 'exhausted'), deadForMs)
        continue
      }
      const receipt = formatReceipt({ group: record.group, key, index, lease: record.lease })
      deliveries.push({
        receipt,
        id,
        body,
        ...(headers !== undefined && { headers }),
        timestamp,
        attempt: attempts + 1,
        maxAttempts,
        ...(lastError !== undefined && { lastError }),
      })
    }
  }
  return deliveries
}

/** In how many ms something comes. Without operations to spare nothing does, for this adapter. */
function nextIn({ kv, ledger, settings }: Work, group: Group): number | undefined {
  const now = ledger.now(settings.clock)
  if (kv.left < MOST_BESIDES) return undefined
  let next = Infinity
  for (const segment of ledger.segments(SEGMENT)) {
    if (!ledger.belongs(group, segment)) continue
    const { done, leases } = ledger.standing(group, segment)
    if (done.size >= segment.count) continue
    const due = timeOf(segment.key)
    if (due > now) {
      next = Math.min(next, due)
      break
    }
    if (leases.size + done.size < segment.count) return 0
    for (let i = 0; i < segment.count; i++) {
      if (done.has(i)) continue
      const until = leases.get(i)?.until ?? 0
      if (until <= now) return 0
      next = Math.min(next, until)
    }
  }
  if (!ledger.hasAllDue(now)) return 0
  return next === Infinity ? undefined : next - now
}
