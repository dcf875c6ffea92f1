// A message and what it is about are stored together: with what programs have for SQLite.
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { Kysely, SqliteDialect } from 'kysely'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  SQLiteAdapter,
  type Delivered,
  type SQLiteDatabase,
  markDone,
  once,
} from '../../adapters/sqlite/index.ts'
import { type Producer, Queue } from '../../src/index.ts'
import { effort } from '../support/effort.ts'
import { expectCode } from '../support/set-up.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'app.db')
}

/** A program that keeps orders in the file in which its queue is. */
interface Program {
  readonly connection: SQLiteDatabase
  /** Stores an order and sends its number, in one transaction; fails in its middle if it is told to. */
  order(n: number, fails?: boolean): Promise<unknown>
  orders(): Promise<number[]>
}

class Failure extends Error {}

const ORDERS = 'CREATE TABLE orders (n INTEGER)'
const schema = { orders: sqliteTable('orders', { n: integer() }) }

const programs: Record<string, (file: string, producer: Producer<number>) => Program> = {
  'node:sqlite'(file, producer) {
    const db = new DatabaseSync(file)
    return {
      connection: db,
      async order(n, fails) {
        db.exec('BEGIN')
        try {
          db.prepare('INSERT INTO orders VALUES (?)').run(n)
          await producer.within(db).send(n)
          if (fails) throw new Failure()
          db.exec('COMMIT')
        } catch (error) {
          db.exec('ROLLBACK')
          throw error
        }
      },
      orders: async () =>
        db
          .prepare('SELECT n FROM orders')
          .all()
          .map(({ n }) => Number(n)),
    }
  },
  'better-sqlite3'(file, producer) {
    const db = new Database(file)
    const order = db.transaction((n: number, fails?: boolean) => {
      db.prepare('INSERT INTO orders VALUES (?)').run(n)
      void producer.within(db).send(n)
      if (fails) throw new Failure()
    })
    return {
      connection: db,
      order: async (n, fails) => order(n, fails),
      orders: async () => db.prepare('SELECT n FROM orders').pluck().all() as number[],
    }
  },
  Kysely(file, producer) {
    const database = new Database(file)
    const db = new Kysely<{ orders: { n: number } }>({ dialect: new SqliteDialect({ database }) })
    return {
      connection: database,
      order: (n, fails) =>
        db.transaction().execute(async (trx) => {
          await trx.insertInto('orders').values({ n }).execute()
          await producer.within(database).send(n)
          if (fails) throw new Failure()
        }),
      orders: async () => (await db.selectFrom('orders').select('n').execute()).map(({ n }) => n),
    }
  },
  Drizzle(file, producer) {
    const db = drizzle(new Database(file), { schema })
    return {
      connection: db.$client,
      order: async (n, fails) =>
        db.transaction((tx) => {
          tx.insert(schema.orders).values({ n }).run()
          void producer.within(db.$client).send(n)
          if (fails) throw new Failure()
        }),
      orders: async () =>
        db
          .select()
          .from(schema.orders)
          .all()
          .map(({ n }) => n!),
    }
  },
}

function setUp(name: string, file = temporary()): { queue: Queue<number>; program: Program } {
  const isOwn = name === 'node:sqlite'
  const storage = new SQLiteAdapter(isOwn ? file : () => new Database(file))
  onTestFinished(() => storage.close())
  const queue = new Queue<number>('orders', { storage })
  const program = programs[name]!(file, queue.createProducer())
  onTestFinished(() => void program.connection.close())
  program.connection.exec(ORDERS)
  return { queue, program }
}

describe.each(Object.keys(programs))('with %s', (name) => {
  test('an order and its message are stored together, or not at all', async () => {
    const { queue, program } = setUp(name)
    await program.order(1)
    await expect(program.order(2, true)).rejects.toThrow(Failure)
    await program.order(3)
    expect(await program.orders()).toEqual([1, 3])
    const messages = await queue.createConsumer().receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 3])
  })

  test('who waits is woken once the transaction has committed', async () => {
    const { queue, program } = setUp(name)
    const consumer = queue.createConsumer()
    const waiting = consumer.receive({ waitMs: 20_000 })
    await consumer.receive()
    await program.order(7)
    expect((await waiting)?.payload).toBe(7)
  })

  test('what a handler does happens once, however often the message comes', async () => {
    const { queue, program } = setUp(name)
    await queue.createProducer().send(5)
    const message = (await queue.createConsumer().receive())!
    const add = (n: number) => () => program.connection.prepare('INSERT INTO orders VALUES (?)').run(n)
    await expect(
      once(program.connection, message, () => {
        add(4)()
        throw new Failure()
      }),
    ).rejects.toThrow(Failure)
    expect(await once(program.connection, message, add(5))).toBe(true)
    expect(await once(program.connection, message, add(6))).toBe(false)
    expect(await program.orders()).toEqual([5])
  })
})

