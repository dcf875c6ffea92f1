import { uuid } from '../message-id.ts'
import { isBytes } from '../json.ts'
import { isBlob, isForJson, isRequest, isUnknownBody } from './kinds.ts'
import { throwIfAborted } from '../aborts.ts'
import { invalid } from '../check.ts'
import { QuaysideError } from '../core/lean/index.ts'
import { headerSafe } from './header-safe.ts'
import { rawBody, readBody } from './body.ts'
import { toAttempt, withoutMark } from './mark.ts'
import { isOwnOrigin } from './origins.ts'
import { type Parts, partsOf } from './parts.ts'
import { givenId } from './places.ts'

/**
 * The payload of an outbox's message: all of a request, so that a codec that encrypts hides all of it. A {@link StoredRequest}
 * where the body is text or there is none; where it is bytes, the rest as JSON, a line feed, and then the bytes as they are.
 */
export type OutboxPayload = StoredRequest | Uint8Array

/** A request, as it is stored. Parts that a `Request` has by default are left out. */
export interface StoredRequest extends Parts {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Text as text, all else as bytes. `undefined`: none. */
  readonly body?: string | Uint8Array | undefined
  /** Of a request that has replaced another one of the same id: its own `Idempotency-Key`. */
  readonly version?: string | undefined
  /** It bears no `Idempotency-Key`. */
  readonly keyless?: boolean | undefined
  /** What a redirect with 303, 302 or 301 led to counts as its answer. */
  readonly seeOther?: 'accept' | undefined
}

type Sendable = Omit<StoredRequest, 'body'> & { readonly body?: StoredRequest['body'] | Blob }

export const IDEMPOTENCY_KEY = 'idempotency-key'

/**
 * Headers that each attempt gets anew from whoever sends it. Browsers let no script set them; elsewhere a stored request
 * that somebody has forged could make two of one with them.
 */
