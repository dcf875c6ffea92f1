// A message and what it is about are stored together: with what programs have for PostgreSQL.
import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { PostgresAdapter, markDone, once } from '../../adapters/postgres/index.ts'
import { type Producer, Queue } from '../../src/index.ts'
import { effort } from '../support/effort.ts'
import { expectCode } from '../support/set-up.ts'
import { type PostgresServer, ask, startPostgres } from './support/server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ fsync: false })
})
afterAll(() => server.stop())

let made = 0

/** A database of a program, with its orders. */
async function database(): Promise<Pool> {
  const url = await server.createDatabase(`app ${++made}`)
  const pool = new Pool({ connectionString: url })
  onTestFinished(() => pool.end())
  await pool.query('CREATE TABLE orders (n integer)')
  return pool
}

async function ordersIn(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query<{ n: number }>('SELECT n FROM orders ORDER BY n')
  return rows.map(({ n }) => n)
}

class Failure extends Error {}

/** Stores an order and sends its number, in one transaction; fails in its middle if it is told to. */
type Order = (n: number, fails?: boolean) => Promise<unknown>

const orders = pgTable('orders', { n: integer() })

const programs: Record<string, (pool: Pool, producer: Producer<number>) => Order> = {
  pg: (pool, producer) => async (n, fails) => {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await client.query('INSERT INTO orders VALUES ($1)', [n])
      await producer.within(client).send(n)
      if (fails) throw new Failure()
      await client.query('COMMIT')
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  },
  Kysely(pool, producer) {
    const db = new Kysely<{ orders: { n: number } }>({ dialect: new PostgresDialect({ pool }) })
    return (n, fails) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('orders').values({ n }).execute()
        const transaction = { query: (text: string) => trx.executeQuery(CompiledQuery.raw(text)) }
        await producer.within(transaction).send(n)
        if (fails) throw new Failure()
      })
  },
  Drizzle(pool, producer) {
    const db = drizzle(pool)
    return (n, fails) =>
      db.transaction(async (tx) => {
        await tx.insert(orders).values({ n })
        await producer.within({ query: (text: string) => tx.execute(sql.raw(text)) }).send(n)
        if (fails) throw new Failure()
      })
  },
}

describe.each(Object.keys(programs))('with %s', (name) => {
  test('an order and its message are stored together, or not at all', async () => {
    const pool = await database()
    await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
    const order = programs[name]!(pool, queue.createProducer())
    await order(1)
    await expect(order(2, true)).rejects.toThrow(Failure)
    await order(3)
    expect(await ordersIn(pool)).toEqual([1, 3])
    const messages = await queue.createConsumer().receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 3])
  })

  test('who waits is woken once the transaction has committed', async () => {
    const pool = await database()
    await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
    const consumer = queue.createConsumer()
    await consumer.receive()
    const waiting = consumer.receive({ waitMs: 20_000 })
    await programs[name]!(pool, queue.createProducer())(7)
    expect((await waiting)?.payload).toBe(7)
  })
})

test('a transaction of the program holds nobody up, however long it takes', async () => {
  const pool = await database()
  await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
  const producer = queue.createProducer()
  const client = await pool.connect()
  await client.query('BEGIN')
  await producer.within(client).send(1)
  await producer.send(2)
  const consumer = queue.createConsumer()
  const first = await consumer.receive()
  expect(first?.payload).toBe(2)
  await first!.ack()
  await client.query('COMMIT')
  client.release()
  expect((await consumer.receive())?.payload).toBe(1)
})

test.each([true, false])(
  'transactions that have all connections of a pool can send, a queue was opened before: %s',
  async (isOpened) => {
    const pool = await database()
    await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
    await queue.stats()
    const small = new Pool({ ...pool.options, max: 2 })
    onTestFinished(() => small.end())
    await using same = new Queue<number>('orders', {
      storage: new PostgresAdapter(small, { timeoutMs: 2000 }),
    })
    if (isOpened) await same.stats()
    const clients = [await small.connect(), await small.connect()]
    for (const client of clients) await client.query('BEGIN')
    const producer = same.createProducer()
    const sent = await Promise.allSettled(clients.map((client, i) => producer.within(client).send(i)))
    for (const client of clients) {
      await client.query('COMMIT')
      client.release()
    }
    expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    const messages = await queue.createConsumer().receiveBatch(10)
    expect(new Set(messages.map(({ payload }) => payload))).toEqual(new Set([0, 1]))
  },
)

