import type { AppendResult, NewMessage } from '../storage.ts'
import { dropBody, isLong, putBody } from './bodies.ts'
import { drop, putInstead } from './cancel.ts'
import { type Found, type InLog, find, findMade, isAhead, isPending } from './find.ts'
import { allGroups } from './group.ts'
import { baseOf, makeId } from './ids.ts'
import { handOverNow } from './joining.ts'
import { Lane, openLane } from './lanes/lane.ts'
import { laneKey } from './lanes/names.ts'
import { nameIn, replace } from './moves.ts'
import { type Place, locate, messageIn } from './places.ts'
import { knownUntil, putId, putOlder } from './id-rows.ts'
import { forgetKept, lettersOf } from './results.ts'
import type { IdRow, Stored } from './rows.ts'
import { type Draft, makeSegments, messageAt } from './segment.ts'
import { putDelayed, sweepDelayed } from './sweep.ts'
import { hide } from './waiting.ts'
import {
  type Group,
  type Work,
  amend,
  edit,
  isGone,
  isOverdue,
  logMessage,
  noteExpiry,
  putSegment,
} from './work.ts'

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
  let delayed: Map<number | string, Delay> | undefined
  let lanes: Map<string, number[]> | undefined
  let seen: Set<string> | undefined
  let befores: Before[] | undefined
  const ids = work.tx.expect && messages.flatMap(({ id }) => id ?? [])
  if (ids?.length) {
    const keepers = allGroups(work).filter(({ row }) => row.keepers)
    work.tx.expect!(
      ids.flatMap((id) => [['ids', id], ...keepers.map((group) => lettersOf(group, id))] as const),
    )
  }
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    if (message.id !== undefined) {
      seen ??= new Set()
      const met: Meeting = seen.has(message.id) ? DUPLICATE : meet(work, message, message.id)
      seen.add(message.id)
      results[i] = { id: message.id, status: met.status }
      if (met.before === undefined) continue
      befores ??= []
      befores[i] = met.before
    }
    const delayMs = befores?.[i]?.delayMs ?? message.delayMs
    if (delayMs !== undefined && delayMs > 0) {
      const at = work.now + delayMs
      delayed ??= new Map()
      const { lane } = message
      const key = lane === undefined ? at : `${at} ${lane}`
      const some = delayed.get(key)
      if (some === undefined) delayed.set(key, { at, lane, indices: [i] })
      else some.indices.push(i)
    } else if (message.lane === undefined) now.push(i)
    else {
      lanes ??= new Map()
      const some = lanes.get(message.lane)
      if (some === undefined) lanes.set(message.lane, [i])
      else some.push(i)
    }
  }
  if (now.length > 0) {
    // All that is too much to move now stands before them as well. So they wait behind it.
    if (isOverdue(work)) addDelayed(work, messages, { at: work.now, indices: now }, base, results, befores)
    else addToLog(work, messages, now, base, results, befores)
  }
  if (lanes !== undefined) work.tx.expect?.([...lanes.keys()].map((lane) => ['lanes', laneKey(lane)]))
  for (const [lane, indices] of lanes ?? []) {
    if (isOverdue(work)) addDelayed(work, messages, { at: work.now, lane, indices }, base, results, befores)
    else addToLog(openLane(work, lane, true), messages, indices, base, results, befores)
  }
  for (const delay of delayed?.values() ?? []) addDelayed(work, messages, delay, base, results, befores)
  return results
}

interface Delay {
  readonly at: number
  readonly lane?: string | undefined
  readonly indices: number[]
}

function addToLog(
  work: Work,
  messages: readonly NewMessage[],
  indices: readonly number[],
  base: string,
  results: AppendResult[],
  befores: readonly Before[] | undefined,
): void {
  const queue = edit(work)
  if (work instanceof Lane) work.reserve(indices.length)
  const first = queue.tail
  const drafts = indices.map((i, n) => {
    const message = messages[i]!
    const draft = draftOf(work, first + n, message, befores?.[i]?.since)
    if (message.id !== undefined) {
      const { id, key } = message
      putId(work, id, { seq: first + n, key }, draft.named, befores![i])
    } else results[i] = { id: makeId(base, first + n, false), status: 'stored' }
    return draft
  })
  queue.tail += drafts.length
  edit(work.root).sent += drafts.length
  const start = { first, at: work.clock, base, bytes: queue.bytes, lane: work.lane }
  queue.bytes += makeSegments(drafts, start, work.limits, (segment) => putSegment(work, segment))
}

function addDelayed(
  work: Work,
  messages: readonly NewMessage[],
  { at, lane, indices }: Delay,
  base: string,
  results: AppendResult[],
  befores: readonly Before[] | undefined,
): void {
  const queue = edit(work)
  const first = queue.nextDelayed
  const drafts = indices.map((i, n) => {
    // Its number in the log is not known yet, so its id is written down.
    const id = messages[i]!.id ?? makeId(base, first + n, true)
    if (messages[i]!.id === undefined) results[i] = { id, status: 'stored' }
    return { ...draftOf(work, -(first + n), messages[i]!, befores?.[i]?.since), id }
  })
  queue.nextDelayed += drafts.length
  queue.delayed += drafts.length
  queue.sent += drafts.length
  queue.delayedBytes += makeSegments(
    drafts,
    { first, at: work.clock, base, bytes: 0, lane },
    work.limits,
    (segment) => putDelayed(work, at, segment, (i) => befores![indices[segment.first - first + i]!]),
  )
}

