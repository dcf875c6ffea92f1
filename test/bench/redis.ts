import { createClient } from 'redis'
import { type RedisServer, startRedis } from '../../demo/redis/server.ts'
import { RedisAdapter } from './quayside.ts'

type Storage = InstanceType<typeof RedisAdapter>

/** A storage on a server of its own, which writes nothing to disk. */
export async function openRedis(): Promise<{
  server: RedisServer
  storage: Storage
  /** What the server takes for all its keys. */
  usedBytes(): Promise<number>
  /** The CPU that the server has had, in ms. */
  cpuMs(): Promise<number>
  close(): Promise<void>
}> {
  const server = await startRedis()
  const { storage, usedBytes, cpuMs, close } = await connectRedis(server.port)
  return {
    server,
    storage,
    usedBytes,
    cpuMs,
    async close() {
      close()
      await server.stop()
    },
  }
}

/** A storage on a server that runs already. */
export async function connectRedis(
  port: number,
): Promise<{ storage: Storage; usedBytes(): Promise<number>; cpuMs(): Promise<number>; close(): void }> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  await client.connect()
  return {
    storage: new RedisAdapter(client),
    async usedBytes() {
      return Number(/^used_memory_dataset:(\d+)/m.exec(await client.info('memory'))![1])
    },
    async cpuMs() {
      const spent = (await client.info('cpu')).matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)
      return [...spent].reduce((sum, [, seconds]) => sum + Number(seconds) * 1000, 0)
    },
    close: () => client.destroy(),
  }
}
