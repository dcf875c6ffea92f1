import { type Book, ending } from './book.ts'
import { endHold } from './holds.ts'
import { die, forgetLetter, leaseReceipt, move, newPlace } from './places.ts'
import { linesOf } from './lines.ts'
import {
  type Bundle,
  type Flow,
  type Group,
  type Hold,
  type Message,
  type Place,
  type Queue,
  hasReady,
} from './records.ts'
import { type Row, under } from './rows.ts'

/** How many that are due are read at once. */
const CHUNK = 32

/** Whether time may have brought something. */
export function isDue({ q, now }: Book): boolean {
  return Math.min(q.due, ...Object.values(q.next), lapseOf(q), ...endsOf(q)) <= now
}

/** Before there are groups, nobody could have the dead letters. */
function lapseOf({ groups, lapse }: Queue): number {
  return groups.length > 0 ? lapse : Infinity
}

/** When holds of groups end, and of the queue. */
export function endsOf({ holds }: Queue): number[] {
  return holds.map(({ order }) => order)
}

/** What time does by itself happens, up to so much of it. Answers whether there is more. */
export async function passTime(book: Book, most: number): Promise<boolean> {
  const { q, now } = book
  const budget = { left: most }
  if (q.due <= now && (await enterDue(book, budget))) return true
  for (const held of q.holds) if (held.order <= now) await endHold(book, held)
  for (const [line, next] of Object.entries(q.next))
    if (next <= now && (await comeDue(book, Number(line), budget))) return true
  return lapseOf(q) <= now && (await lapse(book, budget))
}

interface Budget {
  left: number
}

/** When something comes next of which all that was due is done: what still is would be so for ever. */
function later({ now }: Book, time: number = Infinity): number {
  if (!(time > now)) throw new TypeError('what is due cannot be done')
  return time
}

/** Delayed messages take their places. */
async function enterDue(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  const due = await book.messages.indexed(
    IDBKeyRange.bound([-Infinity], [now, Infinity]),
    Math.max(0, budget.left) + 1,
    'd',
  )
  for (const message of due) {
    if (budget.left-- <= 0) return true
    await enter(book, message)
  }
  const [next] = await book.messages.indexed(IDBKeyRange.lowerBound([-Infinity]), 1, 'd')
  q.due = later(book, next?.d)
  return false
}

/** A delayed message takes its place at the end of the queue. */
async function enter(book: Book, delayed: Message): Promise<void> {
  const { q } = book
  const { n: before, d: _due, t = 0, ...message } = delayed
  // What nobody has to do any more.
  if (!(await book.isRetained(delayed))) return await book.end(ending(book, delayed), true)
  book.messages.delete(before)
  q.delayed--
  q.sent--
  const stored = await book.add(message)
  await entered(book, stored, (group) => {
    if (t > group.sinceTie) return true
    group.others--
    return false
  })
}

/** A message has taken its place: groups and lanes have it. */
export async function entered(
  book: Book,
  message: Message,
  isFor: (group: Group) => boolean = () => true,
): Promise<void> {
  const { q } = book
  const { lane: name, n } = message
  if (name !== undefined) {
    const lane = await book.lane(name)
    const flows = []
    for (const group of q.groups) flows.push(await book.flowOf(group, name))
    q.laned++
    q.lanedLeft++
    lane.size++
    book.set(lane)
    for (const [i, group] of q.groups.entries()) {
      const flow = flows[i]!
      flow.ahead++
      group.ahead++
      book.offer(group, flow)
      book.set(flow)
    }
  }
  for (const group of q.groups) {
    if (isFor(group)) continue
    // One that was delayed when the group started at the latest.
    await book.pass(group, message)
    book.mark(group, n)
    await book.setDone(n, [...(await book.doneBy(n)), group.g])
  }
  book.expiresAt(message.x)
  book.changed = true
}

