import type { Hold } from '../lanes.ts'
import type { GroupStats, StorageStats } from '../storage.ts'
import { allGroups, firstSegment, floorOf, partOf } from './group.ts'
import { listHolds } from './lanes/holds.ts'
import { Lane, flowOf, openLane, workAt } from './lanes/lane.ts'
import { laneOf } from './lanes/names.ts'
import { locate, sideMessage } from './places.ts'
import {
  type DeliverRow,
  type SideRow,
  type TimerKey,
  DELIVER,
  ENDS,
  EXPIRE,
  EXPIRES,
  FADES,
  WAITS,
} from './rows.ts'
import { expiredInLog, isBefore, laneIn } from './sweep.ts'
import { type Key, type Row, compareKeys } from './store.ts'
import { type Group, type Work, ALL, segmentAt, under } from './work.ts'

type Counts = { -readonly [K in keyof GroupStats]: GroupStats[K] }

/** Numbers, some of which may not take into account yet what is due and was not worked off. */
export interface Tally {
  readonly counts: Map<string, Counts>
  /** Messages that wait for the first group. */
  unclaimed: number
  bytes: number
  oldestMs: number | undefined
  readonly holds: Hold[]
  readonly sent: number
  /** What is looked at next: the delayed, what expires in the log, or in a group, in this order; and from where on. */
  place: number
  from: Key | undefined
  isComplete: boolean
}

/** One to go on from, which leaves the other as it is. */
export function copyOf(sum: Tally): Tally {
  return { ...sum, counts: new Map(Array.from(sum.counts, ([name, counts]) => [name, { ...counts }])) }
}

/** Counts from the state rows. Writes nothing. */
export function tally(work: Work): Tally {
  const { queue } = work
  const first = firstSegment(work)
  const counts = new Map<string, Counts>()
  for (const group of allGroups(work)) counts.set(group.name, countsOf(work, group, queue.delayed))
  return {
    counts,
    unclaimed: queue.tail - (first?.first ?? queue.tail) + queue.delayed - queue.gone,
    bytes: queue.delayedBytes + (first === undefined ? 0 : queue.bytes - first.bytes),
    oldestMs: eldest(
      [...counts.values()].map(({ oldestMs }) => oldestMs),
      first && ageOf(work, first.at),
    ),
    sent: queue.sent,
    holds: listHolds(work),
    place: 0,
    from: undefined,
    isComplete: false,
  }
}

/** What the queue retains, as exactly as one step can say. */
export function retained(work: Work): { readonly messages: number; readonly bytes: number } {
  const { intoLanes, inLanes, laneBytes } = work.queue
  const { counts, unclaimed, bytes } = addDue(work, tally(work), true)
  const left = allGroups(work).map(({ name, row }) => leftIn(counts.get(name)!) + intoLanes - row.passed)
  return { messages: Math.max(...(left.length > 0 ? left : [unclaimed + inLanes])), bytes: bytes + laneBytes }
}

/** What a group has to do. */
function leftIn({ ready, leased, delayed, blocked, parked }: Counts): number {
  return ready + leased + delayed + blocked + parked
}

/**
 * Takes into account what a claim would change before it looks for messages: some of it, so that no step takes long. To be
 * called until all is.
 *
 * @param skipsLanes What lanes have is known.
 */
export function addDue(work: Work, sum: Tally, skipsLanes: boolean = false): Tally {
  const { now, tx, limits } = work
  const groups = allGroups(work)
  for (let left = limits.stepMessages; ;) {
    const group = groups[sum.place - 2]
    if (sum.place > 1 && group === undefined) {
      if (work.queue.lanes > 0 && !skipsLanes) return addLanes(sum, work)
      sum.isComplete = true
      return sum
    }
    const table = group === undefined ? 'timers' : 'due'
    const prefix = group === undefined ? [sum.place === 0 ? DELIVER : EXPIRE] : [group.name, EXPIRES]
    const range = { lower: sum.from ?? prefix, upper: [...prefix, now] }
    const { from } = sum
    // The bound is inclusive, and its row may be there or not.
    const rows = tx
      .range<unknown>(table, range, left + 1)
      .filter(([key]) => from === undefined || compareKeys(key, from) > 0)
    for (const row of rows) {
      if (group !== undefined) addExpiredOutside(sum, group, row as Row<string | 0>)
      else if (sum.place === 0) addDelayed(sum, work, row as Row<DeliverRow>)
      else addExpired(sum, work, row[0])
    }
    left -= rows.length
    if (left <= 0) {
      sum.from = rows.at(-1)![0]
      return sum
    }
    sum.from = undefined
    sum.place++
  }
}

