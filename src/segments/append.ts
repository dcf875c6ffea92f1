import type { AppendResult, NewMessage } from '../storage.ts'
import { drop } from './cancel.ts'
import { find, findMade, isPending } from './find.ts'
import { allGroups } from './group.ts'
import { baseOf, makeId } from './ids.ts'
import { replace } from './moves.ts'
import { type Place, locate } from './places.ts'
import type { IdRow, Stored } from './rows.ts'
import { type Draft, lastOf, makeSegments } from './segment.ts'
import { isOverdue, putDelayed, sweepDelayed } from './sweep.ts'
import { type Work, amend, edit, isGone, noteExpiry, segmentAt } from './work.ts'

/** Delayed messages that are due and that one append moves, for the sake of queues that nobody consumes yet. */
const MOVES = 64

/** Stores messages: those to deliver now at the end of the log, the others among the delayed. */
export function append(work: Work, messages: readonly NewMessage[], batchId: string): AppendResult[] {
  // What was due before these messages came stands before them.
  sweepDelayed(work, MOVES)
  const base = baseOf(batchId)
  const results: AppendResult[] = []
  const now: number[] = []
  // Most batches have no use for these.
  let delayed: Map<number, number[]> | undefined
  let met: Set<string> | undefined
  const named = messages.filter(({ id }) => id !== undefined)
  if (named.length > 0) work.tx.expect?.(named.map(({ id }) => ['ids', id!]))
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    if (message.id !== undefined) {
      met ??= new Set()
      const outcome = met.has(message.id) ? 'duplicate' : meet(work, message, message.id)
      met.add(message.id)
      results[i] = { id: message.id, status: outcome === 'moved' ? 'replaced' : outcome }
      if (outcome === 'duplicate' || outcome === 'replaced') continue
    }
    if (message.delayMs !== undefined && message.delayMs > 0) {
      const at = work.now + message.delayMs
      delayed ??= new Map()
      const some = delayed.get(at)
      if (some === undefined) delayed.set(at, [i])
      else some.push(i)
    } else now.push(i)
  }
  if (now.length > 0) {
    // All that is too much to move now stands before them as well. So they wait behind it.
    if (isOverdue(work)) addDelayed(work, messages, work.now, now, base, results)
    else addToLog(work, messages, now, base, results)
  }
  for (const [at, indices] of delayed ?? []) addDelayed(work, messages, at, indices, base, results)
  return results
}

function addToLog(
  work: Work,
  messages: readonly NewMessage[],
  indices: readonly number[],
  base: string,
  results: AppendResult[],
): void {
  const { tx } = work
  const queue = edit(work)
  const first = queue.tail
  const drafts = indices.map((i, n) => {
    const message = messages[i]!
    const draft = draftOf(work, message)
    if (message.id !== undefined) {
      tx.put('ids', message.id, { seq: first + n, key: message.key } satisfies IdRow)
    } else results[i] = { id: makeId(base, first + n, false), status: 'stored' }
    noteExpiry(work, first + n, draft)
    return draft
  })
  queue.tail += drafts.length
  queue.sent += drafts.length
  const start = { first, at: work.clock, base, bytes: queue.bytes }
  queue.bytes += makeSegments(drafts, start, work.limits, (segment) =>
    tx.put('log', lastOf(segment), segment),
  )
}

function addDelayed(
  work: Work,
  messages: readonly NewMessage[],
  at: number,
  indices: readonly number[],
  base: string,
  results: AppendResult[],
): void {
  const queue = edit(work)
  const first = queue.nextDelayed
  const drafts = indices.map((i, n) => {
    // Its number in the log is not known yet, so its id is written down.
    const id = messages[i]!.id ?? makeId(base, first + n, true)
    if (messages[i]!.id === undefined) results[i] = { id, status: 'stored' }
    return { ...draftOf(work, messages[i]!), id }
  })
  queue.nextDelayed += drafts.length
  queue.delayed += drafts.length
  queue.sent += drafts.length
  makeSegments(drafts, { first, at: work.clock, base, bytes: 0 }, work.limits, (segment) => {
    putDelayed(work, at, segment)
  })
}

function draftOf(work: Work, message: NewMessage): Draft {
  const { body, id, key, headers, expiresInMs, maxAttempts } = message
  return {
    body,
    id,
    key,
    headers,
    expires: expiresInMs === undefined ? undefined : work.now + expiresInMs,
    maxAttempts,
    named: id === undefined ? undefined : (message.dedupeMs ?? 0),
  }
}

/**
 * Decides what becomes of a message whose id may be known.
 *
 * - `stored`: the id is new, or nobody has its message any more, or somebody works on it and the new one goes behind it.
 * - `duplicate`: it is known; nothing is stored.
 * - `replaced`: the message of this id carries the new one now, in its place.
 * - `moved`: the message of this id was dropped, and the new one has to be stored.
 */
function meet(work: Work, message: NewMessage, id: string): 'stored' | 'duplicate' | 'replaced' | 'moved' {
  const row = work.tx.get<IdRow>('ids', id)
  if (row !== undefined && 'until' in row)
    return row.until > work.now && !message.replace ? 'duplicate' : 'stored'
  const found = row === undefined ? findMade(work, id) : find(work, id)
  if (found === undefined) return 'stored'
  if ('delayed' in found) {
    if (!message.replace) return 'duplicate'
    // The new one brings its own delay.
    drop(work, id, found)
    return 'moved'
  }
  const { seq, key } = found
  const groups = allGroups(work)
  const places: (Place | undefined)[] = []
  for (const group of groups) places.push(locate(group, seq, key))
  // The last group that had it may have been deleted.
  const retained = groups.length === 0 ? isPending(work, seq) : places.some((place) => place !== undefined)
  if (!retained) return 'stored'
  if (!message.replace) return 'duplicate'
  // Where somebody works on it, or has done so, what comes now is news.
  if (places.some((place) => place === undefined || place.at === 'leased')) return 'stored'
  if (message.key !== key || (message.delayMs !== undefined && message.delayMs > 0)) {
    drop(work, id, found)
    return 'moved'
  }
  const stored: Stored = { ...draftOf(work, message), id, at: work.clock }
  noteExpiry(work, seq, stored)
  // For those that have not reached it, and for groups to come.
  if (segmentAt(work, seq) !== undefined) amend(work, seq, { gone: isGone(work, seq), message: stored })
  for (const [i, group] of groups.entries()) replace(group, places[i]!, seq, stored)
  work.tx.put('ids', id, { seq, key } satisfies IdRow)
  return 'replaced'
}
