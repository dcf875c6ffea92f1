import { keepWithin } from '../../../src/errors.ts'
import type { AppendOptions, AppendResult, NewMessage } from '../../../src/storage.ts'
import {
  BATCH,
  BATCH_BYTES,
  type Book,
  IDS,
  batchRow,
  ending,
  idOf,
  keepsOf,
  madeId,
  sizeOf,
  sortable,
} from './book.ts'
import { drop, goOn, keptOf } from './places.ts'
import type { Message, Place } from './records.ts'
import { answer, under } from './rows.ts'
import { openIn, weigh } from './stats.ts'
import { entered } from './time.ts'
import { write } from './write.ts'

/** So many may have come since. */
const LATER = 64

export type Draft = Omit<Message, 'n'> & { n?: number }

export function baseOf(batchId: string): string {
  return batchId.slice(0, 28)
}

/** Whether messages can be stored with nothing known of the queue. */
export function isBlind(
  drafts: readonly NewMessage[],
  { groups = [], maxMessages, maxBytes }: AppendOptions,
): boolean {
  return (
    drafts.length > 0 &&
    groups.length === 0 &&
    (maxMessages ?? maxBytes) === undefined &&
    drafts.every((draft) => draft.id === undefined && isPlain(draft))
  )
}

/** Whether a message has its place at the end, and no index but that of ids has it. */
function isPlain({ lane, delayMs = 0, expiresInMs }: NewMessage): boolean {
  return !lane && delayMs <= 0 && expiresInMs === undefined
}

/** Stores messages at the end of the queue, whatever is there: the browser gives their numbers, which follow one another. */
export async function appendBlindly(
  store: IDBObjectStore,
  drafts: readonly NewMessage[],
  { batchId }: AppendOptions,
  at: number,
  shared: number,
): Promise<AppendResult[]> {
  const base = baseOf(batchId)
  const rows = drafts.map((draft) => rowOf(draft, base, at))
  const isShared = rows.length >= shared
  const first = answer(store.add(isShared ? {} : rows[0]))
  if (isShared) share(store, rows, base, (await first) as number)
  else for (const row of rows.slice(1)) store.add(row)
  // None of it can be refused, so nobody waits for more answers.
  const n = (await first) as number
  return drafts.map((_, i) => ({ id: madeId(base, n + i), status: 'stored' }))
}

/** Stores messages from a number on that is taken. The last of a row is its key: the browser goes on with the next number. */
function share(store: IDBObjectStore, rows: readonly Draft[], base: string, first: number): void {
  store.delete(first)
  let batch: Draft[] = []
  let bytes = 0
  for (const [i, row] of rows.entries()) {
    const n = first + i
    const next = rows[i + 1]
    batch.push({ ...row, n })
    bytes += sizeOf(row)
    if (next !== undefined && batch.length < BATCH && bytes + sizeOf(next) <= BATCH_BYTES) continue
    store.put(batch.length === 1 ? batch[0] : batchRow(n, base, batch as Message[]))
    batch = []
    bytes = 0
  }
}

function rowOf({ body, key, headers, maxAttempts, keepMs }: NewMessage, base: string, at: number): Draft {
  const row: Draft = { body, at, base }
  if (key !== undefined) Object.assign(row, { key })
  if (headers !== undefined) row.headers = headers
  if (maxAttempts !== undefined) row.maxAttempts = maxAttempts
  if (keepMs !== undefined) row.keepMs = keepMs
  return row
}

/** Whether messages of a batch are among the last of so many more. */
export async function isStored(store: IDBObjectStore, base: string, count: number): Promise<boolean> {
  const cursor = await answer(store.openKeyCursor(null, 'prev'))
  if (cursor === null) return false
  const last = cursor.primaryKey as number
  const [some, delayed] = await Promise.all([
    answer(store.getAll(IDBKeyRange.bound(last - count - LATER, last))),
    answer(store.getAll(IDBKeyRange.upperBound(0), count + LATER)),
  ])
  return [...(some as Message[]), ...(delayed as Message[])].some((message) => message.base === base)
}

