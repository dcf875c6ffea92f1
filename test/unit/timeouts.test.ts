import { describe, expect, onTestFinished, test } from 'vitest'
import { type Clock, type Message, Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, isPending, setUp } from '../support/set-up.ts'

const never = (): Promise<never> => new Promise(() => {})

describe('a handler that hangs', () => {
  test.each(['run', 'drain'] as const)(
    'in %s ends after timeoutMs: its attempt has failed, its place is free',
    async (way) => {
      const { clock, queue, producer } = setUp<string>()
      const consumer = queue.createConsumer('default', {
        leaseMs: 1000,
        retry: { maxAttempts: 2, initialMs: 0 },
      })
      const stop = new AbortController()
      const seen: string[] = []
      const failed: [string, string][] = []
      const signals: AbortSignal[] = []
      const options = {
        timeoutMs: 5000,
        signal: stop.signal,
        onFailed: (message: Message<string>, error: unknown): void =>
          void failed.push([message.payload, String(error)]),
      }
      const zombies: Message<string>[] = []
      await producer.sendBatch([{ payload: 'hangs' }, { payload: 'next' }])
      const running = consumer[way](async (message, { signal }) => {
        seen.push(`${message.payload}${message.attempt}`)
        if (message.payload === 'next') return
        zombies.push(message)
        signals.push(signal)
        await never()
      }, options)
      await clock.advance(4999)
      expect(seen).toEqual(['hangs1'])
      expect(signals[0]!.aborted).toBe(false)
      await clock.advance(1)
      expect(String(signals[0]!.reason)).toBe('TimeoutError: timed out after 5000 ms')
      expect(seen).toEqual(['hangs1', 'hangs2'])
      await expectCode(zombies[0]!.ack(), 'STALE_RECEIPT', zombies[0]!.id)
      await clock.advance(5000)
      expect(seen).toEqual(['hangs1', 'hangs2', 'next1'])
      expect((await queue.deadLetters().list()).messages).toMatchObject([
        { payload: 'hangs', reason: 'exhausted', lastError: 'timed out after 5000 ms', attempt: 2 },
      ])
      expect(failed).toEqual([
        ['hangs', 'TimeoutError: timed out after 5000 ms'],
        ['hangs', 'TimeoutError: timed out after 5000 ms'],
      ])
      stop.abort()
      await running
    },
  )

  test('in a hidden page, whose timers ring once a minute, has no more time than a minute besides', async () => {
    const clock = new ManualClock()
    const hidden: Clock = {
      now: () => clock.now(),
      setTimeout: (callback, ms) => {
        const at = clock.now() + ms
        return clock.setTimeout(callback, Math.ceil(at / 60_000) * 60_000 - clock.now())
      },
      clearTimeout: (id) => clock.clearTimeout(id),
    }
    const queue = new Queue<string>('orders', { storage: new MemoryAdapter({ clock }), clock: hidden })
    onTestFinished(async () => {
      const closed = queue.close({ graceMs: 0 })
      await clock.advance(60_000)
      await closed
    })
    const stop = new AbortController()
    const signals: AbortSignal[] = []
    const running = queue.createConsumer().run(
      (_, { signal }) => {
        signals.push(signal)
        return never()
      },
      { signal: stop.signal },
    )
    await clock.advance(1000)
    await queue.createProducer().send('hangs')
    await clock.advance(899_999)
    expect(signals[0]!.aborted).toBe(false)
    await clock.advance(60_001)
    expect(signals[0]!.aborted).toBe(true)
    stop.abort()
    await running
  })

  test('has 15 minutes by default, and for ever with Infinity', async () => {
    const { clock, producer, consumer } = setUp<string>()
    const stop = new AbortController()
    const signals: AbortSignal[] = []
    const rest = defer()
    const handler = (_: unknown, { signal }: { signal: AbortSignal }): Promise<void> => {
      signals.push(signal)
      return rest.promise
    }
    await producer.send('x')
    const running = [consumer.run(handler, { signal: stop.signal })]
    await settle()
    await producer.send('y')
    running.push(consumer.run(handler, { signal: stop.signal, timeoutMs: Infinity }))
    await clock.advance(899_999)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    await clock.advance(1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    rest.resolve()
    stop.abort()
    await Promise.all(running)
  })

  test('is over in time although the clock was set back, and others begin', async () => {
    const { clock, queue, producer } = setUp<string>()
    const stop = new AbortController()
    const failed: string[] = []
    const running = queue.createConsumer().run(never, {
      concurrency: 2,
      timeoutMs: 60_000,
      signal: stop.signal,
      onFailed: ({ payload }) => failed.push(payload),
    })
    await producer.send('a')
    await clock.advance(10_000)
    clock.jump(-3_600_000)
    await producer.send('b')
    await clock.advance(59_999)
    expect(failed).toEqual([])
    await clock.advance(1)
    expect(failed).toEqual(['a', 'b'])
    await queue.close({ graceMs: 0 })
    await running
  })

  test('after it had settled its message: only its place is freed', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    const stop = new AbortController()
    const seen: string[] = []
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }])
    const running = consumer.run(
      async (message) => {
        seen.push(message.payload)
        await message.ack()
        if (message.payload === 'x') await never()
      },
      { signal: stop.signal, timeoutMs: 1000 },
    )
    await clock.advance(1000)
    expect(seen).toEqual(['x', 'y'])
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 2, failed: 0 })
    stop.abort()
    await running
  })

  test.each([0, -1, Number.NaN, '5', null])('%s is no timeoutMs', async (timeoutMs) => {
    const { consumer } = setUp()
    await expectCode(
      consumer.run(() => undefined, { timeoutMs: timeoutMs as number }),
      'INVALID_ARGUMENT',
      'timeoutMs',
    )
  })
})

