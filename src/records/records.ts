import type { Body, DeadReason, Held, NewMessage, Outcome, Parked } from '../storage.ts'
import { type Standing, type Stretch, Line, byOrder, byOrderAndTie } from './line.ts'
import { Names } from './names.ts'

/** What messages of one append have in common. */
export interface Batch {
  /** What ids are made of. */
  readonly id: string
  /** When it was, on the clock of everybody. */
  readonly at: number
}

/** A message that some group has yet to finish, or keeps as a dead letter. */
export class Message {
  /** Its place in the queue; 0 while it is delayed. */
  order = 0
  /** Its neighbours in its lane. */
  prev: Message | undefined = undefined
  next: Message | undefined = undefined
  /** Where it is in groups that have passed it: linked by {@link Place.other}. */
  place: Place | undefined = undefined
  batch: Batch
  body: Held
  lane: Lane
  readonly key: string | undefined
  more: More | undefined

  constructor(batch: Batch, body: Held, lane: Lane, key: string | undefined, more: More | undefined) {
    this.batch = batch
    this.body = body
    this.lane = lane
    this.key = key
    this.more = more
  }
}

/** What most messages do not have. */
export interface More {
  /** Its id, unless that is made of its place. */
  id: string | undefined
  headers: NewMessage['headers']
  maxAttempts: number | undefined
  expires: number | undefined
  dedupeMs: number
  keepMs: number | undefined
  /** When the first of those that were replaced under the id of its sender was stored. */
  readonly since: number | undefined
  /** A later message of its id was stored. */
  superseded: boolean
  /** While it is delayed. */
  entry: Entry | undefined
  lapse: Lapse | undefined
}

export function noMore(): More {
  return {
    id: undefined,
    headers: undefined,
    maxAttempts: undefined,
    expires: undefined,
    dedupeMs: 0,
    keepMs: undefined,
    since: undefined,
    superseded: false,
    entry: undefined,
    lapse: undefined,
  }
}

/** A delayed message: it takes its place in the queue at its time. */
export interface Entry extends Standing {
  readonly order: number
  readonly tie: number
  readonly message: Message
}

/** The end of a message's time, everywhere or in one place. */
export interface Lapse extends Standing {
  readonly order: number
  readonly tie: number
  readonly message: Message
  readonly place: Place | undefined
}

/** `gone`: the group is done with it, or never had it to do. */
export type State = 'leased' | 'waiting' | 'ready' | 'blocked' | 'parked' | 'dead' | 'gone'

/**
 * A message in a group that has passed it, or that has buried it before. It stands in one line or in none: what is leased or
 * waits for its time in {@link Group.timers}, what is ready in one of its flow, what is blocked behind its key, what is dead
 * among the dead.
 */
export class Place implements Standing {
  among: Stretch | undefined = undefined
  flow: Flow
  readonly message: Message
  state: State = 'gone'
  order = 0
  tie = 0
  attempt = 0
  /** Numbers leases and deaths: a receipt is good for one of them. */
  leases = 0
  /** Made when it is asked for. */
  receipt: string | undefined = undefined
  /** It is ready because its lease has ended: the receipt is still good. */
  lost = false
  error: string | undefined = undefined
  more: MoreOfPlace | undefined = undefined
  /** The place of the same message in another group. */
  other: Place | undefined

  /** Whoever makes one has it be the place of the message from then on. */
  constructor(flow: Flow, message: Message) {
    this.flow = flow
    this.message = message
    this.other = message.place
  }
}

/** Places in the order of their messages. */
export type Places = Line<{ readonly order: number }, Place>

export interface MoreOfPlace {
  /** Of one that is blocked: not before. */
  due?: number | undefined
  progress?: Outcome | undefined
  parked?: Parked | undefined
  /** The dead letter that has it parked. */
  behind?: Place | undefined
  /** What the dead letter has parked. */
  stopped?: Place | undefined
  reason?: DeadReason | undefined
  deadAt?: number | undefined
  end?: End | undefined
  /** What it was edited to. */
  content?: Content | undefined
  /** When it expires here, where that is not when the message does. */
  expires?: number | undefined
  lapse?: Lapse | undefined
}

export interface Content {
  readonly body: Body
  readonly headers: NewMessage['headers']
  readonly maxAttempts: number | undefined
  readonly at: number
}

/** Something that a group forgets at its time. */
export interface End extends Standing {
  readonly order: number
  readonly tie: number
  /** An outcome, a dead letter, or what is known of an empty lane. */
  readonly of: Kept | Place | Flow
}

/** What a message ended with. */
export interface Kept extends Standing {
  readonly order: number
  readonly group: Group
  readonly message: Message
  readonly id: string
  /** When its message was appended, replaced or edited. */
  readonly at: number
  readonly attempt: number
  readonly outcome: Outcome
  end: End | undefined
}

