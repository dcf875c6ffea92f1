import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { KillLedger } from '../support/kill-ledger.ts'
import { luck } from '../support/luck.ts'

/** `KILLS=1000 npx vitest run test/sqlite/kill` for more. */
const KILLS = howMany('KILLS', { quick: 10, full: 300 })
const PROCESSES = effort({ quick: 3, full: 8 })
const LEASE_MS = 1000

/** Everything that is still in the queue, once the leases of the dead have ended. */
async function remaining(file: string): Promise<number[]> {
  await using queue = new Queue<number>('work', { storage: new SQLiteAdapter(file) })
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  const left: number[] = []
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    left.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
    const { ready, leased, delayed } = (await queue.stats()).groups['workers']!
    if (messages.length + ready + leased + delayed === 0) return left
  }
}

test(
  `${PROCESSES} processes on one file, of which ${KILLS} are killed at random moments, lose nothing and bring nothing back`,
  { timeout: 900_000 },
  async () => {
    const random = luck()
    const directory = mkdtempSync(join(tmpdir(), 'quayside-sqlite-'))
    const file = join(directory, 'queues.db')
    let started = 0
    const logOf = (n: number): string => join(directory, `${n}.log`)
    const linesOf = (n: number): number => {
      try {
        return readFileSync(logOf(n), 'utf8').split('\n').length
      } catch {
        return 0
      }
    }
    const start = (): { readonly number: number; readonly child: ChildProcess } => {
      const number = ++started
      const args = [file, logOf(number), `${LEASE_MS}`, `${number * 1_000_000}`]
      const script = join(import.meta.dirname, 'support/kill-child.ts')
      return {
        number,
        child: spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'inherit'] }),
      }
    }
    const running = Array.from({ length: PROCESSES }, start)
    onTestFinished(() => {
      for (const { child } of running) child.kill('SIGKILL')
      rmSync(directory, { recursive: true })
    })
    const kill = async (place: number): Promise<void> => {
      const { child } = running[place]!
      if (child.exitCode !== null) throw new Error(`a process has ended by itself, with ${child.exitCode}`)
      child.kill('SIGKILL')
      if (child.signalCode === null) await once(child, 'exit')
    }
    for (let kills = 0; kills < KILLS - PROCESSES; kills++) {
      const place = Math.floor(random() * PROCESSES)
      // It has done something; and then at any moment of what it does.
      await expect.poll(() => linesOf(running[place]!.number), { interval: 5 }).toBeGreaterThan(20)
      await new Promise((resolve) => setTimeout(resolve, random() * 20))
      await kill(place)
      running[place] = start()
    }
    // The last ones all at once.
    for (const { number } of running) await expect.poll(() => linesOf(number)).toBeGreaterThan(20)
    await Promise.all(running.map((_, place) => kill(place)))
    const ledger = new KillLedger()
    for (const name of readdirSync(directory))
      if (name.endsWith('.log')) ledger.read(readFileSync(join(directory, name), 'utf8'))
    const left = await remaining(file)
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
