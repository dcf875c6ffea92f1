/** One of several processes that work on a file until they are killed. */
import { writeSync } from 'node:fs'
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { workUntilKilled } from '../../../conformance/index.ts'

const [file = '', first] = process.argv.slice(2)
await workUntilKilled(new SQLiteAdapter(file), {
  first: Number(first),
  tell: (text) => void writeSync(1, text),
})
