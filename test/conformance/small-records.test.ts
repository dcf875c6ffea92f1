import type { ConformanceFactory } from '../../conformance/index.ts'
import { askAtOnce } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { RecordAdapter } from '../../src/records/index.ts'
import { atOnce } from '../support/at-once.ts'
import { registerConformance, registerHistories } from './register.ts'

// The record engine, with so little at once that histories of some messages reach every bound.

const small: ConformanceFactory = {
  guarantees: new MemoryAdapter().guarantees,
  create({ clock }) {
    const steps = { atOnce: 2, passed: 3, looked: 2, values: 2 }
    const adapter = new RecordAdapter(this.guarantees, clock, askAtOnce, steps)
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
}

/** The same, with all done at once, and most bodies not encoded. */
const values: ConformanceFactory = {
  guarantees: small.guarantees,
  create: async (options) => {
    const { adapter, destroy } = await small.create(options)
    return { adapter: atOnce(adapter), destroy }
  },
}

const SMALL = 'its steps are that small'

const exceptions = {
  'lanes: ended leases and first deliveries of a lane take turns': SMALL,
  'lane limits: room that ran out with lanes left says so at once': SMALL,
  'backlog: a claim fills up with what is overdue': SMALL,
}

registerConformance('memory in small steps', small, { exceptions })
registerHistories('memory in small steps', small, { runs: { quick: 120, full: 4000 }, maxSteps: 40 })
registerConformance('memory at once', values, { exceptions })
registerHistories('memory at once', values, { runs: { quick: 120, full: 4000 }, maxSteps: 40 })
