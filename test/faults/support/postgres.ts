import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import { pick } from '../../fs/history.ts'
import { Failures, type FaultyStorage } from './backend.ts'
import { type Fate, openProxy } from './proxy.ts'

const FATES: readonly Fate[] = ['lost', 'unanswered', 'unanswered', 'torn', 'slow']

/** PostgreSQL behind a network that breaks. */
export function postgres(url: string): FaultyStorage {
  let created = 0
  return {
    name: 'postgres',
    perVerb: 3,
    async create(clock, random) {
      const failures = new Failures()
      const proxy = await openProxy(Number(new URL(url).port), () =>
        failures.next() ? pick(random, FATES) : undefined,
      )
      const through = new URL(url)
      through.port = `${proxy.port}`
      const pool = new Pool({ connectionString: through.href })
      const schema = `faults ${++created}`
      let adapter: PostgresAdapter | undefined
      return {
        async open() {
          await adapter?.close()
          return (adapter = new PostgresAdapter(pool, { schema, clock }))
        },
        fail: (every) => failures.fail(every),
        get faults() {
          return failures.faults
        },
        async destroy() {
          failures.fail(0)
          await adapter?.close()
          await pool.end()
          await proxy.close()
        },
      }
    },
  }
}
