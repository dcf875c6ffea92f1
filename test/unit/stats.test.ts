import { describe, expect, onTestFinished, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { setUp } from '../support/set-up.ts'

describe('stats', () => {
  test('of a queue that was never used', async () => {
    const clock = new ManualClock()
    const queue = new Queue('unused', { clock })
    onTestFinished(() => queue.close())
    expect(await queue.stats()).toEqual({
      holds: [],
      groups: {},
      messages: 0,
      bytes: 0,
      oldestMs: undefined,
      sent: 0,
      throughput: { sent: 0, delivered: 0, acked: 0, failed: 0 },
      latency: { delivery: undefined, handler: undefined },
    })
  })

  test('count every state of every group', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    await queue.createConsumer('audit').receive()
    await producer.sendBatch([
      { payload: 'acked' },
      { payload: 'dead' },
      { payload: 'retried' },
      { payload: 'leased', key: 'k' },
      { payload: 'blocked', key: 'k' },
      { payload: 'ready' },
    ])
    await producer.send('delayed', { delayMs: 60_000 })
    const [acked, dead, retried] = await consumer.receiveBatch(5)
    await acked!.ack()
    await dead!.reject()
    await retried!.nack({ delayMs: 50_000 })
    await clock.advance(1000)
    const stats = await queue.stats()
    expect(stats.groups['default']).toEqual({
      ready: 0,
      leased: 2,
      delayed: 2,
      blocked: 1,
      parked: 0,
      dead: 1,
      oldestMs: 1000,
      acked: 1,
      failed: 2,
    })
    expect(stats.groups['audit']).toEqual({
      ready: 6,
      leased: 0,
      delayed: 1,
      blocked: 0,
      parked: 0,
      dead: 0,
      oldestMs: 1000,
      acked: 0,
      failed: 0,
    })
    expect(stats).toMatchObject({ messages: 7, sent: 7, oldestMs: 1000 })
    expect(stats.bytes).toBeGreaterThan(30)
  })

  test('without groups count what waits for the first', async () => {
    const { clock, queue, producer } = setUp()
    await producer.send('x')
    await clock.advance(500)
    await producer.send('y', { delayMs: 1000 })
    expect(await queue.stats()).toMatchObject({ groups: {}, messages: 2, sent: 2, oldestMs: 500 })
  })

  test('do not count what has expired', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await consumer.receive()
    await producer.send('x', { expiresInMs: 1000 })
    await producer.send('y', { expiresInMs: 1000, delayMs: 500 })
    await clock.advance(1000)
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 0, delayed: 0, blocked: 0 })
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 0, dead: 2 })
  })

  test('count a lease that has ended as ready again', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.send('x')
    await consumer.receive()
    await clock.advance(30_000)
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 1, leased: 0 })
  })

  test('do not count duplicates as sent', async () => {
    const { queue, producer } = setUp()
    await producer.send('x', { id: 'a' })
    await producer.send('y', { id: 'a' })
    await producer.send('z', { id: 'a', replace: true })
    expect(await queue.stats()).toMatchObject({ sent: 1, messages: 1 })
  })

  test('change nothing', async () => {
    const { storage, clock } = setUp()
    const queue = new Queue<string>('plain', { storage, clock })
    await queue.createProducer().send('x', { expiresInMs: 10 })
    await queue.createProducer().send('y', { delayMs: 10 })
    await clock.advance(10)
    const before = storage.calls.length
    for (let i = 0; i < 5; i++) await Promise.all([queue.stats(), queue.list(), queue.list({ group: 'new' })])
    expect(new Set(storage.calls.slice(before).map(({ verb }) => verb))).toEqual(new Set(['stats', 'list']))
    expect((await queue.stats()).groups).toEqual({})
    expect((await queue.createConsumer().receive())?.payload).toBe('y')
    await queue.close()
  })

  test('names of groups that objects have by themselves are groups like others', async () => {
    const queue = new Queue<string>('orders')
    await queue.createProducer().send('x')
    for (const name of ['__proto__', 'constructor', 'toString']) await queue.createConsumer(name).receive()
    const { groups } = await queue.stats()
    expect(Object.keys(groups).toSorted((a, b) => a.localeCompare(b))).toEqual([
      '__proto__',
      'constructor',
      'toString',
    ])
    expect(Object.getOwnPropertyDescriptor(groups, '__proto__')?.value).toMatchObject({ leased: 1 })
  })
})