/** `at`: where its body goes, if it is long. `since`: when the first was appended of those that it replaces. */
function draftOf(work: Work, at: number | undefined, message: NewMessage, since?: number): Draft {
  const { id, key, headers, expiresInMs, maxAttempts, keepMs } = message
  const body = at === undefined ? message.body : putBody(work, at, message.body)
  // As most are.
  if ((id ?? key ?? headers ?? expiresInMs ?? maxAttempts ?? keepMs ?? since) === undefined) return { body }
  return {
    body,
    id,
    key,
    headers,
    expires: expiresInMs === undefined ? undefined : work.now + expiresInMs,
    maxAttempts,
    named: id === undefined ? undefined : (message.dedupeMs ?? 0),
    ...(keepMs !== undefined && { keepMs }),
    ...(since !== undefined && { since }),
  }
}

/** What was known of the id of a message that is stored. */
interface Before extends Pick<IdRow, 'until'> {
  /** When the first was appended of those that it replaces, and how long it waits, if not as it says. */
  readonly since?: number | undefined
  readonly delayMs?: number | undefined
}

interface Meeting {
  readonly status: AppendResult['status']
  /** The message has to be stored. */
  readonly before?: Before
}

const DUPLICATE: Meeting = { status: 'duplicate' }

/**
 * Decides what becomes of a message whose id may be known.
 *
 * - `stored`: the id is new, or nobody has its message any more, or somebody works on it and the new one goes behind it.
 * - `duplicate`: it is known; nothing is stored.
 * - `replaced`: the message of this id carries the new one now, in its place; or it was dropped, and the new one has to be
 *   stored.
 */
function meet(root: Work, message: NewMessage, id: string): Meeting {
  const known = root.tx.get<IdRow>('ids', id)
  const found = known === undefined ? findMade(root, id) : find(root, id)
  const row = known ?? {}
  const work = found !== undefined && 'seq' in found ? found.work : root
  const places: (Place | undefined)[] = []
  let isThere = found !== undefined
  const groups = allGroups(work)
  if (found !== undefined && !('delayed' in found)) {
    if (message.replace) handOverNow(work, found.seq, found.key)
    for (const group of groups) places.push(locate(group, found.seq, found.key))
    // The last group that had it may have been deleted.
    isThere = groups.length === 0 ? isPending(work, found.seq) : places.some((place) => place !== undefined)
  }
  const store = (status: 'stored' | 'replaced'): Meeting => {
    forgetKept(work, id, row)
    for (const [i, place] of places.entries())
      if (place?.at === 'side' && place.side.parked !== undefined) hide(groups[i]!, place.key, place.side, id)
    // Its id was made, and leads to another one from now on: it is one of those whose rows tell.
    for (const [i, place] of places.entries())
      if (place !== undefined) nameIn(groups[i]!, place, (found as InLog).seq)
    // Who has the old one still keeps what it has promised.
    if (isThere) putOlder(root, id, row)
    return { status, before: { until: isKnown ? until : undefined } }
  }
  const until = isThere ? (row.until ?? 0) : knownUntil(work, row)
  const isKnown = until > work.now
  if (!message.replace) return isThere || isKnown ? DUPLICATE : store('stored')
  if (!isThere) return store('stored')
  const move = (): Meeting => {
    drop(root, id, found!)
    // What it has promised itself went with it.
    return { status: 'replaced', before: { until: row.until, since, delayMs } }
  }
  const { delayMs: wanted = 0, maxDelayMs = Infinity } = message
  const since = sinceOf(groups, found!, places, work)
  const delayMs = Math.min(wanted, Math.max(0, since + maxDelayMs - work.now))
  const isDelayed = delayMs > 0
  if ('delayed' in found!) {
    const { segment, index, delayed } = found
    // The new one brings its own delay, unless the old one would have its place by now.
    const isElsewhere = message.lane !== segment.lane || message.key !== segment.more!.key?.[index]
    if (isDelayed || segment.timer[1] > work.now || isElsewhere) return move()
    const draft = { ...draftOf(work, undefined, message, since), at: work.clock }
    putInstead(work, found, draft)
    putId(work, id, { delayed }, draft.named, row)
    return { status: 'replaced' }
  }
  const { seq, key } = found!
  // Where somebody works on it, or has done so, what comes now is news.
  if (places.some((place) => place === undefined || place.at === 'leased')) return store('stored')
  if (message.key !== key || message.lane !== work.lane || isDelayed) return move()
  const { lane } = work
  const stored: Stored = { ...draftOf(work, undefined, message, since), id, lane, at: work.clock }
  // For those that have not reached it, and for groups to come.
  if (isAhead(work, seq)) {
    const body = putBody(work, seq, stored.body)
    if (!isLong(body)) dropBody(work, seq)
    amend(work, seq, { gone: isGone(work, seq), message: { ...stored, body } })
    noteExpiry(work, seq, stored.expires)
  }
  for (const [i, group] of groups.entries()) replace(group, places[i]!, seq, stored)
  putId(work, id, { seq, key }, stored.named, row)
  return { status: 'replaced' }
}

/** When the first was appended of those that have replaced each other under an id. */
function sinceOf(
  groups: readonly Group[],
  found: Found,
  places: readonly (Place | undefined)[],
  work: Work,
): number {
  let message: Pick<Stored, 'since' | 'at'> | undefined
  if ('delayed' in found) message = messageAt(found.segment, found.index)
  else {
    const index = places.findIndex((place) => place !== undefined)
    message = index < 0 ? logMessage(work, found.seq) : messageIn(groups[index]!, places[index]!, found.seq)
  }
  return message?.since ?? message?.at ?? work.now
}