/** What a group has in a lane. */
export class Flow implements Standing {
  among: Stretch | undefined = undefined
  readonly group: Group
  readonly lane: Lane
  /** The first message that it has not passed. */
  cursor: Message | undefined
  /** Messages that it has to do, and has not passed. */
  ahead: number
  /** Those that it has passed, but for leases. */
  behind = 0
  /** Leases that live. */
  leased = 0
  /** What was delivered before and is ready. */
  again: Places | undefined = undefined
  /** What has waited behind its key and is ready. */
  freed: Places | undefined = undefined
  /** Keys of which one is on its way, and those behind it. */
  keys: Names<Places | undefined> | undefined = undefined
  /** Dead letters of keys that have the next one parked. */
  stops: Names<Place> | undefined = undefined
  /** What it gave last was delivered before. */
  gaveAgain = false
  /** It is among those that may have something to give. */
  inRing = false
  /** It may not go: until its limits, a hold or time let it. */
  resting = false
  /** When time lets it, if it rests; 0: only somebody does. */
  order = 0
  tie = 0
  /** Time has let it go, and no claim has looked at it since. */
  woken = false
  /** Since when it waits for a token with something ready; 0: it does not. */
  waits = 0
  /** When its bucket of tokens is full. */
  full = 0
  /** It is empty, and forgotten once its bucket is full. */
  isIdle = false

  constructor(group: Group, lane: Lane, cursor: Message | undefined, ahead: number) {
    this.group = group
    this.lane = lane
    this.cursor = cursor
    this.ahead = ahead
  }

  get name(): string {
    return this.lane.name
  }
}

/** Messages of one lane, linked in their order. Those without a lane are one more. */
export class Lane implements Standing {
  among: Stretch | undefined = undefined
  readonly name: string
  first: Message | undefined = undefined
  last: Message | undefined = undefined
  size = 0
  /** By the number of the group. */
  readonly flows: (Flow | undefined)[] = []
  /** By group, or of all. */
  holds: Map<string | undefined, Hold> | undefined = undefined

  constructor(name: string) {
    this.name = name
  }
}

/** Whose turn it is, and for how many more. */
export interface Turn {
  at: string | undefined
  left: number
}

export class Group {
  readonly name: string
  readonly number: number
  /** What its receipts begin with. */
  token: string
  /** What was there before it is not for it. */
  readonly isLatest: boolean
  /** Nor are delayed messages up to this one. */
  readonly sinceTie: number
  /** Delayed messages that are not for it. */
  others: number
  /** The last lane that it has a flow in, while it has yet to meet those that were there before it. */
  walked: string | undefined
  readonly counts: Record<State, number> = newCounts()
  ahead = 0
  /** Leases, retries, and lanes that rest. */
  timers: Line<{ order: number; tie: number }, Place | Flow> = new Line(byOrderAndTie)
  /** Outcomes and dead letters that are kept for a time. */
  ends: Line<{ order: number; tie: number }, End> = new Line(byOrderAndTie)
  /** Lanes that may have something to give, by name. */
  ring: Line<{ name: string }, Flow> = new Line(byName)
  dead: Places = new Line(byOrder)
  /** Dead letters, and what is parked, by id. */
  letters: Names<Place[]> = new Names()
  parked: Names<Place[]> = new Names()
  kept: Line<{ order: number }, Kept> = new Line(byOrder)
  keptById: Names<Kept> = new Names()
  turn: Turn = { at: undefined, left: 0 }
  acked = 0
  failed = 0
  /** Up to here, it has nothing to do. */
  low = 0
  deadForMs: number | undefined = undefined
  parksNext = false

  constructor(
    name: string,
    number: number,
    token: string,
    isLatest: boolean,
    sinceTie: number,
    others: number,
  ) {
    this.name = name
    this.number = number
    this.token = token
    this.isLatest = isLatest
    this.sinceTie = sinceTie
    this.others = others
  }

  /** Forgets all messages. */
  clear(token: string): void {
    this.token = token
    Object.assign(this.counts, newCounts())
    this.ahead = this.others = 0
    this.timers = new Line(byOrderAndTie)
    this.ends = new Line(byOrderAndTie)
    this.ring = new Line(byName)
    this.dead = new Line(byOrder)
    this.letters = new Names()
    this.parked = new Names()
    this.kept = new Line(byOrder)
    this.keptById = new Names()
    this.turn = { at: undefined, left: 0 }
    this.walked = undefined
  }
}

export interface Hold extends Standing {
  readonly group: string | undefined
  readonly lane: string | undefined
  readonly reason: string | undefined
  readonly since: number
  /** When it is over: then it probes, or is gone. */
  readonly order: number
  readonly tie: number
  probe: boolean
  /** It is over: what is out as a probe, and which groups had their ack. */
  probing: { readonly out: Map<Group, Place>; readonly done: Set<Group> } | undefined
}

function newCounts(): Record<State, number> {
  return { leased: 0, waiting: 0, ready: 0, blocked: 0, parked: 0, dead: 0, gone: 0 }
}

/** In the order of code points, as UTF-8 has them. */
export function byName(
  { name: a }: { readonly name: string },
  { name: b }: { readonly name: string },
): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    // Halves of pairs come behind all that stand alone.
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? ((x + 0x2000) & 0xffff) - ((y + 0x2000) & 0xffff) : x - y
  }
  return a.length - b.length
}
