import { describe, expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { setUp } from '../support/set-up.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('send', () => {
  test('answers with the id and `stored`', async () => {
    const { producer, consumer } = setUp()
    const { id, status } = await producer.send({ total: 42 })
    expect(status).toBe('stored')
    expect((await consumer.receive())?.id).toBe(id)
  })

  test('makes ids that are UUIDs v7, unique, and in order inside one batch', async () => {
    const { producer } = setUp()
    const alone = [await producer.send(1), await producer.send(2)]
    const together = await producer.sendBatch(Array.from({ length: 300 }, (_, i) => ({ payload: i })))
    const ids = [...alone, ...together].map(({ id }) => id)
    for (const id of ids) expect(id).toMatch(UUID_V7)
    expect(new Set(ids).size).toBe(302)
    const batch = together.map(({ id }) => id)
    expect(batch.toSorted()).toEqual(batch)
  })

  test('makes the ids of one append from one injected id', async () => {
    let calls = 0
    const id = (): string => `0190c0de-0000-7000-8000-0${String(++calls).padStart(11, '0')}`
    const { producer } = setUp({ id })
    const [a, b] = await Promise.all([producer.send('a'), producer.send('b')])
    expect(calls).toBe(1)
    expect(a.id.slice(0, 28)).toBe('0190c0de-0000-7000-8000-0000')
    expect(b.id.slice(0, 28)).toBe('0190c0de-0000-7000-8000-0000')
    expect(a.id).not.toBe(b.id)
    await producer.send('c')
    expect(calls).toBe(2)
  })

  test('keeps the order, over single sends and batches', async () => {
    const { producer, consumer } = setUp<number>()
    void producer.send(1)
    void producer.sendBatch([{ payload: 2 }, { payload: 3 }])
    void producer.send(4)
    await settle()
    void producer.send(5)
    await producer.sendBatch([{ payload: 6 }])
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('notes the time', async () => {
    const { clock, producer, consumer } = setUp()
    await clock.advance(5000)
    const sentAt = clock.now()
    await producer.send('x')
    await clock.advance(5000)
    expect((await consumer.receive())?.timestamp).toBe(sentAt)
  })

  test('stores what the payload was when send was called', async () => {
    const { producer, consumer } = setUp()
    const object = { total: 1 }
    const bytes = new Uint8Array([1, 2, 3])
    const sent = [producer.send(object), producer.send(bytes)]
    object.total = 2
    bytes.fill(9)
    await Promise.all(sent)
    bytes.fill(8)
    const messages = await consumer.receiveBatch(2)
    expect(messages.map(({ payload }) => payload)).toEqual([{ total: 1 }, new Uint8Array([1, 2, 3])])
  })

  test('stores what a Node Buffer was when send was called', async () => {
    const { producer, consumer } = setUp<Uint8Array>()
    const buffer = Buffer.from('abc')
    await producer.send(buffer)
    buffer.fill(0)
    const message = await consumer.receive()
    expect([...message!.payload]).toEqual([97, 98, 99])
  })

  test('of several producers ends in one queue, and of another queue elsewhere', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    const other = new Queue('other', { storage, clock })
    await producer.send('first')
    await queue.createProducer().send('second')
    await other.createProducer().send('elsewhere')
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual(['first', 'second'])
    await other.close()
  })
})

