import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { KilledProcesses, remaining } from '../support/killed-processes.ts'

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
    const script = join(import.meta.dirname, 'support/kill-child.ts')
    const processes = new KilledProcesses(script, file, PROCESSES)
    for (let kills = 0; kills < KILLS - PROCESSES; kills++) await processes.killOne()
    // The last ones all at once.
    for (let place = 0; place < PROCESSES; place++) await processes.busy(place)
    await processes.killAll()
    const ledger = processes.ledger()
    await using queue = new Queue<number>('work', { storage: new SQLiteAdapter(file) })
    const left = await remaining(queue)
    expect(ledger.problems(left)).toEqual({ lost: [], back: [], errors: [] })
    expect(new Set(left).size).toBe(left.length)
    expect(ledger.acked.size).toBeGreaterThan(PROCESSES)
    report({
      adapter: 'sqlite',
      fault: `SIGKILL of one of ${PROCESSES} processes at work on one file; ${ledger.acked.size} messages acked`,
      kills: KILLS,
      messages: ledger.stored.size,
      violations: 0,
    })
  },
)
