import { describe, expect, test } from 'vitest'
import { type Message, Queue } from '../../src/index.ts'
import { type SetUp, expectCode, setUp, thrownBy } from '../support/set-up.ts'

/** Sends messages and receives them. */
async function deliver<T>(
  { producer, consumer }: SetUp<T>,
  ...payloads: readonly T[]
): Promise<Message<T>[]> {
  await producer.sendBatch(payloads.map((payload) => ({ payload })))
  return await consumer.receiveBatch(payloads.length)
}

const group = async ({ queue }: SetUp<string>): Promise<unknown> => (await queue.stats()).groups['default']

describe('ack', () => {
  test('ends the message for the group', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await all.consumer.ack(message!)
    expect(await group(all)).toMatchObject({ ready: 0, leased: 0, dead: 0, acked: 1, failed: 0 })
    await all.clock.advance(100_000)
    expect(await all.consumer.receive()).toBeUndefined()
  })

  test('on the message does the same', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.ack()
    expect(await group(all)).toMatchObject({ leased: 0, acked: 1 })
  })

  test('in a batch is one storage call', async () => {
    const all = setUp<string>()
    const messages = await deliver(all, 'x', 'y', 'z')
    await all.consumer.ackBatch(messages)
    expect(all.storage.count('settle')).toBe(1)
    expect(await group(all)).toMatchObject({ leased: 0, acked: 3 })
  })

  test('of nothing is nothing', async () => {
    const all = setUp<string>()
    await all.consumer.ackBatch([])
    expect(all.storage.count('settle')).toBe(0)
  })

  test('after the lease has ended still counts if nobody else was given the message', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await all.clock.advance(40_000)
    await message!.ack()
    expect(await all.consumer.receive()).toBeUndefined()
  })
})

describe('nack', () => {
  test('delivers the message again after the backoff of the retry policy', async () => {
    const { clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('g', { retry: { initialMs: 1000, factor: 3, maxMs: 5000 } })
    await producer.send('x')
    // Half of 1000, of 3000, and of 5000 (9000, capped): `random` says 0.5.
    for (const [i, wait] of [500, 1500, 2500].entries()) {
      const message = await consumer.receive()
      expect(message?.attempt).toBe(i + 1)
      await consumer.nack(message!)
      await clock.advance(wait - 1)
      expect(await consumer.receive()).toBeUndefined()
      await clock.advance(1)
    }
    expect((await consumer.receive())?.attempt).toBe(4)
  })

  test('with delayMs, after that', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.nack({ delayMs: 7000 })
    expect(await group(all)).toMatchObject({ ready: 0, leased: 0, delayed: 1, failed: 1 })
    await all.clock.advance(6999)
    expect(await all.consumer.receive()).toBeUndefined()
    await all.clock.advance(1)
    expect((await all.consumer.receive())?.attempt).toBe(2)
  })

  test('with delayMs 0, at once', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.nack({ delayMs: 0 })
    expect((await all.consumer.receive())?.attempt).toBe(2)
  })

  test('with a reason, which the next delivery shows', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.nack({ delayMs: 0, reason: 'out of stock' })
    expect((await all.consumer.receive())?.lastError).toBe('out of stock')
  })

  test('with counts: false gives the attempt back, even the last one', async () => {
    const { producer, consumer, queue } = setUp<string>()
    await producer.send('a', { maxAttempts: 1 })
    const held = await consumer.receive()
    await held!.nack({ delayMs: 0, counts: false, reason: 'offline' })
    const again = await consumer.receive()
    expect([again?.attempt, again?.lastError]).toEqual([1, 'offline'])
    await again!.nack({ delayMs: 0 })
    expect((await queue.stats()).groups['default']?.dead).toBe(1)
  })

  test('keeps 4,096 characters of a reason', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.nack({ delayMs: 0, reason: 'r'.repeat(5000) })
    expect((await all.consumer.receive())?.lastError).toHaveLength(4096)
  })

  test('of the last attempt makes a dead letter, whatever the delay', async () => {
    const { queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('g', { retry: { maxAttempts: 2 } })
    await producer.send('x')
    await (await consumer.receive())!.nack({ delayMs: 0, reason: 'first' })
    await (await consumer.receive())!.nack({ delayMs: 0, reason: 'second' })
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.deadLetters('g').list()).messages).toMatchObject([
      { payload: 'x', reason: 'exhausted', attempt: 2, lastError: 'second' },
    ])
  })

  test('in a batch is one storage call', async () => {
    const all = setUp<string>()
    const messages = await deliver(all, 'x', 'y')
    await all.consumer.nackBatch(messages, { delayMs: 0, reason: 'both' })
    expect(all.storage.count('settle')).toBe(1)
    const again = await all.consumer.receiveBatch(5)
    expect(again.map(({ attempt, lastError }) => [attempt, lastError])).toEqual([
      [2, 'both'],
      [2, 'both'],
    ])
    await all.consumer.nackBatch([])
  })

  test('in a batch, messages without a delay of their own spread by the policy', async () => {
    let next = 0
    const all = setUp<string>({ random: () => [0.1, 0.9][next++ % 2]! })
    const messages = await deliver(all, 'x', 'y')
    await all.consumer.nackBatch(messages)
    await all.clock.advance(100)
    expect((await all.consumer.receiveBatch(5)).map(({ payload }) => payload)).toEqual(['x'])
    await all.clock.advance(800)
    expect((await all.consumer.receiveBatch(5)).map(({ payload }) => payload)).toEqual(['y'])
  })

  test('of a message that expires before it is due again makes a dead letter', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('x', { expiresInMs: 5000 })
    await (await consumer.receive())!.nack({ delayMs: 5000, reason: 'busy' })
    expect((await queue.deadLetters().list()).messages).toMatchObject([
      { reason: 'expired', lastError: 'busy' },
    ])
  })
})

