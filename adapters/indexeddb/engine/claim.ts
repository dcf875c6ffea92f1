import {
  type Body,
  type ClaimRequest,
  type ClaimResult,
  type Delivery,
  FILTERED_MS,
  LEASE_LOST,
  MAX_ANSWER_BYTES,
} from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { blockKey, loadKeys } from './keys.ts'
import { holdsOfGroup, isProbe, letsGo, probe } from './holds.ts'
import { die, keyOf, keyRow, leaseReceipt, move, newPlace, occupy, stops } from './places.ts'
import {
  type Flow,
  type Group,
  type Lane,
  type Message,
  type Place,
  hasReady,
  idOf,
  lengthOf,
} from './records.ts'
import { type Key, after } from './rows.ts'
import { isLeased, settle } from './settle.ts'
import { sure } from './table.ts'
import { HOLDS, nextOf } from './lines.ts'
import { endsOf, findNext, passTime } from './time.ts'
import { type Budget, Turns, positionOf } from './turns.ts'

/** Leases messages to a consumer. */
export async function claim(
  book: Book,
  request: ClaimRequest,
  [list, isLast, at]: readonly [list: readonly Message[], isLast: boolean, from: number],
): Promise<ClaimResult> {
  const { group: name, from, limit, only, deadForMs, parksNext = false, inHand: [inHand] = [] } = request
  await book.start(request.groups)
  const group = book.group(name) ?? (await book.startGroup(name, from))
  if (at === group.flow.cursor) book.bring(group.flow, list, isLast)
  const settled = request.settle && (await settle(book, group, request.settle))
  group.deadForMs = deadForMs
  group.parksNext = parksNext
  const { atOnce, passed } = book.steps
  const budget: Budget = { left: passed }
  let more = await passTime(book, atOnce)
  if (await meetLanes(book, group, passed)) more = true
  const turns = new Turns(book, group, request)
  const gates = holdsOfGroup(book, name)
  const isOpenNow = gates.every((held) => letsGo(held, group))
  const late = inHand === undefined ? inHand : !(await isLeased(book, group, inHand))
  const room =
    !isOpenNow || late ? 0 : gates.some((held) => isProbe(held, group)) ? Math.min(1, limit) : limit
  const taking = new Taking(book, group, request)
  const { deliveries } = taking
  while (deliveries.length < room && taking.bytes <= MAX_ANSWER_BYTES && budget.left > 0) {
    const flow = await turns.next(budget)
    if (flow === undefined) break
    if (await taking.takeFrom(flow, budget)) turns.took(flow)
    else budget.left--
  }
  more ||= budget.left <= 0
  // Whoever got all that it asked for looks again in any case.
  if (limit > 0 && deliveries.length >= limit) more = true
  else if (isOpenNow && !more && gates.every((held) => letsGo(held, group)))
    more = (await turns.next(budget)) !== undefined || budget.left <= 0
  if (deliveries.length === 0 && group.isEarly) await lookAhead(book, group)
  book.flush()
  const position = only === undefined ? undefined : positionOf(group, turns.turn)
  book.memory.cursors.set(name, group.flow.cursor)
  book.memory.undelayed = book.q.delayed === 0
  const nextInMs = more || late ? 0 : nextIn(book, group, only !== undefined)
  return { deliveries, nextInMs, settled, position, late }
}

/** When time brings something that this group may take. */
function nextIn({ now, q }: Book, { g }: Group, isFiltered: boolean): number | undefined {
  const next = Math.min(q.due, nextOf(q, g), nextOf(q, HOLDS), ...endsOf(q))
  if (!(next < Infinity)) return undefined
  return Math.max(0, Math.ceil(next - now), isFiltered ? FILTERED_MS : 0)
}

/** What was to come first has come before its time. */
async function lookAhead(book: Book, group: Group): Promise<void> {
  const { g, counts } = group
  group.isEarly = false
  if (counts.leased + counts.waiting + book.q.lanes > 0) await findNext(book, g)
  else book.q.next[g] = Infinity
}

/** A new group meets the lanes that were there before it, some at a time. Answers whether there are more. */
async function meetLanes(book: Book, group: Group, most: number): Promise<boolean> {
  if (group.walked === undefined) return false
  const lanes = await book.range<Lane>(IDBKeyRange.bound(['n', group.walked], ['n', []]), most + 1)
  for (const lane of lanes.slice(0, most)) {
    book.fresh(lane)
    await book.flowOf(group, lane.name)
    group.walked = after(lane.name)
  }
  if (lanes.length > most) return true
  group.walked = undefined
  return false
}

/** What one claim has taken so far. */
class Taking {
  readonly deliveries: Delivery[] = []
  bytes = 0
  readonly #book: Book
  readonly #group: Group
  readonly #request: ClaimRequest
  readonly #until: number
  #keysTo = 0

