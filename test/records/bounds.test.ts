import { expect, test, vi } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import type { NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { howMany } from '../support/effort.ts'

const MANY = howMany('MANY', { quick: 50_000, full: 1_000_000 })
/** What nobody waits for takes no longer on a computer that has much to do besides. */
const MOST_MS = 200
const plain = Map.prototype.set
const batchId = '019343f0-0000-7000-8000-000000000000'

class Clock {
  time = 1_800_000_000_000
  now(): number {
    return this.time
  }
}

async function open(): Promise<{ q: QueueStorage; clock: Clock }> {
  const clock = new Clock()
  return { q: await new MemoryAdapter({ clock }).open('q'), clock }
}

async function send(q: QueueStorage, more: (i: number) => Partial<NewMessage> = () => ({})): Promise<void> {
  for (let i = 0; i < MANY; i += 1000)
    await q.append(
      Array.from({ length: 1000 }, (_, k) => ({ body: `${i + k}`, ...more(i + k) })),
      { batchId },
    )
}

async function claim(q: QueueStorage, limit: number, group = 'g', leaseMs = 1e9): Promise<string[]> {
  const { deliveries } = await q.claim({ group, limit, leaseMs, maxAttempts: 3 })
  return deliveries.map(({ receipt }) => receipt)
}

/** CPU that a verb takes until it answers or lets others have their turn. */
async function dearest(verb: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage()
  const work = verb()
  const { user } = process.cpuUsage(before)
  expect(user / 1000).toBeLessThan(MOST_MS)
  await work
}

test('no step grows with what is overdue, and what is sent meanwhile comes behind it', async () => {
  const { q, clock } = await open()
  await claim(q, 0)
  await send(q, (i) => ({ delayMs: 1 + (i % 1000), key: `${i % 10}` }))
  clock.time += 5000
  await dearest(() => claim(q, 100))
  await dearest(() => q.append([{ body: 'last', key: '7' }], { batchId }))
  await dearest(() => q.list({ group: 'g', limit: 10 }))
  await dearest(() => q.stats())
  const { groups } = await q.stats()
  expect(groups['g']!.ready + groups['g']!.leased + groups['g']!.blocked).toBe(MANY + 1)
  const { messages } = await q.list({ group: 'g', limit: 10, states: ['delayed'] })
  expect(messages).toEqual([])
})

test('no step grows with the leases that end at once, nor with what a deleted group leaves', async () => {
  const { q, clock } = await open()
  await claim(q, 0, 'other')
  await send(q)
  const receipts: string[] = []
  while (receipts.length < MANY) receipts.push(...(await claim(q, 1000, 'g', 1000)))
  await dearest(() => q.settle('g', [{ receipt: receipts[MANY / 2]!, kind: 'ack' }]))
  clock.time += 1000
  await dearest(() => claim(q, 100))
  await dearest(() => q.settle('g', [{ receipt: receipts[MANY / 2 + 1]!, kind: 'ack' }]))
  await dearest(() => q.stats())
  await dearest(() => claim(q, 100, 'late'))
  await dearest(() => q.deleteGroup('other'))
  await dearest(() => q.deleteGroup('late'))
  expect((await q.stats()).messages).toBe(MANY - 2)
  await dearest(() => q.purge())
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0 })
})

test('no step grows with what expires or is forgotten', async () => {
  const { q, clock } = await open()
  await claim(q, 0)
  await send(q, (i) => ({ id: `id-${i}`, expiresInMs: 1000, dedupeMs: 1000, keepMs: 1000 }))
  clock.time += 1000
  await dearest(() => claim(q, 100))
  await dearest(() => q.append([{ body: 'new' }], { batchId }))
  await dearest(() => q.stats())
  const { ready, dead } = (await q.stats()).groups['g']!
  expect([ready, dead]).toEqual([1, MANY])
  await dearest(() => q.list({ group: 'g', limit: 10, states: ['dead'] }))
  clock.time += 2000
  await dearest(() => claim(q, 100))
  await dearest(() => q.results('g', ['id-1']))
  const page = await q.list({ group: 'g', limit: 10, states: ['done'] })
  expect(page.messages).toEqual([])
})

