import { type ListPage, type ListedMessage, type Queue, list, result } from '../core/lean/index.ts'
import { type StoredState, keptResponse, storedAnswer } from './answer.ts'
import { coalesce } from './coalesce.ts'
import { WAITS } from './family.ts'
import { has } from './lanes.ts'
import type { Rests } from './rests.ts'
import type { OutboxPayload, Packed } from './request.ts'
import { ALL_STATES } from './owned.ts'
import { pages } from './pages.ts'
import { type KeptAnswer, isAnswer } from './verdict.ts'

/** Somebody who waits for the answer to a request. */
export class Waiter {
  id = ''
  /** Its version tells what the request carries from what another one of the same id carried before. */
  packed: Packed | undefined
  /** Until it is known what became of the request. `undefined`: it is being stored. */
  state: StoredState | undefined
  answer!: (response: Response) => void
  giveUp!: (reason: unknown) => void
  readonly promise: Promise<Response> = new Promise((resolve, reject) => {
    this.answer = resolve
    this.giveUp = reject
  })

  /** Answers in place of the server. */
  answerLater(state: StoredState = this.state ?? 'stored'): void {
    this.answer(storedAnswer(this.id, state))
  }
}

/** All who wait in this context, and what becomes of the requests that others send for them. */
export class Waiters {
  readonly #queue: Queue<OutboxPayload>
  readonly #rests: Rests
  readonly #all: Set<Waiter> = new Set()
  /** Looks for requests that others may have sent. */
  readonly look: () => void = coalesce(() => this.#look())

  constructor(queue: Queue<OutboxPayload>, rests: Rests) {
    this.#queue = queue
    this.#rests = rests
  }

  add(waiter: Waiter): void {
    this.#all.add(waiter)
  }

  delete(waiter: Waiter): void {
    this.#all.delete(waiter)
  }

  of(id: string, version: string | undefined): readonly Waiter[] {
    return [...this.#all].filter((waiter) => waiter.id === id && waiter.packed!.version === version)
  }

  /** Some requests are not there any more. Those that are under way may still get their answer. */
  cancelled(ids: ReadonlySet<string>): void {
    for (const waiter of this.#all)
      if (ids.has(waiter.id) && waiter.state === 'stored') waiter.answerLater('cancelled')
  }

  /** Another tab or worker may have sent what is waited for here, and keeps the response. */
  async #look(): Promise<void> {
    const waiting = [...this.#all].filter(({ state }) => state === 'stored')
    if (waiting.length === 0) return
    const ids = [...new Set(waiting.map(({ id }) => id))]
    const found = new Map<string, ListedMessage<OutboxPayload>>()
    const read = (cursor?: string): Promise<ListPage<ListedMessage<OutboxPayload>>> =>
      list(this.#queue, { ids, state: ALL_STATES, limit: ids.length, bodies: false, cursor })
    for await (const { messages } of pages(read))
      for (const message of messages) found.set(message.id, message)
    const rests = new Map<string, Promise<StoredState | undefined>>()
    const restOf = (lane: string): Promise<StoredState | undefined> => {
      const rest = rests.get(lane) ?? this.#rests.stateOf(lane)
      rests.set(lane, rest)
      return rest
    }
    for (const waiter of waiting) {
      const message = found.get(waiter.id)
      const state =
        message === undefined ? await this.#endOf(waiter.id) : await this.#stateOf(message, restOf)
      // It may have been our own turn meanwhile.
      if (waiter.state !== 'stored' || state === undefined) continue
      const answer = message && answerTo(message, state)
      if (answer === undefined) waiter.answerLater(state)
      else waiter.answer(keptResponse(waiter.id, answer, state))
    }
  }

  /** @returns `undefined` as long as it is worth waiting. */
  async #stateOf(
    { id, state, lane, lastError }: ListedMessage<OutboxPayload>,
    restOf: (lane: string) => Promise<StoredState | undefined>,
  ): Promise<StoredState | undefined> {
    switch (state) {
      case 'ready':
      case 'blocked':
        return lane === undefined ? undefined : await restOf(lane)
      case 'delayed':
        return lastError?.startsWith(WAITS) ? 'waiting' : 'retrying'
      case 'parked':
        return state
      case 'dead':
        return await this.#endOf(id)
      default:
        return undefined
    }
  }

  async #endOf(id: string): Promise<StoredState> {
    const end = has(this.#queue, 'results') ? await result(this.#queue, id) : undefined
    if (end?.status === 'done') return 'accepted'
    if (end?.status === 'dead') return end.reason === 'expired' ? 'expired' : 'dead'
    return 'purged'
  }
}

/** What the server said to a request that another context has sent, as far as its message tells. */
function answerTo(
  { parked, lastError = '' }: ListedMessage<OutboxPayload>,
  state: StoredState,
): KeptAnswer | undefined {
  if (state === 'parked') return isAnswer(parked?.data) ? parked.data : undefined
  const [, status, body] = /^HTTP (\d+): (.*)$/s.exec(lastError) ?? []
  return state === 'held' && body !== undefined ? { status: Number(status), headers: {}, body } : undefined
}
