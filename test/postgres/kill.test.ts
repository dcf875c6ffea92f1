import { join } from 'node:path'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { runCrashes } from '../../conformance/index.ts'
import { report } from '../faults/support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { startOf } from '../support/killed-processes.ts'
import { luck } from '../support/luck.ts'
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
    const pool = new Pool({ connectionString: server.url })
    onTestFinished(() => pool.end())
    const { stored, acked } = await runCrashes({
      start: startOf(join(import.meta.dirname, 'support/kill-child.ts'), `${server.url}#${acks}`),
      open: () => new PostgresAdapter(pool),
      processes: PROCESSES,
      kills: KILLS,
      async afterKill(kill) {
        if (kill % Math.ceil(KILLS / SERVER_KILLS) > 0) return
        await server.kill()
        await server.start()
      },
      acksLast: acks === 'strict',
      random: luck(),
      patienceMs: 120_000,
    })
    expect(acked).toBeGreaterThan(PROCESSES)
    report({
      adapter: 'postgres',
      fault: `SIGKILL of one of ${PROCESSES} processes, and of the server ${SERVER_KILLS} times; ${acks} acks; ${acked} messages acked`,
      kills: KILLS + SERVER_KILLS,
      messages: stored,
      violations: 0,
    })
  },
)