/** What stands in a line of time has its time. */
async function comeDue(book: Book, line: number, budget: Budget): Promise<boolean> {
  const { now } = book
  for (let count = CHUNK; count === CHUNK;) {
    const due = await book.line<Row>(IDBKeyRange.bound([line, 't'], [line, 't', now, []]), CHUNK)
    for (const row of due) {
      if (budget.left-- <= 0) return true
      await happen(book, row, budget)
    }
    count = due.length
  }
  await findNext(book, line)
  return false
}

/** Finds out when something comes due in a line. */
export async function findNext(book: Book, line: number): Promise<void> {
  const [next] = await book.line<Row>(under([line, 't']), 1)
  const times = (next === undefined ? [] : linesOf(next)).flatMap(([of, kind, time]) =>
    of === line && kind === 't' ? [time as number] : [],
  )
  book.q.next[line] = later(book, Math.min(...times))
}

async function happen(book: Book, row: Row, budget: Budget): Promise<void> {
  const [kind, g] = row.k
  if (kind === 'h') return await endHold(book, row as Hold)
  const group = book.q.groups.find((one) => one.g === g)
  // An id is forgotten, or an outcome, or what is left of a group.
  if (kind === 'i' || kind === 'o' || group === undefined) return book.remove(row.k)
  if (kind === 'f') {
    const flow = row as Flow
    flow.woken = true
    book.wake(group, flow)
    book.set(flow)
    if (!hasReady(flow)) await book.tidy(flow.lane)
    return
  }
  const { places } = row as Partial<Bundle>
  if (places === undefined) return await end(book, group, row as Place)
  budget.left -= places.length
  for (const place of places.slice()) await end(book, group, place)
}

/** The time of a place is over, if it is: its lease has ended, or its wait, or it expires; a dead letter is deleted. */
async function end(book: Book, group: Group, place: Place): Promise<void> {
  const { now } = book
  const { state, order = 0, x = Infinity } = place
  if (state === 'dead') return await forgetLetter(book, group, place)
  // Those who work on it have it to the end of their leases.
  if (state === 'leased' && order > now) return
  // What has expired under its lease may be done, and only nobody has said so: the next claim buries it.
  if (x <= now && state !== 'leased') return await die(book, group, place, 'expired', place.error, group)
  if (state === 'leased') {
    place.receipt = leaseReceipt(group, book.bundleOf.get(place)!, place)
    place.lost = true
    if (x <= now) place.lapses = undefined
  }
  if (order <= now && (state === 'leased' || state === 'waiting')) await move(book, group, place, 'ready')
}

/** Groups that have a message to do that has expired, and nobody at work on it, bury it. */
async function lapse(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  for (;;) {
    const due = await book.messages.indexed(
      IDBKeyRange.bound(q.lapsedTo, [now, Infinity], true),
      Math.max(1, Math.min(budget.left + 1, book.messages.chunk(256))),
      'x',
    )
    if (due.length === 0) break
    for (const message of due) {
      if (budget.left-- <= 0) return true
      q.lapsedTo = [message.x!, message.n]
      // What is delayed dies once it has its place.
      if (message.n > 0) await expire(book, message)
    }
  }
  const [next] = await book.messages.indexed(IDBKeyRange.lowerBound(q.lapsedTo, true), 1, 'x')
  q.lapse = later(book, next?.x)
  return false
}

async function expire(book: Book, message: Message): Promise<void> {
  const { now } = book
  for (const group of book.q.groups) {
    // The last who had it to do has buried it.
    if ((await book.messages.get(message.n)) === undefined) return
    const place = await book.standing(group, message)
    if (place !== undefined) {
      if (place.state !== 'dead' && !place.lost && (place.x ?? Infinity) <= now)
        await die(book, group, place, 'expired', place.error, group)
    } else if (await book.isAhead(group, message)) {
      await skip(book, group, message)
      await die(book, group, newPlace(group, message), 'expired', undefined, group)
    }
  }
}

/** A group has done with a message before it came by. */
async function skip(book: Book, group: Group, message: Message): Promise<void> {
  await book.pass(group, message)
  book.mark(group, message.n)
}
