import { Activity } from './activity.ts'
import { cancel } from './cancel.ts'
import { type Check, checkName, mustBeOneOf } from '../check.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import type { Context } from './context.ts'
import { type DeadLetters, deadLetters } from './dead-letters.ts'
import { checkOnly, checkRules, frozen } from './lane-rules.ts'
import { type LanesOptions, hold, lanes, release } from './lane-verbs.ts'
import type { HoldRequest, LanesPage, ReleaseRequest } from '../lanes.ts'
import {
  DEFAULT_GROUP,
  CONSUMER_OPTIONS as LEAN_OPTIONS,
  Queue as LeanQueue,
  type QueueOptions,
  contextOf,
  settingsOf,
} from './lean/queue.ts'
import { type ListOptions, list } from './list.ts'
import type { ListPage, ListedMessage } from './listed.ts'
import type { Result } from './outcomes.ts'
import { type EditOptions, type ResumeOptions, edit, resume } from './parking.ts'
import { Producer } from './producer.ts'
import { purge } from './purge.ts'
import { type ResultOptions, result } from './results.ts'
import { type RetryNowOptions, retryNow } from './retry-now.ts'
import { type QueueStats, stats } from './stats.ts'
import { watch } from './watch.ts'

const checkAfterDead: Check = (...given) => mustBeOneOf('continue', 'park')(...given)

/**
 * A durable queue of messages with payloads of type `T`.
 *
 * Making one does nothing yet: the storage is opened when it is first needed.
 *
 * ```ts
 * import { Queue } from 'quayside/core'
 * import { IndexedDBAdapter } from 'quayside/indexeddb'
 *
 * const queue = new Queue<{ total: number }>('orders', { storage: new IndexedDBAdapter() })
 * await queue.createProducer().send({ total: 42 })
 * ```
 */
export class Queue<T = unknown> extends LeanQueue<T> {
  readonly #context: Context<T>

  /**
   * @param name 1 to 256 bytes of UTF-8. Together with the storage it says which queue this is.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  constructor(name: string, options: QueueOptions<T>) {
    super(name, options)
    this.#context = contextOf(this)
    this.#context.activity = new Activity(() => this.#context.now())
  }

  override createProducer(): Producer<T> {
    return new Producer(this.#context)
  }

  /**
   * Its group exists from the next thing on that this object does: then it gets every message that is sent, whoever finishes
   * with it first.
   *
   * @param group Consumers of one group share its messages; every group gets every message. @defaultValue 'default'
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  override createConsumer(group: string = DEFAULT_GROUP, options: ConsumerOptions = {}): Consumer<T> {
    const context = this.#context
    const settings = settingsOf(
      context,
      group,
      options,
      { ...LEAN_OPTIONS, lanes: checkRules, only: checkOnly, afterDead: checkAfterDead },
      (tried, { lanes, only, afterDead }) => {
        if ((lanes ?? only) !== undefined) context.require(tried, 'lanes')
        const parksNext = afterDead === 'park' || undefined
        if (parksNext) context.require(tried, 'parking')
        return { parksNext, lanes: frozen(lanes), only: frozen(only) }
      },
    )
    return new Consumer(context, settings)
  }

  /**
   * Counts of all groups, rates and latencies. Never looks at every message, and changes nothing.
   *
   * @throws {@link QuaysideError} `CLOSED`, `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used.
   */
  async stats(): Promise<QueueStats> {
    return { ...(await stats(this)), ...this.#context.activity!.report() }
  }

  /**
   * Looks at messages without claiming them. Changes nothing.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  list(options?: ListOptions): Promise<ListPage<ListedMessage<T>>> {
    return list(this, options)
  }

  /**
   * Drops messages that are not done, in every group; who holds a lease on one finds it stale. Dead letters stay.
   * Answers, for each id, whether there was one. Handlers of this object that work on one are told at once by their signal,
   * those of others within about a second where the storage can watch.
   *
   * All in one step; more than 256 ids in steps of 256.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`.
   */
  cancel(ids: readonly string[]): Promise<boolean[]> {
    return cancel(this, ids)
  }

  /**
   * Ends the wait of parked messages: they are due at once, and their attempts are counted anew. Answers, for each id, whether
   * the message was parked. All in one step; more than 256 ids in steps of 256. See {@link Message.park}; {@link cancel} ends
   * the wait of those that nobody wants any more.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`.
   */
  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]> {
    return resume(this, ids, options)
  }

