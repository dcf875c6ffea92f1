/// <reference lib="esnext.disposable" preserve="true" />
import type { ActivityReport } from './activity.ts'
import {
  type Check,
  checkBoolean,
  checkCount,
  checkEach,
  checkFunction,
  checkIds,
  checkMs,
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
import {
  type ListPage,
  type ListedMessage,
  STEP,
  countPages,
  listParts,
  partsOf,
  toListed,
} from './listed.ts'
import { uuid } from './message-id.ts'
import { Producer } from './producer.ts'
import { rulesOf } from './retry.ts'
import type { StandardSchema } from './schema.ts'
import type { ListQuery, MessageState, StorageAdapter, StorageStats } from './storage.ts'

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
  /**
   * Groups that are to exist before the next message is sent, by their names, or with where they start: for senders that never
   * consume. Those of consumers made on this object need not be named. @defaultValue none
   */
  readonly groups?: readonly (string | GroupOptions)[] | undefined
  /**
   * The most messages that the queue may retain when this object sends; a send beyond it rejects with `QUOTA_EXCEEDED`.
   * @defaultValue no limit
   */
  readonly maxMessages?: number | undefined
  /** As {@link maxMessages}, for the bytes of bodies, keys and headers, as {@link QueueStats.bytes} counts them. @defaultValue no limit */
  readonly maxBytes?: number | undefined
}

export interface GroupOptions {
  readonly name: string
  /** As for a consumer: see {@link ConsumerOptions.from}. @defaultValue 'earliest' */
  readonly from?: 'earliest' | 'latest' | undefined
}

export interface CloseOptions {
  /**
   * How long handlers may go on, in ms, and an async codec or schema with what was sent before. Then what handlers have not
   * finished is handed back, and what is not encoded is refused with `CLOSED`. @defaultValue 10,000
   */
  readonly graceMs?: number | undefined
}

