import type { Body, DeadReason, MessageState, Outcome, StoredParked as Parked } from '../src/core/index.ts'

export type Seen = MessageState | 'gone'

export interface Content {
  id: string
  body: Body
  key: string | undefined
  /** Empty: none. */
  lane: string
  headers: Readonly<Record<string, string>> | undefined
  maxAttempts: number | undefined
  dedupeMs: number
  keepMs: number | undefined
  timestamp: number
  expires: number | undefined
}

export interface Message extends Content {
  /** The order of append. */
  number: number
  /** When it took, or will take, its place in the queue. */
  at: number
  isDelayed: boolean
  /** Otherwise it is due at some part of its ms. */
  readonly isExact: boolean
  isNamed: boolean
  /** When the first was stored of those that were replaced under its id, until it. */
  since: number
  /** What it carries in groups in which it was edited. */
  edited: Content[]
  /** A later message of the same id was stored. */
  superseded: boolean
  /** A later message of the same id was stored. The contract does not say which of the two that id means then. */
  shadowed: boolean
  /** Its `dedupeMs` surely holds when it is done, although a later message has its id. */
  promises: boolean
  /** It left other than by an ack: the log may show that it was there until claims have passed it. */
  leavesTrace: boolean
  /** Cancelled, purged, or deleted with the last group that had it. */
  dropped: boolean
  readonly standings: Map<string, Standing>
}

/** A message in a group. */
export interface Standing {
  state: 'waiting' | 'leased' | 'parked' | 'dead' | 'done'
  /** What it may carry here: more than one will be seen. */
  versions: readonly Content[]
  parked: Parked | undefined
  /** It is parked behind a dead letter that is gone: whether it stays so will be seen. */
  mayGoOn: boolean
  /** How far its handler is. */
  progress: Outcome | undefined
  /** It may be dead, and its dead letter gone. */
  diedUnseen: boolean
  /** `false`: whether the group has it at all will be seen. */
  sure: boolean
  /** How many deliveries count. More than one number: will be seen. */
  attempts: readonly number[]
  /** May be delivered from here on. */
  from: number
  /** Must be delivered from here on. */
  due: number
  /** The end of its lease. */
  until: number
  /** The lease may have been given up. */
  doubtfulLease: boolean
  /** What the last attempt failed with; `undefined` where the contract does not say. */
  error: LastError | undefined
  reason: DeadReason | undefined
  /** Makes earlier receipts stale. */
  token: number
  touched: boolean
  redriven: boolean
  /** A claim came by while it was blocked by its key: it may have left the order of the queue. */
  wasBlocked: boolean
  /** A claim has passed it, so that it must be shown as blocked. */
  passed: boolean
  /** It was put back, so that only this group may know of it. */
  outOfLog: boolean
  /** A claim must have made a dead letter of it. */
  mustBeDead: boolean
  /** A redriven message does not expire again. */
  expiry: 'normal' | 'maybe' | 'never'
  /** The group is new, and may take over step by step what others hold: until then it may not show it. */
  starting: boolean
  /** Until when it is kept as a dead letter; `undefined` until that is seen. */
  deadUntil: number | undefined
}

/** What is known of an id whose messages are done. */
export interface Remembered {
  /** Known at least so long, if it is sure. */
  readonly until: number
  readonly sure: boolean
  /** Known at most so long. */
  readonly atMost: number
}

export interface LastError {
  readonly text: string | undefined
}

export interface Group {
  readonly name: string
  maxAttempts: number
  /** Of the last claim. */
  deadForMs: number | undefined
  /** As the last claim said. */
  parksNext: boolean
  /** Keys of which the next message is parked, and the dead letter that has it so. */
  readonly stops: Map<string, { readonly message: Message; readonly sure: boolean }>
  acked: Range
  failed: Range
  /** Standings in a group that does not exist. */
  readonly imagined: Map<Message, Standing> | undefined
}

export interface Receipt {
  readonly group: Group
  readonly message: Message
  readonly standing: Standing
  readonly token: number
}

export interface Range {
  readonly least: number
  readonly most: number
}
