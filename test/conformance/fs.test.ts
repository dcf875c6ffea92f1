import { factory } from './factories/fs.ts'
import { registerConformance, registerHistories } from './register.ts'

const os = factory({ durability: 'os' })
const fsync = factory({ durability: 'fsync' })

registerConformance('fs with os', os, { quick: 'core' })
registerConformance('fs with fsync', fsync)
registerHistories('fs with os', os, { runs: { quick: 75, full: 2000 }, maxSteps: 20, lanes: 4 })
registerHistories('fs with fsync', fsync, { runs: { quick: 20, full: 200 }, maxSteps: 20, lanes: 4 })
