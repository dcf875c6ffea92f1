import {
  type Body,
  type GroupStats,
  type ListQuery,
  type ListedMessage,
  MAX_ANSWER_BYTES,
  type MessageState,
  type Page,
  type StorageStats,
} from '../../src/storage.ts'
import type { Work } from './change.ts'
import { type Segment, isForgotten } from './entries.ts'
import { DEAD, NO_LEASE, SEGMENT, formatReceipt, timeOf } from './keys.ts'
import type { Group, Lease, Standing } from './ledger.ts'
import { readRows } from './settle.ts'

/** So many segments are read at once for a page, if they are not too large together. */
const READ_AHEAD = 100

/** How many segments from a place on are to be read at once: one in any case. */
function readAhead(segments: readonly Segment[], at: number): number {
  let count = 0
  for (let bytes = 0; count < READ_AHEAD && at + count < segments.length; count++) {
    bytes += segments[at + count]!.bytes
    if (count > 0 && bytes > MAX_ANSWER_BYTES) break
  }
  return count
}

export async function list(work: Work, query: ListQuery): Promise<Page> {
  const { kv, ledger, settings } = work
  const { states = ['ready', 'leased', 'delayed'], limit, bodies = true } = query
  const now = ledger.now(settings.clock)
  await ledger.load(kv, 'list', now, true)
  const group = ledger.groups.get(query.group)
  const ids = query.ids && new Set(query.ids)
  const messages: ListedMessage[] = []
  let shown = ''
  let bytes = 0
  const segments = [...ledger.segments(SEGMENT), ...ledger.segments(DEAD)].filter((segment) =>
    mayShow(work, group, segment, states, now),
  )
  const [fromKey = '', fromIndex = ''] = query.cursor?.split('.') ?? []
  let at = segments.findIndex(({ key }) => key >= fromKey)
  if (at < 0 || ids?.size === 0) return { messages }
  for (let count; at < segments.length; at += count) {
    count = readAhead(segments, at)
    const ahead = segments.slice(at, at + count)
    const missing = await readRows(work, 'list', ahead, false)
    for (const segment of ahead) {
      const { key } = segment
      const rows = ledger.rows.get(key)?.rows
      if (missing.has(key) || rows === undefined) continue
      const { done, leases } = standingIn(work, group, segment)
      if (leases.size === 0) ledger.rows.delete(key)
      for (const [index, row] of rows.entries()) {
        if (key === fromKey && index <= Number(fromIndex)) continue
        if (done.has(index) || (ids !== undefined && !ids.has(row.id))) continue
        const lease = leases.get(index)
        const [state, nextInMs] = stateOf(segment, lease, now)
        if (!states.includes(state)) continue
        if (state !== 'leased' && state !== 'dead' && row.expires !== undefined && row.expires <= now)
          continue
        if (messages.length === limit || bytes >= MAX_ANSWER_BYTES) {
          return { messages, cursor: shown }
        }
        const attempt = row.attempts + (lease?.count ?? 0)
        const lastError = lease === undefined ? row.error : undefined
        shown = `${key}.${index}`
        // What cannot be read has none.
        if (bodies) bytes += (row.body as Body | null)?.length ?? 0
        messages.push({
          id: row.id,
          state,
          body: bodies ? row.body : '',
          ...(row.headers !== undefined && { headers: row.headers }),
          timestamp: row.timestamp,
          attempt,
          ...(row.maxAttempts !== undefined && { maxAttempts: row.maxAttempts }),
          ...(nextInMs !== undefined && { nextInMs }),
          ...(lastError !== undefined && { lastError }),
          ...(row.reason !== undefined && { reason: row.reason }),
          ...(row.deadAt !== undefined && { deadAt: row.deadAt }),
          ...(state === 'dead' && {
            receipt: formatReceipt({ group: segment.group!, key, index, lease: NO_LEASE }),
          }),
        })
      }
    }
  }
  return { messages }
}

/** A group that does not exist is shown as it would start. */
function standingIn({ ledger }: Work, group: Group | undefined, segment: Segment): Standing {
  return group === undefined
    ? { done: ledger.finishedByAll(segment), leases: new Map() }
    : ledger.standing(group, segment)
}

