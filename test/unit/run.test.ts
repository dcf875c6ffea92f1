import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type ClaimRequest,
  type HandlerContext,
  type Message,
  Queue,
  type Settlement,
} from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { type Deferred, defer, expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

const HOUR = 3_600_000

/** A handler whose jobs end when the test says so. */
function manualHandler<T>(): {
  readonly handler: (message: Message<T>, context: HandlerContext) => Promise<unknown>
  readonly started: Message<T>[]
  readonly contexts: HandlerContext[]
  readonly jobs: Deferred<unknown>[]
} {
  const started: Message<T>[] = []
  const contexts: HandlerContext[] = []
  const jobs: Deferred<unknown>[] = []
  const handler = (message: Message<T>, context: HandlerContext): Promise<unknown> => {
    const job = defer<unknown>()
    started.push(message)
    contexts.push(context)
    jobs.push(job)
    return job.promise
  }
  return { handler, started, contexts, jobs }
}

/** The extensions of each step that had some. */
function renewals(storage: SpyStorage): (readonly Settlement[])[] {
  return storage.calls
    .map(({ verb, args }) => {
      const settlements =
        verb === 'settle' ? args[1] : verb === 'claim' ? (args[0] as ClaimRequest).settle : []
      return ((settlements ?? []) as readonly Settlement[]).filter(({ kind }) => kind === 'extend')
    })
    .filter(({ length }) => length > 0)
}

/** Stops what runs when the test is over. */
function stopper(): AbortController {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  return controller
}

describe('the handler', () => {
  test('returns: the message is acked', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const stop = stopper()
    const seen: string[] = []
    const running = consumer.run(async ({ payload }) => void seen.push(payload), { signal: stop.signal })
    await producer.send('x')
    await producer.send('y')
    await settle()
    expect(seen).toEqual(['x', 'y'])
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 0, leased: 0, acked: 2 })
    stop.abort()
    expect(await running).toBeUndefined()
  })

  test('throws: the message is tried again after the backoff, and at last is dead with the last error', async () => {
    const { clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('g', { retry: { maxAttempts: 3, initialMs: 1000 } })
    const stop = stopper()
    const attempts: [number, string | undefined][] = []
    const running = consumer.run(
      async ({ attempt, lastError }) => {
        attempts.push([attempt, lastError])
        throw new Error(`no luck ${attempt}`)
      },
      { signal: stop.signal },
    )
    await producer.send('x')
    await clock.advance(499)
    expect(attempts).toEqual([[1, undefined]])
    await clock.advance(1)
    expect(attempts).toEqual([
      [1, undefined],
      [2, 'no luck 1'],
    ])
    await clock.advance(1000)
    expect(attempts[2]).toEqual([3, 'no luck 2'])
    expect((await queue.deadLetters('g').list()).messages).toMatchObject([
      { payload: 'x', reason: 'exhausted', attempt: 3, lastError: 'no luck 3' },
    ])
    stop.abort()
    await running
  })

  test('may be synchronous', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    const stop = stopper()
    const seen: number[] = []
    const running = consumer.run(
      ({ payload, attempt }) => {
        seen.push(payload)
        if (payload === 2 && attempt === 1) throw new Error('not yet')
      },
      { signal: stop.signal },
    )
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }, { payload: 3 }])
    await clock.advance(1000)
    expect(seen).toEqual([1, 2, 3, 2])
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 3, failed: 1 })
    stop.abort()
    await running
  })

  test.each([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', 'just text', 'just text'],
    ['a symbol', Symbol('odd'), 'Symbol(odd)'],
    ['an error without a text', new RangeError(), 'RangeError'],
    ['an error whose text is no text', Object.assign(new Error(), { message: { code: 42 } }), ''],
    ['an object without a prototype', Object.create(null), ''],
    [
      'an error that throws when it is read',
      Object.defineProperty(new Error(), 'message', {
        get() {
          throw new Error('gotcha')
        },
      }),
      '',
    ],
  ])('may throw anything: %s', async (_, thrown, text) => {
    const { clock, producer, consumer } = setUp<string>()
    const stop = stopper()
    const errors: (string | undefined)[] = []
    const running = consumer.run(
      ({ lastError, attempt }) => {
        errors.push(lastError)
        if (attempt === 1) throw thrown
      },
      { signal: stop.signal },
    )
    await producer.send('x')
    await clock.advance(1000)
    expect(errors).toHaveLength(2)
    expect(errors[1]).toBeTypeOf('string')
    expect(errors[1]).toContain(text)
    stop.abort()
    await running
  })

  test('settles the message itself: the run leaves it alone', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    const stop = stopper()
    const seen: string[] = []
    const running = consumer.run(
      async (message) => {
        seen.push(`${message.payload}${message.attempt}`)
        if (message.payload === 'ack') await message.ack()
        else if (message.payload === 'reject') await message.reject({ reason: 'bad' })
        else if (message.attempt === 1) await message.nack({ delayMs: 5000 })
        else if (message.payload === 'ack and throw') {
          await message.ack()
          throw new Error('too late')
        }
      },
      { signal: stop.signal, concurrency: 10 },
    )
    await producer.sendBatch(
      ['ack', 'reject', 'nack', 'ack and throw'].map((payload) => ({ payload, headers: { a: 'b' } })),
    )
    await clock.advance(4999)
    expect(seen).toEqual(['ack1', 'reject1', 'nack1', 'ack and throw1'])
    await clock.advance(1)
    expect(seen.slice(4).toSorted()).toEqual(['ack and throw2', 'nack2'])
    expect((await queue.stats()).groups['default']).toMatchObject({
      ready: 0,
      leased: 0,
      delayed: 0,
      dead: 1,
      acked: 3,
    })
    stop.abort()
    await running
  })

  test('settles the message without waiting: it is settled once', async () => {
    const { queue, storage, producer, consumer } = setUp<string>()
    const stop = stopper()
    const running = consumer.run((message) => void message.ack(), { signal: stop.signal })
    await producer.send('x')
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
    expect(storage.of('claim').flatMap(({ args }) => (args[0] as ClaimRequest).settle ?? [])).toEqual([])
    stop.abort()
    await running
  })

  test('tries to settle a message that is not its own: its own is acked all the same', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('foreign')
    const foreign = await queue.createConsumer('other').receive()
    const stop = stopper()
    const running = consumer.run(
      async (message) => {
        await expectCode(consumer.ackBatch([message, foreign!]), 'INVALID_ARGUMENT')
        await expectCode(message.nack({ delayMs: Number.NaN }), 'INVALID_ARGUMENT')
      },
      { signal: stop.signal },
    )
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
    stop.abort()
    await running
  })

  test('extends the lease itself: the message is still acked at the end', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const stop = stopper()
    const running = consumer.run((message) => message.extend(60_000), { signal: stop.signal })
    await producer.send('x')
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
    stop.abort()
    await running
  })

  test.each([
    ['its message', 'is asked in steps', false],
    ['its message', 'answers at once', true],
    ['the receipt', 'is asked in steps', false],
    ['the receipt', 'answers at once', true],
  ] as const)(
    'extends the lease by %s, for less than it had, of a storage that %s: it has it as long as it works',
    async (by, _, atOnce) => {
      const clock = new ManualClock()
      const memory = new MemoryAdapter({ clock })
      const storage = atOnce ? memory : new SpyStorage(memory)
      const queue = new Queue<string>('orders', { storage, clock })
      const elsewhere = new Queue<string>('orders', { storage, clock })
      onTestFinished(async () => {
        await Promise.all([queue.close({ graceMs: 0 }), elsewhere.close()])
      })
      const consumer = queue.createConsumer()
      const job = defer()
      const seen: string[] = []
      const running = consumer.run(
        async (message) => {
          seen.push(`${message.payload}${message.attempt}`)
          await consumer.extend(by === 'its message' ? message : message.receipt, 1000)
          await job.promise
        },
        { concurrency: 2, signal: stopper().signal },
      )
      await queue.createProducer().send('x')
      await clock.advance(20_000)
      expect(seen).toEqual(['x1'])
      expect(await elsewhere.createConsumer().receive()).toBeUndefined()
      job.resolve()
      await settle()
      expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0, ready: 0 })
      await queue.close()
      await running
    },
  )
})

