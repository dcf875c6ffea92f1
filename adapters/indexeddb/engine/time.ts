import type { Book, Known } from './book.ts'
import { ending, hasReady, sure } from './book.ts'
import { endHold } from './holds.ts'
import { endOf } from './pack.ts'
import { die, forgetLetter, leaseReceipt, move, newPlace } from './places.ts'
import type { Bundle, Flow, Group, Hold, Kept, Message, Place } from './records.ts'
import { under } from './rows.ts'

/** Whether time may have brought something. */
export function isDue({ q, now }: Book): boolean {
  if (Math.min(q.due, q.holdEnds, q.forgets) <= now || (q.groups.length > 0 && q.lapse <= now)) return true
  return q.groups.some(({ next, ends }) => Math.min(next, ends) <= now)
}

/** What time does by itself happens, up to so much of it. Answers whether there is more. */
export async function passTime(book: Book, most: number): Promise<boolean> {
  const { q, now } = book
  if (!isDue(book)) return false
  const budget = { left: most }
  if (q.due <= now && (await enterDue(book, budget))) return true
  if (q.holdEnds <= now && (await endHolds(book, budget))) return true
  for (const group of q.groups) {
    if (group.next <= now && (await comeDue(book, group, budget))) return true
    if (group.ends <= now && (await endKept(book, group, budget))) return true
  }
  // Before there are groups, nobody could have the dead letters.
  if (q.groups.length > 0 && q.lapse <= now && (await lapse(book, budget))) return true
  return q.forgets <= now && (await forget(book, budget))
}

interface Budget {
  left: number
}

/** When something comes next of which all that was due is done: what still is would be so for ever. */
function later({ now }: Book, time: number | undefined): number {
  if (time !== undefined && !(time > now)) throw new TypeError('what is due cannot be done')
  return time ?? Infinity
}

/** Delayed messages take their places. */
async function enterDue(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  const due = await book.messages(
    IDBKeyRange.bound([-Infinity], [now, Infinity]),
    Math.max(0, budget.left) + 1,
    'd',
  )
  for (const message of due) {
    if (budget.left-- <= 0) return true
    await enter(book, message)
  }
  const [next] = await book.messages(IDBKeyRange.lowerBound([-Infinity]), 1, 'd')
  q.due = later(book, next?.d)
  book.touch()
  return false
}

/** A delayed message takes its place at the end of the queue. */
async function enter(book: Book, delayed: Message): Promise<void> {
  const { q } = book
  const { n: before, d: _due, t = 0, ...message } = delayed
  // What nobody has to do any more.
  if (!(await book.isRetained(delayed)))
    return await book.end({ ...ending(delayed), back: isOver(book, delayed) }, true)
  book.delete(before)
  q.delayed--
  q.sent--
  const stored = await book.add(message)
  await entered(book, stored, (group) => {
    if (t > group.sinceTie) return true
    group.others--
    return false
  })
}

function isOver({ q: { jobs } }: Book, { t = 0 }: Message): boolean {
  return jobs.some(({ isAll, toTie }) => isAll && t <= toTie)
}

/** A message has taken its place: groups and lanes have it. */
export async function entered(
  book: Book,
  message: Message,
  isFor: (group: Group) => boolean = () => true,
): Promise<void> {
  const { q } = book
  const { lane: name, n } = message
  book.touch()
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
      book.setFlow(group, flow)
    }
  }
  for (const group of q.groups) {
    if (isFor(group)) continue
    // One that was delayed when the group started at the latest.
    await book.pass(group, message)
    book.mark(group, n)
    await book.setDone(n, [...(await book.doneBy(n)), group.g])
  }
  const { x } = message
  if (x !== undefined) {
    q.lapse = Math.min(q.lapse, x)
    if (x <= q.lapsedTo[0]) q.lapsedTo = [x, -Infinity]
  }
  book.changed = true
}

async function endHolds(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  for (const held of q.holds) {
    if (held.order > now) continue
    if (budget.left-- <= 0) return true
    await endHold(book, held)
  }
  const lanes = await book.line<Hold>(
    IDBKeyRange.bound(['h', -Infinity], ['h', now]),
    Math.max(0, budget.left) + 1,
  )
  for (const held of lanes) {
    if (budget.left-- <= 0) return true
    await endHold(book, held)
  }
  const [next] = await book.line<Hold>(under(['h']), 1)
  q.holdEnds = Math.min(later(book, next?.order), ...q.holds.map(({ order }) => order))
  book.touch()
  return false
}

