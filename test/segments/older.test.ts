import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { memoryStore } from '../support/memory-store.ts'
import { limited } from './small-steps.ts'

const BATCH = { batchId: '01890000-0000-7000-8000-000000000000' }
const CLAIM = { group: 'g', limit: 20, leaseMs: 60_000, maxAttempts: 9 }

test.each([
  ['their acks', 'in lanes'],
  ['their acks', 'in none'],
  ['a purge', 'in lanes'],
  ['a purge', 'in none'],
  ['the end of their group', 'in lanes'],
  ['the end of their group', 'in none'],
])('of 40 ids with several messages under way each, nothing is left after %s, %s', async (end, where) => {
  const clock = new ManualClock()
  const store = await memoryStore(clock)()
  const small = limited(store)
  const queue = await new SegmentAdapter(new MemoryAdapter().guarantees, async () => small).open('q')
  const ids = Array.from({ length: 40 }, (_, i) => `id-${i}`)
  const receipts: string[] = []
  for (let round = 1; round <= 3; round++) {
    await queue.append(
      ids.map((id, i) => ({
        body: `${round}`,
        id,
        replace: true,
        dedupeMs: 1000 * round,
        ...(where === 'in lanes' && { lane: `lane-${i % 3}` }),
      })),
      BATCH,
    )
    while (receipts.length < 40 * round)
      receipts.push(...(await queue.claim(CLAIM)).deliveries.map(({ receipt }) => receipt))
  }
  const rows = async (): Promise<number> =>
    await (
      await store.open('q')
    ).transact('read', (tx) => tx.range('ids', {}, 999).length + tx.range('timers', {}, 999).length)
  expect(await rows()).toBe(120)

  if (end === 'a purge') await queue.purge()
  else if (end === 'the end of their group') await queue.deleteGroup('g')
  else
    await queue.settle(
      'g',
      receipts.map((receipt) => ({ receipt, kind: 'ack' })),
    )
  clock.jump(2999)
  const again = ids.map((id) => ({ body: 'again', id }))
  expect((await queue.append(again, BATCH)).every(({ status }) => status === 'duplicate')).toBe(true)
  clock.jump(1)
  for (let goesOn = true; goesOn;) goesOn = (await queue.claim(CLAIM)).nextInMs === 0
  expect(await rows()).toBe(0)
})
