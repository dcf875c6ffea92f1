import type { ResumeOptions } from '../storage.ts'
import { dropEverywhere } from './append.ts'
import { type Book, placeIn } from './book.ts'
import { edit, settleContent } from './edit.ts'
import { forgetHolds } from './holds.ts'
import { expiresOf, goOn, move } from './places.ts'
import type { Message, Place } from './records.ts'

/** Drops messages in every group. Answers, for each, whether it was there. */
export function cancel(book: Book, ids: readonly string[]): boolean[] {
  return ids.map((id) => {
    const message = book.find(id)
    if (message === undefined) return false
    const isThere = dropEverywhere(book, message) || book.groups.length === 0
    // One that a deleted group has left is over already.
    book.end(message, !isThere)
    book.changed ||= isThere
    return isThere
  })
}

/** Has messages of a group that wait for a retry be due now. */
export function retryNow(book: Book, name: string, ids: readonly string[]): boolean[] {
  const group = book.group(name)
  return ids.map((id) => {
    const message = book.find(id)
    const place = group && message && placeIn(group, message)
    if (place?.state !== 'waiting') return false
    move(book, place, 'ready')
    return true
  })
}

/** Ends the wait of parked messages. */
export function resume(
  book: Book,
  ids: readonly string[],
  { group: only, edit: wanted }: ResumeOptions = {},
): boolean[] {
  const groups = book.groups.filter(({ name }) => only === undefined || name === only)
  return ids.map((id) => {
    let found = false
    for (const group of groups) {
      const parked = group.parked.get(id)?.filter((place) => expiresOf(place) > book.now) ?? []
      // All of an id, or with an edit the last.
      const latest = (): Place[] => parked.sort((a, b) => b.message.order - a.message.order).slice(0, 1)
      for (const place of wanted === undefined ? parked : latest()) {
        if (wanted !== undefined) edit(book, place, wanted)
        goOn(book, place)
        found = true
      }
    }
    return found
  })
}

/** Forgets a group. What only it had to do is over: {@link sweep} finds it. */
export function deleteGroup(book: Book, name: string): void {
  const group = book.group(name)
  if (group !== undefined) book.groups.splice(book.groups.indexOf(group), 1)
  forgetHolds(book, name, group)
  if (group === undefined) return
  if (book.groups.length === 0) book.clear()
  book.changed = true
}

/** Ends what nobody has to do any more, of so many: of the rest, nobody may have it as it was. Answers with the last one if there may be more. */
export function sweep<T>(
  book: Book,
  items: Iterable<T>,
  messageOf: (item: T) => Message,
  most: number,
): T | undefined {
  const over: Message[] = []
  let last: T | undefined
  for (const item of items) {
    if (most-- === 0) break
    last = item
    const message = messageOf(item)
    if (!book.isRetained(message)) over.push(message)
    else settleContent(book, message)
  }
  for (const message of over) book.end(message, true)
  return most < 0 ? last : undefined
}
