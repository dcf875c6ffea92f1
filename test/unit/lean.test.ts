import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import * as full from '../../src/core/index.ts'
import {
  Queue,
  type QueueOptions,
  cancel,
  deadLetters,
  drain,
  list,
  messages,
  result,
  retryNow,
  run,
  stats,
} from '../../src/core/lean/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode, thrownBy } from '../support/set-up.ts'

function open(options?: Partial<QueueOptions<string>>): {
  readonly clock: ManualClock
  readonly storage: MemoryAdapter
  readonly queue: Queue<string>
} {
  const clock = new ManualClock()
  const storage = new MemoryAdapter({ clock })
  return { clock, storage, queue: new Queue('notes', { storage, clock, random: () => 0.5, ...options }) }
}

test('sends, receives, settles and closes', async () => {
  const { queue } = open()
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('readers', { retry: { maxAttempts: 2 } })
  await producer.send('a', { id: '1' })
  expect((await producer.send('again', { id: '1' })).status).toBe('duplicate')
  await producer.sendBatch([{ payload: 'b' }, { payload: 'c' }, { payload: 'd', key: 'k' }])
  const [a, b, c, d] = await consumer.receiveBatch(10)
  expect([a, b, c, d].map((message) => message?.payload)).toEqual(['a', 'b', 'c', 'd'])
  await a!.ack()
  await consumer.nack(b!, { delayMs: 0 })
  await c!.reject({ reason: 'no good' })
  await consumer.ack(await d!.extend(60_000))
  expect(await thrownBy(() => a!.ack())).toMatchObject({ code: 'STALE_RECEIPT', stale: ['1'] })
  const again = await consumer.receive()
  expect(again).toMatchObject({ payload: 'b', attempt: 2 })
  await again!.nack()
  const { groups } = await stats(queue)
  expect(groups['readers']).toMatchObject({ ready: 0, leased: 0, dead: 2 })
  await queue.close()
  expect(await thrownBy(() => producer.send('e'))).toMatchObject({ code: 'CLOSED' })
})

test('who waits gets what is sent', async () => {
  const { queue } = open()
  const waiting = queue.createConsumer().receive({ waitMs: Infinity })
  await queue.createProducer().send('a')
  expect((await waiting)?.payload).toBe('a')
  await queue.close()
})

test('works with functions on what it has', async () => {
  const { queue, clock } = open()
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  for (const id of ['a', 'b', 'c', 'd']) await producer.send(id, { id, keepMs: 60_000 })
  expect(await cancel(queue, ['b', 'x'])).toEqual([true, false])
  expect((await list(queue, { limit: 2 })).messages.map(({ payload }) => payload)).toEqual(['a', 'c'])
  const failed: string[] = []
  const report = await drain(consumer, ({ payload }) => {
    if (payload === 'c') throw new Error('not now')
    return payload.toUpperCase()
  })
  expect(report).toEqual({ acked: 2, retried: 1, dead: 0, parked: 0, returned: 0 })
  expect(await result(queue, 'a')).toMatchObject({ status: 'done', value: 'A' })
  expect(await retryNow(queue)).toBe(1)
  const stop = new AbortController()
  await run(
    consumer,
    async (message) => {
      failed.push(message.lastError!)
      await message.reject({ reason: 'never' })
      stop.abort()
    },
    { signal: stop.signal },
  )
  expect(failed).toEqual(['not now'])
  const dead = await deadLetters(queue).list()
  expect(dead.messages).toMatchObject([{ id: 'c', reason: 'rejected', lastError: 'never' }])
  expect(await deadLetters(queue).redrive()).toBe(1)
  for await (const message of messages(consumer)) {
    await message.ack()
    expect(message.id).toBe('c')
    break
  }
  await clock.advance(60_000)
  expect(await result(queue, 'a')).toBeUndefined()
  await queue.close()
})

test('it is the queue of quayside, without what that adds', async () => {
  const { queue, storage, clock } = open()
  const whole = new full.Queue<string>('notes', { storage, clock })
  expect(whole).toBeInstanceOf(Queue)
  expect(whole.createConsumer()).toBeInstanceOf(Object.getPrototypeOf(full.Consumer) as typeof full.Consumer)
  queue.createConsumer('both')
  await whole.createProducer().send('a')
  await queue.createProducer().send('b')
  expect((await whole.createConsumer('both').receive())?.payload).toBe('a')
  expect((await queue.createConsumer('both').receive())?.payload).toBe('b')
  expect(await drain(whole.createConsumer('late'), () => undefined)).toMatchObject({ acked: 2 })
  await whole.close()
  await queue.close()
})

test('checks as that does, and knows no options of what it has not', async () => {
  const { queue } = open()
  await expectCode(() => new Queue('', { storage: new MemoryAdapter() }), 'INVALID_ARGUMENT')
  await expectCode(() => new Queue('notes', {} as never), 'INVALID_ARGUMENT')
  await expectCode(() => queue.createConsumer('a', { leaseMs: 0 }), 'INVALID_ARGUMENT')
  expect(() => queue.createConsumer('a', { lanes: { concurrency: 1 } } as never)).toThrow(
    'options are leaseMs, retry, from, deadForMs',
  )
  expect(await thrownBy(() => queue.createProducer().send((() => 1) as never))).toMatchObject({
    code: 'UNSERIALIZABLE',
  })
  expect(await thrownBy(() => drain(queue.createConsumer(), 1 as never))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect(await thrownBy(() => list(queue, { state: 'odd' as never }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await queue.close()
})

test('codecs, schemas, groups and who observes are those of quayside', async () => {
  const seen: string[] = []
  const { queue } = open({
    codec: {
      encode: async (text) => new TextEncoder().encode(text),
      decode: async (body) => new TextDecoder().decode(body as Uint8Array<ArrayBuffer>),
    },
    groups: ['late'],
    instrumentation: async (operation, next) => {
      seen.push(operation.name)
      return await next()
    },
  })
  await queue.createProducer().send('ä')
  const message = await queue.createConsumer('late').receive({ waitMs: 1000 })
  expect(message?.payload).toBe('ä')
  await message!.ack()
  expect(seen).toEqual(['send', 'receive', 'ack'])
  await queue.close()
})
