// Limits of lanes hold across processes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { uuid } from '../../src/message-id.ts'
import { effort } from '../support/effort.ts'
import { startPostgres } from './support/server.ts'

const PROCESSES = 5

test('five processes never have more of a lane in flight than may be', { timeout: 900_000 }, async () => {
  const server = await startPostgres({ fsync: false })
  onTestFinished(() => server.stop())
  const pool = new Pool({ connectionString: server.url, max: 4 })
  const adapter = new PostgresAdapter(pool)
  onTestFinished(async () => {
    await adapter.close()
    await pool.end()
  })
  const { messages, lanes } = effort({
    quick: { messages: 300, lanes: 10 },
    full: { messages: 20_000, lanes: 200 },
  })
  await pool.query(
    "CREATE TABLE lanes (lane text PRIMARY KEY, n bigint); INSERT INTO lanes VALUES ('acked', 0)",
  )
  await pool.query("INSERT INTO lanes SELECT 'lane-' || n, 0 FROM generate_series(0, $1::int - 1) AS n", [
    lanes,
  ])
  const queue = await adapter.open('orders')
  await queue.claim({ group: 'g', limit: 0, leaseMs: 1000, maxAttempts: 1 })
  const all = Array.from({ length: messages }, (_, i) => ({ body: `${i}`, lane: `lane-${i % lanes}` }))
  for (let i = 0; i < messages; i += 1000) await queue.append(all.slice(i, i + 1000), { batchId: uuid() })
  const script = join(import.meta.dirname, 'support/lanes-child.ts')
  const outputs = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const child = spawn(process.execPath, [script, server.url, '3', `${messages}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
      expect(code).toBe(0)
      return output
    }),
  )
  expect(outputs.flatMap((output) => output.match(/^over .*$/gm) ?? [])).toEqual([])
  const acked = outputs.map((output) => Number(/^acked (\d+)$/m.exec(output)![1]))
  expect(acked.reduce((sum, n) => sum + n)).toBe(messages)
  expect((await queue.stats()).groups['g']).toMatchObject({ ready: 0, leased: 0, acked: messages })
})
