import {
  type Amendment,
  type GroupRow,
  type Lease,
  type QueueRow,
  type Segment,
  type Stored,
  type TimerKey,
  DELIVER,
  EXPIRE,
  FORGET,
  NEW_QUEUE,
  QUEUE_KEY,
} from './rows.ts'
import { lastOf, messageAt } from './segment.ts'
import { type KeyRange, type Row, type StoreLimits, type Transaction, DEFAULT_LIMITS } from './store.ts'
import { trustQueue, trustSegment } from './trust.ts'

/** More rows than a range ever has. */
export const ALL: number = Number.MAX_SAFE_INTEGER

/**
 * One transaction on one queue, while it runs: the rows it has read and will write again at its end.
 *
 * State rows are read once, changed here, and put by `finish`.
 */
export interface Work {
  /** The whole queue, where this is a lane of it. */
  readonly root: Work
  readonly lane?: string | undefined
  /** The lanes that were loaded: see `lanes/lane.ts`. */
  lanes: Map<string, LaneWork> | undefined
  readonly tx: Transaction
  /** The name of the queue. */
  readonly name: string
  /** The store's clock, for timestamps. Deadlines are on {@link Work.now}. */
  readonly clock: number
  readonly limits: StoreLimits
  /** The queue row, to be read. */
  readonly queue: Readonly<QueueRow>
  /** What this step may still do besides what it was called for: see {@link StoreLimits.stepMessages}. */
  left: number
  /** How many delayed messages that are due it may still move. */
  moves: number
  /** The groups that were loaded: see `group.ts`. */
  readonly groups: Group[]
  /** Ids to be forgotten, by time. */
  forget: Map<number, string[]> | undefined
  /** Outcomes to be forgotten, by time and group: the seq and id of each. */
  kept:
    | Map<string, { readonly until: number; readonly group: string; readonly outcomes: (number | string)[] }>
    | undefined
  /** Ids of messages whose outcomes came to be. */
  finished: string[] | undefined
  /** The queue's own time: see `time.ts`. */
  now: number
  changed: boolean
  /** The segment that was read last. */
  known: Segment | undefined
}

/** What is done on a lane. */
export interface LaneWork extends Work {
  /** Its name, as a part of keys. */
  readonly key: string
  /** Its rows in `holds`, once somebody asked. */
  held: readonly Row<unknown>[] | undefined
  /** A group is deleted: what only it needed can go. */
  leave(group: string): void
  /** Works out which groups may take from it now, and when it is to be looked at for others. */
  settleDown(): void
  /** Writes its row, or deletes it if nothing is left. */
  finish(): void
}

/** One group in a transaction. Where its messages are is in `places.ts`, how they move in `moves.ts`. */
export interface Group {
  readonly work: Work
  readonly name: string
  readonly row: GroupRow
  /** The group itself, where this is what it has in a lane. */
  readonly whole: Group
  /** Whether the row has to be put. */
  changed: boolean
  /** Keys whose head was done in this transaction; the next of each is delivered by it, or made to wait. */
  readonly heads: Head[]
  /** The keys of all leases, once somebody asked. */
  leasedKeys: Set<Lease['key']> | undefined
}

/** The first message of a key, free to be delivered. */
export interface Head {
  readonly seq: number
  readonly key: string
  /** The chain row in which it lies. */
  readonly row: number
  readonly message: Stored
}

export function openWork(
  tx: Transaction,
  name: string,
  clock: number,
  limits: StoreLimits = DEFAULT_LIMITS,
): Work {
  const row = tx.get<QueueRow>('state', QUEUE_KEY)
  const queue = row === undefined ? { ...NEW_QUEUE } : { ...trustQueue(name, row) }
  const work = {
    root: undefined as unknown as Work,
    lanes: undefined,
    tx,
    name,
    clock,
    limits,
    queue,
    left: limits.stepMessages,
    moves: limits.stepMessages,
    groups: [],
    forget: undefined,
    kept: undefined,
    finished: undefined,
    now: clock,
    changed: false,
    known: undefined,
  }
  return (work.root = work)
}

/** How many rows to read at once that may each be as large as a segment: up to `most`, and no more than an answer can carry. */
export function largeAtOnce({ limits }: Work, most: number): number {
  return Math.min(most, Math.ceil(limits.answerBytes / limits.segmentBytes))
}

