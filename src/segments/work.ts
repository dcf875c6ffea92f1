import type { Group } from './group.ts'
import {
  type Amendment,
  type QueueRow,
  type Segment,
  type Stored,
  type DeliverRow,
  type ReapRow,
  type TimerKey,
  DELIVER,
  REAP,
  NEW_QUEUE,
  QUEUE_KEY,
  groupKey,
} from './rows.ts'
import { lastOf, messageAt } from './segment.ts'
import { type Row, type Transaction } from './store.ts'
import { tick } from './time.ts'

/** More rows than a range ever has. */
export const ALL: number = Number.MAX_SAFE_INTEGER

/**
 * One transaction on one queue, while it runs: the rows it has read and will write again at its end.
 *
 * State rows are read once, changed here, and put by {@link Work.finish}.
 */
export class Work {
  readonly tx: Transaction
  /** The name of the queue. */
  readonly name: string
  /** The store's clock, for timestamps. Deadlines are on {@link Work.now}. */
  readonly clock: number
  /** The groups that were loaded: see `group.ts`. */
  readonly groups: Map<string, Group> = new Map()
  /** The queue's own time: see `time.ts`. */
  now = 0
  #queue: QueueRow
  #queueChanged = false
  #forget: Map<number, string[]> | undefined
  #segment: Segment | undefined

  private constructor(tx: Transaction, name: string, clock: number, queue: QueueRow) {
    this.tx = tx
    this.name = name
    this.clock = clock
    this.#queue = queue
  }

  static open(tx: Transaction, name: string, clock: number): Work {
    return new Work(tx, name, clock, tx.get<QueueRow>('state', QUEUE_KEY) ?? NEW_QUEUE)
  }

  /** The queue row, to be read. */
  get queue(): Readonly<QueueRow> {
    return this.#queue
  }

  /** The queue row, to be changed. */
  edit(): QueueRow {
    if (!this.#queueChanged) {
      this.#queueChanged = true
      this.#queue = { ...this.#queue }
    }
    return this.#queue
  }

  /** Sets {@link Work.now}. What a group saw last counts too, if the transaction is about one. */
  tick(group?: Group): void {
    const time = { ...this.#queue }
    this.now = tick(this.clock, time, group?.row)
    if (time.skew !== this.#queue.skew) this.edit().skew = time.skew
  }

  /** Puts the state rows that changed. */
  finish(): void {
    for (const group of this.groups.values()) {
      group.spillHeads()
      if (!group.changed) continue
      if (this.now > group.row.latest) group.row.latest = this.now
      this.tx.put('state', groupKey(group.name), group.row)
    }
    this.#forget?.forEach((ids, at) => this.addTimer(REAP, at, { ids }))
    if (!this.#queueChanged) return
    if (this.now > this.#queue.latest) this.#queue.latest = this.now
    this.tx.put('state', QUEUE_KEY, this.#queue)
  }

  /** Has something happen at a time. Answers with the key of the row. */
  addTimer(kind: number, at: number, row: DeliverRow | ReapRow): TimerKey {
    const queue = this.edit()
    const key: TimerKey = [kind, at, queue.nextTimer++]
    this.tx.put('timers', key, row)
    const field = kind === DELIVER ? 'timer' : 'reaper'
    queue[field] = Math.min(queue[field] ?? at, at)
    return key
  }

  /** Forgets an id at a time. */
  forgetId(id: string, at: number): void {
    this.#forget ??= new Map()
    const ids = this.#forget.get(at)
    if (ids === undefined) this.#forget.set(at, [id])
    else ids.push(id)
  }

  /** The segment that holds `seq`, if the log still has it. */
  segment(seq: number): Segment | undefined {
    const known = this.#segment
    if (known !== undefined && seq >= known.first && seq <= lastOf(known)) return known
    const rows = this.tx.range<Segment>('log', { lower: seq }, 1)
    const segment = rows[0]?.[1]
    if (segment === undefined || segment.first > seq) return undefined
    return (this.#segment = segment)
  }

  /** What the log's message `seq` carries now; `undefined` if the log no longer has it. */
  logMessage(seq: number): Stored | undefined {
    if (this.#queue.amended > 0) {
      const amendment = this.tx.get<Amendment>('amend', seq)
      if (amendment !== undefined) return amendment.message
    }
    const segment = this.segment(seq)
    return segment === undefined ? undefined : messageAt(segment, seq - segment.first)
  }

  /** Whether a message of the log is gone for all groups that have not reached it. */
  isGone(seq: number): boolean {
    if (this.#queue.amended === 0) return false
    return this.tx.get<Amendment>('amend', seq)?.gone === true
  }

  amend(seq: number, amendment: Amendment): void {
    const before = this.tx.get<Amendment>('amend', seq)
    if (before === undefined) this.edit().amended++
    this.tx.put('amend', seq, amendment)
  }

  /** The amendments of a stretch of the log, by seq. */
  amendments(first: number, last: number): ReadonlyMap<number, Amendment> | undefined {
    if (this.#queue.amended === 0) return undefined
    const rows: readonly Row<Amendment>[] = this.tx.range<Amendment>(
      'amend',
      { lower: first, upper: last },
      ALL,
    )
    return rows.length === 0 ? undefined : new Map(rows as [number, Amendment][])
  }
}