describe('option concurrency', () => {
  test('is how many handlers work at the same time', async () => {
    const { queue, storage, producer, consumer } = setUp<number>()
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<number>()
    await producer.sendBatch([1, 2, 3, 4, 5, 6].map((payload) => ({ payload })))
    const running = consumer.run(handler, { concurrency: 3, signal: stop.signal })
    await settle()
    expect(started.map(({ payload }) => payload)).toEqual([1, 2, 3])
    expect(storage.count('claim')).toBe(1)
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 3, ready: 3 })
    jobs[1]!.resolve('done')
    await settle()
    expect(started.map(({ payload }) => payload)).toEqual([1, 2, 3, 4])
    for (const job of jobs) job.resolve('done')
    await settle()
    expect(started).toHaveLength(6)
    for (const job of jobs) job.resolve('done')
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 6, leased: 0 })
    stop.abort()
    await running
  })

  test('is 1 by default', async () => {
    const { producer, consumer } = setUp<number>()
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<number>()
    await producer.sendBatch([1, 2].map((payload) => ({ payload })))
    const running = consumer.run(handler, { signal: stop.signal })
    await settle()
    expect(started).toHaveLength(1)
    jobs[0]!.resolve(0)
    await settle()
    expect(started).toHaveLength(2)
    jobs[1]!.resolve(0)
    stop.abort()
    await running
  })

  test('acks ride with the next claim: a batch of jobs that end together costs one call', async () => {
    const { storage, producer, consumer } = setUp<number>()
    const stop = stopper()
    await producer.sendBatch(Array.from({ length: 100 }, (_, payload) => ({ payload })))
    const running = consumer.run(() => undefined, { concurrency: 50, signal: stop.signal })
    await settle()
    // 50, 50 with the acks of the first, none with the acks of the second, and one more look.
    expect(storage.count('claim')).toBeLessThanOrEqual(4)
    expect(storage.count('settle')).toBe(0)
    stop.abort()
    await running
  })

  test('over the most that the storage takes is no error', async () => {
    const { storage, producer, consumer } = setUp<number>({ guarantees: { maxBatch: 4 } })
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<number>()
    for (let i = 0; i < 3; i++) await producer.sendBatch([1, 2, 3, 4].map((payload) => ({ payload })))
    const running = consumer.run(handler, { concurrency: 10, signal: stop.signal })
    await settle()
    expect(started).toHaveLength(10)
    for (const { args } of storage.of('claim')) {
      expect((args[0] as ClaimRequest).limit).toBeLessThanOrEqual(4)
    }
    for (let i = 0; i < 12; i++) {
      for (const job of jobs) job.resolve(0)
      await settle()
    }
    expect(started).toHaveLength(12)
    stop.abort()
    await running
  })
})

