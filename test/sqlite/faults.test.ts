import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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
