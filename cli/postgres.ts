import type { Pool } from 'pg'
import { PostgresAdapter } from '../adapters/postgres/index.ts'
import { namesOf } from '../adapters/postgres/schema.ts'
import { FAILED, Stop } from './exit.ts'
import { redact, splitUrl } from './secrets.ts'
import type { Purpose, Target } from './target.ts'
import { clean } from './width.ts'

/** The queues of the PostgresAdapter in a database, in its default schema or the one behind `#`. Only `create` makes tables. */
export async function openPostgres(url: string, purpose: Purpose): Promise<Target> {
  const [server, schema = 'quayside'] = splitUrl(url)
  const pool = await connect(server)
  try {
    if (purpose !== 'create' && !(await hasQueues(pool, schema)))
      throw new Stop(FAILED, `there are no queues in ${clean(redact(url))}`)
    const adapter = new PostgresAdapter(pool, { schema })
    return {
      name: redact(url),
      adapter,
      names: () => adapter.queues(),
      async close() {
        await adapter.close()
        await pool.end()
      },
    }
  } catch (error) {
    await pool.end()
    throw error
  }
}

async function connect(url: string): Promise<Pool> {
  const { default: pg } = await import('pg').catch((error: unknown) => {
    throw new Stop(
      FAILED,
      `for a postgres:// URL the package pg is needed, which is not installed: npm install pg (${reason(error)})`,
    )
  })
  let pool: Pool | undefined
  try {
    pool = new pg.Pool({ connectionString: url, max: 3, connectionTimeoutMillis: 5000 })
    await pool.query('SELECT 1')
    return pool
  } catch (error) {
    await pool?.end()
    throw new Stop(
      FAILED,
      `no PostgreSQL could be reached at ${clean(redact(url))}: ${redact(reason(error))}`,
    )
  }
}

async function hasQueues(pool: Pool, schema: string): Promise<boolean> {
  const { rows } = await pool.query<{ found: string | null }>('SELECT to_regclass($1) AS found', [
    namesOf(schema).rows,
  ])
  return rows[0]?.found !== null
}

function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0])
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
