import { factory } from './factories/key-value.ts'
import { registerConformance, registerHistories } from './register.ts'

// The engine is that of files, whose cases all run; histories find what is not.
registerConformance('key-value', factory())
registerHistories('key-value', factory(), { runs: { quick: 100, full: 2000 }, maxSteps: 20 })
registerHistories('key-value that answers at once', factory({ sync: true }), {
  runs: { quick: 50, full: 1000 },
  maxSteps: 20,
})
