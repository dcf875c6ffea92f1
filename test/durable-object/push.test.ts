import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'

interface State {
  readonly seen: readonly { name: string; attempt: number; at: number; batch: number }[]
  readonly messages: number
  readonly states: readonly string[]
  readonly group: { readonly acked: number; readonly failed: number; readonly dead: number } | null
  readonly dead: readonly unknown[]
  readonly written: { readonly rows: number; readonly alarms: number }
  readonly alarmAt: number | null
}

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/push.ts', { PUSHED: 'Pushed', PULLED: 'Pulled' })
})
afterAll(() => worker.close())

function send(queue: string, ...tasks: object[]): Promise<number> {
  return worker.call('send', { queue, tasks })
}

/** Waits until a queue is as expected. */
async function until(queue: string, holds: (state: State) => boolean, withinMs = 60_000): Promise<State> {
  for (const end = Date.now() + withinMs; ;) {
    const late = Date.now() > end
    // An object that ends takes the calls with it that are under way.
    const state = await worker.call<State>('seen', queue).catch((error: unknown) => {
      if (late) throw error
    })
    if (state !== undefined && holds(state)) return state
    if (late) throw new Error(`${queue}: not so within ${withinMs} ms: ${JSON.stringify(state)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isEmpty = ({ messages, seen }: State): boolean => messages === 0 && seen.length > 0

test('messages are pushed as they come, in batches, in order, and acked', async () => {
  const at = await send('simple', ...Array.from({ length: 25 }, (_, i) => ({ name: `${i}` })))
  const { seen, group } = await until('simple', isEmpty)
  expect(seen.map(({ name }) => name)).toEqual(Array.from({ length: 25 }, (_, i) => `${i}`))
  expect(seen.map(({ batch }) => batch)).toEqual([...Array(20).fill(10), ...Array(5).fill(5)])
  expect(seen[0]!.at - at).toBeLessThan(5000)
  expect(group).toMatchObject({ acked: 25, failed: 0, dead: 0 })
})

test('delayed messages are pushed when they are due, each by an alarm of its own time', async () => {
  const at = await send('delayed', { name: 'late', delayMs: 900 }, { name: 'soon', delayMs: 300 })
  const { seen } = await until('delayed', isEmpty)
  expect(seen.map(({ name }) => name)).toEqual(['soon', 'late'])
  for (const [i, ms] of [300, 900].entries()) {
    expect(seen[i]!.at - at).toBeGreaterThanOrEqual(ms)
    expect(seen[i]!.at - at).toBeLessThan(ms + 5000)
  }
})

test('a handler that throws is given its messages again by the retry policy, and then they are dead letters', async () => {
  await send('failing', { name: 'once', fail: 1 }, { name: 'always', fail: 9 })
  const { seen, dead } = await until('failing', isEmpty)
  // They were together in a batch that failed each time.
  expect(seen.filter(({ name }) => name === 'always').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  expect(dead).toContainEqual({ name: 'always', reason: 'exhausted', lastError: 'always failed' })
})

test('a handler may settle messages itself; the rest of the batch is as it ends', async () => {
  await send('own', { name: 'bad', reject: true }, { name: 'good' })
  const { seen, dead, group } = await until('own', isEmpty)
  expect(seen.map(({ attempt }) => attempt)).toEqual([1, 1])
  expect(dead).toEqual([{ name: 'bad', reason: 'rejected', lastError: 'no' }])
  expect(group).toMatchObject({ acked: 1, dead: 1 })
})

test('leases are extended while a handler works, and an alarm is set for when they end', async () => {
  await send('slow', { name: 'slow', waits: true })
  const { states, alarmAt } = await until(
    'slow',
    ({ seen }) => seen.length > 0 && Date.now() - seen[0]!.at > 1500,
  )
  expect(states).toEqual(['leased'])
  // Should the object end now, and the platform give up, this wakes it.
  expect(alarmAt).not.toBeNull()
  await worker.call('release', 'slow')
  const { seen } = await until('slow', isEmpty)
  expect(seen).toHaveLength(1)
})

test('an object that its handler ends, each time, gives the message again and at last makes it a dead letter', async () => {
  await send('killer', { name: 'killer', kill: 9 })
  const next = (): Promise<number> => send('killer', { name: 'next' })
  // The object may end just then, and take the call with it.
  await next().catch(next)
  const { seen, dead } = await until('killer', isEmpty, 40_000)
  expect(seen.filter(({ name }) => name === 'killer').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
  expect(dead).toMatchObject([{ name: 'killer', reason: 'exhausted' }])
  expect(seen.some(({ name }) => name === 'next')).toBe(true)
})

test('an alarm outlives the runtime', async () => {
  await send('outlived', { name: 'later', delayMs: 1500 })
  await worker.restart()
  const { seen } = await until('outlived', isEmpty)
  expect(seen).toMatchObject([{ name: 'later', attempt: 1 }])
})

describe('alarms are set', () => {
  test('only to an earlier time', async () => {
    await send('earlier', { name: 'a', delayMs: 600_000 })
    const first = await until('earlier', () => true)
    for (let i = 1; i <= 5; i++) await send('earlier', { name: 'b', delayMs: 600_000 + i * 1000 })
    const second = await until('earlier', () => true)
    expect(second.alarmAt).toBe(first.alarmAt)
    expect(second.written.alarms).toBe(first.written.alarms)
    await send('earlier', { name: 'c', delayMs: 300_000 })
    const third = await until('earlier', () => true)
    expect(third.alarmAt!).toBeLessThan(first.alarmAt!)
    expect(third.written.alarms).toBe(first.written.alarms + 1)
  })

  test('never without a handler', async () => {
    expect(await worker.call('pull', 'pull')).toEqual({ alarmAt: null, alarms: 0 })
  })

  test.each(['throw', 'abort'])('together with what they are for, whatever fails (%s)', async (kind) => {
    const outcomes = await worker.call<{ code: string | null; messages: number; alarm: boolean }[]>(
      'faults',
      {
        queue: `faults ${kind}`,
        kind,
      },
    )
    for (const { code, messages, alarm } of outcomes) {
      expect(code === null || code === 'STORAGE_FAILED').toBe(true)
      expect(messages).toBe(code === null ? 1 : 0)
      expect(alarm).toBe(messages > 0)
    }
    // The first calls fail, the last are not reached.
    expect(outcomes[0]!.messages).toBe(0)
    expect(outcomes.at(-1)!.messages).toBe(1)
  })
})
