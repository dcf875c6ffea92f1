import { expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'

async function twoOfOneId(): Promise<Queue<string>> {
  const queue = new Queue<string>('q')
  const producer = queue.createProducer()
  await producer.send('v1', { id: 'x' })
  const first = await queue.createConsumer().receive()
  await producer.send('v2', { id: 'x', replace: true })
  await first!.park({ reason: 'r' })
  return queue
}

const taken = async (queue: Queue<string>): Promise<string[]> =>
  (await queue.createConsumer().receiveBatch(10)).map(({ payload }) => payload)

test('a parked message is resumed by an id that a later one has', async () => {
  const queue = await twoOfOneId()
  expect(await queue.resume(['x'])).toEqual([true])
  expect(await queue.resume(['x'])).toEqual([false])
  expect(await taken(queue)).toEqual(['v1', 'v2'])
})

test('where several of an id are parked all are resumed, and the last is edited', async () => {
  const queue = await twoOfOneId()
  const second = await queue.createConsumer().receive()
  await second!.park({ reason: 'r' })
  expect(await queue.edit('x', 'v3')).toBe(true)
  expect(await queue.resume(['x'])).toEqual([true])
  expect(await taken(queue)).toEqual(['v1', 'v3'])
})
