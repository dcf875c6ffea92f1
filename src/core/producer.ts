import { type Check, mustBe } from '../check.ts'
import type { Context } from './context.ts'
import { QuaysideError } from '../errors.ts'
import { Producer as LeanProducer } from './lean/producer.ts'
import type { TransactionProducer } from './within.ts'

const checkTransaction: Check = mustBe(
  'a connection or transaction of the database',
  (value) => (typeof value === 'object' || typeof value === 'function') && value !== null,
)

/**
 * Sends messages to a queue.
 *
 * ```ts
 * const producer = queue.createProducer()
 * await producer.send({ total: 42 }, { id: 'order-1', key: 'customer-7' })
 * await producer.sendBatch([{ payload: { total: 1 } }, { payload: { total: 2 }, delayMs: 60_000 }])
 * ```
 */
export class Producer<T> extends LeanProducer<T> {
  readonly #context: Context<T>

  /** @internal Made by {@link Queue.createProducer}. */
  constructor(context: Context<T>) {
    super(context)
    this.#context = context
  }

  /**
   * Sends in a transaction that the caller has begun on the database in which the storage lies, and commits: what it stores
   * and the messages are there together, or not at all. What a transaction is says the storage; sqlite and postgres
   * have them.
   *
   * @throws {@link QuaysideError} `UNSUPPORTED`, `INVALID_ARGUMENT`.
   */
  within(transaction: object): TransactionProducer<T> {
    checkTransaction('within', 'transaction', transaction)
    const { sendWithin, guarantees } = this.#context.options.storage
    if (sendWithin === undefined)
      throw new QuaysideError(
        'UNSUPPORTED',
        `within: the storage ${guarantees.name} has no transactions that a program can share; sqlite and postgres have`,
      )
    return (sendWithin as (...given: unknown[]) => TransactionProducer<T>)(this.#context, transaction)
  }
}