test('a program that makes values of its own of what the server sends needs no second connection either', async () => {
  const { options } = await database()
  const pool = new Pool({
    ...options,
    max: 1,
    types: { getTypeParser: (): ((value: string) => unknown) => (value) => ({ value }) },
  })
  onTestFinished(() => pool.end())
  await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool, { timeoutMs: 1000 }) })
  await queue.stats()
  // Another adapter, which has not opened any queue.
  await using sender = new Queue<number>('orders', {
    storage: new PostgresAdapter(pool, { timeoutMs: 1000 }),
  })
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await sender.createProducer().within(client).send(1)
    await client.query('COMMIT')
  } finally {
    client.release()
  }
  expect((await queue.createConsumer().receive())?.payload).toBe(1)
})

test('a transaction that has failed is told of as such, where the client does not say so and the pool has no other', async () => {
  const { options } = await database()
  const pool = new Pool({ ...options, max: 1 })
  onTestFinished(() => pool.end())
  const storage = new PostgresAdapter(pool, { timeoutMs: 1000 })
  await using queue = new Queue<number>('orders', { storage })
  const client = await pool.connect()
  // As those of pg 8.11.
  Object.assign(client, { getTransactionStatus: undefined })
  try {
    await client.query('BEGIN')
    await client.query('SELECT 1 / 0').catch(() => undefined)
    await expectCode(queue.createProducer().within(client).send(1), 'INVALID_ARGUMENT', 'has failed')
    await client.query('ROLLBACK')
  } finally {
    client.release()
  }
  // It was no answer to whether the tables are there.
  expect((await queue.stats()).messages).toBe(0)
})

test('a program that only sends in its transactions has one statement of ours in each', async () => {
  const pool = await database()
  await using other = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
  await other.stats()
  await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(pool) })
  const old = await pool.connect()
  // Those that the adapter has seen made.
  const clients = [await pool.connect(), await pool.connect()]
  old.release()
  const counts: number[] = []
  for (const client of clients) {
    const asked: unknown[] = []
    const query = client.query.bind(client) as (text: string) => Promise<unknown>
    await client.query('BEGIN')
    client.query = ((text: string) => {
      asked.push(text)
      return query(text)
    }) as typeof client.query
    await queue.createProducer().within(client).send(1)
    await queue.createProducer().within(client).send(2)
    client.query = query as typeof client.query
    await client.query('COMMIT')
    client.release()
    counts.push(asked.length)
  }
  expect(counts).toEqual([3, 2])
})

test('PGlite stores an order and its message together, and does what a handler does once', async () => {
  const postgres = await PGlite.create()
  onTestFinished(() => postgres.close())
  await postgres.exec('CREATE TABLE orders (n integer)')
  await using queue = new Queue<number>('orders', { storage: new PostgresAdapter(postgres) })
  const consumer = queue.createConsumer()
  await consumer.receive()
  const waiting = consumer.receive({ waitMs: 20_000 })
  const producer = queue.createProducer()
  const order = (n: number, fails: boolean): Promise<void> =>
    postgres.transaction(async (tx) => {
      await tx.query('INSERT INTO orders VALUES ($1)', [n])
      await producer.within(tx).send(n)
      if (fails) throw new Failure()
    })
  await expect(order(1, true)).rejects.toThrow(Failure)
  await order(2, false)
  const message = (await waiting)!
  expect(message.payload).toBe(2)
  const effect = () => once(postgres, message, (tx) => tx.query('INSERT INTO orders VALUES ($1)', [3]))
  expect([await effect(), await effect()]).toEqual([true, false])
  expect((await postgres.query('SELECT n FROM orders ORDER BY n')).rows).toEqual([{ n: 2 }, { n: 3 }])
})

const MESSAGE = { queue: 'q', group: 'g', id: 'a', timestamp: 1 }

