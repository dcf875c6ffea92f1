import { smallAnswers, smallSteps, smallStepsOnDisk } from '../segments/small-steps.ts'
import { registerConformance, registerHistories } from './register.ts'

const SMALL = 'its steps are that small'

registerConformance('segments with small steps', smallSteps, {
  exceptions: {
    'cancel: leaves its neighbours and their order as they are': SMALL,
    'backlog: a claim fills up with what is overdue': SMALL,
  },
})
registerHistories('segments with small steps', smallSteps, { runs: { quick: 50, full: 4000 }, maxSteps: 40 })
registerHistories('fs with small steps', smallStepsOnDisk, { runs: { quick: 25, full: 2000 }, lanes: 2 })
registerHistories('memory with small answers', smallAnswers, {
  runs: { quick: 100, full: 4000 },
  maxSteps: 40,
})
