import { Redis as IoRedis } from 'ioredis'
import { Redis as IoValkey } from 'iovalkey'
import { createClient } from 'redis'
import type { RedisClient } from '../../../adapters/redis/index.ts'

/** A client as a user would have it, and how it ends. */
export interface Connected {
  readonly client: RedisClient
  /** Any command, for looking behind the adapter. Answers with strings. */
  command(command: string, ...args: readonly string[]): Promise<unknown>
  close(): Promise<void>
}

export const CLIENTS = ['redis', 'ioredis', 'iovalkey'] as const
export type ClientName = (typeof CLIENTS)[number]

/** Connects a client of a package to a server. */
export async function connectClient(name: ClientName, url: string): Promise<Connected> {
  if (name === 'redis') {
    const client = createClient({ url, socket: { reconnectStrategy: 50 } })
    client.on('error', () => undefined)
    await client.connect()
    return {
      client,
      command: (...args) => client.sendCommand(args),
      close: async () => client.destroy(),
    }
  }
  const client =
    name === 'ioredis'
      ? new IoRedis(url, { retryStrategy: () => 50 })
      : new IoValkey(url, { retryStrategy: () => 50 })
  client.on('error', () => undefined)
  await client.ping()
  return {
    client,
    command: (command, ...args) => client.call(command, ...args),
    close: async () => client.disconnect(),
  }
}
