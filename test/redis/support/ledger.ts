import { MAX_IDS } from '../../../src/storage.ts'
import type { MessageState, QueueStorage } from '../../../src/storage.ts'
import { MIX_CONCURRENCY, laneOf } from './mix.ts'

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead']

/** What a queue has promised, as far as anybody was told: kept while servers and clients are killed, and checked then. */
export class Ledger {
  /** Ids whose append resolved. */
  readonly sent: Set<string> = new Set()
  /** Ids whose ack resolved as settled. */
  readonly acked: Set<string> = new Set()
  /** Ids that are parked for sure. Who resumes them takes them out first. */
  readonly parked: Set<string> = new Set()
  readonly #problems: string[] = []

  /** Notes a delivery. A message that was acked or is parked must not come. */
  delivered(id: string): void {
    if (this.acked.has(id)) this.#problems.push(`${id} came again after its ack`)
    if (this.parked.has(id)) this.#problems.push(`${id} came while it was parked`)
  }

  /** Notes what went wrong. */
  problem(text: string): void {
    this.#problems.push(text)
  }

  /** Compares all this with what is left in the queue. Answers with what was lost or is there twice. */
  async problems(queue: QueueStorage, group: string): Promise<readonly string[]> {
    const there = new Map<string, MessageState>()
    let cursor: string | undefined
    do {
      const page = await queue.list({ group, limit: 1000, cursor, states: STATES })
      for (const { id, state } of page.messages) {
        if (this.acked.has(id)) this.problem(`${id} is there after its ack`)
        if (there.has(id)) this.problem(`${id} is there twice`)
        there.set(id, state)
      }
      cursor = page.cursor
    } while (cursor !== undefined)
    for (const id of this.sent) {
      if (!there.has(id) && !this.acked.has(id)) this.problem(`${id} was sent, and is gone without an ack`)
    }
    for (const id of this.parked) {
      if (there.get(id) !== 'parked') this.problem(`${id} was parked, and is ${there.get(id) ?? 'gone'}`)
    }
    return this.#problems
  }
}

/** As {@link Ledger}, of the mix of `mix.ts`: with lanes that are held or full, and with results. */
export class MixLedger extends Ledger {
  /** Lanes that are held for sure, with a token for each hold. */
  readonly #held: Map<string, object> = new Map()
  readonly #inFlight: Map<string, number> = new Map()

  /** A hold has begun. */
  hold(lane: string): void {
    this.#held.set(lane, {})
  }

  /** Somebody is about to end it. */
  release(lane: string): void {
    this.#held.delete(lane)
  }

  /** What is held when a claim begins. */
  held(): ReadonlyMap<string, object> {
    return new Map(this.#held)
  }

  /** A delivery of a claim that began while so much was held. */
  taken(id: string, before: ReadonlyMap<string, object>): void {
    this.delivered(id)
    const lane = laneOf(id)
    const hold = before.get(lane)
    if (hold !== undefined && hold === this.#held.get(lane))
      this.problem(`${id} came although ${lane} is held`)
    const inFlight = (this.#inFlight.get(lane) ?? 0) + 1
    this.#inFlight.set(lane, inFlight)
    if (inFlight > MIX_CONCURRENCY) this.problem(`${inFlight} of ${lane} are in flight, with ${id}`)
  }

  /** Somebody is about to settle a delivery, or died with it. */
  settling(id: string): void {
    const lane = laneOf(id)
    this.#inFlight.set(lane, this.#inFlight.get(lane)! - 1)
  }

  /** An ack and its result are one: what is gone has a result, and nothing else has. Who sent may not know of an ack. */
  override async problems(queue: QueueStorage, group: string): Promise<readonly string[]> {
    const ids = [...this.sent]
    for (let i = 0; i < ids.length; i += MAX_IDS) {
      const some = ids.slice(i, i + MAX_IDS)
      const outcomes = await queue.results(group, some)
      for (const [j, id] of some.entries()) {
        const outcome = outcomes[j]
        const isDone = outcome?.status === 'done' && outcome.value === id
        if (isDone) this.acked.add(id)
        else if (outcome !== undefined) this.problem(`${id} has the result ${JSON.stringify(outcome)}`)
        else if (this.acked.has(id)) this.problem(`${id} was acked, and has no result`)
      }
    }
    return await super.problems(queue, group)
  }
}
