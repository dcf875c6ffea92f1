import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Message, Queue } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

const HOUR = 3_600_000

describe('receive', () => {
  test('answers with a message that says all about itself', async () => {
    const { clock, queue, producer } = setUp<{ total: number }>()
    const consumer = queue.createConsumer('billing', { leaseMs: 7000, retry: { maxAttempts: 3 } })
    const sentAt = clock.now()
    await producer.send({ total: 42 }, { id: 'one', key: 'k', headers: { h: '1' } })
    await clock.advance(10)
    const message = await consumer.receive()
    expect(message).toBeInstanceOf(Message)
    expect(message).toMatchObject({
      id: 'one',
      payload: { total: 42 },
      headers: { h: '1' },
      timestamp: sentAt,
      attempt: 1,
      maxAttempts: 3,
      key: 'k',
      group: 'billing',
      leaseUntil: clock.now() + 7000,
      lastError: undefined,
    })
  })

  test('answers with undefined if there is nothing, and does not wait', async () => {
    const { clock, consumer } = setUp()
    expect(await consumer.receive()).toBeUndefined()
    expect(clock.timers).toBe(0)
  })

  test('gives each message to one consumer of a group', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const other = queue.createConsumer()
    const received = await Promise.all([consumer.receive(), other.receive(), consumer.receive()])
    expect(received.map((message) => message?.payload)).toEqual([1, 2, undefined])
  })

  test('passes over what cannot be read to the next message', async () => {
    const { storage, clock, queue } = setUp()
    const raw = new Queue<string>('orders', {
      storage,
      clock,
      codec: { encode: (text) => text, decode: String },
    })
    await raw.createProducer().sendBatch([{ payload: '{broken' }, { payload: '[' }, { payload: '"good"' }])
    expect((await queue.createConsumer().receive())?.payload).toBe('good')
    expect((await queue.stats()).groups['default']).toMatchObject({ dead: 2, leased: 1 })
    await raw.close()
  })
})

describe('receiveBatch', () => {
  test('takes up to `limit` messages in one storage call', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3, 4, 5].map((payload) => ({ payload })))
    const first = await consumer.receiveBatch(3)
    expect(first.map(({ payload }) => payload)).toEqual([1, 2, 3])
    expect((await consumer.receiveBatch(3)).map(({ payload }) => payload)).toEqual([4, 5])
    expect(await consumer.receiveBatch(3)).toEqual([])
    expect(storage.count('claim')).toBe(3)
  })

  test('asks for no more at once than the storage takes', async () => {
    const { storage, producer, consumer } = setUp({ guarantees: { maxBatch: 10 } })
    await producer.sendBatch(Array.from({ length: 10 }, () => ({ payload: 1 })))
    await producer.sendBatch(Array.from({ length: 10 }, () => ({ payload: 2 })))
    expect(await consumer.receiveBatch(1000)).toHaveLength(10)
    expect(storage.of('claim')[0]?.args).toMatchObject([{ limit: 10 }])
  })
})

describe('join', () => {
  test('makes the group, so that it gets what others finish with before it looks', async () => {
    const { queue, producer, consumer } = setUp()
    const audit = queue.createConsumer('audit')
    await audit.join()
    await audit.join()
    expect(Object.keys((await queue.stats()).groups).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'audit',
      'default',
    ])
    await producer.send('x')
    await (await consumer.receive())!.ack()
    expect((await audit.receive())?.payload).toBe('x')
  })

  test('takes no message, and starts where the consumer says', async () => {
    const { queue, producer, consumer } = setUp()
    await consumer.join()
    await producer.send('old')
    const later = queue.createConsumer('later', { from: 'latest' })
    await later.join()
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 1, leased: 0 })
    await producer.send('new')
    expect((await later.receive())?.payload).toBe('new')
  })
})

