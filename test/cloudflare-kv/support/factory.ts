import { CloudflareKVAdapter, type KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import type { ConformanceClock, ConformanceFactory } from '../../../conformance/index.ts'
import type { Guarantees } from '../../../src/index.ts'

/**
 * Adapters for the conformance suite, on a fresh namespace each. `claims` is what they say beyond what they promise, where the
 * namespace is known to be consistent: then all cases run that need no more than that.
 */
export function kvFactory(
  namespace: (clock: ConformanceClock) => KVBinding,
  claims: Partial<Guarantees> = {},
): ConformanceFactory {
  const guarantees = { ...new CloudflareKVAdapter(namespace({ now: () => 0 })).guarantees, ...claims }
  return {
    guarantees,
    create({ clock }) {
      const binding = namespace(clock)
      const adapters: CloudflareKVAdapter[] = []
      const open = (): CloudflareKVAdapter => {
        const adapter = new CloudflareKVAdapter(binding, {
          clock,
          // Each delay as it is, and no end of what one case may do.
          delayStepMs: 0,
          maxOperations: Infinity,
        })
        Object.assign(adapter, { guarantees })
        adapters.push(adapter)
        return adapter
      }
      const close = (): Promise<unknown> => Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
      return Promise.resolve({
        adapter: open(),
        second: () => Promise.resolve(open()),
        async reopen() {
          await close()
          return open()
        },
        destroy: async () => void (await close()),
      })
    },
  }
}
