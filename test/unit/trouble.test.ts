import { describe, expect, onTestFinished, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { type ErrorCode, type Message, QuaysideError, Queue, type SettleResult } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { defer, expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

const PASSING: readonly ErrorCode[] = ['STORAGE_UNAVAILABLE', 'STORAGE_FAILED', 'TIMEOUT', 'LOCKED']
const FATAL: readonly ErrorCode[] = ['CORRUPT', 'INVALID_ARGUMENT', 'UNSUPPORTED']
const away = (code: ErrorCode = 'STORAGE_UNAVAILABLE'): QuaysideError =>
  new QuaysideError(code, `${code}: for now`)

/** A queue that nobody has opened yet. */
function unopened(): { storage: SpyStorage; clock: ManualClock; queue: Queue<number> } {
  const clock = new ManualClock()
  const storage = new SpyStorage(new MemoryAdapter({ clock }))
  const queue = new Queue<number>('orders', { storage, clock, random: () => 0.5 })
  onTestFinished(() => queue.close())
  return { storage, clock, queue }
}

describe('run', () => {
  test.each(PASSING)('goes on after %s, also while opening, and says so each time', async (code) => {
    const { storage, clock, queue } = unopened()
    storage.fail(away(code))
    const stop = new AbortController()
    const errors: unknown[] = []
    const seen: number[] = []
    const running = queue.createConsumer().run(({ payload }) => void seen.push(payload), {
      signal: stop.signal,
      onError: (error) => errors.push(error),
    })
    await clock.advance(20_000)
    expect(errors.length).toBeGreaterThan(4)
    // It takes its time: 100 ms at first, 10 s at most.
    expect(errors.length).toBeLessThan(15)
    storage.work()
    await queue.createProducer().send(1)
    await clock.advance(10_050)
    expect(seen).toEqual([1])
    stop.abort()
    await running
  })

  test.each([...FATAL.map((code): [string, Error] => [code, away(code)]), ['a bug', new TypeError('oops')]])(
    'ends with %s',
    async (_, error) => {
      const { storage, clock, producer, consumer } = setUp<number>()
      const errors: unknown[] = []
      const running = thrownBy(consumer.run(() => undefined, { onError: (one) => errors.push(one) }))
      await producer.send(1)
      await settle()
      storage.fail(error, 'claim', 'settle')
      await producer.send(2)
      await clock.advance(0)
      expect(await running).toBe(error)
      expect(errors).toEqual([error])
    },
  )

  test('handlers go on meanwhile, and what they finished is settled once the storage is back', async () => {
    const { storage, clock, queue, producer, consumer } = setUp<number>()
    const stop = new AbortController()
    const jobs = [defer(), defer()]
    const signals: AbortSignal[] = []
    const running = consumer.run(
      ({ payload }, { signal }) => {
        signals.push(signal)
        return jobs[payload]!.promise
      },
      { concurrency: 2, signal: stop.signal },
    )
    await producer.sendBatch([{ payload: 0 }, { payload: 1 }])
    await settle()
    storage.fail(away())
    jobs[0]!.resolve()
    await clock.advance(3000)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    storage.work()
    await clock.advance(10_050)
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 1 })
    jobs[1]!.reject(new Error('no'))
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0, failed: 1 })
    stop.abort()
    await running
  })

  test.each(['STORAGE_FAILED', 'TIMEOUT'] as const)(
    'an ack that was stored although it failed with %s counts',
    async (code) => {
      const { storage, clock, queue, producer, consumer } = setUp<number>()
      await producer.send(1)
      const rest = defer()
      const drained = consumer.drain(() => rest.promise, { signal: new AbortController().signal })
      await settle()
      let failed = false
      storage.after = ({ verb, args }, result) => {
        const acks = verb === 'claim' && (args[0] as { settle?: unknown[] }).settle !== undefined
        if (!acks || failed) return result
        failed = true
        throw away(code)
      }
      rest.resolve()
      await clock.advance(10_050)
      expect(failed).toBe(true)
      expect(await drained).toEqual({ acked: 1, retried: 0, dead: 0, parked: 0, returned: 0 })
      expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0, dead: 0 })
    },
  )

  test('stopped while the storage is away ends, at once if nothing is left to settle', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const stop = new AbortController()
    const rest = defer()
    const busy = thrownBy(consumer.run(() => rest.promise, { signal: stop.signal }))
    await settle()
    const idle = consumer.run(() => undefined, { signal: stop.signal })
    storage.fail(away())
    rest.resolve()
    await clock.advance(1000)
    stop.abort()
    await idle
    expect(await isPending(busy)).toBe(true)
    await clock.advance(20_100)
    expect(await busy).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })

  test('what onError throws does not break it', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    const uncaught: unknown[] = []
    const listener = (error: unknown): void => void uncaught.push(error)
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', listener)
    onTestFinished(() => {
      process.off('uncaughtException', listener)
      for (const other of others) process.on('uncaughtException', other)
    })
    const bug = new Error('a bug of the listener')
    const stop = new AbortController()
    const seen: number[] = []
    storage.fail(away(), 'claim')
    const running = consumer.run(({ payload }) => void seen.push(payload), {
      signal: stop.signal,
      onError: () => {
        throw bug
      },
    })
    await settle()
    storage.work()
    await producer.send(1)
    await clock.advance(1000)
    expect(seen).toEqual([1])
    expect(uncaught).toContain(bug)
    stop.abort()
    await running
  })
})

