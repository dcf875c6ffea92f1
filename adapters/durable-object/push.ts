import {
  type Codec,
  type Consumer,
  type ConsumerOptions,
  type Message,
  Queue,
  type StandardSchema,
} from '../../src/core/index.ts'
import { QuaysideError, errorText } from '../../src/errors.ts'
import type { QueueStorage, StorageAdapter } from '../../src/storage.ts'
import type { ObjectStorage } from './platform.ts'
import { type End, endsOf } from './verdicts.ts'

/** What a handler gets besides the messages. */
export interface PushContext {
  /** Aborts when the handler has taken too long: its messages are given to another then. */
  readonly signal: AbortSignal
}

/** How a Durable Object pushes messages to its `onMessages`. */
export interface PushOptions<T = unknown> extends ConsumerOptions {
  /** Whose messages are pushed. @defaultValue 'default' */
  readonly group?: string | undefined
  /** The most messages that `onMessages` is given at once. @defaultValue 100 */
  readonly batchSize?: number | undefined
  /**
   * How long `onMessages` may take for one batch, in ms. Then its signal aborts, the attempt counts, and the next batch
   * comes. 14 minutes at most, because the platform ends an alarm after 15. @defaultValue 14 minutes
   */
  readonly timeoutMs?: number | undefined
  /** Is told when `onMessages` threw or took too long, with the batch and the error. @defaultValue nobody is told */
  readonly onFailed?: ((messages: readonly Message<T>[], error: unknown) => unknown) | undefined
  /** Is told when the storage of the object failed. The push goes on by itself, after a while. @defaultValue nobody is told */
  readonly onError?: ((error: unknown) => unknown) | undefined
  /** As that of the `Queue` that sends. @defaultValue JSON, and `Uint8Array` as it is */
  readonly codec?: Codec<T> | undefined
  /** As that of the `Queue` that sends. @defaultValue anything goes */
  readonly schema?: StandardSchema<T> | undefined
}

/** What a push needs of its object. */
export interface PushHost<T> {
  readonly name: string
  readonly storage: StorageAdapter
  readonly alarms: Pick<ObjectStorage, 'getAlarm' | 'setAlarm'>
  /** There is no queue, and to look for messages would make one. */
  readonly isEmpty: () => boolean
  /** Read late: a subclass sets them after its base is made. */
  readonly options: () => PushOptions<T>
  readonly handle: (messages: readonly Message<T>[], context: PushContext) => unknown
}

/** The platform ends an alarm after 15 minutes; half of one is for what comes besides the last handler. */
const MAX_RUN_MS = 14.5 * 60_000
/** The longest that one handler may take, so that one alarm is always enough for it. */
const MAX_HANDLER_MS = 14 * 60_000
/** Runtimes call a timer that is set for longer than this at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
/** When to try again after the storage failed, in ms. */
const RETRY_MS = 5000
/** How often it is told how a batch ended before that is left to the end of the leases, and how long between, at first, in ms. */
const SETTLE_TRIES = 6
const SETTLE_AGAIN_MS = 100
/** How long nothing is pushed after batches of which nothing came, in ms: twice as long for each further one. */
const PAUSE_MS = 100
const MAX_PAUSE_MS = 60_000
/** An alarm is not moved for less than this, in ms: when a message is due is told in ms from now, which a clock may round. */
const SLACK_MS = 10
/** An alarm that should have gone off this long ago, in ms, was given up: the platform tries a few times, within two minutes. */
const LOST_MS = 180_000
/** So many messages are remembered that a handler has let pass. */
const MOST_PASSED = 1000

const FATAL: readonly unknown[] = ['CLOSED', 'CORRUPT', 'INVALID_ARGUMENT', 'UNSUPPORTED', 'STALE_RECEIPT']

/** A batch that is with its handler. */
interface Batch<T> {
  readonly messages: readonly Message<T>[]
  leasedAt: number
}

/**
 * Gives messages to a handler as they come, in alarms of the object. An object has one alarm; each that is set is billed as
 * a row, so it is only ever moved forward in time, and set only to what is known to come.
 */
export class Push<T> {
  readonly #host: PushHost<T>
  /** When the alarm is set to go off; `Infinity` if it is not. */
  #alarmAt = Infinity
  /** Nothing is pushed before this time, whatever comes. */
  #pausedUntil = 0
  /** Batches in a row of which nothing came. */
  #failures = 0
  /** Ids of messages that a handler has ended: whoever sees one again does not get on. */
  readonly #passed: Set<string> = new Set()
  #consumer: Consumer<T> | undefined
  #view: QueueStorage | undefined
  #batch: Batch<T> | undefined
  /** An alarm goes off. */
  #working = false
  /** It is asked when something comes, which may make the group. */
  #arming = false

  constructor(host: PushHost<T>) {
    this.#host = host
  }

