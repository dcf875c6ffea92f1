/// <reference lib="esnext.disposable" preserve="true" />
import type { ActivityReport } from './activity.ts'
import {
  type Check,
  type Checks,
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
  checkSignal,
  checkText,
  checkWaitMs,
  invalid,
  mustBe,
  mustBeOneOf,
  mustHave,
} from './check.ts'
import { type Clock, SYSTEM_CLOCK, checkClock } from './clock.ts'
import { type Codec, JSON_CODEC } from './codec.ts'
import { Consumer, type ConsumerOptions } from './consumer.ts'
import { Context, type Feature } from './context.ts'
import { DEFAULT_LIMIT, DeadLetters } from './dead-letters.ts'
import { cutError } from './errors.ts'
import type { Instrumentation } from './instrumentation.ts'
import { checkLane, checkOnly, checkPrefix, checkRules, frozen } from './lane-rules.ts'
import type { HoldRequest, LanesPage, ReleaseRequest } from './lanes.ts'
import {
  type ListPage,
  type ListedMessage,
  STEP,
  countPages,
  listParts,
  partsOf,
  toListed,
} from './listed.ts'
import { checkHeaders } from './message-checks.ts'
import { uuid } from './message-id.ts'
import { type Result, decodeOutcome } from './outcomes.ts'
import { prepare } from './prepare.ts'
import { Producer } from './producer.ts'
import { Results } from './results.ts'
import { rulesOf } from './retry.ts'
import type { StandardSchema } from './schema.ts'
import type {
  Guarantees,
  ListQuery,
  MessageState,
  QueueStorage,
  StorageAdapter,
  StorageStats,
} from './storage.ts'

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
  /** Only messages of this state, or these. @defaultValue all but `dead` and `done` */
  readonly state?: MessageState | readonly MessageState[] | undefined
  /** Only messages of this lane; the empty text: only those without one. @defaultValue all */
  readonly lane?: string | undefined
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

export interface LanesOptions {
  /** Whose lanes. @defaultValue 'default' */
  readonly group?: string | undefined
  /** Only lanes whose names start so. @defaultValue all */
  readonly prefix?: string | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined
}

export interface ResumeOptions {
  /** Only in this group. @defaultValue every group */
  readonly group?: string | undefined
}

export interface EditOptions extends ResumeOptions {
  /** @defaultValue none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long until nobody wants it any more, in ms, from now. @defaultValue as before */
  readonly expiresInMs?: number | undefined
  /** How many deliveries it may have, from now. @defaultValue what the consumer's `retry` says */
  readonly maxAttempts?: number | undefined
}

export interface ResultOptions {
  /** In which group. @defaultValue 'default' */
  readonly group?: string | undefined
  /**
   * How long to wait until it is done or dead, in ms; `Infinity`: for ever. Who waits tries again while the storage fails in a
   * way that it may get over, and rejects with its error if it still does at the end. @defaultValue 0
   */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
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

const CONSUMER_OPTIONS = {
  leaseMs: checkPositiveMs,
  retry: checkRetry,
  from: checkFrom,
  deadForMs: checkPositiveMs,
  lanes: checkRules,
  only: checkOnly,
  afterDead: mustBeOneOf('continue', 'park'),
}

const RELEASE = { group: checkName, lane: checkLane, probe: checkBoolean }
const HOLD = { ...RELEASE, forMs: checkPositiveMs, reason: checkText }
const PAGE = { group: checkName, limit: checkCount, cursor: checkText }
const LANES_OPTIONS = { ...PAGE, prefix: checkPrefix }
const RESULT_OPTIONS = { group: checkName, waitMs: checkWaitMs, signal: checkSignal }
const RESUME_OPTIONS = { group: checkName }
const EDIT_OPTIONS = {
  ...RESUME_OPTIONS,
  headers: checkHeaders,
  expiresInMs: checkPositiveMs,
  maxAttempts: checkCount,
}

const checkState = mustBeOneOf('ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done')

const LIST_OPTIONS = {
  ...PAGE,
  state: ((tried, what, state) => {
    if (typeof state === 'string') checkState(tried, what, state)
    else checkEach(tried, what, state, checkState)
  }) satisfies Check,
  lane: checkPrefix,
  ids: checkIds,
  bodies: checkBoolean,
}

function isStandardSchema(value: unknown): boolean {
  const schema = value as StandardSchema<unknown> | null
  return typeof schema?.['~standard']?.validate === 'function'
}

/** Lets the rooms beside the core see what a queue is made of, and nobody else. */
export let contextOf: <T>(queue: Queue<T>) => Context<T>

/**
 * A durable queue of messages with payloads of type `T`.
 *
 * Making one does nothing yet: the storage is opened when it is first needed.
 */
export class Queue<T = unknown> implements AsyncDisposable {
  readonly name: string
  readonly #context: Context<T>
  /** Who waits for outcomes, by the group. */
  readonly #results: Map<string, Results<T>> = new Map()

