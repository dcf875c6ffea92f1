import {
  type Codec,
  type Consumer,
  type ConsumerOptions,
  type Message,
  Queue,
  type StandardSchema,
} from '../../src/core.ts'
import { errorText } from '../../src/errors.ts'
import type { QueueStorage, StorageAdapter } from '../../src/storage.ts'
import type { ObjectStorage } from './platform.ts'

export interface PushOptions<T = unknown> extends ConsumerOptions {
  /** Whose messages are pushed. @defaultValue 'default' */
  readonly group?: string | undefined
  /** The most messages that `onMessages` is given at once. @defaultValue 100 */
  readonly batchSize?: number | undefined
  /** As that of the `Queue` that sends. */
  readonly codec?: Codec<T> | undefined
  /** As that of the `Queue` that sends. */
  readonly schema?: StandardSchema<T> | undefined
}

/** What a push needs of its object. */
export interface PushHost<T> {
  readonly name: string
  readonly storage: StorageAdapter
  readonly alarms: Pick<ObjectStorage, 'getAlarm' | 'setAlarm'>
  /** Read late: a subclass sets them after its base is made. */
  readonly options: () => PushOptions<T>
  readonly handle: (messages: readonly Message<T>[]) => unknown
}

/** The platform ends an alarm after 15 minutes. After this long, in ms, the rest is left to the next alarm. */
const MAX_RUN_MS = 10 * 60_000
/** Runtimes call a timer that is set for longer than this at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
/** When to try again after the storage failed, in ms. */
const RETRY_MS = 5000
/** An alarm is not moved for less than this, in ms: when a message is due is told in ms from now, which a clock may round. */
const SLACK_MS = 10

/**
 * Gives messages to a handler as they come, in alarms of the object. An object has one alarm; each that is set is billed as
 * a row, so it is only ever moved forward in time, and set only to what is known to come.
 */
export class Push<T> {
  readonly #host: PushHost<T>
  /** When the alarm is set to go off; `Infinity` if it is not. */
  #alarmAt = Infinity
  #consumer: Consumer<T> | undefined
  #view: QueueStorage | undefined
  /** A batch is with the handler. */
  #working = false
  #arming = false

  constructor(host: PushHost<T>) {
    this.#host = host
  }

  /** Must have ended before anything else is done. */
  async load(): Promise<void> {
    this.#alarmAt = (await this.#host.alarms.getAlarm()) ?? Infinity
    this.#view = await this.#host.storage.open(this.#host.name)
  }

  /** The queue has changed. What this sets off runs in the same turn, so that the change and its alarm are stored together. */
  changed(): void {
    if (this.#working || this.#arming || this.#alarmAt <= Date.now()) return
    this.#arming = true
    const done = (): boolean => (this.#arming = false)
    this.#armOrRetry().then(done, done)
  }

  /** What the alarm of the object does. */
  async alarm(): Promise<void> {
    this.#alarmAt = Infinity
    this.#working = true
    const end = Date.now() + MAX_RUN_MS
    try {
      while ((await this.#batch()) && Date.now() < end);
    } catch {
      await this.#wakeIn(RETRY_MS)
    }
    this.#working = false
    await this.#armOrRetry()
  }

  /** Must not fail: a message that nobody is woken for would wait for ever. */
  async #armOrRetry(): Promise<void> {
    try {
      await this.#arm()
    } catch {
      // The storage that refuses this too ends the object, and what it has not stored is undone.
      await this.#wakeIn(RETRY_MS)
    }
  }

  /** Has the alarm go off when there will be something to do. */
  async #arm(): Promise<void> {
    const { group = 'default', leaseMs = 30_000, retry, from } = this.#host.options()
    // Takes nothing, and tells when there is something to take.
    const { nextInMs } = await this.#view!.claim({
      group,
      limit: 0,
      leaseMs,
      maxAttempts: retry?.maxAttempts ?? 4,
      from,
    })
    if (nextInMs !== undefined) await this.#wakeIn(nextInMs)
  }

  async #wakeIn(ms: number): Promise<void> {
    const at = Math.ceil(Date.now() + ms)
    if (at > this.#alarmAt - SLACK_MS) return
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
  async #batch(): Promise<boolean> {
    const { batchSize = 100, leaseMs = 30_000 } = this.#host.options()
    const consumer = (this.#consumer ??= this.#open())
    const messages = await consumer.receiveBatch(batchSize)
    if (messages.length === 0) return false
    // Should the object die under the handler, however often.
    await this.#wakeIn(leaseMs)
    const renewal = setInterval(
      () => {
        // Those that the handler has settled need it no more.
        for (const message of messages) message.extend(leaseMs).catch(() => undefined)
      },
      Math.min(leaseMs / 2, MAX_TIMEOUT_MS),
    )
    // What the handler has settled itself stays as it is: its receipt is stale.
    try {
      await this.#host.handle(messages)
    } catch (error) {
      await unlessStale(consumer.nackBatch(messages, { reason: errorText(error) }))
      return true
    } finally {
      clearInterval(renewal)
    }
    await unlessStale(consumer.ackBatch(messages))
    return true
  }

  #open(): Consumer<T> {
    const { name, storage, options } = this.#host
    const { group, batchSize: _, codec, schema, ...rest } = options()
    return new Queue<T>(name, { storage, codec, schema }).createConsumer(group, rest)
  }
}

async function unlessStale(settling: Promise<void>): Promise<void> {
  await settling.catch((error: { code?: unknown }) => {
    if (error.code !== 'STALE_RECEIPT') throw error
  })
}
