import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { Queue } from '../../src/index.ts'
import { startPostgres } from '../postgres/support/server.ts'
import { quayside } from './quayside.ts'

test('queues in a database are looked into and changed, in the schema that is named', async () => {
  const server = await startPostgres({ fsync: false })
  const pool = new Pool({ connectionString: server.url })
  onTestFinished(async () => {
    await pool.end()
    await server.stop()
  })
  const url = `${server.url}#my queues`
  expect(await quayside(['stats', url])).toMatchObject({ code: 1, err: expect.stringContaining('no queues') })
  expect((await pool.query(`SELECT to_regnamespace('"my queues"') AS made`)).rows).toEqual([{ made: null }])
  expect(await quayside(['send', url, 'orders', '{"sku":1}'])).toMatchObject({
    code: 0,
    out: 'sent 1 message\n',
  })
  await using queue = new Queue('orders', { storage: new PostgresAdapter(pool, { schema: 'my queues' }) })
  await queue.createProducer().send({ sku: 2 })
  expect((await quayside(['list', url, '--json'])).out.match(/"sku":\d/g)).toEqual(['"sku":1', '"sku":2'])
  expect((await quayside(['purge', url, 'orders', '--yes'])).code).toBe(0)
  expect((await queue.stats()).messages).toBe(0)
})

test('a server that is not there is told of, without the password', async () => {
  const { code, err } = await quayside(['stats', 'postgres://user:hunter2@127.0.0.1:1/app'])
  expect(code).toBe(1)
  expect(err).toMatch(
    /^quayside: no PostgreSQL could be reached at postgres:\/\/127\.0\.0\.1:1\/app: .*ECONNREFUSED.*\n$/,
  )
})
