import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'

test('the limits of lanes can be changed while a consumer works', async () => {
  const queue = new Queue<string>('calls', { storage: new MemoryAdapter() })
  const producer = queue.createProducer()
  for (const payload of ['1', '2', '3', '4', '5']) await producer.send(payload, { lane: 'api' })
  const consumer = queue.createConsumer('caller', { lanes: { concurrency: 3 } })
  const [first, second, third] = await consumer.receiveBatch(10)
  expect(third!.payload).toBe('3')
  consumer.lanes = { concurrency: 3, names: { api: { concurrency: 1 } } }
  expect(consumer.lanes).toEqual({ concurrency: 3, names: { api: { concurrency: 1 } } })
  await first!.ack()
  await second!.ack()
  expect(await consumer.receive()).toBeUndefined()
  await third!.ack()
  const [fourth, ...none] = await consumer.receiveBatch(10)
  expect(none).toEqual([])
  consumer.lanes = undefined
  await fourth!.ack()
  expect((await consumer.receiveBatch(10)).length).toBe(1)
  await expectCode(() => (consumer.lanes = { concurrency: 0 }), 'INVALID_ARGUMENT', 'consumer.lanes')
  expect(queue.guarantees.name).toBe('memory')
  await queue.close()
})
