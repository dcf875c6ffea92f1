import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { Queue } from '../../src/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { KillLedger } from '../support/kill-ledger.ts'
import { startPostgres } from './support/server.ts'

/** `KILLS=1000 npx vitest run test/postgres/kill` for more. */
const KILLS = howMany('KILLS', { quick: 6, full: 150 })
const SERVER_KILLS = effort({ quick: 2, full: 30 })
const PROCESSES = effort({ quick: 3, full: 6 })
const LEASE_MS = 1000

/** Everything that is still in the queue, once the leases of the dead have ended. */
async function remaining(url: string): Promise<number[]> {
  const pool = new Pool({ connectionString: url })
  const queue = new Queue<number>('work', { storage: new PostgresAdapter(pool) })
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  const left: number[] = []
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    left.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
    const { ready, leased, delayed } = (await queue.stats()).groups['workers']!
    if (messages.length + ready + leased + delayed > 0) continue
    await queue.close()
    await pool.end()
    return left
  }
}

test(
  `${PROCESSES} processes on a server that is killed ${SERVER_KILLS} times, and they ${KILLS} times, lose nothing and bring nothing back`,
  { timeout: 900_000 },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quayside-postgres-'))
    // What is committed is on the disk.
    const server = await startPostgres()
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
      const args = [server.url, logOf(number), `${LEASE_MS}`, `${number * 1_000_000}`]
      const script = join(import.meta.dirname, 'support/kill-child.ts')
      return {
        number,
        child: spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'inherit'] }),
      }
    }
    const running = Array.from({ length: PROCESSES }, start)
    onTestFinished(async () => {
      for (const { child } of running) child.kill('SIGKILL')
      await server.stop()
      rmSync(directory, { recursive: true })
    })
    const busy = (place: number, since = 20): Promise<void> =>
      expect
        .poll(() => linesOf(running[place]!.number), { interval: 5, timeout: 120_000 })
        .toBeGreaterThan(since)
    const kill = async (place: number): Promise<void> => {
      const { child } = running[place]!
      if (child.exitCode !== null) throw new Error(`a process has ended by itself, with ${child.exitCode}`)
      child.kill('SIGKILL')
      if (child.signalCode === null) await once(child, 'exit')
    }
    for (let kills = 0; kills < KILLS; kills++) {
      const place = Math.floor(Math.random() * PROCESSES)
      // It has done something; and then at any moment of what it does.
      await busy(place)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
      await kill(place)
      running[place] = start()
      if (kills % Math.ceil(KILLS / SERVER_KILLS) > 0) continue
      const other = (place + 1) % PROCESSES
      await busy(other)
      await server.kill()
      await server.start()
      // They find it again.
      await busy(other, linesOf(running[other]!.number) + 20)
    }
    await Promise.all(running.map((_, place) => kill(place)))
    const ledger = new KillLedger()
    for (const name of readdirSync(directory)) ledger.read(readFileSync(join(directory, name), 'utf8'))
    const left = await remaining(server.url)
    expect(ledger.problems(left)).toEqual({ lost: [], back: [], errors: [] })
    expect(new Set(left).size).toBe(left.length)
    expect(ledger.acked.size).toBeGreaterThan(PROCESSES)
    report({
      adapter: 'postgres',
      fault: `SIGKILL of one of ${PROCESSES} processes, and of the server ${SERVER_KILLS} times; ${ledger.acked.size} messages acked`,
      kills: KILLS + SERVER_KILLS,
      messages: ledger.stored.size,
      violations: 0,
    })
  },
)
