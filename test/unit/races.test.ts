import * as fc from '../support/fast-check.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Message, Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { howMany } from '../support/effort.ts'

/** A queue whose every call to the storage waits for the scheduler, before and after. */
function setUp<T>(
  scheduler: fc.Scheduler,
  maxBatch = 100,
): { clock: ManualClock; storage: SpyStorage; queue: Queue<T>; calm: () => void } {
  const clock = new ManualClock()
  const storage = new SpyStorage(new MemoryAdapter({ clock }), { guarantees: { maxBatch } })
  storage.before = ({ verb }) => scheduler.schedule(Promise.resolve(), verb)
  storage.after = ({ verb }, result) => scheduler.schedule(Promise.resolve(result), `${verb} done`)
  const queue = new Queue<T>('q', { storage, clock })
  const calm = (): void => {
    storage.before = undefined
    storage.after = undefined
  }
  return { clock, storage, queue, calm }
}

/** What a handler does with a message at its first attempt. Later it just returns. */
const deeds = fc.constantFrom(
  'return',
  'throw',
  'ack',
  'ack, not waited for',
  'nack',
  'reject',
  'ack and throw',
  'extend and return',
)
type Deed = ReturnType<(typeof deeds)['generate']>['value']

async function perform(message: Message<unknown>, deed: Deed): Promise<void> {
  switch (deed) {
    case 'return':
      return
    case 'throw':
      throw new Error('thrown')
    case 'ack':
      await message.ack()
      return
    case 'ack, not waited for':
      message.ack().catch(() => undefined)
      return
    case 'nack':
      await message.nack({ delayMs: 0 })
      return
    case 'reject':
      await message.reject()
      return
    case 'ack and throw':
      await message.ack()
      throw new Error('thrown')
    case 'extend and return':
      await message.extend(60_000)
  }
}

const zero = { acked: 0, retried: 0, dead: 0, parked: 0, returned: 0 }

describe('drain', () => {
  test('ends, and its report says what the storage says, whatever handlers do and whenever it is stopped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ deed: deeds, key: fc.constantFrom(undefined, 'k') }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        fc.option(fc.integer({ min: 0, max: 20 })),
        async (scheduler, plan, concurrency, stopAfter) => {
          const { queue, calm } = setUp<number>(scheduler)
          const consumer = queue.createConsumer('g', { retry: { maxAttempts: 2, initialMs: 0 } })
          const stop = new AbortController()
          let steps = 0
          const running = queue
            .createProducer()
            .sendBatch(plan.map(({ key }, payload) => ({ payload, key })))
            .then(() =>
              consumer.drain(
                async (message) => {
                  if (steps++ === stopAfter) stop.abort()
                  await scheduler.schedule(Promise.resolve(), `handler of ${message.payload}`)
                  if (steps++ === stopAfter) stop.abort()
                  if (message.attempt === 1) await perform(message, plan[message.payload]!.deed)
                },
                { concurrency, signal: stop.signal },
              ),
            )
          const report = await scheduler.waitFor(running)
          calm()
          const { groups } = await queue.stats()
          const group = groups['g'] ?? { acked: 0, dead: 0, failed: 0, leased: 0 }
          expect(group.leased).toBe(0)
          expect({ acked: group.acked, dead: group.dead, failed: group.failed }).toEqual({
            acked: report.acked,
            dead: report.dead,
            failed: report.retried + report.dead,
          })
          // Nothing is lost: what a stop left comes again.
          const left = plan.length - group.acked - group.dead
          expect(stop.signal.aborted || left === 0).toBe(true)
          expect(await consumer.drain(() => undefined)).toEqual({ ...zero, acked: left })
          await queue.close()
        },
      ),
      { numRuns: howMany('RUNS', { quick: 100, full: 500 }) },
    )
  })
})

describe('run', () => {
  test('handles every message, and ends, whenever messages come and wherever it is stopped or closed', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listener)
    onTestFinished(() => void process.off('unhandledRejection', listener))
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(deeds, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom('signal', 'close', 'both'),
        fc.boolean(),
        async (scheduler, plan, concurrency, end, early) => {
          const { storage, clock, queue, calm } = setUp<number>(scheduler)
          const stop = new AbortController()
          const consumer = queue.createConsumer('g', { retry: { initialMs: 0 } })
          const producer = queue.createProducer()
          const done = new Set<number>()
          const running = consumer.run(
            async (message) => {
              await scheduler.schedule(Promise.resolve(), `handler of ${message.payload}`)
              if (message.attempt === 1) await perform(message, plan[message.payload]!)
              done.add(message.payload)
            },
            { concurrency, signal: stop.signal },
          )
          const sending = plan.map((_, payload) =>
            scheduler.schedule(Promise.resolve(), `send ${payload}`).then(() => producer.send(payload)),
          )
          const ending = (async (): Promise<void> => {
            if (!early) {
              await Promise.all(sending)
              // A queue at rest: every hint has been seen.
              while ((await queue.stats()).messages > 0) await scheduler.schedule(Promise.resolve(), 'look')
            }
            if (end !== 'close') stop.abort()
            if (end !== 'signal') await queue.close()
          })()
          await scheduler.waitFor(Promise.allSettled([running, ending, ...sending]))
          await running
          await ending
          calm()
          const again = new Queue<number>('q', { storage, clock })
          const stats = (await again.stats()).groups['g']
          expect(early || stats!.acked + stats!.dead === plan.length).toBe(true)
          expect(stats?.leased ?? 0).toBe(0)
          await Promise.all([again.close(), queue.close()])
          expect(clock.timers).toBe(0)
          expect(storage.listeners).toBe(0)
        },
      ),
      { numRuns: howMany('RUNS', { quick: 100, full: 500 }) },
    )
    expect(unhandled).toEqual([])
  })
})

