import {
  type ClaimRequest,
  type ClaimResult,
  type Delivery,
  FILTERED_MS,
  type Held,
  LEASE_LOST,
  MAX_ANSWER_BYTES,
} from '../storage.ts'
import { type Book, hasReady, idOf, placeIn } from './book.ts'
import { holdsOfGroup, holdsOfLane, isProbe, letGo } from './holds.ts'
import { Names } from './names.ts'
import { die, expiresOf, move, stops, unlink } from './places.ts'
import { type Flow, type Group, type Places, Place } from './records.ts'
import { isLeased, receiptOf, settle } from './settle.ts'
import { passTime } from './time.ts'
import { type Budget, Turns, positionOf } from './turns.ts'
import { isEncoded } from './value.ts'

/**
 * Leases messages to a consumer.
 *
 * @param values Whether those bodies that are not encoded may stay so.
 */
export function claim(book: Book, request: ClaimRequest, values: boolean): ClaimResult<Held> {
  const { group: name, from, limit, only, deadForMs, parksNext = false, inHand: [inHand] = [] } = request
  book.start(request.groups)
  const group = book.group(name) ?? book.startGroup(name, from)
  const settled = request.settle && settle(book, name, request.settle)
  group.deadForMs = deadForMs
  group.parksNext = parksNext
  const { atOnce, passed } = book.steps
  const budget: Budget = { left: passed }
  let more = passTime(book, atOnce)
  if (meetLanes(book, group, passed)) more = true
  const turns = new Turns(book, group, request)
  const gates = holdsOfGroup(book, name)
  const isOpenNow = letGo(gates, group)
  const late = inHand === undefined ? inHand : !isLeased(book, group, inHand)
  const room = !isOpenNow || late ? 0 : isProbe(gates, group) ? Math.min(1, limit) : limit
  const taking = new Taking(book, group, request, values)
  const { deliveries } = taking
  while (deliveries.length < room && taking.bytes <= MAX_ANSWER_BYTES && budget.left > 0) {
    const flow = turns.next(budget)
    if (flow === undefined) break
    if (taking.takeFrom(flow)) turns.took(flow)
    else budget.left--
  }
  more ||= budget.left <= 0
  if (isOpenNow && !more && letGo(gates, group)) more = turns.next(budget) !== undefined || budget.left <= 0
  const position = only === undefined ? undefined : positionOf(group, turns.turn)
  const nextInMs = more || late ? 0 : nextIn(book, group, only !== undefined)
  return { deliveries, nextInMs, settled, position, late }
}

/** When time brings something that this group may take. */
function nextIn(
  { now, entries, holdEnds }: Book,
  { timers }: Group,
  isFiltered: boolean,
): number | undefined {
  const soonest = Math.min(timers.first?.order ?? Infinity, entries.first?.order ?? Infinity)
  const next = Math.min(soonest, holdEnds.first?.order ?? Infinity)
  if (next === Infinity) return undefined
  return Math.max(0, Math.ceil(next - now), isFiltered ? FILTERED_MS : 0)
}

/** A new group meets the lanes that were there before it, some at a time. Answers whether there are more. */
function meetLanes(book: Book, group: Group, most: number): boolean {
  if (group.walked === undefined) return false
  for (const lane of book.lanesByName.walk({ name: group.walked })) {
    if (most-- === 0) return true
    book.flowOf(group, lane)
    group.walked = lane.name
  }
  group.walked = undefined
  return false
}

/** What one claim has taken so far. */
class Taking {
  readonly deliveries: Delivery<Held>[] = []
  bytes = 0
  readonly #book: Book
  readonly #group: Group
  readonly #until: number
  readonly #maxAttempts: number
  readonly #values: boolean

  constructor(book: Book, group: Group, { leaseMs, maxAttempts }: ClaimRequest, values: boolean) {
    this.#book = book
    this.#group = group
    this.#until = book.now + leaseMs
    this.#maxAttempts = maxAttempts
    this.#values = values
  }

  /**
   * Looks at the next message of a lane: what was delivered before and first deliveries take turns. Answers whether it was
   * leased, and not buried, blocked or parked.
   */
  takeFrom(flow: Flow): boolean {
    const again = flow.again?.first
    const freed = flow.freed?.first
    const hasFirst = freed !== undefined || flow.cursor !== undefined
    const isAgain = again !== undefined && (!hasFirst || !flow.gaveAgain)
    const place = isAgain ? again : freed
    const taken = place === undefined ? this.#pass(flow) : this.#take(place)
    if (taken) flow.gaveAgain = isAgain
    if (!hasReady(flow)) this.#book.rest(flow)
    return taken
  }

  /** Takes the message at the cursor, if nothing of its key is before it. */
  #pass(flow: Flow): boolean {
    const message = flow.cursor!
    const known = placeIn(flow.group, message)
    flow.cursor = message.next
    if (known !== undefined) {
      // The group was done with it before it came by.
      if (known.state === 'gone') unlink(known)
      return false
    }
    flow.ahead--
    flow.group.ahead--
    const place = (message.place = new Place(flow, message))
    const { key } = message
    if (key !== undefined && expiresOf(place) > this.#book.now) {
      const keys = (flow.keys ??= new Names<Places | undefined>())
      if (keys.has(key)) {
        move(this.#book, place, 'blocked')
        return false
      }
      keys.set(key, undefined)
      if (stops(this.#book, place)) return false
    }
    return this.#take(place)
  }

  /** Leases a message, unless it has expired or used up its attempts. */
  #take(place: Place): boolean {
    const book = this.#book
    const { message, more, lost, attempt } = place
    const content = more?.content
    const maxAttempts =
      (content === undefined ? message.more?.maxAttempts : content.maxAttempts) ?? this.#maxAttempts
    const error = lost ? LEASE_LOST : place.error
    if (expiresOf(place) <= book.now) die(book, place, 'expired', place.error, this.#group)
    else if (attempt >= maxAttempts) die(book, place, 'exhausted', error, this.#group)
    else {
      if (lost) this.#group.failed++
      move(book, place, 'leased', this.#until)
      place.leases++
      place.receipt = undefined
      place.attempt++
      place.lost = false
      place.error = error
      if (more !== undefined) more.progress = more.parked = undefined
      this.#probe(place)
      this.#deliver(place, maxAttempts)
      return true
    }
    return false
  }

  #probe(place: Place): void {
    const { holds } = this.#book
    const { group, lane } = place.flow
    if (holds.size === 0 && lane.holds === undefined) return
    for (const { probing } of [...holdsOfGroup(this.#book, group.name), ...holdsOfLane(lane, group.name)])
      probing?.out.set(group, place)
  }

  #deliver(place: Place, maxAttempts: number): void {
    const { message, attempt, error, more: own } = place
    const { more, lane, batch } = message
    const body = own?.content?.body ?? (this.#values ? message.body : this.#book.encode(message))
    // Those that are not encoded are few, and short.
    if (isEncoded(body)) this.bytes += body.length
    this.deliveries.push({
      receipt: receiptOf(place),
      id: idOf(message),
      body,
      headers: own?.content === undefined ? more?.headers : own.content.headers,
      key: message.key,
      lane: lane.name === '' ? undefined : lane.name,
      timestamp: (own?.content ?? batch).at,
      keepMs: more?.keepMs,
      attempt,
      maxAttempts,
      lastError: error,
    })
  }
}