/** Stores messages at the end of the queue. */
export async function append(
  book: Book,
  name: string,
  drafts: readonly NewMessage[],
  options: AppendOptions,
): Promise<AppendResult[]> {
  const { batchId, groups, maxMessages, maxBytes } = options
  const base = baseOf(batchId)
  if (maxMessages !== undefined || maxBytes !== undefined) await checkLimits(book, name, drafts, options)
  await book.start(groups)
  const met = new Set<string>()
  const results: AppendResult[] = []
  // What stands at its end in any case need not be waited for: numbers are given in the order of the calls.
  const adding: Promise<void>[] = []
  // All at once: an id that is met again in the batch is a duplicate.
  // The end comes first, because half of all UUIDs look like ids that tell a place, most of them one behind it.
  const tail = drafts.length > 1 && book.tail()
  const known = await Promise.all(
    drafts.map(async ({ id }) => (id === undefined ? undefined : await book.find(id))),
  )
  await tail
  const { due, delayed } = book.q
  const isShared =
    drafts.length >= book.steps.shared &&
    drafts.every((draft) => isPlain(draft) && (draft.id === undefined || !keepsAny(book))) &&
    known.every((found) => found === undefined) &&
    !(due <= book.now && delayed > 0)
  const sharing: [number, Draft][] = []
  for (const [i, draft] of drafts.entries()) {
    const { id } = draft
    const add = async (found?: Message): Promise<void> => {
      if (isShared) return void sharing.push([i, plainRow(book, draft, base)])
      const stored = store(book, draft, base, found)
      results[i] = { id: '', status: 'stored' }
      const done = stored.then((message) => void (results[i] = { id: idOf(message), status: 'stored' }))
      adding.push(done)
      if (draft.lane || found !== undefined || (id !== undefined && keepsAny(book))) await done
    }
    if (id === undefined) {
      await add()
      continue
    }
    const before = known[i]
    const [status, found] = met.has(id) ? (['duplicate'] as const) : await statusOf(book, draft, before)
    met.add(id)
    if (status === 'stored') await add(before)
    else if (status === 'replaced') await replace(book, found!, draft, base)
    if (status !== 'stored') results[i] = { id, status }
  }
  await Promise.all(adding)
  if (sharing.length > 0) {
    const rows = sharing.map(([, row]) => row)
    const first = await book.share(rows.length)
    share(book.rows.messages, rows, base, first)
    for (const [j, [i, { id }]] of sharing.entries())
      results[i] = { id: id ?? madeId(base, first + j), status: 'stored' }
  }
  return results
}

async function statusOf(
  book: Book,
  { id, replace: replaces }: NewMessage,
  found: Message | undefined,
): Promise<[status: AppendResult['status'], found?: Message]> {
  // A group that was deleted may have left it.
  const known = found !== undefined && (await book.isRetained(found)) ? found : undefined
  if (replaces !== true) {
    if (known !== undefined || (await book.isRemembered(id!))) return ['duplicate']
    return [found !== undefined && isPromised(book, found) ? 'duplicate' : 'stored']
  }
  return known !== undefined && (await waitsEverywhere(book, known)) ? ['replaced', known] : ['stored']
}

/** One that is over, but has yet to be tidied away, has its id known for a while. */
function isPromised({ q, now }: Book, { n, t = 0, dedupeMs = 0 }: Message): boolean {
  return q.jobs.some(({ to, toTie, at }) => (n < 0 ? t <= toTie : n <= to) && at + dedupeMs > now)
}

async function waitsEverywhere(book: Book, message: Message): Promise<boolean> {
  for (const group of book.q.groups) {
    if (!(await book.needs(group, message))) return false
    const place = await book.placeIn(group, message)
    if (place?.state === 'leased' || place?.lost) return false
  }
  return true
}

async function store(
  book: Book,
  draft: NewMessage,
  base: string,
  before?: Message,
  since?: number,
): Promise<Message> {
  const { q, now } = book
  const { id, delayMs = 0, lane, expiresInMs } = draft
  if (id !== undefined && (before !== undefined || keepsAny(book))) await supersede(book, id, before)
  const row = plainRow(book, draft, base, since) as Draft & {
    lane?: string
    l?: string
    d?: number
    t?: number
  }
  if (lane) Object.assign(row, { lane, l: sortable(lane) })
  if (expiresInMs !== undefined) row.x = now + expiresInMs
  book.changed = true
  book.touch()
  // What is overdue and has yet to take its place comes before it.
  const waits = delayMs > 0 || (q.due <= now && q.delayed > 0)
  if (since !== undefined) q.sent--
  if (!waits) {
    const stored = await book.add(row)
    await entered(book, stored)
    return stored
  }
  const t = ++q.ties
  const d = now + delayMs
  Object.assign(row, { n: -t, d, t })
  if (id === undefined) {
    const made = base + (IDS + (t % IDS)).toString(16)
    Object.assign(row, { id: made, u: made })
  }
  q.delayed++
  q.sent++
  q.due = Math.min(q.due, d)
  if (row.x !== undefined) q.lapse = Math.min(q.lapse, row.x)
  book.memory.undelayed = false
  return await book.add(row)
}

