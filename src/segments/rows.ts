import type { Body, DeadReason, Outcome } from '../storage.ts'
import type { Key } from './store.ts'

/**
 * The rows of the segment engine: what stands in each table, under which key.
 *
 * | table | key | value |
 * |---|---|---|
 * | state | `['queue']` | {@link QueueRow} |
 * | state | `['group', group]` | {@link GroupRow} |
 * | log | seq of the segment's last message | {@link Segment} |
 * | timers | `[DELIVER, at, number]` | {@link DeliverRow} |
 * | timers | `[EXPIRE, at, seq]` | `0`: something in the log's segment of this seq expires |
 * | timers | `[FORGET, at, number]` | ids whose `dedupeMs` is over, as an array |
 * | timers | `[KEPT, at, number]` | {@link KeptRow}: outcomes whose `keepMs` is over |
 * | timers | `[LIFT, at, …key]` | `0`: the row of this key in `holds` is over |
 * | delayed | number of the last of some delayed messages | {@link Delayed} |
 * | side | `[group, seq]`, or `[group, key]` for the head of an ordering key | {@link SideRow} |
 * | due | `[group, WAITS, at, seq]` | the ordering key of that row of `side`, or `0` |
 * | due | `[group, EXPIRES, at, seq]` | the same: a message outside the log expires |
 * | due | `[group, FADES, at, seq]` | `0`: a dead letter is deleted |
 * | due | `[group, PARKED, seq]` | the ordering key of that row of `side`, or `0`: it is parked, and has no other due |
 * | due | `[group, STOPS, key]` | seq of a dead letter: the next of its ordering key is parked |
 * | due | `[group, HIDDEN, id, seq]` | ordering key and lane, `0` for none: it is parked, and its id leads to a later message |
 * | due | `[group, LETTERS, id, seq]` | `0`: what a dead letter ends with after a redrive is to be kept, and its id is as for `ids` |
 * | chain | `[group, key, seq of the last]` | {@link ChainRow} |
 * | held | `[group, seq]` | {@link HeldRow}: a lease for which the group's row has no room; its message is in `side` or `chain` |
 * | due | `[group, ENDS, epoch, until, seq]` | `0`: that lease ends |
 * | dead | `[group, seq]` | {@link DeadRow} |
 * | results | `[group, seq]` | {@link ResultRow} |
 * | ids | an id that its sender chose, or that does not lead to its message outside the log | {@link IdRow} |
 * | ids | number of the last of some delayed messages that are in the log now | seq of the last of them |
 * | amend | seq | {@link Amendment} |
 * | bodies | seq of a message in the log, or a negative number of one that is delayed | its body, which is long: see `bodies.ts` |
 * | copies | `[group, seq]` | the same, of a message that the group has in `side`, `chain` or `dead` |
 * | lanes | lane | {@link LaneRow} of `lanes/lane.ts` |
 * | ready | `[group, lane]` | `0`: the lane may go |
 * | wake | `[group, at, lane]` | `0`: it has to be looked whether the lane may go |
 * | holds | `[0, '']`, `[1, group]`, `[2, lane]`, `[2, lane, group]` | {@link HoldRow} of `lanes/holds.ts` |
 *
 * A message of a lane has its seq from a block of numbers that the lane has reserved. Its rows in `side`, `due`, `chain` and
 * `held` begin with `[0, group, lane]` instead of `[group]`, but for those in `due` that the group looks at as a whole:
 * `[group, EXPIRES, at, seq, lane]`, `[group, FADES, at, seq]`, `[group, HIDDEN, id, seq]` and `[group, LETTERS, id, seq]`.
 *
 * A message is known by its **seq**, its place in the log. On the fast path it never has a row of its own: it is part of
 * the segment that its append wrote, and of the lease that its claim took. Only what goes wrong, waits or was given an id
 * by its sender gets rows.
 *
 * Rows are never changed in place: a new object is put.
 */

