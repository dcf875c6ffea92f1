import { expect } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../../adapters/redis/index.ts'
import { Queue } from '../../../src/index.ts'
import { pause } from './pause.ts'

/** Uses each verb of a queue whose answers have numbers, texts, bytes or nothing in them, and looks at what comes. */
export async function exercise(client: RedisClient, name: string): Promise<void> {
  const storage = new RedisAdapter(client)
  const queue = new Queue<unknown>(name, { storage })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('g', { retry: { maxAttempts: 5 } })
  await consumer.join()
  const results = await producer.sendBatch([
    ...Array.from({ length: 5 }, (_, i) => ({ payload: i })),
    { payload: 'ü', key: 'k', headers: { a: 'b' } },
    { payload: new Uint8Array([0, 255]), id: 'x', maxAttempts: 2 },
    { payload: 'later', delayMs: 60_000 },
  ])
  expect(new Set(results.map(({ id }) => id)).size).toBe(8)
  expect((await producer.send('again', { id: 'x' })).status).toBe('duplicate')
  const messages = await consumer.receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual([0, 1, 2, 3, 4, 'ü', new Uint8Array([0, 255])])
  expect(messages.map(({ id }) => id)).toEqual(results.slice(0, 7).map(({ id }) => id))
  expect(messages[5]).toMatchObject({ key: 'k', headers: { a: 'b' }, attempt: 1, maxAttempts: 5 })
  expect(messages[6]!.maxAttempts).toBe(2)
  expect(Math.abs(messages[0]!.timestamp - Date.now())).toBeLessThan(60_000)
  await messages[0]!.nack({ delayMs: 0, reason: 'busy' })
  await messages[1]!.reject({ reason: 'no' })
  await messages[2]!.extend(60_000)
  await consumer.ackBatch(messages.slice(2))
  const again = await consumer.receive({ waitMs: 5000 })
  expect(again).toMatchObject({ payload: 0, attempt: 2, lastError: 'busy' })
  await again!.ack()
  const listed = await queue.list({ group: 'g' })
  expect(listed.messages).toMatchObject([{ payload: 'later', state: 'delayed', id: results[7]!.id }])
  const dead = await queue.deadLetters('g').list()
  expect(dead.messages).toMatchObject([{ payload: 1, reason: 'rejected', attempt: 1 }])
  expect(await queue.stats()).toMatchObject({
    messages: 1,
    sent: 8,
    groups: { g: { ready: 0, leased: 0, delayed: 1, dead: 1, acked: 6 } },
  })
  expect(await queue.cancel([results[7]!.id, 'unknown'])).toEqual([true, false])
  expect(await queue.release({ lane: 'l' })).toBe(false)
  await queue.hold({ lane: 'l' })
  expect((await queue.stats()).holds).toHaveLength(1)
  expect((await queue.lanes({ group: 'g' })).lanes).toMatchObject([{ lane: 'l' }])
  expect(await queue.release({ lane: 'l' })).toBe(true)
  expect((await queue.lanes({ group: 'g' })).lanes).toEqual([])
  expect(await queue.result('unknown', { group: 'g' })).toBeUndefined()
  expect(await queue.retryNow(['unknown'], { group: 'g' })).toBe(0)
  expect(await queue.resume(['unknown'])).toEqual([false])
  await queue.purge()
  await queue.deleteGroup('g')
  await queue.deleteGroup('g')
  expect((await queue.list({ group: 'g' })).messages).toEqual([])
  expect(await storage.queues()).toContain(name)
  await queue.delete()
  expect(await storage.queues()).not.toContain(name)
  await queue.close()
}

/**
 * Whether a consumer that waits gets what is sent, without looking by itself: it does so a second after the connection is
 * up, and then only after half a minute.
 */
export async function isWoken(
  here: RedisClient,
  name: string,
  settled: () => Promise<unknown> = () => pause(1500),
): Promise<void> {
  const waiting = new Queue<string>(name, { storage: new RedisAdapter(here) })
  const sending = new Queue<string>(name, { storage: new RedisAdapter(here) })
  const received = waiting.createConsumer().receive({ waitMs: 20_000 })
  await settled()
  const sent = performance.now()
  await sending.createProducer().send('now')
  expect((await received)?.payload).toBe('now')
  // Without being woken it looks after 30 s. It takes some ms, but the first listening of a Sentinel client on a busy machine.
  expect(performance.now() - sent).toBeLessThan(10_000)
  await sending.delete()
  await Promise.all([waiting.close(), sending.close()])
}
