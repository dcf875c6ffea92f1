import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { DEFAULT_LIMITS, TABLES, type Table } from '../../src/segments/store.ts'
import type { NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { effort, howMany } from '../support/effort.ts'
import { type Dearest, Metered } from './metered.ts'

const batchId = '019343f0-0000-7000-8000-000000000000'

async function send(
  q: QueueStorage,
  count: number,
  more: (i: number) => Partial<NewMessage> = () => ({}),
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i += 1000) {
    const some = Array.from({ length: Math.min(1000, count - i) }, (_, k) => ({ body: 'x', ...more(i + k) }))
    ids.push(...(await q.append(some, { batchId })).map(({ id }) => id))
  }
  return ids
}

async function claim(q: QueueStorage, group: string, limit: number, maxAttempts = 3): Promise<string[]> {
  const { deliveries } = await q.claim({ group, limit, leaseMs: 10_000, maxAttempts })
  return deliveries.map(({ receipt }) => receipt)
}

function acks(receipts: readonly string[]): { receipt: string; kind: 'ack' }[] {
  return receipts.map((receipt) => ({ receipt, kind: 'ack' }))
}

const MANY = 20_000
/** Of a step that does as much as it may: a thousand messages, some rows for each. */
const MOST_ROWS = 12_000

test('no step grows with what is overdue', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await claim(q, 'first', 0)
  await send(q, MANY, (i) => ({ delayMs: 1 + i }))
  meter.now += MANY + 1
  expect((await meter.dearest(() => send(q, 1))).rows).toBeLessThan(1000)
  expect((await meter.dearest(() => claim(q, 'earliest', 10))).rows).toBeLessThan(500)
  const latest = await meter.dearest(() =>
    q.claim({ group: 'latest', from: 'latest', limit: 10, leaseMs: 1000, maxAttempts: 3 }),
  )
  // It passes over what was overdue when it started.
  expect(latest.rows).toBeLessThan(MOST_ROWS)
  expect((await meter.dearest(() => claim(q, 'first', 1000))).rows).toBeLessThan(MOST_ROWS)
  expect((await meter.dearest(() => q.stats())).rows).toBeLessThan(1200)
})

test('a claim fills up with what is overdue', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await claim(q, 'g', 0)
  await send(q, 1000, (i) => ({ delayMs: 1 + i }))
  meter.now += 1001
  expect(await claim(q, 'g', 1000)).toHaveLength(1000)
})

test('no step of a new group grows with what others wait to retry', async () => {
  const meter = new Metered()
  const q = await meter.open()
  for (let i = 0; i < MANY; i += 1000) {
    await send(q, 1000)
    const retries = (await claim(q, 'first', 1000)).map((receipt) => {
      return { receipt, kind: 'retry', delayMs: 1e9 } as const
    })
    await q.settle('first', retries)
  }
  let taken = 0
  const cost = await meter.dearest(async () => {
    for (let i = 0; i < MANY / 100 && taken < 100; i++) taken += (await claim(q, 'late', 100)).length
  })
  expect(taken).toBe(100)
  expect(cost.rows).toBeLessThan(MOST_ROWS)
})

test('a group that is deleted hands over what it has some at a time, and a message that is replaced at once', async () => {
  const meter = new Metered()
  const q = await meter.open()
  for (let i = 0; i < MANY; i += 1000) {
    await send(q, 1000, (k) => ({ id: `id-${i + k}` }))
    const retries = (await claim(q, 'first', 1000)).map((receipt) => {
      return { receipt, kind: 'retry', delayMs: 1e9 } as const
    })
    await q.settle('first', retries)
  }
  expect(await claim(q, 'late', 1)).toEqual([])
  const again = { body: 'new', id: `id-${MANY - 1}`, replace: true }
  expect(await q.append([again], { batchId })).toMatchObject([{ status: 'replaced' }])
  expect((await meter.dearest(() => q.deleteGroup('first'))).rows).toBeLessThan(MOST_ROWS)
  expect((await q.stats()).groups).toMatchObject({ late: { ready: MANY } })
  const bodies: unknown[] = []
  while (bodies.length < MANY) {
    const { deliveries } = await q.claim({ group: 'late', limit: 1000, leaseMs: 10_000, maxAttempts: 3 })
    bodies.push(...deliveries.map(({ body }) => body))
  }
  expect(bodies.filter((body) => body === 'new')).toHaveLength(1)
  expect(bodies.at(-1)).toBe('new')
})

