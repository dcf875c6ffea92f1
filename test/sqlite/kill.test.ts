import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { runCrashes } from '../../conformance/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { startOf } from '../support/killed-processes.ts'
import { luck } from '../support/luck.ts'

/** `KILLS=1000 npx vitest run test/sqlite/kill` for more. */
const KILLS = howMany('KILLS', { quick: 10, full: 300 })
const PROCESSES = effort({ quick: 3, full: 8 })

test(
  `${PROCESSES} processes on one file, of which ${KILLS} are killed at random moments, lose nothing and bring nothing back`,
  { timeout: 900_000 },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quayside-sqlite-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'queues.db')
    const { stored, acked } = await runCrashes({
      start: startOf(join(import.meta.dirname, 'support/kill-child.ts'), file),
      open: () => new SQLiteAdapter(file),
      processes: PROCESSES,
      kills: KILLS - PROCESSES,
      random: luck(),
    })
    expect(acked).toBeGreaterThan(PROCESSES)
    report({
      adapter: 'sqlite',
      fault: `SIGKILL of one of ${PROCESSES} processes at work on one file; ${acked} messages acked`,
      kills: KILLS,
      messages: stored,
      violations: 0,
    })
  },
)
