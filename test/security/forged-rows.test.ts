import { setTimeout } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { transactional } from '../../src/segments/bytes/adapter.ts'
import { type Table, type TransactionalStore, TABLES } from '../../src/segments/store.ts'
import { Queue } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { bundle } from '../browser/support/bundle.ts'
import { chromiumPage } from '../browser/support/contexts.ts'
import { useSite } from '../browser/support/fixture.ts'
import { byteMemory } from '../support/byte-store.ts'
import { howMany } from '../support/effort.ts'
import { expectCode } from '../support/set-up.ts'
import { memoryStore } from '../support/memory-store.ts'
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

const GUARANTEES = {
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

type Clock = Readonly<Record<'now', () => number>>

/** How stores answer, and in what shape rows are there. */
const STORES: Readonly<Record<string, (clock: Clock) => TransactionalStore | Promise<TransactionalStore>>> = {
  'at once': (clock) => memoryStore(clock)(),
  later: (clock) => new WaitingStore(clock),
  'at once, in bytes': (clock) => transactional(byteMemory({ clock })()),
  'later, in bytes': (clock) => transactional(byteMemory({ clock, later: true })()),
}

test.each(Object.entries(STORES))(
  'a forged row is CORRUPT or goes unnoticed: no hang, no error without a type, no harm to other queues, and purge repairs; rows answer %s',
  { timeout: 900_000 },
  async (_, open) => {
    const ends = await endsOf(howMany('FORGERIES', { quick: 100, full: 1000 }), async (seed) => {
      const clock = new ManualClock()
      const store = await open(clock)
      return await meetForgery(seed, {
        storage: new SegmentAdapter(GUARANTEES, async () => store),
        clock,
        garbage: GARBAGE,
        jump: (ms) => clock.jump(ms),
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
  },
)

test.each([undefined, 5])(
  'a group whose receipts would start with %j is CORRUPT, and purge repairs',
  async (token) => {
    const clock = new ManualClock()
    const store = await memoryStore(clock)()
    const storage = new SegmentAdapter(GUARANTEES, async () => store)
    const queue = new Queue('q', { storage, clock })
    const consumer = queue.createConsumer('g')
    await consumer.join()
    await queue.hold({ forMs: 1000, probe: true })
    await queue.createProducer().send('lost')
    const rows = await store.open('q')
    await rows.transact('append', (tx) =>
      tx.put('state', ['group', 'g'], { ...tx.get<object>('state', ['group', 'g']), token }),
    )
    clock.jump(1000)
    await expectCode(consumer.receive(), 'CORRUPT')
    await queue.purge()
    await queue.createProducer().send('anew')
    expect((await consumer.receive())?.payload).toBe('anew')
    await queue.close()
  },
)

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

test('a forged row of IndexedDB is CORRUPT or goes unnoticed, too', { timeout: 300_000 }, async () => {
  const page = await chromiumPage(script, 'forgery')
  const ends = await endsOf(howMany('FORGERIES', { quick: 25, full: 400 }), async (seed) => {
    const hang = setTimeout(60_000, `hangs, seed ${seed}`, { ref: false })
    return await Promise.race([page.call('forgery', 'meet', seed) as Promise<string>, hang])
  })
  await page.close()
  expect(ends.filter((end) => end !== 'CORRUPT' && end !== 'goes on')).toEqual([])
})