test('no step grows with what expires, dies, is cancelled or forgotten', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await claim(q, 'g', 0)
  await send(q, MANY, (i) => ({ expiresInMs: 1 + (i >> 3) }))
  meter.now += MANY
  expect((await meter.dearest(() => q.stats())).rows).toBeLessThan(300_000)
  expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(MOST_ROWS)
  await q.purge()
  await send(q, MANY, (i) => ({ id: `id-${i}`, dedupeMs: 1000 }))
  expect((await meter.dearest(() => q.purge())).rows).toBeLessThan(MOST_ROWS)
  expect(await q.append([{ body: 'again', id: 'id-7' }], { batchId })).toMatchObject([
    { status: 'duplicate' },
  ])
  meter.now += 1000
  expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(MOST_ROWS)
  const ids = await send(q, MANY)
  expect((await meter.dearest(() => q.cancel(ids.slice(0, 256)))).rows).toBeLessThan(2000)
})

test('no step grows with what is blocked behind one key, nor a search by id', async () => {
  const meter = new Metered()
  const q = await meter.open()
  const ids = await send(q, MANY, () => ({ key: 'k' }))
  const [first] = await claim(q, 'g', 10)
  for (let i = 0; i < MANY / 1000; i++) await claim(q, 'g', 10)
  expect((await q.stats()).groups['g']).toMatchObject({ blocked: MANY - 1, ready: 0 })
  expect((await meter.dearest(() => q.cancel(ids.slice(-256)))).rows).toBeLessThan(3000)
  expect((await meter.dearest(() => q.settle('g', acks([first!])))).rows).toBeLessThan(30)
})

test('dead letters are found by the ids that were made for them', async () => {
  const meter = new Metered()
  const q = await meter.open()
  const ids = await send(q, 5000)
  for (let i = 0; i < 5; i++) {
    const receipts = await claim(q, 'g', 1000)
    await q.settle(
      'g',
      receipts.map((receipt) => ({ receipt, kind: 'dead', reason: 'rejected' })),
    )
  }
  const some = ids.slice(-100)
  const find = async (): Promise<void> => {
    const { messages } = await q.list({ group: 'g', states: ['dead'], ids: some, limit: 100 })
    expect(messages.map(({ id }) => id)).toEqual(some)
  }
  expect((await meter.dearest(find)).rows).toBeLessThan(500)
})

test('an ack costs the same whatever is in flight, and the row of a group stays small', async () => {
  const costs: Dearest[] = []
  const writes: number[] = []
  for (const count of [100, 10_000]) {
    const meter = new Metered()
    const q = await meter.open()
    await send(q, count, (i) => ({ key: `key ${i}` }))
    const held: string[] = []
    while (held.length < count) held.push(...(await claim(q, 'g', 100)))
    costs.push(await meter.dearest(() => q.settle('g', acks([held[count >> 1]!]))))
    writes.push(meter.cost.writes)
    if (count === 100) continue
    // From anywhere, while others come: all rows that a message costs until it is acked.
    meter.steps.length = 0
    held.splice(count >> 1, 1)
    for (let i = 0; i < 1000; i++) {
      const [receipt] = held.splice((i * 7919) % held.length, 1)
      await q.settle('g', acks([receipt!]))
      await send(q, 1, () => ({ key: `later ${i}` }))
      held.push(...(await claim(q, 'g', 1)))
    }
    const sum = (cost: 'writes' | 'bytes'): number =>
      meter.steps.reduce((all, step) => all + step[cost], 0) / 1000
    expect(sum('writes')).toBeLessThan(11)
    expect(sum('bytes')).toBeLessThan(10_000)
  }
  const [few, many] = costs
  expect(many!.bytes).toBeLessThan(0.5 * few!.bytes)
  expect(many!.rows).toBeLessThan(few!.rows + 10)
  // The row of the group; and the lease, its end, and the message that has left the log.
  expect(writes).toEqual([1, 4])
})

test('a message in flight of which the log has let go is found by its id', async () => {
  const q = await new Metered().open({ limits: { ...DEFAULT_LIMITS, leases: 8 } })
  const ids = await send(q, 20, (i) => (i % 2 === 0 ? { key: `key ${i}` } : {}))
  const receipts: string[] = []
  for (let i = 0; i < 20; i++) receipts.push(...(await claim(q, 'g', 1)))
  const states = async (): Promise<string[]> =>
    (await q.list({ group: 'g', ids, limit: 20 })).messages.map(({ state }) => state)
  expect(await states()).toEqual(ids.map(() => 'leased'))
  await q.settle('g', [
    { receipt: receipts[0]!, kind: 'retry', delayMs: 1000 },
    { receipt: receipts[1]!, kind: 'park', reason: 'why not' },
    { receipt: receipts[2]!, kind: 'extend', leaseMs: 90_000 },
  ])
  expect((await states()).slice(0, 4)).toEqual(['delayed', 'parked', 'leased', 'leased'])
  expect(await q.cancel(ids.slice(2, 5))).toEqual([true, true, true])
  expect(await q.cancel(ids.slice(2, 5))).toEqual([false, false, false])
})

