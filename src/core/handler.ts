import type { Message } from './message.ts'

/** What a handler gets besides the message. */
export interface HandlerContext {
  /**
   * Aborts when the lease is lost to somebody else, the message was cancelled, the handler has taken too long, or the run is
   * stopped.
   */
  readonly signal: AbortSignal
}

/**
 * Works on one message. To return is to ack it, to throw is to nack it, unless the handler has settled it itself. What it returns
 * is kept for {@link Queue.result}, if the message was sent with `keepMs`.
 */
export type Handler<T> = (message: Message<T>, context: HandlerContext) => unknown
