import type { GroupStats, StorageStats } from '../storage.ts'
import { type Book, isFor } from './book.ts'
import { toldHolds } from './holds.ts'
import type { Group, Message } from './records.ts'

/** Messages that are not done, in the group that is furthest behind; `isJoined`: as if one more started at the earliest. */
export function openIn(book: Book, isJoined = false): number {
  const { groups, log, entries, lapses, now } = book
  const delayed = entries.size
  const open = groups.map(({ counts, ahead, others }) => {
    const { leased, waiting, ready, blocked, parked } = counts
    return leased + waiting + ready + blocked + parked + ahead + delayed - others
  })
  if (groups.length === 0) open.push(log.size + delayed - lapses.countBefore({ order: now, tie: Infinity }))
  else if (isJoined) open.push(log.size + delayed)
  return Math.max(...open)
}

/** Finds the oldest message that each group has to do, some steps further. Answers whether there is more to find. */
export function findOldest(book: Book): boolean {
  let left = book.steps.looked
  for (const group of book.groups) {
    for (const message of book.log.walk(group.low)) {
      if (book.needs(group, message)) break
      group.low = message.order
      if (--left === 0) return true
    }
  }
  return false
}

/** Counts, of a queue that is up to its time. */
export function stats(book: Book): StorageStats {
  book.encodeAll()
  const { groups, entries, log, bytes, sent } = book
  const counts: [string, GroupStats][] = groups.map((group) => [group.name, statsOf(book, group)])
  return {
    groups: Object.fromEntries(counts),
    messages: openIn(book),
    bytes,
    oldestMs: ageOf(book, [log.first, entries.first?.message]),
    sent,
    holds: toldHolds(book),
  }
}

function statsOf(book: Book, group: Group): GroupStats {
  const { ahead, counts, acked, failed, low, others } = group
  const { leased, waiting, ready, blocked, parked, dead } = counts
  return {
    ready: ready + ahead,
    leased,
    delayed: waiting + book.entries.size - others,
    blocked,
    parked,
    dead,
    oldestMs: ageOf(book, [book.log.after(low), firstDelayed(book, group)]),
    acked,
    failed,
  }
}

/** The first delayed message that is for a group, as far as one looks. */
function firstDelayed({ entries, steps }: Book, group: Group): Message | undefined {
  if (group.others === entries.size) return undefined
  let left = steps.looked
  for (const entry of entries.walk()) if (left-- === 0 || isFor(group, entry)) return entry.message
  return undefined
}

function ageOf(
  { clock }: Book,
  messages: readonly ({ readonly batch: { readonly at: number } } | undefined)[],
): number | undefined {
  const times = messages.flatMap((message) => (message === undefined ? [] : [message.batch.at]))
  return times.length === 0 ? undefined : Math.max(0, clock - Math.min(...times))
}
