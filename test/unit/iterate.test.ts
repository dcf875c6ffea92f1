import { expect, test } from 'vitest'
import { settle } from '../support/settle.ts'
import { expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

test('for await gives messages one at a time, as they come, and ends on break', async () => {
  const { queue, storage, producer, consumer } = setUp<number>()
  await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
  const seen: number[] = []
  const looping = (async () => {
    for await (const message of consumer) {
      seen.push(message.payload)
      await message.ack()
      if (message.payload === 4) break
    }
  })()
  await settle()
  expect(seen).toEqual([1, 2])
  await producer.send(3)
  await settle()
  expect(seen).toEqual([1, 2, 3])
  await producer.sendBatch([{ payload: 4 }, { payload: 5 }])
  await looping
  expect(seen).toEqual([1, 2, 3, 4])
  expect((await queue.stats()).groups['default']).toMatchObject({ acked: 4, ready: 1, leased: 0 })
  expect(storage.listeners).toBe(0)
})

test('takes one message at a time: the rest stays for others', async () => {
  const { queue, producer, consumer } = setUp<number>()
  await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
  for await (const message of consumer) {
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 1, ready: 1 })
    await message.ack()
    break
  }
})

test('a loop that throws leaves the message to its lease', async () => {
  const { clock, producer, consumer } = setUp<number>()
  await producer.send(1)
  const broken = new Error('in the body')
  const looping = (async () => {
    for await (const _ of consumer) throw broken
  })()
  expect(await thrownBy(looping)).toBe(broken)
  await clock.advance(30_000)
  expect((await consumer.receive())?.attempt).toBe(2)
})

test('ends when the queue is closed, while it waits', async () => {
  const { queue, clock, consumer } = setUp<number>()
  const looping = (async () => {
    for await (const _ of consumer) expect.fail('there is nothing')
  })()
  await clock.advance(1_000_000)
  expect(await isPending(looping)).toBe(true)
  await queue.close()
  await looping
})

test('ends when the queue is closed, while its body works', async () => {
  const { queue, producer, consumer } = setUp<number>()
  await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
  const seen: number[] = []
  for await (const message of consumer) {
    seen.push(message.payload)
    await queue.close()
  }
  expect(seen).toEqual([1])
})

test('waits through a pause', async () => {
  const { clock, producer, consumer } = setUp<number>()
  consumer.pause()
  const seen: number[] = []
  const looping = (async () => {
    for await (const message of consumer) {
      seen.push(message.payload)
      break
    }
  })()
  await producer.send(1)
  await clock.advance(1000)
  expect(seen).toEqual([])
  consumer.resume()
  await looping
  expect(seen).toEqual([1])
})

test('a storage that fails ends it with its error', async () => {
  const { storage, consumer } = setUp<number>()
  const broken = new Error('disk on fire')
  storage.fail(broken, 'claim')
  const looping = (async () => {
    for await (const _ of consumer) expect.fail('there is nothing')
  })()
  expect(await thrownBy(looping)).toBe(broken)
})

test('can be gone over again, and by two loops at once', async () => {
  const { producer, consumer } = setUp<number>()
  const seen: number[] = []
  const loop = async (): Promise<void> => {
    for await (const message of consumer) {
      seen.push(message.payload)
      await message.ack()
      break
    }
  }
  const both = Promise.all([loop(), loop()])
  await producer.sendBatch([{ payload: 1 }, { payload: 2 }, { payload: 3 }])
  await both
  await loop()
  expect(seen.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
})

test('messages of a loop can be settled by what is on them only while the queue is open', async () => {
  const { queue, producer, consumer } = setUp<number>()
  await producer.send(1)
  for await (const message of consumer) {
    await queue.close()
    await expectCode(message.ack(), 'CLOSED')
  }
})
