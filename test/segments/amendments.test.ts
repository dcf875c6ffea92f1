import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { type QueueRow, QUEUE_KEY } from '../../src/segments/rows.ts'
import type { NewMessage } from '../../src/storage.ts'
import { ManualClock } from '../../src/testing/index.ts'

const GROUP = { group: 'g', leaseMs: 60_000, maxAttempts: 9 }
const BATCH = '01890000-0000-7000-8000-000000000000'

test.each([
  ['replaced', undefined],
  ['replaced', 'a'],
  ['cancelled', undefined],
  ['cancelled', 'a'],
])('nothing is left of what was %s once no group needs the log for it (lane %s)', async (how, lane) => {
  const store = await memoryStore(Date)()
  const queue = await new SegmentAdapter(new MemoryAdapter().guarantees, async () => store).open('q')
  const messages = Array.from({ length: 200 }, (_, i): NewMessage => ({ body: `${i}`, id: `id-${i}`, lane }))
  await queue.append(messages, { batchId: BATCH })
  const take = async (limit: number): Promise<string[]> =>
    (await queue.claim({ ...GROUP, limit })).deliveries.map(({ receipt }) => receipt)
  const acks = (receipts: readonly string[]): { receipt: string; kind: 'ack' }[] =>
    receipts.map((receipt) => ({ receipt, kind: 'ack' }))
  // The last of these waits outside the log, in front of which the log was trimmed.
  const first = await take(100)
  await queue.settle('g', [
    ...acks(first.slice(0, -1)),
    { receipt: first.at(-1)!, kind: 'retry', delayMs: 0 },
  ])
  if (how === 'cancelled') await queue.cancel(['id-99'])
  else await queue.append([{ body: 'new', id: 'id-99', lane, replace: true }], { batchId: BATCH })
  for (let left = await take(1000); left.length > 0; left = await take(1000))
    await queue.settle('g', acks(left))
  const rows = await store.open('q')
  const found = await rows.transact('read', (tx) =>
    (['log', 'amend', 'ids', 'side'] as const).map((table) => [table, tx.range(table, {}, 9).length]),
  )
  expect(Object.fromEntries(found)).toEqual({ log: 0, amend: 0, ids: 0, side: 0 })
})

test.each([undefined, 'a'])(
  'nothing is left of what expires after all have finished it, while its segment is in the log (lane %s)',
  async (lane) => {
    const clock = new ManualClock()
    const store = await memoryStore(clock)()
    const queue = await new SegmentAdapter(new MemoryAdapter().guarantees, async () => store).open('q')
    const messages = Array.from({ length: 200 }, (_, i): NewMessage => ({
      body: `${i}`,
      lane,
      expiresInMs: 10_000,
    }))
    await queue.append(messages, { batchId: BATCH })
    const ack = async (limit: number): Promise<number> => {
      const { deliveries } = await queue.claim({ ...GROUP, limit })
      await queue.settle(
        'g',
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      return deliveries.length
    }
    // More than the log is trimmed by at once.
    expect(await ack(100)).toBe(100)
    const { deliveries } = await queue.claim({ ...GROUP, limit: 100 })
    clock.jump(10_000)
    expect(await ack(1000)).toBe(0)
    await queue.settle(
      'g',
      deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
    )
    expect(await ack(1000)).toBe(0)
    const rows = await store.open('q')
    const found = await rows.transact('read', (tx) =>
      (['log', 'amend', 'timers', 'lanes'] as const).map((table) => [table, tx.range(table, {}, 9).length]),
    )
    expect(Object.fromEntries(found)).toEqual({ log: 0, amend: 0, timers: 0, lanes: 0 })
    const state = await rows.transact('read', (tx) => tx.get<QueueRow>('state', QUEUE_KEY))
    expect(state).toMatchObject({ amended: 0, gone: 0 })
  },
)
