/** A message of an operation, as an {@link Instrumentation} sees it. */
export interface ObservedMessage {
  /** `send`: the sender's own id; once the operation has succeeded, the id that it got. */
  readonly id: string | undefined
  /** `send`: its headers so far, to which an instrumentation may add until it calls `run`. Otherwise not to be changed. */
  readonly headers: Record<string, string>
  /** Its lane, if it has one. */
  readonly lane?: string | undefined
  /** The number of this delivery in this group. `send`: none. */
  readonly attempt?: number
}

/** What a queue is about to do. */
export interface Operation {
  /**
   * - `send`: a producer stores messages. Several calls may share one write to the storage.
   * - `receive`: a consumer asks for messages, and may wait for them. Not what `run` and `drain` do to get theirs.
   * - `process`: `run` or `drain` calls a handler, of one message or of a batch.
   * - `ack`, `nack`, `reject`, `park`, `extend`: a consumer settles messages, or keeps them for longer.
   * - `settle`: `run` or `drain` settles what handlers have ended with; takes new messages in the same step where it can.
   */
  readonly name: 'send' | 'receive' | 'process' | 'ack' | 'nack' | 'reject' | 'park' | 'extend' | 'settle'
  readonly queue: string
  /** The name that the storage gives itself, for example `'memory'`. */
  readonly storage: string
  /** `send`: none. */
  readonly group: string | undefined
  /** Whether the method is one for many messages, even if it got one. */
  readonly batch: boolean
  /** `receive`: empty, until the operation has succeeded. */
  readonly messages: readonly ObservedMessage[]
}

/**
 * Is called around each operation of a queue, to measure and to trace it. It calls `run` once and answers with what that
 * answers; whatever it throws, the operation rejects with. `quayside/opentelemetry` has one.
 */
export type Instrumentation = <R>(operation: Operation, run: () => Promise<R>) => Promise<R>