test('effects that are a statement of a query builder, which does nothing until it is awaited, are done', async () => {
  const database = new Database(temporary())
  onTestFinished(() => database.close())
  database.exec(ORDERS)
  const db = drizzle(database, { schema })
  const message = { queue: 'q', group: 'g', id: 'a', timestamp: 1 }
  const insert = (n: number) => () => db.insert(schema.orders).values({ n })
  expect([await once(database, message, insert(1)), await once(database, message, insert(2))]).toEqual([
    true,
    false,
  ])
  expect(db.select().from(schema.orders).all()).toEqual([{ n: 1 }])
})

test.each<[unknown, unknown, ...texts: string[]]>([
  [undefined, undefined, 'message must be an object', 'undefined'],
  // Of two that say nothing of themselves, the second one would be done.
  [[{ queue: 'q', group: 'g', id: 'a', timestamp: 1 }], undefined, 'message must be an object', 'an array'],
  [{ id: 'a' }, undefined, 'message.queue must be a string'],
  [{ queue: 'q', group: 'g', id: 'a' }, undefined, 'message.timestamp must be a time'],
  [{ queue: 'q', group: 'g', id: 'a', timestamp: 1 }, { keepMS: 5 }, 'options are keepMs', '"keepMS"'],
  [{ queue: 'q', group: 'g', id: 'a', timestamp: 1 }, { keepMs: Number.NaN }, 'keepMs must be', 'NaN'],
])('what is no message, or no option, marks nothing: %j, %j', async (message, options, ...texts) => {
  const db = new DatabaseSync(temporary())
  onTestFinished(() => db.close())
  const effects = vi.fn<() => void>()
  const given = [message, effects, options] as unknown as [Delivered, () => void]
  await expectCode(once(db, ...given), 'INVALID_ARGUMENT', 'once: ', ...texts)
  db.exec('BEGIN')
  const mark = () => markDone(db, ...([message, options] as unknown as [Delivered]))
  await expectCode(mark, 'INVALID_ARGUMENT', 'markDone: ', ...texts)
  expect(effects).not.toHaveBeenCalled()
})

test('effects that call once again on their connection are told so, and do not wait for themselves', async () => {
  const [db, other] = [new DatabaseSync(temporary()), new DatabaseSync(temporary())]
  onTestFinished(() => {
    db.close()
    other.close()
  })
  const message = (id: string) => ({ queue: 'q', group: 'g', id, timestamp: 1 })
  const nested = once(db, message('a'), () =>
    once(other, message('a'), async () => {
      await once(db, message('b'), () => undefined)
    }),
  )
  await expect(nested).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('markDone'),
  })
  // What they began, and did not await, may call it when they are over.
  let later: Promise<boolean> | undefined
  await once(db, message('a'), () => {
    later = new Promise((resolve) => setImmediate(resolve)).then(() =>
      once(db, message('b'), () => undefined),
    )
  })
  expect(await later).toBe(true)
})

test.each<[string, (file: string) => SQLiteDatabase]>([
  ['node:sqlite', (file) => new DatabaseSync(file, { readBigInts: true })],
  ['better-sqlite3', (file) => new Database(file).defaultSafeIntegers(true)],
])('connections whose numbers are BigInts will do (%s)', async (name, open) => {
  const file = temporary()
  await using queue = new Queue<number>('q', {
    storage: new SQLiteAdapter(name === 'node:sqlite' ? file : () => open(file)),
  })
  const db = open(file)
  onTestFinished(() => void db.close())
  db.exec('BEGIN')
  void queue.createProducer().within(db).send(1)
  db.exec('COMMIT')
  await queue.createProducer().send(2)
  const messages = await queue.createConsumer().receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual([1, 2])
  expect(await once(db, messages[0]!, () => undefined)).toBe(true)
})