function mayShow(
  { ledger }: Work,
  group: Group | undefined,
  segment: Segment,
  states: readonly MessageState[],
  now: number,
): boolean {
  if (isForgotten(segment, now)) return false
  const isDead = segment.key.startsWith(DEAD)
  if (isDead ? !states.includes('dead') : states.every((state) => state === 'dead')) return false
  if (group === undefined) return segment.group === undefined
  return ledger.belongs(group, segment) && ledger.standing(group, segment).done.size < segment.count
}

function stateOf({ key }: Segment, lease: Lease | undefined, now: number): [MessageState, number?] {
  if (key.startsWith(DEAD)) return ['dead']
  if (lease !== undefined && lease.until > now) return ['leased', lease.until - now]
  const due = timeOf(key)
  return due > now ? ['delayed', due - now] : ['ready']
}

export async function stats(work: Work): Promise<StorageStats> {
  const { kv, ledger, settings } = work
  const now = ledger.now(settings.clock)
  await ledger.load(kv, 'stats', now, true)
  const segments = [...ledger.segments(SEGMENT)]
  const expired = await expiredIn(work, segments, now)
  const groups = new Map<string, GroupStats>()
  const retained = new Set<Segment>()
  for (const [name, group] of ledger.groups) {
    const numbers = { ready: 0, leased: 0, delayed: 0, blocked: 0, parked: 0, dead: 0, done: 0 }
    let oldest = Infinity
    for (const segment of segments) {
      if (!ledger.belongs(group, segment)) continue
      const { done, leases } = ledger.standing(group, segment)
      let waiting = 0
      for (let i = 0; i < segment.count; i++) {
        if (done.has(i)) continue
        const [state] = stateOf(segment, leases.get(i), now)
        if (state !== 'leased' && expired.get(segment.key)?.has(i)) continue
        numbers[state]++
        waiting++
      }
      if (waiting === 0) continue
      retained.add(segment)
      oldest = Math.min(oldest, segment.oldest)
    }
    for (const segment of ledger.segments(DEAD)) {
      if (ledger.belongs(group, segment) && !isForgotten(segment, now))
        numbers.dead += segment.count - ledger.standing(group, segment).done.size
    }
    const counts = ledger.counts.get(name) ?? { acked: 0, failed: 0 }
    const { done: _done, ...known } = numbers
    groups.set(name, { ...known, ...ageOf(oldest, settings), ...counts })
  }
  let messages = 0
  for (const { ready, leased, delayed } of groups.values())
    messages = Math.max(messages, ready + leased + delayed)
  if (groups.size === 0) {
    for (const segment of segments) {
      const left = segment.count - (expired.get(segment.key)?.size ?? 0)
      messages += left
      if (left > 0) retained.add(segment)
    }
  }
  let bytes = 0
  let oldest = Infinity
  for (const segment of retained) {
    bytes += segment.bytes
    oldest = Math.min(oldest, segment.oldest)
  }
  return {
    groups: Object.fromEntries(groups),
    messages,
    bytes,
    ...ageOf(oldest, settings),
    sent: ledger.sent,
    holds: [],
  }
}

function ageOf(oldest: number, { clock }: Work['settings']): { oldestMs?: number } {
  return oldest === Infinity ? {} : { oldestMs: Math.max(0, clock.now() - oldest) }
}

/** The messages that have expired: only segments that have one need be read. */
async function expiredIn(
  work: Work,
  segments: readonly Segment[],
  now: number,
): Promise<Map<string, Set<number>>> {
  const { ledger } = work
  const some = segments.filter(({ expires }) => expires !== undefined && expires <= now)
  const expired = new Map<string, Set<number>>()
  await readRows(work, 'stats', some, false)
  for (const { key } of some) {
    const rows = ledger.rows.get(key)?.rows ?? []
    expired.set(
      key,
      new Set(rows.flatMap(({ expires }, i) => (expires !== undefined && expires <= now ? [i] : []))),
    )
  }
  return expired
}
