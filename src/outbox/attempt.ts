import { abortError, abortReason, onAbort, onceAborted } from '../aborts.ts'
import { MAX_TIMEOUT_MS } from '../clock.ts'
import { errorText } from '../errors.ts'
import type { Message } from '../core/lean/index.ts'
import { keep } from './kept.ts'
import { asAttempt } from './mark.ts'
import type { OutboxRules } from './options.ts'
import { isOwnOrigin } from './origins.ts'
import { OUTCOMES, type Outcome, UNSTORED, defaultOutcome } from './outcome.ts'
import { type OutboxPayload, storedRequest } from './request.ts'
import { preflightReasons } from './preflight.ts'
import { retryAfterMs } from './retry-after.ts'
import { send } from './send.ts'
import type { Verdict } from './verdict.ts'

/** How the reason of an attempt begins that got no answer. By it such messages are found when the network is back. */
export const NO_ANSWER = 'no answer: '

/** How much of a response's body is kept with the message, in bytes. */
const KEPT_BYTES = 2048

/** Sends a request once. Never rejects: no answer is an outcome too. @param progress Given to `fetch`. */
export async function attempt(
  request: Request,
  message: Message<OutboxPayload>,
  rules: OutboxRules,
  signal: AbortSignal,
  progress: (sent: number, total: number) => void = () => undefined,
): Promise<Verdict> {
  const { before, timeoutMs, clock } = rules
  const fetch = (one: Request, init: RequestInit): Promise<Response> => rules.fetch(one, init, progress)
  const { body, seeOther } = storedRequest(message.payload)
  const first = request
  let response: Response | undefined
  const controller = new AbortController()
  const unhook = onceAborted(signal, () => controller.abort(abortReason(signal)))
  const ms = Math.min(timeoutMs + Math.floor((body?.length ?? 0) / 20_000) * 1000, MAX_TIMEOUT_MS)
  const timer = clock.setTimeout(
    () => controller.abort(abortError(`not within ${ms} ms`, 'TimeoutError')),
    ms,
  )
  const exchange = async (): Promise<Verdict> => {
    request = await asAttempt((await before(request, message)) ?? request)
    const again = request === first ? (body as BodyInit | undefined) : await request.clone().arrayBuffer()
    response = await send(fetch, request, controller.signal, again, seeOther === 'accept')
    const { outcome, why } = await decide(rules, response, request, message)
    // Its status decides: what the server has accepted it has accepted, though its answer breaks off.
    if (outcome === 'accepted') return { outcome, request, response, reason: `HTTP ${response.status}` }
    // Any other status whose body breaks off is no answer: the server may have died over it.
    const answer = await keep(response, KEPT_BYTES)
    return {
      outcome,
      request,
      response,
      reason: why ?? reasonOf(response, answer.body, outcome),
      answer,
      retryAfterMs: retryAfterMs(response.headers, clock.now()),
    }
  }
  try {
    // Raced, because `before` and `outcome` know no signal.
    return await new Promise<Verdict>((resolve, reject) => {
      onAbort(controller.signal, () => {
        const reason = abortReason(controller.signal)
        // It is not done again because the policy reads its answer for too long.
        if (response?.ok && !signal.aborted)
          resolve({ outcome: 'park', request, response, reason: threw(reason) })
        else reject(reason)
      })
      exchange().then(resolve, reject)
    })
  } catch (error) {
    const reason = NO_ANSWER + withCause(error) + preflightHint(error, request)
    if (signal.aborted) return { outcome: 'retry', request, response: undefined, reason }
    const { outcome, why } = await decide(rules, undefined, request, message)
    return { outcome, request, response: undefined, reason: why ?? reason }
  } finally {
    clock.clearTimeout(timer)
    unhook()
  }
}

/** Asks the policy. Where it has no outcome to tell, a person decides on the request. Rejects where the body broke off. */
async function decide(
  { outcome: policy }: OutboxRules,
  response: Response | undefined,
  request: Request,
  message: Message<OutboxPayload>,
): Promise<{ readonly outcome: Outcome; readonly why?: string }> {
  // It may read it.
  const copy = policy === defaultOutcome ? response : response?.clone()
  try {
    const outcome = await policy(copy, request, message)
    if (OUTCOMES.includes(outcome)) return { outcome }
    return { outcome: 'park', why: `outcome answered ${errorText(outcome)}, none of ${OUTCOMES.join(', ')}` }
  } catch (error) {
    // Because of the policy, or because the body broke off?
    await response?.clone().arrayBuffer()
    return { outcome: 'park', why: threw(error) }
  } finally {
    if (copy !== response) copy?.body?.cancel().catch(() => undefined)
  }
}

function threw(error: unknown): string {
  return `outcome threw: ${errorText(error)}`
}

function reasonOf(
  { status, headers, redirected, url, type }: Response,
  body: string,
  outcome: Outcome,
): string {
  const state = headers.get('quayside-state')
  if (state !== null && state !== UNSTORED)
    return `another outbox answered (Quayside-State: ${state}): it must let attempts through, see isAttempt`
  const location = redirected ? url : headers.get('location')
  const isRedirect =
    redirected || type === 'opaqueredirect' || (location !== null && status < 400 && status > 299)
  if (outcome === 'park' && isRedirect)
    return `redirected to ${location ?? 'where a browser hides'} (HTTP ${status})`
  return `HTTP ${status}: ${body}`
}

/** Node's fetch says what failed in the cause only. */
function withCause(error: unknown): string {
  const cause = error instanceof Error && error.cause
  return cause instanceof Error ? `${errorText(error)}: ${errorText(cause)}` : errorText(error)
}

/** Browsers do not say that a preflight failed. */
function preflightHint(error: unknown, request: Request): string {
  const { url, mode } = request
  if (!(error instanceof TypeError) || mode !== 'cors' || isOwnOrigin(url)) return ''
  const needs = preflightReasons(request)
  if (needs.length === 0) return ''
  return ` (or ${new URL(url).origin} refused the preflight because of ${needs.join(', ')})`
}