describe('throughput', () => {
  test('is what went through this object, in messages a second', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await queue.stats()
    await producer.sendBatch(Array.from({ length: 30 }, (_, payload) => ({ payload })))
    const messages = await consumer.receiveBatch(20)
    await consumer.ackBatch(messages.slice(0, 10))
    await consumer.nackBatch(messages.slice(10, 15), { delayMs: 0 })
    await messages[15]!.reject()
    await messages[16]!.extend(1000)
    await clock.advance(10_000)
    expect((await queue.stats()).throughput).toEqual({ sent: 3, delivered: 2, acked: 1, failed: 0.6 })
  })

  test('does not count what was refused or stale', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    await producer.send('x')
    const message = await consumer.receive()
    await message!.ack()
    await message!.ack().catch(() => undefined)
    storage.fail(new Error('disk on fire'), 'append', 'settle')
    await producer.send('y').catch(() => undefined)
    await producer.send('y', { delayMs: -1 }).catch(() => undefined)
    storage.work()
    await clock.advance(1000)
    expect((await queue.stats()).throughput).toEqual({ sent: 1, delivered: 1, acked: 1, failed: 0 })
  })

  test('is of the last minute for those who ask now and then', async () => {
    const { clock, queue, producer } = setUp()
    await producer.sendBatch(Array.from({ length: 600 }, (_, payload) => ({ payload })))
    await clock.advance(30_000)
    expect((await queue.stats()).throughput.sent).toBe(20)
    for (let i = 0; i < 12; i++) {
      await clock.advance(10_000)
      await queue.stats()
    }
    expect((await queue.stats()).throughput.sent).toBe(0)
    await producer.sendBatch(Array.from({ length: 60 }, (_, payload) => ({ payload })))
    await clock.advance(10_000)
    expect((await queue.stats()).throughput.sent).toBeCloseTo(1, 0)
  })

  test('is of the last minute for those who never asked before', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.sendBatch(Array.from({ length: 600 }, (_, payload) => ({ payload })))
    const messages = await consumer.receiveBatch(55)
    await clock.advance(3_600_000)
    await producer.sendBatch(Array.from({ length: 110 }, (_, payload) => ({ payload })))
    // Long after they were received.
    await consumer.ackBatch(messages)
    await clock.advance(5000)
    // 50 s in whole slots, and the 5 s of this one.
    expect((await queue.stats()).throughput).toEqual({ sent: 2, delivered: 0, acked: 1, failed: 0 })
  })

  test('survives a clock that jumps', async () => {
    const { clock, queue, producer } = setUp()
    await queue.stats()
    clock.jump(-3_600_000)
    await producer.send('x')
    await queue.stats()
    for (let i = 0; i < 10; i++) {
      await producer.send('x')
      await clock.advance(1000)
      expect((await queue.stats()).throughput.sent).toBeLessThanOrEqual(2)
    }
    clock.jump(3_600_000)
    expect((await queue.stats()).throughput.sent).toBeLessThanOrEqual(2)
  })

  test('runs and drains count too', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    await consumer.drain(({ payload }) => {
      if (payload === 2) throw new Error('no')
    })
    await clock.advance(1000)
    expect((await queue.stats()).throughput).toEqual({ sent: 2, delivered: 2, acked: 1, failed: 1 })
  })
})

