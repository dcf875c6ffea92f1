import { factory } from './factories/sqlite.ts'
import { registerConformance, registerHistories } from './register.ts'

const normal = factory({ durability: 'normal' })

registerConformance('sqlite with normal', normal)
registerHistories('sqlite with normal', normal, { runs: { quick: 60, full: 2000 }, maxSteps: 20, lanes: 2 })
