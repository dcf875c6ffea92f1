import { type Codec, decode } from './codec.ts'
import type {
  DeadReason,
  ListQuery,
  ListedMessage as StoredListed,
  MessageState,
  QueueStorage,
} from './storage.ts'

/** A message as `list` shows it: to be looked at, not to be settled. */
export interface ListedMessage<T> {
  readonly id: string
  readonly state: MessageState
  /** `undefined` if the codec cannot decode what is stored. */
  readonly payload: T | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly key: string | undefined
  /** When it was sent, on the storage's clock, in ms since 1970. */
  readonly timestamp: number
  /** Deliveries so far that count. */
  readonly attempt: number
  /** The message's own number of attempts, if it was sent with one. */
  readonly maxAttempts: number | undefined
  /** `delayed`: in how many ms it is due. `leased`: in how many ms the lease ends. */
  readonly nextInMs: number | undefined
  readonly lastError: string | undefined
}

export interface DeadLetter<T> extends ListedMessage<T> {
  readonly reason: DeadReason
  /** When it became one, on the storage's clock, in ms since 1970. */
  readonly deadAt: number
}

export interface ListPage<M> {
  readonly messages: readonly M[]
  /** Pass it on to read further. `undefined`: this was the last page. */
  readonly cursor: string | undefined
}

export async function toListed<T>(codec: Codec<T>, stored: StoredListed): Promise<ListedMessage<T>> {
  const { id, state, body, headers = {}, key, timestamp, attempt, maxAttempts, nextInMs, lastError } = stored
  let payload: T | undefined
  try {
    payload = await decode(codec, body)
  } catch {
    // To be seen all the same: it is what `list` is for.
  }
  return { id, state, payload, headers, key, timestamp, attempt, maxAttempts, nextInMs, lastError }
}

export async function toDeadLetter<T>(codec: Codec<T>, stored: StoredListed): Promise<DeadLetter<T>> {
  return { ...(await toListed(codec, stored)), reason: stored.reason!, deadAt: stored.deadAt! }
}

/** Messages that one step of a verb on many takes. */
export const STEP = 256

/** Does something with all messages of a list, page by page, and adds up what it answers. */
export async function countPages(
  view: QueueStorage,
  query: ListQuery,
  act: (messages: readonly StoredListed[]) => Promise<number>,
): Promise<number> {
  let count = 0
  let cursor: string | undefined
  do {
    const page = await view.list({ ...query, cursor })
    if (page.messages.length > 0) count += await act(page.messages)
    cursor = page.cursor
  } while (cursor !== undefined)
  return count
}
