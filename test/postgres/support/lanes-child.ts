/**
 * Claims and acks what lanes have, with a concurrency, until all is done. It counts what is in flight in a table of its own,
 * from after the claim to before the ack, and prints `over LANE` where more of a lane are than may be; in the end `acked COUNT`.
 */
import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'

const [url = '', concurrency = '', total = ''] = process.argv.slice(2)
const pool = new Pool({ connectionString: url, max: 4 })
const change = async (lanes: readonly string[], by: number): Promise<{ lane: string; n: number }[]> => {
  // In one order, or those who change the same ones wait for each other.
  const sql =
    'WITH locked AS (SELECT lane FROM lanes WHERE lane = ANY ($1) ORDER BY lane FOR UPDATE) UPDATE lanes SET n = n + $2 * (SELECT count(*) FROM unnest($1) AS one WHERE one = lanes.lane) FROM locked WHERE locked.lane = lanes.lane RETURNING lanes.lane, n::int'
  return (await pool.query(sql, [lanes, by])).rows as { lane: string; n: number }[]
}

const adapter = new PostgresAdapter(pool)
const queue = await adapter.open('orders')
let acked = 0
for (;;) {
  const { rows } = await pool.query("SELECT n::int FROM lanes WHERE lane = 'acked'")
  if ((rows as { n: number }[])[0]!.n >= Number(total)) break
  const { deliveries } = await queue.claim({
    group: 'g',
    limit: 10,
    leaseMs: 600_000,
    maxAttempts: 1,
    lanes: { concurrency: Number(concurrency) },
  })
  const lanes = deliveries.map(({ lane }) => lane!)
  for (const { lane, n } of await change(lanes, 1))
    if (n > Number(concurrency)) process.stdout.write(`over ${lane}\n`)
  // Others have their turn.
  await new Promise((resolve) => setTimeout(resolve, 1))
  await change(lanes, -1)
  const results = await queue.settle(
    'g',
    deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
  )
  const settled = results.filter(({ status }) => status === 'settled').length
  await pool.query("UPDATE lanes SET n = n + $1 WHERE lane = 'acked'", [settled])
  acked += settled
}
process.stdout.write(`acked ${acked}\n`)
await adapter.close()
await pool.end()
