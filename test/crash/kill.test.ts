import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'
import { report } from '../faults/support/report.ts'

/** `KILLS=1000 npx vitest run test/crash` for more. */
const KILLS = Number(process.env['KILLS'] ?? 100)
/** Processes that work on one directory, one after the other, before it is looked at. */
const GENERATIONS = 10

/** What the killed processes have told, over all generations of a directory. */
class Ledger {
  readonly stored: Set<number> = new Set()
  readonly acked: Set<number> = new Set()
  /** Told to be about to be acked: whether it was cannot be known. */
  readonly maybeAcked: Set<number> = new Set()
  readonly returned: number[] = []

  read(line: string): void {
    const [step, n = ''] = line.split(' ')
    const number = Number(n)
    if (step === 's') this.stored.add(number)
    else if (step === 'b') this.maybeAcked.add(number)
    else if (step === 'a') this.acked.add(number)
    else if (step === 'd' && this.acked.has(number)) this.returned.push(number)
  }
}

/** Lets a process work, and kills it `ms` after it began. */
function workAndKill(args: string[], ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), ms))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve()
      else reject(new Error(`the process ended by itself, with ${code ?? signal}: ${errors}`))
    })
  })
}

/** Everything that is still in the queue. */
async function remaining(directory: string): Promise<number[]> {
  const queue = new Queue<number>('crash', { storage: new NodeFsAdapter(directory) })
  const numbers: number[] = []
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    if (messages.length === 0) break
    numbers.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
  }
  const { groups } = await queue.stats()
  expect(groups['workers']).toMatchObject({ ready: 0, leased: 0, delayed: 0, blocked: 0, dead: 0 })
  await queue.close()
  return numbers
}

for (const durability of ['fsync', 'os']) {
  test(`${KILLS / 2} processes killed at random moments lose nothing and bring nothing back (${durability})`, async () => {
    let stored = 0
    let acked = 0
    for (let kill = 0; kill < KILLS / 2;) {
      const directory = mkdtempSync(join(tmpdir(), 'quayside-crash-'))
      const ledger = new Ledger()
      for (let generation = 0; generation < GENERATIONS && kill < KILLS / 2; generation++, kill++) {
        const log = join(directory, `../${basename(directory)}.log`)
        await workAndKill([directory, log, durability, String(generation + 1)], Math.random() * 120)
        const lines = readFileSync(log, 'utf8').split('\n')
        // The last line may have been cut off by the kill.
        for (const line of lines.slice(0, -1)) ledger.read(line)
        rmSync(log)
      }
      const left = await remaining(directory)
      const here = new Set(left)
      const lost = [...ledger.stored].filter(
        (n) => !here.has(n) && !ledger.acked.has(n) && !ledger.maybeAcked.has(n),
      )
      const back = [...left.filter((n) => ledger.acked.has(n)), ...ledger.returned]
      expect({ lost, back }, `in ${directory}`).toEqual({ lost: [], back: [] })
      // Once more: nothing that was left is left twice.
      expect(new Set(left).size).toBe(left.length)
      stored += ledger.stored.size
      acked += ledger.acked.size
      rmSync(directory, { recursive: true })
    }
    report({
      adapter: `fs, ${durability}`,
      fault: `SIGKILL of the process at work; ${acked} messages acked`,
      kills: KILLS / 2,
      messages: stored,
      violations: 0,
    })
    expect(stored).toBeGreaterThan(KILLS)
  })
}
