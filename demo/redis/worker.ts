// Works on orders, ten at a time, until main.ts ends it one way or the other.
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { QuaysideError, Queue } from '../../src/index.ts'
import { hearParent, tellParent } from '../node/parent.ts'
import type { FromWorker } from './messages.ts'

const [url, leaseMs] = process.argv.slice(2) as [string, string]
hearParent(() => undefined)
const client = await createClient({ url }).connect()
const queue = new Queue<{ order: number }>('orders', { storage: new RedisAdapter(client) })
const consumer = queue.createConsumer('kitchen', { leaseMs: Number(leaseMs) })

for (;;) {
  const messages = await consumer.receiveBatch(10, { waitMs: 1000 })
  if (messages.length === 0) continue
  tellParent<FromWorker>({ type: 'got', ids: messages.map(({ id }) => id) })
  await sleep(60) // The work.
  const done: string[] = []
  const refused: string[] = []
  await Promise.all(
    messages.map(async (message) => {
      try {
        await message.ack()
        done.push(message.id)
      } catch (error) {
        if (!(error instanceof QuaysideError && error.code === 'STALE_RECEIPT')) throw error
        refused.push(message.id)
      }
    }),
  )
  if (done.length > 0) tellParent<FromWorker>({ type: 'done', ids: done })
  if (refused.length > 0) tellParent<FromWorker>({ type: 'refused', ids: refused })
}
