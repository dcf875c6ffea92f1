/**
 * One of several processes that work on a server until they are killed. A server that is killed is waited for. With `#strict` behind the
 * URL, acks wait for its disk.
 */
import { writeSync } from 'node:fs'
import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import { workUntilKilled } from '../../../conformance/index.ts'
import { QuaysideError } from '../../../src/index.ts'

const [target = '', first] = process.argv.slice(2)
const [url = '', strict] = target.split('#')
const pool = new Pool({ connectionString: url, max: 4 })
await workUntilKilled(new PostgresAdapter(pool, { strictAcks: strict === 'strict' }), {
  first: Number(first),
  tell: (text) => void writeSync(1, text),
  outage,
})

/** What a server that is killed, and its clients, may say. */
async function outage(error: unknown): Promise<void> {
  if (!(error instanceof QuaysideError && ['STORAGE_FAILED', 'STORAGE_UNAVAILABLE'].includes(error.code)))
    throw error
  await new Promise((resolve) => setTimeout(resolve, 50))
}
