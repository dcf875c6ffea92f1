import type { ConformanceFactory } from '../../conformance/index.ts'
import { WaitingAdapter } from '../support/waiting-adapter.ts'
import { registerConformance, registerHistories } from './register.ts'

// The engine on a store that has to wait for its rows.

const waiting: ConformanceFactory = {
  guarantees: new WaitingAdapter({ clock: Date }).guarantees,
  create({ clock }) {
    const adapter = new WaitingAdapter({ clock })
    return Promise.resolve({ adapter, destroy: () => adapter.close() })
  },
}

registerConformance('waiting', waiting, { quick: 'core' })
registerHistories('waiting', waiting, { runs: { quick: 50, full: 300 }, lanes: 4 })