test.each([{ key: 'a' }, { lane: 'a' }, { delayMs: 1 }])(
  'nothing is left of an id that a later group needed: %o',
  async (where) => {
    const meter = new Metered()
    const q = await meter.open()
    await send(q, 2, () => where)
    meter.now++
    const [early] = await claim(q, 'g', 1)
    const [again] = await claim(q, 'later', 1)
    await q.settle('later', [{ receipt: again!, kind: 'retry', delayMs: 0 }])
    await q.settle('later', acks(await claim(q, 'later', 1)))
    await q.settle('g', acks([early!]))
    for (const group of ['g', 'later']) await q.settle(group, acks(await claim(q, group, 1)))
    expect(meter.left('ids', 'side', 'held', 'due', 'log')).toEqual([0, 0, 0, 0, 0])
  },
)

test('acks from amidst what is in flight give few messages rows of their own', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await send(q, 10_000)
  const held: string[] = []
  while (held.length < 10_000) held.push(...(await claim(q, 'g', 1000)))
  for (let i = 0; i < 300; i++) {
    const [receipt] = held.splice((i * 7919) % held.length, 1)
    await q.settle('g', acks([receipt!]))
  }
  // Of 300 stretches the shortest, which have 3,000 messages; the first have 6,000.
  expect(meter.left('held')[0]).toBeLessThan(4000)
})

test('one message in flight pins nothing that is done', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await send(q, 1)
  const [slow] = await claim(q, 'g', 1)
  const body = 'x'.repeat(10_000)
  for (let i = 0; i < 100; i++) {
    await send(q, 10, () => ({ body }))
    await q.settle('g', acks(await claim(q, 'g', 10)))
  }
  expect((await q.stats()).bytes).toBeLessThan(2.5 * 1024 * 1024)
  expect(await q.settle('g', acks([slow!]))).toEqual([{ status: 'settled' }])
  expect(await q.stats()).toMatchObject({ messages: 0, bytes: 0 })
})

test.each<[string, Partial<NewMessage>]>([
  ['plain', {}],
  ['expiring', { expiresInMs: 100_000 }],
  ['named', { id: 'x', expiresInMs: 100_000 }],
  ['keyed', { key: 'k', expiresInMs: 100_000 }],
  ['delayed', { delayMs: 10, expiresInMs: 100_000 }],
])('nothing is left of what is done: %s', async (_, message) => {
  const clock = { time: 1_000_000, now: () => clock.time }
  const store = await memoryStore(clock)()
  const adapter = new SegmentAdapter(new MemoryAdapter().guarantees, async () => store)
  const [q, rows] = [await adapter.open('q'), await store.open('q')]
  const tables = ['log', 'timers', 'delayed', 'side', 'due', 'chain', 'held', 'dead', 'ids', 'amend'] as const
  const left = (): Promise<number[]> =>
    rows.transact('read', (tx) => tables.map((table) => tx.count(table, {})))
  const two = (): Promise<unknown> =>
    q.append(
      [
        { body: 'a', ...message },
        { body: 'b', ...message, id: message.id && 'y' },
      ],
      { batchId },
    )
  const none = tables.map(() => 0)
  await claim(q, 'g', 0)
  await claim(q, 'h', 0)
  // At the first attempt in one group, after a retry in the other; the second one after the first, where they have a key.
  await two()
  clock.time += 10
  for (let i = 0; i < 2; i++) {
    await q.settle('g', acks(await claim(q, 'g', 10)))
    const retries = (await claim(q, 'h', 10)).map(
      (receipt) => ({ receipt, kind: 'retry', delayMs: 0 }) as const,
    )
    await q.settle('h', retries)
    await q.settle('h', acks(await claim(q, 'h', 10)))
  }
  expect((await q.stats()).messages).toBe(0)
  expect(await left()).toEqual(none)
  // Cancelled where it waits.
  await two()
  clock.time += 10
  await claim(q, 'h', 1)
  clock.time += 10_000
  const ids = (await q.list({ group: 'h', limit: 10 })).messages.map(({ id }) => id)
  await q.cancel(ids)
  await claim(q, 'h', 10)
  await claim(q, 'g', 10)
  expect(await left()).toEqual(none)
  // Deleted.
  await two()
  await q.delete()
  expect(await left()).toEqual(none)
  expect(await adapter.queues()).toEqual([])
})

