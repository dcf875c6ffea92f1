import { QuaysideError } from '../errors.ts'
import type { Body, Delivery, Held, Settlement } from '../storage.ts'

/** How a consumer settles a message; what the methods of {@link Message} call. */
export interface Settler {
  ack(message: Message<unknown> | string, options?: AckOptions): Promise<void>
  nack(message: Message<unknown> | string, options?: NackOptions): Promise<void>
  reject(message: Message<unknown> | string, options?: RejectOptions): Promise<void>
  park(message: Message<unknown> | string, options: ParkOptions): Promise<void>
  extend(message: Message<unknown> | string, leaseMs: number, options?: SettleOptions): Promise<string>
  progress(message: Message<unknown>, value: unknown): Promise<void>
}

/** What all ways to settle a message take. */
export interface SettleOptions {
  /**
   * Gives up: the call rejects with the signal's reason. What the storage was not told yet it is not told any more; what it was
   * told may still happen.
   * @defaultValue none
   */
  readonly signal?: AbortSignal | undefined
}

/** What is kept of a message that is done. */
export interface AckOptions extends SettleOptions {
  /**
   * What its handler made of it, for {@link Queue.result}: whatever the queue's codec can carry, 128 KiB at most. A message that
   * keeps nothing drops it. @defaultValue nothing
   */
  readonly result?: unknown
}

/** Why a message is parked. */
export interface ParkOptions extends SettleOptions {
  /** What it waits for, to show. At most 4,096 characters are kept. */
  readonly reason: string
  /** More to show, such as the field that is wrong: anything JSON can carry, 4,096 bytes at most. @defaultValue nothing */
  readonly data?: unknown
}

/** When a message comes again, and why. */
export interface NackOptions extends SettleOptions {
  /** `false` gives the attempt back: what went wrong is not the message's fault, for example being offline. @defaultValue true */
  readonly counts?: boolean | undefined
  /** How long until the next attempt, in ms. @defaultValue what the consumer's retry policy says */
  readonly delayMs?: number | undefined
  /** What went wrong: the `lastError` of the next delivery. At most 4,096 characters are kept. @defaultValue none */
  readonly reason?: string | undefined
}

/** Why a message is given up. */
export interface RejectOptions extends SettleOptions {
  /** What is wrong with it: kept with the dead letter. At most 4,096 characters are kept. @defaultValue none */
  readonly reason?: string | undefined
}

/** The lease of a message, as its consumer sees it. */
export interface Lease {
  readonly receipt: string
  until: number
  /** Its consumer was told how it ends, or it is lost: what a handler makes of the message does not matter any more. */
  settled: boolean
  /** It is lost, or was handed back: whatever is settled with it is stale. */
  gone: boolean
  /** Is called with how it ended, once that is stored. */
  onEnd: ((settlement: Settlement) => void) | undefined
  /** How far its handler is, until the storage knows. */
  progress: Body | undefined
  /** How often its handler has said so. */
  told: number
}

/** Lets consumers read the lease of a message, and nobody else. */
export let leaseOf: (message: Message<unknown>) => Lease
/** Lets consumers know whose message it is; `undefined` if it is no message, or a proxy or copy of one. */
export let settlerOf: (message: unknown) => Settler | undefined

/**
 * A message, delivered: yours until {@link Message.leaseUntil}. Exactly one of `ack`, `nack`, `reject` and `park` ends that.
 *
 * ```ts
 * const message = await consumer.receive({ waitMs: 10_000 })
 * if (message === undefined) return
 * try {
 *   await work(message.payload)
 *   await message.ack()
 * } catch (error) {
 *   await message.nack({ reason: String(error) })
 * }
 * ```
 */
export class Message<T> {
  readonly id: string
  readonly payload: T
  /** Empty if it was sent without. */
  readonly headers: Readonly<Record<string, string>>
  /** When it was sent, on the storage's clock, in ms since 1970. */
  readonly timestamp: number
  /** The number of this delivery in this group, counted from 1. */
  readonly attempt: number
  /** How many it may have. */
  readonly maxAttempts: number
  /** The ordering key, if it was sent with one. */
  readonly key: string | undefined
  /** The lane, if it was sent with one. */
  readonly lane: string | undefined
  /** How long its result is kept, in ms, if it is. */
  readonly keepMs: number | undefined
  /** The name of the queue that it came from. */
  readonly queue: string
  readonly group: string
  /** What the attempt before this one failed with. */
  readonly lastError: string | undefined
  readonly #lease: Lease
  readonly #settler: Settler