  /**
   * Must have ended before anything else is done.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: the options are wrong.
   */
  async load(): Promise<void> {
    this.#alarmAt = (await this.#host.alarms.getAlarm()) ?? Infinity
    this.#view = await this.#host.storage.open(this.#host.name)
    this.#consumer = this.#open()
  }

  /** The queue has changed. What this sets off runs in the same turn, so that the change and its alarm are stored together. */
  changed(): void {
    if (!this.#working && !this.#arming && !this.#isDue()) void this.#armOrRetry()
  }

  /** Somebody has asked for the queue. Were the alarm lost, and nothing sent any more, nobody else would notice. */
  asked(): void {
    if (this.#alarmAt === Infinity) this.changed()
  }

  /** The alarm will go off in a moment. */
  #isDue(): boolean {
    const overdueMs = Date.now() - this.#alarmAt
    return overdueMs >= 0 && overdueMs < LOST_MS
  }

  /** The queue is deleted, and its alarm with it. */
  deleted(): void {
    this.#alarmAt = Infinity
    this.#failures = this.#pausedUntil = 0
    this.#passed.clear()
  }

  /** What the alarm of the object does. */
  async alarm(): Promise<void> {
    this.#alarmAt = Infinity
    this.#working = true
    const end = Date.now() + MAX_RUN_MS
    try {
      const { timeoutMs = MAX_HANDLER_MS } = this.#host.options()
      // The next handler must have all of its time, so the rest is left to the next alarm.
      let isTime = true
      while (isTime && !this.#isPaused() && (await this.#next(timeoutMs)))
        isTime = Date.now() + timeoutMs <= end
    } catch (error) {
      this.#failed(error)
    }
    this.#working = false
    await this.#armOrRetry()
  }

  #isPaused(): boolean {
    return Date.now() < this.#pausedUntil
  }

  #failed(error: unknown): void {
    this.#pausedUntil = Date.now() + RETRY_MS
    this.#tell(() => this.#host.options().onError?.(error))
  }