test.each<[string, unknown, unknown, ...texts: string[]]>([
  ['no message', undefined, undefined, 'message must be an object', 'undefined'],
  // Of two that say nothing of themselves, the second one would be done.
  ['a batch', [MESSAGE], undefined, 'message must be an object', 'an array'],
  ['a payload', { id: 'a' }, undefined, 'message.queue must be a string'],
  ['an option that is misspelt', MESSAGE, { keepMS: 5 }, 'options are keepMs, schema', '"keepMS"'],
])('%s marks nothing as done', async (_, message, options, ...texts) => {
  const pool = await database()
  const effects = vi.fn<() => void>()
  const given = [message, effects, options] as unknown as [typeof MESSAGE, () => void]
  await expectCode(once(pool, ...given), 'INVALID_ARGUMENT', 'once: ', ...texts)
  const marked = markDone(pool, ...([message, options] as unknown as [typeof MESSAGE]))
  await expectCode(marked, 'INVALID_ARGUMENT', 'markDone: ', ...texts)
  expect(effects).not.toHaveBeenCalled()
})

test('once needs a pool, and effects', async () => {
  for (const one of [undefined, {}, { connect: () => undefined }])
    await expectCode(
      once(one as never, MESSAGE, () => undefined),
      'INVALID_ARGUMENT',
      'a Pool of pg, or a PGlite',
    )
  await expectCode(
    once(await database(), MESSAGE, undefined as never),
    'INVALID_ARGUMENT',
    'effects must be a function',
  )
})

test('what a handler does happens once, however often the message comes, and at once', async () => {
  // No queue has ever been in this database.
  const pool = await database()
  const add =
    (n: number, fails?: boolean) => async (client: { query(text: string, values: unknown[]): unknown }) => {
      await client.query('INSERT INTO orders VALUES ($1)', [n])
      if (fails) throw new Failure()
    }
  await expect(once(pool, MESSAGE, add(1, true))).rejects.toThrow(Failure)
  const together = await Promise.all([2, 2, 2].map((n) => once(pool, MESSAGE, add(n))))
  expect(together.filter(Boolean)).toHaveLength(1)
  const others = [{ queue: 'r' }, { group: 'h' }, { id: 'b' }, { timestamp: 2 }]
  for (const other of others) expect(await once(pool, { ...MESSAGE, ...other }, add(3))).toBe(true)
  expect(await ordersIn(pool)).toEqual([2, 3, 3, 3, 3])
})

