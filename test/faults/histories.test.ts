import { expect, test } from 'vitest'
import { runFaults } from './support/driver.ts'
import { FS } from './support/fs.ts'
import { MEMORY } from './support/memory.ts'

const HISTORIES = Number(process.env['HISTORIES'] ?? 100)

test.each([MEMORY, FS])('$name', async (storage) => {
  const report = await runFaults(storage, { seed: 1, histories: HISTORIES, steps: 60, jumps: true })
  console.log({ ...report, violations: report.violations.length })
  expect(report.violations.slice(0, 2).join('\n\n')).toBe('')
})
