import { type Book, sortable } from './book.ts'
import type { Group, Place } from './records.ts'
import type { Key } from './rows.ts'

/** Writes a place that is not leased, and where it is found. */
export function write(book: Book, group: Group, place: Place): void {
  if (place.state === 'blocked') return book.set(book.bundleOf.get(place)!)
  const { g } = group
  const { n, state, lane = '', order = 0, id = '', end, x } = place
  const l = sortable(lane)
  const lines: Key[] = []
  if (state === 'waiting') lines.push([g, 'w', order, n])
  else if (state === 'ready') lines.push([g, 'r', l, place.again ? 1 : 0, n])
  else if (state === 'parked') lines.push([g, 'p', id, n])
  else {
    lines.push([g, 'd', n], [g, 'D', id, n])
    if (end !== undefined) lines.push([g, 'e', end, n])
  }
  if (state !== 'dead' && place.lapses && x !== undefined) lines.push(['X', x, g, n])
  place.lines = lines
  book.set(place)
}