test('connections whose rows are arrays will do, too', async () => {
  const file = temporary()
  const open = (): DatabaseSync => new DatabaseSync(file, { returnArrays: true })
  await using queue = new Queue<number>('q', { storage: new SQLiteAdapter(open) })
  // Not the first one of the file.
  await using other = new Queue<number>('other', { storage: new SQLiteAdapter(file) })
  await other.stats()
  const db = open()
  onTestFinished(() => db.close())
  for (const { producer, n } of [
    { producer: queue.createProducer(), n: 1 },
    { producer: other.createProducer(), n: 2 },
  ]) {
    db.exec('BEGIN')
    void producer.within(db).send(n)
    db.exec('COMMIT')
  }
  const message = await queue.createConsumer().receive()
  expect([message?.payload, (await other.createConsumer().receive())?.payload]).toEqual([1, 2])
  expect(await once(db, message!, () => undefined)).toBe(true)
})

test('effects with which SQLite ends the transaction itself are told of with what it says', async () => {
  const db = new DatabaseSync(temporary())
  onTestFinished(() => db.close())
  db.exec('CREATE TABLE orders (n INTEGER UNIQUE); INSERT INTO orders VALUES (1)')
  // A library that does not say whether a transaction is open.
  const connection: SQLiteDatabase = {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => db.prepare(sql),
    close: () => db.close(),
  }
  const message = { queue: 'q', group: 'g', id: 'a', timestamp: 1 }
  const effects = (): void => db.exec('INSERT OR ROLLBACK INTO orders VALUES (1)')
  await expect(once(connection, message, effects)).rejects.toThrow('UNIQUE constraint failed')
  expect(await once(connection, message, () => undefined)).toBe(true)
})

test.runIf(existsSync('/proc/self/fd'))('what was sent in a transaction leaves no file open', async () => {
  const file = temporary()
  const db = new DatabaseSync(file)
  onTestFinished(() => db.close())
  const queue = new Queue<number>('q', { storage: new SQLiteAdapter(file) })
  db.exec('BEGIN')
  void queue.createProducer().within(db).send(1)
  db.exec('COMMIT')
  // Before it can be seen that the transaction has ended.
  await queue.close()
  const bell = `${file}-bell`
  await expect.poll(() => existsSync(bell) && readFileSync(bell).some((byte) => byte > 0)).toBe(true)
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // That of the folder itself.
      return ''
    }
  })
  expect(open).not.toContain(bell)
})