describe('latency', () => {
  test('is measured from the time a message was sent to its first delivery, and around handlers', async () => {
    const { clock, queue, producer, consumer } = setUp<number>({ random: () => 0 })
    await producer.send(0)
    await producer.send(0, { delayMs: 2000 })
    await clock.advance(1000)
    const drain = async (): Promise<void> => {
      const drained = consumer.drain(async ({ attempt }) => {
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 200))
        if (attempt === 1) throw new Error('no')
      })
      await clock.advance(200)
      await clock.advance(200)
      await drained
    }
    await drain()
    const first = (await queue.stats()).latency
    expect(first.delivery).toMatchObject({ count: 1 })
    expectAbout(first.delivery?.p50, 1000)
    // The first attempt and the second.
    expect(first.handler).toMatchObject({ count: 2 })
    expectAbout(first.handler?.p99, 200)
    await clock.advance(1000)
    await drain()
    const { delivery, handler } = (await queue.stats()).latency
    expect(delivery?.count).toBe(2)
    expectAbout(delivery?.p99, 2400)
    expect(handler?.count).toBe(4)
  })

  test('of what was given back or whose lease ended does not count as that of a first delivery', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const [returned] = await consumer.receiveBatch(2)
    await returned!.nack({ counts: false, reason: 'offline', delayMs: 0 })
    await clock.advance(40_000)
    expect(await consumer.receiveBatch(3)).toHaveLength(2)
    expect((await queue.stats()).latency.delivery).toEqual({ count: 2, p50: 0, p95: 0, p99: 0 })
  })

  test('percentiles are within 5 %', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    // One a ms, all received at once: ages of 1 to 10,000 ms.
    for (let i = 0; i < 10_000; i++) {
      await producer.send(i)
      clock.jump(1)
    }
    await consumer.receiveBatch(10_000)
    const { delivery } = (await queue.stats()).latency
    expect(delivery?.count).toBe(10_000)
    expectAbout(delivery?.p50, 5000)
    expectAbout(delivery?.p95, 9500)
    expectAbout(delivery?.p99, 9900)
  })

  test('is of the last minute, and no less than 0', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.send(1)
    clock.jump(-1000)
    await consumer.receive()
    expect((await queue.stats()).latency.delivery).toEqual({ count: 1, p50: 0, p95: 0, p99: 0 })
    await clock.advance(49_000)
    expect((await queue.stats()).latency.delivery?.count).toBe(1)
    await clock.advance(11_000)
    expect((await queue.stats()).latency.delivery).toBeUndefined()
  })

  test('of months has a figure, too', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    await producer.send(1)
    clock.jump(365 * 86_400_000)
    await consumer.receive()
    expect((await queue.stats()).latency.delivery?.p50).toBeGreaterThan(24 * 86_400_000)
  })
})

/** Within 5 % and half a ms. */
function expectAbout(got: number | undefined, wanted: number): void {
  expect(Math.abs((got ?? Number.NaN) - wanted)).toBeLessThanOrEqual(wanted * 0.05 + 0.5)
}

