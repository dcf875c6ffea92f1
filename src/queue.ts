/// <reference lib="esnext.disposable" preserve="true" />
import type { ActivityReport } from './activity.ts'
import {
  type Check,
  checkCount,
  checkEach,
  checkFunction,
  checkIds,
  checkName,
  checkOptions,
  checkPositiveMs,
  checkRetry,
  checkText,
  invalid,
  mustBe,
  mustBeOneOf,
  mustHave,
} from './check.ts'
import { type Clock, SYSTEM_CLOCK, checkClock } from './clock.ts'
import { type Codec, JSON_CODEC } from './codec.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { Context } from './context.ts'
import { DEFAULT_LIMIT, DeadLetters } from './dead-letters.ts'
import type { Instrumentation } from './instrumentation.ts'
import { type ListPage, type ListedMessage, STEP, countPages, toListed } from './listed.ts'
import { uuid } from './message-id.ts'
import { Producer } from './producer.ts'
import { rulesOf } from './retry.ts'
import type { StandardSchema } from './schema.ts'
import type { ListQuery, MessageState, QueueStorage, StorageAdapter, StorageStats } from './storage.ts'

export interface QueueOptions<T> {
  /** Where the messages are kept. */
  readonly storage: StorageAdapter
  /** How payloads become what is stored. @defaultValue JSON, and `Uint8Array` as it is */
  readonly codec?: Codec<T> | undefined
  /**
   * What payloads must look like, as a Standard Schema (Zod, Valibot, ArkType …). Checked on send, and again on receive:
   * a stored payload that no longer fits becomes a dead letter.
   */
  readonly schema?: StandardSchema<T> | undefined
  /** Time and timers on this side. @defaultValue the runtime's */
  readonly clock?: Clock | undefined
  /** Random numbers from 0 up to 1, for the jitter of retries. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined
  /** Makes a fresh UUID v7, from which the ids of a batch are made. @defaultValue `v7` of the package `uuid` */
  readonly id?: (() => string) | undefined
  /** Is called around each operation, to measure and to trace it. @defaultValue nobody observes */
  readonly instrumentation?: Instrumentation | undefined
}

export interface ListOptions {
  /** Whose view of the queue. @defaultValue 'default' */
  readonly group?: string | undefined
  /** Only messages of this state, or these. @defaultValue all but `dead` */
  readonly state?: MessageState | readonly MessageState[] | undefined
  /** Only these messages. */
  readonly ids?: readonly string[] | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined
}

export interface RetryNowOptions {
  /** Whose retries. @defaultValue 'default' */
  readonly group?: string | undefined
}

/**
 * What the storage counts, for all who use it, and what went through this `Queue` object, of which others have no part.
 *
 * `throughput` and `latency` are of the last minute on the queue's clock: of 50 to 60 s, or since the object was made.
 * A clock that is set back begins them anew.
 */
export interface QueueStats extends StorageStats, ActivityReport {}

const DEFAULT_GROUP = 'default'

const QUEUE_OPTIONS = {
  storage: mustHave('open', 'close'),
  codec: mustHave('encode', 'decode'),
  schema: mustBe('a Standard Schema, whose ~standard has the method validate', isStandardSchema),
  clock: checkClock,
  random: checkFunction,
  id: checkFunction,
  instrumentation: checkFunction,
}

const CONSUMER_OPTIONS = {
  leaseMs: checkPositiveMs,
  retry: checkRetry,
  from: mustBeOneOf('earliest', 'latest'),
}

const checkState = mustBeOneOf('ready', 'leased', 'delayed', 'blocked', 'dead')

const LIST_OPTIONS = {
  group: checkName,
  state: ((tried, what, state) => {
    if (typeof state === 'string') checkState(tried, what, state)
    else checkEach(tried, what, state, checkState)
  }) satisfies Check,
  ids: checkIds,
  limit: checkCount,
  cursor: checkText,
}

function isStandardSchema(value: unknown): boolean {
  const schema = value as StandardSchema<unknown> | null
  return typeof schema?.['~standard']?.validate === 'function'
}

/**
 * A durable queue of messages with payloads of type `T`.
 *
 * Making one does nothing yet: the storage is opened when it is first needed.
 */
export class Queue<T = unknown> implements AsyncDisposable {
  readonly name: string
  readonly #context: Context<T>

