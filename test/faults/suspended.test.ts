import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Ledger, remaining } from '../crash/ledger.ts'
import { report } from './support/report.ts'

const STOPS = 5
/** Of a process, whose clock is its own. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a process that is suspended keeps its directory, and goes on as if nothing had been', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quayside-suspended-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const directory = join(folder, 'data')
  const log = join(folder, 'log')
  const script = join(import.meta.dirname, '../crash/child.ts')
  const child = spawn(process.execPath, [script, directory, log, 'fsync', '1'], { stdio: 'pipe' })
  const ended = new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  // Until it has the directory, and works.
  while (readFileSync(log, 'utf8').length === 0) await pause(5)
  for (let stop = 0; stop < STOPS; stop++) {
    // It is stopped in the middle of its work, until all that it has written is there to be read.
    await pause(50)
    child.kill('SIGSTOP')
    await pause(200)
    const before = readFileSync(log, 'utf8').length
    const other = new NodeFsAdapter(directory, { waitForLockMs: 0 })
    await expect(other.open('crash')).rejects.toMatchObject({ code: 'LOCKED' })
    await other.close()
    expect(readFileSync(log, 'utf8').length).toBe(before)
    child.kill('SIGCONT')
    // Until it has done something again.
    while (readFileSync(log, 'utf8').length === before) await pause(5)
  }
  child.kill('SIGKILL')
  await ended
  const ledger = new Ledger()
  ledger.readAll(readFileSync(log, 'utf8'))
  const problems = ledger.problems(await remaining(directory, ledger.stored))
  report({
    adapter: 'fs',
    fault: 'SIGSTOP and SIGCONT of the process at work',
    faults: STOPS,
    messages: ledger.stored.size,
    violations: Object.values(problems).flat().length,
  })
  expect(problems).toEqual({ lost: [], back: [], torn: [] })
})