describe('reject', () => {
  test('makes a dead letter at once', async () => {
    const all = setUp<string>()
    const [x, y] = await deliver(all, 'x', 'y')
    await all.consumer.reject(x!, { reason: 'no such customer' })
    await y!.reject()
    expect(await group(all)).toMatchObject({ ready: 0, leased: 0, delayed: 0, dead: 2 })
    expect((await all.queue.deadLetters().list()).messages).toMatchObject([
      { payload: 'x', reason: 'rejected', attempt: 1, lastError: 'no such customer' },
      { payload: 'y', reason: 'rejected', attempt: 1, lastError: undefined },
    ])
  })
})

describe('extend', () => {
  test('keeps the message for so long from now', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await all.clock.advance(20_000)
    await all.consumer.extend(message!, 60_000)
    expect(message!.leaseUntil).toBe(all.clock.now() + 60_000)
    await all.clock.advance(59_999)
    expect(await all.consumer.receive()).toBeUndefined()
    await all.clock.advance(1)
    expect((await all.consumer.receive())?.attempt).toBe(2)
  })

  test('may also shorten it', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.extend(1000)
    expect(message!.leaseUntil).toBe(all.clock.now() + 1000)
    await all.clock.advance(1000)
    expect((await all.consumer.receive())?.attempt).toBe(2)
  })

  test('leaves the message to be settled later', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    await message!.extend(1000)
    await message!.extend(60_000)
    await all.clock.advance(50_000)
    await message!.ack()
    expect(await group(all)).toMatchObject({ leased: 0, acked: 1 })
  })
})

