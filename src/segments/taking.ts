import type { Body, ClaimRequest, Delivery } from '../storage.ts'
import { receiptOf } from './group.ts'
import { hasIdRow } from './id-rows.ts'
import { isOfDelayed } from './ids.ts'
import { addLease } from './leases.ts'
import { bury, free } from './moves.ts'
import type { Lease, Stored } from './rows.ts'
import { sizeOf } from './segment.ts'
import { type Group, type Work, spend } from './work.ts'

/** What one claim has taken so far, from the group or from what it has in a lane. All of it is one lease. */
export class Taking {
  readonly group: Group
  readonly work: Work
  readonly main: Taking
  readonly deliveries: Delivery[] = []
  limit: number
  readonly maxAttempts: number
  readonly until: number
  readonly lease: number
  readonly prefix: string
  readonly suffix: string
  /** What the answer may still carry. The message that uses it up is the last. */
  #bytes: number
  /** The bytes of the log before what was looked at last. */
  looked: number | undefined
  /** There may be more to take at once. */
  more = false

  constructor(group: Group, request: Pick<ClaimRequest, 'limit' | 'leaseMs' | 'maxAttempts'>, main?: Taking) {
    const { limit, leaseMs, maxAttempts } = request
    const { lane } = group.work
    this.group = group
    this.work = group.work
    this.main = main ?? this
    this.limit = limit
    this.maxAttempts = maxAttempts
    this.until = group.work.now + leaseMs
    this.lease = main?.lease ?? group.row.nextLease++
    this.prefix = receiptOf(group, this.lease, '')
    this.suffix = lane === undefined ? '' : `.${lane}`
    this.#bytes = group.work.limits.answerBytes
  }

  /** The same for a part of the group. */
  of(group: Group): Taking {
    return new Taking(
      group,
      { limit: 0, leaseMs: this.until - this.work.now, maxAttempts: this.maxAttempts },
      this,
    )
  }

  get bytes(): number {
    return this.main.#bytes
  }

  set bytes(bytes: number) {
    this.main.#bytes = bytes
  }

  get room(): number {
    return this.bytes > 0 ? this.limit - this.deliveries.length : 0
  }

  /** Whether there is something to take without looking at lanes. */
  get hasMore(): boolean {
    const { row, heads } = this.group
    const { queue, now } = this.work
    return (
      row.cursor < queue.tail ||
      heads.length > 0 ||
      Math.min(row.due ?? Infinity, row.until ?? Infinity) <= now
    )
  }

  /** Whether the answer or the step is full. */
  get isFull(): boolean {
    return this.room <= 0 || this.work.left <= 0
  }

  /** Why a message may not be delivered for the attempt after `attempt`, if it may not. */
  verdict({ expires, maxAttempts }: Stored, attempt: number): 'expired' | 'exhausted' | undefined {
    if (expires !== undefined && expires <= this.work.now) return 'expired'
    return attempt >= (maxAttempts ?? this.maxAttempts) ? 'exhausted' : undefined
  }

  /** Leases a message, or buries it. `where` says what it is the head of, and where it lies. */
  take(seq: number, message: Stored, attempt: number, where: Where, error?: string): void {
    const { group, until, lease, maxAttempts } = this
    const verdict = this.verdict(message, attempt)
    if (verdict !== undefined) {
      spend(this.work, sizeOf(message))
      free(group, seq, where.key, where.row)
      bury(group, seq, message, attempt, verdict, error)
      return
    }
    const { key, row } = where
    const { id, named, keepMs, expires } = message
    const isOutside = row !== undefined && (hasIdRow(message) || expires !== undefined)
    const tied = isOutside || (named ?? keepMs) !== undefined || isOfDelayed(id)
    addLease(group, { first: seq, last: seq, until, lease, attempt: attempt + 1, tied, key, row })
    this.bytes -= sizeOf(message)
    this.deliveries.push(deliver(message, this.prefix + seq + this.suffix, attempt + 1, maxAttempts, error))
  }
}

type Where = Pick<Lease, 'key' | 'row'>

/** The delivery of a message that stands on its own. */
function deliver(
  { id, body, headers, key, lane, at, maxAttempts: own, keepMs }: Stored,
  receipt: string,
  attempt: number,
  maxAttempts: number,
  lastError?: string,
): Delivery {
  const delivery = {
    receipt,
    id,
    // If it is long, the claim has it read in the end.
    body: body as Body,
    headers,
    key,
    lane,
    timestamp: at,
    attempt,
    maxAttempts: own ?? maxAttempts,
    lastError,
  }
  return keepMs === undefined ? delivery : { ...delivery, keepMs }
}
