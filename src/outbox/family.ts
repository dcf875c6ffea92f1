import { type Message, type Queue, list, retryNow } from '../core/lean/index.ts'
import { type End, WAITING, endOf, find } from './owned.ts'
import type { OutboxPayload } from './request.ts'

/** How the error of a child begins that waits. */
export const WAITS = 'waits for '

/** A child looks again after as long as it has waited, within these, in ms. */
const LEAST_MS = 1000
const MOST_MS = 300_000

/** Requests that wait for the acceptance of another one. */
export class Family {
  readonly #queue: Queue<OutboxPayload>
  /** Children that were seen here, by their parents. */
  readonly #children: Map<string, Set<string>> = new Map()

  constructor(queue: Queue<OutboxPayload>) {
    this.#queue = queue
  }

  /** How a request's parent has ended; where it has not, in how many ms to look again. */
  async parentOf(
    { id, timestamp }: Message<OutboxPayload>,
    parent: string,
    now: number,
  ): Promise<End | number> {
    this.adopt(parent, id)
    const state = (await find(this.#queue, parent))?.state
    if (state !== undefined && state !== 'dead') return Math.min(MOST_MS, Math.max(LEAST_MS, now - timestamp))
    const end = await endOf(this.#queue, parent)
    this.#children.get(parent)?.delete(id)
    return state === 'dead' && end.state !== 'accepted' ? { state } : end
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
