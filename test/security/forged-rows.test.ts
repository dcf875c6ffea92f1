import { expect, test } from 'vitest'
import { Queue, QuaysideError } from '../../src/index.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { type Key, type Table, TABLES } from '../../src/segments/store.ts'
import { useSite } from '../browser/support/fixture.ts'
import { pick, randomFrom } from '../fs/history.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { WaitingStore } from '../support/waiting-adapter.ts'

const GARBAGE = [
  null,
  0,
  -1,
  Number.NaN,
  1e9,
  '',
  'x',
  '__proto__',
  true,
  [],
  {},
  [null],
  { bodies: 5 },
  { first: 'x' },
  new Uint8Array(3),
  [1, 2, 3],
]

/** A value with some part of it exchanged for garbage, or all. */
function forge(random: () => number, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || random() < 0.25) return pick(random, GARBAGE)
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  const names = Object.keys(copy)
  if (names.length === 0) return pick(random, GARBAGE)
  const name = pick(random, names)
  if (random() < 0.2) delete copy[name]
  else copy[name] = forge(random, copy[name])
  return copy
}

/** A queue with rows in every table, one of which is then forged. Answers with what became of its consumer. */
async function meetForgery(seed: number): Promise<string> {
  const random = randomFrom(seed)
  const clock = new ManualClock()
  const store = new WaitingStore(clock)
  const storage = new SegmentAdapter(
    {
      ...SEGMENT_GUARANTEES,
      name: 'forged',
      durability: 'none',
      sharedBy: 'instance',
      leasesSurviveReopen: false,
      maxBodyBytes: 1e6,
      maxHeaderBytes: 1e6,
      maxBatch: 1000,
      maxBatchBytes: Infinity,
    },
    async () => store,
  )
  const queue = new Queue<unknown>('q', { storage, clock })
  const other = new Queue<string>('other', { storage, clock })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('g')
  await consumer.join()
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
  await other.createProducer().send('untouched')

  const rows = await store.open('q')
  const all = await rows.transact('read', (tx) =>
    (Object.keys(TABLES) as Table[]).flatMap((table) =>
      tx.range(table, {}, 1000).map(([key, value]): [Table, Key, unknown] => [table, key, value]),
    ),
  )
  const [table, key, value] = pick(random, all)
  await rows.transact('append', (tx) => tx.put(table, key, forge(random, value)))

  let end = 'goes on'
  try {
    for (let round = 0; round < 4; round++) {
      clock.jump(20_000)
      await consumer.drain(() => undefined, { concurrency: 5 })
    }
    await queue.stats()
    await queue.list({ group: 'g' })
    await queue.deadLetters('g').list()
    await producer.send('after')
    let after = false
    await consumer.drain(({ payload }) => void (after ||= payload === 'after'))
    if (!after) end = `stands still, ${table} ${JSON.stringify(key)}`
  } catch (error) {
    end = error instanceof QuaysideError ? error.code : `throws ${String(error)}, ${table}`
  }
  try {
    await queue.purge()
    await consumer.join()
    await producer.send('anew')
    const seen: unknown[] = []
    await consumer.drain(({ payload }) => void seen.push(payload))
    const { messages } = await queue.stats()
    if (seen.join() !== 'anew' || messages !== 0) end = `not repaired, ${table} ${seen.join()} ${messages}`
    await queue.delete()
  } catch (error) {
    end = `not repaired, ${table}, ${String(error)}`
  }
  const untouched = await other.createConsumer().receive()
  if (untouched?.payload !== 'untouched') end = `other queues are hurt, ${table}`
  return end
}

test('a forged row is CORRUPT or goes unnoticed: no hang, no error without a type, no harm to other queues, and purge repairs', async () => {
  const ends: Record<string, number> = {}
  for (let seed = 1; seed <= 300; seed++) {
    const end = await meetForgery(seed)
    ends[end] = (ends[end] ?? 0) + 1
  }
  console.log(ends)
  expect(Object.keys(ends).toSorted()).toEqual(['CORRUPT', 'goes on'])
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
      const request = indexedDB.open('quayside')
      request.addEventListener('success', () => resolve(request.result))
      request.addEventListener('error', () => reject(request.error!))
    })
    await new Promise<void>((resolve) => {
      const transaction = database.transaction('log', 'readwrite')
      const cursor = transaction.objectStore('log').openCursor()
      cursor.addEventListener('success', () => {
        const row = cursor.result!.value as { bodies: unknown[] }
        row.bodies = [5, {}, null, ['x'], '{"not json', new Date(), row.bodies[6]]
        cursor.result!.update(row)
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
