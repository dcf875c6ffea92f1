// Connections that end, go silent or are missing, and who waits meanwhile.
import { type AddressInfo, createServer } from 'node:net'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { databaseOf } from '../../adapters/postgres/database-of.ts'
import { PostgresAdapter, type PostgresOptions } from '../../adapters/postgres/index.ts'
import { namesOf } from '../../adapters/postgres/schema.ts'
import { PostgresStore } from '../../adapters/postgres/store.ts'
import { Queue } from '../../src/index.ts'
import { ByteAdapter } from '../../src/segments/index.ts'
import { type Fate, openProxy } from '../faults/support/proxy.ts'
import { type PostgresServer, ask, startPostgres } from './support/server.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ fsync: false })
})
afterAll(() => server.stop())

function poolOf(url: string, max = 10): Pool {
  const pool = new Pool({ connectionString: url, max })
  onTestFinished(() => pool.end())
  return pool
}

let made = 0
const freshSchema = (): string => `connections ${++made}`

function openQueue<T>(pool: Pool, options: PostgresOptions): Queue<T> {
  const queue = new Queue<T>('q', { storage: new PostgresAdapter(pool, options) })
  onTestFinished(() => queue.close())
  return queue
}

/** A proxy before the server. `next` is the fate of the next bytes that a client sends, on any connection or one. */
async function network(): Promise<{ url: string; next: Fate | undefined; only?: number; opened(): number }> {
  const proxy = await openProxy(server.port, (connection) => {
    if ((state.only ?? connection) !== connection) return undefined
    const fate = state.next
    state.next = undefined
    return fate
  })
  onTestFinished(() => proxy.close())
  const url = new URL(server.url)
  url.port = `${proxy.port}`
  const state: Awaited<ReturnType<typeof network>> = {
    url: url.href,
    next: undefined,
    opened: () => proxy.opened,
  }
  return state
}

const TERMINATE =
  'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = '

