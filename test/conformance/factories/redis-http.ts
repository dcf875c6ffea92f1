import { RedisHttpAdapter } from '../../../adapters/redis-http/index.ts'
import type { ConformanceClock, ConformanceFactory } from '../../../conformance/index.ts'

/** What the adapter is made of: it can be given a clock in place of the server's, so that no case waits. */
const Storage = Object.getPrototypeOf(RedisHttpAdapter) as new (
  endpoint: { url: string; token: string; timeoutMs: number; fetch: undefined },
  settings: { prefix: string; durability: 'process'; clock: ConformanceClock },
) => RedisHttpAdapter

interface Endpoint {
  readonly url: string
  readonly token: string
}

/** Storages on one server, each under a prefix of its own. */
export function factory({ url, token }: Endpoint): ConformanceFactory {
  return {
    guarantees: new RedisHttpAdapter({ url: 'https://unused.example', token: 'unused' }).guarantees,
    async create({ clock }) {
      const prefix = crypto.randomUUID()
      const adapters: RedisHttpAdapter[] = []
      const open = (): RedisHttpAdapter => {
        const endpoint = { url, token, timeoutMs: 60_000, fetch: undefined }
        const adapter = new Storage(endpoint, { prefix, durability: 'process', clock })
        adapters.push(adapter)
        return adapter
      }
      const close = async (): Promise<void> => {
        for (const adapter of adapters.splice(0)) await adapter.close()
      }
      return {
        adapter: open(),
        second: () => Promise.resolve(open()),
        async reopen() {
          await close()
          return open()
        },
        destroy: close,
      }
    },
  }
}