/** All rows whose key starts with these. */
export function under(...prefix: readonly (string | number)[]): KeyRange {
  return { lower: prefix, upper: prefix }
}

/** The queue row, to be changed. */
export function edit(work: Work): QueueRow {
  work.changed = true
  return work.queue
}

/** The key of a new timer. */
export function addTimer(work: Work, kind: number, at: number): TimerKey {
  const queue = edit(work)
  if (kind === DELIVER) queue.timer = Math.min(queue.timer ?? at, at)
  else reapAt(work, at)
  return [kind, at, queue.nextTimer++]
}

/** Has a claim look at this time for what has had its. */
export function reapAt(work: Work, at: number): void {
  const { root } = work
  const { reaper } = root.queue
  if (reaper === undefined || at < reaper) edit(root).reaper = at
}

/** Whether delayed messages are due that are not in the log yet. */
export function isOverdue({ queue, now }: Work): boolean {
  return queue.timer !== undefined && queue.timer <= now
}

/** Notes that this step has done something besides what it was called for, with a message of so many bytes. */
export function spend(work: Work, bytes: number = 0): void {
  work.left -= costOf(bytes)
}

export function costOf(bytes: number): number {
  return 1 + bytes / 4096
}

/** Has ids be forgotten that are known until a time. */
export function forgetAt({ root: work }: Work, until: number, id: string): void {
  work.forget ??= new Map()
  const some = work.forget.get(until)
  if (some === undefined) work.forget.set(until, [id])
  else some.push(id)
}

/** Writes the timers for that. */
export function putForget(work: Work): void {
  work.forget?.forEach((ids, until) => work.tx.put('timers', addTimer(work, FORGET, until), ids))
}

/** Has a message of the log expire, if it ever does; with it, any other of its segment that does at this time. */
export function noteExpiry(work: Work, seq: number, expires: number | undefined): void {
  if (expires === undefined) return
  work.tx.put('timers', [EXPIRE, expires, seq], 0)
  reapAt(work, expires)
}

/** Puts a segment at the end of the log, with all rows that belong to it. */
export function putSegment(work: Work, segment: Segment): void {
  const { tx } = work
  const { alias, more } = segment
  const last = lastOf(segment)
  tx.put('log', last, segment)
  if (alias === undefined && more?.expires === undefined) return
  edit(work).tied++
  if (alias !== undefined) tx.put('ids', alias, last)
  for (const expires of new Set(more?.expires)) noteExpiry(work, last, expires)
}

/** The segment that holds `seq`, if the log still has it. */
export function segmentAt(work: Work, seq: number): Segment | undefined {
  const { known } = work
  if (known !== undefined && seq >= known.first && seq <= lastOf(known)) return known
  const [row] = work.tx.range<Segment>('log', { lower: seq }, 1)
  if (row === undefined) return undefined
  const segment = trustSegment(work.name, row)
  return segment.first > seq ? undefined : (work.known = segment)
}

/** What the log's message `seq` carries now; `undefined` if the log no longer has it. */
export function logMessage(work: Work, seq: number): Stored | undefined {
  const amendment = amendmentOf(work, seq)
  if (amendment !== undefined) return amendment.message
  const segment = segmentAt(work, seq)
  return segment && messageAt(segment, seq - segment.first)
}

/** Whether a message of the log is gone for all groups that have not reached it. */
export function isGone(work: Work, seq: number): boolean {
  return amendmentOf(work, seq)?.gone === true
}

function amendmentOf({ tx, queue }: Work, seq: number): Amendment | undefined {
  return queue.amended === 0 ? undefined : tx.get<Amendment>('amend', seq)
}

export function amend(work: Work, seq: number, amendment: Amendment): void {
  const before = amendmentOf(work, seq)
  const queue = edit(work)
  if (before === undefined) queue.amended++
  queue.gone += (amendment.gone ? 1 : 0) - (before?.gone ? 1 : 0)
  work.tx.put('amend', seq, amendment)
}

/** The amendments of a stretch of the log, by seq. */
export function amendmentsOf(
  { tx, queue }: Work,
  first: number,
  last: number,
): ReadonlyMap<number, Amendment> | undefined {
  if (queue.amended === 0) return undefined
  const rows = tx.range<Amendment>('amend', { lower: first, upper: last }, ALL)
  return rows.length === 0 ? undefined : new Map(rows as readonly (readonly [number, Amendment])[])
}
