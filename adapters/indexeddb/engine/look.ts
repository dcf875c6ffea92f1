import type { LaneState, LanesPage, LanesQuery } from '../../../src/lanes.ts'
import {
  type ListQuery,
  type ListedMessage,
  type MessageState,
  type Outcome,
  type Page,
  MAX_ANSWER_BYTES,
} from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { holdsOfLane, tell } from './holds.ts'
import { keptOf } from './places.ts'
import {
  type Group,
  type Hold,
  type Kept,
  type Lane,
  type Message,
  type Place,
  idOf,
  lengthOf,
} from './records.ts'
import { after, sortable, under } from './rows.ts'

/** Of what a list goes on with, and behind which. Others are of no list. */
const CURSOR = /^[0-3],[\d.]+(,\d+)?$/

const USUAL: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked']

type Listable = Message | Place | Kept

/** The most that is looked at for one page. */
const LOOKED = 4000

/** Looks at messages of a group, of a queue that is up to its time. */
export async function list(book: Book, query: ListQuery): Promise<Page> {
  const { states = USUAL, ids, lane, limit, cursor, bodies = true } = query
  const group = book.group(query.group)
  if (cursor !== undefined && !CURSOR.test(cursor)) return { messages: [] }
  const from = cursor?.split(',').map(Number) ?? []
  const all = ids === undefined ? walk(book, group, states, from, limit) : given(book, group, ids)
  const messages: ListedMessage[] = []
  let left = Math.min(book.steps.looked, LOOKED)
  let bytes = 0
  let count = 0
  /** What was shown last, and what was looked at last. */
  let shown = ''
  let seen: Listable | undefined
  const leases = await book.leases(group)
  for await (const one of all) {
    // Given ones are few: they are counted off.
    if (ids !== undefined && ++count <= (from[1] ?? 0)) continue
    if (ids === undefined && left-- === 0) return { messages, cursor: cursorOf(seen!) }
    seen = one
    if (lane !== undefined && laneOf(one) !== lane) continue
    const listed = await show(book, group, one, bodies, leases)
    if (listed === undefined || !states.includes(listed.state)) continue
    if (messages.length > 0 && (messages.length >= limit || bytes > MAX_ANSWER_BYTES))
      return { messages, cursor: shown }
    shown = ids === undefined ? cursorOf(one) : `0,${count}`
    messages.push(listed)
    bytes += lengthOf(listed.body)
  }
  return { messages }
}

function isPlace(one: Listable): one is Place {
  return 'state' in one
}

function laneOf(one: Listable): string {
  return one.lane ?? ''
}

/** The part of a list that it is in, and its place there. */
function positionOf(one: Listable): number[] {
  if (isPlace(one)) return [2, one.n]
  if ('outcome' in one) return [3, one.n]
  return one.n > 0 ? [0, one.n] : [1, one.d!, one.t!]
}

/** Where the next page goes on. */
function cursorOf(one: Listable): string {
  return positionOf(one).join()
}

/** Messages in the order of the queue, delayed ones, dead letters, and outcomes. */
async function* walk(
  book: Book,
  group: Group | undefined,
  states: readonly MessageState[],
  [first = 0, ...from]: readonly number[],
  limit: number,
): AsyncGenerator<Listable, void> {
  const { messages } = book
  const count = messages.chunk(limit + 1)
  const has = (...some: readonly MessageState[]): boolean => some.some((state) => states.includes(state))
  const lined =
    (line: string) =>
    ([after = 0]: readonly number[]): Promise<Listable[]> => {
      const { g } = group!
      return book.line<Place | Kept>(IDBKeyRange.bound([g, line, after], [g, line, []], true), count)
    }
  const parts: [isWanted: boolean, read: (after: readonly number[]) => Promise<Listable[]>][] = [
    [
      has('ready', 'leased', 'delayed', 'blocked', 'parked'),
      async ([after = 0]) => {
        const some = await messages.range(IDBKeyRange.lowerBound(after, true), count)
        if (group !== undefined) await book.loadPlaces(group, some)
        return some
      },
    ],
    [
      has('delayed', 'ready'),
      ([...after]) =>
        messages.indexed(IDBKeyRange.lowerBound(after.length > 0 ? after : [-Infinity], true), count, 'd'),
    ],
    [group !== undefined && has('dead'), lined('d')],
    [group !== undefined && has('done'), lined('K')],
  ]
  for (const [part, [isWanted, read]] of parts.entries()) {
    if (!isWanted || part < first) continue
    for (let after: readonly number[] = part === first ? from : []; ;) {
      const some = await read(after)
      yield* some
      if (some.length < count) break
      after = positionOf(some.at(-1)!).slice(1)
    }
  }
}

async function* given(
  book: Book,
  group: Group | undefined,
  ids: readonly string[],
): AsyncGenerator<Listable, void> {
  for (const id of new Set(ids)) {
    const message = await book.messages.find(id)
    if (message !== undefined) yield message
    if (group === undefined) continue
    yield* await book.line<Place>(under([group.g, 'D', id]), 256)
    yield* await keptOf(book, group, id)
  }
}

