import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { NewMessage } from '../../src/storage.ts'

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
