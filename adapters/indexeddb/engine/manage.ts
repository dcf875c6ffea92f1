import type { ResumeOptions } from '../../../src/storage.ts'
import { dropEverywhere } from './append.ts'
import { type Book, ending } from './book.ts'
import { edit, settleContent } from './edit.ts'
import { forgetHolds, forgetProbes } from './holds.ts'
import { goOn, move } from './places.ts'
import type { Lane, Message, Place } from './records.ts'
import { jobsOf, newCounts, newFlow } from './records.ts'
import { under } from './rows.ts'

/** One after the other. */
async function each(ids: readonly string[], verb: (id: string) => Promise<boolean>): Promise<boolean[]> {
  const results: boolean[] = []
  for (const id of ids) results.push(await verb(id))
  return results
}

/** Drops messages in every group. Answers, for each, whether it was there. */
export function cancel(book: Book, ids: readonly string[]): Promise<boolean[]> {
  return each(ids, async (id) => {
    const message = await book.messages.find(id)
    if (message === undefined) return false
    const job = jobsOf(book.q, message).find(({ isAll }) => isAll)
    const isThere = (await dropEverywhere(book, message)) || (book.q.groups.length === 0 && job === undefined)
    // One that a deleted group has left is over already.
    await book.end(ending(book, message), !isThere, job?.at)
    book.changed ||= isThere
    return isThere
  })
}

/** Has messages of a group that wait for a retry be due now. */
export function retryNow(book: Book, name: string, ids: readonly string[]): Promise<boolean[]> {
  const group = book.group(name)
  return each(ids, async (id) => {
    const message = group && (await book.messages.find(id))
    const place = message && (await book.place(group, message.n))
    if (place?.state !== 'waiting') return false
    await move(book, group!, place, 'ready')
    return true
  })
}

/** Ends the wait of parked messages. */
export function resume(
  book: Book,
  ids: readonly string[],
  { group: only, edit: wanted }: ResumeOptions,
): Promise<boolean[]> {
  const groups = book.q.groups.filter(({ name }) => only === undefined || name === only)
  return each(ids, async (id) => {
    let isThere = false
    for (const group of groups) {
      const all = await book.line<Place>(under([group.g, 'p', id]), 256)
      const parked = all.filter(({ x = Infinity }) => x > book.now)
      // All of an id, or with an edit the last.
      for (const place of wanted === undefined ? parked : parked.slice(-1)) {
        if (wanted !== undefined) await edit(book, place, wanted)
        await goOn(book, group, place)
        isThere = true
      }
    }
    return isThere
  })
}

/** Forgets a group. What only it had to do is over: {@link tidy} finds it. */
export async function deleteGroup(book: Book, name: string): Promise<void> {
  const { q } = book
  const group = book.group(name)
  q.groups = q.groups.filter((one) => one !== group)
  await forgetHolds(book, name, group)
  if (group === undefined) return
  delete q.next[group.g]
  if (q.groups.length === 0) await clear(book)
  else
    q.jobs.push({
      n: 0,
      to: await book.messages.tail(),
      tie: 0,
      toTie: q.ties,
      at: book.now,
      isAll: false,
      groups: [],
    })
  q.jobs.at(-1)!.groups.push(group.g)
  book.changed = true
}

/** Forgets all messages at once: what is left of them is tidied away some at a time. */
export async function clear(book: Book): Promise<void> {
  const { q } = book
  const tail = await book.messages.tail()
  const numbers = new Map<number, number>()
  q.jobs.push({
    n: 0,
    to: tail,
    tie: 0,
    toTie: q.ties,
    at: book.now,
    isAll: true,
    groups: q.groups.map(({ g }) => g),
  })
  q.ended = tail - q.laned
  q.lanedLeft = q.delayed = 0
  q.due = Infinity
  q.epoch++
  for (const group of q.groups) {
    const before = group.g
    delete q.next[before]
    group.g = ++q.numbers
    numbers.set(before, group.g)
    Object.assign(group, {
      first: tail + 1,
      sinceTie: q.ties,
      others: 0,
      flow: newFlow([], '', tail + 1, 0),
      past: q.ended,
      ahead: 0,
      counts: newCounts(),
      turn: { at: undefined, left: 0 },
      walked: undefined,
      low: tail,
      marks: 0,
    })
  }
  await forgetProbes(book, numbers)
  book.changed = true
}

/** Tidies some of what is left of groups and purges. Answers whether there is more. */
export async function tidy(book: Book, most: number): Promise<boolean> {
  const { q } = book
  const job = q.jobs[0]
  if (job === undefined) return false
  let left = most
  const over = async (message: Message): Promise<void> => {
    left--
    if (await book.isRetained(message)) return await settleContent(book, message.n)
    await book.end(ending(book, message), true, job.at)
  }
  while (job.tie < job.toTie) {
    if (left <= 0) return true
    const some = await book.messages.range(
      IDBKeyRange.bound(-job.toTie, -job.tie, false, true),
      book.messages.chunk(256),
    )
    if (some.length === 0) job.tie = job.toTie
    for (const message of some) await over(message)
    // The last of them has the lowest number.
    if (some.length > 0) job.toTie = -some.at(-1)!.n - 1
  }
  while (job.n < job.to) {
    if (left <= 0) return true
    const some = await book.messages.range(IDBKeyRange.bound(job.n, job.to, true), book.messages.chunk(256))
    for (const message of some) await over(message)
    job.n = some.at(-1)?.n ?? job.to
  }
  for (const g of job.groups.slice()) {
    for (const kind of ['l', 'p', 'f', 'k', 'o', 'm']) {
      for (;;) {
        if (left <= 0) return true
        const some = await book.range(under([kind, g]), 256)
        for (const { k } of some) book.remove(k)
        left -= some.length
        if (some.length < 256) break
      }
    }
    job.groups.shift()
  }
  if (job.isAll) {
    for await (const lane of book.walk<Lane>(['n'])) {
      book.fresh(lane)
      await book.tidy(lane.name)
    }
  }
  q.jobs.shift()
  return q.jobs.length > 0
}
