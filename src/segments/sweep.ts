import { damaged } from '../errors.ts'
import type { Body } from '../storage.ts'
import { dropBody, dropOwned, expectBodies, isLong, putBody } from './bodies.ts'
import { endId, putId, withoutLast } from './id-rows.ts'
import { allGroups, lowestFloor, partOf } from './group.ts'
import { join } from './joining.ts'
import { lift } from './lanes/holds.ts'
import { Lane, flowOf, openLane, workAt } from './lanes/lane.ts'
import { bury, letKeyGo, remove } from './moves.ts'
import { locate, messageIn } from './places.ts'
import {
  type DeadRow,
  type Delayed,
  type DeliverRow,
  type IdRow,
  type KeptRow,
  type Blocked,
  type LongBody,
  type Segment,
  type TimerKey,
  type TimerMark,
  DELIVER,
  EXPIRE,
  EXPIRES,
  FADES,
  FORGET,
  KEPT,
  LIFT,
} from './rows.ts'
import { countLetter, letGo } from './results.ts'
import { lastOf, lengthOf, messageAt, sizeOf } from './segment.ts'
import type { Key, Read, Row, Table } from './store.ts'
import { sideKey } from './waiting.ts'
import {
  type Group,
  type Work,
  addTimer,
  amend,
  amendmentsOf,
  costOf,
  edit,
  isOverdue,
  putSegment,
  segmentAt,
  spend,
  under,
} from './work.ts'

/** The lane in the key of what expires outside the log. */
export function laneIn(key: Key): string | undefined {
  return (key as readonly string[])[4]
}

/** Timers that are read at once. */
const TIMERS_AT_ONCE = 64

/** The first timers of a kind that are due. */
export function dueTimers<V>(work: Work, kind: number, limit: number): readonly Row<V>[] {
  return work.tx.range<V>('timers', { lower: [kind], upper: [kind, work.now] }, limit)
}

/** Has messages wait for their place in the log until a time. */
export function putDelayed(
  work: Work,
  at: number,
  segment: Segment,
  beforeOf: (index: number) => Pick<IdRow, 'until'> | undefined,
): void {
  const last = lastOf(segment)
  const { id, named } = segment.more!
  if (segment.lane !== undefined) edit(work).lanes++
  putDeliver(work, last, { ...segment, timer: addTimer(work, DELIVER, at) })
  for (const [i, dedupeMs] of named?.entries() ?? []) {
    if (dedupeMs !== undefined) putId(work, id![i]!, { delayed: last }, dedupeMs, beforeOf(i))
  }
}

/** Writes the two rows of delayed messages. */
export function putDeliver({ tx }: Work, last: number, segment: Delayed): void {
  const length = lengthOf(segment)
  const expires = segment.more?.expires?.filter((at) => at !== undefined)
  let bytes = 0
  for (let i = 0; i < length; i++) bytes += sizeOf(messageAt(segment, i))
  const { lane } = segment
  tx.put('timers', segment.timer, { last, length, bytes, expires, lane } satisfies DeliverRow)
  tx.put('delayed', last, segment)
}

/** Moves delayed messages that are due into the log, about so many. */
export function sweepDelayed(work: Work, most: number): void {
  if (!isOverdue(work)) return
  const { tx, queue } = work
  // Two reads, whatever they are: a store that has to wait for its rows waits twice.
  const enough = Math.max(0, work.moves - most)
  const rows = dueTimers<DeliverRow>(work, DELIVER, Math.ceil(work.moves - enough) + 1)
  let some = 0
  while (some < rows.length && work.moves > enough) {
    const { length, bytes } = rows[some++]![1]
    work.moves -= length + costOf(bytes) - 1
  }
  const moved = rows.slice(0, some)
  tx.expect?.(moved.map(([, { last }]) => ['delayed', last]))
  if (queue.longBodies && tx.expect !== undefined)
    expectBodies(
      work,
      moved.flatMap(([, { last }]) => tx.get<Delayed>('delayed', last)?.bodies ?? []),
    )
  for (const [key, { last }] of moved) {
    const segment = tx.get<Delayed>('delayed', last)
    if (segment === undefined) throw damaged(work.name)
    tx.delete('timers', key)
    tx.delete('delayed', last)
    moveIntoLog(work, segment, last)
  }
  const next = rows[some]?.[0] as TimerKey | undefined
  edit(work).timer = next === undefined ? nextTimer(work, DELIVER) : next[1]
}

/**
 * Buries what has expired, deletes dead letters and forgets ids that have had their time. Only claims do: a message that
 * expires must have a group to be dead in. Answers whether it got to the end.
 */
