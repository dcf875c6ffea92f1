import type { ResumeOptions } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import type { Group, Message, Place } from './records.ts'
import { write } from './write.ts'

/** A parked message carries something else in one group. */
export async function edit(
  book: Book,
  group: Group,
  place: Place,
  { body, headers, maxAttempts, expiresInMs }: NonNullable<ResumeOptions['edit']>,
): Promise<void> {
  place.content = { body, headers, maxAttempts, at: book.clock }
  if (expiresInMs !== undefined) {
    place.x = book.now + expiresInMs
    place.lapses = true
    book.q.lapse = Math.min(book.q.lapse, place.x)
    book.touch()
  }
  write(book, group, place)
  const message = (await book.message(place.n))!
  if (!message.edited) book.put({ ...message, edited: true })
  await settleContent(book, place.n)
}

/** Once no group has it to do as it was, a message carries what it was edited to: a group that begins later gets that. */
export async function settleContent(book: Book, n: number): Promise<void> {
  const message = await book.message(n)
  if (message === undefined || !message.edited || message.only !== undefined) return
  let from: [Group, Place] | undefined
  for (const group of book.q.groups) {
    if (!(await book.needs(group, message))) continue
    const place = await book.placeIn(group, message)
    if (place?.content === undefined) return
    from ??= [group, place]
  }
  if (from !== undefined && (from[1].x ?? Infinity) > book.now) adopt(book, message, ...from)
}

function adopt(book: Book, message: Message, group: Group, place: Place): void {
  const { x } = place
  book.put({ ...message, ...place.content, x } as Message)
  book.q.lapse = Math.min(book.q.lapse, x ?? Infinity)
  book.touch()
  place.content = undefined
  if (place.state === 'leased') book.set(book.bundleOf.get(place)!)
  else write(book, group, place)
}