test('a transaction that a library commits can mark a message as done', async () => {
  const file = temporary()
  const database = new Database(file)
  database.exec(ORDERS)
  const db = new Kysely<{ orders: { n: number } }>({ dialect: new SqliteDialect({ database }) })
  const message = { queue: 'q', group: 'g', id: 'a', timestamp: 1 }
  const handle = (n: number) =>
    db.transaction().execute(async (trx) => {
      if (markDone(database, message)) await trx.insertInto('orders').values({ n }).execute()
    })
  await handle(1)
  await handle(2)
  expect(await db.selectFrom('orders').selectAll().execute()).toEqual([{ n: 1 }])
  expect(() => markDone(database, message)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  await db.destroy()
})

test('effects of a connection that take their time follow each other, and a mark is of one message alone', async () => {
  const db = new DatabaseSync(temporary())
  onTestFinished(() => db.close())
  const steps: string[] = []
  const message = { queue: 'q', group: 'g', id: 'a', timestamp: 1 }
  const others = [{ queue: 'r' }, { group: 'h' }, { id: 'b' }, { timestamp: 2 }, {}]
  const slowly = async (): Promise<void> => {
    steps.push('begin')
    await new Promise((resolve) => setImmediate(resolve))
    steps.push('end')
  }
  const results = await Promise.all(
    [{}, ...others].map((other) => once(db, { ...message, ...other }, slowly)),
  )
  expect(results).toEqual([true, true, true, true, true, false])
  expect(steps).toEqual(Array.from({ length: 5 }, () => ['begin', 'end']).flat())
})

test('marks are forgotten in time', async () => {
  const db = new DatabaseSync(temporary())
  onTestFinished(() => db.close())
  const message = (n: number) => ({ queue: 'q', group: 'g', id: `${n}`, timestamp: 1 })
  for (let n = 0; n < 20; n++) {
    if (n === 10) db.exec('UPDATE quayside_done SET until = 0')
    await once(db, message(n), () => undefined, { keepMs: 60_000 })
  }
  expect(db.prepare('SELECT count(*) AS count FROM quayside_done').get()).toEqual({ count: 10 })
})

describe('within refuses, before anything is written', () => {
  const send = (database: object, file: string): unknown =>
    new Queue('q', { storage: new SQLiteAdapter(file) }).createProducer().within(database).send(1)
  test.each<[string, RegExp, (file: string) => object]>([
    ['what is no connection', /methods exec and prepare/, () => drizzle(':memory:')],
    ['a connection without a transaction', /no transaction is open/, (file) => new DatabaseSync(file)],
    ['one to another file', /the queue lies in/, (file) => new DatabaseSync(`${file}-other`)],
    ['one to memory', /to memory/, () => new DatabaseSync(':memory:')],
    ['one of another copy of SQLite', /another library/, (file) => new Database(file)],
  ])('%s', (_, rule, open) => {
    const file = temporary()
    expect(() => send(open(file), file)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(rule) }),
    )
    expect(existsSync(`${file}-bell`)).toBe(false)
  })

  test('what cannot be sent, so that the transaction can be rolled back', () => {
    const file = temporary()
    const db = new DatabaseSync(file)
    const producer = new Queue<unknown>('q', { storage: new SQLiteAdapter(file) }).createProducer()
    db.exec('BEGIN')
    expect(() => producer.within(db).send(1n)).toThrow(expect.objectContaining({ code: 'UNSERIALIZABLE' }))
    db.exec('ROLLBACK')
    // Tables that a transaction has made are gone with it.
    for (const end of ['ROLLBACK', 'COMMIT']) {
      db.exec('BEGIN')
      void producer.within(db).send(end)
      db.exec(end)
    }
    expect(db.prepare('SELECT count(*) AS count FROM quayside_rows').get()).toEqual({ count: 1 })
  })
})

/** What a kill leaves: the files as they are at that moment. */
function kill(file: string, to: string): void {
  for (const part of ['', '-wal']) {
    rmSync(to + part, { force: true })
    if (existsSync(file + part)) copyFileSync(file + part, to + part)
  }
  rmSync(`${to}-shm`, { force: true })
}

const CYCLES = effort({ quick: 20, full: 2500 })

test(
  `${CYCLES * 4} kills between order, message, commit and ack leave each order with its message, and done once`,
  { timeout: 900_000 },
  async () => {
    const file = temporary()
    const after = `${file}-after`
    let now = 1_000_000
    const clock = { now: () => now }
    const storage = new SQLiteAdapter(file, { clock, durability: 'normal' })
    const queue = new Queue<number>('orders', { storage })
    const producer = queue.createProducer()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const db = new DatabaseSync(file)
    onTestFinished(async () => {
      await storage.close()
      db.close()
    })
    db.exec(ORDERS)
    const count = (from: DatabaseSync): number =>
      Number(from.prepare('SELECT count(*) AS n FROM orders').get()!['n'])
    const add = (to: SQLiteDatabase, n: number) => () => to.prepare('INSERT INTO orders VALUES (?)').run(n)

    /** Kills, starts again, and finishes what is there: each order of even number has brought one of odd number about. */
    const check = async (waits: number): Promise<void> => {
      kill(file, after)
      const later = new SQLiteAdapter(after, { clock: { now: () => now + 2000 }, durability: 'normal' })
      const own = new DatabaseSync(after)
      const found = new Queue<number>('orders', { storage: later })
      try {
        await found.createConsumer().drain((message) => once(own, message, add(own, message.payload + 1)))
        expect(count(own)).toBe(waits)
        expect(own.prepare('SELECT n FROM orders GROUP BY n HAVING count(*) > 1').all()).toEqual([])
      } finally {
        await later.close()
        own.close()
      }
    }

    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const n = cycle * 2
      db.exec('BEGIN')
      add(db, n)()
      void producer.within(db).send(n)
      await check(n)
      db.exec('COMMIT')
      await check(n + 2)
      const message = (await consumer.receive())!
      await once(db, message, add(db, n + 1))
      await check(n + 2)
      await message.ack()
      now += 10
      await check(n + 2)
      // Small as it was, to be copied soon.
      if (cycle % 50 === 49) db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    }
  },
)
