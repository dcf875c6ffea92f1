import { expect, test } from 'vitest'
import { Queue, sendWithin } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { handOver } from '../../src/segments/inbox.ts'
import type { TransactionalStore } from '../../src/segments/store.ts'
import type { NewMessage } from '../../src/storage.ts'
import { memoryStore } from '../support/memory-store.ts'

/** What a transaction of somebody else has written, to be stored when it commits. */
class Outside {
  readonly rows: ReturnType<typeof handOver>[] = []
}

/** A storage in memory into whose rows others may write, in transactions of their own. */
async function setUp(): Promise<{ queue: Queue<number>; commit(outside: Outside): Promise<void> }> {
  const inner = await memoryStore(Date)()
  const rows = await inner.open('orders')
  const store: TransactionalStore = {
    ...inner,
    open: async () => ({
      soleOwner: false,
      hasInbox: true,
      now: () => rows.now(),
      transact: (kind, body) => rows.transact(kind, body),
    }),
  }
  const storage = new SegmentAdapter(new MemoryAdapter().guarantees, async () => store)
  const appendWithin = (
    outside: object,
    _: string,
    messages: readonly NewMessage[],
    options: Parameters<typeof handOver>[1],
  ): void => void (outside as Outside).rows.push(handOver(messages, options))
  Object.assign(storage, { appendWithin, sendWithin })
  return {
    queue: new Queue<number>('orders', { storage }),
    commit: (outside) =>
      rows.transact('append', (tx) => {
        for (const row of outside.rows) tx.put(...row)
      }),
  }
}

test('what is sent within a transaction is there once it has committed, in order, and before what is sent later', async () => {
  const { queue, commit } = await setUp()
  const producer = queue.createProducer()
  const outside = new Outside()
  const [first, second] = [1, 2].map((n) => producer.within(outside).send(n))
  expect(outside.rows.length).toBe(2)
  expect((await queue.stats()).messages).toBe(0)
  await producer.send(0)
  await commit(outside)
  await producer.send(3)
  expect((await queue.stats()).messages).toBe(4)
  const messages = await queue.createConsumer().receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual([0, 1, 2, 3])
  expect(messages.slice(1, 3).map(({ id }) => id)).toEqual([first!.id, (await second!).id])
})

test.each(['stats', 'list', 'receive'])('whoever comes next finds it: %s', async (verb) => {
  const { queue, commit } = await setUp()
  const outside = new Outside()
  await queue
    .createProducer()
    .within(outside)
    .send(7, { lane: 'a', key: 'k', headers: { h: '1' } })
  await commit(outside)
  const seen = {
    stats: async () => (await queue.stats()).messages,
    list: async () => (await queue.list()).messages.length,
    receive: async () => (await queue.createConsumer().receiveBatch(5)).length,
  }
  expect(await seen[verb as keyof typeof seen]()).toBe(1)
})

test('what is never committed never comes, and what has a known id is dropped', async () => {
  const { queue, commit } = await setUp()
  const producer = queue.createProducer()
  void producer.within(new Outside()).send(1)
  await producer.send(2, { id: 'two' })
  const outside = new Outside()
  void producer.within(outside).send(22, { id: 'two' })
  void producer.within(outside).send(3, { id: 'three' })
  void producer.within(outside).send(33, { id: 'three' })
  await commit(outside)
  const { messages } = await queue.list()
  expect(messages.map(({ payload }) => payload)).toEqual([2, 3])
})

test('groups that the queue is to have are made first', async () => {
  const { queue, commit } = await setUp()
  queue.createConsumer('old')
  const late = queue.createConsumer('late', { from: 'latest' })
  const outside = new Outside()
  void queue.createProducer().within(outside).send(1)
  await commit(outside)
  expect((await late.receiveBatch(5)).length).toBe(1)
})

test('thousands are taken in portions, and none is forgotten', async () => {
  const { queue, commit } = await setUp()
  const outside = new Outside()
  for (let n = 0; n < 2500; n++) void queue.createProducer().within(outside).send(n)
  await commit(outside)
  expect((await queue.stats()).messages).toBe(2500)
  const messages = await queue.createConsumer().receiveBatch(2500)
  expect(messages.map(({ payload }) => payload)).toEqual(Array.from({ length: 2500 }, (_, n) => n))
})

test('what is wrong is thrown at once, before anything is written, observed or not', async () => {
  for (const instrumentation of [undefined, <R>(_: unknown, run: () => Promise<R>) => run()]) {
    const outside = new Outside()
    const storage = Object.assign(new MemoryAdapter(), {
      sendWithin,
      appendWithin: () => {
        throw new Error('no such table')
      },
    })
    const within = new Queue<unknown>('q', { storage, instrumentation }).createProducer().within(outside)
    expect(() => within.send(1n)).toThrow(expect.objectContaining({ code: 'UNSERIALIZABLE' }))
    expect(() => within.send(1, { delayMs: -1 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    expect(() => within.send(1)).toThrow('no such table')
  }
})

test('a storage without such transactions refuses', () => {
  const producer = new Queue('q').createProducer()
  expect(() => producer.within({})).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  expect(() => producer.within(undefined as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
