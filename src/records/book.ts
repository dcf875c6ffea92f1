import { uuid } from '../message-id.ts'
import type { Body, GroupStart } from '../storage.ts'
import { Copied, isEncoded } from './value.ts'
import { type Standing, Line, byOrderAndTie } from './line.ts'
import { Log } from './log.ts'
import { Names } from './names.ts'
import {
  type Batch,
  type Entry,
  type Hold,
  type Lapse,
  type Message,
  type More,
  Flow,
  Group,
  Lane,
  Place,
  byName,
} from './records.ts'

/** An id that is known for a while after its message was done. */
interface Known extends Standing {
  readonly order: number
  readonly tie: number
  readonly id: string
}

/** Ids of messages that were all deleted, until what they have promised is noted. */
interface Faded {
  readonly ids: Iterator<[string, Message]>
  readonly known: Names<Message>
  readonly at: number
}

/** Ids that are made have so many values: those of delayed messages follow behind. */
const IDS = 2 ** 31

/** How much one step does at most, so that others have their turn within some ms. */
export interface Steps {
  /** So much of what time brings, of what is left by a group or a purge. */
  readonly atOnce: number
  /** So many messages and lanes that a claim gets nothing of. */
  readonly passed: number
  /** So many messages and lanes that a list or stats look at. */
  readonly looked: number
  /** So many messages have bodies that are not encoded: for those beyond, texts take less room. */
  readonly values: number
}

export const STEPS: Steps = { atOnce: 2000, passed: 2000, looked: 20_000, values: 1000 }

/** All that is known of a queue: each thing once, in the order in which it is asked for. */
export class Book {
  /** That of the queue. */
  readonly name: string
  readonly steps: Steps
  /** The time that deadlines are on, which is never set back, and that of the clock. */
  now = 0
  clock = 0
  latest: number = -Infinity
  skew = 0
  /** Messages in the order of the queue. */
  log: Log<Message> = new Log()
  /** Delayed messages. */
  entries: Line<{ order: number; tie: number }, Entry> = new Line(byOrderAndTie)
  /** Messages that expire. */
  lapses: Line<{ order: number; tie: number }, Lapse> = new Line(byOrderAndTie)
  /** Messages that have expired under a lease. */
  lapsed: Set<Message> = new Set()
  /** Messages by ids that do not tell their place. */
  ids: Names<Message> = new Names()
  /** Messages that are on their way although a later one has their id, and have promised that it is known. */
  promising: Set<Message> = new Set()
  lanes: Names<Lane> = new Names()
  lanesByName: Line<{ name: string }, Lane> = new Line(byName)
  /** All but the bodies that are not encoded. */
  bytes = 0
  /** Messages whose bodies are not encoded, each in the slot that its body says. */
  readonly #values: Message[] = []
  #batch: Batch = { id: '', at: 0 }
  /** Messages that stand in lanes. */
  #linked: number = 0
  /** The last place that was taken. */
  tail = 0
  ties = 0
  sent = 0
  groups: Group[] = []
  /** Ids that are known for a while after their messages were done. */
  remembered: Names<Known> = new Names()
  forgets: Line<{ order: number; tie: number }, Known> = new Line(byOrderAndTie)
  faded: Faded[] = []
  /** Holds of groups and of the queue. Those of lanes are with them. */
  holds: Map<string | undefined, Hold> = new Map()
  heldLanes: Set<Lane> = new Set()
  holdEnds: Line<{ order: number; tie: number }, Hold> = new Line(byOrderAndTie)
  /** Whether the running verb has changed anything that somebody may wait for, and whose outcomes came to be. */
  changed = false
  finished: string[] = []

  constructor(name: string, steps: Steps) {
    this.name = name
    this.steps = steps
  }

  /** Whether anything is in it. */
  get isEmpty(): boolean {
    const { groups, log, entries, remembered, holds, faded, heldLanes } = this
    const rows = [log, entries, remembered, holds, heldLanes].reduce((sum, { size }) => sum + size, 0)
    return rows + groups.length + faded.length === 0
  }

  /** Messages that are due have yet to take their place. */
  get isBehind(): boolean {
    return (this.entries.first?.order ?? Infinity) <= this.now
  }

  // Groups and lanes

