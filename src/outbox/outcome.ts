import type { Message } from '../core.ts'
import type { OutboxPayload } from './request.ts'

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
 * Decides. Do not read the response's body: it is not yours. `undefined`: there was no response, or not all of it.
 */
export type OutcomePolicy = (
  response: Response | undefined,
  request: Request,
  message: Message<OutboxPayload>,
) => Outcome | Promise<Outcome>

/**
 * The policy of an outbox that has no other.
 *
 * - No response, 408, 425, 429, 5xx: `retry`. A response that was redirected to another origin too: that is how the
 *   login pages of trains and hotels answer.
 * - 2xx: `accepted`. So is what cannot be looked into: the opaque response of `mode: 'no-cors'`, and the opaque redirect
 *   of `redirect: 'manual'`, with which servers answer a form that they took.
 * - 401, 403: `hold`. Nothing else would fare better, and nothing is lost until somebody has logged in.
 * - All else, which is the other 4xx, and 3xx that redirect nowhere: `dead`. It would get the same answer tomorrow.
 */
export function defaultOutcome(response: Response | undefined, request: Request): Outcome {
  if (response === undefined || response.type === 'error') return 'retry'
  const { status } = response
  if (response.ok || status === 0) {
    return response.redirected && new URL(response.url).origin !== new URL(request.url).origin
      ? 'retry'
      : 'accepted'
  }
  if (status === 401 || status === 403) return 'hold'
  return status >= 500 || [408, 425, 429].includes(status) ? 'retry' : 'dead'
}
