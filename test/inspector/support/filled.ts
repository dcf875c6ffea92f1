import { Queue, type StorageAdapter } from '../../../src/index.ts'
import { schedule } from '../../../src/schedule/index.ts'

/** Queues of a storage with something of all that the inspector shows, the second of them the schedules. Any runtime can make them. */
export async function filled(storage: StorageAdapter): Promise<Queue[]> {
  const queue = new Queue('orders', { storage })
  const consumer = queue.createConsumer('mailer')
  await consumer.join()
  const ids = ['ack', 'retry', 'park', 'edit', 'no address 1', 'no address 2', 'refused']
  await queue
    .createProducer()
    .sendBatch([
      ...ids.map((id) => ({ id, payload: { of: id }, keepMs: 3_600_000 })),
      { id: 'held', payload: { of: 'ada' }, lane: 'ada' },
      { id: 'later', payload: { of: 'later' }, delayMs: 3_600_000 },
    ])
  await queue.hold({ group: 'mailer', lane: 'ada' })
  for (const message of await consumer.receiveBatch(ids.length)) {
    if (message.id === 'ack') await message.ack({ result: { sent: true } })
    else if (message.id === 'retry') await message.nack({ reason: 'busy', delayMs: 3_600_000 })
    else if (message.id === 'refused') await message.reject({ reason: 'refused by the server' })
    else if (message.id.startsWith('no')) await message.reject({ reason: message.id })
    else await message.park({ reason: 'no such street', data: { field: 'street' } })
  }
  await schedule(queue, 'nightly', { cron: '0 3 * * *' }, { payload: { of: 'the night' } })
  return [queue, new Queue('orders.schedules', { storage })]
}
