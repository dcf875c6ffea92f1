import { describe, expect, test } from 'vitest'
import { uuid } from '../../src/message-id.ts'
import type { Delivery, QueueStorage, Settlement } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'
import { CLAIM, EMPTY, ack, onRedis, send, takeAll } from './support/on-redis.ts'

const redis = onRedis()
const retry = ({ receipt }: Delivery): Settlement => ({ receipt, kind: 'retry', delayMs: 1e6 })

async function memory(): Promise<number> {
  let bytes = 0
  for (const key of await redis.keys())
    bytes += Number(await redis.command('MEMORY', 'USAGE', key, 'SAMPLES', '0'))
  return bytes
}

/** Commands that the scripts of a verb gave, per script: the same on any machine. */
async function work(run: () => Promise<unknown>): Promise<number> {
  await redis.command('CONFIG', 'RESETSTAT')
  await run()
  const stats = String(await redis.command('INFO', 'commandstats'))
  let all = 0
  for (const [, name, calls] of stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm))
    if (!/^(evalsha|config|info)/.test(name!)) all += Number(calls)
  return all / Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)![1])
}

describe('nothing is left of what is done', () => {
  test('of messages that would expire, in the log or after a retry', async () => {
    const queue = await redis.open()
    await send(queue, 500, (i) => ({ body: 'x', expiresInMs: 1e8, key: i % 2 === 0 ? 'k' : undefined }))
    const { deliveries } = await queue.claim(CLAIM)
    await queue.settle('g', deliveries.slice(0, 100).map(retry))
    await queue.settle('g', deliveries.slice(100).map(ack))
    redis.now += 1e6
    await takeAll(queue, ack)
    expect(await redis.keys()).toEqual(EMPTY)
  })

  test('of groups that are deleted, but ids for as long as they were promised', async () => {
    const queue = await redis.open()
    for (const group of ['g', 'slow']) await queue.claim({ ...CLAIM, group, limit: 0 })
    await send(queue, 3000, (i) => ({ body: 'x', id: `${i}`, dedupeMs: i % 2 === 0 ? 1000 : undefined }))
    await takeAll(queue, ack)
    const { deliveries } = await queue.claim({ ...CLAIM, group: 'slow' })
    await queue.settle('slow', deliveries.map(retry))
    await queue.deleteGroup('slow')
    expect(await redis.keys()).toEqual([...EMPTY.slice(0, 1), '{p:q}:past', ...EMPTY.slice(1)])
    expect(await redis.command('ZCARD', '{p:q}:past')).toBe(1500)
    redis.now += 1000
    await takeAll(queue, ack)
    await takeAll(queue, ack)
    expect(await redis.keys()).toEqual(EMPTY)
  })

  test.each(['acks', 'purge', 'deleteGroup'])('of ids with two messages under way each: %s', async (end) => {
    const queue = await redis.open()
    const settlements: Settlement[] = []
    for (let round = 1; round <= 2; round++) {
      await send(queue, 700, (i) => ({ body: 'x', id: `${i}`, dedupeMs: 1000 * round, replace: true }))
      while (settlements.length < 700 * round)
        settlements.push(...(await queue.claim({ ...CLAIM, leaseMs: 1e6 })).deliveries.map(ack))
    }
    expect(await redis.command('HLEN', '{p:q}:olds')).toBe(700)
    if (end === 'purge') await queue.purge()
    else if (end === 'deleteGroup') await queue.deleteGroup('g')
    else await queue.settle('g', settlements)
    redis.now += 1999
    const [again] = await queue.append([{ body: 'x', id: '0' }], { batchId: uuid() })
    expect(again!.status).toBe('duplicate')
    redis.now += 1
    await takeAll(queue, ack)
    await takeAll(queue, ack)
    expect(await redis.keys()).toEqual(end === 'acks' ? EMPTY : EMPTY.slice(1))
  })

  test('of a queue that is deleted', async () => {
    const queue = await redis.open()
    await send(queue, 100, (i) => ({ body: 'x', id: `${i}`, key: `${i % 5}`, delayMs: i % 3, dedupeMs: 1e6 }))
    await takeAll(queue, retry)
    await queue.claim({ ...CLAIM, group: 'late' })
    await queue.delete()
    expect(await redis.keys()).toEqual([])
  })

  test('of messages that were all cancelled', async () => {
    const queue = await redis.open()
    await queue.claim(CLAIM)
    await send(queue, 500, (i) => ({ body: 'x', id: `${i}` }))
    const ids = Array.from({ length: 500 }, (_, i) => `${i}`)
    await queue.cancel(ids.slice(0, 256))
    await queue.cancel(ids.slice(256))
    expect(await redis.keys()).toEqual(EMPTY)
    expect(await redis.command('XLEN', '{p:q}:log')).toBe(0)
  })

  test('one message in flight holds nothing back, neither many small nor some large ones', async () => {
    const queue = await redis.open()
    await send(queue, 1, () => ({ body: 'slow' }))
    const [slow] = (await queue.claim(CLAIM)).deliveries
    for (const [count, size] of [
      [10_000, 100],
      [100, 100_000],
    ] as const) {
      await send(queue, count, () => ({ body: 'x'.repeat(size) }))
      await takeAll(queue, ack)
      expect(await memory()).toBeLessThan(150_000)
    }
    expect(await queue.settle('g', [ack(slow!)])).toEqual([{ status: 'settled' }])
    expect(await redis.keys()).toEqual(EMPTY)
  })
})

