// A step that is alone is one trip, and sees what others did in whatever way.
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter, type PostgresOptions } from '../../adapters/postgres/index.ts'
import { Queue } from '../../src/index.ts'
import type { ClaimRequest } from '../../src/storage.ts'
import { type PostgresServer, ask, startPostgres } from './support/server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ fsync: false })
})
afterAll(() => server.stop())

let made = 0
const freshSchema = (): string => `steps ${++made}`

/** A queue on a pool of its own, whose trips are counted. */
function open(
  schema: string,
  options: PostgresOptions = {},
): { queue: Queue<number>; pool: Pool; trips: string[] } {
  const pool = new Pool({ connectionString: server.url })
  const trips: string[] = []
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown
    client.query = ((...given: unknown[]) => {
      const text = typeof given[0] === 'string' ? given[0] : (given[0] as { text: string }).text
      // News go on their own way.
      if (!/pg_notify|LISTEN/.test(text)) trips.push(text)
      return query(...given)
    }) as never
  })
  const queue = new Queue<number>('q', { storage: new PostgresAdapter(pool, { schema, ...options }) })
  onTestFinished(async () => {
    await queue.close()
    await pool.end()
  })
  return { queue, pool, trips }
}

test('sends, claims and acks of whoever is alone on a queue take one trip each', async () => {
  const { queue, trips } = open(freshSchema())
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  const lifecycle = async (): Promise<void> => {
    await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
    const messages = await consumer.receiveBatch(3)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 2, 3])
    await consumer.ackBatch(messages)
  }
  for (let i = 0; i < 3; i++) await lifecycle()
  trips.length = 0
  for (let i = 0; i < 5; i++) await lifecycle()
  expect(trips).toHaveLength(15)
})

test('what others send, ack and delete is seen at once, however often they take turns', async () => {
  const schema = freshSchema()
  const both = [open(schema), open(schema)]
  const [one, two] = both.map(({ queue }) => ({
    producer: queue.createProducer(),
    consumer: queue.createConsumer(),
  }))
  let n = 0
  for (let alone = 0; alone < 6; alone++) {
    // One has it for himself for so long that he no longer looks.
    for (let i = 0; i < alone + 3; i++) {
      await one!.producer.send(++n)
      await one!.consumer.receive().then((message) => message!.ack())
    }
    expect(await two!.consumer.receive()).toBeUndefined()
    await two!.producer.send(++n)
    const message = await one!.consumer.receive()
    expect(message!.payload).toBe(n)
    expect(await two!.consumer.receive()).toBeUndefined()
    await message!.ack()
    expect(await one!.consumer.receive()).toBeUndefined()
    expect((await both[1]!.queue.stats()).messages).toBe(0)
  }
  // Deleted by one, made anew by the other.
  await one!.producer.send(++n)
  await both[1]!.queue.purge()
  expect(await one!.consumer.receive()).toBeUndefined()
})

test('what is handed over in the transaction of a program is seen by whoever is alone on the queue', async () => {
  const { queue, pool } = open(freshSchema())
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  for (let i = 0; i < 5; i++) {
    await producer.send(i)
    await consumer.receive().then((message) => message!.ack())
    expect(await consumer.receive()).toBeUndefined()
    const client = await pool.connect()
    await client.query('BEGIN')
    await producer.within(client).send(100 + i)
    expect(await consumer.receive()).toBeUndefined()
    await client.query('COMMIT')
    client.release()
    expect((await consumer.receive())!.payload).toBe(100 + i)
  }
})

test('rows that somebody has deleted with SQL are gone for whoever had them in mind', async () => {
  const schema = freshSchema()
  const { queue } = open(schema)
  const producer = queue.createProducer()
  for (let i = 0; i < 5; i++) await producer.send(i)
  await ask(server.url, `DELETE FROM "${schema}".rows`)
  await producer.send(5)
  expect((await queue.stats()).messages).toBe(1)
  expect((await queue.createConsumer().receive())!.payload).toBe(5)
})

test('of a queue that is deleted nothing is left, and nobody takes it for one that is there', async () => {
  const schema = freshSchema()
  const { queue } = open(schema)
  for (let i = 0; i < 5; i++) await queue.createProducer().send(i)
  await queue.delete()
  expect(await ask(server.url, `SELECT 1 FROM "${schema}".rows`)).toEqual([])
})

const CLAIM: ClaimRequest = { group: 'g', limit: 1, leaseMs: 600_000, maxAttempts: 9 }

test.each([{ strictAcks: false }, { strictAcks: true }])(
  'a lease that a crash of the server has undone settles nothing of the next one, with strictAcks: $strictAcks it is not',
  { timeout: 120_000 },
  async ({ strictAcks }) => {
    // It writes by itself after 10 s at the earliest, and nobody else does anything.
    const settings = ['wal_writer_delay=10000', 'autovacuum=off', 'bgwriter_lru_maxpages=0']
    const crashing = await startPostgres({ settings })
    onTestFinished(() => crashing.stop())
    const pool = new Pool({ connectionString: crashing.url })
    onTestFinished(() => pool.end())
    const adapter = new PostgresAdapter(pool, { strictAcks })
    onTestFinished(() => adapter.close())
    const queue = await adapter.open('q')
    await queue.claim({ ...CLAIM, limit: 0 })
    await queue.append([{ body: 'a' }], { batchId: 'one' })
    const before = await queue.claim(CLAIM)
    expect(before.deliveries).toHaveLength(1)
    await crashing.kill()
    await crashing.start()
    const after = await queue.claim(CLAIM)
    expect(after.deliveries.map(({ attempt }) => attempt)).toEqual(strictAcks ? [] : [1])
    const ack = { receipt: before.deliveries[0]!.receipt, kind: 'ack' } as const
    expect(await queue.settle('g', [ack])).toEqual([{ status: strictAcks ? 'settled' : 'stale' }])
  },
)
