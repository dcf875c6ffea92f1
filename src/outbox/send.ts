import { takes } from './kinds.ts'
import { toAttempt } from './mark.ts'
import type { OutboxRules } from './options.ts'
import { hasOrigins } from './origins.ts'
import { partsOf } from './parts.ts'

/** As `fetch` has it. */
const MOST_REDIRECTS = 20

/** What is for one origin only. */
const SECRETS = ['authorization', 'cookie', 'proxy-authorization']

/**
 * Sends a request, and follows the redirects that keep its method and its body. The answer of another redirect is the redirect
 * itself, where the runtime shows it: a browser, which hides it, follows it too.
 *
 * @param body Its body, to send it once more.
 * @param all Whether all redirects are to be followed, wherever this runs.
 */
export async function send(
  fetch: OutboxRules['fetch'],
  request: Request,
  signal: AbortSignal,
  body: BodyInit | undefined,
  all: boolean,
): Promise<Response> {
  const { method, redirect, referrer, referrerPolicy } = request
  // Any init makes fetch forget the referrer.
  const init = { referrer, referrerPolicy, ...(takes(signal) && { signal }) }
  if (all || redirect !== 'follow' || method === 'GET' || method === 'HEAD' || hasOrigins())
    return await fetch(request, init)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(request, { ...init, redirect: 'manual' })
    const { status, headers } = response
    const location = headers.get('location')
    const keeps =
      status === 307 || status === 308 || (method !== 'POST' && (status === 301 || status === 302))
    if (!keeps || location === null || redirects === MOST_REDIRECTS) return response
    // As fetch does it, which waits for the end of no redirect either.
    response.body?.cancel().catch(() => undefined)
    const url = new URL(location, request.url)
    const own = new Headers(request.headers)
    // As fetch does it.
    if (url.origin !== new URL(request.url).origin) for (const name of SECRETS) own.delete(name)
    request = toAttempt(url.href, { method, headers: own, body, ...partsOf(request) })
  }
}
