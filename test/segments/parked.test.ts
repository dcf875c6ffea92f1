import { expect, test } from 'vitest'
import type { NewMessage, QueueStorage } from '../../src/storage.ts'
import { Metered } from './metered.ts'

const batchId = '019343f0-0000-7000-8000-000000000000'

async function take(q: QueueStorage): Promise<{ receipt: string; body: string }[]> {
  const { deliveries } = await q.claim({ group: 'g', limit: 10, leaseMs: 1000, maxAttempts: 3 })
  return deliveries.map(({ receipt, body }) => ({ receipt, body: String(body) }))
}

async function takeAndPark(q: QueueStorage): Promise<void> {
  for (const { receipt } of await take(q)) await q.settle('g', [{ receipt, kind: 'park', reason: 'a fix' }])
}

test.each([
  ['', {}],
  [' with a key', { key: 'k' }],
  [' of a lane', { lane: 'a' }],
  [' with a key of a lane', { key: 'k', lane: 'a' }],
] as readonly [string, Partial<NewMessage>][])(
  'parked messages%s are resumed by an id that later ones have',
  async (_, more) => {
    const meter = new Metered()
    const q = await meter.open()
    await q.claim({ group: 'other', limit: 0, leaseMs: 1000, maxAttempts: 3 })
    await take(q)
    const send = (body: string): Promise<unknown> => {
      const message: NewMessage = { body, id: 'id', replace: true, ...more }
      return q.append([message], { batchId })
    }
    const other = async (): Promise<void> => {
      const { deliveries } = await q.claim({ group: 'other', limit: 9, leaseMs: 1000, maxAttempts: 3 })
      await q.settle(
        'other',
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
    }
    // One is parked when the next comes, one was leased then.
    await send('first')
    await takeAndPark(q)
    await other()
    await send('second')
    const [second] = more.key === undefined ? await take(q) : []
    await other()
    await send('third')
    if (second !== undefined)
      await q.settle('g', [{ receipt: second.receipt, kind: 'park', reason: 'a fix' }])
    expect(await q.resume(['id'])).toEqual([true])
    const taken: string[] = []
    for (let some = await take(q); some.length > 0; some = await take(q)) {
      taken.push(...some.map(({ body }) => body))
      await q.settle(
        'g',
        some.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
    }
    expect(taken.toSorted()).toEqual(['first', 'second', 'third'])
    expect(await q.resume(['id'])).toEqual([false])
    await other()
    expect(meter.left('due', 'side', 'chain', 'ids', 'lanes')).toEqual([0, 0, 0, 0, 0])
  },
)

test('an edit is for the last of the parked messages of an id', async () => {
  const meter = new Metered()
  const q = await meter.open()
  await take(q)
  for (const body of ['first', 'second']) {
    await q.append([{ body, id: 'id', replace: true }], { batchId })
    const { deliveries } = await q.claim({ group: 'other', limit: 9, leaseMs: 1000, maxAttempts: 3 })
    await q.settle(
      'other',
      deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
    )
    await takeAndPark(q)
  }
  expect(await q.resume(['id'], { edit: { body: 'edited' } })).toEqual([true])
  expect((await take(q)).map(({ body }) => body)).toEqual(['edited'])
  expect(await q.resume(['id'], { edit: { body: 'edited, too' } })).toEqual([true])
  expect((await take(q)).map(({ body }) => body)).toEqual(['edited, too'])
})
