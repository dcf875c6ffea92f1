import { QuaysideError } from '../core.ts'
import { checkSize, readBody } from './body.ts'

/**
 * The payload of an outbox's message: all of a request, so that a codec that encrypts hides all of it. A {@link StoredRequest}
 * where the body is text or there is none; where it is bytes, the rest as JSON, a line feed, and then the bytes as they are.
 */
export type OutboxPayload = StoredRequest | Uint8Array

/** A request, as it is stored. Parts that a `Request` has by default are left out. */
export interface StoredRequest extends Partial<Record<keyof typeof DEFAULTS, string>> {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Text as text, all else as bytes. `undefined`: none. */
  readonly body?: string | Uint8Array | undefined
  /** Of a request that has replaced another one of the same id: its own `Idempotency-Key`. */
  readonly version?: string | undefined
}

export const IDEMPOTENCY_KEY = 'idempotency-key'

/** Parts of a request that are stored where they differ from what they are by default. */
const DEFAULTS = {
  mode: 'cors',
  credentials: 'same-origin',
  cache: 'default',
  redirect: 'follow',
  referrer: 'about:client',
  referrerPolicy: '',
  integrity: '',
} as const

const PARTS = Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]

/**
 * Headers that each attempt gets anew from whoever sends it. Browsers let no script set them; elsewhere a stored request
 * that somebody has forged could make two of one with them.
 */
const OF_THE_SENDER =
  /^(sec-.*|proxy-.*|content-length|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i

const HTTP = /^https?:/

const TEXT = /^text\/|[/+](json|xml)\b|x-www-form-urlencoded/

/** What is stored of a request, and what is not. */
export interface Packed {
  readonly request: StoredRequest
  /** The headers that must not be stored. */
  readonly omitted: readonly (readonly [name: string, value: string])[]
  readonly signal: AbortSignal
}

/** Makes of a request what is stored of it. */
export async function pack(
  tried: string,
  input: string | URL | Request,
  init: RequestInit,
  maxBodyBytes: number,
  omitHeaders: readonly string[],
): Promise<Packed> {
  // Streams are read here: not every browser can make a request of one.
  const stream = init.body instanceof ReadableStream ? init.body : undefined
  let request: Request
  try {
    request = new Request(input, stream === undefined ? init : { ...init, body: new Uint8Array() })
  } catch (error) {
    throw new QuaysideError('INVALID_ARGUMENT', `${tried}: this is no request: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const { signal, url, method } = request
  signal.throwIfAborted()
  if (!HTTP.test(url)) {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: only http and https can be sent later, not ${url.slice(0, 60)}`,
    )
  }
  const parts: Partial<Record<keyof typeof DEFAULTS, string>> = {}
  for (const name of PARTS) {
    const value: string | undefined = request[name]
    // Runtimes without a part have no value for it.
    if (value !== undefined && value !== DEFAULTS[name]) parts[name] = value
  }
  // A navigation that a service worker saw; scripts cannot make one.
  if (parts.mode === 'navigate') parts.mode = 'same-origin'
  const headers: Record<string, string> = {}
  const omitted: [string, string][] = []
  for (const [name, value] of request.headers) {
    if (omitHeaders.includes(name)) omitted.push([name, value])
    else if (!OF_THE_SENDER.test(name)) headers[name] = value
  }
  const bytes = await bytesOf(tried, request, stream, maxBodyBytes)
  const body = bytes && textOf(bytes, request.headers.get('content-type'))
  return { request: { method, url, ...parts, headers, ...(body !== undefined && { body }) }, omitted, signal }
}

const LINE_FEED = 10

/** The one payload that a request is stored as. */
export function toPayload(request: StoredRequest): OutboxPayload {
  const { body, ...rest } = request
  if (!(body instanceof Uint8Array)) return request
  const head = new TextEncoder().encode(`${JSON.stringify(rest)}\n`)
  const payload = new Uint8Array(head.length + body.length)
  payload.set(head)
  payload.set(body, head.length)
  return payload
}

/** The request that a payload is. @throws where it is none. */
export function storedRequest(payload: OutboxPayload | undefined): StoredRequest {
  let stored = payload as StoredRequest | null | undefined
  if (payload instanceof Uint8Array) {
    const end = payload.indexOf(LINE_FEED)
    stored = JSON.parse(new TextDecoder().decode(payload.subarray(0, end))) as StoredRequest
    stored = { ...stored, body: payload.subarray(end + 1) }
  }
  if (!HTTP.test(stored?.url ?? '')) throw new TypeError('a stored request must be one of http or https')
  return stored!
}

/** The request to send. @throws where it is none. */
export function unpack({ method, url, headers, body, ...rest }: StoredRequest): Request {
  const own = new Headers()
  for (const [name, value] of Object.entries(headers)) if (!OF_THE_SENDER.test(name)) own.append(name, value)
  const init: Record<string, unknown> = { method, headers: own, body }
  for (const name of PARTS) if (Object.hasOwn(rest, name)) init[name] = rest[name]
  return new Request(url, init)
}

async function bytesOf(
  tried: string,
  request: Request,
  stream: ReadableStream<unknown> | undefined,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const body: ReadableStream<unknown> | null | undefined = stream ?? request.body
  if (body === null) return undefined
  if (body !== undefined) return await readBody(tried, body, maxBytes)
  // A browser whose requests do not show their body.
  const bytes = new Uint8Array(await request.arrayBuffer())
  checkSize(tried, bytes.length, maxBytes)
  return bytes.length > 0 ? bytes : undefined
}

/** The body as text, if it says that it is some, and is UTF-8 to the last byte. Otherwise as it is. */
function textOf(body: Uint8Array, type: string | null): string | Uint8Array {
  if (type === null || !TEXT.test(type)) return body
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return body
  }
}
