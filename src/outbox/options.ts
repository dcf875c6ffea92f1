import {
  type Check,
  checkCount,
  checkEach,
  checkFunction,
  checkOptions,
  checkPositiveMs,
  checkPositiveWaitMs,
  checkRetry,
  checkText,
  checkWaitMs,
} from '../check.ts'
import { type Clock, SYSTEM_CLOCK, checkClock } from '../clock.ts'
import type { Message, RetryPolicy } from '../core.ts'
import { type OutcomePolicy, defaultOutcome } from './outcome.ts'
import type { OutboxPayload } from './request.ts'

/** Is asked before each attempt. */
export type BeforeHook = (
  request: Request,
  message: Message<OutboxPayload>,
) => Request | void | Promise<Request | void>

export interface OutboxOptions {
  /**
   * Changes a request before each attempt: sets a fresh token on `request.headers`, or answers with another request, which
   * is then sent as it is. To throw is to fail this attempt; it is tried again later. Its time counts into `timeoutMs`.
   */
  readonly before?: BeforeHook | undefined
  /** What becomes of a request after an attempt. @defaultValue {@link defaultOutcome} */
  readonly outcome?: OutcomePolicy | undefined
  /**
   * Names of headers that are never stored: a stored token is stale when it is sent, and readable to whoever can read the
   * disk. The first attempt carries them if it is made while the caller of `fetch` waits; for later ones `before` sets
   * them again. @defaultValue ['authorization', 'cookie']
   */
  readonly omitHeaders?: readonly string[] | undefined
  /** How many requests may be under way in this context. Those of one `key` go one after the other. @defaultValue 4 */
  readonly concurrency?: number | undefined
  /** How long one attempt may take, to the last byte of the response, in ms. @defaultValue 60,000 */
  readonly timeoutMs?: number | undefined
  /** How long `fetch` waits for the server, in ms; then it answers 202 and sending goes on. @defaultValue 10,000 */
  readonly answerWithinMs?: number | undefined
  /** The longest body that is stored, in bytes. @defaultValue 33,554,432 (32 MiB) */
  readonly maxBodyBytes?: number | undefined
  /**
   * How soon a request is tried again by others if the context that sends it dies, in ms. It is extended while it is
   * being sent. @defaultValue 30,000
   */
  readonly leaseMs?: number | undefined
  /** How often and when a request is tried again. @defaultValue 1,000 attempts, after up to 1 s, 2 s, 4 s … 5 min */
  readonly retry?: RetryPolicy | undefined
  /** Sends requests. @defaultValue the global `fetch` at the time of the attempt */
  readonly fetch?: ((request: Request, init: RequestInit) => Promise<Response>) | undefined
  /** Time and timers. @defaultValue the runtime's */
  readonly clock?: Clock | undefined
}

/** The options with nothing left open. */
export type OutboxRules = { readonly [K in keyof OutboxOptions]-?: NonNullable<OutboxOptions[K]> }

const DEFAULTS: OutboxRules = {
  before: () => undefined,
  outcome: defaultOutcome,
  omitHeaders: ['authorization', 'cookie'],
  concurrency: 4,
  timeoutMs: 60_000,
  answerWithinMs: 10_000,
  maxBodyBytes: 32 * 1024 * 1024,
  leaseMs: 30_000,
  retry: {},
  fetch: (request, init) => globalThis.fetch(request, init),
  clock: SYSTEM_CLOCK,
}

const RETRY: RetryPolicy = { maxAttempts: 1000, maxMs: 300_000 }

const CHECKS: Readonly<Record<keyof OutboxRules, Check>> = {
  before: checkFunction,
  outcome: checkFunction,
  omitHeaders: (tried, what, names) => checkEach(tried, what, names, checkText, `a name in ${what}`),
  concurrency: checkCount,
  timeoutMs: checkPositiveWaitMs,
  answerWithinMs: checkWaitMs,
  maxBodyBytes: checkCount,
  leaseMs: checkPositiveMs,
  retry: checkRetry,
  fetch: checkFunction,
  clock: checkClock,
}

/** @throws {@link QuaysideError} `INVALID_ARGUMENT`. */
export function withDefaults(options: OutboxOptions): OutboxRules {
  checkOptions('new Outbox', options, CHECKS)
  const rules = { ...DEFAULTS, ...defined(options) } as OutboxRules
  return {
    ...rules,
    omitHeaders: rules.omitHeaders.map((name) => name.toLowerCase()),
    retry: { ...RETRY, ...defined(rules.retry) },
  }
}

/** Without what is `undefined`: it means the default. */
function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