describe('list', () => {
  test('shows everything about messages that are not done', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    const sentAt = clock.now()
    await producer.send('leased', { id: 'a', key: 'k', headers: { h: '1' } })
    await producer.send('blocked', { id: 'b', key: 'k', maxAttempts: 9 })
    await producer.send('delayed', { id: 'd', delayMs: 5000 })
    await producer.send('retried', { id: 'r' })
    const [, retried] = await consumer.receiveBatch(5)
    await retried!.nack({ delayMs: 7000, reason: 'busy' })
    await producer.send('ready', { id: 'e' })
    await clock.advance(1000)
    const { messages, cursor } = await queue.list()
    expect(cursor).toBeUndefined()
    const rest = {
      headers: {},
      timestamp: sentAt,
      key: undefined,
      maxAttempts: undefined,
      lastError: undefined,
    }
    const byId = new Map(messages.map((message) => [message.id, message]))
    expect(messages).toHaveLength(5)
    expect(byId.get('a')).toEqual({
      ...rest,
      id: 'a',
      state: 'leased',
      payload: 'leased',
      key: 'k',
      headers: { h: '1' },
      attempt: 1,
      nextInMs: 29_000,
    })
    expect(byId.get('b')).toMatchObject({ state: 'blocked', attempt: 0, maxAttempts: 9, nextInMs: undefined })
    expect(byId.get('d')).toMatchObject({ state: 'delayed', attempt: 0, nextInMs: 4000 })
    expect(byId.get('r')).toMatchObject({ state: 'delayed', attempt: 1, nextInMs: 6000, lastError: 'busy' })
    expect(byId.get('e')).toMatchObject({ state: 'ready', attempt: 0, nextInMs: undefined })
  })

  test('option state: one, or several', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.sendBatch([{ payload: 'dead' }, { payload: 'leased' }, { payload: 'ready' }])
    const [dead] = await consumer.receiveBatch(2)
    await dead!.reject()
    const show = async (options?: Parameters<typeof queue.list>[0]): Promise<unknown[]> =>
      (await queue.list(options)).messages.map(({ payload }) => payload)
    expect(await show()).toEqual(['leased', 'ready'])
    expect(await show({ state: 'ready' })).toEqual(['ready'])
    expect(await show({ state: ['ready', 'dead'] })).toEqual(['ready', 'dead'])
    expect(await show({ state: 'dead' })).toEqual(['dead'])
    expect(await show({ state: [] })).toEqual([])
  })

  test('option group: its view; one that does not exist is shown as it would start', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('x')
    await consumer.receive()
    expect((await queue.list({ group: 'default' })).messages).toMatchObject([{ state: 'leased' }])
    expect((await queue.list({ group: 'new' })).messages).toMatchObject([{ state: 'ready' }])
  })

  test('option ids: those, and nothing for others', async () => {
    const { queue, producer } = setUp<string>()
    const sent = await producer.sendBatch(['a', 'b', 'c'].map((payload) => ({ payload })))
    const ids = [sent[2]!.id, 'unknown', sent[0]!.id]
    expect((await queue.list({ ids })).messages.map(({ payload }) => payload)).toEqual(['c', 'a'])
    expect((await queue.list({ ids: [] })).messages).toEqual([])
  })

  test('options limit and cursor page through many; 100 by default', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(Array.from({ length: 250 }, (_, payload) => ({ payload })))
    await consumer.receiveBatch(7)
    expect((await queue.list()).messages).toHaveLength(100)
    const seen: unknown[] = []
    let pages = 0
    let cursor: string | undefined
    do {
      const page = await queue.list({ limit: 30, cursor })
      expect(page.messages.length).toBeLessThanOrEqual(30)
      seen.push(...page.messages.map(({ payload }) => payload))
      cursor = page.cursor
      pages++
    } while (cursor !== undefined)
    expect(seen).toEqual(Array.from({ length: 250 }, (_, i) => i))
    expect(pages).toBe(9)
  })
})

describe('cancel', () => {
  test('drops messages wherever they wait, and says which were there', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    await producer.send('leased', { id: 'leased' })
    const leased = await consumer.receive()
    await producer.send('retried', { id: 'retried' })
    await (await consumer.receive())!.nack({ delayMs: 1000 })
    await producer.send('ready', { id: 'ready' })
    const { id } = await producer.send('delayed', { delayMs: 1000 })
    const results = await queue.cancel(['ready', 'unknown', 'leased', id, 'retried', 'ready'])
    expect(results).toEqual([true, false, true, true, true, false])
    expect(await queue.cancel([])).toEqual([])
    await clock.advance(100_000)
    expect(await consumer.receive()).toBeUndefined()
    await expect(leased!.ack()).rejects.toMatchObject({ code: 'STALE_RECEIPT' })
    expect((await queue.stats()).groups['default']).toMatchObject({ ready: 0, delayed: 0, leased: 0 })
  })

  test('leaves dead letters, and what is done is not there', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('dead', { id: 'dead' })
    await (await consumer.receive())!.reject()
    await producer.send('done', { id: 'done' })
    await (await consumer.receive())!.ack()
    expect(await queue.cancel(['dead', 'done'])).toEqual([false, false])
    expect((await queue.deadLetters().list()).messages).toHaveLength(1)
  })

  test('frees the successor of an ordering key', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('a', { id: 'a', key: 'k' })
    await producer.send('b', { key: 'k' })
    await consumer.receive()
    const waiting = consumer.receive({ waitMs: 1000 })
    await queue.cancel(['a'])
    expect((await waiting)?.payload).toBe('b')
  })
})
