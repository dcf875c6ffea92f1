import { abortError, abortReason, onceAborted, throwIfAborted } from '../aborts.ts'
import { MAX_TIMEOUT_MS } from '../clock.ts'
import { errorText } from '../errors.ts'
import type { Message } from '../core/lean/index.ts'
import { copyOf, keep } from './kept.ts'
import { asAttempt } from './mark.ts'
import { asGiven } from './places.ts'
import type { OutboxRules } from './options.ts'
import { isOwnOrigin } from './origins.ts'
import { OUTCOMES, type Outcome, UNSTORED, defaultOutcome } from './outcome.ts'
import { type OutboxPayload, storedRequest } from './request.ts'
import { preflightReasons } from './preflight.ts'
import { retryAfterMs } from './retry-after.ts'
import { send } from './send.ts'
import { onEvents } from './triggers.ts'
import type { Verdict } from './verdict.ts'

/** How the reason of an attempt begins that got no answer. By it such messages are found when the network is back. */
export const NO_ANSWER = 'no answer: '

/** How much of a response's body is kept with the message, in bytes. */
const KEPT_BYTES = 2048

/** What an attempt is told, and tells, besides. */
export interface Around {
  readonly parent?: Response | undefined
  /** Rejects where it may not go any more. */
  readonly mayGo?: (() => Promise<void>) | undefined
  readonly progress?: ((sent: number, total: number) => void) | undefined
  /** It is sent again if this attempt gets no answer. */
  readonly isKept?: boolean | undefined
}

/** Sends a request once. Never rejects: no answer is an outcome too. */
export async function attempt(
  request: Request,
  message: Message<OutboxPayload>,
  rules: OutboxRules,
  signal: AbortSignal,
  { parent, mayGo, progress, isKept }: Around = {},
): Promise<Verdict> {
  const { before, timeoutMs, clock } = rules
  message = asGiven(message)
  const { body, seeOther } = storedRequest(message.payload)
  const first = request
  let response: Response | undefined
  const verdict = (outcome: Outcome, reason: string, more?: Partial<Verdict>): Verdict => ({
    outcome,
    reason,
    request,
    response,
    cut,
    ...more,
  })
  const controller = new AbortController()
  const unhook = onceAborted(signal, () => controller.abort(abortReason(signal)))
  // Nobody hears of its answer there, and Firefox sends on what began while the page was being left: whoever has it next would too.
  const left = (): void => controller.abort(abortError('the page was left', 'AbortError'))
  const unleave = onEvents(isKept ? ['pagehide'] : [], left)
  const ms = Math.min(timeoutMs + Math.floor((body?.length ?? 0) / 20_000) * 1000, MAX_TIMEOUT_MS)
  const late = (): void => controller.abort(abortError(`not within ${ms} ms`, 'TimeoutError'))
  // Aborted, because Firefox keeps the connection of what was copied, whoever cancels it.
  const cut = (): (() => void) => {
    const timer = clock.setTimeout(late, ms)
    return () => clock.clearTimeout(timer)
  }
  const stop = cut()
  const fetch = async (one: Request, init: RequestInit): Promise<Response> => {
    await mayGo?.()
    // Whoever has it next may be at it already.
    throwIfAborted(controller.signal)
    const answer = await rules.fetch(one, init, progress)
    // So those say it that wrap `fetch`, in workers most of all.
    if (answer.type === 'error') throw new TypeError('Response.error()')
    return answer
  }
  const exchange = async (): Promise<Verdict> => {
    request = await asAttempt((await before(request, message, { response: parent })) ?? request)
    const again = request === first ? (body as BodyInit | undefined) : await request.clone().arrayBuffer()
    response = await send(fetch, request, controller.signal, again, seeOther === 'accept')
    const [outcome, why] = await decide(rules, response, request, message)
    // Its status decides: what the server has accepted it has accepted, though its answer breaks off.
    if (outcome === 'accepted') return verdict(outcome, `HTTP ${response.status}`)
    // Any other status whose body breaks off is no answer: the server may have died over it.
    const answer = await keep(response, KEPT_BYTES)
    return verdict(outcome, why ?? reasonOf(response, answer.body, outcome), {
      answer,
      retryAfterMs: retryAfterMs(response.headers, clock.now()),
    })
  }
  try {
    // Raced, because `before` and `outcome` know no signal.
    return await new Promise<Verdict>((resolve, reject) => {
      onceAborted(controller.signal, () => {
        const reason = abortReason(controller.signal)
        // It is not done again because the policy reads its answer for too long.
        if (response?.ok && !signal.aborted) resolve(verdict('park', threw(reason)))
        else reject(reason)
      })
      exchange().then(resolve, reject)
    })
  } catch (error) {
    response = undefined
    const reason = NO_ANSWER + withCause(error) + preflightHint(error, request)
    const [outcome, why = reason] = signal.aborted
      ? (['retry'] as const)
      : await decide(rules, undefined, request, message)
    return verdict(outcome, why)
  } finally {
    stop()
    unhook()
    unleave()
  }
}

/** Asks the policy. Where it has no outcome to tell, a person decides on the request. Rejects where the body broke off. */
async function decide(
  { outcome: policy }: OutboxRules,
  response: Response | undefined,
  request: Request,
  message: Message<OutboxPayload>,
): Promise<readonly [outcome: Outcome, why?: string]> {
  // It may read it.
  const copy = policy === defaultOutcome ? response : response && copyOf(response)
  try {
    const outcome = await policy(copy, request, message)
    if (OUTCOMES.includes(outcome)) return [outcome]
    return ['park', `outcome answered ${errorText(outcome)}, none of ${OUTCOMES.join(', ')}`]
  } catch (error) {
    // Because of the policy, or because the body broke off?
    if (!response?.bodyUsed) await response?.clone().arrayBuffer()
    return ['park', threw(error)]
  } finally {
    if (copy !== response) copy?.body?.cancel().catch(() => undefined)
  }
}

function threw(error: unknown): string {
  return `outcome threw: ${errorText(error)}`
}

function reasonOf(
  { status, ok, headers, redirected, url, type }: Response,
  body: string,
  outcome: Outcome,
): string {
  const state = headers.get('quayside-state') ?? UNSTORED
  if (state !== UNSTORED)
    return `another outbox answered (Quayside-State: ${state}): it must let attempts through, see isAttempt`
  const location = redirected ? url : status > 299 && status < 400 ? headers.get('location') : null
  if ((outcome === 'park' || ok) && (location !== null || type === 'opaqueredirect'))
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
  const isLikely = error instanceof TypeError && mode === 'cors' && !isOwnOrigin(url)
  const needs = isLikely ? preflightReasons(request).join(', ') : ''
  return needs && ` (or ${new URL(url).origin} refused the preflight because of ${needs})`
}
