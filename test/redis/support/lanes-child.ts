// Claims and acks what lanes have, with a concurrency, until it is told that all is done. In between it counts in the server how many of each
// lane are in flight anywhere, and prints `over LANE` where that is more than may be; and in the end `acked COUNT`.
import { RedisAdapter } from '../../../adapters/redis/index.ts'
import { connectClient } from './clients.ts'
import { pause } from './pause.ts'

const [url, concurrency, total] = process.argv.slice(2).map((text, i) => (i === 0 ? text : Number(text))) as [
  string,
  number,
  number,
]
const { client, command, close } = await connectClient('redis', url)
const adapter = new RedisAdapter(client)
const queue = await adapter.open('orders')
const claim = { group: 'g', limit: 50, leaseMs: 60_000, maxAttempts: 1_000_000, lanes: { concurrency } }
let acked = 0
while (Number(await command('GET', 'acked')) < total) {
  const { deliveries } = await queue.claim(claim)
  if (deliveries.length === 0) await pause(1)
  for (const { lane } of deliveries) {
    if (Number(await command('HINCRBY', 'in-flight', lane!, '1')) > concurrency)
      process.stdout.write(`over ${lane}\n`)
  }
  for (const { lane } of deliveries) await command('HINCRBY', 'in-flight', lane!, '-1')
  const results = await queue.settle(
    'g',
    deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
  )
  const settled = results.filter(({ status }) => status === 'settled').length
  acked += settled
  await command('INCRBY', 'acked', `${settled}`)
}
process.stdout.write(`acked ${acked}\n`)
await adapter.close()
await close()