describe('a receipt', () => {
  test('settles once', async () => {
    const all = setUp<string>()
    const [a, b, c] = await deliver(all, 'a', 'b', 'c')
    await a!.ack()
    await b!.nack()
    await c!.reject()
    for (const message of [a!, b!, c!]) {
      await expectCode(message.ack(), 'STALE_RECEIPT', 'ack', message.id)
      await expectCode(message.nack(), 'STALE_RECEIPT', 'nack', message.id)
      await expectCode(message.reject(), 'STALE_RECEIPT', 'reject', message.id)
      await expectCode(message.extend(1000), 'STALE_RECEIPT', 'extend', message.id)
    }
    expect(await group(all)).toMatchObject({ acked: 1, delayed: 1, dead: 1, leased: 0 })
  })

  test('used twice at the same time settles once', async () => {
    const all = setUp<string>()
    const [message] = await deliver(all, 'x')
    const results = await Promise.allSettled([message!.ack(), message!.nack(), message!.ack()])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(await group(all)).toMatchObject({ acked: 1, delayed: 0 })
  })

  test('is refused once the message went to somebody else, and changes nothing', async () => {
    const all = setUp<string>()
    const [old] = await deliver(all, 'x')
    await all.clock.advance(30_000)
    const current = await all.queue.createConsumer().receive()
    await expectCode(old!.ack(), 'STALE_RECEIPT', old!.id)
    await expectCode(old!.nack({ delayMs: 0 }), 'STALE_RECEIPT')
    await expectCode(old!.reject(), 'STALE_RECEIPT')
    const until = old!.leaseUntil
    await expectCode(old!.extend(90_000), 'STALE_RECEIPT')
    expect(old!.leaseUntil).toBe(until)
    expect(await group(all)).toMatchObject({ leased: 1, dead: 0, acked: 0 })
    await current!.ack()
    expect(await group(all)).toMatchObject({ leased: 0, acked: 1 })
  })

  test('is refused after cancel, purge and deleteGroup', async () => {
    const all = setUp<string>()
    const [a] = await deliver(all, 'a')
    await all.queue.cancel([a!.id])
    await expectCode(a!.ack(), 'STALE_RECEIPT')
    const [b] = await deliver(all, 'b')
    await all.queue.purge()
    await expectCode(b!.nack(), 'STALE_RECEIPT')
    const [c] = await deliver(all, 'c')
    await all.queue.deleteGroup('default')
    await expectCode(c!.extend(1000), 'STALE_RECEIPT')
  })

  test('that is stale does not hinder the others of a batch; the error says which they are', async () => {
    const all = setUp<string>()
    const messages = await deliver(all, 'a', 'b', 'c', 'd')
    await messages[1]!.ack()
    await messages[3]!.ack()
    const ids = [messages[1]!.id, messages[3]!.id]
    const error = await expectCode(
      all.consumer.ackBatch(messages),
      'STALE_RECEIPT',
      'ackBatch',
      ...ids,
      'the other 2 are done',
    )
    expect(error.stale).toEqual(ids)
    expect(await group(all)).toMatchObject({ leased: 0, acked: 4 })
  })
})

describe('a storage that fails', () => {
  test('rejects every way to settle with its own error, and each may be tried again', async () => {
    const all = setUp<string>()
    const { consumer, storage } = all
    const [message, other] = await deliver(all, 'x', 'y')
    const broken = new Error('disk on fire')
    storage.fail(broken, 'settle')
    expect(await thrownBy(message!.ack())).toBe(broken)
    expect(await thrownBy(consumer.ackBatch([message!, other!]))).toBe(broken)
    expect(await thrownBy(message!.nack())).toBe(broken)
    expect(await thrownBy(consumer.nackBatch([message!]))).toBe(broken)
    expect(await thrownBy(message!.reject())).toBe(broken)
    expect(await thrownBy(message!.extend(10))).toBe(broken)
    storage.work()
    await consumer.ackBatch([message!, other!])
    expect(await group(all)).toMatchObject({ acked: 2, leased: 0 })
  })
})

test('the consumer of another queue object can go on where the first was closed', async () => {
  const all = setUp<string>()
  const first = new Queue<string>('orders', { storage: all.storage, clock: all.clock })
  await first.createProducer().send('x')
  expect((await first.createConsumer().receive())?.attempt).toBe(1)
  await first.close()
  await all.clock.advance(30_000)
  expect((await all.consumer.receive())?.attempt).toBe(2)
})
