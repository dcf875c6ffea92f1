import type { Body, DeadReason, NewMessage, Outcome, Parked } from '../../../src/storage.ts'
import type { Key, Row } from './rows.ts'

/** A message that some group has yet to finish: a row of its own. */
export interface Message {
  /** Its place in the queue, which the browser gives; that of a delayed one is below 0. */
  readonly n: number
  body: Body
  at: number
  /** What its id is made of, unless it has its own. */
  readonly base: string
  readonly id?: string
  /** Its id, unless a later message has that. */
  u?: string
  readonly lane?: string
  /** The lane, as keys sort it. */
  readonly l?: string
  readonly key?: string
  headers?: NewMessage['headers']
  maxAttempts?: number
  x?: number
  dedupeMs?: number
  keepMs?: number
  /** When the first of those that were replaced under its id was stored. */
  since?: number
  superseded?: true
  /** Some group has edited it. */
  edited?: true
  /** While it is delayed: until when, and what sorts those of one time. */
  readonly d?: number
  readonly t?: number
  /** It came back for these groups, and is of no others. */
  only?: number[]
}

/** Messages that were stored at once and share a row: its number is that of the last of them. */
export interface Batch {
  n: number
  readonly base: string
  batch: Message[]
}

/** The most messages of one row, and their bytes, unless it is one alone: a row is written anew when one of them is over. */
export const BATCH = 32
export const BATCH_BYTES = 16_384

export type Stored = Message | Batch

export type State = 'leased' | 'waiting' | 'ready' | 'blocked' | 'parked' | 'dead' | 'gone'

/**
 * A message in a group that has passed it, or has buried it before. What is leased is in the row of the claim that leased it,
 * what is blocked in one of its key; any other has its own.
 */
export interface Place extends Row {
  readonly k: Key
  readonly n: number
  state: State
  attempt: number
  readonly lane?: string | undefined
  readonly key?: string | undefined
  /** When it expires here. */
  x?: number | undefined
  /** Something is kept of its message, or its id, when that ends. */
  keeps?: true | undefined
  /** Its message came back for this group alone. */
  back?: true | undefined
  error?: string | undefined
  /** It was delivered, or dead, before. */
  again?: true | undefined
  order?: number | undefined
  /** Its lease has ended, and the receipt is still good. */
  lost?: true | undefined
  /** Of its lease that was lost, or as a dead letter. */
  receipt?: string | undefined
  /** Its id, where it is looked for by it. */
  id?: string | undefined
  due?: number | undefined
  progress?: Outcome | undefined
  parked?: Parked | undefined
  /** The number of the dead letter that has it parked, and what a dead letter has parked. */
  behind?: number | undefined
  stopped?: number | undefined
  reason?: DeadReason | undefined
  deadAt?: number | undefined
  end?: number | undefined
  /** Of a dead letter. */
  message?: Message | undefined
  content?: Content | undefined
  redriven?: true | undefined
  /** It expires here at another time than elsewhere. */
  lapses?: true | undefined
}

export interface Content {
  readonly body: Body
  readonly headers: NewMessage['headers']
  readonly maxAttempts: number | undefined
  readonly at: number
}

/** Places that are one row: what one claim has leased, or what is blocked behind a key, of so many numbers. */
export interface Bundle extends Row {
  readonly places: Place[]
  /** Messages of what is leased may share rows. */
  batched?: boolean | undefined
}

/** An id that is known for a while. */
export interface Known extends Row {
  readonly until: number
}

/** When the first of a lease ends, by which it stands in line; most others end with it. */
export function endOf({ places }: Bundle): number {
  return Math.min(...places.map(({ order = Infinity }) => order))
}

export interface Kept extends Row {
  readonly n: number
  readonly id: string
  readonly attempt: number
  readonly outcome: Outcome
  readonly end: number
  readonly key?: string | undefined
  readonly lane?: string | undefined
  readonly at: number
}

/** An ordering key of which one is on its way. */
export interface KeyRow extends Row {
  busy: boolean
  /** The dead letter that has the next one parked. */
  stop?: number | undefined
  /** Nothing is blocked behind it in rows before that one; without it, nothing at all. */
  first?: number | undefined
}

/** What a group has in a lane. */
export interface Flow extends Row {
  readonly lane: string
  /** The first number that it has not passed. */
  cursor: number
  ahead: number
  behind: number
  leased: number
  again: number
  freed: number
  gaveAgain: boolean
  inRing: boolean
  resting: boolean
  order: number
  woken: boolean
  waits: number
  full: number
}

export interface Lane extends Row {
  readonly name: string
  size: number
  holds: number
  /** How often the queue had been purged: what is said of its size was so before. */
  epoch: number
}

export interface Hold extends Row {
  readonly group: string | undefined
  readonly lane: string | undefined
  readonly reason: string | undefined
  readonly since: number
  order: number
  probe: boolean
  probing: Probing | undefined
}

/** By the numbers of groups: what is out as a probe, and whether its lease lives; and which had their ack. */
export interface Probing {
  out: Record<number, [n: number, lives: boolean]>
  done: number[]
}

export interface Turn {
  at: string | undefined
  left: number
}

