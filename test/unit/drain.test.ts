import { describe, expect, test } from 'vitest'
import { type HandlerContext, type Message, Queue } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { type Deferred, defer, expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

const NOTHING = { acked: 0, retried: 0, dead: 0, parked: 0, returned: 0 }

describe('drain', () => {
  test('works on what is due, ends, and reports', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.sendBatch(
      ['good', 'bad', 'last chance', 'good', 'late'].map((payload) => ({
        payload,
        ...(payload === 'last chance' && { maxAttempts: 1 }),
        ...(payload === 'late' && { delayMs: 1000 }),
      })),
    )
    const report = await consumer.drain(({ payload }) => {
      if (payload !== 'good') throw new Error(payload)
    })
    expect(report).toEqual({ acked: 2, retried: 1, dead: 1, parked: 0, returned: 0 })
    expect((await queue.stats()).groups['default']).toMatchObject({
      ready: 0,
      leased: 0,
      delayed: 2,
      dead: 1,
      acked: 2,
    })
  })

  test('with nothing due ends at once', async () => {
    const { storage, clock, producer, consumer } = setUp<string>()
    await producer.send('late', { delayMs: 1000 })
    expect(await consumer.drain(() => expect.fail('nothing is due'))).toEqual(NOTHING)
    expect(storage.count('claim')).toBe(1)
    await clock.advance(1000)
    expect(await consumer.drain(() => undefined)).toEqual({ ...NOTHING, acked: 1 })
  })

  test('does not wait for messages that others hold', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('x')
    await queue.createConsumer().receive()
    expect(await consumer.drain(() => undefined)).toEqual(NOTHING)
  })

  test('takes what comes while it works', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.send(3)
    const report = await consumer.drain(async ({ payload }) => {
      if (payload > 0) await producer.send(payload - 1)
    })
    expect(report.acked).toBe(4)
  })

  test('takes a retry that is due before it ends', async () => {
    const { producer, consumer } = setUp<string>()
    await producer.send('x')
    const attempts: number[] = []
    const report = await consumer.drain(async (message) => {
      attempts.push(message.attempt)
      if (message.attempt < 3) await message.nack({ delayMs: 0 })
    })
    expect(attempts).toEqual([1, 2, 3])
    expect(report).toEqual({ ...NOTHING, retried: 2, acked: 1 })
  })

  test('does not end on a claim that came too early to see what a handler had nacked', async () => {
    const { storage, producer, consumer } = setUp<string>()
    await producer.send('x')
    const gates = { handler: defer(), claim: defer() }
    storage.after = async ({ verb }, result) => {
      if (verb === 'claim' && storage.count('claim') === 2) await gates.claim.promise
      return result
    }
    const attempts: number[] = []
    const draining = consumer.drain(
      async (message) => {
        attempts.push(message.attempt)
        if (message.attempt > 1) return
        await gates.handler.promise
        await message.nack({ delayMs: 0 })
      },
      { concurrency: 2 },
    )
    await settle()
    gates.handler.resolve()
    await settle()
    gates.claim.resolve()
    expect(await draining).toEqual({ ...NOTHING, retried: 1, acked: 1 })
    expect(attempts).toEqual([1, 2])
  })

  test('takes what an ack sets free that its handler did not wait for', async () => {
    const { producer, consumer } = setUp<string>()
    await producer.sendBatch(['x', 'y', 'z'].map((payload) => ({ payload, key: 'k' })))
    expect(await consumer.drain((message) => void message.ack())).toEqual({ ...NOTHING, acked: 3 })
  })

  test('counts what handlers settle themselves, waited for or not', async () => {
    const { producer, consumer } = setUp<string>()
    await producer.sendBatch(
      ['ack', 'ack later', 'nack', 'reject', 'last chance', 'ack and throw', 'return'].map((payload) => ({
        payload,
        ...(payload === 'last chance' && { maxAttempts: 1 }),
      })),
    )
    const report = await consumer.drain(
      async (message) => {
        switch (message.payload) {
          case 'ack':
            return await message.ack()
          case 'ack later':
            void message.ack()
            return undefined
          case 'nack':
          case 'last chance':
            return await message.nack()
          case 'reject':
            return await message.reject()
          case 'ack and throw':
            await message.ack()
            throw new Error('too late')
          default:
            return undefined
        }
      },
      { concurrency: 10 },
    )
    expect(report).toEqual({ acked: 4, retried: 1, dead: 2, parked: 0, returned: 0 })
  })

  test('counts what cannot be read as dead', async () => {
    const { storage, clock, consumer } = setUp()
    const raw = new Queue<string>('orders', {
      storage,
      clock,
      codec: { encode: (text) => text, decode: String },
    })
    await raw.createProducer().sendBatch(['1', '{broken', '['].map((payload) => ({ payload })))
    expect(await consumer.drain(() => undefined)).toEqual({ ...NOTHING, acked: 1, dead: 2 })
    await raw.close()
  })

  test('does not count what was lost to somebody else', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    await producer.send('x')
    const report = await consumer.drain(async ({ id }) => {
      await queue.cancel([id])
    })
    expect(report).toEqual(NOTHING)
    expect(clock.timers).toBe(0)
  })

  test('several at once, with concurrency', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 25 }, (_, payload) => ({ payload })))
    let working = 0
    let most = 0
    const report = await consumer.drain(
      async () => {
        most = Math.max(most, ++working)
        await settle()
        working--
      },
      { concurrency: 4 },
    )
    expect(report.acked).toBe(25)
    expect(most).toBe(4)
  })

  test('of two consumers at once handles each message once', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 25 }, (_, payload) => ({ payload })))
    const seen: number[] = []
    const handler = async ({ payload }: Message<number>): Promise<void> => {
      seen.push(payload)
      await settle()
    }
    const reports = await Promise.all([
      consumer.drain(handler, { concurrency: 2 }),
      queue.createConsumer().drain(handler, { concurrency: 3 }),
    ])
    expect(reports[0].acked + reports[1].acked).toBe(25)
    expect(new Set(seen).size).toBe(25)
    expect(seen).toHaveLength(25)
  })

  test('works the messages of a key in order, though some fail', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3].map((payload) => ({ payload, key: 'k', maxAttempts: 1 })))
    const seen: number[] = []
    const report = await consumer.drain(
      ({ payload }) => {
        seen.push(payload)
        if (payload === 2) throw new Error('no')
      },
      { concurrency: 3 },
    )
    expect(seen).toEqual([1, 2, 3])
    expect(report).toEqual({ ...NOTHING, acked: 2, dead: 1 })
  })

  test('of a paused consumer takes nothing and ends', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.send(1)
    consumer.pause()
    expect(await consumer.drain(() => expect.fail('it is paused'))).toEqual(NOTHING)
  })
})

