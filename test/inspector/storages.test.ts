import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Hono } from 'hono'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { RedisHttpAdapter } from '../../adapters/redis-http/index.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { inspectorHandler, nodeListener } from '../../inspector/server/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { type Worker, startWorker } from '../durable-object/support/workerd.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { type PostgresServer, startPostgres } from '../postgres/support/server.ts'
import { type Front, startFront } from '../redis-http/support/front.ts'
import { type Connected, connectClient } from '../redis/support/clients.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { filled } from './support/filled.ts'
import { type Site, expectInspected } from './support/expect-inspected.ts'

const PAGE = 'https://shop.example/admin/queues'

let redis: RedisServer
let client: Connected
let front: Front
let postgres: PostgresServer
let worker: Worker
beforeAll(async () => {
  ;[redis, postgres, worker] = await Promise.all([
    startRedis(),
    startPostgres({ fsync: false }),
    startWorker('test/inspector/workers/inspected.ts', { QUEUE: 'Keeper' }),
  ])
  ;[client, front] = await Promise.all([connectClient('redis', redis.url), startFront(redis.url)])
})
afterAll(async () => {
  await Promise.all([client?.close(), front?.stop(), worker?.close()])
  await Promise.all([redis?.stop(), postgres?.stop()])
})

type Handler = (request: Request) => Promise<Response>

/** The inspector of queues with something of all that there is, on a storage. */
async function inspected(storage: StorageAdapter): Promise<Handler> {
  const queues = await filled(storage)
  onTestFinished(async () => {
    await Promise.all(queues.map((queue) => queue.close()))
    await storage.close()
  })
  return inspectorHandler(queues, { allow: () => true })
}

const at =
  (handler: (request: Request) => Response | Promise<Response>, address: string = PAGE): Site =>
  async (path, init) =>
    handler(new Request(address + path, init))

const STORAGES: Readonly<Record<string, () => StorageAdapter>> = {
  memory: () => new MemoryAdapter(),
  fs: () => new NodeFsAdapter(temporaryDirectory()),
  sqlite: () => new SQLiteAdapter(join(temporaryDirectory(), 'app.db')),
  redis: () => new RedisAdapter(client.client, { prefix: 'tcp:' }),
  'redis-http': () => new RedisHttpAdapter({ url: front.url, token: front.token }, { prefix: 'http:' }),
  postgres: () => {
    const pool = new Pool({ connectionString: postgres.url })
    onTestFinished(() => pool.end())
    return new PostgresAdapter(pool)
  },
}

test.each(Object.keys(STORAGES))('queues on %s are looked at and acted on over HTTP', async (name) => {
  await expectInspected(at(await inspected(STORAGES[name]!())))
})

test('queues in Durable Objects are, by a Worker', async () => {
  await worker.call('fill')
  await expectInspected(
    (path, init) =>
      worker.miniflare.dispatchFetch(
        `http://worker/inspect${path}`,
        init as never,
      ) as unknown as Promise<Response>,
  )
})

test('Hono serves it', async () => {
  const inspect = await inspected(new MemoryAdapter())
  const app = new Hono().all('/admin/queues', (c) => inspect(c.req.raw))
  await expectInspected(at(app.fetch))
})

test('a route of Next.js serves it: what calls handlers by the names of methods, with parameters', async () => {
  const inspect = await inspected(new MemoryAdapter())
  // `app/admin/queues/route.ts` is `export const GET = inspect` and `export const POST = inspect`.
  const route: Readonly<Record<string, (request: Request, context: object) => Promise<Response>>> = {
    GET: inspect,
    POST: inspect,
  }
  /** As much of a `NextRequest` as differs from a `Request`. */
  class NextRequest extends Request {
    readonly nextUrl = new URL(this.url)
    readonly cookies = new Map()
  }
  await expectInspected((path, init) => {
    const request = new NextRequest(PAGE + path, init)
    return route[request.method]!(request, { params: Promise.resolve({}) })
  })
})

test("Node's http serves it", async () => {
  const server = createServer(nodeListener(await inspected(new MemoryAdapter())))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  await expectInspected((path, init) => fetch(`http://127.0.0.1:${port}/${path}`, init))
})

test('a directory is looked at while the process that owns it works, and not changed', async () => {
  const directory = temporaryDirectory()
  const owner = spawn(process.execPath, [join(import.meta.dirname, '../cli/owner-child.ts'), directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void owner.kill('SIGKILL'))
  const [ready] = (await once(owner.stdout.setEncoding('utf8'), 'data')) as [string]
  expect(ready).toBe('ready\n')
  const queue = new Queue('orders', { storage: new NodeFsAdapter(directory, { readOnly: true }) })
  onTestFinished(() => queue.close())
  const site = at(inspectorHandler([queue], { allow: () => true }))
  const ask = async (verb: string, ...args: readonly unknown[]): Promise<[number, string]> => {
    const response = await site('', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ queue: 'orders', verb, args }),
    })
    return [response.status, await response.text()]
  }
  /** How many messages its owner has done. */
  const acked = async (): Promise<number> => Number(/"acked":(\d+)/.exec((await ask('stats'))[1])?.[1] ?? 0)
  await expect.poll(acked).toBeGreaterThan(0)
  const before = await acked()
  await expect.poll(acked).toBeGreaterThan(before)
  await expect
    .poll(async () => (await ask('deadLetters', 'billing', { limit: 10, bodies: false }))[1])
    .toContain('unlucky')
  for (const [verb, ...args] of [
    ['redrive', 'billing'],
    ['cancel', ['a']],
    ['hold', { group: 'billing' }],
  ] as const)
    expect(await ask(verb, ...args), verb).toEqual([400, expect.stringContaining('UNSUPPORTED')])
  owner.stdin.end()
  expect(await once(owner, 'exit')).toEqual([0, null])
})
