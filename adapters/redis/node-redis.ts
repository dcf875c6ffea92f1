import { Buffer } from 'node:buffer'
import type { Argument } from './connection.ts'
import type { Ears, Listening, Sockets } from './sockets.ts'

/** What the clients of the package `redis` have in common. Some take more arguments of `sendCommand` than others. */
export interface NodeRedis {
  sendCommand(...args: unknown[]): Promise<unknown>
  duplicate(overrides?: object): NodeRedis
  connect(): Promise<unknown>
  on(event: string, listener: () => void): unknown
  subscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  ping(): Promise<unknown>
  /** That of Sentinel answers with a promise. */
  destroy(): unknown
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: { readonly socket?: object | undefined } | undefined
  readonly _keyPrefix?: string | Buffer | undefined
  /** Only of clusters. Nodes have a client once there is a connection to them. */
  readonly masters?: readonly Node[]
  readonly replicas?: readonly Node[]
  nodeClient?(node: Node): Promise<NodeRedis>
  /** Only of Sentinel. */
  getMasterNode?(): unknown
  /** Only of pools. */
  execute?<T>(use: (client: NodeRedis) => T): Promise<T>
}

interface Node {
  readonly client?: NodeRedis | undefined
}

/**
 * Bulk strings as buffers: their type is the byte that they begin with, `$`. It takes the place of all that the client was
 * told of types, of numbers for example.
 */
const AS_BUFFERS = { typeMapping: { [0x24]: Buffer } }

/** Makes do with a client of the package `redis`. */
export function nodeRedis(client: NodeRedis): Sockets {
  const isCluster = client.masters !== undefined
  // It has prefixes only for commands that are methods.
  const { _keyPrefix: own = '' } = client
  const prefix = own.toString()
  return {
    isCluster,
    keyPrefix: prefix,
    channelPrefix: prefix,
    send(key, args) {
      if (isCluster) return client.sendCommand(key, false, args, AS_BUFFERS)
      if (client.getMasterNode !== undefined) return client.sendCommand(false, args, AS_BUFFERS)
      return client.sendCommand(args, AS_BUFFERS)
    },
    async primaries() {
      const { masters } = client
      if (masters === undefined) return [(args) => this.send('', args)]
      const nodes = await Promise.all(masters.map((node) => client.nodeClient!(node)))
      return nodes.map((node) => (args) => node.sendCommand(args, AS_BUFFERS))
    },
    ask: (args: readonly Argument[]) =>
      Promise.allSettled(nodesOf(client).map((node) => node.sendCommand(args, AS_BUFFERS))),
    async listen(ears) {
      const own = await duplicate(client)
      own.on('error', () => {
        if (!own.isOpen) ears.lost()
      })
      own.on('ready', ears.ready)
      own.on('terminated', ears.lost)
      own.on('end', ears.lost)
      return await open(own, ears)
    },
  }
}

function nodesOf({ masters = [], replicas = [] }: NodeRedis): NodeRedis[] {
  const nodes = [...masters, ...replicas].map((node) => node.client)
  return nodes.filter((node) => node?.isReady) as NodeRedis[]
}

/**
 * A client of the same kind, but of one node of a cluster: news go to all nodes, and the cluster's own way to listen stays
 * with the node that it chose first, whatever becomes of it. Another one is chosen when this one is lost.
 */
async function duplicate(client: NodeRedis): Promise<NodeRedis> {
  if (client.execute !== undefined) return await client.execute((one) => one.duplicate())
  if (client.masters === undefined)
    return client.duplicate({ masterPoolSize: 1, replicaPoolSize: 0, reserveClient: false })
  const nodes = nodesOf(client)
  const node = nodes[Math.floor(Math.random() * nodes.length)]
  if (node === undefined) throw new Error('the client has no connection to any node of the cluster')
  return node.duplicate({ socket: { ...node.options?.socket, reconnectStrategy: false } })
}

async function open(own: NodeRedis, ears: Ears): Promise<Listening> {
  const hear = (message: string, channel: string): void => ears.heard(channel, message)
  const close = (): void => {
    // It may have ended by itself.
    void (async () => await own.destroy())().catch(() => undefined)
  }
  try {
    await own.connect()
  } catch (error) {
    close()
    throw error
  }
  return {
    subscribe: (channel) => own.subscribe(channel, hear),
    ping: () => own.ping(),
    close,
  }
}
