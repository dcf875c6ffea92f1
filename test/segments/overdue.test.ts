import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/segments/store.ts'
import type { Delivery, QueueStorage } from '../../src/storage.ts'
import { Metered } from './metered.ts'

// What is overdue is more than one step moves.

const LIMITS = { ...DEFAULT_LIMITS, stepMessages: 10 }
const batchId = '019343f0-0000-7000-8000-000000000000'

async function send(
  q: QueueStorage,
  lanes: readonly (string | undefined)[],
  delayMs?: number,
): Promise<void> {
  for (const lane of lanes) await q.append([{ body: lane ?? '-', lane, delayMs }], { batchId })
}

/** Claims until something is delivered. */
async function take(q: QueueStorage, limit: number): Promise<readonly Delivery[]> {
  for (;;) {
    const { deliveries, nextInMs } = await q.claim({ group: 'g', limit, leaseMs: 1000, maxAttempts: 3 })
    if (deliveries.length > 0 || nextInMs !== 0) return deliveries
  }
}

test('lanes have their turns once all that is due has its place', async () => {
  const meter = new Metered()
  const q = await meter.open({ limits: LIMITS })
  await take(q, 0)
  await send(
    q,
    Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 'b' : 'c')),
    100,
  )
  await send(
    q,
    Array.from({ length: 40 }, () => undefined),
    100,
  )
  meter.now += 100
  await send(q, ['a'])
  expect((await take(q, 4)).map(({ body }) => body)).toEqual(['-', 'a', 'b', 'c'])
})

test('what only a deleted group needed is gone with it', async () => {
  const meter = new Metered()
  const q = await meter.open({ limits: LIMITS })
  await q.claim({ group: 'early', limit: 0, leaseMs: 1000, maxAttempts: 3 })
  await send(
    q,
    Array.from({ length: 35 }, (_, i) => (i % 2 === 0 ? undefined : 'a')),
    100,
  )
  meter.now += 100
  await q.claim({ group: 'late', from: 'latest', limit: 0, leaseMs: 1000, maxAttempts: 3 })
  await q.deleteGroup('early')
  expect((await q.list({ group: 'new', limit: 100 })).messages).toEqual([])
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0 })
  expect(meter.left('delayed', 'timers', 'log', 'lanes', 'ids')).toEqual([0, 0, 0, 0, 0])
})
