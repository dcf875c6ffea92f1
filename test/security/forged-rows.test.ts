import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { type Table, TABLES } from '../../src/segments/store.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { bundle } from '../browser/support/bundle.ts'
import { chromiumPage } from '../browser/support/contexts.ts'
import { useSite } from '../browser/support/fixture.ts'
import { closeShared } from '../browser/support/shared.ts'
import { howMany } from '../support/effort.ts'
import { WaitingStore } from '../support/waiting-adapter.ts'
import { type ForgedRow, GARBAGE, meetForgery } from './forgery.ts'

/** What became of so many consumers, each of which met another forgery. */
async function endsOf(count: number, meet: (seed: number) => Promise<string>): Promise<string[]> {
  const ends: Record<string, number> = {}
  for (let seed = 1; seed <= count; seed++) {
    const end = await meet(seed)
    ends[end] = (ends[end] ?? 0) + 1
  }
  console.log(ends)
  return Object.keys(ends).toSorted()
}

test('a forged row is CORRUPT or goes unnoticed: no hang, no error without a type, no harm to other queues, and purge repairs', async () => {
  const ends = await endsOf(300, async (seed) => {
    const clock = new ManualClock()
    const store = new WaitingStore(clock)
    const guarantees = {
      ...SEGMENT_GUARANTEES,
      name: 'forged',
      durability: 'none',
      sharedBy: 'instance',
      leasesSurviveReopen: false,
      maxBodyBytes: 1e6,
      maxHeaderBytes: 1e6,
      maxBatch: 1000,
      maxBatchBytes: Infinity,
    } as const
    return await meetForgery(seed, {
      storage: new SegmentAdapter(guarantees, async () => store),
      clock,
      garbage: GARBAGE,
      jump: (ms) => clock.jump(ms),
      async populate(queue, consumer) {
        const producer = queue.createProducer()
        await producer.sendBatch(
          [1, 2, 3, 4, 5, 6].map((payload) => ({
            payload,
            ...(payload % 2 === 1 && { key: 'k', headers: { a: 'b' } }),
            ...(payload === 4 && { id: 'four' }),
          })),
        )
        await producer.send('delayed', { delayMs: 1000, expiresInMs: 5000 })
        const [retried, rejected] = await consumer.receiveBatch(3)
        await retried!.nack({ delayMs: 500 })
        await rejected!.reject()
        await producer.sendBatch([7, 8, 9].map((payload) => ({ payload })))
      },
      async rows() {
        const rows = await store.open('q')
        return await rows.transact('read', (tx) =>
          (Object.keys(TABLES) as Table[]).flatMap((table) =>
            tx.range(table, {}, 1000).map(([key, value]): ForgedRow => ({
              name: `${table} ${JSON.stringify(key)}`,
              value,
              put: (forged) => rows.transact('append', (tx) => tx.put(table, key, forged)),
            })),
          ),
        )
      },
    })
  })
  expect(ends).toEqual(['CORRUPT', 'goes on'])
})

const fixture = useSite()

test('bodies that another page of the origin has forged are dead letters, and the consumer goes on', async () => {
  const tab = await fixture.open(await fixture.browser())
  const found = await tab.evaluate(async () => {
    const { Queue, IndexedDBAdapter } = quayside
    const queue = new Queue<unknown>('q', { storage: new IndexedDBAdapter() })
    const payloads = ['a', 'b', 'c', 'd', 'e', 'f', 'good']
    await queue.createProducer().sendBatch(payloads.map((payload) => ({ payload })))
    // The other page.
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('quayside/q')
      request.addEventListener('success', () => resolve(request.result))
      request.addEventListener('error', () => reject(request.error!))
    })
    await new Promise<void>((resolve) => {
      const transaction = database.transaction('messages', 'readwrite')
      const forged = [5, {}, null, ['x'], '{"not json', new Date()]
      const cursor = transaction.objectStore('messages').openCursor()
      cursor.addEventListener('success', () => {
        if (cursor.result === null || forged.length === 0) return
        cursor.result.update({ ...(cursor.result.value as object), body: forged.shift() })
        cursor.result.continue()
      })
      transaction.addEventListener('complete', () => resolve())
    })
    database.close()
    const seen: unknown[] = []
    const report = await queue.createConsumer().drain(({ payload }) => void seen.push(payload))
    const { messages } = await queue.deadLetters().list()
    return { seen, report, reasons: messages.map(({ reason }) => reason) }
  })
  expect(found.seen).toEqual(['good'])
  expect(found.report).toMatchObject({ acked: 1, dead: 6 })
  expect(found.reasons).toEqual(Array.from({ length: 6 }, () => 'unreadable'))
})

let script: string
beforeAll(async () => void (script = await bundle('test/browser/pages/forgery.ts')))
afterAll(closeShared)

test('a forged row of IndexedDB is CORRUPT or goes unnoticed, too', { timeout: 300_000 }, async () => {
  const page = await chromiumPage(script, 'forgery')
  const ends = await endsOf(howMany('FORGERIES', { quick: 25, full: 400 }), async (seed) => {
    const hang = setTimeout(60_000, `hangs, seed ${seed}`, { ref: false })
    return await Promise.race([page.call('forgery', 'meet', seed) as Promise<string>, hang])
  })
  await page.close()
  expect(ends.filter((end) => end !== 'CORRUPT' && end !== 'goes on')).toEqual([])
})