describe('option id', () => {
  test('names the message', async () => {
    const { producer, consumer } = setUp()
    expect(await producer.send('x', { id: 'order-1' })).toEqual({ id: 'order-1', status: 'stored' })
    expect((await consumer.receive())?.id).toBe('order-1')
  })

  test('sent again while retained is a duplicate and stored once', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('first', { id: 'a' })
    expect(await producer.send('second', { id: 'a' })).toEqual({ id: 'a', status: 'duplicate' })
    expect((await queue.stats()).messages).toBe(1)
    const message = await consumer.receive()
    expect(message?.payload).toBe('first')
    expect((await producer.send('third', { id: 'a' })).status).toBe('duplicate')
    await message?.ack()
    expect((await producer.send('fourth', { id: 'a' })).status).toBe('stored')
  })

  test('twice at the same time, or twice in one batch, is stored once', async () => {
    const { queue, producer } = setUp()
    const results = await Promise.all([
      producer.send(1, { id: 'a' }),
      producer.send(2, { id: 'a' }),
      producer.send(3, { id: 'b' }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['stored', 'duplicate', 'stored'])
    const batch = await producer.sendBatch([
      { payload: 1, id: 'c' },
      { payload: 2, id: 'c' },
    ])
    expect(batch.map(({ status }) => status)).toEqual(['stored', 'duplicate'])
    expect((await queue.stats()).messages).toBe(3)
  })
})

describe('option replace', () => {
  test('replaces a message that waits, in its place', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('old', { id: 'a', headers: { v: '1' } })
    await producer.send('behind')
    const result = await producer.send('new', { id: 'a', headers: { v: '2' }, replace: true })
    expect(result).toEqual({ id: 'a', status: 'replaced' })
    expect((await queue.stats()).messages).toBe(2)
    const [first, second] = await consumer.receiveBatch(10)
    expect(first?.payload).toBe('new')
    expect(first?.headers).toEqual({ v: '2' })
    expect(second?.payload).toBe('behind')
  })

  test('queues the new message behind one that somebody works on', async () => {
    const { producer, consumer } = setUp()
    await producer.send('old', { id: 'a' })
    const held = await consumer.receive()
    expect((await producer.send('new', { id: 'a', replace: true })).status).toBe('stored')
    expect(held?.payload).toBe('old')
    await held?.ack()
    expect((await consumer.receive())?.payload).toBe('new')
  })

  test('twice at the same time: the last one stands', async () => {
    const { producer, consumer } = setUp()
    const results = await Promise.all(
      ['first', 'second', 'third'].map((payload) => producer.send(payload, { id: 'a', replace: true })),
    )
    expect(results.map(({ status }) => status)).toEqual(['stored', 'replaced', 'replaced'])
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual(['third'])
  })

  test('false is as without it', async () => {
    const { producer, consumer } = setUp()
    await producer.send('old', { id: 'a' })
    expect((await producer.send('new', { id: 'a', replace: false })).status).toBe('duplicate')
    expect((await consumer.receive())?.payload).toBe('old')
  })
})

describe('option dedupeMs', () => {
  test('keeps the id known for so long after the message was done', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x', { id: 'a', dedupeMs: 60_000 })
    await clock.advance(100_000)
    await (await consumer.receive())?.ack()
    await clock.advance(59_999)
    expect((await producer.send('y', { id: 'a' })).status).toBe('duplicate')
    await clock.advance(1)
    expect((await producer.send('z', { id: 'a' })).status).toBe('stored')
    expect((await consumer.receive())?.payload).toBe('z')
  })

  test('without it the id is free as soon as the message is done', async () => {
    const { producer, consumer } = setUp()
    await producer.send('x', { id: 'a' })
    await (await consumer.receive())?.ack()
    expect((await producer.send('y', { id: 'a' })).status).toBe('stored')
  })
})

describe('option key', () => {
  test('messages of one key are delivered one at a time and in order, others pass them', async () => {
    const { producer, consumer } = setUp<string>()
    await producer.sendBatch([
      { payload: 'a1', key: 'a' },
      { payload: 'a2', key: 'a' },
      { payload: 'b1', key: 'b' },
      { payload: 'free' },
    ])
    const first = await consumer.receiveBatch(10)
    expect(first.map(({ payload }) => payload)).toEqual(['a1', 'b1', 'free'])
    expect(first.map(({ key }) => key)).toEqual(['a', 'b', undefined])
    expect(await consumer.receive()).toBeUndefined()
    await first[0]!.ack()
    expect((await consumer.receive())?.payload).toBe('a2')
  })

  test('a retry blocks its successors, a dead letter does not', async () => {
    const { clock, producer, consumer } = setUp<string>()
    await producer.sendBatch([
      { payload: 'a1', key: 'a' },
      { payload: 'a2', key: 'a' },
    ])
    await (await consumer.receive())?.nack({ delayMs: 1000 })
    expect(await consumer.receive()).toBeUndefined()
    await clock.advance(1000)
    const again = await consumer.receive()
    expect(again?.payload).toBe('a1')
    await again?.reject()
    expect((await consumer.receive())?.payload).toBe('a2')
  })
})

