import type { Book } from './book.ts'
import { isAhead, isLinked, isOpen, placeIn } from './book.ts'
import { endHold } from './holds.ts'
import { die, expiresOf, forgetKept, forgetLetter, move, skip } from './places.ts'
import { type Lapse, Flow, Place } from './records.ts'

/** A clock that runs behind by more than this was set back. Less is what clocks of one machine differ by. */
const JUMP_MS = 1000

/**
 * Reads the clock. The time of deadlines goes on from where it was when the clock is set back, so that nothing waits longer
 * than the duration it was given.
 */
export function readClock(book: Book, clock: number): void {
  const now = clock + book.skew
  if (now < book.latest - JUMP_MS) book.skew = book.latest - clock
  book.clock = clock
  book.now = book.latest = Math.max(now, book.latest)
}

/** What time does by itself happens, up to so much of it. Answers whether there is more. */
export function passTime(book: Book, most: number): boolean {
  const { now, groups, entries, holdEnds, lapses, forgets } = book
  let left = most
  for (let entry = entries.first; entry !== undefined && entry.order <= now; entry = entries.first) {
    if (left-- <= 0) return true
    entries.remove(entry)
    const { message } = entry
    message.more!.entry = undefined
    // That may have been gone meanwhile.
    message.lane = book.lane(message.lane.name)
    book.enter(message, entry)
    // The groups that it was for may be gone.
    if (!book.isRetained(message)) book.end(message, true)
  }
  for (let held = holdEnds.first; held !== undefined && held.order <= now; held = holdEnds.first) {
    if (left-- <= 0) return true
    endHold(book, held)
  }
  for (const { timers, ends } of groups) {
    for (let one = timers.first; one !== undefined && one.order <= now; one = timers.first) {
      if (left-- <= 0) return true
      if (one instanceof Flow) {
        one.woken = true
        book.wake(one)
      } else comeDue(book, one)
    }
    for (let end = ends.first; end !== undefined && end.order <= now; end = ends.first) {
      if (left-- <= 0) return true
      const { of } = end
      if (of instanceof Place) forgetLetter(book, of)
      else if (of instanceof Flow) {
        ends.remove(end)
        of.isIdle = false
        book.tidy(of.lane)
      } else forgetKept(of)
    }
  }
  // Before there are groups, nobody could have the dead letters.
  while (groups.length > 0) {
    const lapse = lapses.first
    if (lapse === undefined || lapse.order > now) break
    if (left-- <= 0) return true
    expire(book, lapse)
  }
  for (let known = forgets.first; known !== undefined && known.order <= now; known = forgets.first) {
    if (left-- <= 0) return true
    forgets.remove(known)
    book.remembered.delete(known.id)
  }
  return false
}

/** A lease has ended, or the time of a retry has come. */
function comeDue(book: Book, place: Place): void {
  const { group } = place.flow
  const isLost = place.state === 'leased'
  // What has expired under its lease may be done, and only nobody has said so: the next claim buries it.
  if (!isLost && expiresOf(place) <= book.now) return die(book, place, 'expired', place.error, group)
  move(book, place, 'ready')
  place.lost = isLost
}

/** Groups that have a message to do and nobody at work on it bury it. */
function expire(book: Book, lapse: Lapse): void {
  const { message, place: only } = lapse
  book.lapses.remove(lapse)
  if (only === undefined) message.more!.lapse = undefined
  else only.more!.lapse = undefined
  for (const group of book.groups) {
    if (only !== undefined && only.flow.group !== group) continue
    const place = placeIn(group, message)
    if (place !== undefined) {
      if (isOpen(place) && place.state !== 'leased' && !place.lost && expiresOf(place) <= book.now)
        die(book, place, 'expired', place.error, group)
    } else if (isLinked(message)) {
      const flow = book.flowOf(group, message.lane)
      if (isAhead(flow, message)) die(book, skip(flow, message), 'expired', undefined, group)
    }
  }
  // Those who work on it have it to the end of their leases.
  if (only === undefined && book.log.get(message.order) === message) book.lapsed.add(message)
}