test('ids that a purge leaves behind are known from the first moment, and noted some at a time', async () => {
  const { q, clock } = await open()
  await send(q, (i) => ({ id: `id-${i}`, dedupeMs: 1000 }))
  const purge = q.purge()
  const again = { body: 'again', id: `id-${MANY - 1}` }
  expect(await q.append([again], { batchId })).toMatchObject([{ status: 'duplicate' }])
  await purge
  expect(await q.append([again], { batchId })).toMatchObject([{ status: 'duplicate' }])
  clock.time += 1000
  await dearest(() => claim(q, 10))
  expect(await q.append([again], { batchId })).toMatchObject([{ status: 'stored' }])
})

test('no step grows with what is blocked behind one key', async () => {
  const { q } = await open()
  await send(q, () => ({ key: 'k' }))
  const [head] = await claim(q, 10)
  for (let i = 0; i <= MANY / 1000; i++) await dearest(() => claim(q, 10))
  expect((await q.stats()).groups['g']).toMatchObject({ blocked: MANY - 1, ready: 0 })
  await dearest(() => q.settle('g', [{ receipt: head!, kind: 'ack' }]))
  expect(await claim(q, 10)).toHaveLength(1)
})

test('a new group meets lanes some at a time, and all lanes have their turns', async () => {
  const { q } = await open()
  await send(q, (i) => ({ lane: `lane-${i}` }))
  await dearest(() => claim(q, 0))
  await dearest(() => q.lanes({ group: 'g', limit: 10 }))
  await dearest(() => q.stats())
  expect((await q.stats()).groups['g']!.ready).toBe(MANY)
  let taken = 0
  for (let i = 0; i < MANY / 50 && taken < MANY; i++) taken += (await claim(q, 1000)).length
  expect(taken).toBe(MANY)
})

test('to make a group costs about the same for each that is there', async () => {
  const { q } = await open()
  for (let i = 0; i < 4; i++) {
    const groups = Array.from({ length: 500 }, (_, k) => ({ name: `group-${i}-${k}` }))
    await dearest(() => q.claim({ group: 'g', limit: 0, leaseMs: 1, maxAttempts: 3, groups }))
  }
  expect(Object.keys((await q.stats()).groups)).toHaveLength(2001)
})

test('lanes that are empty leave nothing behind', async () => {
  const { q } = await open()
  await send(q, (i) => ({ lane: `lane-${i % 1000}` }))
  for (;;) {
    const receipts = await claim(q, 1000)
    if (receipts.length === 0) break
    await q.settle(
      'g',
      receipts.map((receipt) => ({ receipt, kind: 'ack' })),
    )
  }
  expect(await q.lanes({ group: 'g', limit: 10 })).toEqual({ lanes: [] })
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0 })
})

test.each<[string, (i: number) => Partial<NewMessage>]>([
  ['nothing', () => ({})],
  ['an id', (i) => ({ id: `id-${i}`, dedupeMs: 1e9, keepMs: 1e9 })],
  ['a key', (i) => ({ key: `key-${i}` })],
  ['a lane', (i) => ({ lane: `lane-${i}` })],
])('no map gets so large that to grow is a step of its own, with %s each', async (_, more) => {
  const { q } = await open()
  await claim(q, 0)
  let largest = 0
  const set = vi.spyOn(Map.prototype, 'set').mockImplementation(function (
    this: Map<unknown, unknown>,
    ...of
  ) {
    largest = Math.max(largest, this.size)
    return plain.apply(this, of)
  })
  try {
    await send(q, more)
    const ends: readonly ((receipt: string) => Settlement)[] = [
      (receipt) => ({ receipt, kind: 'ack' }),
      (receipt) => ({ receipt, kind: 'dead', reason: 'rejected' }),
      (receipt) => ({ receipt, kind: 'park', reason: 'later' }),
    ]
    for (let i = 0; ; i++) {
      const receipts = await claim(q, 1000)
      if (receipts.length === 0) break
      await q.settle('g', receipts.map(ends[i % ends.length]!))
    }
  } finally {
    set.mockRestore()
  }
  // Some thousands, and the pages of the log.
  expect(largest).toBeLessThan(8200 + MANY / 30)
})