describe('option leaseMs', () => {
  test('is how long a message belongs to its consumer; then another may have it', async () => {
    const { clock, queue, producer } = setUp()
    const consumer = queue.createConsumer('default', { leaseMs: 5000 })
    await producer.send('x')
    const first = await consumer.receive()
    await clock.advance(4999)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    await clock.advance(1)
    const second = await queue.createConsumer().receive()
    expect(second).toMatchObject({ id: first!.id, attempt: 2 })
    expect(second?.lastError).toContain('lease')
  })

  test('is 30 s by default', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x')
    expect((await consumer.receive())?.leaseUntil).toBe(clock.now() + 30_000)
    await clock.advance(29_999)
    expect(await consumer.receive()).toBeUndefined()
    await clock.advance(1)
    expect((await consumer.receive())?.attempt).toBe(2)
  })

  test('a message that its consumers never settle becomes a dead letter', async () => {
    const { clock, queue, producer } = setUp()
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 2 } })
    await producer.send('x')
    expect((await consumer.receive())?.attempt).toBe(1)
    await clock.advance(1000)
    expect((await consumer.receive())?.attempt).toBe(2)
    await clock.advance(1000)
    expect(await consumer.receive()).toBeUndefined()
    const { messages } = await queue.deadLetters().list()
    expect(messages).toMatchObject([{ reason: 'exhausted', attempt: 2 }])
  })
})

describe('option waitMs', () => {
  test('does not wait when there is a message', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x')
    expect((await consumer.receive({ waitMs: HOUR }))?.payload).toBe('x')
    expect(clock.timers).toBe(0)
  })

  test('waits for a send, also by another queue object on the same storage', async () => {
    const { storage, clock, consumer } = setUp()
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(1000)
    expect(await isPending(waiting)).toBe(true)
    const other = new Queue('orders', { storage, clock })
    await other.createProducer().send('x')
    expect((await waiting)?.payload).toBe('x')
    await other.close()
  })

  test('waits for a delay to be over, to the ms', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x', { delayMs: 5000 })
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(4999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect((await waiting)?.payload).toBe('x')
  })

  test('waits for a delay that begins while it waits', async () => {
    const { clock, producer, consumer } = setUp()
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(100)
    await producer.send('x', { delayMs: 5000 })
    await clock.advance(4999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect((await waiting)?.payload).toBe('x')
  })

  test('waits for a retry, and for the end of somebody’s lease', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.send('x')
    const first = await consumer.receive()
    const waiting = consumer.receive({ waitMs: HOUR })
    await first?.nack({ delayMs: 3000 })
    await clock.advance(3000)
    expect((await waiting)?.attempt).toBe(2)
    const again = queue.createConsumer().receive({ waitMs: HOUR })
    await clock.advance(29_999)
    expect(await isPending(again)).toBe(true)
    await clock.advance(1)
    expect((await again)?.attempt).toBe(3)
  })

  test('waits for an ordering key to come free', async () => {
    const { producer, consumer } = setUp()
    await producer.send('a', { key: 'k' })
    await producer.send('b', { key: 'k' })
    const first = await consumer.receive()
    const waiting = consumer.receive({ waitMs: HOUR })
    expect(await isPending(waiting)).toBe(true)
    await first?.ack()
    expect((await waiting)?.payload).toBe('b')
  })

  test('is over when it is over: undefined, or an empty array', async () => {
    const { clock, consumer } = setUp()
    const one = consumer.receive({ waitMs: 5000 })
    const many = consumer.receiveBatch(10, { waitMs: 5000 })
    await clock.advance(4999)
    expect(await isPending(one)).toBe(true)
    await clock.advance(1)
    expect(await one).toBeUndefined()
    expect(await many).toEqual([])
  })

  test('waits for the first message of a batch, not for the batch to fill', async () => {
    const { producer, consumer } = setUp()
    const waiting = consumer.receiveBatch(10, { waitMs: HOUR })
    await settle()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    expect(await waiting).toHaveLength(2)
  })

  test('claims nothing while nothing happens, but looks every half a minute, because a hint may be lost', async () => {
    const { storage, clock, consumer } = setUp()
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(0)
    const before = storage.count('claim')
    await clock.advance(29_000)
    expect(storage.count('claim')).toBe(before)
    await clock.advance(HOUR - 29_001)
    expect(storage.count('claim')).toBeLessThanOrEqual(before + 120)
    expect(storage.count('claim')).toBeGreaterThanOrEqual(before + 119)
    await clock.advance(1)
    expect(await waiting).toBeUndefined()
  })

  test('may be longer than a timer can be', async () => {
    const { clock, producer, consumer } = setUp()
    const waiting = consumer.receive({ waitMs: Number.MAX_SAFE_INTEGER })
    clock.jump(2 ** 32)
    await clock.advance(1)
    expect(await isPending(waiting)).toBe(true)
    await producer.send('x')
    expect((await waiting)?.payload).toBe('x')
  })

  test('asks a storage that cannot wake it once a second', async () => {
    const { storage, clock, producer, consumer } = setUp({ watch: false })
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(999)
    expect(storage.count('claim')).toBe(1)
    await clock.advance(5001)
    expect(storage.count('claim')).toBe(7)
    await producer.send('x')
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1000)
    expect((await waiting)?.payload).toBe('x')
  })

  test('on a storage that cannot wake it, still looks when a delay is over', async () => {
    const { clock, producer, consumer } = setUp({ watch: false })
    await producer.send('x', { delayMs: 300 })
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(300)
    expect((await waiting)?.payload).toBe('x')
  })

  test('two wait and one message comes: one gets it, the other goes on waiting', async () => {
    const { clock, queue, producer, consumer } = setUp()
    const waiting = [consumer.receive({ waitMs: HOUR }), queue.createConsumer().receive({ waitMs: HOUR })]
    await settle()
    await producer.send('x')
    await settle()
    const pending = await Promise.all(waiting.map((one) => isPending(one)))
    expect(pending.filter(Boolean)).toHaveLength(1)
    await producer.send('y')
    const payloads = (await Promise.all(waiting)).map((message) => message?.payload)
    expect(new Set(payloads)).toEqual(new Set(['x', 'y']))
    expect(clock.timers).toBe(0)
  })

  test('two wait on one consumer, too', async () => {
    const { producer, consumer } = setUp<number>()
    const waiting = Promise.all([
      consumer.receive({ waitMs: HOUR }),
      consumer.receiveBatch(5, { waitMs: HOUR }),
    ])
    await settle()
    await producer.send(1)
    await settle()
    await producer.send(2)
    const [one, many] = await waiting
    expect([one?.payload, many.map(({ payload }) => payload)]).toEqual([1, [2]])
  })

  test('passes over what cannot be read at once, also on a storage that cannot wake it', async () => {
    const { storage, clock, consumer } = setUp({ watch: false })
    const raw = new Queue<string>('orders', {
      storage,
      clock,
      codec: { encode: (text) => text, decode: String },
    })
    await raw.createProducer().sendBatch([{ payload: '{broken' }, { payload: '1' }])
    expect((await consumer.receive({ waitMs: HOUR }))?.payload).toBe(1)
    await raw.close()
  })

  test('passes over what cannot be read and goes on waiting', async () => {
    const { storage, clock, queue, consumer } = setUp()
    const raw = new Queue<string>('orders', {
      storage,
      clock,
      codec: { encode: (text) => text, decode: String },
    })
    const producer = raw.createProducer()
    const waiting = consumer.receive({ waitMs: HOUR })
    await producer.send('{broken')
    await clock.advance(1000)
    expect(await isPending(waiting)).toBe(true)
    await producer.send('1')
    expect((await waiting)?.payload).toBe(1)
    expect((await queue.stats()).groups['default']?.dead).toBe(1)
    await raw.close()
  })
})

