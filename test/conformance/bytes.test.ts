import type { ConformanceFactory } from '../../conformance/index.ts'
import { type StoreLimits, DEFAULT_LIMITS } from '../../src/segments/index.ts'
import { ByteMemory } from '../support/byte-store.ts'
import { registerConformance, registerHistories } from './register.ts'

// The byte store: the keys, values and transactions that the package brings, with reads that answer at once or later.

/** Most bodies are long. */
const LONG_BODIES: StoreLimits = { ...DEFAULT_LIMITS, bodyBytes: 2 }

const factoryOf = (
  later: boolean,
  maxValueBytes?: number,
  knows = false,
  limits?: StoreLimits,
): ConformanceFactory => ({
  guarantees: new ByteMemory().guarantees,
  create({ clock }) {
    const adapter = new ByteMemory({
      clock,
      later,
      knows,
      ...(maxValueBytes !== undefined && { maxValueBytes }),
      ...(limits !== undefined && { limits }),
    })
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
})

registerConformance('a byte store', factoryOf(false), { quick: 'core' })
registerHistories('a byte store', factoryOf(false), { runs: { quick: 30, full: 1000 } })
registerConformance('a byte store whose reads take time', factoryOf(true), { quick: 'core' })
registerHistories('a byte store whose reads take time', factoryOf(true), { runs: { quick: 15, full: 500 } })
registerHistories('a byte store that knows of others', factoryOf(false, undefined, true), {
  runs: { quick: 30, full: 1000 },
})
for (const later of [false, true])
  registerHistories(
    `a byte store of long bodies${later ? ' whose reads take time' : ''}`,
    factoryOf(later, undefined, !later, LONG_BODIES),
    { runs: { quick: 15, full: 500 } },
  )
for (const later of [false, true])
  registerHistories(
    `a byte store of short values${later ? ' whose reads take time' : ''}`,
    factoryOf(later, 100),
    {
      runs: { quick: 15, full: 500 },
    },
  )
