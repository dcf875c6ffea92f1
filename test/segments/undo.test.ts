import { expect, test } from 'vitest'
import { SegmentMemory } from '../support/memory-store.ts'

test('a transaction in memory that fails puts back every row that it took away', async () => {
  const view = await new SegmentMemory().open('orders')
  const batchId = '019343f0-0000-7000-8000-000000000000'
  await view.append([{ body: 'a' }, { body: 'b' }, { body: 'c' }], { batchId })
  const { deliveries } = await view.claim({ group: 'g', limit: 9, leaseMs: 1000, maxAttempts: 3 })
  const dead = deliveries.map(({ receipt }) => ({ receipt, kind: 'dead', reason: 'rejected' }) as const)
  await view.settle('g', dead)

  const letters = async () => (await view.list({ group: 'g', states: ['dead'], limit: 9 })).messages
  const receipts = (await letters()).map(({ receipt }) => receipt!)
  const acks = receipts.slice(0, 2).map((receipt) => ({ receipt, kind: 'ack' }) as const)
  const broken = {
    receipt: receipts[2]!,
    get kind(): 'ack' {
      throw new Error('broken')
    },
  }
  await expect(view.settle('g', [...acks, broken])).rejects.toThrow('broken')
  expect((await letters()).map(({ body }) => body)).toEqual(['a', 'b', 'c'])
  expect(await view.settle('g', acks)).toEqual([{ status: 'settled' }, { status: 'settled' }])
})
