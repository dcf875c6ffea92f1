import { type Group, allGroups, partOf } from './group.ts'
import { bury, remove } from './moves.ts'
import { type Place, locate, messageIn } from './places.ts'
import {
  type AliasRow,
  type DeliverRow,
  type Expiring,
  type IdRow,
  type ReapRow,
  type Segment,
  type Stored,
  type TimerKey,
  DELIVER,
  REAP,
} from './rows.ts'
import { lastOf, lengthOf, messageAt, sizeOf } from './segment.ts'
import type { Row } from './store.ts'
import { damaged } from './trust.ts'
import { type Work, amend, edit, logMessage, noteExpiry, under } from './work.ts'

/** Timers that one verb works off. The rest is left to the next, so that none takes long. */
const TIMERS_AT_ONCE = 16

/** The first timers of a kind that are due. */
export function dueTimers<V>(work: Work, kind: number, limit: number): readonly Row<V>[] {
  return work.tx.range<V>('timers', { lower: [kind], upper: [kind, work.now] }, limit)
}

/** Moves delayed messages that are due into the log. */
export function sweepDelayed(work: Work): void {
  const { queue, now } = work
  if (queue.timer === undefined || queue.timer > now) return
  for (const [key, segment] of dueTimers<DeliverRow>(work, DELIVER, TIMERS_AT_ONCE)) {
    work.tx.delete('timers', key)
    if (typeof segment.alias !== 'number') throw damaged(work.name)
    moveIntoLog(work, segment)
  }
  edit(work).timer = nextTimer(work, DELIVER)
}

/** Buries what has expired, and forgets ids. Only claims do: a message that expires must have a group to be dead in. */
export function sweepExpired(work: Work): void {
  const { queue, now } = work
  if (queue.reaper === undefined || queue.reaper > now) return
  for (const [key, row] of dueTimers<ReapRow>(work, REAP, TIMERS_AT_ONCE)) {
    work.tx.delete('timers', key)
    for (const one of row) {
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
function moveIntoLog(work: Work, delayed: Segment): void {
  const { tx } = work
  const queue = edit(work)
  const segment: Segment = { ...delayed, first: queue.tail, bytes: queue.bytes }
  const last = lastOf(segment)
  tx.put('log', last, segment)
  tx.put('ids', segment.alias!, { last } satisfies AliasRow)
  queue.tail = last + 1
  queue.delayed -= lengthOf(segment)
  queue.aliased++
  for (let seq = segment.first; seq <= last; seq++) {
    const message = messageAt(segment, seq - segment.first)
    queue.bytes += sizeOf(message)
    if (message.named !== undefined) tx.put('ids', message.id, { seq, key: message.key } satisfies IdRow)
    noteExpiry(work, seq, message)
  }
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
