import { MAX_TIMEOUT_MS } from '../clock.ts'
import { errorText } from '../errors.ts'
import type { Message } from '../core.ts'
import { keep } from './kept.ts'
import type { OutboxRules } from './options.ts'
import { type Outcome, OUTCOMES } from './outcome.ts'
import type { OutboxPayload } from './request.ts'
import { retryAfterMs } from './retry-after.ts'
import type { Verdict } from './verdict.ts'

/** How the reason of an attempt begins that got no answer. By it such messages are found when the network is back. */
export const NO_ANSWER = 'no answer: '

/** How much of a response's body is kept with the message, in bytes. */
const KEPT_BYTES = 2048

/** Sends a request once. Never rejects: no answer is an outcome too. */
export async function attempt(
  request: Request,
  message: Message<OutboxPayload>,
  rules: OutboxRules,
  signal: AbortSignal,
): Promise<Verdict> {
  const { before, fetch, timeoutMs, clock } = rules
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  const timer = clock.setTimeout(
    () => controller.abort(new DOMException(`not within ${timeoutMs} ms`, 'TimeoutError')),
    Math.min(timeoutMs, MAX_TIMEOUT_MS),
  )
  const exchange = async (): Promise<Verdict> => {
    request = (await before(request, message)) ?? request
    // Any init makes fetch forget the referrer.
    const { referrer, referrerPolicy } = request
    const response = await fetch(request, { signal: controller.signal, referrer, referrerPolicy })
    const { outcome, why } = await decide(rules, response, request, message)
    // Its status decides: what the server has accepted it has accepted, though its answer breaks off.
    if (outcome === 'accepted')
      return { outcome, request, response, reason: why ?? `HTTP ${response.status}` }
    // Any other status whose body breaks off is no answer: the server may have died over it.
    const answer = await keep(response, KEPT_BYTES)
    return {
      outcome,
      request,
      response,
      reason: why ?? `HTTP ${response.status}: ${answer.body}`,
      answer,
      retryAfterMs: retryAfterMs(response.headers.get('retry-after'), clock.now()),
    }
  }
  try {
    // Raced, because `before` knows no signal.
    return await new Promise<Verdict>((resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason))
      exchange().then(resolve, reject)
    })
  } catch (error) {
    const reason = NO_ANSWER + withCause(error)
    const { outcome, why } = await decide(rules, undefined, request, message)
    return { outcome, request, response: undefined, reason: why ?? reason }
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** Asks the policy. Where it has no outcome to tell, a person decides on the request. */
async function decide(
  { outcome: policy }: OutboxRules,
  ...[response, request, message]: Parameters<OutboxRules['outcome']>
): Promise<{ readonly outcome: Outcome; readonly why?: string }> {
  try {
    const outcome = await policy(response, request, message)
    if (OUTCOMES.includes(outcome)) return { outcome }
    return {
      outcome: 'park',
      why: `outcome answered ${errorText(outcome)}, which is none of ${OUTCOMES.join(', ')}`,
    }
  } catch (error) {
    return { outcome: 'park', why: `outcome threw: ${errorText(error)}` }
  }
}

/** Node's fetch says what failed in the cause only. */
function withCause(error: unknown): string {
  const cause = error instanceof Error && error.cause
  return cause instanceof Error ? `${errorText(error)}: ${errorText(cause)}` : errorText(error)
}
