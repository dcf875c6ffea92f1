import type { Message } from '../core/lean/index.ts'
import { type OutboxPayload, storedRequest } from './request.ts'

/**
 * What becomes of a request after an attempt.
 *
 * - `accepted`: the server has it. The message is done.
 * - `retry`: it is tried again, after `Retry-After` or what the retry policy says.
 * - `hold`: it is given back without losing an attempt, and this outbox sends nothing more until `resume()`.
 * - `park`: this request needs a person or a fix. It keeps its place, with the answer as its data, and only its own `key` waits for it.
 * - `dead`: it is never tried again. It becomes a dead letter with status and body.
 */
export type Outcome = 'accepted' | 'retry' | 'hold' | 'park' | 'dead'

export const OUTCOMES: readonly Outcome[] = ['accepted', 'retry', 'hold', 'park', 'dead']

/**
 * Decides, at once or later. It may read the response, which is a copy. `undefined`: there was none, or not all that was read of
 * it. To throw, and to answer with anything else than an outcome, parks the request with that reason. Its time counts into
 * `timeoutMs`.
 */
export type OutcomePolicy = (
  response: Response | undefined,
  request: Request,
  message: Message<OutboxPayload>,
) => Outcome | Promise<Outcome>

/** Answered by servers where somebody has to log in (401; 419 and 440: the session is over; 498: the token is). */
const NOBODY = [401, 419, 440, 498]
const LATER = [408, 425, 429]
/** Followed by a GET without the body, unlike 307 and 308. */
const TO_A_GET = [301, 302, 303]
/** What no GET answers with: the request itself was answered, after redirects that kept it. */
const OF_NO_GET = [201, 202, 204, 205]

/**
 * The policy of an outbox that has no other.
 *
 * - No response, 408, 425, 429, 5xx and what is no status: `retry`. So is a redirect from http to another origin, but for `localhost`:
 *   that is how the login pages of trains and hotels answer.
 * - 2xx: `accepted`. So is what cannot be looked into: the opaque response of `mode: 'no-cors'`.
 * - A redirect that makes a GET of a request of another method (303, 302 or 301): `park`, whatever it leads to, unless the request
 *   was stored with `seeOther: 'accept'`. Redirects with 307 and 308 keep the request. A browser tells neither apart: there a 201,
 *   202, 204 or 205 counts as the answer to the request, and another status of success after a redirect does not.
 * - 401, 419, 440, 498: `hold`. Nothing else would fare better, and nothing is lost until somebody has logged in.
 * - A response that another outbox gave in place of the server, with `Quayside-State`: `park`. It is stored there too.
 * - All else, which is the other 4xx, and 3xx that redirect nowhere: `park`. It would get the same answer tomorrow.
 *
 * @param message Give it where you have it: `seeOther` is not known without.
 * @example
 * ```ts
 * new Outbox(queue, {
 *   outcome: (response, ...rest) => (response?.status === 423 ? 'retry' : defaultOutcome(response, ...rest)),
 * })
 * ```
 */
export function defaultOutcome(
  response: Response | undefined,
  request: Request,
  message?: Message<OutboxPayload>,
): Outcome {
  if (response === undefined || response.type === 'error') return 'retry'
  const { status, ok, headers, redirected, type } = response
  if ((headers.get('quayside-state') ?? UNSTORED) !== UNSTORED) return 'park'
  if (ok && isPortal(response, request)) return 'retry'
  const landed = type === 'opaqueredirect' || TO_A_GET.includes(status)
  if (landed || (redirected && ok && !OF_NO_GET.includes(status))) {
    const isGet = request.method === 'GET' || request.method === 'HEAD'
    if (!isGet) return message && storedRequest(message.payload).seeOther === 'accept' ? 'accepted' : 'park'
  }
  if (ok || type === 'opaque') return 'accepted'
  if (NOBODY.includes(status)) return 'hold'
  return status >= 500 || LATER.includes(status) ? 'retry' : 'park'
}

/** The state of an answer that is the server's own, though nothing was stored. */
export const UNSTORED = 'unstored'

/** Nobody is on the way to this device itself. */
const OWN_DEVICE = /(^|\.)localhost$|^127[\d.]+$|^\[::1]$/

/** Whether somebody else answered, which who is on the way can do to http only. An upgrade to https is the server's own. */
function isPortal({ url }: Response, request: Request): boolean {
  const sent = new URL(request.url)
  if (sent.protocol !== 'http:' || !url || OWN_DEVICE.test(sent.hostname)) return false
  const { origin, protocol, hostname } = new URL(url)
  return origin !== sent.origin && !(protocol === 'https:' && hostname === sent.hostname)
}
