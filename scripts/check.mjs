// npm run check: everything that takes seconds. npm test adds the long tests.
import { staticSteps, step } from './steps.mjs'

const [failed, isSound] = await Promise.all([staticSteps(), step('test:unit')])
if (!isSound) failed.push('test:unit')
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