  static {
    leaseOf = (message) => message.#lease
    settlerOf = (message) =>
      typeof message === 'object' && message !== null && #settler in message ? message.#settler : undefined
  }

  constructor(
    delivery: Delivery<Held>,
    payload: T,
    queue: string,
    group: string,
    lease: Lease,
    settler: Settler,
  ) {
    this.id = delivery.id
    this.payload = payload
    this.headers = delivery.headers ?? NO_HEADERS
    this.timestamp = delivery.timestamp
    this.attempt = delivery.attempt
    this.maxAttempts = delivery.maxAttempts
    this.key = delivery.key
    this.lane = delivery.lane
    this.keepMs = delivery.keepMs
    this.queue = queue
    this.group = group
    this.lastError = delivery.lastError
    this.#lease = lease
    this.#settler = settler
  }

  /** When the lease ends unless it is extended, on this side's clock, in ms since 1970. */
  get leaseUntil(): number {
    return this.#lease.until
  }

  /**
   * What `consumer.ack`, `nack`, `reject`, `park` and `extend` take in place of this message, also in another process: a text for as
   * long as the lease lasts. It may change when the lease is extended.
   */
  get receipt(): string {
    return receiptOf(this.#lease.receipt, this)
  }

  /** Done: the group has finished with it. See {@link Consumer.ack}. */
  ack(options?: AckOptions): Promise<void> {
    return this.#settler.ack(this, options)
  }

  /** Not done: deliver it again later, or keep it as a dead letter if this was the last attempt. See {@link Consumer.nack}. */
  nack(options?: NackOptions): Promise<void> {
    return this.#settler.nack(this, options)
  }

  /** Never deliver it again: keep it as a dead letter. See {@link Consumer.reject}. */
  reject(options?: RejectOptions): Promise<void> {
    return this.#settler.reject(this, options)
  }

  /** It waits for a person or a fix: keep its place, and hand it to nobody until it is resumed. See {@link Consumer.park}. */
  park(options: ParkOptions): Promise<void> {
    return this.#settler.park(this, options)
  }

  /** How far its handler is, for {@link Queue.result}. See {@link Consumer.progress}. */
  progress(value: unknown): Promise<void> {
    return this.#settler.progress(this, value)
  }

  /** Keep it for `leaseMs` from now. Answers with the {@link receipt} that holds from now on. See {@link Consumer.extend}. */
  extend(leaseMs: number, options?: SettleOptions): Promise<string> {
    return this.#settler.extend(this, leaseMs, options)
  }
}

/** How often a message was delivered, and how often it may be. */
export interface Attempts {
  readonly attempt: number
  readonly maxAttempts: number
}

/** A delivery, as somebody knows it who has no more than its receipt. */
export interface Ticket extends Attempts {
  readonly receipt: string
}

function receiptOf(receipt: string, { attempt, maxAttempts }: Attempts): string {
  return `${attempt}/${maxAttempts}/${receipt}`
}

/** What {@link Message.receipt} says. `undefined`: it is none. */
export function ticketOf(receipt: string): Ticket | undefined {
  const found = /^(\d+)\/(\d+)\/(.+)$/s.exec(receipt)
  if (found === null) return undefined
  return { attempt: Number(found[1]), maxAttempts: Number(found[2]), receipt: found[3]! }
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** How many messages an error names. */
const MOST_NAMED = 10

/** @param stale Ids, or receipts where no more is known. @param others How many were settled in the same call. */
export function staleError(tried: string, stale: readonly string[], others = 0): QuaysideError {
  const named = stale.slice(0, MOST_NAMED).map((id) => (id.length > 100 ? `${id.slice(0, 100)}…` : id))
  if (stale.length > MOST_NAMED) named.push(`${stale.length - MOST_NAMED} more`)
  const rest = others > 0 ? `the other ${others} are done` : 'nothing was changed'
  return new QuaysideError(
    'STALE_RECEIPT',
    `${tried}: settled before, cancelled, or its lease is over and somebody else has it: ${named.join(', ')}; ${rest}`,
    { stale },
  )
}
