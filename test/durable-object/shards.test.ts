import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchIdOf, shardOfId, shardOfKey, unmark } from '../../adapters/durable-object/shards.ts'
import { uuid } from '../../src/message-id.ts'
import { makeId } from '../../src/segments/ids.ts'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/shards.ts', { QUEUE: 'Shard' })
})
afterAll(() => worker.close())

const all = (count: number, value: unknown): unknown[] => Array.from({ length: count }, () => value)

describe.each([1, 3, 16])('with %i shards', (shards) => {
  test('each key is worked on in order, and every message once', async () => {
    const { seen, done, failed, stats } = await worker.call<{
      seen: Record<string, number[]>
      done: object
      failed: number
      stats: object
    }>(`keys/${shards}`)
    expect(Object.keys(seen)).toHaveLength(30)
    for (const order of Object.values(seen)) expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(done).toEqual({ acked: 600, retried: failed, dead: 0, parked: 0, returned: 0 })
    expect(stats).toMatchObject({
      messages: 0,
      bytes: 0,
      sent: 600,
      groups: { default: { acked: 600, failed } },
    })
  })

  test('ids are unique, and each is found again', async () => {
    const result = await worker.call(`ids/${shards}`)
    expect(result).toEqual({
      different: 100,
      first: all(60, 'stored'),
      second: all(60, 'duplicate'),
      again: all(30, 'duplicate'),
      listed: 100,
      cancelled: [...all(100, true), false],
      messages: 0,
    })
  })

  test('retries and dead letters of all shards are found and redriven', async () => {
    expect(await worker.call(`letters/${shards}`)).toMatchObject({
      held: 12,
      retried: 6,
      again: 6,
      dead: 6,
      redriven: 6,
      stats: { messages: 0, groups: { default: { acked: 12, dead: 0 } } },
    })
  })

  test('every group gets every message, whichever shard it lies in', async () => {
    expect(await worker.call(`groups/${shards}`)).toEqual({ a: 9, b: 9 })
  })

  test('a message has an id or a key, not both, unless there is one shard', async () => {
    const refused = shards > 1
    expect(await worker.call(`both/${shards}`)).toMatchObject({
      errors: [refused ? 'UNSUPPORTED' : null, null, null],
      sent: refused ? 2 : 2,
    })
  })
})

test('queues and shards never share an object, whatever their names', async () => {
  const seen = await worker.call<number[][]>('names/1')
  expect(seen.length).toBeGreaterThan(20)
  expect(seen).toEqual(seen.map((_, i) => [i, i, i]))
})

test('an id that a shard made leads back to it', () => {
  for (let shard = 0; shard < 256; shard++) {
    const id = makeId(batchIdOf(shard, uuid()).slice(0, 28), 12_345, false)
    expect(shardOfId(id, 256)).toBe(shard)
  }
})

test('keys and ids spread evenly, and stay where they are', () => {
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 4000; i++) counts[shardOfKey(`customer-${i}`, 4)]!++
  expect(Math.min(...counts)).toBeGreaterThan(850)
  expect([shardOfKey('a', 16), shardOfKey('é😀', 16), shardOfId('order-1', 16)]).toEqual([4, 7, 15])
})

test('what no shard gave is not taken for its own', () => {
  for (const token of ['', ':', '0', ' 0:x', '00:x', '3:x', '-1:x', '1.0:x', '0x1:y']) {
    expect(unmark(token, 3), token).toBeUndefined()
  }
  expect(unmark('2:a:b\n', 3)).toEqual([2, 'a:b\n'])
})