/** Adds what some lanes have. */
function addLanes(sum: Tally, work: Work): Tally {
  const some = Math.min(ALL, work.limits.stepMessages)
  const lower = (sum.from as string | undefined) ?? ''
  const rows = work.tx.range('lanes', { lower }, some)
  for (const [key] of rows) {
    const lane = openLane(work, laneOf(key as string))!
    const { queue, groups } = lane
    const first = firstSegment(lane)
    sum.unclaimed += lane.ahead(0) - queue.gone
    sum.bytes += first === undefined ? 0 : queue.bytes - first.bytes
    sum.oldestMs = eldest([sum.oldestMs], first && ageOf(work, first.at))
    for (const flow of groups) {
      const count = sum.counts.get(flow.name)
      if (count === undefined) continue
      const own = countsOf(lane, flow, 0)
      for (const state of ['ready', 'leased', 'delayed', 'blocked', 'parked'] as const)
        count[state] += own[state]
      count.oldestMs = eldest([count.oldestMs], own.oldestMs)
      sum.oldestMs = eldest([sum.oldestMs], own.oldestMs)
    }
  }
  sum.from = rows.length < some ? undefined : `${rows.at(-1)![0] as string}\0`
  sum.isComplete = rows.length < some
  return sum
}

/** The numbers that were counted. */
export function statsOf({ counts, unclaimed, bytes, oldestMs, sent, holds }: Tally): StorageStats {
  const groups: Record<string, Counts> = Object.create(null)
  let messages = counts.size === 0 ? unclaimed : 0
  for (const [name, count] of counts) {
    // Between two steps others may have worked.
    for (const state of ['ready', 'delayed', 'blocked', 'parked'] as const)
      count[state] = Math.max(0, count[state])
    // What the log has may be cancelled, or have expired.
    if (leftIn(count) === 0) count.oldestMs = undefined
    groups[name] = count
    messages = Math.max(messages, leftIn(count))
  }
  return { groups: { ...groups }, messages, bytes, oldestMs, sent, holds }
}

/** The largest of some ages. */
function eldest(ages: readonly (number | undefined)[], age: number | undefined): number | undefined {
  const known = [...ages, age].filter((one) => one !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function ageOf(work: Work, at: number): number {
  return Math.max(0, work.clock - at)
}

function countsOf(work: Work, group: Group, delayed: number): Counts {
  const { row, name } = group
  const endedHeld = (row.heldUntil ?? Infinity) <= work.now ? countEnded(group) : 0
  let leased = row.held - endedHeld
  let ended = endedHeld
  for (const { first, last, until } of row.leases) {
    if (until > work.now) leased += last - first + 1
    else ended += last - first + 1
  }
  const due = dueOf(work, name, WAITS, row.due)
  return {
    ready:
      (work instanceof Lane ? work.ahead(row.cursor) : work.queue.tail - row.cursor) -
      row.skipped +
      ended +
      due,
    leased,
    delayed: delayed + row.waiting - due,
    blocked: row.blocked,
    parked: row.parked ?? 0,
    dead: row.dead - dueOf(work, name, FADES, row.fades),
    oldestMs: oldest(work, group),
    acked: row.acked,
    failed: row.failed,
  }
}

function countEnded({ row, name, work }: Group): number {
  return work.tx.count('due', { lower: [name, ENDS], upper: [name, ENDS, row.epoch, work.now] })
}

/** How many rows of a kind are due in a group, the first of which is at a time. */
function dueOf({ tx, now }: Work, name: string, kind: number, first: number = Infinity): number {
  return first > now ? 0 : tx.count('due', { lower: [name, kind], upper: [name, kind, now] })
}

function oldest(work: Work, group: Group): number | undefined {
  const floor = floorOf(group)
  const segment = floor < work.queue.tail ? segmentAt(work, floor) : undefined
  let at = segment?.at
  const [side] = work.tx.range<SideRow>('side', under(group.name), 1)
  if (side !== undefined) {
    const key = (side[0] as readonly (string | number)[])[1]
    const message = sideMessage(group, side[1], typeof key === 'string' ? key : undefined)
    if (message !== undefined && (at === undefined || message.at < at)) at = message.at
  }
  return at === undefined ? undefined : ageOf(work, at)
}

/** Messages that were delayed are ready, or have expired. */
function addDelayed(sum: Tally, work: Work, [timer, { length, expires }]: Row<DeliverRow>): void {
  const dead = expires?.filter((at) => at <= work.now).length ?? 0
  sum.unclaimed -= dead
  for (const group of allGroups(work)) {
    const count = sum.counts.get(group.name)
    if (count === undefined) continue
    count.delayed -= length
    if (!isBefore(timer as TimerKey, group.row.since)) count.ready += length - dead
  }
}

function addExpired(sum: Tally, work: Work, row: Key): void {
  const lane = workAt(work, partOf(row, 2)) ?? work
  for (const [seq] of expiredInLog(work, partOf(row, 1), partOf(row, 2))) {
    sum.unclaimed--
    for (const { name, row } of allGroups(lane)) {
      const count = sum.counts.get(name)
      if (count !== undefined && seq >= row.cursor) count.ready--
    }
  }
}

function addExpiredOutside(sum: Tally, group: Group, [key, ordering]: Row<string | 0>): void {
  const count = sum.counts.get(group.name)
  const flow = flowOf(group, laneIn(key))
  const place = flow && locate(flow, partOf(key, 3), ordering || undefined)
  if (count === undefined || place === undefined) return
  if (place.at === 'chain') count.blocked--
  else if (place.at === 'side' && place.side.parked !== undefined) count.parked--
  else if (place.at === 'side') count[place.side.at > group.work.now ? 'delayed' : 'ready']--
}
