/**
 * Every code that quayside rejects with. Codes are stable, texts are not.
 *
 * - `INVALID_ARGUMENT`: a name, option or value breaks a rule; the text names the rule and the value. Nothing was stored.
 * - `TOO_LARGE`: a payload, header set, key, name or batch is over the limit of the storage; the text names both.
 * - `UNSERIALIZABLE`: the codec cannot turn this payload into bytes (a cycle, a function, a promise, a `Map` …); the text has the path.
 * - `SCHEMA_MISMATCH`: the payload does not fit the queue's schema.
 * - `NOT_YET_READABLE`: what a codec says of a body that newer code or another key can read; its message is parked, not dead.
 * - `STALE_RECEIPT`: the lease of this delivery is over and somebody else may hold the message; nothing was changed.
 * - `UNSUPPORTED`: the storage declares that it cannot do this; the text says which adapters can.
 * - `CLOSED`: the queue or adapter was closed before or during the call.
 * - `LOCKED`: another process owns the storage; the text names it.
 * - `CORRUPT`: stored data is damaged or forged, and nothing was dropped; the text names file and offset, or the queue.
 * - `QUOTA_EXCEEDED`: no room for an append (disk full, browser quota); nothing of it was stored.
 * - `STORAGE_FAILED`: the storage broke in a way that leaves the outcome unknown; it must be opened again.
 * - `STORAGE_UNAVAILABLE`: the storage cannot be reached at the moment, or may not be used here; nothing was changed.
 * - `TIMEOUT`: the storage did not begin in time, and nothing was changed. One that may have begun is `STORAGE_FAILED`.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'TOO_LARGE'
  | 'UNSERIALIZABLE'
  | 'SCHEMA_MISMATCH'
  | 'NOT_YET_READABLE'
  | 'STALE_RECEIPT'
  | 'UNSUPPORTED'
  | 'CLOSED'
  | 'LOCKED'
  | 'CORRUPT'
  | 'QUOTA_EXCEEDED'
  | 'STORAGE_FAILED'
  | 'STORAGE_UNAVAILABLE'
  | 'TIMEOUT'

/**
 * The one error class of quayside. Branch on {@link QuaysideError.code}, never on the text.
 *
 * An aborted `AbortSignal` is not a quayside error: the call rejects with the signal's own reason, as everywhere on the web.
 *
 * ```ts
 * try {
 *   await producer.send(order)
 * } catch (error) {
 *   if (error instanceof QuaysideError && error.code === 'QUOTA_EXCEEDED') return askToTryLater()
 *   throw error
 * }
 * ```
 */
export class QuaysideError extends Error {
  /** Also of another copy of this module: bundlers make one for each layer of a program. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return (value as Error | null | undefined)?.name === 'QuaysideError'
  }

  override readonly name = 'QuaysideError'
  readonly code: ErrorCode
  /** `STALE_RECEIPT`: the ids of the messages that were not settled (receipts, where the call had only these); all others were. */
  readonly stale: readonly string[] | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly stale?: readonly string[] },
  ) {
    super(message, options)
    this.code = code
    this.stale = options?.stale
  }
}

/** What a verb answers that a storage does not have. */
export function unsupported(tried: string): Promise<never> {
  return Promise.reject(new QuaysideError('UNSUPPORTED', `${tried}: this storage cannot do that`))
}

interface Retained {
  readonly messages: number
  readonly bytes: number
}

interface Limits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** Lets no append through that makes a queue longer than it may be. `retained` counts what it would store. */
export function keepWithin(
  queue: string,
  { messages, bytes }: Retained,
  { maxMessages, maxBytes }: Limits,
): void {
  if (messages <= maxMessages && bytes <= maxBytes) return
  const [what, count, most] =
    messages > maxMessages ? ['messages', messages, maxMessages] : ['bytes', bytes, maxBytes]
  throw new QuaysideError(
    'QUOTA_EXCEEDED',
    `append: with these messages the queue ${JSON.stringify(queue)} would retain ${count} ${what}, and its limit is ${most}. Nothing was stored; consume some first, or raise the limit`,
  )
}

/** How much of an error text is kept with a message. */
const MAX_ERROR_LENGTH = 4096

export function cutError(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_ERROR_LENGTH)
}

/** What is kept of something that was thrown. */
export function errorText(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error).slice(0, MAX_ERROR_LENGTH)
  } catch {
    return 'something that has no text'
  }
}

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof QuaysideError && error.code === code
}

/**
 * Others may write where a storage keeps its rows: another page of the origin, a tool, a broken disk. An engine looks at what it
 * counts with: it must neither run for ever nor destroy what is whole. What else it stumbles over is told in the same words.
 */
export function damaged(queue: string, cause?: unknown): QuaysideError {
  return new QuaysideError(
    'CORRUPT',
    `a row of the queue ${JSON.stringify(queue)} is not as it was written: somebody else has changed it, or the storage has. Nothing was changed now, and other queues are not concerned; purge() or delete() starts this one anew`,
    { cause },
  )
}
