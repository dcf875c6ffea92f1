/// <reference lib="esnext.disposable" preserve="true" />
import {
  checkArray,
  checkCount,
  checkFunction,
  checkName,
  checkOneOf,
  checkOptions,
  checkPositiveMs,
  checkMs,
  checkText,
} from './check.ts'
import { type Clock, SYSTEM_CLOCK } from './clock.ts'
import { type Codec, JSON_CODEC } from './codec.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { Context } from './context.ts'
import { DEFAULT_LIMIT, DeadLetters } from './dead-letters.ts'
import { QuaysideError } from './errors.ts'
import { type ListPage, type ListedMessage, toListed } from './listed.ts'
import { MemoryAdapter } from './memory.ts'
import { uuid } from './message-id.ts'
import { Producer } from './producer.ts'
import { DEFAULT_RETRY } from './retry.ts'
import type { StandardSchema } from './schema.ts'
import type { MessageState, StorageAdapter, StorageStats } from './storage.ts'
import type { Rates } from './throughput.ts'

export interface QueueOptions<T> {
  /** Where the messages are kept. @defaultValue a `MemoryAdapter` of its own: nothing survives this object */
  readonly storage?: StorageAdapter
  /** How payloads become what is stored. @defaultValue JSON, and `Uint8Array` as it is */
  readonly codec?: Codec<T>
  /**
   * What payloads must look like, as a Standard Schema (Zod, Valibot, ArkType …). Checked on send, and again on receive:
   * a stored payload that no longer fits becomes a dead letter.
   */
  readonly schema?: StandardSchema<T>
  /** Time and timers on this side. @defaultValue the runtime's */
  readonly clock?: Clock
  /** Random numbers from 0 up to 1, for the jitter of retries. @defaultValue `Math.random` */
  readonly random?: () => number
  /** Makes a fresh UUID v7, from which the ids of a batch are made. @defaultValue `v7` of the package `uuid` */
  readonly id?: () => string
}

export interface ListOptions {
  /** Whose view of the queue. @defaultValue 'default' */
  readonly group?: string
  /** Only messages of this state, or these. @defaultValue all but `dead` */
  readonly state?: MessageState | readonly MessageState[]
  /** Only these messages. */
  readonly ids?: readonly string[]
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number
  /** Where an earlier page ended. */
  readonly cursor?: string
}

export interface QueueStats extends StorageStats {
  /** Messages a second that went through this `Queue` object, over the last minute. */
  readonly throughput: Rates
}

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'dead']
const DEFAULT_GROUP = 'default'

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
  constructor(name: string, options: QueueOptions<T> = {}) {
    const tried = 'new Queue'
    checkName(tried, 'name', name)
    checkOptions(tried, options, ['storage', 'codec', 'schema', 'clock', 'random', 'id'])
    const { clock = SYSTEM_CLOCK, random = Math.random, id = uuid, schema } = options
    checkFunction(tried, 'random', random)
    checkFunction(tried, 'id', id)
    if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `${tried}: schema must be a Standard Schema, which this is not`,
      )
    }
    if (options.storage !== undefined && typeof options.storage?.open !== 'function') {
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `${tried}: storage must be an adapter, such as new MemoryAdapter()`,
      )
    }
    this.name = name
    this.#context = new Context({
      name,
      storage: options.storage ?? new MemoryAdapter({ clock }),
      clock,
      random,
      id,
      codec: options.codec ?? (JSON_CODEC as Codec<T>),
      schema,
    })
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
    checkOptions(tried, options, ['leaseMs', 'retry', 'from'])
    const { leaseMs = 30_000, from } = options
    checkPositiveMs(tried, 'leaseMs', leaseMs)
    checkOptions(tried, options.retry ?? {}, Object.keys(DEFAULT_RETRY))
    const retry = { ...DEFAULT_RETRY, ...options.retry }
    checkCount(tried, 'retry.maxAttempts', retry.maxAttempts)
    checkMs(tried, 'retry.initialMs', retry.initialMs)
    checkMs(tried, 'retry.maxMs', retry.maxMs)
    if (!(retry.factor >= 1 && retry.factor < Infinity)) {
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `${tried}: retry.factor must be a number, 1 or more, not ${retry.factor}`,
      )
    }
    if (from !== undefined) checkOneOf(tried, 'from', from, ['earliest', 'latest'])
    return new Consumer(this.#context, { group, leaseMs, retry, from })
  }

  /** Counts of all groups, and rates. Never looks at every message, and changes nothing. */
  async stats(): Promise<QueueStats> {
    const stats = await this.#context.use('stats', (view) => view.stats())
    return { ...stats, throughput: this.#context.throughput.rates() }
  }

  /** Looks at messages without claiming them. Changes nothing. */
  async list(options: ListOptions = {}): Promise<ListPage<ListedMessage<T>>> {
    checkOptions('list', options, ['group', 'state', 'ids', 'limit', 'cursor'])
    const { group = DEFAULT_GROUP, state, ids, limit = DEFAULT_LIMIT, cursor } = options
    checkName('list', 'group', group)
    const states = state === undefined ? undefined : typeof state === 'string' ? [state] : state
    if (states !== undefined) {
      checkArray('list', 'state', states)
      for (const one of states) checkOneOf('list', 'state', one, STATES)
    }
    if (ids !== undefined) checkArray('list', 'ids', ids)
    checkCount('list', 'limit', limit)
    if (cursor !== undefined) checkText('list', 'cursor', cursor)
    const query = { group, states, ids, limit, cursor }
    const page = await this.#context.use('list', (view) => view.list(query))
    const { codec } = this.#context.options
    return { messages: page.messages.map((message) => toListed(codec, message)), cursor: page.cursor }
  }

  /**
   * Drops messages that are not done, in every group; who holds a lease on one finds it stale. Dead letters stay.
   * Answers, for each id, whether there was one.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`.
   */
  async cancel(ids: readonly string[]): Promise<boolean[]> {
    checkArray('cancel', 'ids', ids)
    for (const id of ids) checkName('cancel', 'id', id)
    this.#context.require('cancel', 'cancellation', 'cancellation')
    return await this.#context.use('cancel', (view) => view.cancel(ids))
  }

  /** The dead letters of a group. */
  deadLetters(group: string = DEFAULT_GROUP): DeadLetters<T> {
    checkName('deadLetters', 'group', group)
    return new DeadLetters(this.#context, group)
  }

  /**
   * Calls `listener` when anything changed, in this or in another context. A hint: it may be late, spurious or, where the
   * storage cannot watch, missing. Answers with a function that stops it.
   */
  watch(listener: () => void): () => void {
    checkFunction('watch', 'listener', listener)
    let unwatch: (() => void) | undefined
    let stopped = false
    this.#context.open('watch').then(
      (view) => {
        if (!stopped) unwatch = view.watch?.(listener)
      },
      // Who cannot open the queue learns it from the verbs.
      () => undefined,
    )
    this.#context.closing.addEventListener('abort', () => unwatch?.(), { once: true })
    return () => {
      stopped = true
      unwatch?.()
    }
  }

  /** Forgets a group with its position, leases and dead letters. Messages that only it had not finished are deleted. */
  async deleteGroup(group: string): Promise<void> {
    checkName('deleteGroup', 'group', group)
    await this.#context.use('deleteGroup', (view) => view.deleteGroup(group))
  }

  /** Deletes every message, delayed and dead ones too. Groups stay. */
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
   * Every later call rejects with `CLOSED`. Twice is once.
   */
  close(): Promise<void> {
    return this.#context.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
