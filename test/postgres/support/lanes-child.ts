// Works on lanes, and counts in a table of its own: see workLanes.
import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import { workLanes } from '../../support/lane-worker.ts'

const [url = '', concurrency = '', total = ''] = process.argv.slice(2)
const pool = new Pool({ connectionString: url, max: 4 })
// In one order, or those who change the same ones wait for each other.
const CHANGE =
  'WITH locked AS (SELECT lane FROM lanes WHERE lane = ANY ($1) ORDER BY lane FOR UPDATE) UPDATE lanes SET n = n + $2 * (SELECT count(*) FROM unnest($1) AS one WHERE one = lanes.lane) FROM locked WHERE locked.lane = lanes.lane RETURNING lanes.lane, n::int'

const adapter = new PostgresAdapter(pool)
const ledger = {
  change: async (lanes: readonly string[], by: number): Promise<{ lane: string; n: number }[]> =>
    (await pool.query(CHANGE, [lanes, by])).rows as { lane: string; n: number }[],
  async acked(): Promise<number> {
    const { rows } = await pool.query("SELECT n::int FROM lanes WHERE lane = 'acked'")
    return (rows as { n: number }[])[0]!.n
  },
  addAcked: async (count: number): Promise<void> =>
    void (await pool.query("UPDATE lanes SET n = n + $1 WHERE lane = 'acked'", [count])),
}
await workLanes(await adapter.open('orders'), ledger, {
  concurrency: Number(concurrency),
  total: Number(total),
})
await adapter.close()
await pool.end()