/** Leases have ended, retries have come, lanes may go again. */
async function comeDue(book: Book, group: Group, budget: Budget): Promise<boolean> {
  const { now } = book
  const { g } = group
  for (;;) {
    const [row] = await book.line<Bundle>(IDBKeyRange.bound([g, 'u'], [g, 'u', now, []]), 1)
    if (row === undefined) break
    const due = row.places.filter(({ order }) => order! <= now)
    sure(due[0])
    for (const place of due) {
      if (budget.left-- <= 0) return true
      const receipt = leaseReceipt(group, row, place)
      if ((place.x ?? Infinity) <= now) await die(book, group, place, 'expired', place.error, group)
      else {
        place.lost = true
        place.receipt = receipt
        await move(book, group, place, 'ready')
      }
    }
  }
  const retries = await book.line<Place>(
    IDBKeyRange.bound([g, 'w'], [g, 'w', now, []]),
    Math.max(0, budget.left) + 1,
  )
  for (const place of retries) {
    if (budget.left-- <= 0) return true
    if ((place.x ?? Infinity) <= now) await die(book, group, place, 'expired', place.error, group)
    else await move(book, group, place, 'ready')
  }
  const flows = await book.line<Flow>(
    IDBKeyRange.bound([g, 't'], [g, 't', now, []]),
    Math.max(0, budget.left) + 1,
  )
  for (const flow of flows) {
    if (budget.left-- <= 0) return true
    flow.woken = true
    book.wake(group, flow)
    book.setFlow(group, flow)
    if (!hasReady(flow)) await book.tidy(flow.lane)
  }
  await findNext(book, group)
  return false
}

/** Finds out when something of a group comes due. */
export async function findNext(book: Book, group: Group): Promise<void> {
  const { g, counts } = group
  book.touch()
  group.isEarly = false
  group.next = Infinity
  if (counts.leased + counts.waiting + book.q.lanes === 0) return
  const [[lease], [retry], [flow]] = await Promise.all([
    book.line<Bundle>(under([g, 'u']), 1),
    book.line<Place>(under([g, 'w']), 1),
    book.line<Flow>(under([g, 't']), 1),
  ])
  group.next = Math.min(
    lease === undefined ? Infinity : endOf(lease),
    retry?.order ?? Infinity,
    flow?.order ?? Infinity,
  )
}

async function endKept(book: Book, group: Group, budget: Budget): Promise<boolean> {
  const { now } = book
  const { g } = group
  const all = await book.line<Place | Kept>(
    IDBKeyRange.bound([g, 'e'], [g, 'e', now, []]),
    Math.max(0, budget.left) + 1,
  )
  for (const one of all) {
    if (budget.left-- <= 0) return true
    if ('outcome' in one) book.remove(one.k)
    else await forgetLetter(book, group, one)
  }
  const [next] = await book.line<Place | Kept>(under([g, 'e']), 1)
  group.ends = later(book, next?.end)
  book.touch()
  return false
}

/** Groups that have a message to do that has expired, and nobody at work on it, bury it. */
async function lapse(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  for (;;) {
    const due = await book.messages(
      IDBKeyRange.bound(q.lapsedTo, [now, Infinity], true),
      Math.max(1, Math.min(budget.left + 1, book.chunk(256))),
      'x',
    )
    if (due.length === 0) break
    for (const message of due) {
      if (budget.left-- <= 0) return true
      q.lapsedTo = [message.x!, message.n]
      book.touch()
      // What is delayed dies once it has its place.
      if (message.n > 0) await expire(book, message)
    }
  }
  const own = await book.line<Place | Bundle>(
    IDBKeyRange.bound(['X'], ['X', now, []]),
    Math.max(0, budget.left) + 1,
  )
  for (const row of own) {
    const group = q.groups.find(({ g }) => g === row.k[1])
    if (group === undefined) book.remove(row.k)
    for (const place of 'places' in row ? row.places.slice() : [row]) {
      if (group === undefined || !place.lapses || place.x! > now) continue
      if (budget.left-- <= 0) return true
      place.lapses = undefined
      await die(book, group, place, 'expired', place.error, group)
    }
  }
  const [[next], [mine]] = await Promise.all([
    book.messages(IDBKeyRange.lowerBound(q.lapsedTo, true), 1, 'x'),
    book.line<Place | Bundle>(under(['X']), 1),
  ])
  const ends = (mine === undefined ? [] : 'places' in mine ? mine.places : [mine]).filter(
    ({ lapses }) => lapses,
  )
  q.lapse = later(book, Math.min(next?.x ?? Infinity, ...ends.map(({ x = Infinity }) => x)))
  book.touch()
  return false
}

async function expire(book: Book, message: Message): Promise<void> {
  const { now } = book
  for (const group of book.q.groups) {
    // The last who had it to do has buried it.
    if ((await book.message(message.n)) === undefined) return
    const place = await book.standing(group, message)
    if (place !== undefined) {
      if (place.state !== 'dead' && (place.x ?? Infinity) <= now)
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

async function forget(book: Book, budget: Budget): Promise<boolean> {
  const { q, now } = book
  const all = await book.line<Known>(IDBKeyRange.bound(['K'], ['K', now, []]), Math.max(0, budget.left) + 1)
  for (const known of all) {
    if (budget.left-- <= 0) return true
    await book.forget(known)
  }
  const [next] = await book.line<Known>(under(['K']), 1)
  q.forgets = later(book, next?.until)
  book.touch()
  return false
}