describe('while nothing happens', () => {
  test('it looks every half a minute, because a hint may be lost, and not more often', async () => {
    const { storage, clock, producer, consumer } = setUp<string>()
    const stop = stopper()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await producer.send('x')
    await settle()
    const before = storage.calls.length
    const claims = storage.count('claim')
    await clock.advance(29_000)
    expect(storage.calls.length).toBe(before)
    await clock.advance(HOUR - 29_000)
    // One of them forgets what is done, which is a change.
    expect(storage.count('claim')).toBeGreaterThanOrEqual(claims + 120)
    expect(storage.count('claim')).toBeLessThanOrEqual(claims + 121)
    await producer.send('y')
    await settle()
    expect(seen).toEqual(['x', 'y'])
    stop.abort()
    await running
  })

  test('a delayed message is claimed when it is due', async () => {
    const { storage, clock, producer, consumer } = setUp<string>()
    const stop = stopper()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await producer.send('x', { delayMs: 20_000 })
    await settle()
    const before = storage.count('claim')
    await clock.advance(19_999)
    expect(storage.count('claim')).toBe(before)
    expect(seen).toEqual([])
    await clock.advance(1)
    expect(seen).toEqual(['x'])
    stop.abort()
    await running
  })

  test('a storage that cannot wake anybody is asked once a second', async () => {
    const { storage, clock, producer, consumer } = setUp<string>({ watch: false })
    const stop = stopper()
    const seen: string[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await clock.advance(5500)
    expect(storage.count('claim')).toBe(6)
    await producer.send('x')
    await clock.advance(500)
    expect(seen).toEqual(['x'])
    stop.abort()
    await running
  })
})

describe('the lease', () => {
  test('is renewed while a handler works, over many leases', async () => {
    const { storage, clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const thief = queue.createConsumer()
    const stop = stopper()
    const { handler, started, contexts, jobs } = manualHandler<string>()
    const running = consumer.run(handler, { signal: stop.signal })
    await producer.send('x')
    await settle()
    for (let i = 0; i < 20; i++) {
      await clock.advance(400)
      expect(await thief.receive()).toBeUndefined()
      expect(started[0]!.leaseUntil).toBeGreaterThan(clock.now())
    }
    expect(contexts[0]!.signal.aborted).toBe(false)
    expect(renewals(storage).length).toBeGreaterThanOrEqual(8)
    expect(renewals(storage).length).toBeLessThanOrEqual(20)
    jobs[0]!.resolve(0)
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, failed: 0, leased: 0 })
    const calls = renewals(storage).length
    await clock.advance(60_000)
    expect(renewals(storage).length).toBe(calls)
    stop.abort()
    await running
  })

  test('of all that are worked on is renewed in one call', async () => {
    const { storage, clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<number>()
    const running = consumer.run(handler, { concurrency: 3, signal: stop.signal })
    await producer.send(1)
    await clock.advance(300)
    await producer.sendBatch([{ payload: 2 }, { payload: 3 }])
    await clock.advance(5000)
    expect(started.map(({ leaseUntil }) => leaseUntil > clock.now())).toEqual([true, true, true])
    expect(await queue.createConsumer().receive()).toBeUndefined()
    for (const extended of renewals(storage)) expect(extended).toHaveLength(3)
    for (const job of jobs) job.resolve(0)
    stop.abort()
    await running
  })

  test('lost to somebody else aborts the handler’s signal, and its ack is ignored', async () => {
    const { storage, clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = stopper()
    const { handler, started, contexts, jobs } = manualHandler<string>()
    const running = consumer.run(handler, { signal: stop.signal })
    await producer.send('x')
    await settle()
    const { signal } = contexts[0]!
    // Renewals do not get through for a while: the device slept, say.
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'settle' ? gate.promise : undefined)
    await clock.advance(1500)
    const others = new Queue<string>('orders', { storage, clock })
    onTestFinished(() => others.close())
    const thief = await others.createConsumer().receive()
    expect(thief).toMatchObject({ id: started[0]!.id, attempt: 2 })
    storage.work()
    gate.resolve()
    await settle()
    expect(signal.aborted).toBe(true)
    await expectCode(Promise.reject(signal.reason), 'STALE_RECEIPT', started[0]!.id)
    jobs[0]!.resolve('done all the same')
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 0, leased: 1, failed: 1 })
    await thief!.ack()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
    // And the run goes on.
    await producer.send('y')
    await settle()
    expect(started[1]?.payload).toBe('y')
    jobs[1]!.resolve(0)
    stop.abort()
    await running
  })

  test('lost: it is not renewed any more, and what the handler throws then is ignored too', async () => {
    const { storage, clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = stopper()
    const { handler, contexts, jobs } = manualHandler<string>()
    const running = consumer.run(handler, { signal: stop.signal })
    await producer.send('x')
    await settle()
    const { signal } = contexts[0]!
    await queue.purge()
    expect(signal.aborted).toBe(true)
    await clock.advance(10_000)
    jobs[0]!.reject(signal.reason)
    await settle()
    expect(renewals(storage)).toEqual([])
    expect(storage.count('settle')).toBe(0)
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 0, dead: 0, delayed: 0 })
    stop.abort()
    await running
  })

  test('lost without anybody having noticed: the ack is refused by the storage, and the run goes on', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<string>()
    const running = consumer.run(handler, { signal: stop.signal })
    await producer.send('x')
    await settle()
    await queue.cancel([started[0]!.id])
    jobs[0]!.resolve(0)
    await producer.send('y')
    await settle()
    expect(started[1]?.payload).toBe('y')
    jobs[1]!.resolve(0)
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1 })
    stop.abort()
    await running
  })

  test('a message that the handler has settled is not renewed while the handler goes on', async () => {
    const { storage, clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = stopper()
    const rest = defer()
    let signal: AbortSignal | undefined
    const running = consumer.run(
      async (message, context) => {
        signal = context.signal
        await message.ack()
        await rest.promise
      },
      { signal: stop.signal },
    )
    await producer.send('x')
    await clock.advance(10_000)
    expect(storage.count('settle')).toBe(1)
    expect(signal!.aborted).toBe(false)
    rest.resolve()
    stop.abort()
    await running
  })
})