  constructor(book: Book, group: Group, request: ClaimRequest) {
    this.#book = book
    this.#group = group
    this.#request = request
    this.#until = book.now + request.leaseMs
  }

  /**
   * Looks at the next message of a lane: what was delivered before and first deliveries take turns. Answers whether it was
   * leased, and not buried, blocked or parked.
   */
  async takeFrom(flow: Flow, budget: Budget): Promise<boolean> {
    const book = this.#book
    const group = this.#group
    const wanted = this.#request.limit
    const again = await book.firstReady(group, flow, 'again', wanted)
    const freed = await book.firstReady(group, flow, 'freed', wanted)
    const isPlain = flow === group.flow
    const hasFirst =
      freed !== undefined ||
      (isPlain ? (await book.peek(flow, budget, wanted)) !== undefined : flow.ahead > 0)
    const isAgain = again !== undefined && (!hasFirst || !flow.gaveAgain)
    const place = isAgain ? again : freed
    const taken = place === undefined ? await this.#pass(flow, budget) : await this.#take(place, flow)
    if (taken) flow.gaveAgain = isAgain
    if (!isPlain) {
      book.set(flow)
      if (!hasReady(flow)) book.rest(group, flow)
    }
    return taken
  }

  /** Takes the message at the cursor, if nothing of its key is before it. */
  async #pass(flow: Flow, budget: Budget): Promise<boolean> {
    const book = this.#book
    const group = this.#group
    const message = await book.peek(flow, budget, this.#request.limit)
    if (message === undefined) {
      // In a lane it is known how much comes.
      if (flow !== group.flow && flow.ahead > 0 && budget.left > 0) sure(message)
      return false
    }
    const { n, key, x = Infinity } = message
    flow.cursor = n + 1
    if (group.marks > 0 && (await book.isMarked(group, n))) {
      // The group was done with it before it came by.
      book.unmark(group, n)
      return false
    }
    await book.pass(group, message)
    const place = newPlace(group, message)
    if (key !== undefined && x > book.now) {
      await this.#loadKeys(flow, n)
      const row = await keyRow(book, group, place)
      if (row?.busy) {
        await move(book, group, place, 'blocked')
        return false
      }
      await occupy(book, group, place)
      if (row?.stop !== undefined && (await stops(book, group, place))) return false
    }
    return await this.#take(place, flow)
  }

  /** The keys of what comes next, all at once, and then where it is put if it is blocked. */
  async #loadKeys(flow: Flow, from: number): Promise<void> {
    if (from < this.#keysTo) return
    const book = this.#book
    const coming = book.coming(flow).slice(0, this.#request.limit)
    this.#keysTo = (coming.at(-1)?.n ?? from) + 1
    const keys = coming.flatMap(({ n, key, lane }): [Key, number][] =>
      key === undefined ? [] : [[keyOf(this.#group, lane, key), n]],
    )
    await loadKeys(
      book,
      keys.map(([k]) => k),
    )
    const met = new Set<string>()
    const behind: Key[] = []
    for (const [k, n] of keys) {
      const text = JSON.stringify(k)
      if (met.has(text) || (await book.get(k)) !== undefined) behind.push(blockKey(k, n))
      met.add(text)
    }
    await book.load(behind)
  }

  /** Leases a message, unless it has expired or used up its attempts. */
  async #take(place: Place, flow: Flow): Promise<boolean> {
    const book = this.#book
    const group = this.#group
    const { lost, attempt, content } = place
    const message = (await book.messages.get(place.n))!
    const maxAttempts =
      (content === undefined ? message.maxAttempts : content.maxAttempts) ?? this.#request.maxAttempts
    const error = lost ? LEASE_LOST : place.error
    if ((place.x ?? Infinity) <= book.now) await die(book, group, place, 'expired', place.error, group)
    else if (attempt >= maxAttempts) await die(book, group, place, 'exhausted', error, group)
    else {
      if (lost) group.failed++
      await move(book, group, place, 'leased', this.#until)
      place.again = true
      place.receipt = place.lost = place.progress = place.parked = undefined
      place.attempt++
      place.error = error
      await probe(book, group, place)
      this.#deliver(place, message, maxAttempts, content ?? message, flow)
      return true
    }
    return false
  }

  #deliver(
    place: Place,
    message: Message,
    maxAttempts: number,
    { body, headers, at }: { readonly body: Body } & Pick<Message, 'headers' | 'at'>,
    flow: Flow,
  ): void {
    const { attempt, error } = place
    this.bytes += lengthOf(body)
    this.deliveries.push({
      receipt: leaseReceipt(this.#group, this.#book.bundleOf.get(place)!, place),
      id: idOf(message),
      body,
      headers,
      key: message.key,
      lane: flow.lane === '' ? undefined : flow.lane,
      timestamp: at,
      keepMs: message.keepMs,
      attempt,
      maxAttempts,
      lastError: error,
    })
  }
}
