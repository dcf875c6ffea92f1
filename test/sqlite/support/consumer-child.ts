/**
 * Waits for messages, tells of each when it has come, acks it, and tells so: `ready`, then lines `got PAYLOAD LATE`, with how
 * many ms after its sending it came. Ends when the message `end` has come; then `cpu MS`: what it has cost since `ready`.
 */
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { Queue } from '../../../src/index.ts'

const [file = ''] = process.argv.slice(2)
const queue = new Queue<readonly [name: string, at: number]>('wake', { storage: new SQLiteAdapter(file) })
const consumer = queue.createConsumer()
await consumer.receive()
const now = (): number => performance.timeOrigin + performance.now()
process.stdout.write('ready\n')
const before = process.cpuUsage()
for (let ended = false; !ended;) {
  // Longer than the test: nobody looks by himself.
  const message = await consumer.receive({ waitMs: 600_000 })
  const [name, at] = message!.payload
  const late = now() - at
  await message!.ack()
  process.stdout.write(`got ${name} ${late}\n`)
  ended = name === 'end'
}
const { user, system } = process.cpuUsage(before)
process.stdout.write(`cpu ${(user + system) / 1000}\n`)
await queue.close()
