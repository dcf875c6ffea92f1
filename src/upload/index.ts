/**
 * **quayside/upload**: a `fetch` for outboxes that tells how far an upload is.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { Outbox } from 'quayside/outbox'
 * import { uploadFetch } from 'quayside/upload'
 *
 * const outbox = new Outbox(new Queue('outbox'), { fetch: uploadFetch })
 * outbox.watch(({ type, id, sent, total }) => {
 *   if (type === 'progress') console.log(`${id}: ${sent} of ${total} bytes`)
 * })
 * ```
 *
 * @module
 */
import { abortReason, onceAborted, throwIfAborted } from '../aborts.ts'
import { isOwnOrigin, markedUrl, preflightReasons } from '../outbox/inside.ts'

/** Oftener than this nobody is told, in ms, but of the end. */
const TELL_MS = 200

/**
 * Sends a request by `XMLHttpRequest`, where there is one and it can send just this, and tells how much of its body has gone; all else
 * goes through the global `fetch`, and nothing is told of it: in workers, without a body, and to other origins where it would need a
 * preflight that the request itself does not. For the option `fetch` of an outbox.
 *
 * The response is there when all of it is: one that streams does not come as it is written.
 *
 * ```ts
 * const outbox = new Outbox(queue, { fetch: uploadFetch })
 * ```
 *
 * @param progress Is told how many bytes of how many have gone, five times a second at most.
 * @throws as `fetch`: a `TypeError` where there is no response, and the signal's reason.
 */
export async function uploadFetch(
  request: Request,
  init: RequestInit = {},
  progress: (sent: number, total: number) => void = () => undefined,
): Promise<Response> {
  const signal = init.signal ?? request.signal
  if (typeof XMLHttpRequest === 'undefined' || !canSend(request, init)) return await fetch(request, init)
  // Its copy stays whole for `fetch`.
  const body = await request.clone().arrayBuffer()
  if (body.byteLength === 0) return await fetch(request, init)
  throwIfAborted(signal)
  return await new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    const url = markedUrl(request)
    const endWatch = watchRedirects(url)
    xhr.open(request.method, url)
    xhr.responseType = 'arraybuffer'
    xhr.withCredentials = request.credentials === 'include'
    for (const [name, value] of request.headers) xhr.setRequestHeader(name, value)
    let toldAt = -Infinity
    xhr.upload.addEventListener('progress', ({ loaded, total }) => {
      const now = performance.now()
      if (loaded < total && now < toldAt + TELL_MS) return
      toldAt = now
      progress(loaded, total)
    })
    const unhook = onceAborted(signal, () => xhr.abort())
    xhr.addEventListener('loadend', () => {
      unhook()
      const isRedirected = endWatch()
      if (signal.aborted) reject(abortReason(signal))
      else if (xhr.status === 0) reject(new TypeError('Failed to fetch (XMLHttpRequest)'))
      else resolve(responseOf(xhr, request, isRedirected))
    })
    xhr.send(body)
  })
}

/** Whether an `XMLHttpRequest` does with it what `fetch` would. */
function canSend(request: Request, init: RequestInit): boolean {
  const { mode, credentials, redirect, cache, integrity, referrer, referrerPolicy, url, keepalive } = request
  const isPlain =
    redirect === 'follow' && (init.redirect ?? 'follow') === 'follow' && cache === 'default' && !keepalive
  const isNobodys = integrity === '' && referrer === 'about:client' && referrerPolicy === ''
  if (!isPlain || !isNobodys || credentials === 'omit' || !/^(cors|same-origin)$/.test(mode)) return false
  return isOwnOrigin(url) || (mode === 'cors' && preflightReasons(request).length > 0)
}

/**
 * An `XMLHttpRequest` tells where it was redirected to, but not of a redirect to where it was sent, as a 303 makes a GET of a form; the
 * browser's own record of it does. Answers with a function that ends it, and answers whether there was one.
 */
function watchRedirects(url: string): () => boolean {
  const records: PerformanceEntry[] = []
  const began = performance.now()
  const observer =
    typeof PerformanceObserver === 'undefined'
      ? undefined
      : new PerformanceObserver((list) => void records.push(...list.getEntries()))
  observer?.observe({ type: 'resource' })
  return () => {
    records.push(...(observer?.takeRecords?.() ?? []))
    observer?.disconnect()
    const own = (records as PerformanceResourceTiming[]).filter(
      ({ name, startTime }) => name === url && startTime >= began,
    )
    // Others may go there at the same time: this one has just ended.
    const [last] = own.toSorted((a, b) => b.responseEnd - a.responseEnd)
    return last !== undefined && last.redirectStart > 0
  }
}

function responseOf(xhr: XMLHttpRequest, request: Request, isRedirected: boolean): Response {
  const headers = new Headers()
  for (const line of xhr.getAllResponseHeaders().trim().split(/\r\n/)) {
    const at = line.indexOf(':')
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim())
  }
  const { status, statusText, responseURL: url } = xhr
  const body = [204, 205, 304].includes(status) ? null : (xhr.response as ArrayBuffer | null)
  // Of any other status no response can be made.
  const known = status >= 200 && status <= 599 ? status : 502
  const isSame = url === request.url.replace(/#.*$/s, '')
  return shownAs(new Response(body, { status: known, statusText, headers }), {
    status,
    url,
    redirected: isRedirected || !isSame,
  })
}

/** A response with what none can be made with. */
function shownAs(
  response: Response,
  own: { readonly status: number; readonly url: string; readonly redirected: boolean },
): Response {
  const copy = response.clone.bind(response)
  const ok = { value: own.status >= 200 && own.status <= 299 }
  return Object.defineProperties(response, {
    status: { value: own.status },
    ok,
    url: { value: own.url },
    redirected: { value: own.redirected },
    clone: { value: () => shownAs(copy(), own) },
  })
}
