import type { GroupStats, StorageStats } from '../storage.ts'
import { type Group, allGroups, firstSegment, floorOf, partOf } from './group.ts'
import { locate, sideMessage } from './places.ts'
import { type DeliverRow, type SideRow, type TimerKey, DELIVER, EXPIRE, EXPIRES, FADES, WAITS } from './rows.ts'
import { dueTimers, expiredInLog, isBefore } from './sweep.ts'
import type { Row } from './store.ts'
import { type Work, amendmentsOf, segmentAt, under } from './work.ts'

/** Due timers of each kind are taken into account up to this many. */
const TIMERS = 4096

/** Timers that are due and that no claim has worked off yet. */
interface Due {
  readonly delayed: readonly Row<DeliverRow>[]
  /** What has expired in the log. */
  readonly expired: ReadonlySet<number>
}

type Counts = { -readonly [K in keyof GroupStats]: GroupStats[K] }

/** Counts from the state rows; looks only at what is due and not worked off. Writes nothing. */
export function stats(work: Work): StorageStats {
  const groups = allGroups(work)
  const { queue } = work
  const first = firstSegment(work)
  const due: Due = {
    delayed: dueTimers<DeliverRow>(work, DELIVER, TIMERS),
    expired: expiredMessages(work),
  }
  const counts: Record<string, Counts> = Object.create(null)
  let messages = 0
  for (const group of groups) {
    const count = countsOf(work, group, queue.delayed)
    counts[group.name] = count
    takeIntoAccount(work, group, count, due)
    messages = Math.max(messages, count.ready + count.leased + count.delayed + count.blocked)
  }
  if (groups.length === 0) messages = unclaimed(work, first?.first ?? queue.tail, due)
  return {
    groups: { ...counts },
    messages,
    bytes: queue.delayedBytes + (first === undefined ? 0 : queue.bytes - first.bytes),
    oldestMs: eldest([...groups.map(({ name }) => counts[name]!.oldestMs), first && ageOf(work, first.at)]),
    sent: queue.sent,
  }
}

/** The largest of some ages. */
function eldest(ages: readonly (number | undefined)[]): number | undefined {
  const known = ages.filter((age) => age !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function ageOf(work: Work, at: number): number {
  return Math.max(0, work.clock - at)
}

function countsOf(work: Work, group: Group, delayed: number): Counts {
  const { row, name } = group
  let leased = 0
  let ended = 0
  for (const { first, last, until } of row.leases) {
    if (until > work.now) leased += last - first + 1
    else ended += last - first + 1
  }
  const due = dueOf(work, name, WAITS, row.due)
  return {
    ready: work.queue.tail - row.cursor - row.skipped + ended + due,
    leased,
    delayed: delayed + row.waiting - due,
    blocked: row.blocked,
    dead: row.dead - dueOf(work, name, FADES, row.fades),
    oldestMs: oldest(work, group),
    acked: row.acked,
    failed: row.failed,
  }
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

/** What a claim would change before it looks for messages. */
function takeIntoAccount(work: Work, group: Group, count: Counts, { delayed, expired }: Due): void {
  for (const [timer, row] of delayed) {
    count.delayed -= row.length
    if (!isBefore(timer as TimerKey, group.row.since)) count.ready += row.length - expiredIn(work, row)
  }
  for (const seq of expired) if (seq >= group.row.cursor) count.ready--
  if ((group.row.expires ?? Infinity) > work.now) return
  const outside = { lower: [group.name, EXPIRES], upper: [group.name, EXPIRES, work.now] }
  for (const [key, ordering] of work.tx.range<string | 0>('due', outside, TIMERS)) {
    const place = locate(group, partOf(key, 3), ordering || undefined)
    if (place?.at === 'chain') count.blocked--
    else if (place?.at === 'side' && place.side.at > work.now) count.delayed--
    else if (place?.at === 'side') count.ready--
  }
}

/** Each message once, also if it was replaced by one that expires at the same time. */
function expiredMessages(work: Work): ReadonlySet<number> {
  const messages = new Set<number>()
  for (const [key] of dueTimers(work, EXPIRE, TIMERS))
    for (const [seq] of expiredInLog(work, partOf(key, 1), partOf(key, 2))) messages.add(seq)
  return messages
}

function expiredIn({ now }: Work, { expires }: DeliverRow): number {
  return expires?.filter((at) => at <= now).length ?? 0
}

/** Messages that wait for the first group. */
function unclaimed(work: Work, first: number, { delayed, expired }: Due): number {
  let count = work.queue.tail - first + work.queue.delayed
  for (const { gone } of amendmentsOf(work, first, work.queue.tail)?.values() ?? []) if (gone) count--
  for (const [, row] of delayed) count -= expiredIn(work, row)
  count -= expired.size
  return count
}
