import { type Connected, connectClient } from './clients.ts'
import { pause, until } from './pause.ts'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './server.ts'

const MASTERS = 3
const SLOTS = 16_384
/** After this long without an answer a node is taken for dead, in ms. */
const NODE_TIMEOUT_MS = 3000

/** One server of a cluster. */
export interface ClusterNode {
  readonly server: RedisServer
  readonly id: string
  /** Any command, straight to this node. */
  command(...args: readonly [string, ...string[]]): Promise<unknown>
}

/** A cluster of three masters, the first three of its nodes, and a replica of each. */
export interface RedisCluster {
  readonly nodes: readonly ClusterNode[]
  readonly slotOf: (key: string) => Promise<number>
  /** The master that has a slot now, as a node that is alive sees it. */
  masterOf(slot: number): Promise<ClusterNode>
  /** A master that is not that one. */
  otherThan(node: ClusterNode): Promise<ClusterNode>
  /** Moves a slot by the procedure that Redis documents, a key at a time, with pauses in which clients go on. */
  move(slot: number, pauseMs?: number): Promise<void>
  /** Opens a slot for moving, and moves nothing. */
  openSlot(slot: number): Promise<{ readonly from: ClusterNode; readonly to: ClusterNode }>
  /** Ends every process. */
  stop(): Promise<void>
}

interface Node extends ClusterNode {
  readonly connected: Connected
  /** The port on which nodes speak to each other. */
  readonly bus: number
}

/** Starts a cluster on loopback. It takes a second or two, because nodes have to hear of each other. */
export async function startCluster(...args: readonly string[]): Promise<RedisCluster> {
  const nodes: Node[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(
      nodes.map(async ({ connected, server }) => {
        await connected.close()
        await server.stop()
      }),
    )
  }
  try {
    for (let i = 0; i < 2 * MASTERS; i++) nodes.push(await startNode(args))
    await introduce(nodes)
  } catch (error) {
    await stop()
    throw error
  }
  const cluster: RedisCluster = {
    nodes,
    slotOf: async (key) => Number(await nodes[0]!.command('CLUSTER', 'KEYSLOT', key)),
    async masterOf(slot) {
      for (;;) {
        const rows = await rowsOf(nodes)
        const row = rows.find(({ isMaster, failed, has }) => isMaster && !failed && has(slot))
        const found = nodes.find(({ id }) => id === row?.id)
        if (found !== undefined) return found
        await pause(50)
      }
    },
    async otherThan(node) {
      const rows = await rowsOf(nodes)
      const row = rows.find((one) => one.isMaster && !one.failed && one.id !== node.id)
      return nodes.find(({ id }) => id === row?.id)!
    },
    async openSlot(slot) {
      const from = await cluster.masterOf(slot)
      const to = await cluster.otherThan(from)
      await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', from.id)
      await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', to.id)
      return { from, to }
    },
    async move(slot, pauseMs = 5) {
      const { from, to } = await cluster.openSlot(slot)
      const port = `${to.server.port}`
      await pause(pauseMs)
      for (;;) {
        const [key] = (await from.command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '1')) as string[]
        if (key === undefined) break
        await from.command('MIGRATE', '127.0.0.1', port, '', '0', '5000', 'KEYS', key)
        await pause(pauseMs)
      }
      // The one that has the slot now is told first, so that no question about it goes unanswered.
      await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', to.id)
      await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', to.id)
    },
    stop,
  }
  return cluster
}

async function startNode(args: readonly string[]): Promise<Node> {
  const bus = await freePort()
  const server = await startRedis(
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    `${bus}`,
    '--cluster-announce-ip',
    '127.0.0.1',
    '--cluster-node-timeout',
    `${NODE_TIMEOUT_MS}`,
    '--cluster-replica-validity-factor',
    '0',
    '--repl-diskless-sync-delay',
    '0',
    '--repl-ping-replica-period',
    '1',
    ...args,
  )
  const connected = await connectClient('redis', server.url)
  const command: ClusterNode['command'] = (...words) => connected.command(...words)
  return { server, bus, connected, command, id: String(await command('CLUSTER', 'MYID')) }
}

/** Makes a cluster of nodes that know nothing of each other. */
async function introduce(nodes: readonly Node[]): Promise<void> {
  const [first, ...others] = nodes as readonly [Node, ...Node[]]
  for (const [i, node] of nodes.entries()) {
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`)
    if (i >= MASTERS) continue
    const from = Math.floor((SLOTS * i) / MASTERS)
    const to = Math.floor((SLOTS * (i + 1)) / MASTERS) - 1
    await node.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`)
  }
  for (const { server, bus } of others)
    await first.command('CLUSTER', 'MEET', '127.0.0.1', `${server.port}`, `${bus}`)
  await until(async () => {
    const known = await Promise.all(nodes.map(({ command }) => command('CLUSTER', 'INFO')))
    return known.every((info) => String(info).includes(`cluster_known_nodes:${nodes.length}\r`))
  }, 'the nodes of a cluster do not hear of each other')
  for (let i = MASTERS; i < nodes.length; i++)
    await nodes[i]!.command('CLUSTER', 'REPLICATE', nodes[i - MASTERS]!.id)
  await until(async () => {
    const states = await Promise.all(nodes.map(({ command }) => command('CLUSTER', 'INFO')))
    // Clients hear of replicas once they have got something.
    const slots = await Promise.all(nodes.map(({ command }) => command('CLUSTER', 'SLOTS')))
    return (
      states.every((info) => String(info).includes('cluster_state:ok')) &&
      (slots as unknown[][][]).every((ranges) => ranges.every((range) => range.length === 4))
    )
  }, 'a cluster does not come up')
}

interface Row {
  readonly id: string
  readonly isMaster: boolean
  readonly failed: boolean
  has(slot: number): boolean
}

/** What a node that is alive says of all of them. */
async function rowsOf(nodes: readonly ClusterNode[]): Promise<Row[]> {
  const text = await Promise.any(nodes.map((node) => answer(node, 'CLUSTER', 'NODES')))
  return String(text)
    .trim()
    .split('\n')
    .map((line) => {
      const [id, , flags, , , , , , ...ranges] = line.split(' ') as [string, string, string, ...string[]]
      const spans = ranges
        .filter((range) => !range.startsWith('['))
        .map((range) => range.split('-').map(Number))
      return {
        id,
        isMaster: flags.includes('master'),
        failed: /fail/.test(flags),
        has: (slot) => spans.some(([from, to = from]) => slot >= from! && slot <= to!),
      }
    })
}

/** A client holds commands back while its server is away. */
async function answer(node: ClusterNode, ...words: readonly [string, ...string[]]): Promise<unknown> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), 1000)
  })
  return await Promise.race([node.command(...words), late]).finally(() => clearTimeout(timer))
}
