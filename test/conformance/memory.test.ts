import { MemoryAdapter } from '../../adapters/memory.ts'
import type { ConformanceFactory } from '../../src/conformance/index.ts'
import { registerConformance, registerHistories } from './register.ts'

const memory: ConformanceFactory = {
  guarantees: new MemoryAdapter().guarantees,
  create({ clock }) {
    const adapter = new MemoryAdapter({ clock })
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
}

registerConformance('memory', memory)
registerHistories('memory', memory, { runs: 2000 })
