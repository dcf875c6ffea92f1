/**
 * `quayside/redis`: queues on a Redis or Valkey server, shared by all who reach it.
 *
 * @module
 */
import type { RedisClient } from './client.ts'
import { ClientStorage } from './client-storage.ts'
import { type RedisOptions, checkOptions } from './options.ts'

export type { IoRedisClient, NodeRedisClient, RedisClient } from './client.ts'
export type { RedisOptions } from './options.ts'

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
export class RedisAdapter extends ClientStorage {
  /**
   * @param client A client of `redis`, `ioredis` or `iovalkey`: of one server, of what sentinels say is the primary, of a
   *   cluster, or a pool.
   * @throws QuaysideError `INVALID_ARGUMENT`.
   */
  constructor(client: RedisClient, options: RedisOptions = {}) {
    const { prefix, durability } = checkOptions('RedisAdapter', options)
    super(client, { prefix, durability, clock: undefined })
  }
}
