import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/life.ts', {
    LIVELY: 'Lively',
    WRONG: 'Wrong',
    KEEPER: 'Keeper',
  })
})
afterAll(() => worker.close())

interface Pushed {
  readonly events: readonly string[]
  readonly messages: number
  readonly group: { readonly acked: number; readonly failed: number; readonly dead: number }
}

function push(queue: string, tasks: readonly object[]): Promise<Pushed> {
  return worker.call('push', { queue, tasks })
}

describe('a push', () => {
  test('of a handler that hangs ends: its signal aborts, its attempt counts, others come', async () => {
    const { events, group, messages } = await push('hanging', [{ name: 'a', does: 'hang' }, { name: 'b' }])
    const failed = 'failed a: onMessages: timed out after 1200 ms (timeoutMs)'
    expect(events.slice(0, 3).sort()).toEqual(['a 1', 'aborted a: TIMEOUT', failed])
    expect(events.slice(3).sort()).toEqual(['a 2', 'b 1'])
    expect(group).toMatchObject({ acked: 2, failed: 1, dead: 0 })
    expect(messages).toBe(0)
  })

  test('of a handler that blocks for longer than its lease is acked once, and not given again', async () => {
    const { events, group } = await push('blocking', [{ name: 'a', does: 'block' }, { name: 'b' }])
    expect(events).toEqual(['a 1', 'b 1'])
    expect(group).toMatchObject({ acked: 2, failed: 0, dead: 0 })
  })

  test('says what failed', async () => {
    const { events } = await push('throwing', [{ name: 'a', does: 'throw' }])
    expect(events).toEqual(['a 1', 'failed a: boom', 'a 2'])
  })

  test('outlives trouble of the storage, and acks what was finished meanwhile', async () => {
    const { events, group } = await worker.call<Pushed>('trouble', 'troubled')
    expect(events[0]).toBe('a 1')
    expect(events.slice(1).every((event) => event.startsWith('error: '))).toBe(true)
    expect(group).toMatchObject({ acked: 1, failed: 0 })
  })

  test.each([
    ['throw', 1],
    ['give back', 2],
  ])('that gets nowhere slows down (%s)', async (does, atOnce) => {
    // After so many pauses of no length it waits for 100 ms, 200, 400, and for 800 though another comes meanwhile.
    const times = await worker.call<number[]>('hot', { queue: `hot ${does}`, does, count: atOnce + 5 })
    const gaps = times.slice(1).map((at, i) => at - times[i]!)
    for (const [i, ms] of [100, 200, 400, 800].entries())
      expect(gaps[atOnce + i], String(gaps)).toBeGreaterThan(ms * 0.9)
  })

  test('whose alarm was lost is set anew when somebody asks for the queue', async () => {
    expect(await worker.call('lost', 'lost')).toBe(true)
  })

  test('of the longest delay has an alarm for it', async () => {
    const ms = await worker.call<number>('far', 'far')
    expect(Math.abs(ms - 3_155_760_000_000)).toBeLessThan(10_000)
  })

  test('whose options are wrong is refused at every call, and does not run', async () => {
    const { error, rows, alarms } = await worker.call<{
      error: { code: string; message: string }
      rows: number
      alarms: number
    }>('wrong', 'wrong')
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toContain('batchSize must be a whole number, 1 or more, not 0')
    expect({ rows, alarms }).toEqual({ rows: 0, alarms: 0 })
  })

  test('works whatever the length of the name', async () => {
    expect(await worker.call('long', 'long')).toEqual(['a 1'])
  })
})

test('an object of which nothing was ever stored keeps nothing', async () => {
  expect(await worker.call<number>('unused', 'unused')).toBeLessThan(5000)
})

test('a queue that is deleted leaves no rows, no alarm and no ids', async () => {
  const { before, had, size, alarmAt, dump, status, events } = await worker.call<{
    before: number
    had: boolean
    size: number
    alarmAt: number | null
    dump: string
    status: string
    events: string[]
  }>('deleted', 'deleted')
  expect(had).toBe(true)
  expect(size).toBeLessThanOrEqual(before)
  expect({ alarmAt, dump, status }).toEqual({ alarmAt: null, dump: '[]', status: 'stored' })
  expect(events).toEqual(['later 1'])
})

test('what a subclass keeps besides stays when the queue is deleted', async () => {
  expect(await worker.call('kept', 'kept')).toEqual({ kept: 42, dump: '[]' })
})
