// A process with an outbox on a disk. `node child.ts DIRECTORY ORIGIN FIRST COUNT`: stores that many families of requests, from that
// number on, and sends what waits, until it is killed; with a count of 0 it ends when nothing is left.
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { FAMILIES } from '../support/families.ts'

const [directory, origin, first, count] = process.argv.slice(2)
const queue = new Queue<OutboxPayload>('outbox', { storage: new NodeFsAdapter(directory!) })
const outbox = new Outbox(queue, FAMILIES)
const stop = outbox.start()
process.stdout.write('up\n')

const send = async (method: string, path: string, init: object): Promise<unknown> =>
  await outbox.store(`${origin}/${path}`, { method, ...init })

for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const id = `p${n}`
  await send('POST', 'new', { body: id, id })
  for (const edit of ['1', '2', '3']) await send('PUT', 'tmp', { body: `${id} ${edit}`, after: id })
  await send('DELETE', 'tmp', { after: id })
  process.stdout.write(`${id}\n`)
}
if (count === '0') {
  while ((await outbox.size()) > 0) {
    await outbox.retryNow()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await stop()
  await queue.close()
}