describe('option signal', () => {
  test('rejects with its reason if it is aborted before', async () => {
    const { storage, producer, consumer } = setUp()
    await producer.send('x')
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    expect(await thrownBy(consumer.receive({ signal }))).toBe(reason)
    expect(await thrownBy(consumer.receiveBatch(5, { waitMs: 10, signal }))).toBe(reason)
    expect(storage.count('claim')).toBe(0)
  })

  test('ends the wait with its reason', async () => {
    const { consumer } = setUp()
    const controller = new AbortController()
    const waiting = thrownBy(consumer.receive({ waitMs: HOUR, signal: controller.signal }))
    expect(await isPending(waiting)).toBe(true)
    controller.abort('enough')
    expect(await waiting).toBe('enough')
  })

  test('without a reason of its own, it is an AbortError', async () => {
    const { consumer } = setUp()
    const controller = new AbortController()
    const waiting = thrownBy(consumer.receive({ waitMs: HOUR, signal: controller.signal }))
    await settle()
    controller.abort()
    expect(await waiting).toMatchObject({ name: 'AbortError' })
  })

  test('is let go of, whatever the end', async () => {
    const { clock, producer, consumer } = setUp()
    const { signal } = new AbortController()
    const timedOut = consumer.receive({ waitMs: 10, signal })
    await clock.advance(10)
    await timedOut
    const served = consumer.receive({ waitMs: 10, signal })
    await producer.send('x')
    await served
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('a message that was claimed already is delivered all the same', async () => {
    const { storage, producer, consumer } = setUp()
    await producer.send('x')
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'claim' ? gate.promise : undefined)
    const controller = new AbortController()
    const waiting = consumer.receive({ waitMs: HOUR, signal: controller.signal })
    await settle()
    controller.abort()
    gate.resolve()
    expect((await waiting)?.payload).toBe('x')
  })
})

describe('pause and resume', () => {
  test('a paused consumer receives nothing, a resumed one does', async () => {
    const { storage, producer, consumer } = setUp()
    await producer.send('x')
    expect(consumer.paused).toBe(false)
    consumer.pause()
    expect(consumer.paused).toBe(true)
    expect(await consumer.receive()).toBeUndefined()
    expect(await consumer.receiveBatch(5)).toEqual([])
    expect(storage.count('claim')).toBe(0)
    consumer.resume()
    expect(consumer.paused).toBe(false)
    expect((await consumer.receive())?.payload).toBe('x')
  })

  test('who waits while paused gets the message at resume', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x')
    consumer.pause()
    const waiting = consumer.receive({ waitMs: HOUR })
    await clock.advance(1000)
    expect(await isPending(waiting)).toBe(true)
    consumer.resume()
    expect((await waiting)?.payload).toBe('x')
  })

  test('who waits while paused still waits no longer than it said', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('x')
    consumer.pause()
    const waiting = consumer.receive({ waitMs: 1000 })
    await clock.advance(1000)
    expect(await waiting).toBeUndefined()
  })

  test('what was delivered can be settled, and other consumers go on', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const message = await consumer.receive()
    consumer.pause()
    await message?.ack()
    expect((await queue.createConsumer().receive())?.payload).toBe(2)
  })
})