export function sweepReaped(work: Work): boolean {
  const { queue, now, tx } = work
  if (queue.reaper === undefined || queue.reaper > now) return true
  let isDone = true
  const groups = allGroups(work)
  // Half of the step is left to the claim itself.
  const enough = work.limits.stepMessages / 2
  const take = <V>(
    table: Table,
    prefix: (string | number)[],
    reads: (key: Key, value: V) => readonly Read[],
    each: (key: Key, value: V) => void,
    mayGo: (key: Key) => boolean = () => true,
  ): number | undefined => {
    for (;;) {
      const rows = tx.range<V>(table, under(...prefix), TIMERS_AT_ONCE)
      const due = rows.filter(([key]) => partOf(key, prefix.length) <= now)
      tx.expect?.(due.flatMap(([key, value]) => reads(key, value)))
      for (const [key, value] of rows) {
        const at = partOf(key, prefix.length)
        if (at > now) return at
        if (work.left < enough || !mayGo(key)) {
          isDone = false
          return at
        }
        tx.delete(table, key)
        spend(work)
        each(key, value)
      }
      if (rows.length < TIMERS_AT_ONCE) return undefined
    }
  }
  const firsts = [
    take(
      'timers',
      [LIFT],
      () => [],
      (key) => lift(work, key),
    ),
    take(
      'timers',
      [EXPIRE],
      (key) => [['log', { lower: partOf(key, 2) }, 1]],
      (key) => expireInLog(work, partOf(key, 1), partOf(key, 2)),
    ),
    take<string[]>(
      'timers',
      [FORGET],
      (_, ids) => ids.map((id) => ['ids', id]),
      (_, ids) => ids.forEach((id) => forget(work, id)),
    ),
    take<KeptRow>(
      'timers',
      [KEPT],
      (_, [group, ...outcomes]) =>
        outcomes.map((one) => (typeof one === 'string' ? ['ids', one] : ['results', [group, one]])),
      (_, [group, ...outcomes]) => {
        for (let i = 0; i < outcomes.length; i += 2)
          letGo(work, group, outcomes[i] as number, outcomes[i + 1] as string)
      },
    ),
  ]
  for (const group of groups) {
    const { row, name } = group
    // What a group takes over stays until it has it all.
    if (row.joining === undefined && row.expires !== undefined && row.expires <= now) {
      row.expires = take<string | 0>(
        'due',
        [name, EXPIRES],
        (key, ordering) =>
          laneIn(key) !== undefined ? [] : [['side', sideKey(group, partOf(key, 3), ordering || undefined)]],
        (key, ordering) =>
          expireOutside(flowOf(group, laneIn(key)), partOf(key, 2), partOf(key, 3), ordering || undefined),
        (key) => hasAll(flowOf(group, laneIn(key))),
      )
      group.changed = true
    }
    if (row.fades !== undefined && row.fades <= now) {
      row.fades = take(
        'due',
        [name, FADES],
        (key) => [['dead', [name, partOf(key, 3)]]],
        (key) => fade(group, partOf(key, 2), partOf(key, 3)),
      )
      group.changed = true
    }
    firsts.push(row.expires, row.fades)
  }
  const first = Math.min(...firsts.map((at) => at ?? Infinity))
  edit(work).reaper = first === Infinity ? undefined : first
  return isDone
}

function nextTimer(work: Work, kind: number): number | undefined {
  const [next] = work.tx.range('timers', under(kind), 1)
  return (next?.[0] as TimerKey | undefined)?.[1]
}

/** Delayed messages take their place at the end of the log, under a new number but with the ids they have. */
function moveIntoLog(root: Work, { timer, ...delayed }: Delayed, alias: number): void {
  const { lane } = delayed
  const whole = edit(root)
  const work = lane === undefined ? root : openLane(root, lane, true)
  if (work instanceof Lane) {
    whole.lanes--
    work.reserve(lengthOf(delayed))
  }
  const queue = edit(work)
  const { tail: first, bytes } = queue
  const segment: Segment = { ...delayed, first, bytes, alias, bodies: takeBodies(work, delayed, first) }
  const last = lastOf(segment)
  putSegment(work, segment)
  if (whole.since !== undefined) leaveBehind(work, timer, segment.first, last)
  // Those for whom they came may have been deleted since.
  const isOver = whole.groups > 0 && allGroups(work).every(({ row }) => row.cursor > last)
  queue.tail = last + 1
  whole.delayed -= lengthOf(segment)
  for (let seq = segment.first; seq <= last; seq++) {
    const message = messageAt(segment, seq - segment.first)
    const size = sizeOf(message)
    queue.bytes += size
    whole.delayedBytes -= size
    if (message.named === undefined) continue
    const { id, key, named } = message
    const row = work.tx.get<IdRow>('ids', id)
    if (row?.delayed !== alias) continue
    if (isOver) endId(work, id, withoutLast(row), named)
    else putId(work, id, { seq, key }, named, row)
  }
}

