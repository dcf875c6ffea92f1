import { describe, expect, test } from 'vitest'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import { IndexedDBAdapter } from '../../adapters/indexeddb/index.ts'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { parse } from '../../cli/dump.ts'
import { readDuration } from '../../cli/durations.ts'
import { Queue } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { expectCode, expectEmpty, isPending, setUp, type SetUp } from '../support/set-up.ts'

const any = (value: unknown): never => value as never

/** Every way in for a duration that is stored, or decides what is. */
const WAYS: readonly [string, (made: SetUp<unknown>, ms: number) => unknown][] = [
  ['delayMs', ({ producer }, delayMs) => producer.send('x', { delayMs })],
  ['delayMs of a batch', ({ producer }, delayMs) => producer.sendBatch([{ payload: 'x', delayMs }])],
  ['expiresInMs', ({ producer }, expiresInMs) => producer.send('x', { expiresInMs })],
  ['dedupeMs', ({ producer }, dedupeMs) => producer.send('x', { id: 'a', dedupeMs })],
  ['leaseMs', ({ queue }, leaseMs) => queue.createConsumer('g', { leaseMs })],
  ['retry.initialMs', ({ queue }, initialMs) => queue.createConsumer('g', { retry: { initialMs } })],
  ['retry.maxMs', ({ queue }, maxMs) => queue.createConsumer('g', { retry: { maxMs } })],
  ['leaseMs of an outbox', ({ queue }, leaseMs) => new Outbox(any(queue), { leaseMs })],
  ['retry of an outbox', ({ queue }, maxMs) => new Outbox(any(queue), { retry: { maxMs } })],
]

/** Every wait. */
const WAITS: readonly [string, (made: SetUp<unknown>, ms: number) => unknown][] = [
  ['waitMs', ({ consumer }, waitMs) => consumer.receive({ waitMs })],
  ['waitMs of a batch', ({ consumer }, waitMs) => consumer.receiveBatch(2, { waitMs })],
  ['timeoutMs of an outbox', ({ queue }, ms) => new Outbox(any(queue), { timeoutMs: ms })],
  ['answerWithinMs', ({ queue }, ms) => new Outbox(any(queue), { answerWithinMs: ms })],
]

const TOO_LONG = [MAX_DURATION_MS + 1, Date.now() * 1000, Number.MAX_VALUE]

describe('longer than 100 years is refused, before anything is stored', () => {
  test.each([...WAYS, ...WAITS])('%s', async (_, pass) => {
    const made = setUp()
    for (const ms of TOO_LONG)
      await expectCode(
        async () => pass(made, ms),
        'INVALID_ARGUMENT',
        `${MAX_DURATION_MS}`,
        'Date.now()',
        `${ms}`,
      )
    await expectEmpty(made.queue)
  })

  test.each(WAYS)('for ever is none: %s', async (_, pass) => {
    const made = setUp()
    for (const ms of [Infinity, Number.MAX_SAFE_INTEGER])
      await expectCode(async () => pass(made, ms), 'INVALID_ARGUMENT')
    await expectEmpty(made.queue)
  })

  test('nack and extend', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.send('x')
    const message = (await consumer.receive())!
    for (const ms of TOO_LONG) {
      await expectCode(message.nack({ delayMs: ms }), 'INVALID_ARGUMENT', 'delayMs')
      await expectCode(message.extend(ms), 'INVALID_ARGUMENT', 'leaseMs')
    }
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 1 })
    await message.ack()
  })

  test.each(['retentionMs', 'coalesceMs', 'delayStepMs'])('%s of Workers KV', async (name) => {
    const binding = any({ get() {}, put() {}, delete() {}, list() {} })
    for (const ms of TOO_LONG)
      await expectCode(
        () => new CloudflareKVAdapter(binding, { [name]: ms }),
        'INVALID_ARGUMENT',
        name,
        `${ms}`,
      )
  })

  test('timeoutMs of IndexedDB', async () => {
    for (const timeoutMs of TOO_LONG)
      await expectCode(() => new IndexedDBAdapter({ timeoutMs }), 'INVALID_ARGUMENT', 'timeoutMs')
    for (const timeoutMs of [Infinity, MAX_DURATION_MS]) await new IndexedDBAdapter({ timeoutMs }).close()
  })

  test('on the command line', () => {
    expect(readDuration('delay', '36525d')).toBe(MAX_DURATION_MS)
    expect(() => readDuration('delay', '36526d')).toThrow('--delay takes a duration up to 36525d')
    expect(() => readDuration('delay', `${'9'.repeat(400)}d`)).toThrow('--delay')
    const line = (nextInMs: unknown): string =>
      JSON.stringify({
        id: 'a',
        timestamp: 1,
        payload: 1,
        groups: { g: { state: 'delayed', attempt: 0, nextInMs } },
      })
    expect(parse(line(MAX_DURATION_MS))).toBeDefined()
    expect(parse(line(MAX_DURATION_MS + 1))).toBeUndefined()
  })
})

