import type { Body, ListQuery, ListedMessage, MessageState, Page } from '../storage.ts'
import { carryBodies } from './bodies.ts'
import { find } from './find.ts'
import { partOf, receiptOf } from './group.ts'
import { parseId } from './ids.ts'
import { inWork, openLane } from './lanes/lane.ts'
import { laneKey, laneOf } from './lanes/names.ts'
import { findLease } from './leases.ts'
import { headOf, locate, messageIn, messageOf, sideMessage, undone } from './places.ts'
import {
  type ChainRow,
  type DeadRow,
  type Delayed,
  type DeliverRow,
  type HeldRow,
  type Lease,
  type ResultRow,
  type TimerKey,
  type Segment,
  type SideRow,
  type Stored,
  DELIVER,
  PARKED,
  WAITS,
} from './rows.ts'
import { outcomeIn, seqOf, sizeOfOutcome } from './results.ts'
import { lengthOf, messageAt, sizeOf } from './segment.ts'
import { type Key, type Row, compareKeys } from './store.ts'
import { isBefore } from './sweep.ts'
import { trustSegment } from './trust.ts'
import { imagined, isLive, rowsOf, unjoined, unjoinedOne } from './unjoined.ts'
import { sideKey } from './waiting.ts'
import { type Group, type Work, amendmentsOf } from './work.ts'

type ListedRest = Omit<ListedMessage, 'id' | 'body' | 'headers' | 'key' | 'timestamp' | 'maxAttempts'>

/** A message on a list, and the point where it stands in its section. */
type Item = readonly [message: Stored, rest: ListedRest, point: Key]

/** The states that messages of a section can have, and what walks through them: from a point on, which comes once more. */
type Section = readonly [
  states: readonly MessageState[],
  walk: (group: Group, from?: Key) => Iterable<Item>,
  /** Lane by lane. */
  isOfLanes?: boolean,
]

/** Where messages of a group are, in the order in which they are shown. */
const SECTIONS: readonly Section[] = [
  [['leased', 'ready'], leased, true],
  [['delayed', 'ready'], waiting, true],
  [['blocked'], blocked, true],
  [['ready'], toTakeOver, true],
  [['ready'], ahead, true],
  [['delayed', 'ready'], delayed],
  [['dead'], dead],
  [['parked'], parked, true],
  [['done'], done],
]

/** Looks at messages of a group. Writes nothing. A cursor is a section, and the point of the message shown last. */
export function list(work: Work, query: ListQuery, existing: Group | undefined): Page {
  const group = existing ?? imagined(work, query.group)
  const { states, ids, limit, bodies = true } = query
  const wants = (state: MessageState): boolean =>
    states?.includes(state) ?? (state !== 'dead' && state !== 'done')
  const sections = ids === undefined ? SECTIONS : [given([...new Set(ids)], wants('dead'), wants('done'))]
  const messages: ListedMessage[] = []
  let bytes = work.limits.answerBytes
  let [at, from, lane = ''] = readCursor(query.cursor)
  for (; at < sections.length; at++) {
    const [some, walk, isOfLanes] = sections[at]!
    if (!some.some(wants)) continue
    for (const flow of isOfLanes ? flows(group, lane, query.lane) : [group]) {
      for (const [message, rest, point] of walk(flow, from)) {
        if (!wants(rest.state) || (from !== undefined && compareKeys(point, from) <= 0)) continue
        const { id, body, headers, key, lane, at: timestamp, maxAttempts } = message
        if (query.lane !== undefined && query.lane !== (lane ?? '')) continue
        const shown = bodies ? (body as Body) : ''
        messages.push({ id, body: shown, headers, key, lane, timestamp, maxAttempts, ...rest })
        bytes -= sizeOf({ body: shown, headers, key }) + sizeOfRest(rest)
        if (messages.length >= limit || bytes <= 0) {
          carryBodies(work, messages)
          return { messages, cursor: JSON.stringify([at, point, flow.work.lane]) }
        }
      }
      from = undefined
    }
    lane = ''
  }
  carryBodies(work, messages)
  return { messages }
}

function sizeOfRest({ outcome, lastError, parked }: ListedRest): number {
  const { reason = '', data = '' } = parked ?? {}
  return sizeOfOutcome(outcome) + (lastError?.length ?? 0) + reason.length + data.length
}

/** A group without its lanes, and then what it has in each: from one on, or in one only. */
function* flows(group: Group, from: string, only: string | undefined): Iterable<Group> {
  const { work } = group
  if (from === '' && !only) yield group
  for (const name of only === undefined ? lanesFrom(work, from) : [only]) {
    const lane = name === '' ? undefined : openLane(work, name)
    const flow = lane && (inWork(group, lane) ?? imagined(lane, group.name))
    if (flow !== undefined) yield flow
  }
}

function* lanesFrom(work: Work, from: string): Iterable<string> {
  if (work.queue.lanes === 0) return
  for (const [key] of rowsOf(work, 'lanes', { lower: laneKey(from) })) yield laneOf(key as string)
}