export interface Group {
  readonly name: string
  /** Never that of another group, and another one after a purge. */
  g: number
  /** What its receipts end with. */
  readonly token: string
  /** What comes before is not for it, and delayed messages up to that one neither. */
  first: number
  sinceTie: number
  others: number
  isLatest: boolean
  /** Messages without a lane. */
  flow: Flow
  /** Those that it has not ahead any more. */
  past: number
  /** Of named lanes. */
  ahead: number
  counts: Record<State, number>
  turn: Turn
  walked: string | undefined
  acked: number
  failed: number
  low: number
  deadForMs: number | undefined
  parksNext: boolean
  /** Perhaps nothing comes due at the time that is next. */
  isEarly: boolean
  /** Messages that it has not passed, and not to do. */
  marks: number
}

/** What is over, and has yet to be deleted. */
export interface Job {
  /** Messages up to there. */
  n: number
  to: number
  tie: number
  toTie: number
  readonly at: number
  /** Nobody has any of them to do. */
  readonly isAll: boolean
  /** Groups of which rows are left. */
  readonly groups: number[]
}

/** What has a message deleted. */
export function jobsOf({ jobs }: Pick<Queue, 'jobs'>, { n, t = 0 }: Message): Job[] {
  return jobs.filter(({ to, toTie }) => (n < 0 ? t <= toTie : n <= to))
}

/** The queue as a whole. */
export interface Queue {
  skew: number
  latest: number
  groups: Group[]
  numbers: number
  ties: number
  /** A place that was taken. */
  top: number
  /** How many had lanes, how many without are over, and how many with are not. */
  laned: number
  ended: number
  lanedLeft: number
  lanes: number
  epoch: number
  delayed: number
  /** What to add to the places that were taken for what was sent. */
  sent: number
  holds: Hold[]
  laneHolds: number
  /** When what stands in a line of time comes due, at the earliest. */
  next: Record<number, number>
  due: number
  lapse: number
  lapsedTo: [number, number]
  jobs: Job[]
  /** Rows that say which groups are done with what, where there are several. */
  dones: number
  /** Rows that stand here and not on their own: see {@link Book.near}. */
  near: Row[]
}

export function newCounts(): Record<State, number> {
  return { leased: 0, waiting: 0, ready: 0, blocked: 0, parked: 0, dead: 0, gone: 0 }
}

export function newFlow(k: Key, lane: string, cursor: number, ahead: number): Flow {
  return {
    k,
    lane,
    cursor,
    ahead,
    behind: 0,
    leased: 0,
    again: 0,
    freed: 0,
    gaveAgain: false,
    inRing: false,
    resting: false,
    order: Infinity,
    woken: false,
    waits: 0,
    full: 0,
  }
}

/** What a group begins with that has nothing behind it. */
export function newGroup(name: string, g: number, token: string, first: number, past: number): Group {
  return {
    name,
    g,
    token,
    first,
    sinceTie: 0,
    others: 0,
    isLatest: false,
    flow: newFlow([], '', Math.max(first, 1), 0),
    past,
    ahead: 0,
    counts: newCounts(),
    turn: { at: undefined, left: 0 },
    walked: undefined,
    acked: 0,
    failed: 0,
    low: 0,
    deadForMs: undefined,
    parksNext: false,
    isEarly: false,
    marks: 0,
  }
}

export function newQueue(top: number): Queue {
  return {
    skew: 0,
    latest: -Infinity,
    groups: [],
    numbers: 0,
    ties: 0,
    top,
    laned: 0,
    ended: top,
    lanedLeft: 0,
    lanes: 0,
    epoch: 0,
    delayed: 0,
    sent: -top,
    holds: [],
    laneHolds: 0,
    next: {},
    due: Infinity,
    lapse: Infinity,
    lapsedTo: [-Infinity, 0],
    jobs: [],
    dones: 0,
    near: [],
  }
}

export function hasReady({ again, freed, ahead }: Flow): boolean {
  return ahead + again + freed > 0
}

export function keepsOf({ keepMs, dedupeMs = 0 }: Message): true | undefined {
  return keepMs !== undefined || dedupeMs > 0 ? true : undefined
}

/** Ids that are made have so many values: those of delayed messages follow behind. */
export const MADE: number = 2 ** 31

export function madeId(base: string, n: number): string {
  return base + n.toString(16).padStart(8, '0')
}

export function idOf({ id, base, n }: Message): string {
  return id ?? madeId(base, n)
}

/** As the contract counts bytes. */
export function sizeOf({
  body,
  key = '',
  headers = {},
}: Pick<NewMessage, 'body' | 'key' | 'headers'>): number {
  let size = lengthOf(body) + key.length
  for (const name in headers) size += name.length + headers[name]!.length
  return size
}

/** What its row has of it: of a blob nothing. Any page of the origin may have put anything in its place, which the codec then refuses. */
export function nearOf(body: Body): number {
  const { length } = (body ?? '') as Partial<ArrayLike<unknown>>
  return typeof length === 'number' ? length : 0
}

export function lengthOf(body: Body): number {
  return body instanceof Blob ? body.size : nearOf(body)
}