/** The queue: one row. */
export interface QueueRow {
  /** The seq that the next message of the log gets. */
  tail: number
  /** Bytes ever put into the log. */
  bytes: number
  /** Messages ever stored. */
  sent: number
  /** Messages that wait in `delayed`. */
  delayed: number
  /** The number that the next delayed message gets: its id carries it, because its seq is not known yet. */
  nextDelayed: number
  /** The number of the next timer. */
  nextTimer: number
  /** When the first delayed messages are due. */
  timer?: number | undefined
  /** Some group has a {@link GroupRow.since}, that of the last of them. */
  since?: TimerMark | undefined
  /** When the first messages expire, ids are to be forgotten or dead letters to be deleted, or earlier. */
  reaper?: number | undefined
  /** Rows in `amend`, and how many of them say that a message is gone. */
  amended: number
  gone: number
  /** Segments in the log that have rows to delete with them: an alias, or expiries. */
  tied: number
  /** Bytes in `delayed`. */
  delayedBytes: number
  /** Until this time there were ends that left the rows of their ids behind, see `ends.ts`. */
  cut?: number | undefined
  /** Up to this id, or the row of an earlier message of one, they are tidied up. */
  tidied?: string | number | undefined
  /** Groups that exist, and how many of them are {@link GroupRow.joining}. */
  groups: number
  joining: number
  /** Groups that ever existed. */
  groupsEver: number
  /** Rows in `lanes`, and of `delayed` those of lanes: without any, nobody looks for lanes. */
  lanes: number
  /** The number that the next message gets for which a lane has to reserve some. */
  laneTail: number
  /** Messages ever put into lanes, those that lanes have in the log, and the bytes of these: so nobody counts lanes. */
  intoLanes: number
  inLanes: number
  laneBytes: number
  /** From this lane on, they have to let go of what only a deleted group needed. */
  tidiedLane?: string | undefined
  /** Rows in `holds`, and how many of them have had a probe. */
  holds: number
  probes: number
  /** There may be rows in `bodies` or `copies`. */
  longBodies?: true | undefined
  /** How often all leases were given up while there were lanes. */
  opened: number
  /** The latest time anybody saw here: see `time.ts`. */
  latest: number
  /** What to add to the clock because it was set back. */
  skew: number
}

/** A group: one row, read and written by each claim and settle, so it must stay small. */
export interface GroupRow {
  /** What this group's receipts start with, so that they fit no other group, queue, or later group of this name. */
  token: string
  /** The first seq in the log that the group has not looked at. */
  cursor: number
  /** The group takes over what others had outside the log when it started. It delivers nothing before that is done. */
  joining?: Joining | undefined
  /** The group started when the timers before this one were overdue: what they bring into the log came before it. */
  since?: TimerMark | undefined
  /** In order of seq. Those that are too many or too old are in `held`. */
  leases: Lease[]
  /** Rows in `held`. */
  held: number
  /** When the first lease in `held` ends, or earlier. */
  heldUntil?: number | undefined
  /** Leases in `held` of an earlier epoch have ended. */
  epoch: number
  /** Where the cursor was, and the bytes of the log before it, when it was last looked at what leases keep. */
  mark: number
  markBytes: number
  /** The number of the next lease. Never starts again: it is what makes an old receipt stale. */
  nextLease: number
  /** When the first message that waits is due. */
  due?: number | undefined
  /** When the first message outside the log expires, or earlier. */
  expires?: number | undefined
  /** When the first dead letter is deleted, or earlier. */
  fades?: number | undefined
  /** All leases end at this time or later. */
  until?: number | undefined
  /** The group's floor (see `floorOf` in `group.ts`) when it last looked whether the log can be trimmed. */
  checked: number
  /** Every log row before this seq is deleted. */
  trimmed: number
  /** Messages at the cursor or behind it that will be skipped: cancelled or expired. */
  skipped: number
  /** Messages that wait. */
  waiting: number
  /** Messages in `chain` that an earlier message of their key blocks. */
  blocked: number
  /** Messages in `side` that are parked. */
  parked?: number | undefined
  /** Keys of which the next message is parked. */
  stops?: number | undefined
  /** Dead letters of messages whose outcomes are kept; `undefined` for none. */
  keepers?: number | undefined
  /** Whether a message in `chain` may have been redriven, and so stand behind later ones of its key. */
  redriven: boolean
  dead: number
  acked: number
  failed: number
  /** Of {@link QueueRow.intoLanes}, those that the group has no more to do with. */
  passed: number
  /** It was the first: what lanes had by then is for it, though it has not come there yet. */
  first?: true | undefined
  latest: number
  /** How long what is found dead is kept, in ms. */
  deadForMs?: number | undefined
  /** Whether the next of the key of what is found dead is parked. */
  parksNext?: boolean | undefined
  /** It started at the latest: what lanes had by then is not for it. */
  late?: true | undefined
  /** The lane whose turn it is, and how many messages of it are left. */
  at?: string | undefined
  atLeft?: number | undefined
  /** From this lane on, it has to be looked for what lanes have for the group. */
  walk?: string | undefined
}

/**
 * A lease on the messages from `first` to `last`, as far as they are still in flight. Those that have an ordering key, or
 * that the log may let go, are leased one by one.
 */