const OF_THE_SENDER =
  /^(sec-.*|proxy-.*|content-length|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i

const HTTP = /^https?:/

const TEXT = /^text\/|[/+](json|xml)\b|x-www-form-urlencoded/

/** What a request is stored as, and what is not stored of it. */
export interface Packed {
  readonly payload: OutboxPayload
  /** To look at. Its body is read. */
  readonly request: Request
  readonly version: string | undefined
  /** The headers that must not be stored. */
  readonly omitted: readonly (readonly [name: string, value: string])[]
  readonly signal: AbortSignal
  /** Its body, where that is over the limit: it can be sent only. */
  readonly tooLong?: Blob | undefined
}

/** What an outbox says of all requests. */
export interface PackRules {
  readonly maxBodyBytes: number
  readonly omitHeaders: readonly string[]
  readonly idempotencyKey?: boolean | ((request: Request) => string | undefined) | undefined
}

/** How requests are sent that are stored now. */
export interface PackInit extends RequestInit {
  readonly replace?: boolean | undefined
  readonly seeOther?: 'accept' | undefined
}

/**
 * Makes of a request what is stored of it.
 *
 * @param whole Whether it is to be sent though its body is over the limit.
 */
export async function pack(
  tried: string,
  input: string | URL | Request,
  init: PackInit,
  { maxBodyBytes, omitHeaders, idempotencyKey }: PackRules,
  whole: boolean,
): Promise<Packed> {
  const raw = rawBody(init.body)
  // Its signal stays with who gave it: of another realm, no request takes it.
  const { signal: own, ...parts } = init
  const request = toRequest(tried, input, {
    ...parts,
    ...(own === null && { signal: own }),
    ...(raw !== undefined && { body: new Uint8Array() }),
  })
  const { method } = request
  const signal = own ?? request.signal
  const url = withoutMark(request.url)
  throwIfAborted(signal)
  if (!HTTP.test(url)) throw invalid(tried, 'only http and https can be sent later', url)
  const headers: Record<string, string> = {}
  const omitted: [string, string][] = []
  for (const [name, value] of request.headers) {
    if (omitHeaders.includes(name)) omitted.push([name, value])
    else if (!OF_THE_SENDER.test(name)) headers[name] = value
  }
  let keyless: true | undefined
  if (headers[IDEMPOTENCY_KEY] === undefined) {
    const key = typeof idempotencyKey === 'function' ? idempotencyKey(request) : idempotencyKey
    if (typeof key === 'string') headers[IDEMPOTENCY_KEY] = headerSafe(key)
    else if (!(key ?? (idempotencyKey === undefined && isOwnOrigin(url)))) keyless = true
  }
  // What replaces a request is another request: a server that knows the first must not take it for the same.
  const version = init.replace ? uuid() : undefined
  const stored: StoredRequest = {
    method,
    url,
    ...partsOf(request),
    headers,
    keyless,
    version,
    seeOther: init.seeOther,
  }
  const { body: given } = init
  const isTooLong = isBlob(given) && given.size > maxBodyBytes
  const body = whole && isTooLong ? given : await readBody(tried, request, raw, maxBodyBytes, whole, signal)
  const tooLong = isBlob(body) ? body : undefined
  const payload = body === undefined || isBlob(body) ? stored : toPayload(stored, body)
  return { payload, request, version, omitted, signal, tooLong }
}

function toRequest(tried: string, input: string | URL | Request, init: RequestInit): Request {
  try {
    if (isForJson(init.body)) throw new TypeError('its body needs JSON.stringify()')
    if (isUnknownBody(init.body))
      throw new TypeError('it does not know what kind its body is; in jsdom, give it a text or bytes')
    return new Request(input, init)
  } catch (cause) {
    const why =
      isRequest(input) && input.bodyUsed
        ? 'its body was read before; pass a clone() made earlier'
        : (cause as Error).message
    throw new QuaysideError('INVALID_ARGUMENT', `${tried}: this is no request: ${why}`, { cause })
  }
}

const LINE_FEED = 10

/** The one payload that a request with a body is stored as. */
function toPayload(request: StoredRequest, chunks: readonly Uint8Array[]): OutboxPayload {
  const text = textOf(chunks, request.headers['content-type'])
  if (text !== undefined) return { ...request, body: text }
  const parts = [new TextEncoder().encode(`${JSON.stringify(request)}\n`), ...chunks]
  const payload = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    payload.set(part, at)
    at += part.length
  }
  return payload
}

/**
 * The request that a payload is. @throws where it is none.
 *
 * ```ts
 * for (const { payload } of (await queue.deadLetters().list()).messages) {
 *   const { method, url } = storedRequest(payload)
 *   console.log(method, url)
 * }
 * ```
 */
export function storedRequest(payload: OutboxPayload | undefined): StoredRequest {
  let stored = payload as StoredRequest | null | undefined
  if (isBytes(payload)) {
    const end = payload.indexOf(LINE_FEED)
    stored = JSON.parse(new TextDecoder().decode(payload.subarray(0, end))) as StoredRequest
    stored = { ...stored, body: payload.subarray(end + 1) }
  }
  if (!HTTP.test(stored?.url ?? '')) throw new TypeError('a stored request must be one of http or https')
  return stored!
}

/** The request to send, in an attempt at the message `id`. @throws where it is none. */
export function unpack(stored: Sendable, id: string): Request {
  const { method, url, headers, body, version, keyless, ...rest } = stored
  const own = new Headers()
  for (const [name, value] of Object.entries(headers)) if (!OF_THE_SENDER.test(name)) own.append(name, value)
  if (!keyless && !own.has(IDEMPOTENCY_KEY)) own.set(IDEMPOTENCY_KEY, version ?? headerSafe(givenId(id)))
  return toAttempt(url, { ...partsOf(rest), method, headers: own, body })
}

/** The body as text, if it says that it is some, and is UTF-8 to the last byte. */
function textOf(chunks: readonly Uint8Array[], type = ''): string | undefined {
  if (!TEXT.test(type)) return undefined
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('') + decoder.decode()
  } catch {
    return undefined
  }
}
