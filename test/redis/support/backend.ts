import { randomUUID } from 'node:crypto'
import { afterAll } from 'vitest'
import { ClientStorage } from '../../../adapters/redis/client-storage.ts'
import type { SCRIPTS } from '../../../adapters/redis/scripts.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'
import { type ClientName, type Connected, connectClient } from './clients.ts'
import type { RedisServer } from './server.ts'

export interface FactoryOptions {
  /** Connects before the first use, and again after a failure. */
  readonly server: () => RedisServer
  readonly client: ClientName
  /** The clock is the server's, and cases wait. */
  readonly realClock?: boolean
  /** In place of the scripts. */
  readonly scripts?: typeof SCRIPTS
}

/** Storages on one server, each under a prefix of its own, and on two connections, for as long as the tests of a file run. */
export function redisFactory({
  server,
  client,
  realClock = false,
  scripts,
}: FactoryOptions): ConformanceFactory {
  let connections: Promise<readonly [Connected, Connected]> | undefined
  afterAll(async () => {
    for (const connected of (await connections) ?? []) await connected.close()
  })
  return {
    guarantees: new ClientStorage(NOBODY, settings('unused', undefined)).guarantees,
    realClock,
    async create({ clock }) {
      const { url } = server()
      connections ??= Promise.all([connectClient(client, url), connectClient(client, url)])
      const [one, two] = await connections
      const used = { ...settings(randomUUID(), realClock ? undefined : clock), scripts }
      let adapters: ClientStorage[] = []
      const open = (connected: Connected): ClientStorage => {
        const adapter = new ClientStorage(connected.client, used)
        adapters.push(adapter)
        return adapter
      }
      const close = async (): Promise<void> => {
        for (const adapter of adapters) await adapter.close()
        adapters = []
      }
      return {
        adapter: open(one),
        second: () => Promise.resolve(open(two)),
        async reopen() {
          await close()
          return open(one)
        },
        destroy: close,
      }
    },
  }
}

function settings(
  prefix: string,
  clock: { now(): number } | undefined,
): ConstructorParameters<typeof ClientStorage>[1] {
  return { prefix, durability: 'process', clock }
}

/** A client by its methods, for looking at what an adapter declares. */
const NOBODY = {
  sendCommand: () => Promise.reject(new Error('nobody is there')),
  withTypeMapping: () => undefined,
}
