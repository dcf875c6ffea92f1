import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Queue, QuaysideError } from '../../src/index.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'
import { type Key, type Table, TABLES } from '../../src/segments/store.ts'
import { useSite } from '../browser/support/fixture.ts'
import { pick, randomFrom } from '../fs/history.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { howMany } from '../support/effort.ts'
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

/** In a page: a queue in IndexedDB with rows of every kind, one of which another page then forges. */
async function meetForgeryInPage({ seed, garbage }: { seed: number; garbage: unknown[] }): Promise<string> {
  let state = seed * 2654435761
  const random = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  const oneOf = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)]!
  const forge = (value: unknown): unknown => {
    if (value === null || typeof value !== 'object' || random() < 0.25)
      return oneOf([...garbage, Number.NaN, undefined])
    const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>
    const names = Object.keys(copy)
    if (names.length === 0) return oneOf(garbage)
    const name = oneOf(names)
    if (random() < 0.2) delete copy[name]
    else copy[name] = forge(copy[name])
    return copy
  }
  const answered = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result))
      request.addEventListener('error', () => reject(request.error!))
    })
  const { Queue, IndexedDBAdapter, QuaysideError } = quayside
  const database = `forged-${seed}`
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const storage = new IndexedDBAdapter({ database, durability: 'relaxed', clock })
  const queue = new Queue<unknown>('q', { storage })
  const other = new Queue<string>('other', { storage })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('g')
  await consumer.join()
  await producer.sendBatch(
    [1, 2, 3, 4, 5, 6].map((payload) => ({
      payload,
      ...(payload % 2 === 1 && { key: 'k', headers: { a: 'b' } }),
      ...(payload === 4 && { id: 'four', keepMs: 60_000 }),
      ...(payload === 6 && { lane: 'a' }),
    })),
  )
  await producer.send('delayed', { delayMs: 1000, expiresInMs: 5000 })
  const [retried, rejected, parked] = await consumer.receiveBatch(4)
  await retried!.nack({ delayMs: 500 })
  await rejected!.reject()
  await parked!.park({ reason: 'looked at' })
  await queue.hold({ group: 'g', lane: 'b', forMs: 15_000 })
  await producer.sendBatch([7, 8, 9].map((payload) => ({ payload, ...(payload === 9 && { lane: 'b' }) })))
  await other.createProducer().send('untouched')

  const opened = await answered(indexedDB.open(`${database}/q`))
  const work = opened.transaction(['messages', 'rows'], 'readwrite')
  const all: [store: string, row: object][] = []
  for (const name of ['messages', 'rows'])
    for (const row of await answered(work.objectStore(name).getAll())) all.push([name, row as object])
  const [store, row] = oneOf(all)
  const key = store === 'rows' ? 'k' : 'n'
  try {
    const forged = { ...(forge(row) as object), [key]: (row as Record<string, unknown>)[key] }
    await answered(work.objectStore(store).put(forged))
  } catch {
    // The browser takes no such row.
  }
  opened.close()
  const what = `${store} ${JSON.stringify(row)}`

  let end = 'goes on'
  try {
    for (let round = 0; round < 4; round++) {
      ahead += 20_000
      await consumer.drain(() => undefined, { concurrency: 5, deadline: Date.now() + 20_000 })
    }
    await queue.stats()
    await queue.list({ group: 'g' })
    await queue.deadLetters('g').list()
    await producer.send('after')
    let after = false
    await consumer.drain(({ payload }) => void (after ||= payload === 'after'), {
      deadline: Date.now() + 20_000,
    })
    if (!after) end = `stands still, ${what}`
  } catch (error) {
    end = error instanceof QuaysideError ? error.code : `throws ${String(error)}, ${what}`
  }
  try {
    await queue.purge()
    await consumer.join()
    await producer.send('anew')
    const seen: unknown[] = []
    await consumer.drain(({ payload }) => void seen.push(payload), { deadline: Date.now() + 20_000 })
    const { messages } = await queue.stats()
    if (seen.join() !== 'anew' || messages !== 0) end = `not repaired, ${what} ${seen.join()} ${messages}`
    await queue.delete()
  } catch (error) {
    end = `not repaired, ${what}, ${String(error)}`
  }
  const untouched = await other.createConsumer().receive()
  if (untouched?.payload !== 'untouched') end = `other queues are hurt, ${what}`
  await queue.close()
  await other.close()
  return end
}

test('a forged row of IndexedDB is CORRUPT or goes unnoticed, too', { timeout: 300_000 }, async () => {
  const tab = await fixture.open(await fixture.browser())
  const ends: Record<string, number> = {}
  for (let seed = 1; seed <= howMany('FORGERIES', { quick: 40, full: 400 }); seed++) {
    const hang = setTimeout(60_000, `hangs, seed ${seed}`, { ref: false })
    const end = await Promise.race([tab.evaluate(meetForgeryInPage, { seed, garbage: GARBAGE }), hang])
    ends[end] = (ends[end] ?? 0) + 1
  }
  console.log(ends)
  expect(Object.keys(ends).filter((end) => end !== 'CORRUPT' && end !== 'goes on')).toEqual([])
})