  group(name: string): Group | undefined {
    return this.groups.find((group) => group.name === name)
  }

  start(starts: readonly GroupStart[] = []): void {
    for (const { name, from } of starts) if (this.group(name) === undefined) this.startGroup(name, from)
  }

  /** The first of all gets what was sent before anybody listened. */
  startGroup(name: string, from: GroupStart['from']): Group {
    const isLatest = from === 'latest' && this.groups.length > 0
    const taken = new Set(this.groups.map((group) => group.number))
    let number = 0
    while (taken.has(number)) number++
    const others = isLatest ? this.entries.size : 0
    const group = new Group(name, number, newToken(), isLatest, isLatest ? this.ties : 0, others)
    this.groups.push(group)
    if (!isLatest) {
      group.ahead = this.#linked
      group.walked = ''
      this.flowOf(group, this.lane(''))
      // What is expired becomes its dead letter.
      for (const message of this.lapsed) this.lapse(message, message.more!.expires!)
      this.lapsed.clear()
    }
    this.changed = true
    return group
  }

  lane(name: string): Lane {
    let lane = this.lanes.get(name)
    if (lane === undefined) {
      lane = new Lane(name)
      this.lanes.set(name, lane)
      this.lanesByName.add(lane)
    }
    return lane
  }

  /** A group has a flow in a lane once anybody asks: what was in the lane by then was there before the group. */
  flowOf(group: Group, lane: Lane): Flow {
    const known = lane.flows[group.number]
    if (known?.group === group) return known
    const { isLatest } = group
    const flow = new Flow(group, lane, isLatest ? undefined : lane.first, isLatest ? 0 : lane.size)
    lane.flows[group.number] = flow
    this.offer(flow)
    return flow
  }

  /** Nothing is kept of lanes that are empty. */
  tidy(lane: Lane): void {
    const { name, size, holds } = lane
    if (size > 0 || holds !== undefined || name === '' || this.lanes.get(name) !== lane) return
    for (const flow of lane.flows) {
      if (flow === undefined || !this.groups.includes(flow.group)) continue
      const { group, leased, behind, stops, full } = flow
      if (leased + behind > 0 || (stops?.size ?? 0) > 0) return
      if (full <= this.now) continue
      // One look at a time.
      if (!flow.isIdle) group.ends.add({ order: full, tie: ++this.ties, of: flow, among: undefined })
      flow.isIdle = true
      return
    }
    for (const flow of lane.flows) if (flow !== undefined) this.rest(flow)
    this.lanes.delete(name)
    this.lanesByName.remove(lane)
  }

  /** A flow that has something to give is in the ring, unless it rests. */
  offer(flow: Flow): void {
    if (flow.inRing || flow.resting || !hasReady(flow)) return
    flow.group.ring.add(flow)
    flow.inRing = true
  }

  /** Takes a flow out of the ring and out of time. */
  rest(flow: Flow): void {
    const { ring, timers } = flow.group
    if (flow.inRing) ring.remove(flow)
    flow.inRing = false
    if (flow.order > 0) timers.remove(flow)
    flow.order = 0
  }

  /** It may go again, or is looked at again. */
  wake(flow: Flow): void {
    if (!flow.resting) return
    this.rest(flow)
    flow.resting = false
    this.offer(flow)
  }

  // Messages

  /** A message takes its place at the end of the queue and of its lane. */
  enter(message: Message, entry?: Entry): void {
    const { lane } = message
    const { last } = lane
    message.order = ++this.tail
    this.log.add(message)
    // Before it is there: a flow that is made now has all that was.
    for (const group of this.groups) this.flowOf(group, lane)
    message.prev = last
    if (last === undefined) lane.first = message
    else last.next = message
    lane.last = message
    lane.size++
    this.#linked++
    for (const group of this.groups) {
      const flow = this.flowOf(group, lane)
      flow.cursor ??= message
      // One that was delayed when the group started at the latest is not for it.
      if (entry !== undefined && !isFor(group, entry)) {
        group.others--
        message.place = new Place(flow, message)
      } else {
        flow.ahead++
        group.ahead++
        this.offer(flow)
      }
    }
  }

