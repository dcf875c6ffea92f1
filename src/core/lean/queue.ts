/// <reference lib="esnext.disposable" preserve="true" />
import {
  MADE_HERE,
  type Check,
  type Checks,
  checkCount,
  checkEach,
  checkFunction,
  checkMs,
  checkName,
  checkOptions,
  checkPositiveMs,
  checkRetry,
  invalid,
  mustBe,
  mustBeOneOf,
  mustHave,
  checkGlobals,
} from '../../check.ts'
import { type Clock, SYSTEM_CLOCK, checkClock } from '../../clock.ts'
import { type Codec, JSON_CODEC } from '../codec.ts'
import { Context } from '../context.ts'
import type { Instrumentation } from '../instrumentation.ts'
import { uuid } from '../../message-id.ts'
import type { Terms } from '../line.ts'
import type { ConsumerSettings } from '../reader.ts'
import { rulesOf } from '../retry.ts'
import type { StandardSchema } from '../schema.ts'
import type { Guarantees, StorageAdapter } from '../../storage.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { Producer } from './producer.ts'

/** What a queue is made of. `storage` is required here. */
export interface QueueOptions<T> {
  /** Where the messages are kept. */
  readonly storage: StorageAdapter
  /** How payloads become what is stored. @defaultValue JSON, and `Uint8Array` as it is */
  readonly codec?: Codec<T> | undefined
  /**
   * What payloads must look like, as a Standard Schema (Zod, Valibot, ArkType …). Checked on send, and again on receive:
   * a stored payload that no longer fits becomes a dead letter.
   * @defaultValue anything goes
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
   * How long it is kept what became of a message that this object sends, in ms, once it is done or dead: see {@link Queue.result}.
   * A send's own `keepMs` wins. @defaultValue not at all
   */
  readonly keepMs?: number | undefined
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

/** A group that is to exist. */
export interface GroupOptions {
  readonly name: string
  /** As for a consumer: see {@link ConsumerOptions.from}. @defaultValue 'earliest' */
  readonly from?: 'earliest' | 'latest' | undefined
}

/** How long a queue that is closed waits for its handlers. */
export interface CloseOptions {
  /**
   * How long handlers may go on, in ms, and an async codec or schema with what was sent before. Then what handlers have not
   * finished is handed back, and what is not encoded is refused with `CLOSED`. @defaultValue 10,000
   */
  readonly graceMs?: number | undefined
}

export const DEFAULT_GROUP = 'default'

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
  keepMs: checkMs,
  groups: ((tried, what, groups) => checkEach(tried, what, groups, checkGroup, 'group')) satisfies Check,
  maxMessages: checkCount,
  maxBytes: checkCount,
}

function checkGroup(tried: string, what: string, group: unknown): void {
  if (typeof group === 'string') return checkName(tried, what, group)
  checkOptions(tried, group, { name: checkName, from: checkFrom }, `${what} `)
  checkName(tried, `${what} name`, (group as GroupOptions).name)
}

/** What a consumer may be told. */
export const CONSUMER_OPTIONS: Checks = {
  leaseMs: checkPositiveMs,
  retry: checkRetry,
  from: checkFrom,
  deadForMs: checkPositiveMs,
}

function isStandardSchema(value: unknown): boolean {
  const schema = value as StandardSchema<unknown> | null
  return typeof schema?.['~standard']?.validate === 'function'
}

/** Lets the rooms beside see what a queue is made of, and nobody else. */
export let contextOf: <T>(queue: Queue<T>) => Context<T>

/**
 * Checks what a consumer is told, and declares its group.
 *
 * @param termsOf What the consumer claims with besides; refuses what its storage cannot do.
 */
export function settingsOf<T, O extends ConsumerOptions>(
  context: Context<T>,
  group: string,
  options: O,
  checks: Checks,
  termsOf?: (tried: string, options: O) => Partial<Terms>,
): ConsumerSettings {
  const tried = 'createConsumer'
  checkName(tried, 'group', group)
  checkOptions(tried, options, checks)
  const more = termsOf?.(tried, options)
  const { leaseMs = 30_000, deadForMs } = options
  const retry = rulesOf(options.retry)
  const { maxAttempts } = retry
  const from = context.declare(group, options.from)
  return { group, retry, terms: { leaseMs, maxAttempts, from, deadForMs, ...more } }
}

/**
 * A durable queue of messages with payloads of type `T`.
 *
 * Making one does nothing yet: the storage is opened when it is first needed.
 *
 * ```ts
 * import { Queue } from 'quayside/lean'
 *
 * const queue = new Queue<{ total: number }>('orders', { storage })
 * await queue.createProducer().send({ total: 42 })
 * ```
 */
export class Queue<T = unknown> implements AsyncDisposable {
  readonly name: string
  readonly #context: Context<T>

  static {
    contextOf = (queue) => {
      if (!(#context in Object(queue))) throw invalid('queue', MADE_HERE, queue)
      return queue.#context
    }
  }

  /**
   * @param name 1 to 256 bytes of UTF-8. Together with the storage it says which queue this is.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  constructor(name: string, options: QueueOptions<T>) {
    const tried = 'new Queue'
    checkName(tried, 'name', name)
    checkOptions(tried, options, QUEUE_OPTIONS)
    checkGlobals(tried, ['AbortController'])
    const { storage, groups = [], keepMs } = options
    if (storage === undefined)
      throw invalid(tried, 'storage must be an adapter, such as a MemoryAdapter', storage)
    this.name = name
    this.#context = new Context({
      ...options,
      name,
      clock: options.clock ?? SYSTEM_CLOCK,
      random: options.random ?? Math.random,
      id: options.id ?? uuid,
      codec: options.codec ?? (JSON_CODEC as Codec<T>),
    })
    if ((options.maxMessages ?? options.maxBytes) !== undefined) this.#context.require(tried, 'queueLimits')
    if (keepMs) this.#context.require(tried, 'results')
    for (const group of groups) {
      if (typeof group === 'string') this.#context.declare(group, undefined)
      else this.#context.declare(group.name, group.from)
    }
  }

  /** What its storage can do. */
  get guarantees(): Guarantees {
    return this.#context.guarantees
  }

  /** Makes what sends. Costs nothing; one for each place that sends, or one for all. */
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
    return new Consumer(this.#context, settingsOf(this.#context, group, options, CONSUMER_OPTIONS))
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
