import { type Codec, decode } from './codec.ts'
import { type Result, decodeOutcome } from './outcomes.ts'
import { STEP, partsOf } from './parts.ts'
import {
  type DeadReason,
  type ListQuery,
  type ListedMessage as StoredListed,
  type MessageState,
  type Page,
  type QueueStorage,
} from '../storage.ts'

/** A message as `list` shows it: to be looked at, not to be settled. */
export interface ListedMessage<T> {
  readonly id: string
  readonly state: MessageState
  /** `undefined` if the codec cannot decode what is stored, or payloads were not asked for. */
  readonly payload: T | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly key: string | undefined
  readonly lane: string | undefined
  /** When it was sent, on the storage's clock, in ms since 1970. */
  readonly timestamp: number
  /** Deliveries so far that count. */
  readonly attempt: number
  /** The message's own number of attempts, if it was sent with one. */
  readonly maxAttempts: number | undefined
  /** `delayed`: in how many ms it is due. `leased`: in how many ms the lease ends. */
  readonly nextInMs: number | undefined
  readonly lastError: string | undefined
  /** `parked` only. */
  readonly parked: Parked | undefined
  /** `done` only, and `leased` where there is progress to show: see {@link Queue.result}. */
  readonly outcome: Result | undefined
}

/** Why a message is parked. */
export interface Parked {
  readonly reason: string
  /** What was given to {@link Message.park} to show. */
  readonly data: unknown
  /** When it was parked, on the storage's clock, in ms since 1970. */
  readonly at: number
}

/** A message that has given up, as it is listed. */
export interface DeadLetter<T> extends ListedMessage<T> {
  readonly reason: DeadReason
  /** When it became one, on the storage's clock, in ms since 1970. */
  readonly deadAt: number
}

/** A page of messages. */
export interface ListPage<M> {
  readonly messages: readonly M[]
  /** Pass it on to read further. `undefined`: this was the last page. */
  readonly cursor: string | undefined
}

export async function toListed<T>(
  codec: Codec<T>,
  stored: StoredListed,
  bodies = true,
): Promise<ListedMessage<T>> {
  const { id, state, headers = {}, key, lane, timestamp, attempt, maxAttempts, nextInMs, lastError } = stored
  // What cannot be decoded is to be seen all the same: it is what `list` is for.
  const seen = async <V>(read: () => V | Promise<V>): Promise<V | undefined> => {
    try {
      return await read()
    } catch {
      return undefined
    }
  }
  const payload = bodies && state !== 'done' ? await seen(() => decode(codec, stored.body)) : undefined
  const parked = stored.parked && { ...stored.parked, data: await seen(() => parse(stored.parked!.data)) }
  const outcome = stored.outcome && (await seen(() => decodeOutcome(codec, stored.outcome!)))
  const known = { id, state, payload, headers, key, lane, timestamp, attempt, maxAttempts, nextInMs }
  return { ...known, lastError, parked, outcome }
}

function parse(data: string | undefined): unknown {
  return data === undefined ? undefined : JSON.parse(data)
}

export async function toDeadLetter<T>(
  codec: Codec<T>,
  stored: StoredListed,
  bodies?: boolean,
): Promise<DeadLetter<T>> {
  return { ...(await toListed(codec, stored, bodies)), reason: stored.reason!, deadAt: stored.deadAt! }
}

/** A page of a list that may name more ids than one step takes: then its cursor begins with the number of the part. */
export async function listParts(view: QueueStorage, query: ListQuery): Promise<Page> {
  const { ids, limit, cursor } = query
  if (ids === undefined || ids.length <= STEP) return await view.list(query)
  const [, part, rest] = /^(\d+)\/(.*)$/s.exec(cursor ?? '') ?? []
  const parts = partsOf(ids)
  const messages: StoredListed[] = []
  let within = rest || undefined
  for (let i = Number(part ?? 0); i < parts.length; i++) {
    do {
      const page = await view.list({
        ...query,
        ids: parts[i],
        limit: limit - messages.length,
        cursor: within,
      })
      messages.push(...page.messages)
      within = page.cursor
      const isLast = within === undefined && i + 1 === parts.length
      if (messages.length >= limit && !isLast)
        return { messages, cursor: within === undefined ? `${i + 1}/` : `${i}/${within}` }
    } while (within !== undefined)
  }
  return { messages }
}

/** Does something with all messages of a list, page by page and without their bodies, and adds up what it answers. */
export async function countPages(
  view: QueueStorage,
  query: ListQuery,
  act: (messages: readonly StoredListed[]) => Promise<number>,
): Promise<number> {
  let count = 0
  for (const ids of query.ids === undefined ? [undefined] : partsOf(query.ids)) {
    let cursor: string | undefined
    do {
      const page = await view.list({ ...query, ids, bodies: false, cursor })
      if (page.messages.length > 0) count += await act(page.messages)
      cursor = page.cursor
    } while (cursor !== undefined)
  }
  return count
}