async function show(
  book: Book,
  group: Group | undefined,
  one: Listable,
  bodies: boolean,
  leases: ReadonlyMap<number, Place>,
): Promise<ListedMessage | undefined> {
  if ('outcome' in one) return await showKept(book, group!, one)
  if (isPlace(one)) return showAs('dead', book, one.message!, one, bodies)
  const leased = leases.get(one.n)
  const place = leased ?? (group && one.n > 0 ? await book.standing(group, one) : undefined)
  if (place === undefined) {
    if ((one.x ?? Infinity) <= book.now) return undefined
    if (
      group === undefined
        ? one.only !== undefined || !(await book.isRetained(one))
        : !(await book.needs(group, one))
    )
      return undefined
    if (one.n < 0) return showAs('delayed', book, one, undefined, bodies)
    if (group !== undefined && !(await book.isAhead(group, one))) return undefined
    return showAs('ready', book, one, undefined, bodies)
  }
  const { state, x = Infinity } = place
  if (state === 'dead' || state === 'gone' || (state !== 'leased' && !place.lost && x <= book.now))
    return undefined
  return showAs(state === 'waiting' ? 'delayed' : state, book, one, place, bodies, place.order)
}

function showAs(
  state: MessageState,
  book: Book,
  message: Message,
  place: Place | undefined,
  bodies: boolean,
  order: number = message.d ?? 0,
): ListedMessage {
  const { error, content } = place ?? {}
  return {
    id: idOf(message),
    state,
    body: bodies ? (content ?? message).body : '',
    headers: (content ?? message).headers,
    key: message.key,
    lane: message.lane,
    timestamp: (content ?? message).at,
    attempt: place?.attempt ?? 0,
    maxAttempts: (content ?? message).maxAttempts,
    ...((state === 'leased' || state === 'delayed') && { nextInMs: Math.max(0, order - book.now) }),
    ...(state !== 'parked' && { lastError: error }),
    ...(state === 'parked' && { parked: place!.parked }),
    ...(state === 'leased' && { outcome: place?.progress }),
    ...(state === 'dead' && { reason: place!.reason, deadAt: place!.deadAt, receipt: place!.receipt }),
  }
}

/** An outcome, unless its time is over or its dead letter is shown. */
async function showKept(book: Book, group: Group, kept: Kept): Promise<ListedMessage | undefined> {
  const { n, id, attempt, outcome, end, key, lane, at } = kept
  if (end <= book.now) return undefined
  if (outcome.status === 'dead' && (await book.place(group, n))?.state === 'dead') return undefined
  return { id, state: 'done', body: '', key, lane, timestamp: at, attempt, outcome }
}

/** What became of messages in a group. */
export async function results(
  book: Book,
  name: string,
  ids: readonly string[],
): Promise<(Outcome | undefined)[]> {
  const group = book.group(name)
  if (group === undefined) return ids.map(() => undefined)
  const leases = await book.leases(group)
  const all: (Outcome | undefined)[] = []
  let bytes = 0
  for (const id of ids) {
    if (bytes > MAX_ANSWER_BYTES) break
    const message = await book.messages.find(id)
    const place = message && leases.get(message.n)
    const [kept] = await keptOf(book, group, id)
    const isRunning = place?.progress !== undefined && place.order! > book.now
    const outcome = isRunning
      ? place.progress
      : kept !== undefined && kept.end > book.now
        ? kept.outcome
        : undefined
    all.push(outcome)
    if (outcome?.status === 'running') bytes += outcome.progress.length
    else if (outcome?.status === 'done') bytes += outcome.value?.length ?? 0
  }
  return all
}

/** Lanes that have something in a group, or are held; of a queue that is up to its time. */
export async function lanes(
  book: Book,
  { group: name, prefix = '', limit, cursor }: LanesQuery,
): Promise<LanesPage> {
  const group = book.group(name)
  const found: LaneState[] = []
  const [start, behind] = [sortable(prefix), after(cursor ?? '')]
  let from = behind > start && cursor !== undefined ? behind : start
  let left = Math.min(book.steps.looked, LOOKED)
  let seen = cursor ?? ''
  for (;;) {
    const some = await book.range<Lane>(IDBKeyRange.bound(['n', from], ['n', []]), 256)
    for (const lane of some) {
      if (!lane.name.startsWith(prefix)) return { lanes: found }
      if (left-- <= 0) return { lanes: found, cursor: seen }
      seen = lane.name
      const state = await stateOf(book, book.fresh(lane), name, group)
      if (state === undefined) continue
      if (found.length === limit) return { lanes: found, cursor: found.at(-1)!.lane }
      found.push(state)
    }
    if (some.length < 256) return { lanes: found }
    from = after(seen)
  }
}

async function stateOf(
  book: Book,
  lane: Lane,
  name: string,
  group: Group | undefined,
): Promise<LaneState | undefined> {
  const held: Hold[] = lane.holds > 0 ? await holdsOfLane(book, lane.name, name) : []
  const holds = held.map((one) => tell(book, one))
  const flow = group && (await book.knownFlow(group, lane.name))
  const size = group?.isLatest ? 0 : lane.size
  const waiting = flow === undefined ? size : flow.ahead + flow.behind
  const leased = flow?.leased ?? 0
  if (waiting + leased + holds.length === 0) return undefined
  const until = Math.max(0, ...holds.map(({ endsInMs, probing }) => (probing ? 0 : (endsInMs ?? Infinity))))
  const waits = flow !== undefined && flow.waits > 0 ? flow.order - book.now : 0
  const restsForMs = until > 0 ? until : Math.ceil(waits)
  const rests = waiting > 0 && restsForMs > 0 && restsForMs < Infinity
  return { lane: lane.name, waiting, leased, holds, ...(rests && { restsForMs }) }
}
