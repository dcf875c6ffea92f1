import { smallSteps } from '../segments/small-steps.ts'
import { registerConformance, registerHistories } from './register.ts'

registerConformance('memory with small steps', smallSteps)
registerHistories('memory with small steps', smallSteps, { runs: 2000, maxSteps: 40 })
