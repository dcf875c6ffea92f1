import { MAX_TIMEOUT_MS } from '../clock.ts'
import { errorText } from '../errors.ts'
import type { Message } from '../core.ts'
import type { OutboxRules } from './options.ts'
import type { OutboxBody } from './request.ts'

/** How the error text of an attempt begins that got no answer. By it such messages are found when the network is back. */
export const NO_ANSWER = 'no answer: '

/** How much of a response's body is kept with the message, in bytes. */
const KEPT_BYTES = 2048

export interface Attempt {
  /** What was sent in the end. */
  readonly request: Request
  /** Arrived to its last byte. Its body is not read. */
  readonly response: Response | undefined
  /** What happened, in words. */
  readonly reason: string
}

/** Sends a request once. Never rejects: no answer is an outcome too. */
export async function attempt(
  request: Request,
  message: Message<OutboxBody>,
  { before, fetch, timeoutMs, clock }: OutboxRules,
  signal: AbortSignal,
): Promise<Attempt> {
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  const timer = clock.setTimeout(
    () => controller.abort(new DOMException(`not within ${timeoutMs} ms`, 'TimeoutError')),
    Math.min(timeoutMs, MAX_TIMEOUT_MS),
  )
  const exchange = async (): Promise<Attempt> => {
    request = (await before(request, message)) ?? request
    // Any init makes fetch forget the referrer.
    const { referrer, referrerPolicy } = request
    const response = await fetch(request, { signal: controller.signal, referrer, referrerPolicy })
    // A status whose body breaks off is no answer: the server may have died over it.
    const body = new Uint8Array(await response.clone().arrayBuffer())
    const text = new TextDecoder().decode(body.subarray(0, KEPT_BYTES), { stream: true })
    return { request, response, reason: `HTTP ${response.status}: ${text}` }
  }
  try {
    // Raced, because `before` knows no signal.
    return await new Promise((resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason))
      exchange().then(resolve, reject)
    })
  } catch (error) {
    return { request, response: undefined, reason: NO_ANSWER + withCause(error) }
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** Node's fetch says what failed in the cause only. */
function withCause(error: unknown): string {
  const cause = error instanceof Error && error.cause
  return cause instanceof Error ? `${errorText(error)}: ${errorText(cause)}` : errorText(error)
}
