/**
 * `quayside/redis-http`: queues on a Redis server that is reached by HTTP, for functions that have no sockets.
 *
 * @module
 */
import { type RedisOptions, checkOptions, invalid } from '../redis/options.ts'
import type { Endpoint } from './http.ts'
import { HttpStorage } from './http-storage.ts'

export type { RedisOptions } from '../redis/options.ts'

/** Where the server is reached, and how. */
export interface RedisHttpEndpoint {
  /** Of the REST API, `https://….upstash.io` for example: what Upstash calls `UPSTASH_REDIS_REST_URL`. */
  readonly url: string
  /** Its token, which may write: `UPSTASH_REDIS_REST_TOKEN`. It is sent to `url` alone, and no error tells it. */
  readonly token: string
  /**
   * How long an answer is waited for, in ms. A verb that has none by then rejects with `STORAGE_FAILED`.
   *
   * @defaultValue `20000`
   */
  readonly timeoutMs?: number | undefined
  /**
   * In place of the global `fetch`.
   *
   * @defaultValue the global one, at each request
   */
  readonly fetch?: typeof fetch | undefined
}

/** A client of `@upstash/redis`, or one like it: where it sends to, and with which token, is all that is taken of it. */
export interface UpstashClient {
  evalsha(...args: never[]): Promise<unknown>
}

/**
 * Keeps queues on Redis 7 or later, Valkey or Upstash, by the REST protocol of Upstash. Every verb is one script and one request: a send,
 * or a claim with all that is settled meanwhile. The same queues are open to `RedisAdapter` of `quayside/redis`.
 *
 * ```ts
 * const storage = new RedisHttpAdapter({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN })
 * const queue = new Queue('orders', { storage })
 * ```
 *
 * Nobody tells it that something has changed: a consumer that waits asks once a second, and each time costs a request. In functions,
 * `drain` in a cron job or behind a send is cheaper.
 *
 * An answer that is lost rejects with `STORAGE_FAILED`: send again with the same `id` and a `dedupeMs`, and it is stored once.
 */
export class RedisHttpAdapter extends HttpStorage {
  /**
   * @param endpoint Where the server is reached; or a client of `@upstash/redis`, for its server. What it does besides, such as to try
   * again, is not used: an answer that is lost may have been done.
   * @throws QuaysideError `INVALID_ARGUMENT`.
   */
  constructor(endpoint: RedisHttpEndpoint | UpstashClient, options: RedisOptions = {}) {
    super(checkEndpoint(endpointOf(endpoint)), { ...checkOptions(ADAPTER, options), clock: undefined })
  }
}

const ADAPTER = 'RedisHttpAdapter'

/** Where a client sends to. It would decode what scripts answer with, and bytes would be lost. */
function endpointOf(given: RedisHttpEndpoint | UpstashClient): RedisHttpEndpoint {
  if (typeof given !== 'object' || given === null || !('evalsha' in given)) return given
  const { client } = given as { readonly client?: unknown }
  const { baseUrl, headers } = (client ?? {}) as { baseUrl?: unknown; headers?: Record<string, unknown> }
  const [, token] = /^Bearer (.+)$/s.exec(String(headers?.['authorization'])) ?? []
  if (typeof baseUrl !== 'string' || token === undefined)
    throw invalid(
      ADAPTER,
      'its first argument is a client that does not say where it sends to and with which token, as those of @upstash/redis do: pass { url, token }',
    )
  return { url: baseUrl, token }
}

function checkEndpoint(endpoint: RedisHttpEndpoint): Endpoint {
  if (typeof endpoint !== 'object' || endpoint === null)
    throw invalid(
      ADAPTER,
      `its first argument must be { url, token }, not ${endpoint === null ? 'null' : typeof endpoint}`,
    )
  const { url, token, timeoutMs = 20_000, fetch, ...others } = endpoint
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(
      ADAPTER,
      `its first argument may have url, token, timeoutMs and fetch, not ${JSON.stringify(unknown)}`,
    )
  // Neither is told: there may be a password in both.
  if (typeof url !== 'string' || !/^https?:\/\/[^\s@]+$/.test(url))
    throw invalid(ADAPTER, `url must be that of the REST API, https://…, ${kindOf(url)}`)
  if (typeof token !== 'string' || !/^[\x21-\x7E]+$/.test(token))
    throw invalid(ADAPTER, `token must be a text without spaces, ${kindOf(token)}`)
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1))
    throw invalid(ADAPTER, `timeoutMs must be a number of ms greater than 0, not ${String(timeoutMs)}`)
  if (fetch !== undefined && typeof fetch !== 'function')
    throw invalid(ADAPTER, `fetch must be a function, not ${typeof fetch}`)
  return { url, token, timeoutMs, fetch }
}

/** What it is instead: no more of a text than its scheme. */
function kindOf(value: unknown): string {
  if (typeof value !== 'string') return `not ${value === null ? 'null' : typeof value}: is the variable set?`
  if (value === '') return 'not an empty text'
  const [scheme = 'something else'] = /^[a-z]+:\/\//i.exec(value) ?? []
  return `not ${scheme}`
}
