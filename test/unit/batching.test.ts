import * as fc from '../support/fast-check.ts'
import { describe, expect, test } from 'vitest'
import {
  type NewMessage,
  QuaysideError,
  Queue,
  type SendResult,
  type Settlement,
  type StorageAdapter,
} from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, setUp, thrownBy } from '../support/set-up.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { howMany } from '../support/effort.ts'

const sizes = (storage: SpyStorage): number[] =>
  storage.of('append').map(({ args }) => (args[0] as readonly NewMessage[]).length)

describe('sends', () => {
  test('one that is awaited is one append', async () => {
    const { storage, producer } = setUp<number>()
    for (let i = 0; i < 5; i++) await producer.send(i)
    expect(sizes(storage)).toEqual([1, 1, 1, 1, 1])
  })

  test('a hundred at once are one append', async () => {
    const { storage, queue, producer } = setUp<number>()
    await Promise.all(Array.from({ length: 100 }, (_, i) => producer.send(i)))
    expect(sizes(storage)).toEqual([100])
    expect((await queue.stats()).messages).toBe(100)
  })

  test('a hundred while one is under way are one append more', async () => {
    const { storage, producer, consumer } = setUp<number>()
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'append' ? gate.promise : undefined)
    const first = producer.send(0)
    await settle()
    const rest = []
    for (let i = 1; i <= 100; i++) {
      rest.push(producer.send(i))
      if (i % 10 === 0) await settle()
    }
    gate.resolve()
    await Promise.all([first, ...rest])
    expect(sizes(storage)).toEqual([1, 100])
    const payloads = (await consumer.receiveBatch(200)).map(({ payload }) => payload)
    expect(payloads).toEqual(Array.from({ length: 101 }, (_, i) => i))
  })

  test('of different producers do not wait for each other', async () => {
    const { storage, queue } = setUp<number>()
    const gate = defer()
    let calls = 0
    storage.before = ({ verb }) => (verb === 'append' && calls++ === 0 ? gate.promise : undefined)
    const slow = queue.createProducer().send(1)
    await settle()
    await queue.createProducer().send(2)
    gate.resolve()
    await slow
    const { messages } = await queue.list()
    expect(messages.map(({ payload }) => payload)).toEqual([2, 1])
  })

  test('each gets its own result', async () => {
    const { producer } = setUp<number>()
    const results = await Promise.all([
      producer.send(1, { id: 'a' }),
      producer.sendBatch([
        { payload: 2, id: 'b' },
        { payload: 3, id: 'c' },
      ]),
      producer.send(4, { id: 'd' }),
    ])
    expect(results.flat().map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('never more at once than the storage takes; a batch is not torn', async () => {
    const { storage, producer, consumer } = setUp<number>({ guarantees: { maxBatch: 10 } })
    const batch = (from: number, length: number): Promise<SendResult[]> =>
      producer.sendBatch(Array.from({ length }, (_, i) => ({ payload: from + i })))
    await Promise.all([batch(0, 6), batch(6, 5), producer.send(11), batch(12, 10), producer.send(22)])
    expect(sizes(storage)).toEqual([6, 6, 10, 1])
    const payloads = []
    for (let i = 0; i < 3; i++) payloads.push(...(await consumer.receiveBatch(10)))
    expect(payloads.map(({ payload }) => payload)).toEqual(Array.from({ length: 23 }, (_, i) => i))
  })

  test('never more bytes at once than the storage takes', async () => {
    const { storage, producer } = setUp<string>({ guarantees: { maxBatchBytes: 100 } })
    await Promise.all(Array.from({ length: 9 }, () => producer.send('x'.repeat(8))))
    // A body of 10 bytes counts as three times as many, because a UTF-16 unit may take so much.
    expect(sizes(storage)).toEqual([3, 3, 3])
    await producer.send('x'.repeat(200))
    expect(sizes(storage)).toEqual([3, 3, 3, 1])
  })

  test('of one id do not share an append, so that the second finds what the first left', async () => {
    const { storage, producer } = setUp<number>()
    await Promise.all([
      producer.send(1, { id: 'a' }),
      producer.send(2, { id: 'b' }),
      producer.send(3, { id: 'a', replace: true }),
      producer.send(4),
    ])
    expect(sizes(storage)).toEqual([2, 2])
  })

  test('ten thousand at once with ids of their own share appends, and take no long time', async () => {
    const { storage, producer } = setUp<number>()
    await Promise.all(Array.from({ length: 10_000 }, (_, i) => producer.send(i, { id: `id-${i}` })))
    expect(storage.count('append')).toBe(1)
  })

  test('one bad message does not spoil the others', async () => {
    const { storage, queue, producer } = setUp()
    const results = await Promise.allSettled([
      producer.send(1),
      producer.send(() => undefined),
      producer.send(2, { delayMs: -1 }),
      producer.send(3),
      producer.sendBatch([{ payload: 4 }, { payload: 5n }]),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
      'rejected',
    ])
    expect(sizes(storage)).toEqual([2])
    expect((await queue.stats()).messages).toBe(2)
  })

  test('an injected id source that fails rejects them, and the next one works', async () => {
    const broken = new Error('no entropy')
    let fails = false
    const { producer, queue } = setUp({
      id: () => {
        if (fails) throw broken
        return '0190c0de-0000-7000-8000-000000000000'
      },
    })
    await producer.send(0)
    fails = true
    expect(await thrownBy(producer.send(1))).toBe(broken)
    expect(await thrownBy(Promise.all([producer.send(2), producer.send(3)]))).toBe(broken)
    fails = false
    await producer.send(4)
    expect((await queue.stats()).messages).toBe(2)
  })

  test('whoever stands before the verbs of a view is not passed by', async () => {
    const memory = new MemoryAdapter()
    const asked: unknown[] = []
    const storage: StorageAdapter = {
      guarantees: memory.guarantees,
      queues: () => memory.queues(),
      close: () => memory.close(),
      open: async (name) =>
        new Proxy(await memory.open(name), {
          get(view, verb) {
            const own: unknown = Reflect.get(view, verb, view)
            if (typeof own !== 'function') return own
            return (...args: readonly unknown[]): unknown => {
              asked.push(verb)
              return Reflect.apply(own, view, args)
            }
          },
        }),
    }
    const queue = new Queue('orders', { storage })
    await queue.createProducer().send(1)
    await (await queue.createConsumer().receive())!.ack()
    await queue.createProducer().send(2)
    expect((await queue.createConsumer().drain(() => undefined)).acked).toBe(1)
    const verbs = asked.filter((verb) => verb !== 'watch')
    expect(verbs.slice(0, 4)).toEqual(['append', 'claim', 'settle', 'append'])
    expect(verbs.filter((verb) => verb === 'claim').length).toBeGreaterThan(1)
  })

  test.for([true, false])(
    'a storage that throws instead of rejecting is no worse; at once: %s',
    async (atOnce) => {
      const broken = new Error('not even a promise')
      const memory = new MemoryAdapter()
      let fails = false
      const queue = new Queue('orders', {
        storage: {
          guarantees: memory.guarantees,
          queues: () => memory.queues(),
          close: () => memory.close(),
          open: async (name) => {
            const view = await memory.open(name)
            const failing =
              <A extends unknown[], R>(method: (...args: A) => R) =>
              (...args: A): R => {
                if (fails) throw broken
                return method(...args)
              }
            view.append = failing(view.append.bind(view))
            view.claim = failing(view.claim.bind(view))
            view.settle = failing(view.settle.bind(view))
            const { append, claim, settle } = view.atOnce!
            const own = {
              ...view.atOnce,
              append: failing(append),
              claim: failing(claim),
              settle: failing(settle),
            }
            return Object.defineProperty(view, 'atOnce', { value: atOnce ? own : undefined })
          },
        },
      })
      const [producer, consumer] = [queue.createProducer(), queue.createConsumer()]
      await producer.send(1)
      const message = await consumer.receive()
      fails = true
      expect(await thrownBy(producer.send(2))).toBe(broken)
      expect(await thrownBy(message!.ack())).toBe(broken)
      expect(await thrownBy(consumer.receive())).toBe(broken)
      expect(await thrownBy(consumer.drain(() => undefined))).toBe(broken)
      fails = false
      await producer.send(3)
      await message!.ack()
      expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, ready: 1 })
      await queue.close()
    },
  )
})

