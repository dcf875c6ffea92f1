import { describe, expect, test } from 'vitest'
import { type ClaimRequest, type ClaimResult, type Message, Queue } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

describe('many who receive', () => {
  test('at once are one claim, and get messages in the order of their calls', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 101 }, (_, payload) => ({ payload })))
    const got = await Promise.all([
      consumer.receiveBatch(2),
      ...Array.from({ length: 99 }, () => consumer.receive().then((message) => [message!])),
    ])
    expect(got.flat().map(({ payload }) => payload)).toEqual(Array.from({ length: 101 }, (_, i) => i))
    expect(storage.of('claim').map(({ args }) => (args[0] as ClaimRequest).limit)).toEqual([101])
  })

  test('while a claim is under way are one more, with the acks', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 20 }, (_, payload) => ({ payload })))
    const first = await consumer.receive()
    await Promise.all([first!.ack(), ...Array.from({ length: 10 }, () => consumer.receive())])
    expect(storage.count('claim')).toBe(2)
    expect(storage.count('settle')).toBe(0)
  })

  test('and wait share one watch; a message costs about as many calls as with one', async () => {
    const { storage, producer, consumer } = setUp<number>()
    const waiting = Array.from({ length: 200 }, () => consumer.receive({ waitMs: 60_000 }))
    await settle()
    expect(storage.listeners).toBe(1)
    for (let i = 0; i < 20; i++) {
      const before = storage.count('claim')
      await producer.send(i)
      await settle()
      expect(storage.count('claim') - before).toBeLessThan(6)
      // Whoever waits longest is first.
      expect((await waiting[i])?.payload).toBe(i)
    }
    await producer.sendBatch(Array.from({ length: 180 }, (_, i) => ({ payload: 20 + i })))
    expect((await Promise.all(waiting)).map((message) => message!.payload)).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    )
  })

  test('on consumers of their own that take from the same lanes, a message costs about as many calls as with one', async () => {
    const { queue, storage, producer } = setUp<number>()
    const consumers = Array.from({ length: 50 }, () => queue.createConsumer('default', { only: ['a', 'b'] }))
    const waiting = consumers.map((consumer) => consumer.receive({ waitMs: 60_000 }))
    await settle()
    for (let i = 0; i < 50; i++) {
      const before = storage.count('claim')
      await producer.send(i, { lane: 'b' })
      await settle()
      expect(storage.count('claim') - before).toBeLessThan(6)
      expect((await waiting[i])?.payload).toBe(i)
    }
  })

  test.each([
    { handlers: 'one message at a time', before: 'run' },
    { handlers: 'batches', before: 'run' },
    { handlers: 'one message at a time', before: 'together' },
  ])(
    'are answered, though a loop of $handlers has room for more than one claim takes ($before)',
    async ({ handlers, before }) => {
      const { storage, queue, producer } = setUp<string>({ guarantees: { maxBatch: 10 } })
      const consumer = queue.createConsumer()
      const got: string[] = []
      const running =
        handlers === 'batches'
          ? consumer.run(() => undefined, { concurrency: 4, batch: { size: 5 } })
          : consumer.run(({ payload }) => void got.push(payload), { concurrency: 10 })
      if (before === 'run') await settle()
      const received = consumer.receive()
      const batch = consumer.receiveBatch(20, { waitMs: 1000 })
      const drained = consumer.drain(() => undefined, { concurrency: 10 })
      await settle()
      expect(await isPending(received)).toBe(false)
      expect(await received).toBeUndefined()
      expect(await isPending(drained)).toBe(false)
      expect(await isPending(batch)).toBe(true)
      const claims = storage.count('claim')
      for (let i = 0; i < 3; i++)
        await producer.sendBatch(Array.from({ length: 10 }, (_, n) => ({ payload: `${i}-${n}` })))
      await settle()
      expect((await batch).length).toBeGreaterThan(0)
      expect(storage.count('claim') - claims).toBeLessThan(8)
      await queue.close()
      await running
    },
  )

  test('with one signal leave it one listener', async () => {
    const { queue, consumer } = setUp<number>()
    const stop = new AbortController()
    let listeners = 0
    const { signal } = stop
    const add = signal.addEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    const waiting = Array.from({ length: 1000 }, () => thrownBy(consumer.receive({ waitMs: 1000, signal })))
    const runs = Array.from({ length: 20 }, () => queue.createConsumer('g').run(() => undefined, { signal }))
    expect(listeners).toBe(1)
    stop.abort(new Error('enough'))
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ message: 'enough' })
    await Promise.all(runs)
  })
})

test('what a run has claimed and settled is no news to it', async () => {
  const { storage, producer, consumer } = setUp<number>()
  const stop = new AbortController()
  const running = consumer.run(() => undefined, { signal: stop.signal })
  await settle()
  const before = storage.count('claim')
  for (let i = 0; i < 10; i++) {
    await producer.send(i)
    await settle()
  }
  // Of each message one that delivers it, and one with its ack.
  expect(storage.count('claim') - before).toBe(20)
  stop.abort()
  await running
})

