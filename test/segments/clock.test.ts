import { expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { WaitingAdapter } from '../support/waiting-adapter.ts'

test('a verb ends, though the time moves on with each read of a store that has to wait', async () => {
  let now = Date.UTC(2030, 0, 1)
  const queue = new Queue<string>('q', { storage: new WaitingAdapter({ clock: { now: () => ++now } }) })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  await consumer.join()
  await producer.sendBatch([
    { payload: 'retried' },
    { payload: 'delayed', delayMs: 1 },
    { payload: 'expired', expiresInMs: 10 },
    { payload: 'remembered', id: 'a', dedupeMs: 1 },
  ])
  await (await consumer.receive())!.nack({ delayMs: 1 })
  now += 1000
  expect((await queue.stats()).messages).toBe(3)
  expect((await queue.list()).messages.length).toBe(3)
  const messages = await consumer.receiveBatch(10)
  expect(messages.map(({ payload }) => payload).toSorted()).toEqual(['delayed', 'remembered', 'retried'])
  await consumer.ackBatch(messages)
  expect((await queue.stats()).groups['default']).toMatchObject({ acked: 3, dead: 1, delayed: 0, ready: 0 })
  await queue.close()
})