describe('an append that fails', () => {
  test('rejects all that ride in it with its error; the next ones work', async () => {
    const { storage, queue, producer } = setUp<number>()
    const broken = new QuaysideError('STORAGE_FAILED', 'the disk is gone')
    storage.fail(broken, 'append')
    const results = await Promise.allSettled([
      producer.send(1),
      producer.send(2),
      producer.sendBatch([{ payload: 3 }]),
    ])
    for (const result of results) expect(result).toEqual({ status: 'rejected', reason: broken })
    expect(storage.count('append')).toBe(1)
    storage.work()
    await producer.send(4)
    expect((await queue.stats()).messages).toBe(1)
  })

  test('those that wait behind it are tried, not rejected', async () => {
    const { storage, queue, producer } = setUp<number>()
    const gate = defer()
    storage.before = () => gate.promise
    const first = thrownBy(producer.send(1))
    await settle()
    const second = producer.send(2)
    storage.work()
    const broken = new Error('once')
    gate.reject(broken)
    expect(await first).toBe(broken)
    await second
    expect((await queue.stats()).messages).toBe(1)
  })

  test('with QUOTA_EXCEEDED, each call is tried alone, so that the small ones get through', async () => {
    const { storage, queue, producer } = setUp<string>()
    storage.before = ({ verb, args }) => {
      if (verb !== 'append') return
      const size = (args[0] as readonly NewMessage[]).reduce((sum, { body }) => sum + body.length, 0)
      if (size > 100) throw new QuaysideError('QUOTA_EXCEEDED', `no room for ${size}`)
    }
    const results = await Promise.allSettled([
      producer.send('small'),
      producer.send('x'.repeat(200)),
      producer.sendBatch([{ payload: 'a' }, { payload: 'b' }]),
      producer.sendBatch([{ payload: 'c' }, { payload: 'y'.repeat(200) }]),
      producer.send('small too'),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    await expectCode(Promise.reject((results[1] as PromiseRejectedResult).reason), 'QUOTA_EXCEEDED')
    const { messages } = await queue.list()
    expect(messages.map(({ payload }) => payload)).toEqual(['small', 'a', 'b', 'small too'])
    // All together, then each of the five calls.
    expect(sizes(storage)).toEqual([7, 1, 1, 2, 2, 1])
  })
})

describe('acks', () => {
  const settled = (storage: SpyStorage): number[] =>
    storage.of('settle').map(({ args }) => (args[1] as readonly Settlement[]).length)

  test('a hundred at once are one call', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 100 }, (_, payload) => ({ payload })))
    const messages = await consumer.receiveBatch(100)
    await Promise.all(messages.map((message) => message.ack()))
    expect(settled(storage)).toEqual([100])
  })

  test('a hundred while one is under way are one call more; nacks and others ride along', async () => {
    const { storage, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 100 }, (_, payload) => ({ payload })))
    const [first, ...rest] = await consumer.receiveBatch(100)
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'settle' ? gate.promise : undefined)
    const calls = [first!.ack()]
    await settle()
    for (const [i, message] of rest.entries()) {
      calls.push(i % 3 === 0 ? message.nack() : i % 3 === 1 ? message.reject() : message.ack())
    }
    gate.resolve()
    await Promise.all(calls)
    expect(settled(storage)).toEqual([1, 99])
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 34, delayed: 33, dead: 33 })
  })

  test('one awaited is one call', async () => {
    const { storage, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    for (const message of await consumer.receiveBatch(2)) await message.ack()
    expect(settled(storage)).toEqual([1, 1])
  })

  test('a stale one does not spoil those that ride with it', async () => {
    const { storage, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
    const messages = await consumer.receiveBatch(3)
    await messages[1]!.ack()
    const results = await Promise.allSettled(messages.map((message) => message.ack()))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(settled(storage)).toEqual([1, 3])
    expect((await queue.stats()).groups['default']?.acked).toBe(3)
  })
})

