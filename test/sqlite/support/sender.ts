// `node sender.ts FILE [URL]`: sends what waits in an outbox on SQLite, in a process of its own; and then three requests to that URL,
// which come and go.
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'

const [, , file, url] = process.argv
const queue = new Queue<OutboxPayload>('outbox', { storage: new SQLiteAdapter(file!) })
const outbox = new Outbox(queue)
await outbox.drain()
if (url !== undefined)
  for (const body of ['yes', 'no', 'yes']) await outbox.fetch(url, { method: 'POST', body })
await queue.close()