/** The bodies of delayed messages, in their place in the log. */
function takeBodies(work: Work, { bodies }: Delayed | Segment, first: number): Segment['bodies'] {
  const take = (body: Body | LongBody, i: number): Body | LongBody => {
    if (!isLong(body)) return body
    const taken = putBody(work, first + i, body)
    dropBody(work, body.at)
    return taken
  }
  return Array.isArray(bodies)
    ? (bodies as (Body | LongBody)[]).map(take)
    : take(bodies as Body | LongBody, 0)
}

/** Whether a timer stands before a mark. */
export function isBefore([, at, number]: TimerKey, mark: TimerMark | undefined): boolean {
  return mark !== undefined && (at < mark[0] || (at === mark[0] && number < mark[1]))
}

/** Groups that started at the latest are done with what was overdue by then. Nothing else has come into the log since. */
function leaveBehind(work: Work, timer: TimerKey, first: number, last: number): void {
  const queue = edit(work.root)
  for (const group of allGroups(work)) {
    const { whole } = group
    if (isBefore(timer, whole.row.since) && group.row.cursor === first) group.row.cursor = last + 1
    else if (whole.row.since !== undefined && !isBefore(timer, queue.since)) whole.row.since = undefined
    else continue
    group.changed = whole.changed = true
  }
  if (!isBefore(timer, queue.since)) queue.since = undefined
}

/** Makes what has expired in the log a dead letter of every group that has it ahead. What is leased is left alone. */
function expireInLog(root: Work, at: number, some: number): void {
  const work = workAt(root, some) ?? root
  // What all have finished may lie in its segment still. Nothing would ever delete, or find, an amendment of it.
  const floor = lowestFloor(work)
  for (const [seq, message] of expiredInLog(work, at, some)) {
    if (seq < floor) continue
    spend(work, sizeOf(message))
    amend(work, seq, { gone: true, message })
    for (const group of allGroups(work)) {
      if (seq < group.row.cursor) continue
      group.row.skipped++
      bury(group, seq, message, 0, 'expired')
    }
  }
}

/** The messages that a row says expire at a time, unless they are gone: those of a whole segment, or one that was amended. */
export function* expiredInLog(root: Work, at: number, row: number): Iterable<Blocked> {
  const work = workAt(root, row) ?? root
  const segment = segmentAt(work, row)
  if (segment === undefined) return
  const { first } = segment
  const last = lastOf(segment)
  // A look at 64 messages takes about as long as to bury one.
  work.left -= lengthOf(segment) / 64
  const amendments = amendmentsOf(work, first, last)
  for (let seq = row === last ? first : row; seq <= row; seq++) {
    const amendment = amendments?.get(seq)
    // Others that were amended have rows of their own.
    if (amendment !== undefined && (amendment.gone || seq !== row)) continue
    if (amendment === undefined && segment.more?.expires?.[seq - first] !== at) continue
    const message = amendment?.message ?? messageAt(segment, seq - first)
    if (message.expires === at) yield [seq, message]
  }
}

/** Whether what a group takes over in a lane is there. What dies before might be taken over once more. */
function hasAll(flow: Group | undefined): boolean {
  if (flow !== undefined) join(flow)
  return flow?.row.joining === undefined
}

/**
 * Makes a message outside the log that has expired a dead letter, if it waits. Under a lease it is left alone: its consumer
 * may yet finish it, and if not, it dies when the lease ends.
 */
function expireOutside(group: Group | undefined, at: number, seq: number, key: string | undefined): void {
  if (group === undefined) return
  const place = locate(group, seq, key)
  if (place?.at !== 'side' && place?.at !== 'chain') return
  const message = messageIn(group, place, seq)!
  if (message.expires !== at) return
  spend(group.work, sizeOf(message))
  const side = place.at === 'side' ? place.side : undefined
  remove(group, place, seq)
  bury(group, seq, message, side?.attempt ?? 0, 'expired', side?.error)
}

function fade(group: Group, until: number, seq: number): void {
  const { work, name, row } = group
  const letter = work.tx.get<DeadRow>('dead', [name, seq])
  if (letter?.until !== until) return
  work.tx.delete('dead', [name, seq])
  dropOwned(group, seq)
  letKeyGo(group, seq, letter.message)
  countLetter(group, seq, letter.message, -1)
  row.dead--
}

function forget(work: Work, id: string): void {
  spend(work)
  const row = work.tx.get<IdRow>('ids', id)
  if (row?.until === undefined || row.until > work.now) return
  const { seq, delayed, kept } = row
  if ((seq ?? delayed ?? kept) === undefined) work.tx.delete('ids', id)
}