describe('no step grows with what there is', () => {
  /** Fills a queue, and tells what verbs cost then. */
  async function costs(
    count: number,
    fill: (queue: QueueStorage, count: number) => Promise<unknown>,
  ): Promise<Record<string, number>> {
    await redis.command('FLUSHALL')
    const queue = await redis.open()
    for (const group of ['g', 'h']) await queue.claim({ ...CLAIM, group, limit: 0 })
    await fill(queue, count)
    const batchId = uuid()
    return {
      append: await work(() => queue.append([{ body: 'x' }], { batchId })),
      limit: await work(() =>
        expectCode(queue.append([{ body: 'x' }], { batchId: uuid(), maxMessages: 1 }), 'QUOTA_EXCEEDED'),
      ),
      stats: await work(() => queue.stats()),
      list: await work(() => queue.list({ group: 'g', limit: 1000, states: ['leased', 'dead'] })),
      claim: await work(() => queue.claim({ ...CLAIM, limit: 10 })),
      parked: await work(() => queue.list({ group: 'g', limit: 1000, states: ['parked', 'done'] })),
      resume: await work(() => queue.resume(['1', '2', 'unknown'])),
      results: await work(() => queue.results('g', ['1', '2', 'unknown'])),
      late: await work(() => queue.claim({ ...CLAIM, group: 'late', from: 'latest' })),
      early: await work(() => queue.claim({ ...CLAIM, group: 'early' })),
      other: await work(() => queue.claim({ ...CLAIM, group: 'h' })),
      deleteGroup: await work(() => queue.deleteGroup('h')),
      purge: await work(() => queue.purge()),
      delete: await work(() => queue.delete()),
    }
  }

  test.each<[string, (queue: QueueStorage, count: number) => Promise<unknown>]>([
    [
      'overdue',
      async (queue, count) => {
        await send(queue, count, (i) => ({ body: 'x', delayMs: 1 + (i % 100) }))
        redis.now += 1000
      },
    ],
    [
      'waiting for a retry',
      async (queue, count) => {
        await send(queue, count, () => ({ body: 'x' }))
        await takeAll(queue, retry)
      },
    ],
    [
      'expired',
      async (queue, count) => {
        await send(queue, count, (i) => ({ body: 'x', expiresInMs: 1 + (i % 100) }))
        redis.now += 1000
      },
    ],
    [
      'in flight, each of a key',
      async (queue, count) => {
        await send(queue, count, (i) => ({ body: 'x', key: `${i}` }))
        for (let got = 0; got < count;) got += (await queue.claim(CLAIM)).deliveries.length
      },
    ],
    [
      'parked',
      async (queue, count) => {
        await send(queue, count, (i) => ({
          body: 'x',
          id: `${i}`,
          expiresInMs: i % 2 === 0 ? 100 : undefined,
        }))
        await takeAll(queue, ({ receipt }) => ({ receipt, kind: 'park', reason: 'why' }))
        redis.now += 1000
      },
    ],
    [
      'kept',
      async (queue, count) => {
        await send(queue, count, (i) => ({ body: 'x', id: i % 2 === 0 ? `${i}` : undefined, keepMs: 1e6 }))
        await takeAll(queue, ({ receipt }) => ({ receipt, kind: 'ack', value: 'x' }))
      },
    ],
    [
      'kept, and over',
      async (queue, count) => {
        await send(queue, count, (i) => ({ body: 'x', id: i % 2 === 0 ? `${i}` : undefined, keepMs: 1e3 }))
        await takeAll(queue, ({ receipt }) => ({ receipt, kind: 'ack', value: 'x' }))
        redis.now += 1e6
      },
    ],
    [
      'waiting with ids',
      (queue, count) => send(queue, count, (i) => ({ body: 'x', id: `${i}`, dedupeMs: 9 })),
    ],
  ])('%s', async (_, fill) => {
    const few = await costs(12_000, fill)
    const many = await costs(24_000, fill)
    for (const [verb, cost] of Object.entries(many)) expect(cost, verb).toBeLessThan(1.3 * few[verb]! + 200)
  })
})
