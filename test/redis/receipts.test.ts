// A server that lost its last writes, by a restart from an older snapshot or a failover, gives out what it has given out
// already: the same places, to other messages. What was taken before must not settle them.
import { expect, onTestFinished, test } from 'vitest'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import type { Delivery, NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { connectClient } from './support/clients.ts'
import { startRedis } from './support/server.ts'

const CLAIM = { group: 'g', limit: 10, leaseMs: 600_000, maxAttempts: 10 }

interface Scene {
  readonly queue: QueueStorage
  /** Takes the server back to where it was at first. */
  loseWrites(): Promise<void>
}

async function setUp(): Promise<Scene> {
  const server = await startRedis('--dbfilename', 'dump.rdb')
  const { client, command, close } = await connectClient('redis', server.url)
  onTestFinished(async () => {
    await close()
    await server.stop()
  })
  const queue = await new RedisAdapter(client).open('q')
  await queue.claim(CLAIM)
  await command('SAVE')
  return {
    queue,
    async loseWrites() {
      await server.kill()
      await server.start()
      expect((await queue.stats()).messages).toBe(0)
    },
  }
}

const send = (queue: QueueStorage, ...messages: NewMessage[]): Promise<unknown> =>
  queue.append(messages, { batchId: uuid() })

/** Where a delivery may be when it is settled. */
const places: Record<string, (queue: QueueStorage) => Promise<readonly Delivery[]>> = {
  'in the log': async (queue) => (await queue.claim(CLAIM)).deliveries,
  'outside the log': async (queue) => {
    const { deliveries } = await queue.claim(CLAIM)
    const retries = deliveries.map(({ receipt }): Settlement => ({ receipt, kind: 'retry', delayMs: 0 }))
    return (await queue.claim({ ...CLAIM, settle: retries })).deliveries
  },
}

const kinds: readonly ((receipt: string) => Settlement)[] = [
  (receipt) => ({ receipt, kind: 'ack' }),
  (receipt) => ({ receipt, kind: 'retry', delayMs: 0 }),
  (receipt) => ({ receipt, kind: 'dead', reason: 'rejected' }),
  (receipt) => ({ receipt, kind: 'extend', leaseMs: 900_000 }),
]

for (const [where, take] of Object.entries(places)) {
  test(`receipts of messages ${where} do not settle what came in their place`, async () => {
    const { queue, loseWrites } = await setUp()
    await send(queue, { body: 'lost' }, { body: 'lost', key: 'k' }, { body: 'lost', id: 'x' })
    const old = await take(queue)
    expect(old).toHaveLength(3)
    await loseWrites()
    await send(queue, { body: 'new' }, { body: 'new', key: 'k' }, { body: 'new', id: 'x' })
    const now = await take(queue)
    expect(now).toHaveLength(3)
    for (const make of kinds) {
      const results = await queue.settle(
        'g',
        old.map(({ receipt }) => make(receipt)),
      )
      expect(results.map(({ status }) => status)).toEqual(['stale', 'stale', 'stale'])
    }
    expect((await queue.stats()).groups['g']).toMatchObject({ leased: 3, ready: 0, dead: 0 })
    const results = await queue.settle(
      'g',
      now.map(({ receipt }) => ({ receipt, kind: 'ack' })),
    )
    expect(results.map(({ status }) => status)).toEqual(['settled', 'settled', 'settled'])
  })
}

test('receipts of dead letters neither delete nor send again what came in their place', async () => {
  const { queue, loseWrites } = await setUp()
  const letters = async (body: string): Promise<string[]> => {
    await send(queue, { body }, { body, expiresInMs: 1 })
    const [first] = (await queue.claim({ ...CLAIM, limit: 1 })).deliveries
    await queue.settle('g', [{ receipt: first!.receipt, kind: 'dead', reason: 'rejected' }])
    // Until the other has expired, by the server's clock.
    await new Promise((resolve) => setTimeout(resolve, 10))
    await queue.claim(CLAIM)
    const { messages } = await queue.list({ group: 'g', limit: 10, states: ['dead'] })
    return messages.map(({ receipt }) => receipt!)
  }
  const old = await letters('lost')
  expect(old).toHaveLength(2)
  await loseWrites()
  const now = await letters('new')
  expect(now).toHaveLength(2)
  for (const make of [kinds[0]!, kinds[1]!]) {
    const results = await queue.settle('g', old.map(make))
    expect(results.map(({ status }) => status)).toEqual(old.map(() => 'stale'))
  }
  const results = await queue.settle('g', now.map(kinds[0]!))
  expect(results.map(({ status }) => status)).toEqual(now.map(() => 'settled'))
})
