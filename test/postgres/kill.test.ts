import { join } from 'node:path'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { Queue } from '../../src/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { KilledProcesses, remaining } from '../support/killed-processes.ts'
import { startPostgres } from './support/server.ts'

/** `KILLS=1000 npx vitest run test/postgres/kill` for more. */
const KILLS = howMany('KILLS', { quick: 6, full: 150 })
const SERVER_KILLS = effort({ quick: 2, full: 30 })
const PROCESSES = effort({ quick: 3, full: 6 })

test.each([
  { acks: 'strict', comesBack: 'nothing' },
  { acks: 'usual', comesBack: 'what was acked right before a crash of the server' },
])(
  `${PROCESSES} processes on a server that is killed ${SERVER_KILLS} times, and they ${KILLS} times, lose nothing, and with $acks acks $comesBack comes back`,
  { timeout: 900_000 },
  async ({ acks }) => {
    // What is committed is on the disk.
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const script = join(import.meta.dirname, 'support/kill-child.ts')
    const target = `${server.url}#${acks}`
    const processes = new KilledProcesses(script, target, PROCESSES, { patienceMs: 120_000 })
    for (let kills = 0; kills < KILLS; kills++) {
      const place = await processes.killOne()
      if (kills % Math.ceil(KILLS / SERVER_KILLS) > 0) continue
      const other = (place + 1) % PROCESSES
      await processes.busy(other)
      await server.kill()
      await server.start()
      // They find it again.
      await processes.busy(other, processes.lines(other) + 20)
    }
    await processes.killAll()
    const ledger = processes.ledger()
    const pool = new Pool({ connectionString: server.url })
    onTestFinished(() => pool.end())
    await using queue = new Queue<number>('work', { storage: new PostgresAdapter(pool) })
    const left = await remaining(queue)
    const problems = ledger.problems(left)
    expect(problems).toMatchObject({ lost: [], errors: [], ...(acks === 'strict' && { back: [] }) })
    expect(new Set(left).size).toBe(left.length)
    expect(ledger.acked.size).toBeGreaterThan(PROCESSES)
    report({
      adapter: 'postgres',
      fault: `SIGKILL of one of ${PROCESSES} processes, and of the server ${SERVER_KILLS} times; ${acks} acks; ${ledger.acked.size} messages acked`,
      kills: KILLS + SERVER_KILLS,
      messages: ledger.stored.size,
      violations: 0,
    })
  },
)