describe('stopping', () => {
  test('by the signal: takes nothing new, tells the handlers, waits for them', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const stop = new AbortController()
    const { handler, started, contexts, jobs } = manualHandler<number>()
    await producer.sendBatch([1, 2, 3, 4].map((payload) => ({ payload })))
    const running = consumer.run(handler, { concurrency: 3, signal: stop.signal })
    await settle()
    const { signal } = contexts[0]!
    stop.abort(new Error('shutting down'))
    await settle()
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ message: 'shutting down' })
    // Made only when it is asked for, it is aborted all the same.
    expect(contexts[1]!.signal.reason).toMatchObject({ message: 'shutting down' })
    expect(await isPending(running)).toBe(true)
    jobs[0]!.resolve('finished')
    jobs[1]!.reject(new Error('gave up'))
    jobs[2]!.resolve('finished')
    expect(await running).toBeUndefined()
    expect(started).toHaveLength(3)
    expect((await queue.stats()).groups['default']).toMatchObject({
      acked: 2,
      ready: 2,
      leased: 0,
      failed: 0,
    })
    // The one that gave up has lost no attempt, and no error was noted.
    const rest = await consumer.receiveBatch(5)
    expect(rest.map(({ payload, attempt, lastError }) => [payload, attempt, lastError])).toEqual([
      [2, 1, undefined],
      [4, 1, undefined],
    ])
  })

  test('hands back what was tried before with its last error', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.send(1)
    await (await consumer.receive())!.nack({ delayMs: 0, reason: 'the real one' })
    const stop = new AbortController()
    const { handler, jobs } = manualHandler<number>()
    const running = consumer.run(handler, { signal: stop.signal })
    await settle()
    stop.abort()
    jobs[0]!.reject(new Error('aborted'))
    await running
    expect(await consumer.receive()).toMatchObject({ attempt: 2, lastError: 'the real one' })
  })

  test('with a signal that is aborted already does nothing', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.send(1)
    await consumer.run(() => expect.fail('nothing to handle'), { signal: AbortSignal.abort() })
    expect(storage.count('claim')).toBe(0)
  })

  test('while it claims: what it was given is handed back, and no handler is started', async () => {
    const { storage, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'claim' ? gate.promise : undefined)
    const stop = new AbortController()
    const seen: number[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    stop.abort()
    gate.resolve()
    await running
    expect(seen).toEqual([])
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 2, leased: 0, failed: 0 })
    expect((await consumer.receive())?.attempt).toBe(1)
  })

  test('while it waits for a message is at once', async () => {
    const { clock, consumer } = setUp<number>()
    const stop = new AbortController()
    const running = consumer.run(() => undefined, { signal: stop.signal })
    await clock.advance(1000)
    stop.abort()
    expect(await isPending(running)).toBe(false)
    await running
  })

  test('leases are renewed while it waits for its handlers', async () => {
    const { clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = new AbortController()
    const { handler, jobs } = manualHandler<number>()
    const running = consumer.run(handler, { signal: stop.signal })
    await producer.send(1)
    await settle()
    stop.abort()
    await clock.advance(5000)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    jobs[0]!.resolve(0)
    await running
    expect((await queue.stats()).groups['default']?.acked).toBe(1)
  })

  test('by closing the queue: the handlers are told, and what they finished is acked', async () => {
    const { storage, clock, queue, producer, consumer } = setUp<number>()
    const { handler, contexts, jobs } = manualHandler<number>()
    const running = consumer.run(handler, { concurrency: 2 })
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    await settle()
    const closing = queue.close()
    await settle()
    expect(contexts[0]!.signal.reason).toMatchObject({ code: 'CLOSED' })
    expect(await isPending(closing)).toBe(true)
    jobs[0]!.resolve('finished')
    jobs[1]!.reject(new Error('gave up'))
    await closing
    await running
    const again = new Queue<number>('orders', { storage, clock })
    expect((await again.stats()).groups['default']).toMatchObject({ acked: 1, ready: 1, leased: 0 })
    await again.close()
  })

  test('by closing the queue: a handler can still settle its message itself', async () => {
    const { storage, clock, queue, producer, consumer } = setUp<number>()
    const go = defer()
    const running = consumer.run(async (message) => {
      await go.promise
      await message.ack()
    })
    await producer.send(1)
    await settle()
    const closing = queue.close()
    await settle()
    go.resolve()
    await Promise.all([closing, running])
    const again = new Queue<number>('orders', { storage, clock })
    expect((await again.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
    await again.close()
  })
})

describe('pause and resume', () => {
  test('a paused run takes nothing new and settles what ends', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    const stop = stopper()
    const { handler, started, jobs } = manualHandler<number>()
    await producer.sendBatch([1, 2].map((payload) => ({ payload })))
    const running = consumer.run(handler, { signal: stop.signal })
    await settle()
    consumer.pause()
    jobs[0]!.resolve(0)
    await clock.advance(HOUR)
    expect(started).toHaveLength(1)
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, ready: 1 })
    consumer.resume()
    await settle()
    expect(started).toHaveLength(2)
    jobs[1]!.resolve(0)
    stop.abort()
    await running
  })

  test('a paused run can be stopped', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.send(1)
    const stop = new AbortController()
    consumer.pause()
    const running = consumer.run(() => undefined, { signal: stop.signal })
    await settle()
    stop.abort()
    await running
    expect(storage.count('claim')).toBe(0)
  })
})

