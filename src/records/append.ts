import { keepWithin } from '../errors.ts'
import type { AppendOptions, AppendResult, Held, NewMessage } from '../storage.ts'
import { type Book, delayedId, madeId, placeIn, sizeOf } from './book.ts'
import { carry } from './edit.ts'
import { drop, forgetKept, goOn } from './places.ts'
import { type Batch, type More, Message, noMore } from './records.ts'
import { openIn } from './stats.ts'

type Draft = NewMessage<Held>

/** Stores messages at the end of the queue. */
export function append(book: Book, drafts: readonly Draft[], options: AppendOptions): AppendResult[] {
  const { batchId, groups, maxMessages, maxBytes } = options
  if (maxMessages !== undefined || maxBytes !== undefined) checkLimits(book, drafts, options)
  book.start(groups)
  const batch = book.batchOf(batchId)
  let met: Set<string> | undefined
  return drafts.map((draft): AppendResult => {
    const { id } = draft
    if (id === undefined) return { id: store(book, draft, batch), status: 'stored' }
    met ??= new Set()
    const status = met.has(id) ? 'duplicate' : statusOf(book, draft)
    met.add(id)
    if (status === 'stored') store(book, draft, batch)
    else if (status === 'replaced') replace(book, book.find(id)!, draft, batch)
    return { id, status }
  })
}

function statusOf(book: Book, { id, replace: replaces }: Draft): AppendResult['status'] {
  const found = book.find(id!)
  // A group that was deleted may have left it.
  const known = found !== undefined && book.isRetained(found) ? found : undefined
  if (replaces !== true) return known !== undefined || book.isRemembered(id!) ? 'duplicate' : 'stored'
  return known !== undefined && waitsEverywhere(book, known) ? 'replaced' : 'stored'
}

function waitsEverywhere(book: Book, message: Message): boolean {
  return book.groups.every((group) => {
    const place = placeIn(group, message)
    return book.needs(group, message) && place?.state !== 'leased' && place?.lost !== true
  })
}

function store(book: Book, draft: Draft, batch: Batch, since?: number): string {
  const { body, id, delayMs = 0 } = draft
  const { now } = book
  const lane = book.lane(draft.lane ?? '')
  const message = new Message(batch, body, lane, draft.key, moreOf(draft, now, since))
  const { more } = message
  // What is overdue and has yet to take its place comes before it.
  const waits = delayMs > 0 || book.isBehind
  if (waits) {
    const own = (message.more ??= noMore())
    own.entry = { order: now + delayMs, tie: ++book.ties, message, among: undefined }
    own.id ??= delayedId(batch.id, book.ties)
    book.entries.add(own.entry)
  } else book.enter(message)
  if (message.more?.id !== undefined) {
    if (id !== undefined) supersede(book, id)
    book.ids.set(message.more.id, message)
  }
  if (more?.expires !== undefined) book.lapse(message, more.expires)
  book.bytes += sizeOf(message)
  book.hold(message)
  if (since === undefined) book.sent++
  book.changed = true
  return message.more?.id ?? madeId(batch.id, message.order)
}

/** What was kept of earlier messages of an id is forgotten, and what those end with that are still on their way. */
function supersede(book: Book, id: string): void {
  const before = book.find(id)
  if (before?.more !== undefined) {
    before.more.superseded = true
    if (before.more.dedupeMs > 0) book.promising.add(before)
  }
  for (const { keptById, letters } of book.groups) {
    forgetKept(keptById.get(id))
    for (const { message } of letters.get(id) ?? [])
      if (message.more !== undefined) message.more.superseded = true
  }
}

function moreOf(draft: Draft, now: number, since: number = now): More | undefined {
  const { id, headers, maxAttempts, expiresInMs, dedupeMs = 0, keepMs } = draft
  if ((id ?? headers ?? maxAttempts ?? expiresInMs ?? keepMs) === undefined) return undefined
  const more = noMore()
  const expires = expiresInMs === undefined ? undefined : now + expiresInMs
  const own = {
    id,
    headers,
    maxAttempts,
    expires,
    dedupeMs,
    keepMs,
    since: id === undefined ? undefined : since,
  }
  return Object.assign(more, own)
}

/** It waits in every group, and carries something else from now on. */
function replace(book: Book, message: Message, draft: Draft, batch: Batch): void {
  const { since = book.now } = message.more ?? {}
  const { key } = message
  const { maxDelayMs = Infinity, delayMs: wanted = 0 } = draft
  const delayMs = Math.max(0, Math.min(wanted, since + maxDelayMs - book.now))
  if (message.order === 0 || delayMs > 0 || message.lane.name !== (draft.lane ?? '') || key !== draft.key) {
    dropEverywhere(book, message)
    book.end(message, false)
    store(book, { ...draft, delayMs }, batch, since)
    return
  }
  carry(book, message, { id: message.batch.id, at: batch.at }, draft.body, moreOf(draft, book.now, since))
  // Also one whose id was made.
  book.ids.set(draft.id!, message)
  for (const group of book.groups) {
    const place = placeIn(group, message)
    if (place === undefined) continue
    if (place.more !== undefined) {
      const { lapse: own, due } = place.more
      if (own !== undefined) book.lapses.remove(own)
      place.more.lapse = place.more.content = place.more.expires = undefined
      place.more.due = due
    }
    if (place.state === 'parked') goOn(book, place)
    place.attempt = 0
    place.error = undefined
  }
  book.changed = true
}

/** Takes a message away from every group that has it to do. Answers whether any had. */
export function dropEverywhere(book: Book, message: Message): boolean {
  const all = book.groups.filter((group) => book.needs(group, message))
  for (const group of all) {
    const place = placeIn(group, message)
    if (place !== undefined) drop(book, place)
    else if (message.order > 0) {
      book.flowOf(group, message.lane).ahead--
      group.ahead--
    }
  }
  return all.length > 0
}

/** Lets no append through that makes a queue longer than it may be. */
function checkLimits(
  book: Book,
  drafts: readonly Draft[],
  { groups = [], maxMessages = Infinity, maxBytes = Infinity }: AppendOptions,
): void {
  const met = new Set<string>()
  const news = drafts.filter((draft) => {
    const { id } = draft
    if (id === undefined) return true
    const isNew = !met.has(id) && statusOf(book, draft) === 'stored'
    met.add(id)
    return isNew
  })
  if (news.length === 0) return
  const isJoined = groups.some(
    ({ name: group, from }) =>
      book.group(group) === undefined && (from !== 'latest' || book.groups.length === 0),
  )
  const messages = news.length + openIn(book, isJoined)
  const added = news.reduce(
    (sum, { body, key, headers }) => sum + sizeOf({ body, key, more: { headers } }),
    0,
  )
  book.encodeAll()
  const bytes = book.bytes + added
  keepWithin(book.name, { messages, bytes }, { maxMessages, maxBytes })
}