  /** What somebody who is told throws is their own affair. */
  #tell(call: () => unknown): void {
    void (async () => await call())().catch(() => undefined)
  }

  /** Must not fail: a message that nobody is woken for would wait for ever. */
  async #armOrRetry(): Promise<void> {
    try {
      await this.#arm()
    } catch (error) {
      this.#failed(error)
      // The storage that refuses this too ends the object, and what it has not stored is undone.
      await this.#wakeIn(RETRY_MS)
    }
  }

  /** Has the alarm go off when there will be something to do. */
  async #arm(): Promise<void> {
    if (this.#host.isEmpty()) return
    const { group = 'default', leaseMs = 30_000, retry, from, ...rest } = this.#host.options()
    const { deadForMs, lanes, only, afterDead } = rest
    this.#arming = true
    // Takes nothing, and tells when there is something to take.
    const { nextInMs } = await this.#view!.claim({
      group,
      limit: 0,
      leaseMs,
      maxAttempts: retry?.maxAttempts ?? 4,
      from,
      deadForMs,
      parksNext: afterDead === 'park' || undefined,
      lanes,
      only,
    }).finally(() => (this.#arming = false))
    if (nextInMs !== undefined) await this.#wakeIn(Math.max(nextInMs, this.#pausedUntil - Date.now()))
  }

  async #wakeIn(ms: number): Promise<void> {
    const at = Math.ceil(Date.now() + ms)
    if (at > this.#alarmAt - SLACK_MS && !(Date.now() - this.#alarmAt >= LOST_MS)) return
    const before = this.#alarmAt
    this.#alarmAt = at
    try {
      await this.#host.alarms.setAlarm(at)
    } catch (error) {
      this.#alarmAt = before
      throw error
    }
  }

  /** Has some messages worked on. Answers whether there were any. */
  async #next(timeoutMs: number): Promise<boolean> {
    if (this.#host.isEmpty()) return false
    const { batchSize = 100, leaseMs = 30_000, onFailed } = this.#host.options()
    const consumer = this.#consumer!
    const messages = await consumer.receiveBatch(batchSize)
    if (messages.length === 0) return false
    this.#batch = { messages, leasedAt: Date.now() }
    const renewal = setInterval(() => void this.#renew(), Math.min(leaseMs / 2, MAX_TIMEOUT_MS))
    try {
      // Should the object die under the handler, however often.
      await this.#wakeIn(leaseMs)
      const { failure, ends } = await this.#handle(messages, timeoutMs)
      if (failure !== undefined) {
        this.#tell(() => onFailed?.(messages, failure.error))
        const reason = errorText(failure.error)
        await this.#settle(() => consumer.nackBatch(messages, { reason }))
      } else if (ends === undefined) await this.#settle(() => consumer.ackBatch(messages))
      else await this.#settleEach(messages, ends)
      // That all come later is neither good nor bad, and is no reason to pause.
      if (failure !== undefined || !ends?.every(({ later }) => later))
        this.#judge(failure === undefined ? messages.filter((_, i) => !ends?.[i]!.again) : [])
    } finally {
      clearInterval(renewal)
      this.#batch = undefined
    }
    return true
  }

  /** Has the handler work, but no longer than it may. Answers with what it failed with, or how each message ends. */
  async #handle(
    messages: readonly Message<T>[],
    timeoutMs: number,
  ): Promise<{ readonly failure?: { readonly error: unknown }; readonly ends?: readonly End[] | undefined }> {
    const { onError } = this.#host.options()
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new QuaysideError('TIMEOUT', `onMessages: timed out after ${timeoutMs} ms (timeoutMs)`)
        reject(error)
        stop.abort(error)
      }, timeoutMs)
    })
    try {
      const work = (async () => await this.#host.handle(messages, { signal: stop.signal }))()
      const answer = await Promise.race([work, timeout])
      return { ends: endsOf(messages, answer, (error) => this.#tell(() => onError?.(error))) }
    } catch (error) {
      return { failure: { error } }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Tells how a batch ended. What the handler has settled itself stays as it is: its receipt is stale. */
  async #settle(end: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await end()
        return
      } catch (error) {
        const { code } = error as { code?: unknown }
        if (code === 'STALE_RECEIPT') return
        if (FATAL.includes(code) || attempt === SETTLE_TRIES) throw error
        this.#tell(() => this.#host.options().onError?.(error))
        await new Promise((resolve) => setTimeout(resolve, SETTLE_AGAIN_MS * 2 ** (attempt - 1)))
      }
    }
  }

  /** Ends each message as its verdict says. A verdict that is wrong fails its message. */
  async #settleEach(messages: readonly Message<T>[], ends: readonly End[]): Promise<void> {
    const left = new Map(messages.map((message, i) => [message, ends[i]!]))
    const end = async (message: Message<T>, { settle }: End): Promise<void> => {
      try {
        await settle()
      } catch (error) {
        const { code } = error as { code?: unknown }
        if (code === 'INVALID_ARGUMENT') {
          this.#tell(() => this.#host.options().onFailed?.([message], error))
          await message.nack({ reason: errorText(error) })
        } else if (code !== 'STALE_RECEIPT') throw error
      }
      left.delete(message)
    }
    await this.#settle(async () => {
      const results = await Promise.allSettled(Array.from(left, ([message, one]) => end(message, one)))
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    })
  }

  /** Pauses after batches that came to nothing: they failed, or their messages come again and again. */
  #judge(ended: readonly Message<T>[]): void {
    const isProgress = ended.length > 0 && !ended.some(({ id }) => this.#passed.has(id))
    for (const { id } of ended) this.#passed.add(id)
    for (const id of this.#passed) {
      if (this.#passed.size <= MOST_PASSED) break
      this.#passed.delete(id)
    }
    this.#failures = isProgress ? 0 : this.#failures + 1
    // One may fail, and be no sign of anything.
    if (this.#failures < 2) return
    this.#pausedUntil = Date.now() + Math.min(PAUSE_MS * 2 ** (this.#failures - 2), MAX_PAUSE_MS)
  }

  /**
   * Renews what is in hand if its time is nearly over, before others claim: the object may have been busy for so long that no
   * timer went off.
   */
  async beforeClaim(): Promise<void> {
    const { leaseMs = 30_000 } = this.#host.options()
    if (this.#batch !== undefined && Date.now() - this.#batch.leasedAt >= leaseMs / 2) await this.#renew()
  }

  async #renew(): Promise<void> {
    const batch = this.#batch
    if (batch === undefined) return
    const { leaseMs = 30_000 } = this.#host.options()
    batch.leasedAt = Date.now()
    // Those that the handler has settled need it no more.
    await Promise.all(batch.messages.map((message) => message.extend(leaseMs).catch(() => undefined)))
  }

  #open(): Consumer<T> {
    const { name, storage, options } = this.#host
    const { group, codec, schema, batchSize, timeoutMs, onFailed, onError, ...rest } = options()
    check({ batchSize, timeoutMs, onFailed, onError })
    return new Queue<T>(name, { storage, codec, schema }).createConsumer(group, rest)
  }
}

function check({ batchSize = 1, timeoutMs = 1, onFailed, onError }: PushOptions<never>): void {
  const refuse = (rule: string, value: unknown): never => {
    throw new QuaysideError('INVALID_ARGUMENT', `push: ${rule}, not ${String(value)}`)
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    refuse('batchSize must be a whole number, 1 or more', batchSize)
  if (!(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= MAX_HANDLER_MS))
    refuse(`timeoutMs must be a number of ms, more than 0 and ${MAX_HANDLER_MS} at most`, timeoutMs)
  for (const [name, value] of Object.entries({ onFailed, onError }))
    if (value !== undefined && typeof value !== 'function') refuse(`${name} must be a function`, typeof value)
}