describe('a clock that jumps', () => {
  test('back: a lease, a delay and a wait take no longer than they were given', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('leased')
    await consumer.receive()
    await producer.send('delayed', { delayMs: 10_000 })
    await clock.advance(1000)
    expect(await consumer.receive()).toBeUndefined()
    clock.jump(-HOUR)
    expect(await consumer.receive()).toBeUndefined()
    await clock.advance(10_000)
    expect((await consumer.receive())?.payload).toBe('delayed')
    await clock.advance(20_000)
    expect((await consumer.receive())?.payload).toBe('leased')
  })

  test('forward: nothing is lost', async () => {
    const { clock, producer, consumer } = setUp()
    await producer.send('leased')
    await consumer.receive()
    await producer.send('delayed', { delayMs: 10_000 })
    clock.jump(HOUR)
    const payloads = (await consumer.receiveBatch(5)).map(({ payload }) => payload)
    expect(new Set(payloads)).toEqual(new Set(['delayed', 'leased']))
  })
})

test('a storage that fails rejects the call, and is never an empty result', async () => {
  const { storage, producer, consumer } = setUp()
  await producer.send('x')
  const broken = new Error('disk on fire')
  storage.fail(broken, 'claim')
  expect(await thrownBy(consumer.receive())).toBe(broken)
  expect(await thrownBy(consumer.receiveBatch(3))).toBe(broken)
  expect(await thrownBy(consumer.receive({ waitMs: HOUR }))).toBe(broken)
  storage.work()
  expect((await consumer.receive())?.payload).toBe('x')
})

test('a storage that fails while somebody waits ends the wait', async () => {
  const { storage, clock, producer, consumer } = setUp()
  await producer.send('x', { delayMs: 1000 })
  const waiting = thrownBy(consumer.receive({ waitMs: HOUR }))
  await settle()
  const broken = new Error('disk on fire')
  storage.fail(broken, 'claim')
  await clock.advance(1000)
  expect(await waiting).toBe(broken)
})

test('closing the queue ends a wait with CLOSED', async () => {
  const { queue, consumer } = setUp()
  const waiting = thrownBy(consumer.receive({ waitMs: HOUR }))
  await settle()
  await queue.close()
  await expectCode(Promise.reject(await waiting), 'CLOSED', 'receive', 'orders')
})