describe('receive', () => {
  test('of many that wait, each gets a message as soon as there are enough, without the clock moving', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (scheduler, waiters, keyed) => {
          const { queue, clock, calm } = setUp<number>(scheduler)
          const consumers = [queue.createConsumer(), queue.createConsumer()]
          const producer = queue.createProducer()
          const waiting = Array.from({ length: waiters }, async (_, i) => {
            const message = await consumers[i % 2]!.receive({ waitMs: 1_000_000 })
            if (keyed) await message!.ack()
            return message!.payload
          })
          const sending = Array.from({ length: waiters }, (_, i) =>
            scheduler
              .schedule(Promise.resolve(), `send ${i}`)
              .then(() => producer.send(i, { key: keyed ? 'k' : undefined })),
          )
          const before = clock.now()
          const payloads = await scheduler.waitFor(Promise.all(waiting))
          await scheduler.waitFor(Promise.all(sending))
          expect(payloads.toSorted((a, b) => a - b)).toEqual(Array.from({ length: waiters }, (_, i) => i))
          expect(clock.now()).toBe(before)
          expect(clock.timers).toBe(0)
          calm()
          await queue.close()
        },
      ),
      { numRuns: howMany('RUNS', { quick: 60, full: 300 }) },
    )
  })

  test('a message that comes while a wait is given up is not lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const { queue, calm } = setUp<string>(scheduler)
        const consumer = queue.createConsumer()
        const controller = new AbortController()
        const waiting = consumer.receive({ waitMs: 1_000_000, signal: controller.signal }).then(
          (message) => message,
          () => undefined,
        )
        const work = Promise.all([
          scheduler.schedule(Promise.resolve(), 'abort').then(() => controller.abort()),
          scheduler.schedule(Promise.resolve(), 'send').then(() => queue.createProducer().send('x')),
          waiting,
        ])
        const [, , message] = await scheduler.waitFor(work)
        calm()
        const { leased, ready } = (await queue.stats()).groups['default'] ?? { leased: 0, ready: 1 }
        expect([leased, ready]).toEqual(message === undefined ? [0, 1] : [1, 0])
        await queue.close()
      }),
      { numRuns: howMany('RUNS', { quick: 40, full: 200 }) },
    )
  })
})

describe('a storage that fails once, at any call', () => {
  test('ends what runs with its error, hangs nothing, swallows nothing, loses nothing', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listener)
    onTestFinished(() => void process.off('unhandledRejection', listener))
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(deeds, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 25 }),
        fc.boolean(),
        async (scheduler, plan, concurrency, failsAt, afterwards) => {
          const { storage, clock, queue, calm } = setUp<number>(scheduler)
          const broken = new Error('disk on fire')
          let failed = false
          storage[afterwards ? 'after' : 'before'] = async ({ verb }, result?: unknown) => {
            await scheduler.schedule(Promise.resolve(), verb)
            if (storage.calls.length > failsAt && !failed) {
              failed = true
              throw broken
            }
            return result
          }
          const consumer = queue.createConsumer('g', { retry: { initialMs: 0 } })
          const producer = queue.createProducer()
          const outcomes = await scheduler.waitFor(
            Promise.allSettled([
              ...plan.map((_, payload) => producer.send(payload, { id: `${payload}`, dedupeMs: 1000 })),
              consumer.drain(
                async (message) => {
                  await scheduler.schedule(Promise.resolve(), `handler of ${message.payload}`)
                  if (message.attempt === 1) await perform(message, plan[message.payload]!)
                },
                { concurrency },
              ),
              consumer.receive(),
            ]),
          )
          const errors = outcomes.filter(({ status }) => status === 'rejected')
          for (const outcome of errors) expect(outcome).toEqual({ status: 'rejected', reason: broken })
          // What a handler did not wait for.
          await scheduler.waitIdle()
          calm()
          // Who was told that the storage failed sends again, with the same id; leases run out.
          for (const [payload, outcome] of outcomes.slice(0, plan.length).entries()) {
            if (outcome.status === 'rejected')
              await producer.send(payload, { id: `${payload}`, dedupeMs: 1000 })
          }
          clock.jump(100_000)
          await consumer.drain(() => undefined, { concurrency: 3 })
          const { groups } = await queue.stats()
          expect(groups['g']!.acked + groups['g']!.dead).toBe(plan.length)
          expect(groups['g']).toMatchObject({ ready: 0, leased: 0, delayed: 0, blocked: 0 })
          await queue.close()
          expect(clock.timers).toBe(0)
        },
      ),
      { numRuns: howMany('RUNS', { quick: 100, full: 500 }) },
    )
    expect(unhandled).toEqual([])
  })
})
