import { type Message, QuaysideError } from '../core.ts'
import { checkSize, readBody } from './body.ts'

/** The payload of an outbox's message: the request's body, text as text, all else as bytes, `null` for none. */
export type OutboxBody = string | Uint8Array | null

export const IDEMPOTENCY_KEY = 'idempotency-key'

/** In front of the names of the request's own headers, among the headers of the message. */
const PREFIX = 'header:'

/** Under which name a message has the idempotency key of its request, if that is not the message's id. */
export const STORED_KEY: string = PREFIX + IDEMPOTENCY_KEY

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

/**
 * Headers that each attempt gets anew from whoever sends it. Browsers let no script set them; elsewhere a stored request
 * that somebody has forged could make two of one with them.
 */
const OF_THE_SENDER =
  /^(sec-.*|proxy-.*|content-length|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i

const HTTP = /^https?:/

const TEXT = /^text\/|[/+](json|xml)\b|x-www-form-urlencoded/

/** A request, as it is stored. */
export interface Packed {
  readonly payload: OutboxBody
  /** `method`, `url` and what else describes the request, then its own headers as `header:content-type`. */
  readonly headers: Record<string, string>
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
  const headers: Record<string, string> = { method, url }
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value: string | undefined = request[name]
    // Runtimes without a part have no value for it.
    if (value !== undefined && value !== DEFAULTS[name]) headers[name] = value
  }
  // A navigation that a service worker saw; scripts cannot make one.
  if (headers['mode'] === 'navigate') headers['mode'] = 'same-origin'
  const omitted: [string, string][] = []
  for (const [name, value] of request.headers) {
    if (omitHeaders.includes(name)) omitted.push([name, value])
    else if (!OF_THE_SENDER.test(name)) headers[PREFIX + name] = value
  }
  const body = await bytesOf(tried, request, stream, maxBodyBytes)
  return { payload: body && textOf(body, request.headers.get('content-type')), headers, omitted, signal }
}

/** @throws where the message is no stored request. */
export function unpack({ headers: { method, url, ...rest }, payload }: Message<OutboxBody>): Request {
  if (!HTTP.test(url!)) throw new TypeError('a stored request must be one of http or https')
  const headers = new Headers()
  const init: Record<string, unknown> = { method, headers, body: payload }
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith(PREFIX)) {
      const own = name.slice(PREFIX.length)
      if (!OF_THE_SENDER.test(own)) headers.append(own, value)
    } else if (Object.hasOwn(DEFAULTS, name)) init[name] = value
  }
  return new Request(url!, init)
}

async function bytesOf(
  tried: string,
  request: Request,
  stream: ReadableStream<unknown> | undefined,
  maxBytes: number,
): Promise<Uint8Array | null> {
  const body: ReadableStream<unknown> | null | undefined = stream ?? request.body
  if (body === null) return null
  if (body !== undefined) return await readBody(tried, body, maxBytes)
  // A browser whose requests do not show their body.
  const bytes = new Uint8Array(await request.arrayBuffer())
  checkSize(tried, bytes.length, maxBytes)
  return bytes.length > 0 ? bytes : null
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
