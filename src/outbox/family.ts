import { type Message, type Queue, list, result, retryNow } from '../core/lean/index.ts'
import { WAITING, find } from './owned.ts'
import type { OutboxPayload } from './request.ts'
import { type KeptAnswer, isAnswer } from './verdict.ts'

/** Under which name a message says after whose acceptance it may go. */
export const AFTER = 'quayside-after'

/** How the error of a child begins that waits. */
export const WAITS = 'waits for '

/** A child looks again after as long as it has waited, within these, in ms. */
const LEAST_MS = 1000
const MOST_MS = 300_000

/** How a request's parent is. */
export type Parent =
  /** It was accepted, with this answer. */
  | { readonly state: 'accepted'; readonly answer: KeptAnswer | undefined }
  /** It is not there yet: look again then. */
  | { readonly state: 'waits'; readonly againInMs: number }
  /** It will never be. */
  | { readonly state: 'gone'; readonly reason: string }

/** Requests that wait for the acceptance of another one. */
export class Family {
  readonly #queue: Queue<OutboxPayload>
  /** Children that were seen here, by their parents. */
  readonly #children: Map<string, Set<string>> = new Map()

  constructor(queue: Queue<OutboxPayload>) {
    this.#queue = queue
  }

  /** @returns `undefined` where a request has none. */
  async parentOf(
    { id, headers, timestamp }: Message<OutboxPayload>,
    now: number,
  ): Promise<Parent | undefined> {
    const parent = headers[AFTER]
    if (parent === undefined) return undefined
    this.adopt(parent, id)
    // Before the list: who is gone from that has left an outcome by then.
    const state = (await find(this.#queue, parent))?.state
    if (state !== undefined && state !== 'dead')
      return { state: 'waits', againInMs: Math.min(MOST_MS, Math.max(LEAST_MS, now - timestamp)) }
    const end = await result(this.#queue, parent)
    this.#children.get(parent)?.delete(id)
    if (end?.status === 'done')
      return { state: 'accepted', answer: isAnswer(end.value) ? end.value : undefined }
    const why =
      state === 'dead' || end?.status === 'dead' ? 'is dead' : 'was dropped, or nothing is kept of it'
    return { state: 'gone', reason: `the request that it comes after (${parent}) ${why}` }
  }

  adopt(parent: string, child: string): void {
    const children = this.#children.get(parent)
    if (children === undefined) this.#children.set(parent, new Set([child]))
    else children.add(child)
  }

  /** A request has ended: what waits for it here is due. */
  async ended(id: string): Promise<void> {
    const children = this.#children.get(id)
    if (children === undefined) return
    this.#children.delete(id)
    await retryNow(this.#queue, [...children])
  }

  /** Something has changed: parents that others sent may have ended. */
  async look(): Promise<void> {
    const parents = [...this.#children.keys()]
    if (parents.length === 0) return
    const { messages } = await list(this.#queue, {
      ids: parents,
      state: WAITING,
      bodies: false,
      limit: parents.length,
    })
    const left = new Set(messages.map(({ id }) => id))
    for (const parent of parents) if (!left.has(parent)) await this.ended(parent)
  }
}
