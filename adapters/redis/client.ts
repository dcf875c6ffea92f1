import type { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'
import { type IoRedis, ioRedis } from './io-redis.ts'
import { type NodeRedis, nodeRedis } from './node-redis.ts'
import type { Script } from './scripts.ts'

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

export type RedisClient = NodeRedisClient | IoRedisClient

/** One argument of a command. */
export type Argument = string | Buffer

/** What the adapter needs of whatever client it was given. */
export interface Connection {
  /** Whether the client finds out by itself which node has a key. */
  readonly isCluster: boolean
  /** What keys have to begin with, because the user has told the client so and it does not see to it itself. */
  readonly keyPrefix: string
  /** What the server has in front of our keys after all. Scripts publish under what they find in their keys. */
  readonly channelPrefix: string
  /** Sends a command about a key, to a primary. Replies are numbers, arrays, null, and buffers for all that is text. */
  send(key: string, args: readonly Argument[]): Promise<unknown>
  /** What sends commands to each server that has keys. */
  primaries(): Promise<readonly ((args: readonly Argument[]) => Promise<unknown>)[]>
  /** Asks each node of a cluster that can be reached. */
  ask(args: readonly Argument[]): Promise<readonly PromiseSettledResult<unknown>[]>
  /** Opens a connection of its own to listen on. */
  listen(ears: Ears): Promise<Listening>
}

export interface Ears {
  readonly heard: (channel: string, message: string) => void
  /** The connection is up, perhaps again. */
  readonly ready: () => void
  /** It will not come back by itself. */
  readonly lost: () => void
}

export interface Listening {
  subscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
  close(): void
}

/** Finds out which client it is, by its methods. */
export function connect(client: unknown): Connection {
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

/**
 * Runs a script by its digest; where the server does not know it, with its text, which makes it known.
 *
 * While a node of a cluster hands over a slot, it answers for keys that it still has, and sends on whoever asks for others.
 * A script that has begun would be ended there, with half of its work done, or would miss what has moved. But a node looks
 * first at the keys that are declared: with one among them that never exists, it lets no script begin until all is moved.
 */
export async function runScript(
  connection: Connection,
  { sha, text }: Script,
  key: string,
  args: readonly Argument[],
): Promise<unknown> {
  // In lower case: iovalkey, and ioredis 5, do not see keys in commands that they do not know.
  const common = ['2', key, `${key}:never`, ...args]
  try {
    return await connection.send(key, ['evalsha', sha, ...common])
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await connection.send(key, ['eval', text, ...common])
  }
}
