// `node sender.ts FILE`: sends what waits in an outbox on SQLite, in a process of its own.
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'

const queue = new Queue<OutboxPayload>('outbox', { storage: new SQLiteAdapter(process.argv[2]!) })
await new Outbox(queue).drain()
await queue.close()
