import {
  type Check,
  checkCount,
  checkEach,
  checkFunction,
  checkMs,
  checkOptions,
  checkPositiveMs,
  checkPositiveWaitMs,
  checkRetry,
  checkText,
  checkWaitMs,
} from '../check.ts'
import { type Clock, SYSTEM_CLOCK, checkClock } from '../clock.ts'
import type { Message, RetryPolicy } from '../core/lean/index.ts'
import { type OutcomePolicy, defaultOutcome } from './outcome.ts'
import type { AskOwner } from './session.ts'
import { isOffline } from './triggers.ts'
import type { OutboxPayload } from './request.ts'

/** Is asked before each attempt. */
export type BeforeHook = (
  request: Request,
  message: Message<OutboxPayload>,
  family?: { readonly response: Response | undefined },
) => Request | void | Promise<Request | void>

/** Is asked what to do with a request that the server refused. */
export type ParkedHook = (
  request: Request,
  response: Response,
  message: Message<OutboxPayload>,
) => Request | void | undefined | Promise<Request | void | undefined>

/** What an outbox does before, with and after each request. */
export interface OutboxOptions {
  /**
   * Changes a request before each attempt: sets a fresh token on `request.headers`, or answers with another request, which
   * is then sent as it is. To throw is to fail this attempt; it is tried again later. Its time counts into `timeoutMs`. Where the
   * request comes {@link OutboxRequestInit.after} another one, `response` of the third argument is what the server said to that.
   * @defaultValue it is sent as it was stored
   */
  readonly before?: BeforeHook | undefined
  /** What becomes of a request after an attempt. @defaultValue {@link defaultOutcome} */
  readonly outcome?: OutcomePolicy | undefined
  /**
   * Which requests bear an `Idempotency-Key`, the same one at each attempt: `true`, all, with the id of the message; `false`, none;
   * a function says which, `undefined` being none. A request's own is kept. Another origin must allow the header, or a browser's
   * preflight fails. @defaultValue those to the origin of the page or worker; where there are no origins, as in Node, all
   */
  readonly idempotencyKey?: boolean | ((request: Request) => string | undefined) | undefined
  /**
   * Names of headers that are never stored: a stored token is stale when it is sent, and readable to whoever can read the
   * disk. The first attempt carries them if it is made while the caller of `fetch` waits; for later ones `before` sets
   * them again. @defaultValue ['authorization', 'cookie', 'x-api-key', 'x-csrf-token', 'x-xsrf-token']
   */
  readonly omitHeaders?: readonly string[] | undefined
  /**
   * Who uses the program now: an id of their account, or nothing while nobody is logged in. It is stored with each request and
   * compared before each attempt: what belongs to somebody else waits until they are back, and is in nobody's way. Asked before
   * each pass and each attempt, so it should be quick. Needs a storage with lanes. @defaultValue all belongs to nobody
   */
  readonly owner?: AskOwner | undefined
  /**
   * Where a request goes: requests of one destination share slots, rest together after `Retry-After` or failures, and wait
   * together for somebody to log in. Their `key`s are of this destination. It must not be empty. @defaultValue the origin of its URL
   */
  readonly destination?: ((request: Request) => string) | undefined
  /**
   * How many requests may be under way to one destination, from all contexts together. Those of one `key` go one after the
   * other. Where a context has heard nothing of it for ten minutes, or a failure last, one goes first, and the others once that
   * was answered, or after 2 s. @defaultValue 4
   */
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
  /**
   * May mend a request that the server refused, before it is parked: with another `Request` (a merge with a new `If-Match`, say)
   * it is sent in its place, with a new `Idempotency-Key`. Nothing: it is parked. @defaultValue all are parked
   */
  readonly onParked?: ParkedHook | undefined
  /** How often `onParked` may mend one request. @defaultValue 3 */
  readonly maxEdits?: number | undefined
  /**
   * How long a response is kept after a request was accepted, in ms, for {@link Outbox.response}: status, headers and the first
   * 64 kB. 0: not at all. A request's own `keepResponse` wins. @defaultValue 86,400,000 (a day)
   */
  readonly keepResponse?: number | undefined
  /** Whether there is a network. While there is none, nothing is sent that nobody asks for. @defaultValue what `navigator.onLine` says */
  readonly isOnline?: (() => boolean) | undefined
  /** How often and when a request is tried again. @defaultValue 1,000 attempts, after up to 1 s, 2 s, 4 s … 5 min */
  readonly retry?: RetryPolicy | undefined
  /**
   * Sends requests. It may call `progress` with how many bytes of how many have gone, which is told as an event of this context: see
   * `uploadFetch` of `quayside/upload`. @defaultValue the global `fetch` at the time of the attempt
   */
  readonly fetch?:
    | ((
        request: Request,
        init: RequestInit,
        progress?: (sent: number, total: number) => void,
      ) => Promise<Response>)
    | undefined
  /** Time and timers. @defaultValue the runtime's */
  readonly clock?: Clock | undefined
}

/** The options with nothing left open. */
export type OutboxRules = {
  readonly [K in Exclude<keyof OutboxOptions, Open>]-?: NonNullable<OutboxOptions[K]>
} & Pick<OutboxOptions, Open>

/** Without these, there is nothing to do. */
type Open = 'owner' | 'onParked' | 'idempotencyKey'

/** What each option must be, and what it is where nothing is said. */
const OPTIONS: {
  readonly [K in keyof OutboxOptions]-?: readonly [check: Check, byDefault?: OutboxRules[K]]
} = {
  owner: [checkFunction],
  onParked: [checkFunction],
  idempotencyKey: [
    (tried, what, value) => {
      if (typeof value !== 'boolean') checkFunction(tried, what, value)
    },
  ],
  before: [checkFunction, () => undefined],
  outcome: [checkFunction, defaultOutcome],
  omitHeaders: [
    (tried, what, names) => checkEach(tried, what, names, checkText, `a name in ${what}`),
    ['authorization', 'cookie', 'x-api-key', 'x-csrf-token', 'x-xsrf-token'],
  ],
  destination: [checkFunction, ({ url }) => new URL(url).origin],
  concurrency: [checkCount, 4],
  maxEdits: [checkCount, 3],
  keepResponse: [checkMs, 86_400_000],
  isOnline: [checkFunction, () => !isOffline()],
  timeoutMs: [checkPositiveWaitMs, 60_000],
  answerWithinMs: [checkWaitMs, 10_000],
  maxBodyBytes: [checkCount, 32 * 1024 * 1024],
  leaseMs: [checkPositiveMs, 30_000],
  retry: [checkRetry, {}],
  fetch: [checkFunction, (request, init) => globalThis.fetch(request, init)],
  clock: [checkClock, SYSTEM_CLOCK],
}

/** @throws {@link QuaysideError} `INVALID_ARGUMENT`. */
export function withDefaults(options: OutboxOptions): OutboxRules {
  const all = Object.entries(OPTIONS)
  checkOptions('new Outbox', options, Object.fromEntries(all.map(([name, [check]]) => [name, check])))
  const rules = Object.fromEntries(
    all.map(([name, [, byDefault]]) => [name, options[name as keyof OutboxOptions] ?? byDefault]),
  ) as unknown as OutboxRules
  const { maxAttempts = 1000, maxMs = 300_000 } = rules.retry
  return {
    ...rules,
    omitHeaders: rules.omitHeaders.map((name) => name.toLowerCase()),
    retry: { ...rules.retry, maxAttempts, maxMs },
  }
}