export interface Lease {
  first: number
  last: number
  until: number
  readonly lease: number
  readonly attempt: number
  /**
   * Whether an ack has to read a message of it: its outcome is kept, or it has rows to delete with it, that of an id which its
   * sender chose or which was made while it was delayed, or, outside the log, of its expiry.
   */
  tied: boolean
  readonly key?: string | undefined
  /** Where the message lies, if not in the log: in its row in `side`, or in the chain row of this seq. */
  readonly row?: 'side' | number | undefined
}

/** How far a group has come that takes over what others have. */
export interface Joining {
  /** What comes before this seq. */
  readonly below: number
  /** When it started: all that it takes over is due then, so that it comes in order. */
  readonly at: number
  /** The row of another group that was looked at last, if there was one. */
  readonly table?: 'side' | 'chain' | undefined
  readonly key?: readonly [group: string, ...(string | number)[]] | undefined
}

/** A lease on one message. */
export type HeldRow = Omit<Lease, 'last'> & { readonly epoch: number }

/**
 * Messages that were appended together: column by column, and only the columns that some message needs.
 *
 * A segment of one message has the body itself in place of the array: single sends are common, and an array would cost
 * more than many a body.
 */
export interface Segment {
  readonly first: number
  /** When it was appended: the timestamp of its messages. */
  readonly at: number
  /** The first 28 characters of the ids that callers did not choose; the last 8 are digits: see `ids.ts`. */
  readonly base: string
  readonly bodies: Body | LongBody | readonly (Body | LongBody)[]
  /** Bytes ever put into the log before this segment: the difference of two segments is the size of what lies between. */
  readonly bytes: number
  /** The columns, where a message needs more than a body. */
  readonly more?: Columns | undefined
  /** The number of the alias to delete with this segment. */
  readonly alias?: number | undefined
  /** The lane of all its messages. */
  readonly lane?: string | undefined
}

/** Stands for a body that has a row of its own: see `bodies.ts`. */
export interface LongBody {
  /** As that of the body. */
  readonly length: number
  /** The key of its row: in `bodies` a number, that of the message in the log, or a negative one if it is delayed; in `copies` its group and number. */
  readonly at: Key
}

/**
 * What messages have besides bodies. Ids are only those that are not made of `base`: callers' own, and those of delayed
 * messages.
 */
export type Columns = { readonly [F in keyof Extras]?: readonly Extras[F][] }

export interface Extras extends Pick<
  Stored,
  'key' | 'headers' | 'expires' | 'maxAttempts' | 'named' | 'keepMs' | 'since'
> {
  /** Its timestamp, if not that of the segment: it was replaced. */
  readonly at?: number | undefined
  readonly id?: string | undefined
}

/** One message on its own, outside the log. */
export interface Stored {
  readonly id: string
  readonly body: Body | LongBody
  readonly at: number
  readonly lane?: string | undefined
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly expires?: number | undefined
  readonly maxAttempts?: number | undefined
  /** `dedupeMs`, if its sender chose its id. */
  readonly named?: number | undefined
  readonly keepMs?: number | undefined
  /** When the first was appended of those that it replaced, if it did. */
  readonly since?: number | undefined
  /** When it was redriven, if it was a dead letter. */
  readonly redriven?: number | undefined
  /** Blocked only: not to be delivered before this time, even if its key comes free. */
  readonly due?: number | undefined
}

/**
 * A message that waits until `at`, is parked, or is leased after it waited.
 *
 * Of each ordering key at most one message waits or is leased, its head. All others of that key that the cursor has
 * passed are blocked in `chain`. So a key is free exactly if no lease names it and it has no row here.
 */
export interface SideRow {
  readonly seq: number
  readonly at: number
  readonly attempt: number
  readonly error?: string | undefined
  /** The message, unless it lies in a chain row. */
  readonly message?: Stored | undefined
  /** The seq of that chain row. */
  readonly row?: number | undefined
  /** It waits for nothing, but is parked; why is its error. */
  readonly parked?: ParkedRow | undefined
}

export interface ParkedRow {
  readonly at: number
  readonly data?: string | undefined
  /** The seq of the dead letter that has it parked. */
  readonly behind?: number | undefined
  /** Its id, if that leads to a later message. */
  readonly hidden?: string | undefined
}

/**
 * Messages of one key that were blocked together, in order. The head may lie in it: all before it are done then. A row is
 * not written anew for each message that leaves it, because it may be large.
 */
export type ChainRow = readonly Blocked[]
export type Blocked = readonly [seq: number, message: Stored]

export interface DeadRow {
  readonly message: Stored
  readonly attempt: number
  readonly reason: DeadReason
  readonly error?: string | undefined
  readonly at: number
  /** A lease number: makes the receipt of this dead letter unlike that of an earlier one. */
  readonly fence: number
  /** When it is deleted. */
  readonly until?: number | undefined
}

