import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { NewMessage } from '../../src/storage.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { memoryStore } from '../support/memory-store.ts'
import { limited } from './small-steps.ts'

const BATCH = '01890000-0000-7000-8000-000000000000'

test('a purge ends what a new group was taking over; a later one still gets what others finish meanwhile', async () => {
  const clock = new ManualClock()
  const store = limited(await memoryStore(clock)())
  const queue = await new SegmentAdapter(new MemoryAdapter().guarantees, async () => store).open('q')
  const claim = async (
    group: string,
  ): Promise<{ receipts: string[]; bodies: unknown[]; goesOn: boolean }> => {
    const { deliveries, nextInMs } = await queue.claim({ group, limit: 20, leaseMs: 60_000, maxAttempts: 9 })
    return {
      receipts: deliveries.map(({ receipt }) => receipt),
      bodies: deliveries.map(({ body }) => body),
      goesOn: nextInMs === 0 || deliveries.length > 0,
    }
  }
  const bodies = Array.from({ length: 12 }, (_, i) => `${i}`)
  /** Has the first group wait with all of them outside the log. */
  const retryAll = async (): Promise<void> => {
    await queue.append(
      bodies.map((body): NewMessage => ({ body })),
      { batchId: BATCH },
    )
    for (let waiting = 0; waiting < bodies.length;) {
      const { receipts } = await claim('first')
      waiting += receipts.length
      await queue.settle(
        'first',
        receipts.map((receipt) => ({ receipt, kind: 'retry', delayMs: 1000 })),
      )
    }
  }
  const start = async (group: string): Promise<void> =>
    void (await queue.append([], { batchId: BATCH, groups: [{ name: group, from: 'earliest' }] }))

  await claim('first')
  await retryAll()
  await start('second')
  await queue.purge()
  while ((await claim('second')).goesOn);
  await queue.deleteGroup('second')

  await retryAll()
  await start('third')
  const seen: unknown[] = []
  clock.jump(1000)
  for (let done = 0; done < bodies.length;) {
    const { receipts } = await claim('first')
    done += receipts.length
    await queue.settle(
      'first',
      receipts.map((receipt) => ({ receipt, kind: 'ack' })),
    )
  }
  for (let one = await claim('third'); one.goesOn; one = await claim('third')) seen.push(...one.bodies)
  expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(bodies.map(Number))
})
