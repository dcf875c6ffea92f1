import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'

const batchId = '019343f0-0000-7000-8000-000000000000'

test.each([undefined, 'lane'])('a purge ends what is out as a probe: of %s', async (lane) => {
  const clock = { time: 1_800_000_000_000, now: () => clock.time }
  const q = await new MemoryAdapter({ clock }).open('q')
  const take = async (): Promise<unknown[]> => {
    const { deliveries } = await q.claim({ group: 'g', limit: 9, leaseMs: 1000, maxAttempts: 3 })
    return deliveries.map(({ body }) => body)
  }
  await q.hold({ lane, forMs: 10, probe: true })
  await q.append([{ body: 'a', lane }], { batchId })
  clock.time += 10
  expect(await take()).toEqual(['a'])
  await q.purge()
  const more = ['b', 'c'].map((body) => ({ body, lane }))
  await q.append(more, { batchId })
  expect(await take()).toEqual(['b'])
  expect(await take()).toEqual([])
})

test('a message that is sent again while it is leased keeps its promise of dedupeMs, also when all is purged', async () => {
  const q = await new MemoryAdapter().open('q')
  const send = async (more: object): Promise<string> => {
    const [result] = await q.append([{ body: 'x', id: 'id', ...more }], { batchId })
    return result!.status
  }
  expect(await send({ dedupeMs: 1e6 })).toBe('stored')
  await q.claim({ group: 'g', limit: 9, leaseMs: 1e6, maxAttempts: 3 })
  expect(await send({ replace: true })).toBe('stored')
  await q.purge()
  expect(await send({})).toBe('duplicate')
})
