import type { ConformanceFactory } from '../../src/conformance/index.ts'
import { RecordAdapter } from '../../src/records/adapter.ts'
import { registerConformance, registerHistories } from './register.ts'

const records: ConformanceFactory = {
  guarantees: new RecordAdapter().guarantees,
  create({ clock }) {
    const adapter = new RecordAdapter({ clock })
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
}

registerConformance('records', records)
registerHistories('records', records, { runs: { quick: 1000, full: 2000 } })