describe('option headers', () => {
  test('travel with the message, and are empty without', async () => {
    const { producer, consumer } = setUp()
    await producer.send('x', { headers: { trace: 'abc', 'content-type': 'text/plain' } })
    await producer.send('y')
    const [x, y] = await consumer.receiveBatch(2)
    expect(x?.headers).toEqual({ trace: 'abc', 'content-type': 'text/plain' })
    expect(y?.headers).toEqual({})
  })

  test('are stored as they were when send was called', async () => {
    const { producer, consumer } = setUp()
    const headers = { trace: 'abc' }
    const sent = producer.send('x', { headers })
    headers.trace = 'changed'
    await sent
    expect((await consumer.receive())?.headers).toEqual({ trace: 'abc' })
  })

  test('cannot be changed for others by one who received them', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x', { headers: { trace: 'abc' } })
    const message = await consumer.receive()
    try {
      ;(message!.headers as Record<string, string>)['trace'] = 'changed'
    } catch {
      // As good: they are frozen.
    }
    expect((await queue.createConsumer('other').receive())?.headers).toEqual({ trace: 'abc' })
  })
})

describe('option delayMs', () => {
  test('holds the delivery back for so long, to the ms', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.send('late', { delayMs: 5000 })
    await producer.send('now')
    expect((await consumer.receive())?.payload).toBe('now')
    await clock.advance(4999)
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.stats()).groups['default']).toMatchObject({ delayed: 1, ready: 0 })
    await clock.advance(1)
    expect((await consumer.receive())?.payload).toBe('late')
  })

  test('0 is at once', async () => {
    const { producer, consumer } = setUp()
    await producer.send('x', { delayMs: 0 })
    expect((await consumer.receive())?.payload).toBe('x')
  })
})

describe('option expiresInMs', () => {
  test('makes it a dead letter, `expired`, after so long', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.send('x', { expiresInMs: 5000 })
    await producer.send('y', { expiresInMs: 5000 })
    await clock.advance(4999)
    expect((await consumer.receive())?.payload).toBe('x')
    await clock.advance(1)
    expect((await queue.stats()).groups['default']?.ready).toBe(0)
    expect(await consumer.receive()).toBeUndefined()
    const { messages } = await queue.deadLetters().list()
    expect(messages).toMatchObject([{ payload: 'y', reason: 'expired', attempt: 0 }])
  })
})

describe('option maxAttempts', () => {
  test('counts for this message instead of what the consumer says', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x', { maxAttempts: 1 })
    await producer.send('y')
    const [x, y] = await consumer.receiveBatch(2)
    expect(x?.maxAttempts).toBe(1)
    expect(y?.maxAttempts).toBe(4)
    await x?.nack({ delayMs: 0 })
    await y?.nack({ delayMs: 0 })
    expect((await consumer.receiveBatch(2)).map(({ payload }) => payload)).toEqual(['y'])
    expect((await queue.deadLetters().list()).messages).toMatchObject([{ payload: 'x', reason: 'exhausted' }])
  })
})

