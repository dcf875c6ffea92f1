// Owns a directory, and sends, acks, retries and rejects until its standard input ends. Then says what it has seen.
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'

const storage = new NodeFsAdapter(process.argv[2]!, { durability: 'os' })
const queue = new Queue<{ n: number; text: string }>('orders', { storage })
const producer = queue.createProducer()
const consumer = queue.createConsumer('billing', { retry: { maxAttempts: 2, initialMs: 1, maxMs: 1 } })
const text = 'x'.repeat(3000)
let sent = 0
let acked = 0
let stopped = false
process.stdin.on('end', () => (stopped = true)).resume()

const isStopped = (): boolean => stopped
while (!isStopped()) {
  await producer.sendBatch(Array.from({ length: 20 }, () => ({ payload: { n: sent++, text } })))
  if (sent === 20) process.stdout.write('ready\n')
  for (const message of await consumer.receiveBatch(20)) {
    if (message.payload.n % 1000 === 7) await message.reject({ reason: 'unlucky' })
    else if (message.payload.n % 50 === 3 && message.attempt === 1) await message.nack({ reason: 'busy' })
    else {
      await message.ack()
      acked++
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 10))
}
const { groups } = await queue.stats()
await queue.close()
process.stdout.write(`${JSON.stringify({ sent, acked, counted: groups['billing']!.acked })}\n`)