describe('onFailed', () => {
  test('is told what a handler threw, also after it had settled its message', async () => {
    const { producer, consumer } = setUp<string>()
    const failed: unknown[] = []
    await producer.sendBatch(['throws', 'acks and throws', 'acks'].map((payload) => ({ payload })))
    await consumer.drain(
      async (message) => {
        if (message.payload.startsWith('acks')) await message.ack()
        if (message.payload.endsWith('throws')) throw new Error(message.payload)
      },
      { onFailed: ({ payload }, error) => failed.push([payload, (error as Error).message]) },
    )
    expect(failed).toEqual([
      ['throws', 'throws'],
      ['acks and throws', 'acks and throws'],
    ])
  })

  test('is not told of a handler that does as it was told', async () => {
    const { producer, consumer } = setUp<string>()
    const failed: unknown[] = []
    await producer.send('x')
    const stop = new AbortController()
    const running = consumer.run(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
      { signal: stop.signal, onFailed: (_, error) => failed.push(error) },
    )
    await settle()
    stop.abort()
    await running
    expect(failed).toEqual([])
  })
})

describe('close', () => {
  test('hands back what does not end within graceMs, without losing an attempt', async () => {
    const { clock, queue, storage, producer, consumer } = setUp<string>()
    await producer.send('x')
    let zombie: Message<string> | undefined
    const running = consumer.run((message) => {
      zombie = message
      return never()
    })
    await settle()
    const closing = queue.close()
    await clock.advance(9999)
    expect(await isPending(closing)).toBe(true)
    await clock.advance(1)
    await closing
    await running
    const again = new Queue<string>('orders', { storage, clock })
    onTestFinished(() => again.close())
    expect(await again.createConsumer().receive()).toMatchObject({ payload: 'x', attempt: 1 })
    await expectCode(zombie!.ack(), 'STALE_RECEIPT')
  })

  test('takes graceMs, and waits no longer than handlers need', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    await producer.send('x')
    const running = consumer.run(never)
    await settle()
    const closing = queue.close({ graceMs: 50 })
    await clock.advance(50)
    await closing
    await running
    expect(clock.timers).toBe(0)
    await expectCode(new Queue('q').close({ graceMs: -1 }), 'INVALID_ARGUMENT', 'graceMs')
  })

  test('lets handlers that it waits for send and settle', async () => {
    const { clock, storage, queue, producer, consumer } = setUp<string>()
    await producer.send('x')
    const rest = defer()
    const running = consumer.run(async (message) => {
      await rest.promise
      await producer.send('follow-up')
      await producer.sendBatch([{ payload: 'and more' }])
      await message.ack()
    })
    await settle()
    const closing = queue.close()
    await settle()
    rest.resolve()
    await closing
    await running
    await expectCode(producer.send('too late'), 'CLOSED')
    const again = new Queue<string>('orders', { storage, clock })
    onTestFinished(() => again.close())
    expect((await again.list()).messages.map(({ payload }) => payload)).toEqual(['follow-up', 'and more'])
  })

  test('carries out what was called before it, although the queue was not open yet', async () => {
    const { clock, storage } = setUp()
    const queue = new Queue<number>('unopened', { storage, clock })
    const consumer = queue.createConsumer()
    const called = [
      queue.createProducer().send(1),
      queue.stats(),
      queue.list(),
      queue.cancel(['x']),
      consumer.receive(),
      queue.retryNow(),
    ]
    const closing = queue.close()
    await expectCode(queue.stats(), 'CLOSED')
    expect((await Promise.allSettled(called)).map(({ status }) => status)).toEqual(
      called.map(() => 'fulfilled'),
    )
    await closing
    expect(storage.calls.at(-1)!.verb).toBe('close')
  })
})
