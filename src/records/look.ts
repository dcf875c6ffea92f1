import type { LaneState, LanesPage, LanesQuery } from '../lanes.ts'
import {
  type ListQuery,
  type ListedMessage,
  type MessageState,
  type Outcome,
  type Page,
  MAX_ANSWER_BYTES,
} from '../storage.ts'
import { type Book, idOf, isAhead, isFor, isLinked, placeIn } from './book.ts'
import { holdsOfLane, tell } from './holds.ts'
import { expiresOf } from './places.ts'
import { type Group, type Kept, type Lane, type Message, Place, byName } from './records.ts'
import { receiptOf } from './settle.ts'

/** Of what a list goes on with, and behind which. Others are of no list. */
const CURSOR = /^[0-3],[\d.]+(,\d+)?$/

const USUAL: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked']

type Listable = Message | Place | Kept

/** Looks at messages of a group, of a queue that is up to its time. */
export function list(book: Book, query: ListQuery): Page {
  const { states = USUAL, ids, lane, limit, cursor, bodies = true } = query
  const group = book.group(query.group)
  if (cursor !== undefined && !CURSOR.test(cursor)) return { messages: [] }
  const from = cursor?.split(',').map(Number) ?? []
  const all = ids === undefined ? walk(book, group, states, from) : given(book, group, ids)
  const messages: ListedMessage[] = []
  let left = book.steps.looked
  let bytes = 0
  let count = 0
  /** What was shown last, and what was looked at last. */
  let shown = ''
  let seen: Listable | undefined
  const at = (one: Listable): string => (ids === undefined ? cursorOf(one) : `0,${count}`)
  for (const one of all) {
    // Given ones are few: they are counted off.
    if (ids !== undefined && ++count <= (from[1] ?? 0)) continue
    if (ids === undefined && left-- === 0) return { messages, cursor: cursorOf(seen!) }
    seen = one
    if (lane !== undefined && laneOf(one) !== lane) continue
    const listed = show(book, group, one, bodies)
    if (listed === undefined || !states.includes(listed.state)) continue
    if (messages.length > 0 && (messages.length >= limit || bytes > MAX_ANSWER_BYTES))
      return { messages, cursor: shown }
    shown = at(one)
    messages.push(listed)
    bytes += listed.body.length
  }
  return { messages }
}

function laneOf(one: Listable): string {
  return ('message' in one ? one.message : one).lane.name
}

/** Where the next page goes on. */
function cursorOf(one: Listable): string {
  if (one instanceof Place) return `2,${one.order}`
  if ('outcome' in one) return `3,${one.order}`
  const { entry } = one.more ?? {}
  return entry === undefined ? `0,${one.order}` : `1,${entry.order},${entry.tie}`
}

/** Messages in the order of the queue, delayed ones, dead letters, and outcomes. */
function* walk(
  book: Book,
  group: Group | undefined,
  states: readonly MessageState[],
  [phase = 0, order = 0, tie = 0]: readonly number[],
): Generator<Listable, void> {
  if (phase <= 0 && hasAny(group, states)) yield* book.log.walk(order)
  if (phase <= 1 && states.some((state) => state === 'delayed' || state === 'ready'))
    for (const { message } of book.entries.walk(phase === 1 ? { order, tie } : undefined)) yield message
  if (group === undefined) return
  if (phase <= 2 && states.includes('dead')) yield* group.dead.walk(phase === 2 ? { order } : undefined)
  if (states.includes('done')) yield* group.kept.walk(phase === 3 ? { order } : undefined)
}

function hasAny(group: Group | undefined, states: readonly MessageState[]): boolean {
  if (group === undefined) return true
  const { counts, ahead } = group
  const of: Record<MessageState, number> = {
    ready: counts.ready + ahead,
    leased: counts.leased,
    delayed: counts.waiting,
    blocked: counts.blocked,
    parked: counts.parked,
    dead: 0,
    done: 0,
  }
  return states.some((state) => of[state] > 0)
}

function given(book: Book, group: Group | undefined, ids: readonly string[]): Listable[] {
  const all = [...new Set(ids)].flatMap((id) => [
    book.find(id),
    ...(group?.letters.get(id) ?? []),
    group?.keptById.get(id),
  ])
  return all.filter((one) => one !== undefined)
}

function show(
  book: Book,
  group: Group | undefined,
  one: Listable,
  bodies: boolean,
): ListedMessage | undefined {
  if ('outcome' in one) return showKept(book, one)
  if (one instanceof Place) return showAs('dead', book, one.message, one, bodies)
  const place = group && placeIn(group, one)
  if (place === undefined) {
    if ((one.more?.expires ?? Infinity) <= book.now) return undefined
    const { entry } = one.more ?? {}
    if (entry !== undefined) {
      if (group === undefined ? !book.isRetained(one) : !isFor(group, entry)) return undefined
      return showAs('delayed', book, one, undefined, bodies)
    }
    if (!isToDo(book, group, one)) return undefined
    return showAs('ready', book, one, undefined, bodies)
  }
  const { state } = place
  if (state === 'dead' || state === 'gone') return undefined
  if (state !== 'leased' && !place.lost && expiresOf(place) <= book.now) return undefined
  return showAs(state === 'waiting' ? 'delayed' : state, book, one, place, bodies)
}