/** An unknown cursor is the end of the list: see contract 1 on absence. */
function readCursor(cursor = '[0]'): [section: number, from?: Key, lane?: string | undefined] {
  try {
    const [section, from, lane] = JSON.parse(cursor) as [number, Key, string?]
    if (section >= 0) return [section, from, lane ?? undefined]
  } catch {
    // As any other that nobody gave.
  }
  return [Infinity]
}

/** A message that is in a state until a time, and ready then. */
function until(work: Work, state: MessageState, at: number, attempt: number, lastError?: string): ListedRest {
  const left = at - work.now
  return left > 0 ? { state, attempt, nextInMs: left, lastError } : { state: 'ready', attempt, lastError }
}

function* leased(group: Group, from: Key = 0): Iterable<Item> {
  const { work, name, row } = group
  const lower = from as number
  const held = row.held === 0 ? [] : rowsOf<HeldRow>(work, 'held', { lower: [name, lower], upper: [name] })
  const own = inLeases(row.leases, lower)
  for (const seq of merged(own, numbersOf(held))) {
    const lease = findLease(group, seq)!
    const message = messageOf(group, lease, seq)
    if (message !== undefined) yield [message, leasedRest(group, seq, lease, message), seq]
  }
}

function* inLeases(leases: readonly Lease[], from: number): Iterable<number> {
  for (const { first, last } of leases) for (let seq = Math.max(first, from); seq <= last; seq++) yield seq
}

function* numbersOf(rows: Iterable<Row<HeldRow>>): Iterable<number> {
  for (const [key] of rows) yield partOf(key, 1)
}

/** Numbers of two sequences, both in order. */
function* merged(a: Iterable<number>, b: Iterable<number>): Iterable<number> {
  const others = b[Symbol.iterator]()
  let other = others.next()
  for (const number of a) {
    for (; !other.done && other.value < number; other = others.next()) yield other.value
    yield number
  }
  for (; !other.done; other = others.next()) yield other.value
}

function* waiting(group: Group, lower: Key = [group.name, WAITS]): Iterable<Item> {
  const { work, name } = group
  for (const [point, ordering] of rowsOf<string | 0>(work, 'due', { lower, upper: [name, WAITS] })) {
    const key = ordering || undefined
    const side = work.tx.get<SideRow>('side', sideKey(group, partOf(point, 3), key))
    const message = side && sideMessage(group, side, key)
    if (isLive(work, message))
      yield [message, until(work, 'delayed', side!.at, side!.attempt, side!.error), point]
  }
}

function leasedRest(group: Group, seq: number, lease: Lease, { keepMs }: Stored): ListedRest {
  const { work, name } = group
  const rest = until(work, 'leased', lease.until, lease.attempt)
  const row = keepMs === undefined ? undefined : work.tx.get<ResultRow>('results', [name, seq])
  const outcome = row && outcomeIn(group, seq, row)
  return outcome === undefined ? rest : { ...rest, outcome }
}

function* parked(group: Group, lower: Key = [group.name, PARKED]): Iterable<Item> {
  const { work, name } = group
  for (const [point, ordering] of rowsOf<string | 0>(work, 'due', { lower, upper: [name, PARKED] })) {
    const key = ordering || undefined
    const side = work.tx.get<SideRow>('side', sideKey(group, partOf(point, 2), key))
    const message = side && sideMessage(group, side, key)
    if (isLive(work, message)) yield [message, parkedRest(side!), point]
  }
}

function parkedRest({ attempt, error, parked }: SideRow): ListedRest {
  const { data, at } = parked!
  return { state: 'parked', attempt, parked: { reason: error!, data, at } }
}

function* blocked(group: Group, from: Key = [group.name]): Iterable<Item> {
  const { work, name } = group
  // The point of a message is the key of its row, and its seq.
  const lower = (from as readonly string[]).slice(0, 3)
  for (const [key, chain] of rowsOf<ChainRow>(work, 'chain', { lower, upper: [name] })) {
    const head = headOf(group, (key as readonly string[])[1]!)
    for (const [seq, message] of undone(group, key, chain)) {
      if (seq !== head?.seq && isLive(work, message))
        yield [message, { state: 'blocked', attempt: 0 }, [...(key as readonly string[]), seq]]
    }
  }
}

function* toTakeOver(group: Group, from?: Key): Iterable<Item> {
  for (const [message, point] of unjoined(group, from)) yield [message, { state: 'ready', attempt: 0 }, point]
}

function* ahead({ work, row }: Group, from: Key = 0): Iterable<Item> {
  const lower = Math.max(row.cursor, from as number)
  // A few at a time, because they are large.
  for (const found of rowsOf<Segment>(work, 'log', { lower, upper: work.queue.tail }, 4)) {
    const segment = trustSegment(work.name, found)
    const { first } = segment
    const end = first + lengthOf(segment)
    const amendments = amendmentsOf(work, first, end)
    for (let seq = Math.max(first, lower); seq < end; seq++) {
      const amendment = amendments?.get(seq)
      const message = amendment?.message ?? messageAt(segment, seq - first)
      if (!amendment?.gone && isLive(work, message)) yield [message, { state: 'ready', attempt: 0 }, seq]
    }
  }
}