  static {
    contextOf = (queue) => queue.#context
  }

  /**
   * @param name 1 to 256 bytes of UTF-8. Together with the storage it says which queue this is.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  constructor(name: string, options: QueueOptions<T>) {
    const tried = 'new Queue'
    checkName(tried, 'name', name)
    checkOptions(tried, options, QUEUE_OPTIONS)
    const { clock = SYSTEM_CLOCK, random = Math.random, id = uuid, schema, instrumentation } = options
    const { storage, codec = JSON_CODEC as Codec<T>, groups = [], keepMs, maxMessages, maxBytes } = options
    if (storage === undefined)
      throw invalid(tried, 'storage must be an adapter, such as a MemoryAdapter', storage)
    this.name = name
    const rules = { keepMs, maxMessages, maxBytes }
    this.#context = new Context({
      name,
      storage,
      clock,
      random,
      id,
      codec,
      schema,
      instrumentation,
      ...rules,
    })
    if (maxMessages !== undefined || maxBytes !== undefined) this.#context.require(tried, 'queueLimits')
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

  createProducer(): Producer<T> {
    return new Producer(this.#context)
  }

  /**
   * Its group exists from the next thing on that this object does: then it gets every message that is sent, whoever finishes
   * with it first.
   *
   * @param group Consumers of one group share its messages; every group gets every message. @defaultValue 'default'
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  createConsumer(group: string = DEFAULT_GROUP, options: ConsumerOptions = {}): Consumer<T> {
    const tried = 'createConsumer'
    checkName(tried, 'group', group)
    checkOptions(tried, options, CONSUMER_OPTIONS)
    const { leaseMs = 30_000, retry, deadForMs, only, afterDead } = options
    const lanes = frozen(options.lanes)
    const context = this.#context
    if (lanes !== undefined || only !== undefined) context.require(tried, 'lanes')
    const parksNext = afterDead === 'park' || undefined
    if (parksNext) context.require(tried, 'parking')
    const from = context.declare(group, options.from)
    const settings = {
      group,
      leaseMs,
      retry: rulesOf(retry),
      from,
      deadForMs,
      lanes,
      only: frozen(only),
      parksNext,
    }
    return new Consumer(context, settings)
  }

  /** Counts of all groups, rates and latencies. Never looks at every message, and changes nothing. */
  async stats(): Promise<QueueStats> {
    const stats = await this.#context.use('stats', (view) => view.stats())
    return { ...stats, ...this.#context.activity.report() }
  }

  /** Looks at messages without claiming them. Changes nothing. */
  async list(options: ListOptions = {}): Promise<ListPage<ListedMessage<T>>> {
    checkOptions('list', options, LIST_OPTIONS)
    const { group = DEFAULT_GROUP, state, lane, ids, limit = DEFAULT_LIMIT, cursor, bodies } = options
    if (lane) this.#context.require('list', 'lanes')
    const states = typeof state === 'string' ? [state] : state
    const query = { group, states, lane, ids, limit, cursor, bodies }
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
    this.#context.require('cancel', 'cancellation')
    return await this.#inParts('cancel', ids, async (view, part) => {
      const found = await view.cancel(part)
      this.#context.gone(new Set(part.filter((_, i) => found[i])))
      return found
    })
  }

