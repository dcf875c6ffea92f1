import { type ListPage, type ListedMessage, type Queue, list } from '../core/lean/index.ts'
import { type StoredState, answerOf } from './answer.ts'
import { coalesce } from './coalesce.ts'
import { WAITS } from './family.ts'
import type { Rests } from './rests.ts'
import type { OutboxPayload, Packed } from './request.ts'
import { ALL_STATES, endOf } from './owned.ts'
import { pages } from './pages.ts'
import { type KeptAnswer, answerIn, answerOfError } from './verdict.ts'

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
    this.answer(answerOf(this.id, state))
  }
}

/** All who wait in this context, and what becomes of the requests that others send for them. */
export class Waiters {
  readonly #queue: Queue<OutboxPayload>
  readonly #rests: Rests
  readonly all: Set<Waiter> = new Set()
  /** Looks for requests that others may have sent. */
  readonly look: () => void = coalesce(() => this.#look())

  constructor(queue: Queue<OutboxPayload>, rests: Rests) {
    this.#queue = queue
    this.#rests = rests
  }

  of(id: string, version: string | undefined): readonly Waiter[] {
    return [...this.all].filter((waiter) => waiter.id === id && waiter.packed!.version === version)
  }

  /** A request is not there any more. If it is under way it may still get its answer. */
  cancelled(id: string): void {
    for (const waiter of this.all)
      if (waiter.id === id && waiter.state === 'stored') waiter.answerLater('cancelled')
  }

  /** Another tab or worker may have sent what is waited for here, and keeps the response. */
  async #look(): Promise<void> {
    const waiting = [...this.all].filter(({ state }) => state === 'stored')
    if (waiting.length === 0) return
    const ids = [...new Set(waiting.map(({ id }) => id))]
    const found = new Map<string, Partial<ListedMessage<OutboxPayload>>>()
    const read = (cursor?: string): Promise<ListPage<ListedMessage<OutboxPayload>>> =>
      list(this.#queue, { ids, state: ALL_STATES, limit: ids.length, bodies: false, cursor })
    for await (const { messages } of pages(read))
      for (const message of messages) found.set(message.id, message)
    const rests = new Map<string, ReturnType<Rests['stateOf']>>()
    for (const waiter of waiting) {
      const { id } = waiter
      const { state: at, lane, lastError = '', parked } = found.get(id) ?? {}
      let state: StoredState | undefined
      let answer: KeptAnswer | undefined
      if (at === undefined || at === 'dead') {
        const end = await endOf(this.#queue, id)
        state = end.state
        if (state === 'dead') answer = end.answer
      } else if (at === 'delayed') state = lastError.startsWith(WAITS) ? 'waiting' : 'retrying'
      else if (at === 'parked') {
        state = at
        answer = answerIn(parked?.data)
      } else if (lane !== undefined && at !== 'leased') {
        const rest = rests.get(lane) ?? this.#rests.stateOf(lane)
        rests.set(lane, rest)
        state = await rest
        // What the server said to a request that another context has sent, as far as its message tells.
        if (state === 'held') answer = answerOfError(lastError)
      }
      // It may have been our own turn meanwhile, or be worth waiting for.
      if (waiter.state === 'stored' && state !== undefined) waiter.answer(answerOf(id, state, answer))
    }
  }
}
