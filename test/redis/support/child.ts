// Sends, receives and acks until it is killed, and prints what the server has answered: `sent ID` and `acked ID`.
// What it is about to ack it prints as `acking ID`, because the answer may come to nobody.
import { RedisAdapter } from '../../../adapters/redis/index.ts'
import { uuid } from '../../../src/message-id.ts'
import { type ClientName, connectClient } from './clients.ts'

const [url, client, prefix] = process.argv.slice(2) as [string, ClientName, string]
const say = (what: string, ids: readonly string[]): void => {
  process.stdout.write(ids.map((id) => `${what} ${id}\n`).join(''))
}

const queue = await new RedisAdapter((await connectClient(client, url)).client).open('orders')
for (let round = 0; ; round++) {
  const ids = Array.from({ length: 20 }, (_, i) => `${prefix}-${round}-${i}`)
  await queue.append(
    ids.map((id) => ({ body: 'x'.repeat(200), id })),
    { batchId: uuid() },
  )
  say('sent', ids)
  const { deliveries } = await queue.claim({ group: 'g', limit: 15, leaseMs: 60_000, maxAttempts: 1_000_000 })
  say(
    'got',
    deliveries.map(({ id }) => id),
  )
  say(
    'acking',
    deliveries.map(({ id }) => id),
  )
  const results = await queue.settle(
    'g',
    deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
  )
  say(
    'acked',
    deliveries.filter((_, i) => results[i]!.status === 'settled').map(({ id }) => id),
  )
}
