/** One of several processes that work on a file until they are killed. */
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { workUntilKilled } from '../../support/kill-worker.ts'

const [file = '', ...words] = process.argv.slice(2)
await workUntilKilled(new SQLiteAdapter(file), words)
