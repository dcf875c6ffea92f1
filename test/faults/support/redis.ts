import { randomUUID } from 'node:crypto'
import { ClientStorage } from '../../../adapters/redis/client-storage.ts'
import { pick } from '../../fs/history.ts'
import { connectClient } from '../../redis/support/clients.ts'
import { Failures, type FaultyStorage } from './backend.ts'
import { type Fate, openProxy } from './proxy.ts'

const FATES: readonly Fate[] = ['lost', 'unanswered', 'unanswered', 'torn', 'slow']

/** Redis behind a network that breaks. */
export function redis(url: string): FaultyStorage {
  return {
    name: 'redis',
    perVerb: 1,
    async create(clock, random) {
      const failures = new Failures()
      const proxy = await openProxy(Number(new URL(url).port), () =>
        failures.next() ? pick(random, FATES) : undefined,
      )
      const connected = await connectClient('redis', `redis://127.0.0.1:${proxy.port}`)
      const settings = { prefix: randomUUID(), durability: 'process', clock } as const
      let adapter: ClientStorage | undefined
      return {
        async open() {
          await adapter?.close()
          return (adapter = new ClientStorage(connected.client, settings))
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
