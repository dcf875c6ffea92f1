import { RedisAdapter, type RedisClient } from '../../../adapters/redis/index.ts'
import type { ConformanceClock, ConformanceFactory } from '../../../conformance/index.ts'
import { type Connected, connectClient } from '../../redis/support/clients.ts'

/** What the adapter is made of: it can be given a clock in place of the server's, so that no case waits. */
const Storage = Object.getPrototypeOf(RedisAdapter) as new (
  client: RedisClient,
  settings: { prefix: string; durability: 'process'; clock: ConformanceClock },
) => RedisAdapter

/** Storages on one server, each under a prefix of its own, and on two connections. */
export function factory({ url }: { readonly url: string }): ConformanceFactory {
  let connections: Promise<readonly [Connected, Connected]> | undefined
  return {
    guarantees: new RedisAdapter(NOBODY).guarantees,
    async create({ clock }) {
      connections ??= Promise.all([connectClient('redis', url), connectClient('redis', url)])
      const [one, two] = await connections
      const prefix = crypto.randomUUID()
      const adapters: RedisAdapter[] = []
      const open = ({ client }: Connected): RedisAdapter => {
        const adapter = new Storage(client, { prefix, durability: 'process', clock })
        adapters.push(adapter)
        return adapter
      }
      const close = async (): Promise<void> => {
        for (const adapter of adapters.splice(0)) await adapter.close()
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

/** A client by its methods, for looking at what an adapter declares. */
const NOBODY = {
  sendCommand: () => Promise.reject(new Error('nobody is there')),
  duplicate: () => undefined,
  withTypeMapping: () => undefined,
}
