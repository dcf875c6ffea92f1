// npm run check: everything that takes seconds. npm test adds the long tests.
import { STATIC, step } from './steps.mjs'

const failed = [...STATIC, 'test:unit'].filter((name) => !step(name))
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