test('trouble that lasts while a handler works on: its lease is tried in the same rests', async () => {
  const { storage, clock, queue, producer } = setUp<number>()
  const rest = defer()
  const running = thrownBy(queue.createConsumer('default', { leaseMs: 200 }).run(() => rest.promise))
  await producer.send(1)
  await settle()
  storage.fail(away('CORRUPT'), 'claim', 'settle')
  const before = storage.calls.length
  await clock.advance(20_000)
  const tries = storage.calls.length - before
  expect(tries).toBeGreaterThan(4)
  expect(tries).toBeLessThan(15)
  rest.resolve()
  await clock.advance(10_050)
  expect(await running).toMatchObject({ code: 'CORRUPT' })
})

describe('trouble that comes and goes', () => {
  /** The next step fails, once. */
  const blip = (storage: SpyStorage): void => {
    let failed = false
    storage.before = ({ verb }) => {
      if (failed || (verb !== 'claim' && verb !== 'settle')) return
      failed = true
      throw away()
    }
  }

  test('a run that has stopped has as long each time to settle what ends', async () => {
    const { storage, clock, queue, producer, consumer } = setUp<number>()
    const stop = new AbortController()
    const rest = defer()
    const running = consumer.run(() => rest.promise, { signal: stop.signal })
    await producer.send(1)
    await settle()
    stop.abort()
    blip(storage)
    await clock.advance(60_000)
    blip(storage)
    rest.resolve()
    await clock.advance(1000)
    await running
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
  })

  test('a drain that nothing else ends counts what fails in a row', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    const rest = defer()
    const drained = consumer.drain(() => rest.promise)
    await settle()
    for (let i = 0; i < 6; i++) {
      blip(storage)
      await clock.advance(60_000)
    }
    rest.resolve()
    await clock.advance(1000)
    expect(await drained).toMatchObject({ acked: 1 })
  })
})

test('a view that failed is closed and opened anew, for whoever asks next', async () => {
  const { storage, clock, queue } = unopened()
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  await producer.send(1)
  const hints: number[] = []
  queue.watch(() => hints.push(1))
  await settle()
  storage.fail(away('STORAGE_FAILED'), 'append')
  await expectCode(producer.send(2), 'STORAGE_FAILED')
  storage.work()
  expect(storage.count('open')).toBe(1)
  expect((await consumer.receive())?.payload).toBe(1)
  expect([storage.count('close'), storage.count('open')]).toEqual([1, 2])
  const before = hints.length
  await producer.send(3)
  await settle()
  expect(hints.length).toBeGreaterThan(before)
  await expectCode(Promise.reject(away('STORAGE_UNAVAILABLE')), 'STORAGE_UNAVAILABLE')
  await clock.advance(0)
})

