/**
 * `quayside/redis`: queues on a Redis or Valkey server, shared by all who reach it.
 *
 * @module
 */
import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees } from '../../src/storage.ts'
import { RedisStorage } from './adapter.ts'
import type { RedisClient } from './client.ts'

export type { IoRedisClient, NodeRedisClient, RedisClient } from './client.ts'

export interface RedisOptions {
  /**
   * What the names of all keys and channels start with, in `{prefix:queue}`. Without braces.
   *
   * @defaultValue `'quayside'`
   */
  readonly prefix?: string | undefined
  /**
   * What the server is configured to survive, which it cannot be asked: `'disk'` with `appendfsync always`, `'replicated'`
   * with that and replicas. It is what {@link Guarantees.durability} declares, and changes nothing else.
   *
   * @defaultValue `'process'`: messages survive the end of the processes that use them
   */
  readonly durability?: Guarantees['durability'] | undefined
}

/**
 * Keeps queues on Redis 7 or later, or Valkey. Every verb is one script, so one round trip; the server's clock rules
 * leases and delays.
 *
 * ```ts
 * const client = await createClient({ url: 'redis://localhost:6379' }).connect()
 * const queue = new Queue('orders', { storage: new RedisAdapter(client) })
 * ```
 *
 * The client stays yours: the adapter neither connects nor closes it. While somebody waits for messages, it listens on
 * one connection of its own, made with the client's `duplicate()`; of a cluster, on one to any of its nodes. What the client
 * puts before its keys (`keyPrefix`) is before those of queues, too.
 *
 * What a cluster does not take while a slot moves or a node is replaced is tried for five seconds, and then rejected with
 * `STORAGE_UNAVAILABLE`: nothing of it was done.
 */
export class RedisAdapter extends RedisStorage {
  /**
   * @param client A client of `redis`, `ioredis` or `iovalkey`: of one server, of what sentinels say is the primary, of a
   *   cluster, or a pool.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(client: RedisClient, options: RedisOptions = {}) {
    const { prefix = 'quayside', durability = 'process', ...others } = options
    const [unknown] = Object.keys(others)
    if (unknown !== undefined)
      throw invalid(`options are prefix and durability, not ${JSON.stringify(unknown)}`)
    if (typeof prefix !== 'string' || !/^[^{}]+$/.test(prefix))
      throw invalid(`prefix must be a text without braces, not ${JSON.stringify(prefix)}`)
    if (!DURABILITIES.includes(durability))
      throw invalid(`durability must be one of ${DURABILITIES.join(', ')}, not ${JSON.stringify(durability)}`)
    super(client, { prefix, durability, clock: undefined })
  }
}

const DURABILITIES: readonly Guarantees['durability'][] = ['none', 'process', 'disk', 'replicated']

function invalid(text: string): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `new RedisAdapter: ${text}`)
}
