import { abortError } from '../aborts.ts'
import { type Lease, Message, leaseOf } from './message.ts'
import type { Delivery, Held, Settlement } from '../storage.ts'

/** How long somebody may have a message in hand, in ms, unless something else is said: time to read it included. */
export const TIMEOUT_MS = 900_000

export function timedOut(ms: number): Error {
  return abortError(`timed out after ${ms} ms`, 'TimeoutError')
}

/** A delivery of which a message is being made. */
export interface Late<T> extends Delivery<Held> {
  readonly lease: Lease
  /** Rejects if it cannot be read. */
  readonly late: Promise<Message<T>>
}

/** What was made of a delivery. */
export type Opened<T> = Message<T> | Late<T>

/** A delivery that somebody here works on, be it that a message is being made of it: its lease is extended until it is released. */
export class Hand<T> {
  readonly opened: Opened<T>
  readonly lease: Lease
  readonly leaseMs: number
  startedAt: number
  /** When its lease is to be extended. */
  renewAt: number
  /** Once there is one. */
  message: Message<T> | undefined

  constructor(opened: Opened<T>, leaseMs: number, startedAt: number) {
    this.opened = opened
    this.message = opened instanceof Message ? opened : undefined
    this.lease = opened instanceof Message ? leaseOf(opened) : opened.lease
    this.leaseMs = leaseMs
    this.startedAt = startedAt
    this.renewAt = this.lease.until - leaseMs / 2
  }

  get id(): string {
    return this.opened.id
  }

  /** Hands it back as it was. */
  get returned(): Settlement {
    const { receipt } = this.lease
    return { receipt, kind: 'retry', delayMs: 0, counts: false, error: this.opened.lastError }
  }

  /** It belongs to somebody else, or is gone. */
  lose(_reason: unknown): void {}
}