describe('receive', () => {
  test('that waits outlives trouble', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    storage.fail(away(), 'claim', 'open')
    const waiting = consumer.receive({ waitMs: 60_000 })
    await clock.advance(2000)
    expect(await isPending(waiting)).toBe(true)
    storage.work()
    await producer.send(1)
    await clock.advance(10_050)
    expect((await waiting)?.payload).toBe(1)
  })

  test('that waits rejects with the last error when its time is over, not later', async () => {
    const { storage, clock, consumer } = setUp<number>()
    storage.fail(away('LOCKED'), 'claim')
    const waiting = consumer.receive({ waitMs: 5000 })
    const caught = thrownBy(waiting)
    await clock.advance(4999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect(await caught).toMatchObject({ code: 'LOCKED' })
  })

  test('that does not wait rejects at once, also while others wait for the storage', async () => {
    const { storage, clock, consumer } = setUp<number>()
    storage.fail(away(), 'claim')
    const waiting = consumer.receive({ waitMs: 5000 })
    await clock.advance(10)
    await expectCode(consumer.receive(), 'STORAGE_UNAVAILABLE')
    storage.work()
    await clock.advance(5000)
    expect(await waiting).toBeUndefined()
  })

  test('an abort ends it in the middle of trouble', async () => {
    const { storage, clock, consumer } = setUp<number>()
    storage.fail(away(), 'claim')
    const stop = new AbortController()
    const waiting = thrownBy(consumer.receive({ waitMs: 5000, signal: stop.signal }))
    await clock.advance(100)
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await waiting).toBe(reason)
  })
})

test('for await outlives trouble, and says so', async () => {
  const { storage, clock, producer, consumer } = setUp<number>()
  storage.fail(away('STORAGE_FAILED'), 'claim')
  const errors: unknown[] = []
  const messages = consumer.messages({ onError: (error) => errors.push(error) })
  const next = messages.next()
  await clock.advance(1000)
  expect(errors.length).toBeGreaterThan(1)
  storage.work()
  await producer.send(1)
  await clock.advance(10_050)
  expect(((await next).value as Message<number>).payload).toBe(1)
  storage.fail(away('CORRUPT'), 'claim')
  await expectCode(messages.next(), 'CORRUPT')
})

describe('drain', () => {
  test('without an end tries a few times, then rejects', async () => {
    const { storage, clock, consumer } = setUp<number>()
    storage.fail(away(), 'claim')
    const drained = thrownBy(consumer.drain(() => undefined))
    await clock.advance(20_000)
    expect(await drained).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(storage.count('claim')).toBe(5)
  })

  test('with a deadline tries until then', async () => {
    const { storage, clock, producer, consumer } = setUp<number>()
    await producer.send(1)
    storage.fail(away(), 'claim')
    const drained = consumer.drain(() => undefined, { deadline: clock.now() + 60_000 })
    await clock.advance(30_000)
    expect(await isPending(drained)).toBe(true)
    storage.work()
    await clock.advance(10_050)
    expect(await drained).toMatchObject({ acked: 1 })
  })

  test('with a deadline that passes ends', async () => {
    const { storage, clock, consumer } = setUp<number>()
    storage.fail(away(), 'claim')
    const drained = consumer.drain(() => undefined, { deadline: clock.now() + 60_000 })
    await clock.advance(60_000)
    expect(await isPending(drained)).toBe(false)
    expect(await drained).toMatchObject({ acked: 0 })
  })
})

test('a settlement by hand that failed may be tried again, and by the loop if its handler does not', async () => {
  const { storage, clock, queue, producer, consumer } = setUp<number>()
  await producer.send(1)
  storage.fail(away(), 'settle')
  const failed: unknown[] = []
  const stop = new AbortController()
  const attempts: number[] = []
  const running = consumer.run(
    async (message) => {
      attempts.push(message.attempt)
      await message.ack()
    },
    { signal: stop.signal, onFailed: (_, error) => failed.push(error) },
  )
  await settle()
  storage.work()
  await clock.advance(20_000)
  expect(attempts).toEqual([1, 2])
  expect(failed).toMatchObject([{ code: 'STORAGE_UNAVAILABLE' }])
  expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1 })
  stop.abort()
  await running
})

test('results are those of each settlement, whatever rides together', async () => {
  const { storage, producer, consumer } = setUp<number>()
  await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
  const [a, b, c] = await consumer.receiveBatch(3)
  await b!.ack()
  const results = await Promise.allSettled([a!.ack(), b!.ack(), c!.extend(1000), consumer.receive()])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  const claim = storage.of('claim').at(-1)!
  expect((claim.args[0] as { settle: SettleResult[] }).settle).toHaveLength(3)
})
