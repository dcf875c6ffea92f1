import type { Held, ResumeOptions } from '../storage.ts'
import { type Book, placeIn, sizeOf } from './book.ts'
import { type Batch, type Message, type More, type Place, noMore } from './records.ts'

/** A message carries something else in one group. */
export function edit(
  book: Book,
  place: Place,
  { body, headers, maxAttempts, expiresInMs }: NonNullable<ResumeOptions['edit']>,
): void {
  const { message } = place
  const more = (place.more ??= {})
  more.content = { body, headers, maxAttempts, at: book.clock }
  if (expiresInMs !== undefined) {
    if (more.lapse !== undefined) book.lapses.remove(more.lapse)
    more.expires = book.now + expiresInMs
    book.lapse(message, more.expires, place)
  }
  settleContent(book, message)
}

/** Once no group has it to do as it was, a message carries what it was edited to: a group that begins later gets that. */
export function settleContent(book: Book, message: Message): void {
  let from: Place | undefined
  for (const group of book.groups) {
    if (!book.needs(group, message)) continue
    const place = placeIn(group, message)
    if (place?.more?.content === undefined) return
    // The time of one that has none of its own is that of the message, which so stays what it is.
    if (from === undefined || place.more.expires === undefined) from = place
  }
  if (from !== undefined) adopt(book, message, from)
}

function adopt(book: Book, message: Message, from: Place): void {
  const body = book.encode(message)
  const { batch, more } = message
  const { content, expires = more?.expires ?? Infinity } = from.more!
  const before = { body, headers: more?.headers, maxAttempts: more?.maxAttempts, at: batch.at }
  // A dead letter stays as it was.
  for (let place = message.place; place !== undefined; place = place.other)
    if (place.state === 'dead') (place.more ??= {}).content ??= before
  const own = {
    ...(more ?? noMore()),
    headers: content!.headers,
    maxAttempts: content!.maxAttempts,
    expires: expires < Infinity ? expires : undefined,
    lapse: undefined,
  }
  carry(book, message, { id: batch.id, at: content!.at }, content!.body, own)
  from.more!.content = undefined
}

/** Has a message carry something else, in its place. */
export function carry(book: Book, message: Message, batch: Batch, body: Held, more: More | undefined): void {
  const { lapse } = message.more ?? {}
  book.encode(message)
  book.bytes -= sizeOf(message)
  if (lapse !== undefined) book.lapses.remove(lapse)
  book.lapsed.delete(message)
  Object.assign(message, { batch, body, more })
  if (more?.expires !== undefined) book.lapse(message, more.expires)
  book.bytes += sizeOf(message)
  book.hold(message)
}