describe('two consumers of one group', () => {
  test('share the messages: each is handled once', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const stop = stopper()
    const seen: number[] = []
    const handler = async ({ payload }: Message<number>): Promise<void> => {
      await settle()
      seen.push(payload)
    }
    const running = [
      consumer.run(handler, { signal: stop.signal, concurrency: 2 }),
      queue.createConsumer().run(handler, { signal: stop.signal, concurrency: 2 }),
    ]
    for (let i = 0; i < 20; i++) await producer.send(i)
    for (let i = 0; i < 40; i++) await settle()
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 20, failed: 0 })
    stop.abort()
    await Promise.all(running)
  })

  test('one is stuck: when its leases end the other takes over', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    // A process that was killed: it neither renews nor settles.
    const killed = new Queue<number>('orders', { storage, clock })
    await killed.createConsumer().receive()
    const stop = stopper()
    const attempts: number[] = []
    const running = consumer.run(({ attempt }) => void attempts.push(attempt), { signal: stop.signal })
    await clock.advance(29_999)
    expect(attempts).toEqual([])
    await clock.advance(1)
    expect(attempts).toEqual([2])
    stop.abort()
    await running
    await killed.close()
  })
})

describe('a storage that fails', () => {
  test('at the first claim: the run rejects with its error', async () => {
    const { storage, consumer } = setUp<number>()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'claim')
    expect(await thrownBy(consumer.run(() => undefined))).toBe(broken)
  })

  test('at opening: the run rejects with its error, and a later one works', async () => {
    const { storage, producer, consumer } = setUp<number>()
    const broken = new Error('no such disk')
    storage.fail(broken, 'open')
    expect(await thrownBy(consumer.run(() => undefined))).toBe(broken)
    storage.work()
    await producer.send(1)
    expect(await consumer.drain(() => undefined)).toMatchObject({ acked: 1 })
  })

  test('in the middle: the run tells its handlers, waits for them, and rejects with its error', async () => {
    const { storage, producer, consumer } = setUp<number>()
    const { handler, contexts, jobs } = manualHandler<number>()
    const running = thrownBy(consumer.run(handler, { concurrency: 3 }))
    await producer.send(1)
    await settle()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'claim', 'settle')
    await producer.send(2)
    await settle()
    expect(contexts[0]!.signal.reason).toBe(broken)
    expect(await isPending(running)).toBe(true)
    jobs[0]!.resolve(0)
    expect(await running).toBe(broken)
  })

  test('when an ack rides with a claim: the run rejects, and the message comes again', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    const { handler, jobs } = manualHandler<number>()
    const running = thrownBy(consumer.run(handler))
    await producer.send(1)
    await settle()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'claim')
    jobs[0]!.resolve(0)
    expect(await running).toBe(broken)
    storage.work()
    await clock.advance(30_000)
    expect((await consumer.receive())?.attempt).toBe(2)
  })

  test('when leases are renewed: the run rejects, also if no handler works any more by then', async () => {
    const { storage, clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const { handler, jobs } = manualHandler<number>()
    const running = thrownBy(consumer.run(handler))
    await producer.send(1)
    await settle()
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'settle' ? gate.promise : undefined)
    await clock.advance(500)
    jobs[0]!.resolve(0)
    await settle()
    const broken = new Error('disk on fire')
    gate.reject(broken)
    expect(await isPending(running)).toBe(false)
    expect(await running).toBe(broken)
  })

  test('when leases are renewed: handlers that work are told', async () => {
    const { storage, clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const running = thrownBy(
      consumer.run(
        (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error))
          }),
      ),
    )
    await producer.send(1)
    await settle()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'settle')
    await clock.advance(500)
    expect(await running).toBe(broken)
  })

  test('a random source that fails is not swallowed, and does not hang the run', async () => {
    const broken = new Error('no entropy')
    const { producer, consumer } = setUp<number>({
      random: () => {
        throw broken
      },
    })
    const running = thrownBy(
      consumer.run(() => {
        throw new Error('try again')
      }),
    )
    await producer.send(1)
    expect(await isPending(running)).toBe(false)
    expect(await running).toBe(broken)
  })
})