  /**
   * Has a parked message carry something else from now on, and resumes it; its id, key and lane stay. Answers whether it was
   * parked: if not, nothing is changed. A group that begins later gets it so, too, once none has it to do as it was.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSERIALIZABLE`, `SCHEMA_MISMATCH`, `UNSUPPORTED`.
   */
  edit(id: string, payload: T, options?: EditOptions): Promise<boolean> {
    return edit(this, id, payload, options)
  }

  /**
   * What became of a message that was sent with `keepMs`, or of which the queue keeps it: what its handler returned, why it is
   * dead, or how far its handler says that it is. `undefined`: it waits, is worked on without a word, keeps nothing, was kept
   * long enough, or nobody knows the id.
   *
   * With `waitMs` it waits until the message is done or dead, in whatever context, also for one that is not sent yet. It is
   * woken where the storage can watch, and looks once a second elsewhere.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`, `CLOSED`, and what {@link Consumer.receive}
   * throws when the storage cannot be used. What the codec throws where it cannot decode the result. The signal's reason.
   */
  result<R = unknown>(id: string, options?: ResultOptions): Promise<Result<R> | undefined> {
    return result(this, id, options)
  }

  /**
   * Has nothing of a lane, a group or the queue handed out anywhere, until it is {@link release}d or `forMs` is over: without
   * `lane` it is all lanes and what has none, without `group` all groups. Each of these places has one hold; a second one takes
   * its place. Leases that exist go on. It is stored, acts in every context at once, and survives what messages survive.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  hold(request?: HoldRequest): Promise<void> {
    return hold(this, request)
  }

  /**
   * Ends the hold of a place, and of no other. Answers whether there was one.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  release(request?: ReleaseRequest): Promise<boolean> {
    return release(this, request)
  }

  /**
   * The lanes of a group that have something in it or are held, by name. Changes nothing.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  lanes(options?: LanesOptions): Promise<LanesPage> {
    return lanes(this, options)
  }

  /**
   * Ends the wait of messages for their retry: they are due at once. Those of `ids`, or all that wait in the group.
   * Answers how many there were. What is ready, leased, dead, unknown, or was sent with a delay and not yet delivered is
   * passed over. In steps of up to 256 messages.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  retryNow(ids?: readonly string[], options?: RetryNowOptions): Promise<number> {
    return retryNow(this, ids, options)
  }

  /** The dead letters of a group. */
  deadLetters(group?: string): DeadLetters<T> {
    return deadLetters(this, group)
  }

  /**
   * Calls `listener` when anything changed, in this or in another context. A hint: it may be late, spurious or, where the
   * storage cannot watch, missing. Answers with a function that stops it.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `CLOSED`.
   */
  watch(listener: () => void): () => void {
    return watch(this, listener)
  }

  /**
   * Forgets a group with its position, leases and dead letters. Messages that only it had not finished are deleted. It is not
   * made again unless a consumer of it takes or settles something.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  async deleteGroup(group: string): Promise<void> {
    checkName('deleteGroup', 'group', group)
    const context = this.#context
    context.forget(group)
    await context.use('deleteGroup', (view) => view.deleteGroup(group))
    context.gone(undefined, group)
  }

  /**
   * Deletes every message, delayed and dead ones too. Groups stay; where what is stored is `CORRUPT`, those known here are made anew.
   *
   * @throws {@link QuaysideError} `CLOSED`, `LOCKED`, `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used.
   */
  purge(): Promise<void> {
    return purge(this)
  }

  /**
   * Deletes the queue: its groups, every message, every id. Closes this object; a new one finds an empty queue. What is still
   * being sent is deleted too, or refused with `CLOSED`, as what an async codec or schema has not encoded; handlers have no grace.
   *
   * @throws {@link QuaysideError} `LOCKED`, `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`: the storage could not be used.
   */
  delete(): Promise<void> {
    return this.#context.delete()
  }
}
