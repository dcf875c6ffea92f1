import { factory } from './factories/memory.ts'
import { registerConformance, registerHistories } from './register.ts'

registerConformance('memory', factory())
registerHistories('memory', factory(), { runs: { quick: 300, full: 2000 } })