describe('100 years are fine', () => {
  test.each(WAYS)('%s', async (_, pass) => {
    const made = setUp()
    await pass(made, MAX_DURATION_MS)
    await made.queue.stats()
    await made.producer.send('now')
    const { messages } = await made.queue.list({ limit: 10 })
    expect(messages.map(({ payload }) => payload)).toContain('now')
    expect((await made.queue.createConsumer('fresh').receive())?.payload).toBeDefined()
  })

  test('a lease can be looked at, extended and cancelled', async () => {
    const { queue, producer } = setUp()
    await producer.send('x', { id: 'a' })
    const message = await queue.createConsumer('g', { leaseMs: MAX_DURATION_MS }).receive()
    await message!.extend(MAX_DURATION_MS)
    expect((await queue.list({ group: 'g' })).messages).toMatchObject([{ state: 'leased' }])
    expect(await queue.cancel(['a'])).toEqual([true])
    await expect(message!.ack()).rejects.toMatchObject({ code: 'STALE_RECEIPT' })
  })
})

test.each([Infinity, Number.MAX_SAFE_INTEGER, MAX_DURATION_MS])(
  'waiting %d ms is waiting',
  async (waitMs) => {
    const { clock, producer, consumer } = setUp()
    const waiting = consumer.receive({ waitMs })
    await clock.advance(60_000)
    // Not step by step: it looks again every 30 s.
    clock.jump(2 ** 31)
    await clock.advance(60_000)
    expect(await isPending(waiting)).toBe(true)
    await producer.send('x')
    expect((await waiting)?.payload).toBe('x')
  },
)

test('fractions of a millisecond are fine, in memory and on disk', async () => {
  const storage = new NodeFsAdapter(temporaryDirectory())
  const { queue, producer, clock } = setUp()
  const disk = new Queue('orders', { storage, clock })
  for (const one of [queue, disk]) {
    await one.createProducer().send('x', { id: 'a', delayMs: 0.1, expiresInMs: 1e9 + 0.7, dedupeMs: 0.3 })
    const consumer = one.createConsumer('g', { leaseMs: 1e6 + 0.5, retry: { initialMs: 0.5, maxMs: 1.5 } })
    if (one === queue) await clock.advance(1)
    const message = await consumer.receive({ waitMs: one === disk ? Infinity : 0.5 })
    expect(message?.payload).toBe('x')
    await message!.extend(1e6 + 0.25)
    expect((await one.list({ group: 'g' })).messages).toMatchObject([{ state: 'leased' }])
    await message!.nack({ delayMs: 1e6 + 0.75 })
    expect((await one.list({ group: 'g' })).messages).toMatchObject([{ state: 'delayed' }])
  }
  await disk.close()
  const again = new Queue('orders', { storage, clock })
  expect((await again.list({ group: 'g' })).messages).toMatchObject([{ payload: 'x', state: 'delayed' }])
  await again.close()
  await storage.close()
  await producer.send('y')
})
