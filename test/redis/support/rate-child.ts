// Handles what lanes have at a rate, late now and then, until it is killed, and prints `at MS` for each message.
import { RedisAdapter } from '../../../adapters/redis/index.ts'
import { Queue } from '../../../src/index.ts'
import { connectClient } from './clients.ts'

const [url, count] = process.argv.slice(2) as [string, string]
const each = 1000 / Number(count)
const { client } = await connectClient('redis', url)
const queue = new Queue<string>('orders', { storage: new RedisAdapter(client) })
const consumer = queue.createConsumer('g', {
  leaseMs: 60_000,
  lanes: { rate: { count: Number(count), perMs: 1000, burst: 1 } },
})
let handled = 0
await consumer.run(() => {
  process.stdout.write(`at ${Date.now()}\n`)
  // Its timers come late by half of what there is between two messages.
  const end = performance.now() + (handled++ % 3 === 0 ? each / 2 : 0)
  while (performance.now() < end);
})
