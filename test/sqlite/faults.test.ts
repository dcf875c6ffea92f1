import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'

test.each([
  ['a file that is no database', 'CORRUPT', 'notes.txt'],
  ['a folder that is not there', 'STORAGE_UNAVAILABLE', 'nowhere/app.db'],
])('%s is told of by the first use', async (_, code, name) => {
  const directory = temporaryDirectory()
  writeFileSync(
    join(directory, 'notes.txt'),
    'this is no database, and long enough to be taken for one'.repeat(50),
  )
  const queue = new Queue('q', { storage: new SQLiteAdapter(join(directory, name)) })
  await expect(queue.stats()).rejects.toMatchObject({ code })
})

test('a file in which somebody else has tables of our names is told of, and not kept open', async () => {
  const file = join(temporaryDirectory(), 'app.db')
  const theirs = new DatabaseSync(file)
  theirs.exec('CREATE TABLE quayside_rows (a, b)')
  const opened: DatabaseSync[] = []
  const storage = new SQLiteAdapter(() => {
    opened.push(new DatabaseSync(file))
    return opened.at(-1)!
  })
  await expect(new Queue('q', { storage }).stats()).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringContaining('quayside_rows'),
  })
  expect(opened.map(({ isOpen }) => isOpen)).toEqual([false])
  theirs.close()
})

test('a file that is full refuses what is sent, and what is there can be received', async () => {
  const database = new DatabaseSync(join(temporaryDirectory(), 'app.db'))
  await using queue = new Queue('q', { storage: new SQLiteAdapter(database) })
  await queue.createProducer().send('first')
  database.exec('PRAGMA max_page_count = 60')
  const body = 'x'.repeat(1_000_000)
  await expect(queue.createProducer().send(body)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
  const message = await queue.createConsumer().receive()
  expect(message?.payload).toBe('first')
  await message!.ack()
  expect((await queue.stats()).messages).toBe(0)
})

test.each<[string, unknown, object?]>([
  ['memory', ':memory:'],
  ['a connection to memory', new DatabaseSync(':memory:')],
  ['no path', ''],
  ['no connection', {}],
  ['an unknown option', 'app.db', { durabilty: 'full' }],
  ['an unknown durability', 'app.db', { durability: 'fsync' }],
  ['no time', 'app.db', { timeoutMs: 0 }],
])('the adapter refuses %s', (_, database, options) => {
  expect(() => new SQLiteAdapter(database as string, options)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})

test.each<[string, (file: string) => void]>([
  [
    'deleted',
    (file) => {
      for (const part of ['', '-wal', '-shm', '-bell']) rmSync(file + part)
    },
  ],
  ['moved', (file) => renameSync(file, `${file}-elsewhere`)],
  ['replaced', (file) => renameSync(`${file}-copy`, file)],
])(
  'a file that is %s while it is open is found out, and what is there is opened, for all queues',
  async (_, change) => {
    const file = join(temporaryDirectory(), 'app.db')
    const storage = new SQLiteAdapter(file)
    onTestFinished(() => storage.close())
    const [queue, idle] = [new Queue<number>('q', { storage }), new Queue<number>('idle', { storage })]
    await idle.createProducer().send(1)
    await queue.createProducer().send(1)
    writeFileSync(`${file}-copy`, '')
    change(file)
    const send = (): Promise<string> =>
      queue
        .createProducer()
        .send(2)
        .then(
          () => 'stored',
          (error: { code: string }) => error.code,
        )
    await expect.poll(send).toBe('STORAGE_FAILED')
    expect(await queue.createProducer().send(3)).toMatchObject({ status: 'stored' })
    const other = new SQLiteAdapter(file)
    onTestFinished(() => other.close())
    const found = await new Queue<number>('q', { storage: other }).createConsumer().receiveBatch(10)
    expect(found.map(({ payload }) => payload)).toEqual([3])
  },
)