/** What a message ended with in a group, or how far its handler is. */
export interface ResultRow {
  readonly id: string
  readonly key?: string | undefined
  readonly lane?: string | undefined
  /** The timestamp of the message. */
  readonly at: number
  readonly attempt: number
  readonly outcome: Outcome
  /** When it is forgotten, if the message has ended. */
  readonly until?: number | undefined
  /** The number of the lease of its handler, if it has not. */
  readonly lease?: number | undefined
}

/** Outcomes of a group that are forgotten together: the seq and the id of each. */
export type KeptRow = readonly [group: string, ...outcomes: (number | string)[]]

/** What is due in a group. */
export const WAITS = 0
export const EXPIRES = 1
export const FADES = 2
export const ENDS = 3
export const PARKED = 4
export const STOPS = 5
export const HIDDEN = 6
export const LETTERS = 7

/** The kinds of timers. */
export const DELIVER = 0
export const EXPIRE = 1
export const FORGET = 2
export const KEPT = 3
export const LIFT = 4

export type TimerKey = readonly [kind: number, at: number, number: number]

/** Before a timer that has this time and number, or a later one. */
export type TimerMark = readonly [at: number, number: number]

/** Some delayed messages, without what they carry. */
export interface DeliverRow {
  /** Where they are in `delayed`: the number of the last. */
  readonly last: number
  readonly length: number
  readonly bytes: number
  /** When those of them expire that do. */
  readonly expires?: readonly number[] | undefined
  readonly lane?: string | undefined
}

/** Delayed messages: `first` is the number of the first. */
export interface Delayed extends Segment {
  readonly timer: TimerKey
}

/** What is known of an id that a sender chose. */
export interface IdRow {
  /** Where its last message is, if that is in the log or was: its seq and key. */
  readonly seq?: number | undefined
  readonly key?: string | undefined
  readonly lane?: string | undefined
  /** Where it is in `delayed`. */
  readonly delayed?: number | undefined
  /** The `dedupeMs` of that message, if not 0. */
  readonly dedupeMs?: number | undefined
  /** Until when the id is known whatever becomes of them. */
  readonly until?: number | undefined
  /** The seq of the last message, if outcomes of it are kept, and until when the last of them is. */
  readonly kept?: number | undefined
  readonly keptUntil?: number | undefined
}

/** What an earlier message of an id has promised that is still on its way: under its seq, negative. */
export interface OlderRow {
  readonly id: string
  readonly key?: string | undefined
  readonly lane?: string | undefined
  readonly dedupeMs: number
}

/**
 * What has become of a message of the log that some group has not reached: it carries another message now, or it is gone.
 * A message that expired is gone for those that have not reached it, and still there for those that hold a lease on it.
 */
export interface Amendment {
  readonly gone: boolean
  readonly message?: Stored | undefined
}

/** The key of the queue's own row in `state`. */
export const QUEUE_KEY: [string] = ['queue']

export function groupKey(group: string): [string, string] {
  return ['group', group]
}

/** What a queue without messages has. */
export const EMPTY: Pick<
  QueueRow,
  | 'delayed'
  | 'delayedBytes'
  | 'timer'
  | 'since'
  | 'joining'
  | 'amended'
  | 'gone'
  | 'tied'
  | 'lanes'
  | 'longBodies'
  | 'intoLanes'
  | 'inLanes'
  | 'laneBytes'
> = {
  lanes: 0,
  longBodies: undefined,
  intoLanes: 0,
  inLanes: 0,
  laneBytes: 0,
  delayed: 0,
  delayedBytes: 0,
  timer: undefined,
  since: undefined,
  joining: 0,
  amended: 0,
  gone: 0,
  tied: 0,
}

/** In one piece, and not made of {@link EMPTY}: copies of it, one for each transaction, are quicker so. */
export const NEW_QUEUE: QueueRow = {
  tail: 1,
  bytes: 0,
  sent: 0,
  delayed: 0,
  nextDelayed: 1,
  nextTimer: 1,
  timer: undefined,
  since: undefined,
  reaper: undefined,
  amended: 0,
  gone: 0,
  tied: 0,
  delayedBytes: 0,
  cut: undefined,
  tidied: undefined,
  groups: 0,
  joining: 0,
  groupsEver: 0,
  lanes: 0,
  laneTail: 2 ** 48,
  intoLanes: 0,
  inLanes: 0,
  laneBytes: 0,
  holds: 0,
  probes: 0,
  opened: 0,
  tidiedLane: undefined,
  latest: 0,
  skew: 0,
}