  /**
   * @param name 1 to 256 bytes of UTF-8. Together with the storage it says which queue this is.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  constructor(name: string, options: QueueOptions<T>) {
    const tried = 'new Queue'
    checkName(tried, 'name', name)
    checkOptions(tried, options, QUEUE_OPTIONS)
    const { clock = SYSTEM_CLOCK, random = Math.random, id = uuid, schema, instrumentation } = options
    const { storage, codec = JSON_CODEC as Codec<T> } = options
    if (storage === undefined)
      throw invalid(tried, 'storage must be an adapter, such as a MemoryAdapter', storage)
    this.name = name
    this.#context = new Context({ name, storage, clock, random, id, codec, schema, instrumentation })
  }

  createProducer(): Producer<T> {
    return new Producer(this.#context)
  }

  /**
   * @param group Consumers of one group share its messages; every group gets every message. @defaultValue 'default'
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  createConsumer(group: string = DEFAULT_GROUP, options: ConsumerOptions = {}): Consumer<T> {
    const tried = 'createConsumer'
    checkName(tried, 'group', group)
    checkOptions(tried, options, CONSUMER_OPTIONS)
    const { leaseMs = 30_000, retry, from } = options
    return new Consumer(this.#context, { group, leaseMs, retry: rulesOf(retry), from })
  }

  /** Counts of all groups, rates and latencies. Never looks at every message, and changes nothing. */
  async stats(): Promise<QueueStats> {
    const stats = await this.#context.use('stats', (view) => view.stats())
    return { ...stats, ...this.#context.activity.report() }
  }

  /** Looks at messages without claiming them. Changes nothing. */
  async list(options: ListOptions = {}): Promise<ListPage<ListedMessage<T>>> {
    checkOptions('list', options, LIST_OPTIONS)
    const { group = DEFAULT_GROUP, state, ids, limit = DEFAULT_LIMIT, cursor } = options
    const states = typeof state === 'string' ? [state] : state
    const query = { group, states, ids, limit, cursor }
    const page = await this.#context.use('list', (view) => view.list(query))
    const { codec } = this.#context.options
    const messages = await Promise.all(page.messages.map((message) => toListed(codec, message)))
    return { messages, cursor: page.cursor }
  }

  /**
   * Drops messages that are not done, in every group; who holds a lease on one finds it stale. Dead letters stay.
   * Answers, for each id, whether there was one.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`.
   */
  async cancel(ids: readonly string[]): Promise<boolean[]> {
    checkIds('cancel', 'ids', ids)
    this.#context.require('cancel', 'cancellation', 'cancellation')
    return await this.#context.use('cancel', (view) => view.cancel(ids))
  }

  /**
   * Ends the wait of messages for their retry: they are due at once. Those of `ids`, or all that wait in the group.
   * Answers how many there were. What is ready, leased, dead, unknown, or was sent with a delay and not yet delivered is
   * passed over.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  async retryNow(ids?: readonly string[], options: RetryNowOptions = {}): Promise<number> {
    const tried = 'retryNow'
    checkOptions(tried, options, { group: checkName })
    if (ids !== undefined) checkIds(tried, 'ids', ids)
    const { group = DEFAULT_GROUP } = options
    const query: ListQuery = { group, states: ['delayed'], ids, limit: STEP }
    return await this.#context.use(tried, (view) => {
      return countPages(view, query, async (messages) => {
        const waited = await view.retryNow(
          group,
          messages.map(({ id }) => id),
        )
        return waited.filter(Boolean).length
      })
    })
  }

  /** The dead letters of a group. */
  deadLetters(group: string = DEFAULT_GROUP): DeadLetters<T> {
    checkName('deadLetters', 'group', group)
    return new DeadLetters(this.#context, group)
  }

  /**
   * Calls `listener` when anything changed, in this or in another context. A hint: it may be late, spurious or, where the
   * storage cannot watch, missing. Answers with a function that stops it.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `CLOSED`.
   */
  watch(listener: () => void): () => void {
    checkFunction('watch', 'listener', listener)
    const { closing, onceOpen } = this.#context
    if (closing.aborted) throw this.#context.closedError('watch')
    let unwatch: (() => void) | undefined
    const start = (view: QueueStorage): void => void (unwatch = view.watch?.(listener))
    const stop = (): void => {
      onceOpen.delete(start)
      closing.removeEventListener('abort', stop)
      unwatch?.()
    }
    closing.addEventListener('abort', stop)
    onceOpen.add(start)
    this.#context.open('watch').then(
      (view) => {
        // It was open before.
        if (onceOpen.delete(start)) start(view)
      },
      // Who cannot open the queue learns it from the verbs. The first that can starts the watch.
      () => undefined,
    )
    return stop
  }

  /** Forgets a group with its position, leases and dead letters. Messages that only it had not finished are deleted. */
  async deleteGroup(group: string): Promise<void> {
    checkName('deleteGroup', 'group', group)
    await this.#context.use('deleteGroup', (view) => view.deleteGroup(group))
  }

  /** Deletes every message, delayed and dead ones too. Groups stay, unless what is stored of them is `CORRUPT`. */
  async purge(): Promise<void> {
    await this.#context.use('purge', (view) => view.purge())
  }

  /** Deletes the queue: its groups and every message. Closes this object; a new one finds an empty queue. */
  async delete(): Promise<void> {
    await this.#context.use('delete', async (view) => {
      await view.purge()
      const { groups } = await view.stats()
      await Promise.all(Object.keys(groups).map((group) => view.deleteGroup(group)))
    })
    await this.close()
  }

  /**
   * Stops the consumers of this object, waits for their handlers and for writes under way, and lets go of the storage.
   * Every later call rejects with `CLOSED`. Twice is once. A handler must not await it: it would wait for itself.
   */
  close(): Promise<void> {
    return this.#context.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
