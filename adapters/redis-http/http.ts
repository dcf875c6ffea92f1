import type { Argument, Connection } from '../redis/connection.ts'
import { Failure } from '../redis/errors.ts'
import { fromWire, toWire } from './wire.ts'

export interface Endpoint {
  readonly url: string
  readonly token: string
  readonly timeoutMs: number
  readonly fetch: typeof fetch | undefined
}

/** How long appends rely on that the server evicts nothing, in ms. */
const FRESH_MS = 10_000

/** How much of what a server says is told. */
const SAID = 300

/**
 * Where the request was certainly not sent: names, codes and texts of Node and Bun, and of Deno; last, certificates that are not
 * trusted.
 */
const NEVER_SENT =
  /\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket)\b|client error \(Connect\)|\b(CERT|ERR_TLS_CERT|SELF_SIGNED_CERT|DEPTH_ZERO|UNABLE_TO)_[A-Z_]+/

const TOO_LARGE =
  'the request is larger than the service takes; nothing was changed. Send fewer messages at a time, or smaller ones'

/** What the service refuses before it does anything, besides what every server does. */
const REFUSED: readonly (readonly [
  RegExp,
  'TOO_LARGE' | 'QUOTA_EXCEEDED' | 'STORAGE_UNAVAILABLE',
  string,
])[] = [
  [/^ERR max request size exceeded/, 'TOO_LARGE', TOO_LARGE],
  [
    /^ERR (DB capacity quota|max single record size) exceeded/,
    'QUOTA_EXCEEDED',
    'the database is full: let consumers catch up, or take a larger plan',
  ],
  [
    /^ERR max (daily |monthly )?requests? limit exceeded/,
    'STORAGE_UNAVAILABLE',
    'the commands of the plan are used up',
  ],
  [/^ERR max concurrent connections exceeded/, 'STORAGE_UNAVAILABLE', 'too many requests at once'],
]

/** Sends each command as a request of its own, by the protocol of Upstash. */
export function overHttp(endpoint: Endpoint): Connection {
  let askedAt = -Infinity
  const send = async (_: string, args: readonly Argument[]): Promise<unknown> => {
    try {
      return await run(endpoint, args)
    } catch (error) {
      // It is asked again until it does no more.
      if (error instanceof Error && error.message.startsWith('EVICTS')) askedAt = -Infinity
      throw error
    }
  }
  return {
    isCluster: false,
    keyPrefix: '',
    channelPrefix: '',
    // What servers evict is asked by scripts, because a request costs.
    marks(verb) {
      const now = performance.now()
      if (verb !== 'append' || now - askedAt < FRESH_MS) return 't'
      askedAt = now
      return 'te'
    },
    send,
    primaries: () => Promise.resolve([(args) => send('', args)]),
  }
}

async function run(endpoint: Endpoint, args: readonly Argument[]): Promise<unknown> {
  const { status, text } = await request(endpoint, JSON.stringify(args.map(toWire)))
  const reply = parsed(text)
  const { error } = reply ?? {}
  const said = (typeof error === 'string' ? error : text).slice(0, SAID).replaceAll(endpoint.token, '…')
  const fail = (code: Failure['code'], what: string): Failure =>
    new Failure(code, `${what} (${status}: ${said})`)
  if (status === 401 || status === 403)
    throw fail(
      'STORAGE_UNAVAILABLE',
      'the service does not take the token: check it, it is that of the REST API and no password',
    )
  if (status === 429)
    throw fail('STORAGE_UNAVAILABLE', 'the service has had too many requests; nothing was changed')
  if (status === 413) throw fail('TOO_LARGE', TOO_LARGE)
  if (typeof error === 'string') {
    const refused = REFUSED.find(([pattern]) => pattern.test(error))
    throw refused === undefined ? new Error(said) : fail(refused[1], refused[2])
  }
  if (status === 200 && reply !== undefined && 'result' in reply) return answer(reply.result, fail)
  // Whoever else answers has not asked the server. A proxy that gave up waiting may have.
  if (status < 500 && status !== 200 && status !== 408)
    throw fail('STORAGE_UNAVAILABLE', 'url is not that of a REST API of Redis: check it; nothing was changed')
  throw fail('STORAGE_FAILED', 'the service failed; whether it was done is unknown')
}

function answer(result: unknown, fail: (code: Failure['code'], what: string) => Failure): unknown {
  try {
    return fromWire(result)
  } catch {
    throw fail('STORAGE_FAILED', 'the service answers without Upstash-Encoding: base64, so bytes are lost')
  }
}

interface Answer {
  readonly result?: unknown
  readonly error?: unknown
}

function parsed(text: string): Answer | undefined {
  try {
    const reply: unknown = JSON.parse(text)
    return typeof reply === 'object' && reply !== null ? reply : undefined
  } catch {
    return undefined
  }
}

async function request(
  { url, token, timeoutMs, fetch: given }: Endpoint,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const send = given ?? fetch
  const ends = new AbortController()
  const timer = setTimeout(() => ends.abort(), timeoutMs)
  try {
    const response = await send(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'upstash-encoding': 'base64',
      },
      body,
      // A POST that is sent elsewhere may come there as a GET.
      redirect: 'manual',
      signal: ends.signal,
      // Frameworks keep answers for later. Not every Worker knows the option.
      ...('cache' in Request.prototype && { cache: 'no-store' as const }),
    })
    return { status: response.status, text: await response.text() }
  } catch (cause) {
    if (ends.signal.aborted)
      throw new Failure(
        'STORAGE_FAILED',
        `no answer within ${timeoutMs} ms (timeoutMs); whether it was done is unknown`,
        { cause },
      )
    const why = textsOf(cause).join(': ').slice(0, SAID).replaceAll(token, '…')
    throw NEVER_SENT.test(why)
      ? new Failure('STORAGE_UNAVAILABLE', `the service cannot be reached; nothing was changed (${why})`, {
          cause,
        })
      : new Failure(
          'STORAGE_FAILED',
          `the request failed on its way, or its answer did; whether it was done is unknown (${why})`,
          { cause },
        )
  } finally {
    clearTimeout(timer)
  }
}

/** What an error and those that led to it say. It may be of another realm. */
function textsOf(error: unknown): string[] {
  const { message, code, cause } = (error ?? {}) as { message?: unknown; code?: unknown; cause?: unknown }
  const texts = [message, code].filter((text) => typeof text === 'string')
  return cause === undefined ? texts : [...texts, ...textsOf(cause)]
}
