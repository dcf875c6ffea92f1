import type { GroupStats, StorageStats } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { toldHolds } from './holds.ts'
import { type Group, type Message, sizeOf } from './records.ts'
import { answer } from './rows.ts'

/** Of so many messages the bytes are counted; of more, they are estimated. */
const WEIGHED = 256

/** Messages that a group has not passed, of a queue whose end is known. */
function aheadOf({ q, messages }: Book, { past, ahead }: Group): number {
  return messages.top - q.laned - past + ahead
}

/** Messages in the queue that are not delayed, once its end is known. */
function size({ q, messages }: Book): number {
  return messages.top - q.laned - q.ended + q.lanedLeft
}

/** Messages that are not done, in the group that is furthest behind; `isJoined`: as if one more started at the earliest. */
export async function openIn(book: Book, isJoined = false): Promise<number> {
  await book.messages.tail()
  const { groups, delayed } = book.q
  const open = groups.map((group) => {
    const { leased, waiting, ready, blocked, parked } = group.counts
    return leased + waiting + ready + blocked + parked + aheadOf(book, group) + delayed - group.others
  })
  if (groups.length === 0) open.push(size(book) + delayed - (await lapsed(book)))
  else if (isJoined) open.push(size(book) + delayed)
  return Math.max(...open)
}

/** How many have expired before there is anybody to bury them. */
function lapsed({ rows, now, q }: Book): Promise<number> {
  if (q.lapse > now) return Promise.resolve(0)
  return answer(rows.messages.index('x').count(IDBKeyRange.upperBound([now, Infinity])))
}

/** Bytes that are retained, about, of a queue whose end is known. */
export async function weigh(book: Book): Promise<number> {
  const { messages } = book
  const count = size(book) + book.q.delayed
  const some = await messages.range(IDBKeyRange.lowerBound(-Infinity), messages.chunk(WEIGHED))
  const bytes = some.reduce((sum, message) => sum + sizeOf(message), 0)
  return some.length >= count || some.length === 0 ? bytes : Math.round((bytes / some.length) * count)
}

/** Finds the oldest message that each group has to do, some steps further. Answers whether there is more to find. */
export async function findOldest(book: Book): Promise<boolean> {
  const { messages } = book
  let left = book.steps.looked
  for (const group of book.q.groups) {
    for (let isFound = false; !isFound;) {
      const list = await messages.range(IDBKeyRange.lowerBound(group.low + 1), messages.chunk(16))
      isFound = list.length === 0
      for (const message of list) {
        isFound = await book.needs(group, message)
        if (isFound) break
        group.low = message.n
        if (--left <= 0) return true
      }
    }
  }
  return false
}

/** Counts, of a queue that is up to its time. */
export async function stats(book: Book): Promise<StorageStats> {
  const { q } = book
  const open = await openIn(book)
  const groups: [string, GroupStats][] = []
  for (const group of q.groups) groups.push([group.name, await statsOf(book, group)])
  return {
    groups: Object.fromEntries(groups),
    messages: open,
    bytes: await weigh(book),
    oldestMs: ageOf(book, [await firstAfter(book, 0), ...(await delayed(book, 1))]),
    sent: book.messages.top + q.sent,
    holds: await toldHolds(book),
  }
}

async function firstAfter(book: Book, n: number): Promise<Message | undefined> {
  const [first] = await book.messages.range(IDBKeyRange.lowerBound(n + 1), 1)
  return first
}

function delayed(book: Book, limit: number): Promise<Message[]> {
  return book.messages.indexed(IDBKeyRange.lowerBound([-Infinity]), limit, 'd')
}

async function statsOf(book: Book, group: Group): Promise<GroupStats> {
  const { counts, acked, failed, low, others } = group
  const { leased, waiting, ready, blocked, parked, dead } = counts
  return {
    ready: ready + aheadOf(book, group),
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
  const some = await delayed(book, others === 0 ? 1 : book.messages.chunk(256))
  return some.find(({ t }) => t! > sinceTie) ?? some.at(-1)
}

function ageOf({ clock }: Book, messages: readonly (Message | undefined)[]): number | undefined {
  const times = messages.flatMap((message) => (message === undefined ? [] : [message.at]))
  return times.length === 0 ? undefined : Math.max(0, clock - Math.min(...times))
}
