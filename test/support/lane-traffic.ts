import { uuid } from '../../src/message-id.ts'
import type { Delivery, QueueStorage, Settlement } from '../../src/storage.ts'

/**
 * Consumers that share a queue with many lanes, at random: they claim, ack, retry, and lose leases now and then. Throws as
 * soon as a lane has more in flight than it may, or a consumer is told that there is nothing although some lane may go.
 */
export interface Traffic {
  /** One view for each consumer. */
  readonly views: readonly QueueStorage[]
  readonly messages: number
  readonly lanes: number
  readonly concurrency: number
  readonly random: () => number
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<unknown> | void
  /** How long leases are, in ms. Default 30,000. */
  readonly leaseMs?: number
}

interface Lane {
  waiting: number
  inFlight: number
}

const GROUP = 'workers'
/** Of 1,000 deliveries. */
const RETRIED = 20
const LOST = 5

class Run {
  readonly #traffic: Required<Traffic>
  readonly #lanes: Map<string, Lane> = new Map()
  /** Lanes that may go. */
  readonly #ready: Set<string> = new Set()
  /** What each consumer has in hand. */
  readonly #hands: Delivery[][]
  readonly #lost: Delivery[] = []
  #sent = 0
  #done = 0

  constructor(traffic: Traffic) {
    this.#traffic = { leaseMs: 30_000, ...traffic }
    this.#hands = traffic.views.map(() => [])
  }

  #pick(below: number): number {
    return Math.floor(this.#traffic.random() * below)
  }

  #change(name: string, waiting: number, inFlight: number): void {
    const lane = this.#lanes.get(name) ?? { waiting: 0, inFlight: 0 }
    lane.waiting += waiting
    lane.inFlight += inFlight
    this.#lanes.set(name, lane)
    const { concurrency } = this.#traffic
    if (lane.inFlight > concurrency) throw new Error(`${lane.inFlight} of the lane ${name} are in flight`)
    if (lane.waiting > 0 && lane.inFlight < concurrency) this.#ready.add(name)
    else this.#ready.delete(name)
  }

  async run(): Promise<void> {
    const { views, messages, lanes } = this.#traffic
    await views[0]!.claim({ group: GROUP, limit: 0, leaseMs: 1000, maxAttempts: 1_000_000 })
    let idle = 0
    while (this.#done < messages) {
      if (this.#sent < messages && (this.#ready.size < lanes / 4 || this.#pick(3) === 0)) await this.#send()
      const before = this.#done
      if (this.#pick(8) === 0) await this.#together()
      else await this.#visit(this.#pick(views.length), true)
      if (this.#lost.length > 100 || this.#sent === messages) await this.#endLeases()
      idle = this.#done === before ? idle + 1 : 0
      if (idle > 10_000) throw new Error(`nothing was done for long, with ${this.#done} of ${messages} done`)
    }
  }

  async #send(): Promise<void> {
    const { views, messages, lanes } = this.#traffic
    const count = Math.min(messages - this.#sent, 1 + this.#pick(500))
    // A few lanes have much, and all have something.
    const laneOf = (): string =>
      `lane-${this.#pick(2) === 0 ? this.#pick(lanes) : this.#pick(1 + lanes / 50)}`
    const batch = Array.from({ length: count }, () => ({ body: `${this.#sent++}`, lane: laneOf() }))
    await views[0]!.append(batch, { batchId: uuid() })
    for (const { lane } of batch) this.#change(lane, 1, 0)
  }

  /** All claim at once. */
  async #together(): Promise<void> {
    await Promise.all(this.#traffic.views.map((_, who) => this.#visit(who, false)))
  }

  /** Settles some of what a consumer has in hand, and claims. */
  async #visit(who: number, isAlone: boolean): Promise<void> {
    const { views, concurrency, leaseMs } = this.#traffic
    const settle = this.#settlements(who)
    const limit = 1 + this.#pick(60)
    const { deliveries, nextInMs, settled } = await views[who]!.claim({
      group: GROUP,
      limit,
      leaseMs,
      maxAttempts: 1_000_000,
      lanes: { concurrency },
      settle,
    })
    const stale = settled?.find(({ status }) => status !== 'settled')
    if (stale !== undefined) throw new Error('a receipt is stale whose lease lives')
    for (const delivery of deliveries) {
      this.#change(delivery.lane!, -1, 1)
      if (this.#pick(1000) < LOST) this.#lost.push(delivery)
      else this.#hands[who]!.push(delivery)
    }
    const saysNothing = deliveries.length < limit && nextInMs !== 0
    if (isAlone && saysNothing && this.#ready.size > 0) {
      throw new Error(
        `a claim left ${this.#ready.size} lanes behind that may go, with ${deliveries.length} of ${limit}`,
      )
    }
  }

  #settlements(who: number): Settlement[] {
    const hand = this.#hands[who]!
    const count = this.#pick(hand.length + 1)
    return Array.from({ length: count }, () => {
      const [{ receipt, lane }] = hand.splice(this.#pick(hand.length), 1) as [Delivery]
      const isRetry = this.#pick(1000) < RETRIED
      this.#change(lane!, isRetry ? 1 : 0, -1)
      if (isRetry) return { receipt, kind: 'retry', delayMs: 0 }
      this.#done++
      return { receipt, kind: 'ack' }
    })
  }

  /** What was lost is due again, and so is what consumers have in hand. */
  async #endLeases(): Promise<void> {
    if (this.#lost.length === 0 || this.#hands.some((hand) => hand.length > 0)) {
      if (this.#lost.length > 100) for (const [who] of this.#hands.entries()) await this.#ackAll(who)
      return
    }
    await this.#traffic.pass(this.#traffic.leaseMs)
    for (const { lane } of this.#lost.splice(0)) this.#change(lane!, 1, -1)
  }

  async #ackAll(who: number): Promise<void> {
    const settlements = this.#hands[who]!.splice(0).map(({ receipt, lane }): Settlement => {
      this.#change(lane!, 0, -1)
      this.#done++
      return { receipt, kind: 'ack' }
    })
    await this.#traffic.views[who]!.settle(GROUP, settlements)
  }
}

export async function laneTraffic(traffic: Traffic): Promise<void> {
  await new Run(traffic).run()
}
