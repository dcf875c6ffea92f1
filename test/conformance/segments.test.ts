import type { ConformanceFactory } from '../../conformance/index.ts'
import { SegmentMemory } from '../support/memory-store.ts'
import { registerConformance, registerHistories } from './register.ts'

// The segment engine, without what the storages do that it is for.

const segments: ConformanceFactory = {
  guarantees: new SegmentMemory().guarantees,
  create({ clock }) {
    const adapter = new SegmentMemory({ clock })
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
}

registerConformance('segments', segments)
registerHistories('segments', segments, { runs: { quick: 300, full: 2000 } })
