import type { ResumeOptions } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import type { Message, Place } from './records.ts'

/** A parked message carries something else in one group. */
export async function edit(
  book: Book,
  place: Place,
  { body, headers, maxAttempts, expiresInMs }: NonNullable<ResumeOptions['edit']>,
): Promise<void> {
  place.content = { body, headers, maxAttempts, at: book.clock }
  if (expiresInMs !== undefined) {
    place.x = book.now + expiresInMs
    place.lapses = true
  }
  book.save(place)
  const message = (await book.messages.get(place.n))!
  if (!message.edited) book.messages.put({ ...message, edited: true })
  await settleContent(book, place.n)
}

/** Once no group has it to do as it was, a message carries what it was edited to: a group that begins later gets that. */
export async function settleContent(book: Book, n: number): Promise<void> {
  const message = await book.messages.get(n)
  if (message === undefined || !message.edited || message.only !== undefined) return
  let from: Place | undefined
  for (const group of book.q.groups) {
    if (!(await book.needs(group, message))) continue
    const place = await book.placeIn(group, message)
    if (place?.content === undefined) return
    from ??= place
  }
  if (from !== undefined && (from.x ?? Infinity) > book.now) adopt(book, message, from)
}

function adopt(book: Book, message: Message, place: Place): void {
  const { x } = place
  book.messages.put({ ...message, ...place.content, x } as Message)
  book.expiresAt(x)
  place.content = undefined
  book.save(place)
}
