// An outbox on Redis that several processes share.
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { createClient } from 'redis'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { serve } from '../outbox/server.ts'
import { onRedis } from './support/on-redis.ts'

const redis = onRedis({ fresh: false })

afterEach(() => void vi.unstubAllGlobals())

test('whoever listens is told what others have sent, with its status, and once', async () => {
  // As between processes.
  vi.stubGlobal('BroadcastChannel', undefined)
  const { origin } = await serve((response, { body }) =>
    response.writeHead(body.toString() === 'yes' ? 201 : 422).end('so'),
  )
  const name = crypto.randomUUID()
  const open = async (): Promise<Outbox> => {
    const client = createClient({ url: redis.url })
    await client.connect()
    const storage = new RedisAdapter(client)
    const queue = new Queue<OutboxPayload>(name, { storage })
    onTestFinished(async () => {
      await queue.close()
      client.destroy()
    })
    return new Outbox(queue)
  }
  const [one, two] = [await open(), await open()]
  const told: string[] = []
  const unwatch = two.watch(({ type, id, status }) => {
    if (id !== undefined) told.push(`${type} ${id} ${status}`)
  })
  await two.list()
  const expected: string[] = []
  for (let i = 0; i < 20; i++) {
    const body = i % 5 ? 'yes' : 'no'
    await one.fetch(origin, { method: 'POST', body, id: `${i}` })
    expected.push(i % 5 ? `accepted ${i} 201` : `parked ${i} 422`)
  }
  await expect.poll(() => told.length).toBeGreaterThanOrEqual(expected.length)
  expect(told).toHaveLength(expected.length)
  expect(told).toEqual(expect.arrayContaining(expected))
  unwatch()
})
