import { read } from './codec.ts'
import type { Context } from './context.ts'
import { Desk } from './desk.ts'
import { type ErrorCode, cutError, errorText } from '../errors.ts'
import type { Hand, Opened } from './hand.ts'
import type { Line, Terms } from './line.ts'
import { type Attempts, type Lease, Message, type NackOptions, type Settler } from './message.ts'
import { type RetryRules, backoffDelay } from './retry.ts'
import type { Delivery, Held, SettleResult, Settlement } from '../storage.ts'

/** What a consumer needs of its options, with the defaults filled in. */
export interface ConsumerSettings {
  readonly group: string
  readonly retry: RetryRules
  /** To begin with. */
  readonly terms: Terms
}

/** A consumer, as those see it who take messages in its name: calls of `receive`, loops, iterations. */
export class Reader<T> {
  readonly context: Context<T>
  readonly desk: Desk<T>
  #line: Line
  /** Takes nothing for the time being. */
  paused = false
  readonly #settings: ConsumerSettings
  readonly #settler: Settler

  constructor(context: Context<T>, settings: ConsumerSettings, settler: Settler) {
    const { group, terms } = settings
    this.context = context
    this.desk = context.desk(group, () => new Desk(context, group))
    this.#line = this.desk.line(terms)
    this.#settings = settings
    this.#settler = settler
  }

  /** Where those stand who take in its name. */
  get line(): Line {
    return (this.#line = this.desk.current(this.#line))
  }

  /** Takes from other lanes, or by other limits, from the next claim on. */
  select(terms: Pick<Terms, 'only'> | Pick<Terms, 'lanes'>): void {
    this.#line = this.desk.line({ ...this.#line.terms, ...terms })
    this.desk.reseat()
  }

  /** Makes messages of deliveries that were asked for at that time. */
  open(deliveries: readonly Delivery<Held>[], at: number): readonly Opened<T>[] {
    this.context.activity?.delivered(deliveries, this.context.answeredAt(at))
    const until = at + this.#settings.terms.leaseMs
    return deliveries.map((delivery) => this.#openOne(delivery, until))
  }

  #openOne(delivery: Delivery<Held>, until: number): Opened<T> {
    const { codec, schema, name } = this.context.options
    const { group } = this.#settings
    const lease: Lease = {
      receipt: delivery.receipt,
      until,
      settled: false,
      gone: false,
      onEnd: undefined,
      progress: undefined,
      told: 0,
    }
    let late: Promise<Message<T>>
    try {
      const payload = read(codec, schema, delivery.body)
      if (!(payload instanceof Promise))
        return new Message(delivery, payload, name, group, lease, this.#settler)
      late = payload.then((valid) => new Message(delivery, valid, name, group, lease, this.#settler))
    } catch (error) {
      late = Promise.reject(error)
    }
    // Whoever it is for may have left before.
    late.catch(() => undefined)
    return { ...delivery, lease, late }
  }

  /** Makes a dead letter. */
  deadOf(
    receipt: string,
    reason: 'unreadable' | 'rejected' | 'exhausted',
    error: string | undefined,
  ): Settlement {
    const { deadForMs, parksNext } = this.#settings.terms
    return { receipt, kind: 'dead', reason, error: cutError(error), deadForMs, parksNext }
  }

  parkOf(receipt: string, reason: string, data: string | undefined): Settlement {
    return { receipt, kind: 'park', reason: cutError(reason)!, data }
  }

  /** What the codec will be able to read waits for that. */
  unreadable({ lease }: Hand<T>, why: unknown): Settlement {
    const { receipt } = lease
    const isParked = isNotYetReadable(why) && (this.context.guarantees.parking ?? true)
    if (isParked) return this.parkOf(receipt, errorText(why), NOT_YET)
    return this.deadOf(receipt, 'unreadable', errorText(why))
  }

  /** How a delivery that failed goes on. */
  failureOf(receipt: string, { attempt, maxAttempts }: Attempts, options: NackOptions): Settlement {
    const { delayMs, reason, counts } = options
    if (counts !== false && attempt >= maxAttempts) return this.deadOf(receipt, 'exhausted', reason)
    const wait = delayMs ?? backoffDelay(attempt, this.context.options.random(), this.#settings.retry)
    return { receipt, kind: 'retry', delayMs: wait, error: cutError(reason), counts }
  }

  /** Takes in what became of a settlement. Answers whether it was stale. */
  note(lease: Lease | undefined, settlement: Settlement, { status }: SettleResult): boolean {
    if (status === 'stale') return true
    const { kind } = settlement
    if (kind === 'extend') {
      const { leaseMs } = settlement
      this.desk.extended(lease, settlement.receipt, this.context.now() + leaseMs, leaseMs)
    } else {
      if (kind !== 'park') this.context.activity?.count(kind === 'ack' ? 'acked' : 'failed', 1)
      lease?.onEnd?.(settlement)
    }
    return false
  }
}

const NOT_YET_READABLE: ErrorCode = 'NOT_YET_READABLE'
/** Tells those apart that were parked because they could not be read. */
const NOT_YET = JSON.stringify({ code: NOT_YET_READABLE })

/** A codec need not know quayside's errors. */
function isNotYetReadable(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null | undefined)?.code === NOT_YET_READABLE
}

/** Most schemas and codecs answer at once. */
export function areThere<T>(opened: readonly Opened<T>[]): opened is readonly Message<T>[] {
  return opened.every((one) => one instanceof Message)
}
