import { keepWithin } from '../../../src/errors.ts'
import type { AppendOptions, AppendResult, NewMessage } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { ending } from './book.ts'
import { ENDS, nextOf } from './lines.ts'
import { goOn, keptOf, letGo } from './places.ts'
import { rowOf as sharedRow } from './messages.ts'
import { stripped } from './pack.ts'
import {
  type Message,
  type Place,
  BATCH,
  BATCH_BYTES,
  MADE,
  idOf,
  jobsOf,
  keepsOf,
  madeId,
  sizeOf,
} from './records.ts'
import { answer, sortable, under } from './rows.ts'
import { openIn, weigh } from './stats.ts'
import { entered } from './time.ts'

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
  base: string,
  at: number,
  shared: number,
): Promise<AppendResult[]> {
  const rows = drafts.map((draft) => rowOf(draft, base, { clock: at, now: at }))
  const isShared = rows.length >= shared
  const first = answer(store.add(isShared ? {} : rows[0]))
  if (isShared) share(store, rows, base, (await first) as number)
  else for (const row of rows.slice(1)) store.add(row)
  // None of it can be refused, so nobody waits for more answers.
  const n = (await first) as number
  return drafts.map((_, i) => ({ id: madeId(base, n + i), status: 'stored' }))
}

/** Stores messages from a number on that is taken. The last of a row is its key: the browser goes on with the next number. */
function share(store: IDBObjectStore, rows: readonly Draft[], base: string, first: number): IDBRequest[] {
  const puts: IDBRequest[] = []
  store.delete(first)
  let batch: Draft[] = []
  let bytes = 0
  for (const [i, row] of rows.entries()) {
    const n = first + i
    const next = rows[i + 1]
    batch.push({ ...row, n })
    bytes += sizeOf(row)
    if (next !== undefined && batch.length < BATCH && bytes + sizeOf(next) <= BATCH_BYTES) continue
    puts.push(store.put(sharedRow(n, base, batch as Message[])))
    batch = []
    bytes = 0
  }
  return puts
}

/** A message as it is stored, but for its place. */
function rowOf(
  { body, id, lane, key, headers, maxAttempts, keepMs, dedupeMs, expiresInMs }: NewMessage,
  base: string,
  { clock, now }: Pick<Book, 'clock' | 'now'>,
  since: number = now,
): Draft {
  return stripped({
    body,
    at: clock,
    base,
    key,
    headers,
    maxAttempts,
    keepMs,
    dedupeMs,
    id,
    u: id,
    since: id === undefined ? undefined : since,
    lane: lane || undefined,
    l: lane ? sortable(lane) : undefined,
    x: expiresInMs === undefined ? undefined : now + expiresInMs,
  })
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
  const shared = (await mayShare(book, drafts)) && (await storeShared(book, drafts, base))
  if (shared) return shared
  // The end comes first, because half of all UUIDs look like ids that tell a place, most of them one behind it.
  if (drafts.length > 1) await book.messages.tail()
  const known = await Promise.all(
    drafts.map(async ({ id }) => (id === undefined ? undefined : await book.messages.find(id))),
  )
  const met = new Set<string>()
  const results: AppendResult[] = []
  const adding: Promise<void>[] = []
  for (const [i, draft] of drafts.entries()) {
    const { id } = draft
    const before = known[i]
    const [status, found] = met.has(id ?? '') ? (['duplicate'] as const) : await statusOf(book, draft, before)
    if (id !== undefined) met.add(id)
    results[i] = { id: id ?? '', status }
    if (status === 'replaced') await replace(book, found!, draft, base)
    if (status !== 'stored') continue
    const stored = store(book, draft, base, before)
    const done = stored.then((message) => void (results[i] = { id: idOf(message), status }))
    adding.push(done)
    // What stands at its end in any case need not be waited for: numbers are given in the order of the calls.
    if (draft.lane || before !== undefined || (id !== undefined && keepsAny(book))) await done
  }
  await Promise.all(adding)
  return results
}

/** Whether messages may share rows, unless one has an id that is there. */
async function mayShare(book: Book, drafts: readonly NewMessage[]): Promise<boolean> {
  const { q, now, steps } = book
  if (drafts.length < steps.shared || !drafts.every(isPlain) || (q.due <= now && q.delayed > 0)) return false
  const ids = drafts.flatMap(({ id }) => id ?? [])
  if (ids.length === 0) return true
  if (new Set(ids).size < ids.length || keepsAny(book) || q.jobs.length > 0) return false
  return !(await Promise.all(ids.map((id) => book.isRemembered(id)))).includes(true)
}