test('a server that says goodbye with its welcome ends no process', async () => {
  const frame = (type: string, ...parts: (string | Buffer)[]): Buffer => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
    const head = Buffer.alloc(5)
    head.write(type)
    head.writeUInt32BE(body.length + 4, 1)
    return Buffer.concat([head, body])
  }
  const goodbye = frame('E', 'SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
  const welcome = Buffer.concat([frame('R', Buffer.alloc(4)), frame('Z', 'I'), goodbye])
  const server = createServer((socket) => socket.once('data', () => socket.end(welcome)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  // An error that nobody hears of fails the run.
  const queue = openQueue<number>(poolOf(`postgres://nobody@127.0.0.1:${port}/none`), { timeoutMs: 1000 })
  await expect(queue.createProducer().send(1)).rejects.toMatchObject({ name: 'QuaysideError' })
})

test('connections that an operator ends are replaced: nobody who sends sees it, and who waits is woken', async () => {
  const schema = freshSchema()
  const here = poolOf(`${server.url}?application_name=here`)
  const receiving = openQueue<number>(here, { schema })
  const sending = openQueue<number>(poolOf(server.url), { schema })
  const received: number[] = []
  const run = receiving.createConsumer().run(({ payload }) => void received.push(payload))
  for (let n = 0; n < 5; n++) {
    await sending.createProducer().send(n)
    await expect.poll(() => received).toContain(n)
    await ask(server.url, `${TERMINATE}'here'`)
    await receiving.createProducer().send(100 + n)
  }
  await expect
    .poll(() => received.toSorted((a, b) => a - b))
    .toEqual([0, 1, 2, 3, 4, 100, 101, 102, 103, 104])
  await receiving.close()
  await run
})

test('an idle consumer elsewhere is woken by a send, although its listening connection went silent', async () => {
  const schema = freshSchema()
  const silent = await network()
  const pool = poolOf(silent.url)
  const storage = new ByteAdapter({ name: 'postgres', durability: 'disk', sharedBy: 'network' }, () =>
    PostgresStore.open(databaseOf(pool, 1000), namesOf(schema), { timeoutMs: 1000, pingMs: 200 }),
  )
  const receiving = new Queue<string>('q', { storage })
  const sending = openQueue<string>(poolOf(server.url), { schema })
  const received: string[] = []
  const run = receiving.createConsumer().run(({ payload }) => void received.push(payload))
  await sending.createProducer().send('before')
  await expect.poll(() => received).toEqual(['before'])
  // Each of its connections in turn: one of them is that which listens.
  for (let only = 1; only <= silent.opened() && only <= 4; only++) {
    silent.only = only
    silent.next = 'silent'
    await sending.createProducer().send(`after ${only}`)
    await expect.poll(() => received).toContain(`after ${only}`)
  }
  await receiving.close()
  await run
})

describe.each<[Fate, string]>([
  ['lost', 'before it is answered'],
  ['silent', 'without a word'],
  ['unanswered', 'after the server has it'],
  ['deaf', 'after the server has it, without a word'],
])('where a connection is %s', (fate) => {
  test('a send says what it knows, and with an id it is stored once', async () => {
    const schema = freshSchema()
    const broken = await network()
    const queue = openQueue<number>(poolOf(broken.url, 1), { schema, timeoutMs: 500 })
    const producer = queue.createProducer()
    await producer.send(0)
    const codes = new Set<string>()
    broken.next = fate
    const sending = producer.send(1, { id: 'one', dedupeMs: 60_000 })
    await sending.catch((error: { code: string }) => codes.add(error.code))
    for (;;) {
      try {
        await producer.send(1, { id: 'one', dedupeMs: 60_000 })
        break
      } catch (error) {
        codes.add((error as { code: string }).code)
      }
    }
    for (const code of codes) expect(['STORAGE_FAILED', 'STORAGE_UNAVAILABLE', 'TIMEOUT']).toContain(code)
    expect((await queue.stats()).messages).toBe(2)
  })
})

test('a process that stands still in the middle of a step lets go of the queue', async () => {
  const schema = freshSchema()
  const queue = openQueue<number>(poolOf(server.url), { schema, timeoutMs: 3000 })
  await queue.createProducer().send(1)
  const client = await poolOf(server.url).connect()
  client.on('error', () => undefined)
  // As a step of the queue begins, and then nothing.
  const name = Buffer.from(`${schema}\0q`).toString('hex')
  await client.query(
    `BEGIN; SELECT set_config('idle_in_transaction_session_timeout', '1000', true), pg_advisory_xact_lock(hashtextextended('${name}', 0))`,
  )
  await queue.createProducer().send(2)
  client.release(true)
  expect((await queue.stats()).messages).toBe(2)
})

test('a queue that others do not let go of is told of in time, and nothing was stored', async () => {
  const schema = freshSchema()
  const queue = openQueue<number>(poolOf(server.url), { schema, timeoutMs: 200 })
  await queue.createProducer().send(1)
  const client = await poolOf(server.url).connect()
  const name = Buffer.from(`${schema}\0q`).toString('hex')
  await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('${name}', 0))`)
  await expect(queue.createProducer().send(2)).rejects.toMatchObject({ code: 'TIMEOUT' })
  // Who only looks waits for nobody.
  expect((await queue.stats()).messages).toBe(1)
  await client.query('COMMIT')
  client.release()
  await queue.createProducer().send(3)
  expect((await queue.stats()).messages).toBe(2)
})

test.each<[string, () => Promise<Pool>]>([
  ['no server', async () => poolOf('postgres://tester@127.0.0.1:1/postgres')],
  ['no such database', async () => poolOf(server.url.replace(/postgres$/, 'nowhere'))],
  [
    'a pool that is in use',
    async () => {
      const pool = poolOf(server.url, 1)
      const client = await pool.connect()
      onTestFinished(() => client.release())
      return pool
    },
  ],
])('%s is told of by the first use', async (_, open) => {
  const pool = await open()
  const queue = new Queue<number>('q', {
    storage: new PostgresAdapter(pool, { schema: freshSchema(), timeoutMs: 300 }),
  })
  await expect(queue.createProducer().send(1)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await queue.close()
})

test('a step says itself what transactions it needs, whatever the program has set', async () => {
  const settings =
    '-c default_transaction_read_only=on -c default_transaction_isolation=serializable -c bytea_output=escape'
  const pool = poolOf(`${server.url}?options=${encodeURIComponent(settings)}`)
  const queue = openQueue<number>(pool, { schema: freshSchema() })
  await queue.createProducer().send(1)
  expect((await queue.createConsumer().receive())?.payload).toBe(1)
})

test('who may make tables in a schema need not be one who may make schemas', async () => {
  const schema = freshSchema()
  await ask(
    server.url,
    `CREATE ROLE app LOGIN; CREATE SCHEMA "${schema}" AUTHORIZATION app; CREATE SCHEMA "${schema} of others"`,
  )
  const url = new URL(server.url)
  url.username = 'app'
  const pool = poolOf(url.href)
  const queue = openQueue<number>(pool, { schema })
  await queue.createProducer().send(1)
  expect((await queue.stats()).messages).toBe(1)
  await expect(openQueue(pool, { schema: `${schema} of others` }).stats()).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringContaining('docs/storage-postgres.md'),
  })
})

test('many processes may make the tables at once', async () => {
  const schema = freshSchema()
  const pools = Array.from({ length: 8 }, () => poolOf(server.url, 2))
  await Promise.all(pools.map((pool) => openQueue<number>(pool, { schema }).createProducer().send(1)))
  expect((await openQueue(pools[0]!, { schema }).stats()).messages).toBe(8)
})

test.each<[string, unknown, object?]>([
  ['nothing', undefined],
  ['a URL', 'postgres://localhost/app'],
  ['a client', { query: () => undefined, connect: () => undefined }],
  ['an unknown option', new Pool(), { shema: 'q' }],
  ['a schema without a name', new Pool(), { schema: '' }],
  ['a schema of a long name', new Pool(), { schema: 'x'.repeat(64) }],
  ['no time', new Pool(), { timeoutMs: 0 }],
])('the adapter refuses %s', (_, database, options) => {
  expect(() => new PostgresAdapter(database as Pool, options)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
