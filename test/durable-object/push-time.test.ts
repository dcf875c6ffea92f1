import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Push, type PushOptions } from '../../adapters/durable-object/push.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { uuid } from '../../src/message-id.ts'

// What takes a push minutes, in time that is moved by hand: no runtime.

const MINUTE = 60_000

beforeEach(() => vi.useFakeTimers({ now: Date.UTC(2030, 0, 1) }))
afterEach(() => vi.useRealTimers())

async function setUp(handle: () => unknown, options: PushOptions = {}) {
  const storage = new MemoryAdapter()
  const view = await storage.open('q')
  const alarms = {
    at: null as number | null,
    set: 0,
    getAlarm: () => Promise.resolve(alarms.at),
    setAlarm: (time: number) => {
      alarms.set++
      alarms.at = time
      return Promise.resolve()
    },
  }
  const push = new Push({
    name: 'q',
    storage,
    alarms,
    isEmpty: () => false,
    options: () => options,
    handle,
  })
  await push.load()
  const send = async (count: number): Promise<void> => {
    const messages = Array.from({ length: count }, (_, i) => ({ body: `${i}` }))
    await view.append(messages, { batchId: uuid() })
    push.changed()
    await vi.advanceTimersByTimeAsync(0)
  }
  /** Lets the alarm go off, when it is time. */
  const ring = async (): Promise<void> => {
    const { at } = alarms
    alarms.at = null
    await vi.advanceTimersByTimeAsync(Math.max(0, at! - Date.now()))
    const going = new Set([push.alarm()])
    for (const one of going) void one.then(() => going.delete(one))
    while (going.size > 0) await vi.advanceTimersByTimeAsync(1000)
  }
  return { alarms, push, send, ring, view }
}

test('an alarm that should have gone off long ago is set anew, one that is due is not', async () => {
  const { alarms, send } = await setUp(() => undefined)
  await send(1)
  expect(alarms.set).toBe(1)
  vi.setSystemTime(Date.now() + MINUTE)
  await send(1)
  expect(alarms.set).toBe(1)
  vi.setSystemTime(Date.now() + 3 * MINUTE)
  await send(1)
  expect(alarms.set).toBe(2)
  expect(alarms.at).toBeGreaterThanOrEqual(Date.now())
})

test('every handler has all of its time: what would not end in an alarm is left to the next', async () => {
  let started = 0
  const handle = (): Promise<void> => {
    started++
    return new Promise((resolve) => setTimeout(resolve, 6 * MINUTE))
  }
  const { send, ring, view } = await setUp(handle, { batchSize: 1, timeoutMs: 7 * MINUTE })
  await send(5)
  await ring()
  expect(started).toBe(2)
  await ring()
  await ring()
  expect(started).toBe(5)
  expect((await view.stats()).groups['default']).toMatchObject({ acked: 5, failed: 0 })
})

test('a handler that hangs is ended after 14 minutes if nothing else is said', async () => {
  const { send, ring, view } = await setUp(() => new Promise(() => {}), {
    retry: { maxAttempts: 1 },
    leaseMs: 2 ** 40,
  })
  await send(1)
  const start = Date.now()
  await ring()
  expect(Date.now() - start).toBeLessThan(14 * MINUTE + 2000)
  const { messages } = await view.list({ group: 'default', limit: 1, states: ['dead'] })
  expect(messages).toMatchObject([{ reason: 'exhausted', lastError: expect.stringContaining('timed out') }])
})

test('a handler that always fails is called less and less often, whatever waits and comes', async () => {
  const calls: number[] = []
  const handle = (): never => {
    calls.push(Date.now())
    throw new Error('down')
  }
  const { send, ring } = await setUp(handle, { batchSize: 1 })
  await send(200)
  for (let i = 0; i < 14; i++) {
    await ring()
    await send(1)
  }
  const gaps = calls.slice(1).map((at, i) => at - calls[i]!)
  expect(gaps[0]).toBeLessThan(2000)
  expect(gaps.at(-1)).toBeGreaterThanOrEqual(MINUTE)
  expect(calls.length).toBeLessThan(20)
})
