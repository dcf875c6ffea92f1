import type { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'
import type { Argument } from './connection.ts'
import type { Listening, Sockets } from './sockets.ts'

/** What the clients of `ioredis` and `iovalkey` have in common. */
export interface IoRedis {
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>
  pipeline(): Pipeline
  duplicate(overrides?: object): IoRedis
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
  on(event: string, listener: () => void): unknown
  subscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
  disconnect(): void
  readonly status: string
  readonly options?: Options | undefined
  /** Only of clusters. */
  readonly isCluster?: boolean
  nodes?(role: 'all' | 'master'): readonly IoRedis[]
}

interface Pipeline {
  callBuffer(command: string, ...args: Argument[]): Pipeline
  exec(): Promise<readonly (readonly [error: Error | null, reply: unknown])[]>
}

interface Options {
  readonly keyPrefix?: string | Buffer | undefined
  readonly enableAutoPipelining?: boolean | undefined
  readonly stringNumbers?: boolean | undefined
  readonly role?: string | undefined
  /** Only of clusters: those of the connections to nodes. */
  readonly redisOptions?: Options | undefined
}

/** What a connection that listens must not have of the client's options. Some clients put prefixes before channels. */
const LISTENING = {
  keyPrefix: '',
  autoResubscribe: true,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  readOnly: false,
}

/** Makes do with a client of `ioredis` or `iovalkey`. */
export function ioRedis(client: IoRedis): Sockets {
  const { options = {}, isCluster = false } = client
  const { keyPrefix = '' } = options
  if (options.role === 'slave') {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      "RedisAdapter: the client has the option role: 'slave', and replicas take no messages; make one without it",
    )
  }
  const read = (options.stringNumbers ?? options.redisOptions?.stringNumbers) ? toNumbers : same
  const nodes = (): readonly IoRedis[] =>
    (client.nodes?.('all') ?? []).filter(({ status }) => status === 'ready' || status === 'wait')
  return {
    isCluster,
    keyPrefix: '',
    channelPrefix: keyPrefix.toString(),
    send: async (_, args) => read(await call(client, args)),
    primaries() {
      const all = isCluster ? client.nodes!('master') : [client]
      return Promise.resolve(all.map((node) => (args) => call(node, args)))
    },
    ask: (args) => Promise.allSettled(nodes().map((node) => call(node, args))),
    listen(ears) {
      let own: IoRedis
      if (isCluster) {
        // News go to all nodes. Another one is chosen when this one is lost.
        const all = nodes()
        const node = all[Math.floor(Math.random() * all.length)]
        if (node === undefined) return Promise.reject(new Error('the client has no connection to any node'))
        own = node.duplicate({ ...LISTENING, lazyConnect: false, retryStrategy: null })
      } else own = client.duplicate(LISTENING)
      own.on('error', () => undefined)
      own.on('ready', ears.ready)
      own.on('end', ears.lost)
      own.on('message', ears.heard)
      const listening: Listening = {
        subscribe: (channel) => own.subscribe(channel),
        ping: () => own.ping(),
        close: () => own.disconnect(),
      }
      return Promise.resolve(listening)
    },
  }
}

/** With `enableAutoPipelining`, `callBuffer` forgets which command it was given, unless it is in a pipeline already. */
async function call(client: IoRedis, [command, ...args]: readonly Argument[]): Promise<unknown> {
  if (!client.options?.enableAutoPipelining) return await client.callBuffer(command as string, ...args)
  const [result] = await client
    .pipeline()
    .callBuffer(command as string, ...args)
    .exec()
  const [error, reply] = result!
  if (error !== null) throw error
  return reply
}

const same = (reply: unknown): unknown => reply

/** With `stringNumbers`, what is no buffer is a number. */
function toNumbers(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(toNumbers)
  return typeof reply === 'string' ? Number(reply) : reply
}
