// Queues on a primary and its replica, of which sentinels make a new primary when the first one dies.
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import { connectClient } from './support/clients.ts'
import { until } from './support/pause.ts'
import { persist } from './support/persist.ts'
import { PRIMARY, type Sentinels, startSentinels } from './support/sentinel.ts'

const CLAIM = { group: 'g', limit: 10, leaseMs: 600_000, maxAttempts: 10 }

const connect = {
  redis: async ({ addresses }: Sentinels): Promise<RedisClient> => {
    const client = createSentinel({ name: PRIMARY, sentinelRootNodes: [...addresses] })
    client.on('error', () => undefined)
    onTestFinished(() => client.destroy())
    await client.connect()
    return client
  },
  ioredis: ({ addresses }: Sentinels): Promise<RedisClient> => {
    const client = new Redis({ sentinels: [...addresses], name: PRIMARY })
    client.on('error', () => undefined)
    onTestFinished(() => client.disconnect())
    return Promise.resolve(client)
  },
}

test.each(['redis', 'ioredis'] as const)('%s goes on with the replica, and is woken by it', async (name) => {
  const sentinels = await startSentinels(2000)
  onTestFinished(() => sentinels.stop())
  const adapter = new RedisAdapter(await connect[name](sentinels))
  onTestFinished(() => adapter.close())
  const queue = await adapter.open('q')
  const send = (...bodies: string[]): Promise<unknown> =>
    queue.append(
      bodies.map((body) => ({ body, id: body })),
      { batchId: uuid() },
    )
  await queue.claim(CLAIM)
  await send('a', 'b', 'c')
  const { deliveries } = await queue.claim({ ...CLAIM, limit: 2 })
  await queue.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'ack' }])
  const hints: number[] = []
  queue.watch!(() => hints.push(performance.now()))
  await expect.poll(() => hints.length).toBeGreaterThan(0)
  const replica = await connectClient('ioredis', sentinels.replica.url)
  onTestFinished(() => replica.close())
  await until(async () => {
    const info = String(await replica.command('INFO', 'replication'))
    const primary = await connectClient('ioredis', sentinels.primary.url)
    const other = String(await primary.command('INFO', 'replication'))
    await primary.close()
    const offset = /master_repl_offset:(\d+)/
    return offset.exec(info)?.[1] === offset.exec(other)?.[1]
  }, 'the replica does not catch up')
  await sentinels.primary.kill()
  const codes = new Set<string>()
  const [result] = await persist(
    () => queue.settle('g', [{ receipt: deliveries[1]!.receipt, kind: 'ack' }]),
    codes,
  )
  expect(result).toEqual({ status: 'settled' })
  const { messages } = await persist(() => queue.list({ group: 'g', limit: 10 }), codes)
  expect(messages.map(({ body }) => body)).toEqual(['c'])
  // Whoever listens again looks once more after a second, and then only if it is told.
  const sinceHint = (): number => performance.now() - hints.at(-1)!
  await expect.poll(sinceHint, { timeout: 45_000 }).toBeGreaterThan(2500)
  const sent = performance.now()
  await persist(() => send('d'), codes)
  await expect.poll(() => hints.at(-1)).toBeGreaterThan(sent)
  for (const code of codes) expect(['STORAGE_UNAVAILABLE', 'STORAGE_FAILED']).toContain(code)
})