function* delayed({ work, row }: Group, from: Key = [DELIVER]): Iterable<Item> {
  // The point of a message is the key of its timer, and its index.
  const lower = (from as readonly number[]).slice(0, 3)
  for (const [timer, { last }] of rowsOf<DeliverRow>(work, 'timers', { lower, upper: [DELIVER] })) {
    if (isBefore(timer as TimerKey, row.since)) continue
    const segment = work.tx.get<Delayed>('delayed', last)!
    for (let i = 0; i < lengthOf(segment); i++) {
      const message = messageAt(segment, i)
      if (isLive(work, message))
        yield [message, until(work, 'delayed', partOf(timer, 1), 0), [...(timer as readonly number[]), i]]
    }
  }
}

function* dead(group: Group, lower: Key = [group.name], upper: Key = [group.name]): Iterable<Item> {
  for (const [point, letter] of rowsOf<DeadRow>(group.work, 'dead', { lower, upper })) {
    const { message, attempt, error: lastError, reason, at: deadAt, fence, until } = letter
    if (until !== undefined && until <= group.work.now) continue
    const receipt = `${receiptOf(group, fence, partOf(point, 1))}!`
    yield [message, { state: 'dead', attempt, lastError, reason, deadAt, receipt }, point]
  }
}

/** What has ended, but for what is a dead letter still. */
function* done(group: Group, lower: Key = [group.name], upper: Key = [group.name]): Iterable<Item> {
  const { work } = group
  for (const [point, row] of rowsOf<ResultRow>(work, 'results', { lower, upper })) {
    const { id, key, lane, at, attempt, until, outcome } = row
    if (until === undefined || until <= work.now) continue
    if (outcome.status === 'dead' && isLetter(group, point)) continue
    yield [{ id, body: '', at, key, lane }, { state: 'done', attempt, outcome }, point]
  }
}

function isLetter({ work }: Group, at: Key): boolean {
  const letter = work.tx.get<DeadRow>('dead', at)
  return letter !== undefined && (letter.until === undefined || letter.until > work.now)
}

/** Given messages, each by its id: the dead letter of that id, and then the message, if it was sent again. */
function given(ids: readonly string[], withDead: boolean, withDone: boolean): Section {
  function* walk(group: Group, from: Key = 0): Iterable<Item> {
    const letters = new Map<string, Item>()
    if (withDead && group.row.dead > 0) {
      const { name, work } = group
      const next = { log: work.queue.tail, delayed: 0, lane: work.queue.laneTail }
      // Most ids lead to theirs. For others there is no index: they are looked for by hand.
      for (const id of ids) {
        const at: Key = [name, parseId(id, next)?.number ?? 0]
        for (const item of dead(group, at, at)) if (item[0].id === id) letters.set(id, item)
      }
      if (letters.size < ids.length) for (const item of dead(group)) letters.set(item[0].id, item)
    }
    for (let i = Math.floor((from as number) / 2); i < ids.length; i++) {
      const [message, rest] = letters.get(ids[i]!) ?? []
      if (message !== undefined) yield [message, rest!, i * 2]
      const seq = withDone ? seqOf(group.work, ids[i]!) : undefined
      if (seq !== undefined) {
        const at = [group.name, seq]
        for (const [one, how] of done(group, at, at)) if (one.id === ids[i]) yield [one, how, i * 2 + 0.5]
      }
      const found = standing(group, ids[i]!)
      if (found !== undefined) yield [...found, i * 2 + 1]
    }
  }
  return [['ready', 'leased', 'delayed', 'blocked', 'dead', 'parked', 'done'], walk]
}

/** How a message stands that is not done. */
function standing(whole: Group, id: string): [message: Stored, rest: ListedRest] | undefined {
  const { work, row } = whole
  const found = find(work, id)
  if (found === undefined) return undefined
  if ('delayed' in found) {
    const { timer } = found.segment
    if (isBefore(timer, row.since)) return undefined
    const message = messageAt(found.segment, found.index)
    return isLive(work, message) ? [message, until(work, 'delayed', timer[1], 0)] : undefined
  }
  const group = inWork(whole, found.work) ?? imagined(found.work, whole.name)
  const place = locate(group, found.seq, found.key)
  const message =
    place === undefined ? unjoinedOne(group, found.seq, found.key) : messageIn(group, place, found.seq)
  if (place?.at === 'leased') {
    const { lease } = place
    return [message!, leasedRest(group, found.seq, lease, message!)]
  }
  if (!isLive(work, message)) return undefined
  if (place?.at !== 'side')
    return [message, { state: place?.at === 'chain' ? 'blocked' : 'ready', attempt: 0 }]
  if (place.side.parked !== undefined) return [message, parkedRest(place.side)]
  const { at, attempt, error } = place.side
  return [message, until(work, 'delayed', at, attempt, error)]
}