  /** What the messages of an append share, and those of others under the same id at the same time. */
  batchOf(id: string): Batch {
    const { clock } = this
    if (this.#batch.id !== id || this.#batch.at !== clock) this.#batch = { id, at: clock }
    return this.#batch
  }

  // Bodies

  /** A message that is not encoded stays so, if there are few of them. */
  hold(message: Message): void {
    const { body } = message
    if (!(body instanceof Copied)) return
    body.slot = this.#values.push(message) - 1
    if (body.slot >= this.steps.values) this.encode(message)
  }

  /** The body of a message, encoded from now on. */
  encode(message: Message): Body {
    const { body } = message
    if (isEncoded(body)) return body
    const { text } = body
    if (this.#letGo(message)) this.bytes += text.length
    return (message.body = text)
  }

  /** Has all bodies encoded, so that their bytes count. */
  encodeAll(): void {
    for (let message = this.#values.at(-1); message !== undefined; message = this.#values.at(-1))
      this.encode(message)
  }

  /** Answers whether it was held. */
  #letGo(message: Message): boolean {
    const { body } = message
    const values = this.#values
    if (!(body instanceof Copied) || values[body.slot] !== message) return false
    const last = values.pop()!
    if (last !== message) {
      values[body.slot] = last
      ;(last.body as Copied).slot = body.slot
    }
    return true
  }

  /** A message is over: all are done with it, or it is dropped. */
  end(message: Message, remembers: boolean): void {
    const { more, lane, order } = message
    if (order === 0) {
      const { entry } = more!
      this.entries.remove(entry!)
      for (const group of this.groups) if (!isFor(group, entry!)) group.others--
    } else if (!this.log.remove(message)) return
    this.bytes -= sizeOf(message)
    this.#letGo(message)
    if (isLinked(message)) this.#unlink(message)
    if (more !== undefined) {
      const { id, dedupeMs, lapse } = more
      if (lapse !== undefined) this.lapses.remove(lapse)
      more.lapse = undefined
      this.lapsed.delete(message)
      if (id !== undefined) {
        if (this.ids.get(id) === message) this.ids.delete(id)
        this.promising.delete(message)
        if (remembers && dedupeMs > 0) this.remember(id, this.now + dedupeMs)
      }
    }
    this.tidy(lane)
  }

  #unlink(message: Message): void {
    const { lane, prev, next } = message
    for (const flow of lane.flows) if (flow?.cursor === message) flow.cursor = next
    if (prev === undefined) lane.first = next
    else prev.next = next
    if (next === undefined) lane.last = prev
    else next.prev = prev
    // Whoever still has it keeps no others alive.
    message.prev = message.next = undefined
    lane.size--
    this.#linked--
  }

  /** Has a message expire at its time. */
  lapse(message: Message, order: number, place?: Place): void {
    const lapse: Lapse = { order, tie: ++this.ties, message, place, among: undefined }
    if (place === undefined) message.more!.lapse = lapse
    else place.more!.lapse = lapse
    this.lapses.add(lapse)
  }

  find(id: string): Message | undefined {
    const named = this.ids.get(id)
    if (named !== undefined) return named
    const digits = Number.parseInt(id.slice(28), 16)
    if (!(digits < IDS)) return undefined
    const back = (this.tail - digits) % IDS
    const found = this.log.get(this.tail - (back < 0 ? back + IDS : back))
    return found !== undefined && idOf(found) === id ? found : undefined
  }

  /** Whether a group has a message to do. */
  needs(group: Group, message: Message): boolean {
    const place = placeIn(group, message)
    if (place !== undefined) return isOpen(place)
    if (message.order === 0) return isFor(group, message.more!.entry!)
    return isLinked(message) && isAhead(this.flowOf(group, message.lane), message)
  }

  /** Whether anybody has a message to do, or could. */
  isRetained(message: Message): boolean {
    return this.groups.length === 0 || this.groups.some((group) => this.needs(group, message))
  }

  // Ids

  remember(id: string, until: number): void {
    const before = this.remembered.get(id)
    if (before !== undefined) {
      if (before.order >= until) return
      this.forgets.remove(before)
    }
    const known: Known = { order: until, tie: ++this.ties, id, among: undefined }
    this.remembered.set(id, known)
    this.forgets.add(known)
  }

  isRemembered(id: string): boolean {
    if ((this.remembered.get(id)?.order ?? 0) > this.now) return true
    return this.faded.some(({ known, at }) => {
      const { dedupeMs = 0 } = known.get(id)?.more ?? {}
      return dedupeMs > 0 && at + dedupeMs > this.now
    })
  }

  /** Forgets all messages at once. What their ids have promised is noted some at a time: see {@link fade}. */
  clear(): void {
    if (this.ids.size > 0) this.faded.push({ ids: this.ids.entries(), known: this.ids, at: this.now })
    for (const { more } of this.promising) this.remember(more!.id!, this.now + more!.dedupeMs)
    this.promising.clear()
    this.log = new Log()
    this.entries = new Line(byOrderAndTie)
    this.lapses = new Line(byOrderAndTie)
    this.lapsed = new Set()
    this.ids = new Names()
    this.lanes = new Names()
    this.lanesByName = new Line(byName)
    this.bytes = this.#linked = this.#values.length = 0
    for (const group of this.groups) group.clear(newToken())
    // What was out as a probe is gone.
    for (const holds of [this.holds, ...[...this.heldLanes].map((lane) => lane.holds!)])
      for (const { probing } of holds.values()) probing?.out.clear()
    const held = [...this.heldLanes].map(({ name, holds }) => Object.assign(this.lane(name), { holds }))
    this.heldLanes = new Set(held)
    this.changed = true
  }

  /** Notes some of what ids have promised. Answers whether there is more. */
  fade(most: number): boolean {
    while (this.faded.length > 0 && most-- > 0) {
      const { ids, at } = this.faded[0]!
      const { value, done } = ids.next()
      if (done === true) this.faded.shift()
      else {
        const [id, { more }] = value
        if (more!.dedupeMs > 0) this.remember(id, at + more!.dedupeMs)
      }
    }
    return this.faded.length > 0
  }
}

/** Unlike that of any other group, also of one that had the same name. */
function newToken(): string {
  return `${uuid().slice(-12)}.`
}

export function hasReady({ again, freed, cursor }: Flow): boolean {
  return cursor !== undefined || (again?.size ?? 0) + (freed?.size ?? 0) > 0
}

/** Whether a delayed message is for a group, which may have started at the latest since. */
export function isFor({ sinceTie }: Group, { tie }: Entry): boolean {
  return tie > sinceTie
}

/** Whether a message stands in its lane. */
export function isLinked(message: Message): boolean {
  return message.prev !== undefined || message.lane.first === message
}

/** Whether a message that stands in the lane of a flow is one that it has not passed. */
export function isAhead({ cursor }: Flow, { order }: Message): boolean {
  return cursor !== undefined && order >= cursor.order
}

export function placeIn(group: Group, message: Message): Place | undefined {
  for (let place = message.place; place !== undefined; place = place.other)
    if (place.flow.group === group) return place
  return undefined
}

export function isOpen({ state }: Place): boolean {
  return state !== 'dead' && state !== 'gone'
}

const BYTES = Array.from({ length: 256 }, (_, byte) => (256 + byte).toString(16).slice(1))

/** Neighbours have all but the last two characters of their ids in common. */
let madeOf = ''
let madeFor = -1
let start = ''

/** The id that the storage makes of an append's and a number. */
export function madeId(batchId: string, number: number): string {
  const high = Math.floor(number / 256) % (IDS / 256)
  if (high !== madeFor || batchId !== madeOf) {
    madeFor = high
    madeOf = batchId
    start = batchId.slice(0, 28) + (2 ** 24 + high).toString(16).slice(1)
  }
  return start + BYTES[number % 256]!
}

/** The number of a delayed message. */
export function delayedId(batchId: string, number: number): string {
  return batchId.slice(0, 28) + (IDS + (number % IDS)).toString(16)
}

export function idOf({ more, batch, order }: Message): string {
  return more?.id ?? madeId(batch.id, order)
}

/** As the contract counts bytes, but for a body that is not encoded. */
export function sizeOf({ body, key = '', more }: Sized): number {
  const { headers = {} } = more ?? {}
  let size = (isEncoded(body) ? body.length : 0) + key.length
  for (const name in headers) size += name.length + headers[name]!.length
  return size
}

interface Sized extends Pick<Message, 'body' | 'key'> {
  readonly more: Pick<More, 'headers'> | undefined
}
