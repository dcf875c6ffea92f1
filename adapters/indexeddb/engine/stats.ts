import type { GroupStats, StorageStats } from '../../../src/storage.ts'
import { type Book, sizeOf } from './book.ts'
import { toldHolds } from './holds.ts'
import type { Group, Message } from './records.ts'

/** Of so many messages the bytes are counted; of more, they are estimated. */
const WEIGHED = 256

/** Messages that a group has not passed. */
async function aheadOf(book: Book, { past, ahead }: Group): Promise<number> {
  return (await book.tail()) - book.q.laned - past + ahead
}

/** Messages in the queue that are not delayed. */
async function size(book: Book): Promise<number> {
  const { laned, ended, lanedLeft } = book.q
  return (await book.tail()) - laned - ended + lanedLeft
}

/** Messages that are not done, in the group that is furthest behind; `isJoined`: as if one more started at the earliest. */
export async function openIn(book: Book, isJoined = false): Promise<number> {
  const { groups, delayed } = book.q
  const open: number[] = []
  for (const group of groups) {
    const { leased, waiting, ready, blocked, parked } = group.counts
    open.push(
      leased + waiting + ready + blocked + parked + (await aheadOf(book, group)) + delayed - group.others,
    )
  }
  if (groups.length === 0) open.push((await size(book)) + delayed - (await lapsed(book)))
  else if (isJoined) open.push((await size(book)) + delayed)
  return Math.max(...open)
}

/** How many have expired before there is anybody to bury them. */
function lapsed({ rows, now, q }: Book): Promise<number> {
  if (q.lapse > now) return Promise.resolve(0)
  return rows.count(rows.messages.index('x'), IDBKeyRange.upperBound([now, Infinity]))
}

/** Bytes that are retained, about. */
export async function weigh(book: Book): Promise<number> {
  const all = (await size(book)) + book.q.delayed
  const some = await book.messages(IDBKeyRange.lowerBound(-Infinity), Math.min(WEIGHED, book.chunk(WEIGHED)))
  const bytes = some.reduce((sum, message) => sum + sizeOf(message), 0)
  return some.length >= all || some.length === 0 ? bytes : Math.round((bytes / some.length) * all)
}

/** Finds the oldest message that each group has to do, some steps further. Answers whether there is more to find. */
export async function findOldest(book: Book): Promise<boolean> {
  let left = book.steps.looked
  for (const group of book.q.groups) {
    for (;;) {
      const list = await book.messages(IDBKeyRange.lowerBound(group.low + 1), book.chunk(16))
      let found = false
      for (const message of list) {
        if (message.n < 1) continue
        if (await book.needs(group, message)) {
          found = true
          break
        }
        group.low = message.n
        book.touch()
        if (--left <= 0) return true
      }
      if (found || list.length === 0) break
    }
  }
  return false
}

/** Counts, of a queue that is up to its time. */
export async function stats(book: Book): Promise<StorageStats> {
  const { q } = book
  const groups: [string, GroupStats][] = []
  for (const group of q.groups) groups.push([group.name, await statsOf(book, group)])
  return {
    groups: Object.fromEntries(groups),
    messages: await openIn(book),
    bytes: await weigh(book),
    oldestMs: ageOf(book, [await firstAfter(book, 0), ...(await delayed(book, 1))]),
    sent: (await book.tail()) + q.sent,
    holds: await toldHolds(book),
  }
}

async function firstAfter(book: Book, n: number): Promise<Message | undefined> {
  const [first] = await book.messages(IDBKeyRange.lowerBound(n + 1), 1)
  return first
}

function delayed(book: Book, limit: number): Promise<Message[]> {
  return book.messages(IDBKeyRange.lowerBound([-Infinity]), limit, 'd')
}

async function statsOf(book: Book, group: Group): Promise<GroupStats> {
  const { counts, acked, failed, low, others } = group
  const { leased, waiting, ready, blocked, parked, dead } = counts
  return {
    ready: ready + (await aheadOf(book, group)),
    leased,
    delayed: waiting + book.q.delayed - others,
    blocked,
    parked,
    dead,
    oldestMs: ageOf(book, [await firstAfter(book, low), await firstDelayed(book, group)]),
    acked,
    failed,
  }
}

/** The first delayed message that is for a group, as far as one looks. */
async function firstDelayed(book: Book, group: Group): Promise<Message | undefined> {
  const { others, sinceTie } = group
  if (others === book.q.delayed) return undefined
  const some = await delayed(book, others === 0 ? 1 : book.chunk(256))
  return some.find(({ t }) => t! > sinceTie) ?? some.at(-1)
}

function ageOf({ clock }: Book, messages: readonly (Message | undefined)[]): number | undefined {
  const times = messages.flatMap((message) => (message === undefined ? [] : [message.at]))
  return times.length === 0 ? undefined : Math.max(0, clock - Math.min(...times))
}
