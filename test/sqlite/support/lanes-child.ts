// Works on lanes, and counts in a file of its own kind: see workLanes.
import { DatabaseSync } from 'node:sqlite'
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { workLanes } from '../../support/lane-worker.ts'

const [file = '', counts = '', concurrency = '', total = ''] = process.argv.slice(2)
const database = new DatabaseSync(counts, { timeout: 60_000 })
const change = database.prepare('UPDATE lanes SET n = n + ? WHERE lane = ? RETURNING n')
const finish = database.prepare("UPDATE lanes SET n = n + ? WHERE lane = 'acked'")
const done = database.prepare("SELECT n FROM lanes WHERE lane = 'acked'")

const adapter = new SQLiteAdapter(file)
const ledger = {
  change: async (lanes: readonly string[], by: number): Promise<{ lane: string; n: number }[]> =>
    lanes.map((lane) => ({ lane, n: (change.get(by, lane) as { n: number }).n })),
  acked: async (): Promise<number> => Number(done.get()!['n']),
  addAcked: async (count: number): Promise<void> => void finish.run(count),
}
await workLanes(await adapter.open('orders'), ledger, {
  concurrency: Number(concurrency),
  total: Number(total),
})
await adapter.close()