/** Sends messages that keep their outcomes, and acknowledges them all. */
async function sendAndFinish(q: QueueStorage, count: number, keepMs: number): Promise<string[]> {
  const ids = await send(q, count, () => ({ keepMs }))
  for (let done = 0; done < count; done += 1000)
    await q.settle(
      'g',
      acks(await claim(q, 'g', 1000)).map((ack) => ({ ...ack, value: 'v' })),
    )
  return ids
}

test('no step grows with the outcomes that end at once', async () => {
  const meter = new Metered()
  const q = await meter.open()
  const count = howMany('OUTCOMES', { quick: 20_000, full: 1_000_000 })
  const ids = await sendAndFinish(q, count, 1e9)
  expect((await meter.dearest(() => q.results('g', ids.slice(-256)))).rows).toBeLessThan(600)
  expect((await meter.dearest(() => q.stats())).rows).toBeLessThan(10)
  meter.now += 1e9
  for (let i = 0; i < count / 500 + 10; i++)
    expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(MOST_ROWS)
  const page = await q.list({ group: 'g', states: ['done'], limit: 10 })
  expect(page.messages).toEqual([])
  expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(10)
})

test('an ack of many leaves no timer that a step cannot work off', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await send(q, MANY, () => ({ keepMs: 1000 }))
  await q.settle('g', acks(await claim(q, 'g', MANY)))
  meter.now += 1000
  expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(MOST_ROWS)
})

test('an ack does not look at messages that keep nothing, whatever others keep', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await sendAndFinish(q, 1000, 1e9)
  await send(q, 100)
  const receipts = await claim(q, 'g', 100)
  const acked = await meter.dearest(() => q.settle('g', acks(receipts)))
  expect(acked.rows).toBeLessThan(8)
})

test('no step grows with the parked messages that expire', async () => {
  const meter = new Metered()
  const q = await meter.open()
  const count = effort({ quick: 20_000, full: 100_000 })
  await send(q, count, () => ({ expiresInMs: 100_000 }))
  for (let i = 0; i < count / 1000; i++) {
    const receipts = await claim(q, 'g', 1000)
    const parks = receipts.map((receipt) => ({ receipt, kind: 'park', reason: 'a fix' }) as const)
    expect((await meter.dearest(() => q.settle('g', parks))).rows).toBeLessThan(MOST_ROWS)
  }
  expect((await meter.dearest(() => q.stats())).rows).toBeLessThan(10)
  meter.now += 100_000
  expect((await meter.dearest(() => q.stats())).rows).toBeLessThan(3000)
  for (let i = 0; i < count / 250 + 10; i++) {
    expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(MOST_ROWS)
  }
  const { groups } = await q.stats()
  expect([groups['g']!.parked, groups['g']!.dead]).toEqual([0, count])
})

test('some of many parked messages are resumed, listed and edited at the cost of some', async () => {
  const meter = new Metered()
  const q = await meter.open()
  const ids = await send(q, 100_000)
  for (let i = 0; i < 100; i++) {
    const receipts = await claim(q, 'g', 1000)
    await q.settle(
      'g',
      receipts.map((receipt) => ({ receipt, kind: 'park', reason: 'a fix' })),
    )
  }
  const some = ids.slice(50_000, 50_256)
  expect((await meter.dearest(() => q.resume(some))).rows).toBeLessThan(10 * 256)
  expect(await claim(q, 'g', 1000)).toHaveLength(256)
  const one = await meter.dearest(() => q.resume(ids.slice(7, 8), { edit: { body: 'edited' } }))
  expect(one.rows).toBeLessThan(20)
  const page = await meter.dearest(() => q.list({ group: 'g', states: ['parked'], limit: 10 }))
  expect(page.rows).toBeLessThan(150)
  expect((await meter.dearest(() => claim(q, 'g', 10))).rows).toBeLessThan(30)
})

test('a dead letter parks one message, however many wait behind it', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await send(q, MANY, () => ({ key: 'k' }))
  const [receipt] = await claim(q, 'g', 1)
  while ((await q.stats()).groups['g']!.ready > 0) await claim(q, 'g', 10)
  const died = await meter.dearest(() =>
    q.settle('g', [{ receipt: receipt!, kind: 'dead', reason: 'rejected', parksNext: true }]),
  )
  expect(died.rows).toBeLessThan(25)
  const { parked, blocked } = (await q.stats()).groups['g']!
  expect([parked, blocked]).toEqual([1, MANY - 2])
  const [letter] = (await q.list({ group: 'g', states: ['dead'], limit: 1 })).messages
  const redriven = await meter.dearest(() =>
    q.settle('g', [{ receipt: letter!.receipt!, kind: 'retry', delayMs: 0 }]),
  )
  expect(redriven.rows).toBeLessThan(25)
})

