import type { Queue } from '../../src/index.ts'
import { type Order, orders, read } from './payload.ts'

/** Sends, receives and acks so many, in one batch. */
export type Lap = (count: number) => Promise<void>

/** Work on a queue that leaves it as long as it was, wherever quayside runs. */
export function laps(queue: Queue<Order>): Lap {
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  return async (count) => {
    await producer.sendBatch(orders(0, count).map((payload) => ({ payload })))
    for (let left = count; left > 0;) {
      const messages = await consumer.receiveBatch(left)
      if (messages.length === 0) throw new Error('messages wait and none is delivered')
      for (const { payload } of messages) read(payload)
      await consumer.ackBatch(messages)
      left -= messages.length
    }
  }
}

/** Has so many wait, sent in batches of `size`. */
export async function fill(queue: Queue<Order>, count: number, size = 1000): Promise<void> {
  await queue.createConsumer().join()
  const producer = queue.createProducer()
  for (let n = 0; n < count; n += size) {
    await producer.sendBatch(orders(n, Math.min(size, count - n)).map((payload) => ({ payload })))
  }
}

/** Runs laps of `size` messages for `ms`, and answers with how many messages that were and how long it took. */
export async function slice(lap: Lap, size: number, ms: number): Promise<{ done: number; elapsed: number }> {
  const started = performance.now()
  let done = 0
  let elapsed = 0
  while (elapsed < ms) {
    await lap(size)
    done += size
    elapsed = performance.now() - started
  }
  return { done, elapsed }
}
