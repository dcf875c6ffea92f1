import type { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'
import { type IoRedis, ioRedis } from './io-redis.ts'
import { type NodeRedis, nodeRedis } from './node-redis.ts'
import type { Sockets } from './sockets.ts'

/** A client of the package `redis` (5 or later): of one server, a pool, Sentinel or a cluster. */
export interface NodeRedisClient {
  sendCommand(...args: never[]): Promise<unknown>
  withTypeMapping(...args: never[]): unknown
}

/** A client of the packages `ioredis` or `iovalkey`: of one server, Sentinel or a cluster. */
export interface IoRedisClient {
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  duplicate(): unknown
}

/** A client of Redis: that of `redis`, `ioredis` or `iovalkey`. */
export type RedisClient = NodeRedisClient | IoRedisClient

/** Finds out which client it is, by its methods. */
export function connect(client: unknown): Sockets {
  const has = (method: string): boolean =>
    typeof (client as Record<string, unknown> | null | undefined)?.[method] === 'function'
  if (has('callBuffer') && has('duplicate')) return ioRedis(client as IoRedis)
  if (has('sendCommand') && has('withTypeMapping')) return nodeRedis(client as NodeRedis)
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    'RedisAdapter: the client must be one of "redis", version 5 or later (has sendCommand and withTypeMapping), ' +
      '"ioredis" or "iovalkey" (has callBuffer), ' +
      `but is ${client === null ? 'null' : typeof client}: pass what createClient() or new Redis() made`,
  )
}
