import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { quayside } from './quayside.ts'

test('a SQLite file is looked into and changed while a process uses it', async () => {
  const file = join(temporaryDirectory(), 'app.db')
  expect(await quayside(['stats', file])).toMatchObject({
    code: 1,
    err: expect.stringContaining('no queues'),
  })
  expect(existsSync(file)).toBe(false)
  expect(await quayside(['send', file, 'orders', '{"sku":1}'])).toMatchObject({
    code: 0,
    out: 'sent 1 message\n',
  })
  await using queue = new Queue('orders', { storage: new SQLiteAdapter(file) })
  await queue.createProducer().send({ sku: 2 })
  expect((await quayside(['list', file, '--json'])).out.match(/"sku":\d/g)).toEqual(['"sku":1', '"sku":2'])
  expect((await quayside(['purge', file, 'orders', '--yes'])).code).toBe(0)
  expect((await queue.stats()).messages).toBe(0)
})

test('an older Node, which has no SQLite, is told of', async () => {
  const file = join(temporaryDirectory(), 'app.db')
  const env = { NODE_OPTIONS: '--no-experimental-sqlite' }
  const ended = await quayside(['send', file, 'orders', 'tea'], { env })
  expect(ended).toMatchObject({ code: 1, err: expect.stringContaining('Node 22.13 or later') })
})

test('what is no SQLite file is told so', async () => {
  const file = join(temporaryDirectory(), 'notes.txt')
  writeFileSync(file, 'this is no database, and long enough to be taken for one'.repeat(50))
  expect(await quayside(['stats', file])).toMatchObject({ code: 1, err: expect.stringContaining('SQLite') })
})
