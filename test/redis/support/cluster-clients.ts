import { Cluster } from 'ioredis'
import { Cluster as ValkeyCluster } from 'iovalkey'
import { createCluster } from 'redis'
import { onTestFinished } from 'vitest'
import type { RedisClient } from '../../../adapters/redis/index.ts'
import type { RedisCluster } from './cluster.ts'
import type { ClientName } from './clients.ts'

/** Connects a client of a cluster, which ends with the test. It is told of all nodes, as users of clusters would. */
export async function connectCluster(name: ClientName, { nodes }: RedisCluster): Promise<RedisClient> {
  if (name === 'redis') {
    const client = createCluster({ rootNodes: nodes.map(({ server }) => ({ url: server.url })) })
    client.on('error', () => undefined)
    onTestFinished(() => client.destroy())
    await client.connect()
    return client
  }
  const Client = name === 'ioredis' ? Cluster : (ValkeyCluster as unknown as typeof Cluster)
  const client = new Client(nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port })))
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  return client
}
