import type { Group } from './group.ts'
import {
  type Amendment,
  type DeliverRow,
  type Expiring,
  type QueueRow,
  type ReapRow,
  type Segment,
  type Stored,
  type TimerKey,
  DELIVER,
  REAP,
  NEW_QUEUE,
  QUEUE_KEY,
  groupKey,
} from './rows.ts'
import { lastOf, messageAt } from './segment.ts'
import type { Transaction } from './store.ts'
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
  /** The queue row, to be read. */
  readonly queue: Readonly<QueueRow>
  /** The groups that were loaded: see `group.ts`. */
  readonly groups: Map<string, Group> = new Map()
  /** The queue's own time: see `time.ts`. */
  now = 0
  #queueChanged = false
  /** What has to be reaped, by time. */
  readonly #reap: Map<number, (Expiring | string)[]> = new Map()
  #segment: Segment | undefined

  constructor(tx: Transaction, name: string, clock: number) {
    this.tx = tx
    this.name = name
    this.clock = clock
    this.queue = { ...(tx.get<QueueRow>('state', QUEUE_KEY) ?? NEW_QUEUE) }
  }

  /** The queue row, to be changed. */
  edit(): QueueRow {
    this.#queueChanged = true
    return this.queue
  }

  /** Sets {@link Work.now}. What a group saw last counts too, if the transaction is about one. */
  tick(group: Group | undefined): void {
    const { skew } = this.queue
    this.now = tick(this.clock, this.queue, group?.row)
    if (this.queue.skew !== skew) this.edit()
  }

  /** Puts the state rows that changed. */
  finish(): void {
    for (const group of this.groups.values()) {
      group.spillHeads()
      if (!group.changed) continue
      group.row.latest = Math.max(group.row.latest, this.now)
      this.tx.put('state', groupKey(group.name), group.row)
    }
    for (const [at, row] of this.#reap) this.addTimer(REAP, at, row)
    if (!this.#queueChanged) return
    this.edit().latest = Math.max(this.queue.latest, this.now)
    this.tx.put('state', QUEUE_KEY, this.queue)
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

  /** Has a message expire, or an id forgotten, at a time. */
  reap(at: number, what: Expiring | string): void {
    const some = this.#reap.get(at)
    if (some === undefined) this.#reap.set(at, [what])
    else some.push(what)
  }

  /** Has a message of the log expire, if it ever does. */
  noteExpiry(seq: number, { expires, key }: Pick<Stored, 'expires' | 'key'>): void {
    if (expires !== undefined) this.reap(expires, [seq, key])
  }

  /** The segment that holds `seq`, if the log still has it. */
  segment(seq: number): Segment | undefined {
    const known = this.#segment
    if (known !== undefined && seq >= known.first && seq <= lastOf(known)) return known
    const [row] = this.tx.range<Segment>('log', { lower: seq }, 1)
    return row === undefined || row[1].first > seq ? undefined : (this.#segment = row[1])
  }

  /** What the log's message `seq` carries now; `undefined` if the log no longer has it. */
  logMessage(seq: number): Stored | undefined {
    const amendment = this.#amendment(seq)
    if (amendment !== undefined) return amendment.message
    const segment = this.segment(seq)
    return segment && messageAt(segment, seq - segment.first)
  }

  /** Whether a message of the log is gone for all groups that have not reached it. */
  isGone(seq: number): boolean {
    return this.#amendment(seq)?.gone === true
  }

  #amendment(seq: number): Amendment | undefined {
    return this.queue.amended === 0 ? undefined : this.tx.get<Amendment>('amend', seq)
  }

  amend(seq: number, amendment: Amendment): void {
    if (this.#amendment(seq) === undefined) this.edit().amended++
    this.tx.put('amend', seq, amendment)
  }

  /** The amendments of a stretch of the log, by seq. */
  amendments(first: number, last: number): ReadonlyMap<number, Amendment> | undefined {
    if (this.queue.amended === 0) return undefined
    const rows = this.tx.range<Amendment>('amend', { lower: first, upper: last }, ALL)
    return rows.length === 0 ? undefined : new Map(rows as readonly (readonly [number, Amendment])[])
  }
}
