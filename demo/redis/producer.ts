// Sends its share of the orders, a few at a time.
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { Queue } from '../../src/index.ts'
import { hearParent, tellParent } from '../node/parent.ts'
import type { FromProducer } from './messages.ts'

const [url, name, count] = process.argv.slice(2) as [string, string, string]
hearParent(() => undefined)
const client = await createClient({ url }).connect()
const queue = new Queue<{ order: number }>('orders', { storage: new RedisAdapter(client) })
const producer = queue.createProducer()

const BURST = 10
for (let order = 0; order < Number(count); order += BURST) {
  const orders = Array.from({ length: Math.min(BURST, Number(count) - order) }, (_, i) => order + i)
  const results = await producer.sendBatch(
    orders.map((number) => ({ payload: { order: number }, id: `${name}-${number}` })),
  )
  tellParent<FromProducer>({ type: 'sent', ids: results.map(({ id }) => id) })
  await sleep(40)
}
tellParent<FromProducer>({ type: 'finished' })
await queue.close()
client.destroy()
process.disconnect()