export interface ListOptions {
  /** Whose view of the queue. @defaultValue 'default' */
  readonly group?: string | undefined
  /** Only messages of this state, or these. @defaultValue all but `dead` */
  readonly state?: MessageState | readonly MessageState[] | undefined
  /** Only these messages. More than 256 are looked for in parts of 256, one after the other. */
  readonly ids?: readonly string[] | undefined
  /** `false`: without payloads, which are not read then. @defaultValue true */
  readonly bodies?: boolean | undefined
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

const GRACE_MS = 10_000

const checkFrom = mustBeOneOf('earliest', 'latest')

const QUEUE_OPTIONS = {
  storage: mustHave('open', 'close'),
  codec: mustHave('encode', 'decode'),
  schema: mustBe('a Standard Schema, whose ~standard has the method validate', isStandardSchema),
  clock: checkClock,
  random: checkFunction,
  id: checkFunction,
  instrumentation: checkFunction,
  groups: ((tried, what, groups) => checkEach(tried, what, groups, checkGroup, 'group')) satisfies Check,
  maxMessages: checkCount,
  maxBytes: checkCount,
}

function checkGroup(tried: string, what: string, group: unknown): void {
  if (typeof group === 'string') return checkName(tried, what, group)
  checkOptions(tried, group, { name: checkName, from: checkFrom }, `${what} `)
  checkName(tried, `${what} name`, (group as GroupOptions).name)
}

const CONSUMER_OPTIONS = {
  leaseMs: checkPositiveMs,
  retry: checkRetry,
  from: checkFrom,
  deadForMs: checkPositiveMs,
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
  bodies: checkBoolean,
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
    const { storage, codec = JSON_CODEC as Codec<T>, groups = [], maxMessages, maxBytes } = options
    if (storage === undefined)
      throw invalid(tried, 'storage must be an adapter, such as a MemoryAdapter', storage)
    this.name = name
    const limits = { maxMessages, maxBytes }
    this.#context = new Context({
      name,
      storage,
      clock,
      random,
      id,
      codec,
      schema,
      instrumentation,
      ...limits,
    })
    if (maxMessages !== undefined || maxBytes !== undefined)
      this.#context.require(tried, 'queueLimits', 'limits of a queue')
    for (const group of groups) {
      if (typeof group === 'string') this.#context.declare(group, undefined)
      else this.#context.declare(group.name, group.from)
    }
  }

  createProducer(): Producer<T> {
    return new Producer(this.#context)
  }

  /**
   * Its group exists from the next thing on that this object does: then it gets every message that is sent, whoever finishes
   * with it first.
   *
   * @param group Consumers of one group share its messages; every group gets every message. @defaultValue 'default'
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  createConsumer(group: string = DEFAULT_GROUP, options: ConsumerOptions = {}): Consumer<T> {
    const tried = 'createConsumer'
    checkName(tried, 'group', group)
    checkOptions(tried, options, CONSUMER_OPTIONS)
    const { leaseMs = 30_000, retry, deadForMs } = options
    const from = this.#context.declare(group, options.from)
    return new Consumer(this.#context, { group, leaseMs, retry: rulesOf(retry), from, deadForMs })
  }

  /** Counts of all groups, rates and latencies. Never looks at every message, and changes nothing. */
  async stats(): Promise<QueueStats> {
    const stats = await this.#context.use('stats', (view) => view.stats())
    return { ...stats, ...this.#context.activity.report() }
  }

  /** Looks at messages without claiming them. Changes nothing. */
  async list(options: ListOptions = {}): Promise<ListPage<ListedMessage<T>>> {
    checkOptions('list', options, LIST_OPTIONS)
    const { group = DEFAULT_GROUP, state, ids, limit = DEFAULT_LIMIT, cursor, bodies } = options
    const states = typeof state === 'string' ? [state] : state
    const query = { group, states, ids, limit, cursor, bodies }
    const page = await this.#context.use('list', (view) => listParts(view, query))
    const { codec } = this.#context.options
    const messages = page.messages.map((message) => toListed(codec, message, bodies))
    return { messages: await Promise.all(messages), cursor: page.cursor }
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
  async cancel(ids: readonly string[]): Promise<boolean[]> {
    checkIds('cancel', 'ids', ids)
    this.#context.require('cancel', 'cancellation', 'cancellation')
    return await this.#context.use('cancel', async (view) => {
      const cancelled: boolean[] = []
      for (const part of partsOf(ids)) {
        const found = await view.cancel(part)
        this.#context.gone(new Set(part.filter((_, i) => found[i])))
        cancelled.push(...found)
      }
      return cancelled
    })
  }

  /**
   * Ends the wait of messages for their retry: they are due at once. Those of `ids`, or all that wait in the group.
   * Answers how many there were. What is ready, leased, dead, unknown, or was sent with a delay and not yet delivered is
   * passed over. In steps of up to 256 messages.
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
    const context = this.#context
    if (context.isClosed) throw context.closedError('watch')
    // Apart from others who watch, whom it must not keep from their hints.
    const unwatch = context.watch(() => queueMicrotask(listener))
    // Who cannot open the queue learns it from the verbs. The first that can starts the watch.
    context.open('watch').catch(() => undefined)
    return unwatch
  }

  /**
   * Forgets a group with its position, leases and dead letters. Messages that only it had not finished are deleted. It is not
   * made again unless a consumer of it takes or settles something.
   */
  async deleteGroup(group: string): Promise<void> {
    checkName('deleteGroup', 'group', group)
    const context = this.#context
    context.forget(group)
    await context.use('deleteGroup', (view) => view.deleteGroup(group))
    context.gone(undefined, group)
  }

  /** Deletes every message, delayed and dead ones too. Groups stay; where what is stored is `CORRUPT`, those known here are made anew. */
  async purge(): Promise<void> {
    const context = this.#context
    await context.useAsItIs('purge', (view) => view.purge())
    context.doubt()
    context.gone()
  }

  /** Deletes the queue: its groups, every message, every id. Closes this object; a new one finds an empty queue. */
  async delete(): Promise<void> {
    await this.#context.useAsItIs('delete', (view) => view.delete())
    this.#context.gone()
    await this.close()
  }

  /**
   * Stops the consumers of this object, waits for their handlers and for all that was called before, and lets go of the
   * storage. Handlers have `graceMs`, in which they may settle and send; then what they have not finished is handed back,
   * without losing an attempt. Every other call from now on rejects with `CLOSED`. Twice is once. A handler must not await it:
   * it would wait for itself.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, and what the storage fails with when it is closed.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions('close', options, { graceMs: checkMs })
    await this.#context.close(options.graceMs ?? GRACE_MS)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
