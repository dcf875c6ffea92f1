import { type Group, allGroups, partOf } from './group.ts'
import { bury, remove } from './moves.ts'
import { type Place, locate, messageIn } from './places.ts'
import {
  type Delayed,
  type DeliverRow,
  type Expiring,
  type IdRow,
  type ReapRow,
  type Segment,
  type Stored,
  type TimerKey,
  type TimerMark,
  DELIVER,
  REAP,
} from './rows.ts'
import { lastOf, lengthOf, messageAt, sizeOf } from './segment.ts'
import type { Row } from './store.ts'
import { damaged } from './trust.ts'
import {
  type Work,
  addTimer,
  amend,
  edit,
  largeAtOnce,
  logMessage,
  noteExpiry,
  spend,
  under,
} from './work.ts'

/** Timers that are read at once. */
const TIMERS_AT_ONCE = 16

/** The first timers of a kind that are due. */
export function dueTimers<V>(work: Work, kind: number, limit: number): readonly Row<V>[] {
  return work.tx.range<V>('timers', { lower: [kind], upper: [kind, work.now] }, limit)
}

/** Whether delayed messages are due that are not in the log yet. */
export function isOverdue({ queue, now }: Work): boolean {
  return queue.timer !== undefined && queue.timer <= now
}

/** Has messages wait for their place in the log until a time. */
export function putDelayed(work: Work, at: number, segment: Segment): void {
  const last = lastOf(segment)
  const { id, named } = segment.more!
  putDeliver(work, last, { ...segment, timer: addTimer(work, DELIVER, at) })
  for (const [i, dedupeMs] of named?.entries() ?? []) {
    if (dedupeMs !== undefined) work.tx.put('ids', id![i]!, { delayed: last } satisfies IdRow)
  }
}

/** Writes the two rows of delayed messages. */
export function putDeliver({ tx }: Work, last: number, segment: Delayed): void {
  const expires = segment.more?.expires?.filter((at) => at !== undefined)
  tx.put('timers', segment.timer, { last, length: lengthOf(segment), expires } satisfies DeliverRow)
  tx.put('delayed', last, segment)
}

/** Moves delayed messages that are due into the log, about so many. */
export function sweepDelayed(work: Work, most: number): void {
  if (!isOverdue(work)) return
  const { tx } = work
  const enough = work.left - Math.min(most, work.left)
  while (isOverdue(work) && work.left > enough) {
    const some = Math.ceil(Math.min(work.left - enough, largeAtOnce(work, TIMERS_AT_ONCE)))
    const rows = dueTimers<DeliverRow>(work, DELIVER, some)
    tx.expect?.(rows.map(([, { last }]) => ['delayed', last]))
    for (const [key, { last }] of rows) {
      const segment = tx.get<Delayed>('delayed', last)
      if (segment === undefined) throw damaged(work.name)
      tx.delete('timers', key)
      tx.delete('delayed', last)
      moveIntoLog(work, segment, last)
    }
    edit(work).timer = nextTimer(work, DELIVER)
  }
}

/** Buries what has expired, and forgets ids. Only claims do: a message that expires must have a group to be dead in. */
export function sweepExpired(work: Work): void {
  const { queue, now } = work
  if (queue.reaper === undefined || queue.reaper > now) return
  // Half of the step is left to the claim itself.
  const enough = work.limits.stepMessages / 2
  for (const [key, row] of dueTimers<ReapRow>(work, REAP, TIMERS_AT_ONCE)) {
    if (work.left < enough) break
    work.tx.delete('timers', key)
    for (const one of row) {
      spend(work)
      if (typeof one === 'string') forget(work, one)
      else expire(work, partOf(key, 1), one)
    }
  }
  edit(work).reaper = nextTimer(work, REAP)
}

function nextTimer(work: Work, kind: number): number | undefined {
  const [next] = work.tx.range('timers', under(kind), 1)
  return (next?.[0] as TimerKey | undefined)?.[1]
}

/** Delayed messages take their place at the end of the log, under a new number but with the ids they have. */
function moveIntoLog(work: Work, { timer, ...delayed }: Delayed, alias: number): void {
  const { tx } = work
  const queue = edit(work)
  const segment: Segment = { ...delayed, first: queue.tail, bytes: queue.bytes, alias }
  const last = lastOf(segment)
  tx.put('log', last, segment)
  tx.put('ids', alias, last)
  if (queue.since !== undefined) leaveBehind(work, timer, segment.first, last)
  queue.tail = last + 1
  queue.delayed -= lengthOf(segment)
  queue.aliased++
  for (let seq = segment.first; seq <= last; seq++) {
    const message = messageAt(segment, seq - segment.first)
    const size = sizeOf(message)
    queue.bytes += size
    spend(work, size)
    if (message.named !== undefined) tx.put('ids', message.id, { seq, key: message.key } satisfies IdRow)
    noteExpiry(work, seq, message)
  }
}

/** Whether a timer stands before a mark. */
export function isBefore([, at, number]: TimerKey, mark: TimerMark | undefined): boolean {
  return mark !== undefined && (at < mark[0] || (at === mark[0] && number < mark[1]))
}

/** Groups that started at the latest are done with what was overdue by then. Nothing else has come into the log since. */
function leaveBehind(work: Work, timer: TimerKey, first: number, last: number): void {
  const queue = edit(work)
  for (const group of allGroups(work)) {
    if (isBefore(timer, group.row.since) && group.row.cursor === first) group.row.cursor = last + 1
    else if (group.row.since !== undefined && !isBefore(timer, queue.since)) group.row.since = undefined
    else continue
    group.changed = true
  }
  if (!isBefore(timer, queue.since)) queue.since = undefined
}

/**
 * Makes what has expired a dead letter of every group that has it waiting. A message under a lease is left alone: its
 * consumer may yet finish it, and if not, it dies when the lease ends.
 */
function expire(work: Work, at: number, [seq, key]: Expiring): void {
  const waiting = allGroups(work).flatMap((group) => {
    const expired = expiredAt(group, at, seq, key)
    return expired === undefined ? [] : [{ group, ...expired }]
  })
  const message = logMessage(work, seq)
  if (message?.expires === at) amend(work, seq, { gone: true, message })
  for (const { group, place, message } of waiting) {
    const side = place.at === 'side' ? place.side : undefined
    remove(group, place, seq)
    bury(group, seq, message, side?.attempt ?? 0, 'expired', side?.error)
  }
}

/** Where a message waits in a group, if it does and expired at this time: it may have been replaced by another since. */
export function expiredAt(
  group: Group,
  at: number,
  seq: number,
  key: string | undefined,
): { readonly place: Place; readonly message: Stored } | undefined {
  const place = locate(group, seq, key)
  if (place === undefined || place.at === 'leased') return undefined
  const message = messageIn(group, place, seq)
  return message?.expires === at ? { place, message } : undefined
}

function forget(work: Work, id: string): void {
  const row = work.tx.get<IdRow>('ids', id)
  if (row !== undefined && 'until' in row && row.until <= work.now) work.tx.delete('ids', id)
}
