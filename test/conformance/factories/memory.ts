import { MemoryAdapter } from '../../../adapters/memory.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'

export function factory(): ConformanceFactory {
  return {
    guarantees: new MemoryAdapter().guarantees,
    create({ clock }) {
      const adapter = new MemoryAdapter({ clock })
      return Promise.resolve({ adapter, destroy: () => adapter.close() })
    },
  }
}
