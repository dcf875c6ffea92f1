import { BEHIND_DEAD, type DeadReason, type DeadSettlement, type Outcome } from '../storage.ts'
import { type Book, idOf, isAhead, isLinked, isOpen, sizeOf } from './book.ts'
import { settleContent } from './edit.ts'
import { Line, byOrder } from './line.ts'
import { freeProbed } from './holds.ts'
import { Names } from './names.ts'
import {
  type Flow,
  type Kept,
  type Message,
  type MoreOfPlace,
  type Places,
  type State,
  Place,
} from './records.ts'

function newLine(): Places {
  return new Line(byOrder)
}

export function keyOf({ message }: Place): string | undefined {
  return message.key
}

export function moreOf(place: Place): MoreOfPlace {
  return (place.more ??= {})
}

/** When a message expires in a place. */
export function expiresOf({ more, message }: Place): number {
  return more?.expires ?? message.more?.expires ?? Infinity
}

/** Moves a place to a state, and into the line of that state. */
export function move(book: Book, place: Place, state: State, order: number = place.message.order): void {
  const { flow } = place
  leave(book, place)
  place.state = state
  place.order = order
  count(place, 1)
  if (state === 'leased' || state === 'waiting') {
    place.tie = ++book.ties
    flow.group.timers.add(place)
  } else if (state === 'ready') {
    if (place.leases > 0) (flow.again ??= newLine()).add(place)
    else (flow.freed ??= newLine()).add(place)
    book.offer(flow)
  } else if (state === 'blocked') {
    const { keys } = flow
    const key = keyOf(place)!
    let behind = keys!.get(key)
    if (behind === undefined) keys!.set(key, (behind = newLine()))
    behind.add(place)
  } else if (state === 'dead') flow.group.dead.add(place)
  else if (state === 'parked') note(flow.group.parked, place)
  book.changed = true
}

/** Takes a place out of the line that it stands in. */
function leave(book: Book, place: Place): void {
  const { flow, state } = place
  count(place, -1)
  if (state === 'leased' || state === 'waiting') flow.group.timers.remove(place)
  else if (state === 'ready') (place.leases > 0 ? flow.again! : flow.freed!).remove(place)
  else if (state === 'blocked') flow.keys!.get(keyOf(place)!)!.remove(place)
  else if (state === 'dead') flow.group.dead.remove(place)
  else if (state === 'parked') forget(flow.group.parked, place)
  place.state = 'gone'
  if (state === 'leased') book.wake(flow)
}

/** Several may have one id: a later message of it may be there while an earlier one is on its way. */
function note(byId: Names<Place[]>, place: Place): void {
  const id = idOf(place.message)
  const places = byId.get(id)
  if (places === undefined) byId.set(id, [place])
  else places.push(place)
}

function forget(byId: Names<Place[]>, place: Place): void {
  const id = idOf(place.message)
  const places = byId.get(id)!
  if (places.length === 1) byId.delete(id)
  else places.splice(places.indexOf(place), 1)
}

function count({ flow, state }: Place, by: 1 | -1): void {
  if (state === 'gone') return
  flow.group.counts[state] += by
  if (state === 'leased') flow.leased += by
  else if (state !== 'dead') flow.behind += by
}

/** The group has a message to do no more, and leaves its line and its key. */
function letGo(book: Book, place: Place): void {
  const { flow, more, state } = place
  // What is blocked or was never passed is not the first of its key.
  const key = isOpen(place) && state !== 'blocked' ? keyOf(place) : undefined
  leave(book, place)
  place.lost = false
  if (more !== undefined) {
    if (more.lapse !== undefined) book.lapses.remove(more.lapse)
    if (more.behind?.more?.stopped === place) more.behind.more.stopped = undefined
    more.lapse = more.parked = more.behind = more.progress = more.due = undefined
  }
  if (key !== undefined) free(book, flow, key)
  book.changed = true
}

/** Done, or dropped: nothing is kept of a place but that it is not to be passed again. */
export function drop(book: Book, place: Place): void {
  letGo(book, place)
  unlink(place)
}

export function unlink(place: Place): void {
  const { message, flow } = place
  // One that the group has yet to come by is a mark that it has nothing to do there.
  if (isLinked(message) && isAhead(flow, message)) return
  if (message.place === place) message.place = place.other
  else {
    let before = message.place
    while (before !== undefined && before.other !== place) before = before.other
    if (before !== undefined) before.other = place.other
  }
}

/** A place of a message that the group has not passed, which it is done with before it does. */
export function skip(flow: Flow, message: Message): Place {
  flow.ahead--
  flow.group.ahead--
  return (message.place = new Place(flow, message))
}

/** The first of a key is done, dead or dropped: the next one has its turn. */
function free(book: Book, flow: Flow, key: string): void {
  const next = flow.keys?.get(key)?.first
  if (next === undefined) flow.keys?.delete(key)
  else release(book, next)
}

/** Nobody of its key is before it any more. */
export function release(book: Book, place: Place): void {
  const due = place.more?.due ?? 0
  if (stops(book, place)) return
  if (due > book.now) move(book, place, 'waiting', due)
  else move(book, place, 'ready')
}

/** Whether a dead letter of its key has it parked, which then it is. */
export function stops(book: Book, place: Place): boolean {
  const { flow, message } = place
  const key = keyOf(place)
  const letter = key === undefined ? undefined : flow.stops?.get(key)
  if (letter === undefined || letter.message.order > message.order || place.more?.expires === Infinity)
    return false
  flow.stops!.delete(key!)
  park(book, place, BEHIND_DEAD)
  place.more!.behind = letter
  moreOf(letter).stopped = place
  return true
}

