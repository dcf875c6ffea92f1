import { createClient } from 'redis'
import { type RedisServer, startRedis } from '../../demo/redis/server.ts'
import { RedisAdapter } from './quayside.ts'

/** A storage on a server of its own, which writes nothing to disk. */
export async function openRedis(): Promise<{
  server: RedisServer
  storage: InstanceType<typeof RedisAdapter>
  close(): Promise<void>
}> {
  const server = await startRedis()
  const client = createClient({ url: server.url })
  await client.connect()
  return {
    server,
    storage: new RedisAdapter(client),
    async close() {
      client.destroy()
      await server.stop()
    },
  }
}
