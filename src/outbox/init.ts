import {
  type Check,
  checkMs,
  checkNothing,
  checkObject,
  checkSignal,
  invalid,
  mustBe,
  mustBeOneOf,
} from '../check.ts'
import type { MessageOptions, MessageState } from '../core/lean/index.ts'
import { isRequest } from './kinds.ts'
import { OURS } from './places.ts'

/** As for `fetch`, and how the request is stored. */
export interface OutboxRequestInit extends RequestInit, Omit<MessageOptions, 'headers' | 'lane' | 'keepMs'> {
  /** What you want to know of it yourself: stored beside it, listed as its headers, given to hooks, and never sent. No name begins with `quayside-`. @defaultValue none */
  readonly meta?: Readonly<Record<string, string>> | undefined
  /**
   * `'accept'`: a redirect that makes a GET of it (303, 302 or 301, as forms are answered) is an answer like others, and what it
   * leads to decides. @defaultValue it is parked: a login page answers so as well
   */
  readonly seeOther?: 'accept' | undefined
  /**
   * The id of another request that has to be accepted first. While that one waits or is parked, this one waits; if it is dropped
   * or dead, this one is parked, and so it is where nothing is kept of that one any more: see `keepResponse`. Without an `id` or `key` of its own, requests that come after the same one go in order.
   * @defaultValue none
   */
  readonly after?: string | undefined
  /** How long its response is kept, in ms: see {@link OutboxOptions.keepResponse}. @defaultValue that of the outbox */
  readonly keepResponse?: number | undefined
}

/** What is checked of a request's options here; the others are by the queue. */
const OPTIONS: { readonly [K in Exclude<keyof OutboxRequestInit, keyof RequestInit>]-?: Check } = {
  id: checkNothing,
  key: checkNothing,
  delayMs: checkNothing,
  maxDelayMs: checkNothing,
  expiresInMs: checkNothing,
  maxAttempts: checkNothing,
  replace: checkNothing,
  dedupeMs: checkNothing,
  meta: mustBe(
    `a plain object of strings, under names that do not begin with ${OURS}`,
    (meta) =>
      typeof meta === 'object' &&
      meta !== null &&
      !(Symbol.iterator in meta) &&
      !Object.keys(meta).some((name) => name.startsWith(OURS)),
  ),
  seeOther: mustBeOneOf('accept'),
  after: checkNothing,
  keepResponse: checkMs,
}

const bare = (name: string): string => name.toLowerCase().replace(/ms$/, '')
/** Those, and what messages of a queue have besides. */
const BARE: readonly string[] = [...Object.keys(OPTIONS), 'lane', 'keepMs'].map(bare)

/**
 * Options of `fetch` are many, and each runtime has some of its own, which pass; but not what was meant for an outbox and is
 * misspelt.
 */
export function checkInit(tried: string, init: OutboxRequestInit): void {
  checkObject(tried, 'options', init)
  // What it says is not its own, and would be lost.
  if (isRequest(init))
    throw invalid(tried, 'options must be no Request: pass new Request(url, request)', init)
  for (const name in init) {
    const value: unknown = init[name as keyof OutboxRequestInit]
    if (value === undefined) continue
    if (Object.hasOwn(OPTIONS, name)) OPTIONS[name as keyof typeof OPTIONS](tried, name, value)
    else if (name.endsWith('Ms') || BARE.includes(bare(name)))
      throw invalid(tried, `options besides those of fetch are ${Object.keys(OPTIONS).join(', ')}`, name)
  }
  const { id, after, replace, dedupeMs, signal } = init
  if (signal) checkSignal(tried, 'signal', signal)
  if (id === undefined && (replace || dedupeMs)) throw invalid(tried, 'replace and dedupeMs need an id', id)
  if (after !== undefined && after === id) throw invalid(tried, 'after must be the id of another request', id)
}

/** How long to wait for a response. */
export interface ResponseOptions {
  /** How long to wait for it, in ms; `Infinity`: for ever. @defaultValue 0 */
  readonly waitMs?: number | undefined
  /** Ends the wait: the call rejects with the signal's reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined
}

/** Which requests to wait for. */
export interface SettledOptions {
  /** Only requests of this key. @defaultValue all */
  readonly key?: string | undefined
  /** Ends the wait: the call rejects with the signal's reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined
}

/** Which requests to list. */
export interface OutboxListOptions {
  /** Only these. @defaultValue all */
  readonly ids?: readonly string[] | undefined
  /** @defaultValue all but `dead` and `done` */
  readonly state?: MessageState | readonly MessageState[] | undefined
  /** `false`: without what is to be sent, which is not read then. @defaultValue true */
  readonly bodies?: boolean | undefined
  /** The most to answer with; there may be fewer, and a cursor. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. @defaultValue the first page */
  readonly cursor?: string | undefined
}

/** What becomes of a request that the server refused. */
export type Resolution = 'retry' | 'drop' | { readonly request: Request }
