import { checkOptions } from '../check.ts'
import type { Context } from './context.ts'
import { MESSAGE } from './message-checks.ts'
import { prepare } from './prepare.ts'
import type { MessageOptions } from './message-options.ts'
import type { NewMessage, Part } from '../storage.ts'

/** A message that was handed over in a transaction: its id is known before the promise resolves. */
export type HandedOver = Promise<{ readonly id: string }> & { readonly id: string }

/**
 * Sends messages in a transaction of the caller's: see {@link Producer.within}.
 *
 * ```ts
 * db.exec('BEGIN IMMEDIATE')
 * db.prepare('INSERT INTO orders VALUES (?)').run(7)
 * await producer.within(db).send({ order: 7 })
 * db.exec('COMMIT') // both, or neither
 * ```
 */
export class TransactionProducer<T> {
  readonly #context: Context<T>
  readonly #transaction: object

  /** @internal Made by {@link Producer.within}. */
  constructor(context: Context<T>, transaction: object) {
    this.#context = context
    this.#transaction = transaction
  }

  /**
   * Writes a message in the transaction: it is in the queue once that has committed, and never if it does not. Delays, and
   * times to live, count from when the queue takes it, which is the next step that anybody does on it. A message whose id is
   * retained then is dropped as a duplicate. The limits `maxMessages` and `maxBytes` do not hold it up.
   *
   * A driver that answers at once has written it when this returns, so that it works in a transaction which cannot wait;
   * what is wrong at once is thrown, not rejected.
   *
   * @throws {@link QuaysideError} as {@link Producer.send}, and `INVALID_ARGUMENT` where there is no transaction of this
   * storage's database; and what the driver throws.
   */
  send(payload: T, options?: MessageOptions): HandedOver {
    const tried = 'within.send'
    if (options !== undefined) checkOptions(tried, options, MESSAGE)
    this.#context.admit(tried)
    const id = options?.id ?? this.#context.options.id()
    const show = () => [{ id, lane: options?.lane, headers: { ...options?.headers } }]
    // Whoever observes makes a rejection of it, which comes too late for a transaction that cannot wait.
    const thrown: unknown[] = []
    const handed = this.#context.observe('send', undefined, false, show, async (drafts) => {
      try {
        const headers = (drafts?.[0] ?? options)?.headers
        const message = prepare(this.#context, tried, payload, options, headers)
        await (message instanceof Promise
          ? message.then((ready) => this.#hand(ready, id))
          : this.#hand(message, id))
        this.#context.activity?.count('sent', 1)
        return { id }
      } catch (error) {
        thrown.push(error)
        throw error
      }
    })
    if (thrown.length > 0) {
      handed.catch(() => undefined)
      throw thrown[0]
    }
    return Object.assign(handed, { id })
  }

  #hand(message: NewMessage, id: string): Promise<void> | void {
    const { storage, name } = this.#context.options
    const { unmade: groups } = this.#context
    return storage.appendWithin!(this.#transaction, name, [{ ...message, id }], { groups })
  }
}

/**
 * What {@link Producer.within} does. A storage with transactions of its users' brings it: see `sendWithin` of `StorageAdapter`.
 *
 * ```ts
 * class MyAdapter implements StorageAdapter {
 *   readonly sendWithin = sendWithin
 *   // and appendWithin, which it calls
 * }
 * ```
 */
export const sendWithin: Part = <T>(context: Context<T>, transaction: object): TransactionProducer<T> =>
  new TransactionProducer(context, transaction)
