import { checkBoolean, checkCount, checkIds, checkName, checkOptions, checkText } from '../check.ts'
import type { Context } from './context.ts'
import { DEFAULT_GROUP, type Queue, contextOf } from './lean/queue.ts'
import { DEFAULT_LIMIT } from './list.ts'
import { type DeadLetter, type ListPage, countPages, toDeadLetter } from './listed.ts'
import { STEP } from './parts.ts'
import type { ListQuery, Settlement } from '../storage.ts'

/** Which page of dead letters. */
export interface DeadLetterListOptions {
  /** `false`: without payloads, which are not read then. @defaultValue true */
  readonly bodies?: boolean | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. @defaultValue the first page */
  readonly cursor?: string | undefined
}

/**
 * The dead letters of a group.
 *
 * ```ts
 * await deadLetters(queue, 'mailer').redrive()
 * ```
 */
export function deadLetters<T>(queue: Queue<T>, group: string = DEFAULT_GROUP): DeadLetters<T> {
  checkName('deadLetters', 'group', group)
  return new DeadLetters(contextOf(queue), group)
}

/**
 * The dead letters of one group: messages that were given up, kept with the reason until somebody decides.
 *
 * ```ts
 * const dead = queue.deadLetters('mailer')
 * for (const { id, payload, lastError } of (await dead.list()).messages) console.log(id, payload, lastError)
 * await dead.redrive() // all of them, again
 * ```
 */
export class DeadLetters<T> {
  readonly #context: Context<T>
  readonly #group: string

  /** @internal Made by {@link Queue.deadLetters}. */
  constructor(context: Context<T>, group: string) {
    this.#context = context
    this.#group = group
  }

  /** Looks at dead letters, in the order of the queue. @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws. */
  async list(options: DeadLetterListOptions = {}): Promise<ListPage<DeadLetter<T>>> {
    const tried = 'deadLetters.list'
    checkOptions(tried, options, { bodies: checkBoolean, limit: checkCount, cursor: checkText })
    const { bodies, limit = DEFAULT_LIMIT, cursor } = options
    const query: ListQuery = { group: this.#group, states: ['dead'], limit, cursor, bodies }
    const page = await this.#context.use(tried, (view) => view.list(query))
    const { codec } = this.#context.options
    const messages = await Promise.all(page.messages.map((message) => toDeadLetter(codec, message, bodies)))
    return { messages, cursor: page.cursor }
  }

  /**
   * Delivers dead letters again, from their first attempt on, and without an expiry: those of `ids`, or all.
   * Answers how many. Ids of no dead letter are passed over. In steps of up to 256 messages.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws. Those of earlier steps are delivered again then.
   */
  redrive(ids?: readonly string[]): Promise<number> {
    return this.#settle('deadLetters.redrive', ids, (receipt) => ({ receipt, kind: 'retry', delayMs: 0 }))
  }

  /**
   * Deletes dead letters for good: those of `ids`, or all. Answers how many. Ids of no dead letter are passed over.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  delete(ids?: readonly string[]): Promise<number> {
    return this.#settle('deadLetters.delete', ids, (receipt) => ({ receipt, kind: 'ack' }))
  }

  async #settle(
    tried: string,
    ids: readonly string[] | undefined,
    settlementOf: (receipt: string) => Settlement,
  ): Promise<number> {
    if (ids !== undefined) checkIds(tried, 'ids', ids)
    const group = this.#group
    const query: ListQuery = { group, states: ['dead'], ids, limit: STEP }
    return await this.#context.use(tried, (view) => {
      return countPages(view, query, async (messages) => {
        const settlements = messages.map(({ receipt }) => settlementOf(receipt!))
        const results = await view.settle(group, settlements)
        // A storage that knows whose step it was says that it was this object's own, which is no news to a desk.
        this.#context.hint()
        return results.filter(({ status }) => status === 'settled').length
      })
    })
  }
}