/** All of a message but its place and its time. */
function plainRow({ now, clock }: Book, draft: NewMessage, base: string, since: number = now): Draft {
  const { id, dedupeMs } = draft
  const row = rowOf(draft, base, clock)
  if (dedupeMs !== undefined) row.dedupeMs = dedupeMs
  return id === undefined ? row : Object.assign(row, { since, id, u: id })
}

/** Whether any group keeps dead letters or outcomes. */
function keepsAny({ q }: Book): boolean {
  return q.groups.some(({ counts, ends }) => counts.dead > 0 || ends < Infinity)
}

/** What was kept of earlier messages of an id is forgotten, and what those end with that are still on their way. */
async function supersede(book: Book, id: string, before: Message | undefined): Promise<void> {
  if (before !== undefined) {
    if (await book.isRetained(before)) {
      delete before.u
      before.superseded = true
      book.put(before)
    } else if (before.u === id) {
      const job = book.q.jobs.find(({ to, toTie }) => (before.n < 0 ? before.t! <= toTie : before.n <= to))
      await book.end({ ...ending(before), back: job?.isAll ?? false }, true, job?.at)
    }
  }
  for (const group of book.q.groups) {
    for (const kept of await keptOf(book, group, id)) book.remove(kept.k)
    for (const letter of await book.line<Place>(under([group.g, 'D', id]), 256)) {
      letter.message!.superseded = true
      book.set(letter)
    }
  }
}

/** It waits in every group, and carries something else from now on. */
async function replace(book: Book, message: Message, draft: NewMessage, base: string): Promise<void> {
  const { now, clock, q } = book
  const { since = now, key, n, lane, only } = message
  const { maxDelayMs = Infinity, delayMs: wanted = 0 } = draft
  const delayMs = Math.max(0, Math.min(wanted, since + maxDelayMs - now))
  if (n < 0 || delayMs > 0 || (lane ?? '') !== (draft.lane ?? '') || key !== draft.key) {
    await dropEverywhere(book, message)
    await book.end(ending(message), false)
    await store(book, { ...draft, delayMs }, base, undefined, since)
    return
  }
  const { body, headers, maxAttempts, keepMs, dedupeMs, expiresInMs } = draft
  const next: Message = { ...rowOf(draft, message.base, clock), body, n, since }
  const x = expiresInMs === undefined ? undefined : now + expiresInMs
  const more = {
    id: message.id,
    u: draft.id,
    lane,
    l: message.l,
    only,
    x,
    dedupeMs,
    headers,
    maxAttempts,
    keepMs,
  }
  for (const [of, value] of Object.entries(more))
    if (value !== undefined) Object.assign(next, { [of]: value })
  if (x !== undefined) {
    q.lapse = Math.min(q.lapse, x)
    if (x <= q.lapsedTo[0]) q.lapsedTo = [x, -Infinity]
    book.touch()
  }
  book.put(next)
  for (const group of q.groups) {
    const place = await book.placeIn(group, next)
    if (place === undefined || place.state === 'dead') continue
    place.content = place.lapses = undefined
    place.x = x
    place.keeps = keepsOf(next)
    place.redriven = undefined
    if (place.state === 'parked') await goOn(book, group, place)
    place.attempt = 0
    place.error = undefined
    write(book, group, place)
  }
  book.touch()
  book.changed = true
}

/** Takes a message away from every group that has it to do. Answers whether any had. */
export async function dropEverywhere(book: Book, message: Message): Promise<boolean> {
  let had = false
  for (const group of book.q.groups) {
    if (!(await book.needs(group, message))) continue
    had = true
    const place = await book.placeIn(group, message)
    if (place !== undefined) await drop(book, group, place)
    else if (message.n > 0) await book.pass(group, message)
  }
  return had
}

/** Lets no append through that makes a queue longer than it may be. */
async function checkLimits(
  book: Book,
  name: string,
  drafts: readonly NewMessage[],
  { groups = [], maxMessages = Infinity, maxBytes = Infinity }: AppendOptions,
): Promise<void> {
  const met = new Set<string>()
  const news: NewMessage[] = []
  for (const draft of drafts) {
    const { id } = draft
    if (
      id === undefined ||
      (!met.has(id) && (await statusOf(book, draft, await book.find(id)))[0] === 'stored')
    )
      news.push(draft)
    if (id !== undefined) met.add(id)
  }
  if (news.length === 0) return
  const isJoined = groups.some(
    ({ name: group, from }) =>
      book.group(group) === undefined && (from !== 'latest' || book.q.groups.length === 0),
  )
  const messages = news.length + (await openIn(book, isJoined))
  const bytes = (await weigh(book)) + news.reduce((sum, draft) => sum + sizeOf(draft), 0)
  keepWithin(name, { messages, bytes }, { maxMessages, maxBytes })
}
