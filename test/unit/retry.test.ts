import * as fc from '../support/fast-check.ts'
import { describe, expect, test } from 'vitest'
import { backoffDelay } from '../../src/index.ts'
import { setUp } from '../support/set-up.ts'

const POLICY = { maxAttempts: 4, initialMs: 1000, maxMs: 60_000, factor: 2 }
const ALMOST_1 = 1 - Number.EPSILON / 2

describe('backoffDelay', () => {
  test.each([
    [1, 0, 0],
    [1, 0.5, 500],
    [1, ALMOST_1, 999],
    [2, 0.5, 1000],
    [3, 0.5, 2000],
    [6, 0.5, 16_000],
    [7, 0.5, 30_000],
    [8, 0.5, 30_000],
    [100, ALMOST_1, 59_999],
    [10_000, 0.5, 30_000],
  ])('after attempt %d, with %d drawn: %d ms', (attempt, random, ms) => {
    expect(backoffDelay(attempt, random, POLICY)).toBe(ms)
  })

  test.each([
    ['initialMs 0 is always at once', { ...POLICY, initialMs: 0 }, 10_000, 0],
    ['maxMs 0 is always at once', { ...POLICY, maxMs: 0 }, 3, 0],
    ['factor 1 does not grow', { ...POLICY, factor: 1 }, 50, 500],
    ['maxMs below initialMs caps the first wait too', { ...POLICY, maxMs: 100 }, 1, 50],
    ['a factor beyond all numbers', { ...POLICY, factor: Number.MAX_VALUE }, 5, 30_000],
    ['one beyond all numbers with initialMs 0', { ...POLICY, initialMs: 0, factor: Number.MAX_VALUE }, 5, 0],
  ])('%s', (_, policy, attempt, ms) => {
    expect(backoffDelay(attempt, 0.5, policy)).toBe(ms)
  })

  test('is always a whole number of ms from 0 up to the cap', () => {
    const policies = fc.record({
      maxAttempts: fc.constant(4),
      initialMs: fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
      maxMs: fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
      factor: fc.double({ min: 1, max: Number.MAX_VALUE, noNaN: true }),
    })
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (policy, attempt, random) => {
          const ms = backoffDelay(attempt, random, policy)
          expect(Number.isSafeInteger(ms)).toBe(true)
          expect(ms).toBeGreaterThanOrEqual(0)
          expect(ms).toBeLessThanOrEqual(policy.maxMs)
        },
      ),
    )
  })
})

describe('option retry', () => {
  test('maxAttempts is how many deliveries a message may have', async () => {
    const { queue, producer } = setUp()
    const consumer = queue.createConsumer('g', { retry: { maxAttempts: 6, initialMs: 0 } })
    await producer.send('x')
    const attempts: number[] = []
    const report = await consumer.drain(({ attempt }) => {
      attempts.push(attempt)
      throw new Error('no')
    })
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6])
    expect(report).toEqual({ acked: 0, retried: 5, dead: 1, parked: 0, returned: 0 })
  })

  test('is 4 attempts, up to 1 s, growing by 2, up to 60 s, by default', async () => {
    const draws: number[] = []
    const { clock, producer, consumer } = setUp({
      random: () => {
        draws.push(1)
        return ALMOST_1
      },
    })
    await producer.send('x')
    for (const wait of [999, 1999, 3999]) {
      await (await consumer.receive())!.nack()
      await clock.advance(wait - 1)
      expect(await consumer.receive()).toBeUndefined()
      await clock.advance(1)
    }
    const last = await consumer.receive()
    expect(last).toMatchObject({ attempt: 4, maxAttempts: 4 })
    await last!.nack()
    expect(draws).toHaveLength(3)
  })

  test('undefined is as if it were not there', async () => {
    const { queue, producer } = setUp()
    const consumer = queue.createConsumer('g', {
      leaseMs: undefined,
      from: undefined,
      retry: { maxAttempts: undefined, initialMs: undefined, maxMs: undefined, factor: undefined },
    })
    await producer.send('x')
    expect((await consumer.receive())?.maxAttempts).toBe(4)
    queue.createConsumer('g', { retry: undefined })
  })

  test('is of the consumer: two of one group may differ', async () => {
    const { queue, producer } = setUp()
    const [strict, patient] = [
      queue.createConsumer('g', { retry: { maxAttempts: 1 } }),
      queue.createConsumer('g', { retry: { maxAttempts: 9 } }),
    ]
    await producer.send('x')
    await (await patient.receive())!.nack({ delayMs: 0 })
    expect(await strict.receive()).toBeUndefined()
    expect((await queue.deadLetters('g').list()).messages).toMatchObject([
      { reason: 'exhausted', attempt: 1 },
    ])
  })

  test('without jitter of their own, messages that fail together come back apart', async () => {
    const { queue, clock, producer, consumer } = setUp({ random: Math.random })
    await producer.sendBatch(Array.from({ length: 200 }, (_, payload) => ({ payload })))
    await consumer.nackBatch(await consumer.receiveBatch(200))
    const waits = (await queue.list({ limit: 200, state: ['delayed', 'ready'] })).messages.map(
      ({ nextInMs = 0 }) => nextInMs,
    )
    expect(waits).toHaveLength(200)
    expect(Math.max(...waits)).toBeLessThan(1000)
    expect(new Set(waits.map((ms) => Math.floor(ms / 100))).size).toBeGreaterThan(5)
    await clock.advance(1000)
    expect(await consumer.receiveBatch(200)).toHaveLength(200)
  })
})