  #check(tried: string, options: unknown, checks: Checks, feature: Feature): void {
    checkOptions(tried, options, checks)
    this.#context.require(tried, feature)
  }

  async #inParts(
    tried: string,
    ids: readonly string[],
    verb: (view: QueueStorage, part: readonly string[]) => Promise<boolean[]>,
  ): Promise<boolean[]> {
    checkIds(tried, 'ids', ids)
    return await this.#context.use(tried, async (view) => {
      const answers: boolean[] = []
      for (const part of partsOf(ids)) answers.push(...(await verb(view, part)))
      return answers
    })
  }

  /**
   * Ends the wait of parked messages: they are due at once, and their attempts are counted anew. Answers, for each id, whether
   * the message was parked. All in one step; more than 256 ids in steps of 256. See {@link Message.park}; {@link cancel} ends
   * the wait of those that nobody wants any more.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`.
   */
  async resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    this.#check('resume', options, RESUME_OPTIONS, 'parking')
    return await this.#inParts('resume', ids, (view, part) => view.resume(part, options))
  }

  /**
   * Has a parked message carry something else from now on, and resumes it; its id, key and lane stay. Answers whether it was
   * parked: if not, nothing is changed.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSERIALIZABLE`, `SCHEMA_MISMATCH`, `UNSUPPORTED`.
   */
  async edit(id: string, payload: T, options: EditOptions = {}): Promise<boolean> {
    const tried = 'edit'
    checkName(tried, 'id', id)
    this.#check(tried, options, EDIT_OPTIONS, 'parking')
    const { group, expiresInMs, maxAttempts } = options
    const { body, headers } = await prepare(this.#context, tried, payload, { expiresInMs }, options.headers)
    const edit = { body, headers, expiresInMs, maxAttempts }
    const [edited] = await this.#inParts(tried, [id], (view, ids) => view.resume(ids, { group, edit }))
    return edited!
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
  async result<R = unknown>(id: string, options: ResultOptions = {}): Promise<Result<R> | undefined> {
    const tried = 'result'
    checkName(tried, 'id', id)
    this.#check(tried, options, RESULT_OPTIONS, 'results')
    const context = this.#context
    const { group = DEFAULT_GROUP, waitMs = 0, signal } = options
    signal?.throwIfAborted()
    if (context.isClosed) throw context.closedError(tried)
    let results = this.#results.get(group)
    if (results === undefined) this.#results.set(group, (results = new Results(context, group)))
    // Of groups that come and go, nothing stays.
    const outcome = await results.ask(id, waitMs, signal).finally(() => {
      if (results.isIdle) this.#results.delete(group)
    })
    return outcome && (await decodeOutcome(context.options.codec, outcome))
  }

  /**
   * Has nothing of a lane, a group or the queue handed out anywhere, until it is {@link release}d or `forMs` is over: without
   * `lane` it is all lanes and what has none, without `group` all groups. Each of these places has one hold; a second one takes
   * its place. Leases that exist go on. It is stored, acts in every context at once, and survives what messages survive.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  async hold(request: HoldRequest = {}): Promise<void> {
    this.#check('hold', request, HOLD, 'lanes')
    const { reason } = request
    await this.#context.use('hold', (view) => view.hold({ ...request, reason: cutError(reason) }))
  }

  /**
   * Ends the hold of a place, and of no other. Answers whether there was one.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  async release(request: ReleaseRequest = {}): Promise<boolean> {
    this.#check('release', request, RELEASE, 'lanes')
    return await this.#context.use('release', (view) => view.release(request))
  }

  /**
   * The lanes of a group that have something in it or are held, by name. Changes nothing.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  async lanes(options: LanesOptions = {}): Promise<LanesPage> {
    const { group = DEFAULT_GROUP, prefix, limit = DEFAULT_LIMIT, cursor } = options
    this.#check('lanes', options, LANES_OPTIONS, 'lanes')
    return await this.#context.use('lanes', (view) => view.lanes({ group, prefix, limit, cursor }))
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

  /**
   * Deletes the queue: its groups, every message, every id. Closes this object; a new one finds an empty queue. What is still
   * being sent is deleted too, or refused with `CLOSED`, as what an async codec or schema has not encoded; handlers have no grace.
   */
  delete(): Promise<void> {
    return this.#context.delete()
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