describe('sendBatch', () => {
  test('is one storage call, and answers in order', async () => {
    const { storage, producer } = setUp()
    const results = await producer.sendBatch([
      { payload: 1, id: 'a' },
      { payload: 2, id: 'b', delayMs: 10 },
      { payload: 3 },
      { payload: 4, id: 'a' },
    ])
    expect(storage.count('append')).toBe(1)
    expect(results.map(({ status }) => status)).toEqual(['stored', 'stored', 'stored', 'duplicate'])
    expect(results.map(({ id }) => id)).toEqual(['a', 'b', expect.stringMatching(UUID_V7), 'a'])
  })

  test('takes all options for each message', async () => {
    const { clock, producer, consumer, queue } = setUp()
    await producer.sendBatch([
      { payload: 'a', key: 'k', headers: { h: '1' }, maxAttempts: 2, id: 'one', dedupeMs: 1000 },
      { payload: 'b', delayMs: 100 },
      { payload: 'c', expiresInMs: 50 },
    ])
    await clock.advance(100)
    const [a, b] = await consumer.receiveBatch(3)
    expect(a).toMatchObject({ id: 'one', key: 'k', headers: { h: '1' }, maxAttempts: 2, payload: 'a' })
    expect(b?.payload).toBe('b')
    expect((await queue.deadLetters().list()).messages.map(({ payload }) => payload)).toEqual(['c'])
  })

  test('of nothing stores nothing', async () => {
    const { storage, producer } = setUp()
    expect(await producer.sendBatch([])).toEqual([])
    expect(storage.count('append')).toBe(0)
  })
})

describe('groups', () => {
  test('a message sent before any group exists waits for the first, wherever that starts', async () => {
    const queue = new Queue<string>('orders')
    await queue.createProducer().send('early')
    const consumer = queue.createConsumer('first', { from: 'latest' })
    expect((await consumer.receive())?.payload).toBe('early')
  })

  test('every group gets every message, in a group one consumer gets it', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x')
    expect((await consumer.receive())?.payload).toBe('x')
    expect(await queue.createConsumer().receive()).toBeUndefined()
    const other = await queue.createConsumer('audit').receive()
    expect(other).toMatchObject({ payload: 'x', group: 'audit', attempt: 1 })
  })

  test('a later group starts at the earliest retained message', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('done')
    await (await consumer.receive())?.ack()
    await producer.send('retained')
    const later = queue.createConsumer('later', { from: 'earliest' })
    expect((await later.receive())?.payload).toBe('retained')
    expect((await queue.createConsumer('default').receive())?.payload).toBe('retained')
  })

  test('a later group with `latest` starts at new messages', async () => {
    const { queue, producer, consumer } = setUp()
    await consumer.receive()
    await producer.send('old')
    const later = queue.createConsumer('later', { from: 'latest' })
    expect(await later.receive()).toBeUndefined()
    await producer.send('new')
    expect((await later.receive())?.payload).toBe('new')
  })

  test('a message is retained until all groups are done with it', async () => {
    const { queue, producer, consumer } = setUp()
    const audit = queue.createConsumer('audit')
    await audit.receive()
    await producer.send('x')
    await (await consumer.receive())?.ack()
    expect((await queue.stats()).bytes).toBeGreaterThan(0)
    await (await audit.receive())?.ack()
    expect(await queue.stats()).toMatchObject({ messages: 0, bytes: 0 })
  })
})

test('what is replaced again and again waits for quiet, but for maxDelayMs at most', async () => {
  const { clock, queue, producer, consumer } = setUp<number>()
  const stop = new AbortController()
  const seen: [number, number][] = []
  const start = clock.now()
  const running = consumer.run(({ payload }) => void seen.push([payload, clock.now() - start]), {
    signal: stop.signal,
  })
  for (let i = 0; i < 40; i++) {
    await producer.send(i, { id: 'draft', replace: true, delayMs: 100, maxDelayMs: 500 })
    await clock.advance(50)
  }
  await clock.advance(1000)
  expect(seen.map(([, at]) => at)).toEqual([500, 1000, 1500, 2000])
  expect(seen.at(-1)![0]).toBe(39)
  stop.abort()
  await running
  expect((await queue.stats()).messages).toBe(0)
})
