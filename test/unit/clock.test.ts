import { afterEach, describe, expect, test, vi } from 'vitest'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { isPending } from '../support/set-up.ts'

describe('option clock', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('moves delays, leases and waits, in the queue and in the storage that it makes', async () => {
    const clock = new ManualClock()
    const queue = new Queue('q', { clock })
    await queue.createProducer().send('x', { delayMs: 5000 })
    const waiting = queue.createConsumer().receive({ waitMs: 10_000 })
    await clock.advance(4999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect(await waiting).toMatchObject({ payload: 'x', timestamp: clock.now() - 5000 })
    expect((await waiting)!.leaseUntil).toBe(clock.now() + 30_000)
    await clock.advance(30_000)
    expect((await queue.createConsumer().receive())?.attempt).toBe(2)
    await queue.close()
  })

  test('without it a queue does not care how a clock of its own would be moved', async () => {
    const clock = new ManualClock()
    const queue = new Queue('q')
    await queue.createProducer().send('x', { delayMs: 5000 })
    await clock.advance(5000)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    await queue.close()
  })

  test('the storage has one of its own: that of the queue does not move its delays', async () => {
    const [ours, theirs] = [new ManualClock(), new ManualClock()]
    const queue = new Queue('q', { clock: ours, storage: new MemoryAdapter({ clock: theirs }) })
    await queue.createProducer().send('x', { delayMs: 5000 })
    await ours.advance(5000)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    await theirs.advance(5000)
    expect((await queue.createConsumer().receive())?.payload).toBe('x')
    await queue.close()
  })

  test('of the runtime is looked up at each call, so that fake timers work', async () => {
    const queue = new Queue('q')
    vi.useFakeTimers()
    const producer = queue.createProducer()
    await producer.send('x', { delayMs: 60_000 })
    const waiting = queue.createConsumer().receive({ waitMs: 3_600_000 })
    await vi.advanceTimersByTimeAsync(60_000)
    expect((await waiting)?.payload).toBe('x')
    expect(vi.getTimerCount()).toBe(0)
    const timedOut = queue.createConsumer().receive({ waitMs: 1000 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await timedOut).toBeUndefined()
    await queue.close()
  })
})

describe('the manual clock of these tests', () => {
  test('fires timers in order of time, then of setting, and lets promises settle after each', async () => {
    const clock = new ManualClock(1000)
    const log: string[] = []
    const at = (name: string, ms: number): unknown =>
      clock.setTimeout(() => {
        log.push(`${name} at ${clock.now()}`)
        void Promise.resolve().then(() => log.push(`after ${name}`))
      }, ms)
    at('b', 20)
    at('a', 10)
    clock.clearTimeout(at('never', 15))
    at('c', 20)
    clock.setTimeout(() => at('nested', 5), 18)
    at('later', 31)
    await clock.advance(30)
    expect(log).toEqual([
      'a at 1010',
      'after a',
      'b at 1020',
      'after b',
      'c at 1020',
      'after c',
      'nested at 1023',
      'after nested',
    ])
    expect(clock.now()).toBe(1030)
    expect(clock.timers).toBe(1)
  })
})