/** Stores messages that share rows. `undefined`: one has an id that is there, which shows in the end, and none is stored. */
async function storeShared(
  book: Book,
  drafts: readonly NewMessage[],
  base: string,
): Promise<AppendResult[] | undefined> {
  const { messages, rows, q } = book
  const own = drafts.map((draft) => rowOf(draft, base, book))
  const { length } = own
  const first = await messages.take(length)
  const puts = share(rows.messages, own, base, first)
  const isTold = drafts.some(({ id = '' }) => (messages.placeIn(id) ?? first) < first)
  if (isTold || (drafts.some(({ id }) => id !== undefined) && !(await areTaken(puts)))) {
    // As if all were over. What is refused takes no number from the browser, until something is put there.
    rows.messages.put({ n: messages.top })
    rows.messages.delete(IDBKeyRange.bound(first, messages.top))
    q.ended += length
    q.sent -= length
    for (const group of q.groups) group.past += length
    return undefined
  }
  book.changed = true
  return drafts.map(({ id }, i) => ({ id: id ?? madeId(base, first + i), status: 'stored' }))
}

/** Whether the browser has taken all that it was asked to. */
async function areTaken(requests: readonly IDBRequest[]): Promise<boolean> {
  const taken = requests.map(
    (request) =>
      new Promise<boolean>((resolve) => {
        request.addEventListener('success', () => resolve(true))
        request.addEventListener('error', (event) => {
          // The rest goes on.
          event.preventDefault()
          resolve(false)
        })
      }),
  )
  return !(await Promise.all(taken)).includes(false)
}

async function statusOf(
  book: Book,
  { id, replace: replaces }: NewMessage,
  found: Message | undefined,
): Promise<[status: AppendResult['status'], found?: Message]> {
  // A group that was deleted may have left it.
  const known = found !== undefined && (await book.isRetained(found)) ? found : undefined
  if (id === undefined) return ['stored']
  if (replaces !== true) {
    if (known !== undefined || (await book.isRemembered(id))) return ['duplicate']
    return [found !== undefined && isPromised(book, found) ? 'duplicate' : 'stored']
  }
  return known !== undefined && (await waitsEverywhere(book, known)) ? ['replaced', known] : ['stored']
}

/** One that is over, but has yet to be tidied away, has its id known for a while. */
function isPromised({ q, now }: Book, message: Message): boolean {
  return jobsOf(q, message).some(({ at }) => at + (message.dedupeMs ?? 0) > now)
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
  const { id, delayMs = 0 } = draft
  if (id !== undefined && (before !== undefined || keepsAny(book))) await supersede(book, id, before)
  const row = rowOf(draft, base, book, since)
  book.changed = true
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
    const made = base + (MADE + (t % MADE)).toString(16)
    Object.assign(row, { id: made, u: made })
  }
  q.delayed++
  q.sent++
  q.due = Math.min(q.due, d)
  book.expiresAt(row.x)
  book.memory.undelayed = false
  return await book.add(row)
}

/** Whether any group keeps dead letters or outcomes. */
function keepsAny({ q }: Book): boolean {
  return nextOf(q, ENDS) < Infinity || q.groups.some(({ counts }) => counts.dead > 0)
}

/** What was kept of earlier messages of an id is forgotten, and what those end with that are still on their way. */
async function supersede(book: Book, id: string, before: Message | undefined): Promise<void> {
  if (before !== undefined) {
    if (await book.isRetained(before)) {
      delete before.u
      before.superseded = true
      book.messages.put(before)
    } else if (before.u === id) {
      await book.end(ending(book, before), true, jobsOf(book.q, before)[0]?.at)
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
  const { now, q } = book
  const { since = now, key, n, lane, only } = message
  const { maxDelayMs = Infinity, delayMs: wanted = 0 } = draft
  const delayMs = Math.max(0, Math.min(wanted, since + maxDelayMs - now))
  if (n < 0 || delayMs > 0 || (lane ?? '') !== (draft.lane ?? '') || key !== draft.key) {
    await dropEverywhere(book, message)
    await book.end(ending(book, message), false)
    await store(book, { ...draft, delayMs }, base, undefined, since)
    return
  }
  const { id } = message
  const next: Message = stripped({ ...rowOf(draft, message.base, book, since), id, n, only })
  book.expiresAt(next.x)
  book.messages.put(next)
  for (const group of q.groups) {
    const place = await book.placeIn(group, next)
    if (place === undefined || place.state === 'dead') continue
    place.content = place.lapses = undefined
    place.x = next.x
    place.keeps = keepsOf(next)
    place.redriven = undefined
    if (place.state === 'parked') await goOn(book, group, place)
    place.attempt = 0
    place.error = undefined
    book.save(place)
  }
  book.changed = true
}

/** Takes a message away from every group that has it to do. Answers whether any had. */
export async function dropEverywhere(book: Book, message: Message): Promise<boolean> {
  let had = false
  for (const group of book.q.groups) {
    if (!(await book.needs(group, message))) continue
    had = true
    const place = await book.placeIn(group, message)
    if (place !== undefined) await letGo(book, group, place)
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
      (!met.has(id) && (await statusOf(book, draft, await book.messages.find(id)))[0] === 'stored')
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
