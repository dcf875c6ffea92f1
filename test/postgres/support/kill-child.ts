/** One of several processes that work on a server until they are killed. A server that is killed is waited for. */
import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import { QuaysideError } from '../../../src/index.ts'
import { workUntilKilled } from '../../support/kill-worker.ts'

const [url = '', ...words] = process.argv.slice(2)
await workUntilKilled(new PostgresAdapter(new Pool({ connectionString: url, max: 4 })), words, outage)

/** What a server that is killed, and its clients, may say. */
async function outage(error: unknown): Promise<void> {
  if (!(error instanceof QuaysideError && ['STORAGE_FAILED', 'STORAGE_UNAVAILABLE'].includes(error.code)))
    throw error
  await new Promise((resolve) => setTimeout(resolve, 50))
}