test('effects that catch what a statement has failed with do not count as done: the server undoes them', async () => {
  const pool = await database()
  const careless = async (client: { query(text: string): Promise<unknown> }): Promise<void> => {
    await client.query('INSERT INTO orders VALUES (1)')
    await client.query('SELECT 1 / 0').catch(() => undefined)
  }
  await expect(once(pool, MESSAGE, careless)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const postgres = await PGlite.create()
  onTestFinished(() => postgres.close())
  await postgres.exec('CREATE TABLE orders (n integer)')
  await expect(once(postgres, MESSAGE, careless)).rejects.toThrow(/rolled back/)
  expect(await ordersIn(pool)).toEqual([])
  const careful = async (client: { query(text: string): Promise<unknown> }): Promise<void> => {
    await client.query('SAVEPOINT before')
    await client.query('SELECT 1 / 0').catch(() => client.query('ROLLBACK TO before'))
    await client.query('INSERT INTO orders VALUES (2)')
  }
  expect(await once(pool, MESSAGE, careful)).toBe(true)
  expect(await ordersIn(pool)).toEqual([2])
})

test('a transaction that a library commits can mark a message as done', async () => {
  const pool = await database()
  const db = drizzle(pool)
  const handle = (n: number): Promise<void> =>
    db.transaction(async (tx) => {
      const transaction = { query: (text: string) => tx.execute(sql.raw(text)) }
      if (await markDone(transaction, MESSAGE)) await tx.insert(orders).values({ n })
    })
  await expect(handle(1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await once(pool, { ...MESSAGE, id: 'other' }, () => undefined)
  await handle(2)
  await handle(3)
  expect(await ordersIn(pool)).toEqual([2])
  await expect(markDone(await withClient(pool), MESSAGE)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

async function withClient(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect()
  onTestFinished(() => client.release())
  return client
}

test('marks are forgotten in time', async () => {
  const pool = await database()
  for (let n = 0; n < 20; n++) {
    if (n === 10) await pool.query("UPDATE quayside.done SET until = 'epoch'")
    await once(pool, { ...MESSAGE, id: `${n}` }, () => undefined, { keepMs: 60_000 })
  }
  expect((await pool.query('SELECT count(*)::int AS count FROM quayside.done')).rows).toEqual([{ count: 10 }])
})

describe('within refuses, before anything is written', () => {
  test.each<[string, RegExp, (pool: Pool) => Promise<object>]>([
    ['what is no client', /method query/, async () => drizzle.mock()],
    ['a pool', /this is a pool/, async (pool) => pool],
    ['a client without a transaction', /no transaction is open/, withClient],
    [
      'what does not say that it has none',
      /no transaction is open/,
      async (pool) => ({ query: (text: string) => pool.query(text) }),
    ],
    [
      'a transaction that has failed',
      /has failed/,
      async (pool) => {
        const client = await withClient(pool)
        await client.query('BEGIN')
        await client.query('SELECT 1 / 0').catch(() => undefined)
        return client
      },
    ],
    [
      'a client of a database without queues',
      /there is no table/,
      async () => {
        const client = await withClient(await database())
        await client.query('BEGIN')
        return client
      },
    ],
    [
      'a client of another database',
      /another database/,
      async () => {
        const other = await database()
        await new Queue('q', { storage: new PostgresAdapter(other) }).stats()
        const client = await withClient(other)
        await client.query('BEGIN')
        return client
      },
    ],
  ])('%s', async (_, rule, open) => {
    const pool = await database()
    await using queue = new Queue('q', { storage: new PostgresAdapter(pool) })
    const sending = (async () =>
      queue
        .createProducer()
        .within(await open(pool))
        .send(1))()
    await expect(sending).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(rule),
    })
    expect((await queue.stats()).messages).toBe(0)
  })
})

const CYCLES = effort({ quick: 12, full: 2500 })

test(
  `${CYCLES} kills of clients between order, message, commit and ack leave each order with its message, and done once`,
  { timeout: 900_000 },
  async () => {
    const pool = await database()
    const storage = new PostgresAdapter(pool)
    const queue = new Queue<number>('orders', { storage })
    onTestFinished(() => queue.close())
    const producer = queue.createProducer()
    const consumer = queue.createConsumer('default', { leaseMs: 60_000 })
    await consumer.receive()
    const url = server.url.replace(/postgres$/, `app%20${made}`)
    /** Ends a client as its death would: the server rolls back what is open. */
    const kill = async (client: PoolClient): Promise<void> => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await ask(url, `SELECT pg_terminate_backend(${rows[0]!.pid})`)
      client.release(true)
    }
    let kept = 0
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const n = cycle * 2
      const client = await pool.connect()
      client.on('error', () => undefined)
      await client.query('BEGIN')
      const step = cycle % 4
      if (step > 0) await client.query('INSERT INTO orders VALUES ($1)', [n])
      if (step > 1) await producer.within(client).send(n)
      const commits = step === 3
      if (commits) {
        await client.query('COMMIT')
        kept++
      }
      await kill(client)
      const message = await consumer.receive()
      expect(message?.payload).toBe(commits ? n : undefined)
      if (message === undefined) continue
      const effect = () =>
        once(pool, message, async (own) => {
          await own.query('INSERT INTO orders VALUES ($1)', [n + 1])
        })
      // One that dies in its middle has done nothing; one whose ack was lost is done.
      const dying = once(pool, message, async (own) => {
        await own.query('INSERT INTO orders VALUES ($1)', [n + 1])
        const { rows } = await own.query('SELECT pg_backend_pid() AS pid')
        await ask(url, `SELECT pg_terminate_backend(${(rows[0] as { pid: number }).pid})`)
      })
      await expect(dying).rejects.toThrow(/terminat|connection error/)
      expect(await effect()).toBe(true)
      expect(await effect()).toBe(false)
      await message.ack()
    }
    const all = await ordersIn(pool)
    expect(all).toHaveLength(kept * 2)
    expect(new Set(all).size).toBe(all.length)
    expect((await queue.stats()).messages).toBe(0)
  },
)