test.each<[string, Partial<NewMessage>]>([
  ['plain', {}],
  ['named', { id: 'x', dedupeMs: 100 }],
  ['keyed', { key: 'k' }],
  ['named and keyed', { id: 'x', key: 'k' }],
  ['delayed', { delayMs: 10 }],
])('nothing is left of what was parked and kept, once its time is over: %s', async (_, message) => {
  const clock = { time: 1_000_000, now: () => clock.time }
  const store = await memoryStore(clock)()
  const adapter = new SegmentAdapter(new MemoryAdapter().guarantees, async () => store)
  const [q, rows] = [await adapter.open('q'), await store.open('q')]
  const tables = (Object.keys(TABLES) as Table[]).filter((table) => table !== 'state')
  const left = (): Promise<number[]> =>
    rows.transact('read', (tx) => tables.map((table) => tx.count(table, {})))
  const settleAll = async (group: string, how: (receipt: string) => Settlement): Promise<void> =>
    void (await q.settle(group, (await claim(q, group, 10)).map(how)))
  const ack = (receipt: string): Settlement => ({ receipt, kind: 'ack', value: 'v' })
  const park = (receipt: string): Settlement => ({ receipt, kind: 'park', reason: 'a fix' })
  const die = (receipt: string): Settlement => ({
    receipt,
    kind: 'dead',
    reason: 'rejected',
    parksNext: true,
  })
  await claim(q, 'g', 0)
  await claim(q, 'h', 0)
  for (const how of ['resumed', 'died', 'redriven', 'cancelled'] as const) {
    const drafts = ['a', 'b'].map((body) => ({
      body,
      keepMs: 1000,
      ...message,
      id: message.id && `${body} ${how}`,
    }))
    const ids = (await q.append(drafts, { batchId })).map(({ id }) => id)
    clock.time += 10
    for (let i = 0; i < 2; i++) {
      await settleAll('g', (receipt) => ({ receipt, kind: 'extend', leaseMs: 1, progress: '1' }))
      clock.time += 1
      await settleAll('g', ack)
    }
    for (let i = 0; i < 2; i++) await settleAll('h', how === 'died' || how === 'redriven' ? die : park)
    const { messages } = await q.list({ group: 'h', states: ['dead'], limit: 10 })
    const redrives = messages.map(
      ({ receipt }) => ({ receipt: receipt!, kind: 'retry', delayMs: 0 }) as const,
    )
    if (how === 'redriven') await q.settle('h', redrives)
    if (how === 'died') await q.settle('h', acks(messages.map(({ receipt }) => receipt!)))
    if (how === 'cancelled') await q.cancel(ids)
    for (let i = 0; i < 3; i++) {
      await q.resume(ids)
      await settleAll('h', ack)
    }
    const outcomes = await q.results('g', ids)
    expect(outcomes.map((outcome) => outcome?.status)).toEqual(['done', 'done'])
    expect((await q.stats()).messages).toBe(0)
    clock.time += 2000
    for (let i = 0; i < 2; i++) for (const group of ['g', 'h']) await claim(q, group, 10)
    expect(await left()).toEqual(tables.map(() => 0))
  }
})

test('outcomes are answered some at a time, and lanes', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await claim(q, 'g', 0)
  const ids = await send(q, 256, (i) => ({ lane: `lane ${i}`, keepMs: 10_000 }))
  const value = 'x'.repeat(128 * 1024)
  const acked = (await claim(q, 'g', 256)).map((receipt) => ({ receipt, kind: 'ack' as const, value }))
  await q.settle('g', acked)
  const some = await q.results('g', ids)
  expect(some.length).toBe(64)
  expect(some.every((outcome) => outcome?.status === 'done')).toBe(true)
  expect((await meter.dearest(() => q.results('g', ids))).bytes).toBeLessThan(10_000_000)
  expect((await q.list({ group: 'g', states: ['done'], limit: 256 })).messages.length).toBe(64)

  await send(q, 2000, (i) => ({ lane: `lane ${i}` }))
  const page = await q.lanes({ group: 'g', limit: 10_000 })
  expect(page.lanes.length).toBe(1000)
  expect((await q.lanes({ group: 'g', limit: 10_000, cursor: page.cursor })).lanes.length).toBe(1000)
})
