/** What belongs to one message. */
export interface MessageOptions {
  /**
   * The id of the message: a second one with the same id, while the first is retained, is a duplicate and not stored.
   * 1 to 256 bytes of UTF-8. A send that is tried again because its answer was lost needs `dedupeMs` as well: the message
   * may be done by then. @defaultValue a UUID v7
   */
  readonly id?: string | undefined
  /**
   * The ordering key: messages of one key are worked on one at a time and in order, in each group. 1 to 256 bytes of UTF-8.
   * @defaultValue none
   */
  readonly key?: string | undefined
  /**
   * The lane, whose flow it shares: a tenant, a destination, a kind of work. Groups take from lanes in turn, and in order from
   * each; a key belongs to its lane. See {@link ConsumerOptions.lanes} and {@link Queue.hold}. 1 to 128 bytes of UTF-8.
   * @defaultValue none
   */
  readonly lane?: string | undefined
  /** Texts that travel with the message, next to the payload. @defaultValue none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long until it may be delivered, in ms. The clock starts when it is stored. @defaultValue 0 */
  readonly delayMs?: number | undefined
  /**
   * How long until nobody wants it any more, in ms, counted from when it is stored; then it becomes a dead letter. Must be
   * more than `delayMs`. @defaultValue never
   */
  readonly expiresInMs?: number | undefined
  /** How many deliveries it may have in each group, the first included. @defaultValue what the consumer's `retry` says */
  readonly maxAttempts?: number | undefined
  /**
   * Together with `id`: if a message of this id still waits, it carries this payload and these options from now on. If
   * somebody works on it already, this one is stored behind it. @defaultValue false
   */
  readonly replace?: boolean | undefined
  /**
   * Together with `replace` and `delayMs`: how far replacements put the message off at most, in ms from when the first of those
   * that wait under this id was stored. So what is replaced again and again is delivered all the same. Not less than
   * `delayMs`. @defaultValue for ever
   */
  readonly maxDelayMs?: number | undefined
  /**
   * How long it is kept what became of the message in each group, in ms, once it is done or dead there: what its handler
   * returned, or why it died. See {@link Queue.result}. 0: not at all. @defaultValue what {@link QueueOptions.keepMs} says
   */
  readonly keepMs?: number | undefined
  /** Together with `id`: how long the id is still known after the message was done, in ms. @defaultValue 0 */
  readonly dedupeMs?: number | undefined
}

/** What belongs to a batch as a whole. */
export interface SendBatchOptions {
  /**
   * Gives the send up: it rejects with the signal's reason, and nothing is stored. Once the storage was asked it is too late
   * for that: then the call ends as if there were no signal. While another send of this producer is under way it is not
   * asked yet, nor before it is open.
   * @defaultValue none
   */
  readonly signal?: AbortSignal | undefined
}

/** What belongs to one message, and to the call that sends it. */
export interface SendOptions extends MessageOptions, SendBatchOptions {}

/** One message of a batch. */
export interface BatchMessage<T> extends MessageOptions {
  readonly payload: T
}
