import { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'
import type { Script } from './scripts.ts'

/** A client of the package `redis` (5 or later): one server, or a cluster. */
export interface NodeRedisClient {
  sendCommand(...args: never[]): Promise<unknown>
  withTypeMapping(...args: never[]): unknown
}

/** A client of the packages `ioredis` or `iovalkey`: one server, or a cluster. */
export interface IoRedisClient {
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  duplicate(): unknown
}

export type RedisClient = NodeRedisClient | IoRedisClient

/** One argument of a command. */
export type Argument = string | Buffer

/** What the adapter needs of whatever client it was given. */
export interface Connection {
  /** Sends a command about a key. Replies are numbers, arrays, null, and buffers for all that is text. */
  send(key: string, args: readonly Argument[]): Promise<unknown>
  /** Names of keys, of all nodes that have some, that begin and end so; those between may be many. */
  keys(start: string, end: string): Promise<string[]>
  /** Opens a connection of its own to listen on. `onReady` is called whenever it is up, also again. */
  listen(onMessage: (channel: string, message: string) => void, onReady: () => void): Promise<Listening>
}

export interface Listening {
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  close(): void
}

/** How often a connection that only listens is asked whether it is there, in ms. */
const PING_MS = 30_000

/** Finds out which client it is, by its methods. */
export function connect(client: unknown, pingMs: number = PING_MS): Connection {
  const has = (method: string): boolean =>
    typeof (client as Record<string, unknown> | null | undefined)?.[method] === 'function'
  if (has('callBuffer') && has('duplicate')) return ioRedis(client as IoRedis, pingMs)
  if (has('sendCommand') && has('withTypeMapping')) return nodeRedis(client as NodeRedis)
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    'RedisAdapter: the client must be one of "redis", version 5 or later (has sendCommand and withTypeMapping), ' +
      '"ioredis" or "iovalkey" (has callBuffer), ' +
      `but is ${client === null ? 'null' : typeof client}: pass what createClient() or new Redis() made`,
  )
}

/** Runs a script by its digest; where the server does not know it, with its text, which makes it known. */
export async function runScript(
  connection: Connection,
  { sha, text }: Script,
  key: string,
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await connection.send(key, ['EVALSHA', sha, '1', key, ...args])
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await connection.send(key, ['EVAL', text, '1', key, ...args])
  }
}

/** One server of those that have keys. */
type Node = (command: string, ...args: string[]) => Promise<unknown>

/** How many keys a server looks at in one step. */
const SCAN_COUNT = '1000'

async function scan(nodes: readonly Node[], start: string, end: string): Promise<string[]> {
  const found = new Set<string>()
  const pattern = `${start.replaceAll(/[*?[\]\\]/g, String.raw`\$&`)}*${end}`
  for (const node of nodes) {
    let cursor = '0'
    do {
      const reply = await node('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
      const [next, keys] = reply as [unknown, readonly unknown[]]
      for (const key of keys) found.add(String(key))
      cursor = String(next)
    } while (cursor !== '0')
  }
  return [...found]
}

interface NodeRedis {
  readonly masters?: readonly unknown[]
  nodeClient?(master: unknown): Promise<NodeRedis> | NodeRedis
  sendCommand(...args: unknown[]): Promise<unknown>
  duplicate(): NodeRedis
  connect(): Promise<unknown>
  on(event: string, listener: () => void): unknown
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  destroy(): void
}

/** Bulk strings as buffers: their type is the byte that they begin with, `$`. */
const AS_BUFFERS = { typeMapping: { [0x24]: Buffer } }

function nodeRedis(client: NodeRedis): Connection {
  const isCluster = 'masters' in client
  return {
    send: (key, args) =>
      isCluster ? client.sendCommand(key, false, args, AS_BUFFERS) : client.sendCommand(args, AS_BUFFERS),
    async keys(start, end) {
      const nodes = await Promise.all(
        (client.masters ?? []).map(async (master) => await client.nodeClient!(master)),
      )
      const all = isCluster ? nodes : [client]
      return await scan(
        all.map(
          (node) =>
            (...args) =>
              node.sendCommand(args),
        ),
        start,
        end,
      )
    },
    async listen(onMessage, onReady) {
      const own = client.duplicate()
      // Without a listener, errors would end the process. The client connects again by itself.
      own.on('error', () => undefined)
      own.on('ready', onReady)
      await own.connect()
      return {
        subscribe: (channel) => own.subscribe(channel, (message) => onMessage(channel, message)),
        unsubscribe: (channel) => own.unsubscribe(channel),
        close: () => own.destroy(),
      }
    },
  }
}

interface IoRedis {
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>
  duplicate(): IoRedis
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
  on(event: string, listener: () => void): unknown
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
  nodes?(role: 'master'): readonly IoRedis[]
  readonly options?: { readonly keyPrefix?: string }
  disconnect(reconnect?: boolean): void
  readonly isCluster: boolean
}

function ioRedis(client: IoRedis, pingMs: number): Connection {
  return {
    send: (_, [command, ...args]) => client.callBuffer(command as string, ...args),
    async keys(start, end) {
      const nodes = client.isCluster ? client.nodes!('master') : [client]
      // The client puts it before the keys of commands, but not before patterns.
      const prefix = client.options?.keyPrefix ?? ''
      const found = await scan(
        nodes.map(
          (node) =>
            (command, ...args) =>
              node.callBuffer(command, ...args),
        ),
        prefix + start,
        end,
      )
      return found.map((key) => key.slice(prefix.length))
    },
    async listen(onMessage, onReady) {
      const own = client.duplicate()
      own.on('error', () => undefined)
      own.on('ready', onReady)
      own.on('message', onMessage)
      const stop = own.isCluster ? undefined : keepAlive(own, pingMs)
      return {
        subscribe: (channel) => own.subscribe(channel),
        unsubscribe: (channel) => own.unsubscribe(channel),
        close: () => {
          stop?.()
          own.disconnect()
        },
      }
    },
  }
}

/**
 * Who only listens does not notice that nobody is there any more. The package `redis` asks by itself, as its `pingInterval`
 * says; here a connection that has not answered when it is asked again is replaced.
 */
function keepAlive(client: IoRedis, pingMs: number): () => void {
  let isAsked = false
  const answered = (): boolean => (isAsked = false)
  const timer = setInterval(() => {
    if (isAsked) return client.disconnect(true)
    isAsked = true
    client.ping().then(answered, answered)
  }, pingMs)
  timer.unref()
  return () => clearInterval(timer)
}
