import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule, SerializedError } from 'vitest/node'

/**
 * Closes every run with one line, `N passed, N failed, N skipped`, over all tests of all projects. A test file that
 * cannot be loaded and an error outside of any test count as a failed test each, so that `0 failed` means what it says.
 * With `TEST_TOTALS` set, the line goes to that file instead (scripts/test.mjs prints it last).
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    let passed = 0
    let failed = unhandled.length
    let skipped = 0
    for (const module of modules) {
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state === 'skipped') skipped++
        else failed++
      }
    }
    const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`
    const file = process.env['TEST_TOTALS']
    if (file) writeFileSync(file, line)
    else process.stdout.write(line)
  }
}