describe('option signal', () => {
  test('stops it: what is finished counts, what gives up is handed back', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
    const stop = new AbortController()
    const jobs: Deferred[] = []
    const draining = consumer.drain(
      async () => {
        jobs.push(defer())
        await jobs.at(-1)!.promise
      },
      { concurrency: 2, signal: stop.signal },
    )
    await settle()
    stop.abort()
    jobs[0]!.resolve()
    jobs[1]!.reject(new Error('gave up'))
    expect(await draining).toEqual({ ...NOTHING, acked: 1, returned: 1 })
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 2, acked: 1, failed: 0 })
  })

  test('aborted before: takes nothing', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.send(1)
    const report = await consumer.drain(() => expect.fail('no'), { signal: AbortSignal.abort() })
    expect(report).toEqual(NOTHING)
    expect(storage.count('claim')).toBe(0)
  })
})

describe('option deadline', () => {
  test('takes nothing new when the time left is shorter than the longest handler took', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([300, 100, 100, 100, 100, 100].map((payload) => ({ payload })))
    const draining = consumer.drain(
      ({ payload }) => new Promise<void>((resolve) => void clock.setTimeout(resolve, payload)),
      { deadline: clock.now() + 1050 },
    )
    // 300, 400, 500, 600, 700: the next might take 300 again, and 100 are kept to hand back.
    await clock.advance(700)
    expect(await draining).toEqual({ ...NOTHING, acked: 5 })
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 1, leased: 0, acked: 5 })
  })

  test('hands back what is not finished just before it, with the attempt not counted', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
    const deadline = clock.now() + 5000
    const contexts: HandlerContext[] = []
    const jobs: Deferred[] = []
    const draining = consumer.drain(
      async (_, context) => {
        contexts.push(context)
        jobs.push(defer())
        await jobs.at(-1)!.promise
      },
      { concurrency: 2, deadline },
    )
    await settle()
    const { signal } = contexts[0]!
    await clock.advance(4899)
    expect(signal.aborted).toBe(false)
    expect(await isPending(draining)).toBe(true)
    await clock.advance(1)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' })
    expect(await draining).toEqual({ ...NOTHING, returned: 2 })
    expect(clock.now()).toBeLessThan(deadline)
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 3, leased: 0, failed: 0 })
    const again = await consumer.receiveBatch(3)
    expect(again.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
    // What the handlers do now changes nothing.
    jobs[0]!.resolve()
    jobs[1]!.reject(new Error('late'))
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 3, acked: 0, failed: 0 })
  })

  test('a handler that settles after its message was handed back is told that it is stale', async () => {
    const { clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const go = defer()
    const late = defer<Promise<void>>()
    const draining = consumer.drain(
      async (message) => {
        await go.promise
        const acked = message.ack()
        late.resolve(acked)
        await acked
      },
      { deadline: clock.now() + 5000 },
    )
    await clock.advance(5000)
    expect(await draining).toEqual({ ...NOTHING, returned: 1 })
    go.resolve()
    await expectCode(late.promise, 'STALE_RECEIPT')
  })

  test('ends before the deadline if nothing is due', async () => {
    const { clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    expect(await consumer.drain(() => undefined, { deadline: clock.now() + 5000 })).toEqual({
      ...NOTHING,
      acked: 1,
    })
    expect(clock.timers).toBe(0)
  })

  test('in the past: takes nothing', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    for (const deadline of [0, clock.now() - 1, clock.now()]) {
      expect(await consumer.drain(() => expect.fail('no time'), { deadline })).toEqual(NOTHING)
    }
    expect(storage.count('claim')).toBe(0)
  })

  test('keeps no more than a tenth of a short time to hand back', async () => {
    const { clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const job = defer()
    const draining = consumer.drain(() => job.promise, { deadline: clock.now() + 100 })
    await clock.advance(89)
    expect(await isPending(draining)).toBe(true)
    await clock.advance(1)
    expect(await draining).toEqual({ ...NOTHING, returned: 1 })
    job.resolve()
  })

  test('what handlers settled themselves is not handed back', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const job = defer()
    const draining = consumer.drain(
      async (message) => {
        await message.ack()
        await job.promise
      },
      { deadline: clock.now() + 1000 },
    )
    await clock.advance(1000)
    expect(await draining).toEqual({ ...NOTHING, acked: 1 })
    expect(storage.count('settle')).toBe(1)
    job.resolve()
  })

  test('of a paused consumer, and of one that is paused while it works, still ends', async () => {
    const { clock, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const job = defer()
    const draining = consumer.drain(() => job.promise, { deadline: clock.now() + 1000 })
    await settle()
    consumer.pause()
    await clock.advance(1000)
    expect(await draining).toEqual({ ...NOTHING, returned: 1 })
    job.resolve()
  })
})

describe('a storage that fails', () => {
  test.each(['open', 'claim'] as const)('at %s: drain rejects with its error', async (verb) => {
    const { storage, consumer } = setUp<number>()
    const broken = new Error('disk on fire')
    storage.fail(broken, verb)
    expect(await thrownBy(consumer.drain(() => undefined))).toBe(broken)
  })

  test('in the middle: drain rejects with its error once the handlers have ended', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const broken = new Error('disk on fire')
    const draining = consumer.drain(() => {
      storage.fail(broken, 'claim', 'settle')
    })
    expect(await thrownBy(draining)).toBe(broken)
  })

  test('at the hand back: drain rejects with its error', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const job = defer()
    const draining = thrownBy(consumer.drain(() => job.promise, { deadline: clock.now() + 1000 }))
    await settle()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'settle')
    await clock.advance(1000)
    expect(await draining).toBe(broken)
    job.resolve()
  })
})

test('closing the queue stops it', async () => {
  const { queue, producer, consumer } = setUp<number>()
  await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
  const job = defer()
  const draining = consumer.drain(() => job.promise)
  await settle()
  const closing = queue.close()
  job.resolve()
  await closing
  expect(await draining).toEqual({ ...NOTHING, acked: 1 })
})