test('receive answers nothing only when nothing is ready', async () => {
  const { storage, producer, consumer } = setUp<number>()
  await producer.send(1)
  let passes = 50
  storage.after = ({ verb }, result) => {
    if (verb !== 'claim' || passes-- <= 0) return result
    // It has passed over what it could not deliver. What it took goes back: nobody has seen it.
    return { deliveries: [], nextInMs: 0 } satisfies ClaimResult
  }
  storage.before = ({ verb, args }) => {
    if (verb === 'claim' && passes > 0) (args[0] as { limit: number }).limit = 0
  }
  expect((await consumer.receive())?.payload).toBe(1)
  expect(storage.count('claim')).toBe(51)
  expect(await consumer.receive()).toBeUndefined()
})

test('a hint that is lost is no message that is lost', async () => {
  const { storage, clock, producer, consumer } = setUp<number>()
  const stop = new AbortController()
  const seen: number[] = []
  const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
  await settle()
  storage.deaf = true
  await producer.send(1)
  await settle()
  expect(seen).toEqual([])
  await clock.advance(30_000)
  expect(seen).toEqual([1])
  stop.abort()
  await running
})

describe('a receipt', () => {
  test('settles a message from another object, as the message itself would', async () => {
    const { clock, queue, storage, producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3, 4, 5].map((payload) => ({ payload })))
    const receipts = (await consumer.receiveBatch(5)).map(({ receipt }) => receipt)
    const other = new Queue<number>('orders', { storage, clock, random: () => 0.5 })
    const elsewhere = other.createConsumer('default', { retry: { maxAttempts: 4 } })
    await elsewhere.ack(receipts[0]!)
    await elsewhere.nack(receipts[1]!, { delayMs: 0, reason: 'again' })
    await elsewhere.reject(receipts[2]!)
    const extended = await elsewhere.extend(receipts[3]!, 60_000)
    await elsewhere.ackBatch([extended, receipts[4]!])
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 3, ready: 1, dead: 1, leased: 0 })
    await expectCode(elsewhere.ack(receipts[0]!), 'STALE_RECEIPT')
    expect(await elsewhere.receive()).toMatchObject({ payload: 2, attempt: 2, lastError: 'again' })
    await other.close()
  })

  test('knows the attempt: the last one makes a dead letter', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.send(1, { maxAttempts: 1 })
    const { receipt } = (await consumer.receive())!
    await consumer.nack(receipt, { reason: 'no' })
    expect((await queue.deadLetters().list()).messages).toMatchObject([
      { reason: 'exhausted', lastError: 'no' },
    ])
  })

  test.each(['', 'x', '1/2', 'a/b/c', 42, null])('is not %j', async (receipt) => {
    const { consumer } = setUp()
    await expectCode(consumer.ack(receipt as string), 'INVALID_ARGUMENT', 'receipt')
  })
})

describe('the signal of a settlement', () => {
  test('gives it up: the storage is not told what it was not told yet', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.send(1)
    const message = (await consumer.receive())!
    const stop = new AbortController()
    const reason = new Error('enough')
    const calls = [
      message.ack({ signal: stop.signal }),
      message.nack({ signal: stop.signal }),
      message.reject({ signal: stop.signal }),
      message.extend(1000, { signal: stop.signal }),
      consumer.ackBatch([message], { signal: stop.signal }),
    ].map((call) => thrownBy(call))
    stop.abort(reason)
    for (const error of await Promise.all(calls)) expect(error).toBe(reason)
    await settle()
    expect(storage.count('settle')).toBe(0)
    expect(await thrownBy(message.ack({ signal: stop.signal }))).toBe(reason)
    await message.ack()
  })
})

describe('for await', () => {
  test('can be left while it waits, and hands back what comes too late once', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const messages = consumer.messages()
    const next = messages.next()
    await settle()
    expect(await messages.return!()).toEqual({ done: true, value: undefined })
    expect(await next).toEqual({ done: true, value: undefined })
    await producer.send(1)
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 1, leased: 0 })
    // On its way already when it is left.
    const late = consumer.messages()
    const given = late.next()
    await late.return!()
    expect(await given).toEqual({ done: true, value: undefined })
    expect(await consumer.receive()).toMatchObject({ payload: 1, attempt: 1 })
  })

  test('ends with its signal', async () => {
    const { producer, consumer } = setUp<number>()
    const stop = new AbortController()
    const seen: Message<number>[] = []
    const looping = (async () => {
      for await (const message of consumer.messages({ signal: stop.signal })) {
        seen.push(message)
        await message.ack()
      }
    })()
    await producer.send(1)
    await settle()
    expect(seen).toHaveLength(1)
    expect(await isPending(looping)).toBe(true)
    stop.abort()
    await looping
    for await (const _ of consumer.messages({ signal: stop.signal })) expect.fail('it is over')
  })
})