describe('in any interleaving', () => {
  test('every send is answered once, with its own result, and order is kept', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.oneof(fc.constant('one'), fc.integer({ min: 1, max: 5 })), {
          minLength: 1,
          maxLength: 15,
        }),
        fc.integer({ min: 1, max: 8 }),
        async (scheduler, calls, maxBatch) => {
          const storage = new SpyStorage(new MemoryAdapter(), { guarantees: { maxBatch } })
          storage.before = ({ verb }) => scheduler.schedule(Promise.resolve(), verb)
          storage.after = ({ verb }, result) => scheduler.schedule(Promise.resolve(result), `${verb} done`)
          // Nothing may wait for a turn of the event loop, which the scheduler does not see.
          const queue = new Queue<string>('q', { storage, clock: new ManualClock() })
          const producer = queue.createProducer()
          const sent: string[] = []
          const answers: Promise<void>[] = []
          const send = async (call: 'one' | number, n: number): Promise<void> => {
            const ids = call === 'one' ? [`${n}`] : Array.from({ length: call }, (_, i) => `${n}.${i}`)
            if (ids.length > maxBatch) return
            sent.push(...ids)
            const results =
              call === 'one'
                ? [await producer.send(ids[0]!, { id: ids[0]! })]
                : await producer.sendBatch(ids.map((id) => ({ payload: id, id })))
            expect(results).toEqual(ids.map((id) => ({ id, status: 'stored' })))
          }
          scheduler.scheduleSequence(
            calls.map((call, n) => async () => {
              answers.push(send(call, n))
            }),
          )
          await scheduler.waitIdle()
          await Promise.all(answers)
          storage.work()
          storage.after = undefined
          const { messages } = await queue.list({ limit: 1000 })
          expect(messages.map(({ id }) => id)).toEqual(sent)
          for (const size of sizes(storage)) expect(size).toBeLessThanOrEqual(maxBatch)
          await queue.close()
        },
      ),
      { numRuns: howMany('RUNS', { quick: 40, full: 200 }) },
    )
  })

  test('two consumers never hold one message at the same time, and all messages get done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ key: fc.constantFrom(undefined, 'a', 'b'), fails: fc.boolean() }), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.integer({ min: 1, max: 3 }),
        async (scheduler, plan, concurrency) => {
          const storage = new SpyStorage(new MemoryAdapter())
          storage.before = ({ verb }) => scheduler.schedule(Promise.resolve(), verb)
          storage.after = ({ verb }, result) => scheduler.schedule(Promise.resolve(result), `${verb} done`)
          const queue = new Queue<number>('q', { storage })
          const held = new Map<string, number>()
          const violations: string[] = []
          const started: number[] = []
          const worker = (): Promise<unknown> =>
            queue.createConsumer('g', { retry: { initialMs: 0 } }).drain(
              async ({ payload, key, attempt }) => {
                const lock = key ?? `message ${payload}`
                if (held.has(lock)) violations.push(`${lock} is held twice`)
                held.set(lock, payload)
                if (attempt === 1) started.push(payload)
                await scheduler.schedule(Promise.resolve(), `handler of ${payload}`)
                held.delete(lock)
                if (plan[payload]!.fails && attempt === 1) throw new Error('again')
              },
              { concurrency },
            )
          const sending = queue
            .createProducer()
            .sendBatch(plan.map(({ key }, payload) => ({ payload, ...(key !== undefined && { key }) })))
          const working = sending.then(() => Promise.all([worker(), worker()]))
          await scheduler.waitFor(working)
          storage.work()
          storage.after = undefined
          // A worker may have ended while the other still held a message, which then failed.
          await queue.createConsumer('g').drain(() => undefined)
          expect((await queue.stats()).groups['g']).toMatchObject({
            acked: plan.length,
            ready: 0,
            leased: 0,
            delayed: 0,
            dead: 0,
          })
          expect(violations).toEqual([])
          expect(started.toSorted((a, b) => a - b)).toEqual(plan.map((_, i) => i))
          for (const one of ['a', 'b']) {
            const ofKey = started.filter((payload) => plan[payload]!.key === one)
            expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b))
          }
          await queue.close()
        },
      ),
      { numRuns: howMany('RUNS', { quick: 40, full: 200 }) },
    )
  })
})
