/**
 * Claims and acks what lanes have, with a concurrency, until all is done. It counts what is in flight in a file of its own
 * kind, from after the claim to before the ack, and prints `over LANE` where more of a lane are than may be; in the end
 * `acked COUNT`.
 */
import { DatabaseSync } from 'node:sqlite'
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'

const [file = '', counts = '', concurrency = '', total = ''] = process.argv.slice(2)
const database = new DatabaseSync(counts, { timeout: 60_000 })
const change = database.prepare('UPDATE lanes SET n = n + ? WHERE lane = ? RETURNING n')
const finish = database.prepare("UPDATE lanes SET n = n + ? WHERE lane = 'acked'")
const done = database.prepare("SELECT n FROM lanes WHERE lane = 'acked'")
const add = (by: number, lane: string): number => (change.get(by, lane) as { n: number }).n

const adapter = new SQLiteAdapter(file)
const queue = await adapter.open('orders')
let acked = 0
while (Number(done.get()!['n']) < Number(total)) {
  const { deliveries } = await queue.claim({
    group: 'g',
    limit: 10,
    leaseMs: 600_000,
    maxAttempts: 1,
    lanes: { concurrency: Number(concurrency) },
  })
  for (const { lane } of deliveries)
    if (add(1, lane!) > Number(concurrency)) process.stdout.write(`over ${lane}\n`)
  // Others have their turn.
  await new Promise((resolve) => setTimeout(resolve, 1))
  for (const { lane } of deliveries) add(-1, lane!)
  const results = await queue.settle(
    'g',
    deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
  )
  const settled = results.filter(({ status }) => status === 'settled').length
  finish.run(settled)
  acked += settled
}
process.stdout.write(`acked ${acked}\n`)
await adapter.close()
