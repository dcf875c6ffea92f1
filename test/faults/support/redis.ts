import { randomUUID } from 'node:crypto'
import { Redis as IoRedis } from 'ioredis'
import { RedisStorage } from '../../../adapters/redis/adapter.ts'
import { pick } from '../../fs/history.ts'
import { type Connected, connectClient } from '../../redis/support/clients.ts'
import { Failures, type FaultyStorage } from './backend.ts'
import { type Fate, openProxy } from './proxy.ts'

const FATES: readonly Fate[] = ['lost', 'unanswered', 'unanswered', 'torn', 'slow']

/** Redis behind a network that breaks. */
export function redis(url: string, client: 'redis' | 'ioredis'): FaultyStorage {
  return {
    name: `redis, by ${client}`,
    perVerb: 1,
    async create(clock, random) {
      const failures = new Failures()
      const proxy = await openProxy(Number(new URL(url).port), () =>
        failures.next() ? pick(random, FATES) : undefined,
      )
      const here = `redis://127.0.0.1:${proxy.port}`
      const connected = await (client === 'redis' ? connectClient(client, here) : connectIo(here))
      const settings = { prefix: randomUUID(), durability: 'process', clock } as const
      let adapter: RedisStorage | undefined
      return {
        async open() {
          await adapter?.close()
          return (adapter = new RedisStorage(connected.client, settings))
        },
        fail: (every) => failures.fail(every),
        get faults() {
          return failures.faults
        },
        async destroy() {
          failures.fail(0)
          await adapter?.close()
          await connected.close()
          await proxy.close()
        },
      }
    },
  }
}

/** Without its habit of sending again what may have been done. */
async function connectIo(url: string): Promise<Pick<Connected, 'client' | 'close'>> {
  const client = new IoRedis(url, { retryStrategy: () => 20, autoResendUnfulfilledCommands: false })
  client.on('error', () => undefined)
  await client.ping()
  return { client, close: async () => client.disconnect() }
}