/** Whether a group has yet to come by a message, or would, if it started now. */
function isToDo(book: Book, group: Group | undefined, message: Message): boolean {
  if (!isLinked(message)) return false
  return group === undefined ? book.isRetained(message) : isAhead(book.flowOf(group, message.lane), message)
}

function showAs(
  state: MessageState,
  book: Book,
  message: Message,
  place: Place | undefined,
  bodies: boolean,
): ListedMessage {
  const { more, lane, batch } = message
  const { order = more?.entry?.order ?? 0, error } = place ?? {}
  const own = place?.more
  const { content } = own ?? {}
  return {
    id: idOf(message),
    state,
    body: bodies ? (content?.body ?? book.encode(message)) : '',
    headers: content === undefined ? more?.headers : content.headers,
    key: message.key,
    lane: lane.name === '' ? undefined : lane.name,
    timestamp: (content ?? batch).at,
    attempt: place?.attempt ?? 0,
    maxAttempts: content === undefined ? more?.maxAttempts : content.maxAttempts,
    ...((state === 'leased' || state === 'delayed') && { nextInMs: Math.max(0, order - book.now) }),
    ...(state !== 'parked' && { lastError: error }),
    ...(state === 'parked' && { parked: own!.parked }),
    ...(state === 'leased' && { outcome: own?.progress }),
    ...(state === 'dead' && { reason: own!.reason, deadAt: own!.deadAt, receipt: receiptOf(place!) }),
  }
}

/** An outcome, unless its time is over or its dead letter is shown. */
function showKept(
  book: Book,
  { group, order, message, id, at, attempt, outcome, end }: Kept,
): ListedMessage | undefined {
  if (end!.order <= book.now || (outcome.status === 'dead' && group.dead.get({ order }) !== undefined))
    return undefined
  const { lane } = message
  return {
    id,
    state: 'done',
    body: '',
    key: message.key,
    lane: lane.name === '' ? undefined : lane.name,
    timestamp: at,
    attempt,
    outcome,
  }
}

/** What became of messages in a group. */
export function results(book: Book, name: string, ids: readonly string[]): (Outcome | undefined)[] {
  const group = book.group(name)
  return ids.map((id) => {
    if (group === undefined) return undefined
    const message = book.find(id)
    const place = message && placeIn(group, message)
    if (place?.state === 'leased' && place.order > book.now && place.more?.progress !== undefined)
      return place.more.progress
    const kept = group.keptById.get(id)
    return kept !== undefined && kept.end!.order > book.now ? kept.outcome : undefined
  })
}

/** Lanes that have something in a group, or are held; of a queue that is up to its time. */
export function lanes(book: Book, { group: name, prefix = '', limit, cursor }: LanesQuery): LanesPage {
  const group = book.group(name)
  const found: LaneState[] = []
  const start = cursor === undefined || byName({ name: cursor }, { name: prefix }) < 0 ? prefix : cursor
  let left = book.steps.looked
  let seen = start
  const own = start === cursor ? undefined : book.lanes.get(start)
  const some = own === undefined || own.name === '' ? [] : [own]
  for (const all of [some, book.lanesByName.walk({ name: start })]) {
    for (const lane of all) {
      if (!lane.name.startsWith(prefix)) break
      if (left-- === 0) return { lanes: found, cursor: seen }
      seen = lane.name
      const state = stateOf(book, lane, name, group)
      if (state === undefined) continue
      if (found.length === limit) return { lanes: found, cursor: found.at(-1)!.lane }
      found.push(state)
    }
  }
  return { lanes: found }
}

function stateOf(book: Book, lane: Lane, name: string, group: Group | undefined): LaneState | undefined {
  const holds = holdsOfLane(lane, name).map((held) => tell(book, held))
  const flow = group && book.flowOf(group, lane)
  const waiting = flow === undefined ? lane.size : flow.ahead + flow.behind
  const leased = flow?.leased ?? 0
  if (waiting + leased + holds.length === 0) return undefined
  const held = Math.max(0, ...holds.map(({ endsInMs, probing }) => (probing ? 0 : (endsInMs ?? Infinity))))
  const waits = flow !== undefined && flow.waits > 0 && flow.order > 0 ? flow.order - book.now : 0
  const restsForMs = held > 0 ? held : Math.ceil(waits)
  const rests = waiting > 0 && restsForMs > 0 && restsForMs < Infinity
  return { lane: lane.name, waiting, leased, holds, ...(rests && { restsForMs }) }
}
