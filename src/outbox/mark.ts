import { partsOf } from './parts.ts'

/**
 * At the end of the URL's fragment of each attempt: the service workers of all origins see it there, and no server does, because
 * a fragment is not sent. Nor does a preflight come of it.
 */
const MARK = '~quayside-attempt'

/** Those whose URL hides its mark. */
const attempts = new WeakSet<object>()

/**
 * Whether a request is an attempt that an outbox makes, in this or in another context, at what it has stored. A service worker's
 * routes and an app's own `fetch` let it through as it is: to store it again is to store it once per attempt.
 *
 * ```ts
 * self.addEventListener('fetch', (event) => {
 *   if (isAttempt(event.request)) return // the outbox sends it: let it through
 *   event.respondWith(fromCache(event.request))
 * })
 * ```
 */
export function isAttempt(request: { readonly url: string }): boolean {
  return attempts.has(request) || (request.url.includes('#') && request.url.endsWith(MARK))
}

export function withoutMark(url: string): string {
  return isAttempt({ url }) ? url.slice(0, -MARK.length).replace(/#$/, '') : url
}

/** The URL to send a request to, with its mark if it is an attempt. */
export function markedUrl(request: Request): string {
  return attempts.has(request) ? marked(request.url) : request.url
}

function marked(url: string): string {
  return url + (url.includes('#') ? '' : '#') + MARK
}

/** A request that is known as an attempt. Who looks at it sees the URL as it was. */
export function toAttempt(url: string, init: object): Request {
  return hideMark(new Request(marked(url), init), url)
}

function hideMark(request: Request, url: string): Request {
  attempts.add(request)
  return Object.defineProperty(request, 'url', { value: url })
}

/** What a hook has put in place of an attempt, as one. */
export async function asAttempt(request: Request): Promise<Request> {
  const { url, method, headers } = request
  if (attempts.has(request)) return request
  if (isAttempt(request)) return hideMark(request, withoutMark(url))
  // Read, because not every browser can make a request of one with another URL.
  const body = await request.arrayBuffer()
  return toAttempt(url, { method, headers, ...partsOf(request), ...(body.byteLength > 0 && { body }) })
}