export function park(book: Book, place: Place, reason: string, data?: string): void {
  move(book, place, 'parked')
  place.lost = false
  place.error = reason
  const more = moreOf(place)
  more.parked = { reason, ...(data !== undefined && { data }), at: book.clock }
  more.progress = undefined
}

/** It goes on, and its attempts are counted anew. */
export function goOn(book: Book, place: Place): void {
  const { more } = place
  if (more?.behind?.more?.stopped === place) more.behind.more.stopped = undefined
  if (more !== undefined) more.parked = more.behind = undefined
  place.attempt = 0
  place.error = undefined
  move(book, place, 'ready')
}

/** A delivery was acked. */
export function finish(book: Book, place: Place, value: DoneValue): void {
  const { flow, message } = place
  if (message.more?.keepMs !== undefined) keep(book, place, { status: 'done', value, at: book.clock })
  flow.group.acked++
  freeProbed(book, place)
  drop(book, place)
  settleEnd(book, message)
}

type DoneValue = Extract<Outcome, { status: 'done' }>['value']

/** A group is done with a message: if it was the last, the message is over. */
function settleEnd(book: Book, message: Message): void {
  if (book.groups.length === 1 || !book.isRetained(message)) book.end(message, true)
  else settleContent(book, message)
}

/** A message becomes a dead letter of a group. */
export function die(
  book: Book,
  place: Place,
  reason: DeadReason,
  error: string | undefined,
  { deadForMs, parksNext }: Pick<DeadSettlement, 'deadForMs' | 'parksNext'>,
): void {
  const { flow, message, state, lost } = place
  const { group } = flow
  const key = keyOf(place)
  if (state === 'leased' || lost) group.failed++
  if (key !== undefined && parksNext === true) (flow.stops ??= new Names()).set(key, place)
  letGo(book, place)
  place.leases++
  place.receipt = undefined
  place.error = error
  const more = moreOf(place)
  more.reason = reason
  more.deadAt = book.clock
  move(book, place, 'dead')
  note(group.letters, place)
  if (deadForMs !== undefined) {
    more.end = { order: book.now + deadForMs, tie: ++book.ties, of: place, among: undefined }
    group.ends.add(more.end)
  }
  keep(book, place, { status: 'dead', reason, ...(error !== undefined && { error }), at: book.clock })
  book.encode(message)
  settleEnd(book, message)
}

/** A dead letter is deleted. */
export function forgetLetter(book: Book, place: Place): void {
  leaveLetters(place)
  leave(book, place)
  unlink(place)
  book.changed = true
  book.tidy(place.flow.lane)
}

function leaveLetters(place: Place): void {
  const { flow, more } = place
  const { group } = flow
  forget(group.letters, place)
  if (more!.end !== undefined) group.ends.remove(more!.end)
  more!.end = undefined
  const key = keyOf(place)
  if (key !== undefined && flow.stops?.get(key) === place) flow.stops.delete(key)
}

/** A dead letter is to be delivered again: it goes first, and what it had parked goes on behind it. It expires no more. */
export function redrive(book: Book, place: Place, due: number): void {
  const { message } = place
  const { group } = place.flow
  leaveLetters(place)
  leave(book, place)
  // Its lane may have been gone meanwhile.
  message.lane = isLinked(message) ? message.lane : book.lane(message.lane.name)
  const flow = (place.flow = book.flowOf(group, message.lane))
  if (book.log.get(message.order) === undefined) {
    book.log.add(message)
    book.bytes += sizeOf(message)
    const id = message.more?.id
    if (id !== undefined) {
      if (!book.ids.has(id)) book.ids.set(id, message)
      else if (message.more!.dedupeMs > 0) book.promising.add(message)
    }
  }
  group.low = Math.min(group.low, message.order - 1)
  const kept = group.keptById.get(idOf(message))
  // A later message of its id may have ended.
  if (kept?.message === message) forgetKept(kept)
  place.attempt = 0
  place.error = undefined
  const more = moreOf(place)
  more.reason = more.deadAt = undefined
  more.expires = Infinity
  more.due = due
  const key = keyOf(place)
  const { stopped } = more
  more.stopped = undefined
  if (key !== undefined) {
    const keys = (flow.keys ??= new Names())
    if (stopped?.state === 'parked') {
      stopped.more!.parked = stopped.more!.behind = stopped.error = undefined
      move(book, stopped, 'blocked')
    } else if (keys.has(key)) return move(book, place, 'blocked')
    else keys.set(key, undefined)
  }
  release(book, place)
}

/** Keeps what became of a message in a group, for the time that it asks for. */
function keep(book: Book, { flow, message, attempt, more: own }: Place, outcome: Outcome): void {
  const { more } = message
  if (more?.keepMs === undefined || more.superseded) return
  const { group } = flow
  const id = idOf(message)
  forgetKept(group.keptById.get(id))
  const kept: Kept = {
    order: message.order,
    group,
    message,
    id,
    at: (own?.content ?? message.batch).at,
    attempt,
    outcome,
    end: undefined,
    among: undefined,
  }
  kept.end = { order: book.now + more.keepMs, tie: ++book.ties, of: kept, among: undefined }
  group.ends.add(kept.end)
  group.kept.add(kept)
  group.keptById.set(id, kept)
  book.finished.push(id)
}

export function forgetKept(kept: Kept | undefined): void {
  if (kept === undefined) return
  const { group, end, id } = kept
  group.ends.remove(end!)
  group.kept.remove(kept)
  group.keptById.delete(id)
}