test('what cannot be read is buried, and the run goes on', async () => {
  const { storage, clock, queue, consumer } = setUp()
  const raw = new Queue<string>('orders', {
    storage,
    clock,
    codec: { encode: (text) => text, decode: String },
  })
  const stop = stopper()
  const seen: unknown[] = []
  const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
  await raw.createProducer().sendBatch(['1', '{broken', '3'].map((payload) => ({ payload })))
  await settle()
  expect(seen).toEqual([1, 3])
  expect((await queue.stats()).groups['default']).toMatchObject({ acked: 2, dead: 1 })
  stop.abort()
  await running
  await raw.close()
})

test('several runs on one consumer work side by side', async () => {
  const { queue, producer, consumer } = setUp<number>()
  const stop = stopper()
  const { handler, started, jobs } = manualHandler<number>()
  const running = [
    consumer.run(handler, { signal: stop.signal }),
    consumer.run(handler, { signal: stop.signal }),
  ]
  await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
  await settle()
  expect(started).toHaveLength(2)
  for (const job of jobs) job.resolve(0)
  await settle()
  expect(started).toHaveLength(3)
  for (const job of jobs) job.resolve(0)
  await settle()
  expect((await queue.stats()).groups['default']?.acked).toBe(3)
  stop.abort()
  await Promise.all(running)
})
