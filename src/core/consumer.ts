import type { BatchHandler } from './batches.ts'
import type { Handler } from './handler.ts'
import { limitLanes, takeOnly } from './lane-verbs.ts'
import type { LaneRules } from '../lanes.ts'
import { Consumer as LeanConsumer, type ConsumerOptions as LeanOptions, readerOf } from './lean/consumer.ts'
import type { BatchDrainOptions, BatchRunOptions, DrainOptions, DrainReport, RunOptions } from './loop.ts'
import type { Message } from './message.ts'
import { type MessagesOptions, messages } from './messages.ts'
import { drain, run } from './run.ts'

/** How a consumer takes messages, and what becomes of those that fail. */
export interface ConsumerOptions extends LeanOptions {
  /**
   * What each lane of the group may do: how many messages of it may be worked on at once, by all consumers of the group
   * together, how often it may be delivered, and how many turns it has where another has one. For all lanes, for those of a
   * name, or whose names start with a text. The limits are those of the consumer that takes; give all of a group the same.
   * 256 names and prefixes at most. @defaultValue no limits, each as many turns as another
   */
  readonly lanes?: LaneRules | undefined
  /**
   * Takes only from lanes whose names start with this text, or from those of these names, 64 at most; nothing that has no lane.
   * May be changed later: see {@link Consumer.only}. @defaultValue all
   */
  readonly only?: string | readonly string[] | undefined
  /**
   * What a message of an ordering key leaves behind that becomes a dead letter here. `continue`: the next of its key is
   * delivered. `park`: the next is parked, and all behind it wait, until {@link Queue.resume} or {@link Queue.cancel}.
   * @defaultValue 'continue'
   */
  readonly afterDead?: 'continue' | 'park' | undefined
}

/**
 * Receives the messages of a queue for one group, in which each message goes to one consumer.
 *
 * ```ts
 * const stop = new AbortController()
 * await queue.createConsumer('mailer').run(async ({ payload }) => sendMail(payload), { concurrency: 10, signal: stop.signal })
 * ```
 */
export class Consumer<T> extends LeanConsumer<T> implements AsyncIterable<Message<T>> {
  /**
   * From which lanes it takes: see {@link ConsumerOptions.only}. Changed, it acts from the next claim on, also for what runs or
   * waits already; what was delivered stays. `undefined`: from all, and what has no lane.
   *
   * @throws {@link QuaysideError} on setting: `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  get only(): string | readonly string[] | undefined {
    return readerOf(this).line.terms.only
  }

  set only(only: string | readonly string[] | undefined) {
    takeOnly(this, only)
  }

  /**
   * What each lane may do: see {@link ConsumerOptions.lanes}. Changed, it acts from the next claim on, as {@link only} does.
   *
   * @throws {@link QuaysideError} on setting: `INVALID_ARGUMENT`, `TOO_LARGE`, `UNSUPPORTED`.
   */
  get lanes(): LaneRules | undefined {
    return readerOf(this).line.terms.lanes
  }

  set lanes(lanes: LaneRules | undefined) {
    limitLanes(this, lanes)
  }

  /**
   * Works on messages until the signal aborts or the queue is closed: `handler` returns, the message is acked; it throws,
   * the message is tried again by the retry policy. Leases are extended while a handler works, `timeoutMs` at most.
   *
   * It goes on when the storage fails in a way that it may get over (`STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `TIMEOUT`,
   * `LOCKED`): it tries again after 50 ms to 10 s, handlers go on meanwhile, and what they finished is settled later. See
   * `onError`.
   *
   * With `batch` the handler gets many messages at once: see {@link BatchRunOptions} and {@link BatchHandler}.
   *
   * Once stopped it takes nothing new, tells the handlers by their signal, and resolves when they have ended. A handler
   * that throws after that hands its message back, without losing an attempt.
   *
   * @throws {@link QuaysideError} `CLOSED`, `CORRUPT`, `INVALID_ARGUMENT`, `UNSUPPORTED`, and whatever else is no passing
   * trouble of the storage: after the running handlers have ended. Once stopped, also what has kept it for 10 s from
   * settling what handlers had finished.
   */
  run(handler: BatchHandler<T>, options: BatchRunOptions<T>): Promise<void>
  run(handler: Handler<T>, options?: RunOptions<T>): Promise<void>
  run(handler: Handler<T> | BatchHandler<T>, options?: RunOptions<T> | BatchRunOptions<T>): Promise<void> {
    return run(this, handler as Handler<T>, options as RunOptions<T>)
  }

  /**
   * Works on messages until nothing is due, and reports. Messages that are tried again later are left for later.
   *
   * With a deadline it takes nothing new once the time that is left is shorter than the longest handler took, and just
   * before the deadline hands back what is not finished, without losing an attempt.
   *
   * A storage that fails in a way that it may get over is tried again until the deadline or the signal, or 5 times if there
   * is neither.
   *
   * @throws as {@link run}, and what the storage failed with at last.
   */
  drain(handler: BatchHandler<T>, options: BatchDrainOptions<T>): Promise<DrainReport>
  drain(handler: Handler<T>, options?: DrainOptions<T>): Promise<DrainReport>
  drain(
    handler: Handler<T> | BatchHandler<T>,
    options?: DrainOptions<T> | BatchDrainOptions<T>,
  ): Promise<DrainReport> {
    return drain(this, handler as Handler<T>, options as DrainOptions<T>)
  }

  /**
   * `for await (const message of consumer.messages())`: messages one at a time, as they come, until the loop is left, the
   * signal aborts or the queue is closed. The body settles each message, before its lease ends. While the storage fails in a
   * way that it may get over, it waits.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. The loop throws what {@link run} rejects with.
   */
  messages(options?: MessagesOptions): AsyncIterableIterator<Message<T>, undefined, undefined> {
    return messages(this, options)
  }

  /** As {@link messages}, without options: `for await (const message of consumer)`. */
  [Symbol.asyncIterator](): AsyncIterator<Message<T>, undefined, undefined> {
    return this.messages()
  }
}
