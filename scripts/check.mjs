// npm run check: everything that takes seconds. npm test adds the long tests.
import { staticSteps, step } from './steps.mjs'

const failed = await staticSteps()
if (!(await step('test:unit'))) failed.push('test:unit')
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
