import { factory } from './factories/sqlite.ts'
import { registerConformance, registerHistories } from './register.ts'

const normal = factory({ durability: 'normal' })

// The engine is that of files, whose cases all run; histories find what is not.
registerConformance('sqlite with normal', normal, { quick: 'core' })
registerHistories('sqlite with normal', normal, { runs: { quick: 25, full: 2000 }, maxSteps: 20, lanes: 2 })
