import {
  type Check,
  type Checks,
  checkBoolean,
  checkCount,
  checkEach,
  checkIds,
  checkName,
  checkOptions,
  checkText,
  mustBeOneOf,
} from '../check.ts'
import { checkPrefix } from './lane-rules.ts'
import { DEFAULT_GROUP, type Queue, contextOf } from './lean/queue.ts'
import { type ListPage, type ListedMessage, listParts, toListed } from './listed.ts'
import type { MessageState } from '../storage.ts'

/** Which messages to list. */
export interface ListOptions {
  /** Whose view of the queue. @defaultValue 'default' */
  readonly group?: string | undefined
  /** Only messages of this state, or these. @defaultValue all but `dead` and `done` */
  readonly state?: MessageState | readonly MessageState[] | undefined
  /** Only messages of this lane; the empty text: only those without one. @defaultValue all */
  readonly lane?: string | undefined
  /** Only these messages. More than 256 are looked for in parts of 256, one after the other. @defaultValue all */
  readonly ids?: readonly string[] | undefined
  /** `false`: without payloads, which are not read then. @defaultValue true */
  readonly bodies?: boolean | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. @defaultValue the first page */
  readonly cursor?: string | undefined
}

export const DEFAULT_LIMIT = 100

/** What may be said of a page. */
export const PAGE: Checks = { group: checkName, limit: checkCount, cursor: checkText }

const checkStates: Check = (tried, what, state) => {
  const checkState = mustBeOneOf('ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done')
  if (typeof state === 'string') checkState(tried, what, state)
  else checkEach(tried, what, state, checkState)
}

/**
 * Looks at messages without claiming them. Changes nothing. See `list` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * const { messages } = await list(queue, { state: 'parked' })
 * ```
 */
export async function list<T>(
  queue: Queue<T>,
  options: ListOptions = {},
): Promise<ListPage<ListedMessage<T>>> {
  const own = { state: checkStates, lane: checkPrefix, ids: checkIds, bodies: checkBoolean }
  checkOptions('list', options, { ...PAGE, ...own })
  const { group = DEFAULT_GROUP, state, lane, ids, limit = DEFAULT_LIMIT, cursor, bodies } = options
  const context = contextOf(queue)
  if (lane) context.require('list', 'lanes')
  const states = typeof state === 'string' ? [state] : state
  const query = { group, states, lane, ids, limit, cursor, bodies }
  const page = await context.use('list', (view) => listParts(view, query))
  const messages = page.messages.map((message) => toListed(context.options.codec, message, bodies))
  return { messages: await Promise.all(messages), cursor: page.cursor }
}
