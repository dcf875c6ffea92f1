// What becomes of messages, and what is parked, as the server has it: what it costs, what is left, and who hears of it.
import { describe, expect, onTestFinished, test } from 'vitest'
import { uuid } from '../../src/message-id.ts'
import { MAX_IDS, MAX_RESULT_BYTES } from '../../src/storage.ts'
import type { Delivery, Hint, NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { CLIENTS, connectClient } from './support/clients.ts'
import { CLAIM, EMPTY, ack, onRedis, send, takeAll } from './support/on-redis.ts'

const redis = onRedis()

/** What one answer has, but for its last part. */
const STEP_BYTES = 8 * 1024 * 1024
const sendAlike = (queue: QueueStorage, count: number, message: Partial<NewMessage>): Promise<string[]> =>
  send(queue, count, () => ({ body: 'x', ...message }))

async function take(queue: QueueStorage, request: Partial<typeof CLAIM> = {}): Promise<readonly Delivery[]> {
  return (await queue.claim({ ...CLAIM, ...request })).deliveries
}

const finish = ({ receipt, id }: Delivery): Settlement => ({ receipt, kind: 'ack', value: id })
const park = ({ receipt }: Delivery): Settlement => ({ receipt, kind: 'park', reason: 'why', data: '{}' })

describe('what messages cost that keep nothing', () => {
  test('the same commands as ever', async () => {
    const queue = await redis.open()
    await queue.claim(CLAIM)
    const batchId = uuid()
    const bodies = Array.from({ length: 100 }, () => ({ body: 'x' }))
    expect(await redis.commandsOf(() => queue.append(bodies, { batchId }))).toEqual({
      hmget: 1,
      hset: 1,
      publish: 1,
      xadd: 1,
    })
    let deliveries: readonly Delivery[] = []
    expect(await redis.commandsOf(async () => (deliveries = await take(queue)))).toEqual({
      hmget: 1,
      hset: 1,
      xrange: 1,
      zadd: 2,
      zrange: 2,
    })
    expect(await redis.commandsOf(() => queue.settle('g', deliveries.map(ack)))).toEqual({
      hmget: 1,
      hset: 1,
      publish: 1,
      xtrim: 1,
      zrangebyscore: 1,
      zrem: 2,
    })
  })

  test('no value is kept, and no progress', async () => {
    const queue = await redis.open()
    const ids = await sendAlike(queue, 2, {})
    const [one, two] = await take(queue)
    await queue.settle('g', [{ receipt: one!.receipt, kind: 'extend', leaseMs: 1000, progress: 'half' }])
    expect(await queue.results('g', ids)).toEqual([undefined, undefined])
    await queue.settle('g', [finish(one!), finish(two!)])
    expect(await queue.results('g', ids)).toEqual([undefined, undefined])
    expect(await redis.keys()).toEqual(EMPTY)
  })
})

describe('what is kept', () => {
  test('a batch of values takes few commands', async () => {
    const queue = await redis.open()
    await sendAlike(queue, 1000, { keepMs: 1000 })
    const deliveries = await take(queue)
    const commands = await redis.commandsOf(() => queue.settle('g', deliveries.map(finish)))
    expect(Object.values(commands).reduce((sum, count) => sum + count)).toBeLessThan(40)
    const [first] = deliveries
    expect(await queue.results('g', [first!.id])).toEqual([
      { status: 'done', value: first!.id, at: redis.now },
    ])
  })

  test.each<[string, (i: number) => Partial<NewMessage>]>([
    ['by ids that were made', () => ({})],
    ['by ids of callers', (i) => ({ id: `${i}` })],
    ['of messages that were delayed', () => ({ delayMs: 10 })],
  ])('is worked off in bounded steps when all of it ends at once: %s', async (_, make) => {
    const queue = await redis.open()
    await queue.claim(CLAIM)
    for (let i = 0; i < 10_000; i += 1000) {
      const messages = Array.from({ length: 1000 }, (_one, j) => ({
        body: 'x',
        keepMs: 1e6,
        ...make(i + j),
      }))
      await queue.append(messages, { batchId: uuid() })
    }
    redis.now += 10
    await takeAll(queue, finish)
    expect(await redis.command('KEYS', '{p:q}:results:*')).toHaveLength(1)
    redis.now += 1e6
    const commands = await redis.commandsOf(() => queue.claim(CLAIM))
    expect(Object.values(commands).reduce((sum, count) => sum + count)).toBeLessThan(100)
    expect((await queue.list({ group: 'g', limit: 10, states: ['done'] })).messages).toEqual([])
    expect(await takeAll(queue, ack)).toBeGreaterThan(5)
    expect(await redis.keys()).toEqual(EMPTY)
  })

  test('does not pile up, although more is kept at a time than one claim works off', async () => {
    const queue = await redis.open()
    const limit = 5000
    for (let round = 0; round < 6; round++) {
      await sendAlike(queue, limit, { keepMs: 5 })
      const deliveries = await take(queue, { limit })
      await queue.claim({ ...CLAIM, limit: 1, settle: deliveries.map(finish) })
      redis.now += 10
    }
    const [key] = (await redis.command('KEYS', '{p:q}:until:*')) as string[]
    expect(await redis.command('ZCARD', key!)).toBeLessThanOrEqual(2 * limit)
  })

  test('values of any kind come as they were given', async () => {
    const queue = await redis.open()
    const values = [
      '',
      'ü\0',
      '\ud800',
      new Uint8Array([0, 255]),
      new Uint8Array(),
      'x'.repeat(MAX_RESULT_BYTES),
    ]
    const ids = await sendAlike(queue, values.length, { keepMs: 1000 })
    const deliveries = await take(queue)
    await queue.settle(
      'g',
      deliveries.map(({ receipt }, i) => ({ receipt, kind: 'extend', leaseMs: 1000, progress: values[i]! })),
    )
    const running = values.map((progress) => ({ status: 'running', progress, at: redis.now }))
    expect(await queue.results('g', ids)).toEqual(running)
    await queue.settle(
      'g',
      deliveries.map(({ receipt }, i) => ({ receipt, kind: 'ack', value: values[i]! })),
    )
    const done = values.map((value) => ({ status: 'done', value, at: redis.now }))
    expect(await queue.results('g', ids)).toEqual(done)
    const { messages } = await queue.list({ group: 'g', limit: 10, states: ['done'] })
    expect(messages.map(({ outcome }) => outcome)).toEqual(done)
  })

  test('progress leaves nothing behind, however the lease ends', async () => {
    const queue = await redis.open()
    const ends: ((delivery: Delivery) => Promise<unknown>)[] = [
      (one) => queue.settle('g', [ack(one)]),
      (one) => queue.settle('g', [{ receipt: one.receipt, kind: 'dead', reason: 'rejected', deadForMs: 0 }]),
      (one) => queue.settle('g', [{ receipt: one.receipt, kind: 'retry', delayMs: 0 }]),
      (one) => queue.settle('g', [park(one)]),
      (one) => queue.cancel([one.id]),
      () => queue.claim({ ...CLAIM, maxAttempts: 1 }),
    ]
    for (const end of ends) {
      await sendAlike(queue, 1, { keepMs: 1000 })
      const [one] = await take(queue, { leaseMs: 10 })
      await queue.settle('g', [{ receipt: one!.receipt, kind: 'extend', leaseMs: 10, progress: 'half' }])
      expect((await queue.results('g', [one!.id]))[0]?.status).toBe('running')
      redis.now += 10
      await end(one!)
      expect(await redis.command('KEYS', '{p:q}:progress:*')).toEqual([])
      await queue.purge()
    }
  })
})

describe('what an earlier message of an id ends with', () => {
  const finishNext = async (queue: QueueStorage, value: string): Promise<void> => {
    const [one] = await take(queue)
    await queue.settle('g', [{ receipt: one!.receipt, kind: 'ack', value }])
  }
  const store = async (queue: QueueStorage, message: Partial<NewMessage>): Promise<void> => {
    const [result] = await queue.append([{ body: 'x', ...message }], { batchId: uuid() })
    expect(result!.status).toBe('stored')
  }
  const bury = ({ receipt }: Delivery): Settlement => ({ receipt, kind: 'dead', reason: 'rejected' })
  const redrive = async (queue: QueueStorage): Promise<void> => {
    const { messages } = await queue.list({ group: 'g', states: ['dead'], limit: 1 })
    await queue.settle('g', [{ receipt: messages[0]!.receipt!, kind: 'retry', delayMs: 0 }])
  }
  test('leaves nothing behind', async () => {
    const queue = await redis.open()
    await store(queue, { id: 'x', keepMs: 1000 })
    await queue.settle('g', (await take(queue)).map(bury))
    await store(queue, { id: 'x', keepMs: 1000 })
    await finishNext(queue, 'new')
    await redrive(queue)
    await finishNext(queue, 'old')
    redis.now += 1000
    await takeAll(queue, ack)
    expect(await redis.keys()).toEqual(EMPTY)
  })
})

test('what becomes of many is told in steps of so many bytes', async () => {
  const queue = await redis.open()
  const ids = await sendAlike(queue, MAX_IDS, { keepMs: 1000 })
  const value = 'x'.repeat(MAX_RESULT_BYTES)
  for (let i = 0; i < MAX_IDS; i += 32) {
    const deliveries = await take(queue, { limit: 32 })
    await queue.settle(
      'g',
      deliveries.map(({ receipt }) => ({ receipt, kind: 'ack', value })),
    )
  }
  const answers = async (run: () => Promise<unknown>): Promise<number> => {
    const read = async (): Promise<number> => {
      const stats = String(await redis.command('INFO', 'stats'))
      return Number(/^total_net_output_bytes:(\d+)/m.exec(stats)![1])
    }
    const before = await read()
    await run()
    return (await read()) - before
  }
  let outcomes: readonly unknown[] = []
  const commands = await redis.commandsOf(async () => (outcomes = await queue.results('g', ids)))
  expect(outcomes).toEqual(ids.map(() => ({ status: 'done', value, at: redis.now })))
  // Each step reads the row of the queue.
  expect(commands['hmget']).toBeGreaterThanOrEqual((MAX_IDS * MAX_RESULT_BYTES) / STEP_BYTES)
  for (const query of [{}, { ids }]) {
    const bytes = await answers(() => queue.list({ group: 'g', states: ['done'], limit: 1000, ...query }))
    expect(bytes).toBeLessThan(STEP_BYTES + 2 * MAX_RESULT_BYTES)
  }
})

describe('what is parked', () => {
  test('leaves nothing behind when it was resumed, cancelled, replaced or has expired', async () => {
    const queue = await redis.open()
    const messages = Array.from({ length: 400 }, (_, i) => ({
      body: 'x',
      id: `${i}`,
      key: i % 3 === 0 ? `k${i % 9}` : undefined,
      expiresInMs: i % 4 === 0 ? 1000 : undefined,
    }))
    await queue.append(messages, { batchId: uuid() })
    for (let round = 0; round < 4; round++) await queue.settle('g', (await take(queue)).map(park))
    const { messages: parked } = await queue.list({ group: 'g', limit: 1000, states: ['parked'] })
    expect(parked.length).toBeGreaterThan(200)
    await queue.cancel(parked.slice(0, 50).map(({ id }) => id))
    await queue.resume(parked.slice(50, 100).map(({ id }) => id))
    await queue.append(
      parked.slice(100, 150).map(({ id, key }) => ({ body: 'y', id, key, replace: true })),
      { batchId: uuid() },
    )
    redis.now += 1000
    for (let round = 0; round < 9; round++) {
      await takeAll(queue, ack)
      const { messages: left } = await queue.list({ group: 'g', limit: 200, states: ['parked'] })
      await queue.resume(
        left.map(({ id }) => id),
        { edit: { body: 'z' } },
      )
    }
    await takeAll(queue, ack)
    const { messages: dead } = await queue.list({ group: 'g', limit: 1000, states: ['dead'] })
    await queue.settle(
      'g',
      dead.map((one) => ack(one as unknown as Delivery)),
    )
    expect(await redis.keys()).toEqual(EMPTY)
  })

  test('pages of it do not pass what waits besides', async () => {
    const queue = await redis.open()
    const ids = await sendAlike(queue, 6000, {})
    await takeAll(queue, ({ receipt, id }) =>
      id === ids[0] || id === ids[5999]
        ? { receipt, kind: 'park', reason: 'why' }
        : { receipt, kind: 'retry', delayMs: 1e6 },
    )
    const page = await queue.list({ group: 'g', limit: 10, states: ['parked'] })
    expect(page.messages.map(({ id }) => id)).toEqual([ids[0], ids[5999]])
    expect(page.cursor).toBeUndefined()
  })

  test('keys that dead letters have stopped are forgotten with these', async () => {
    const queue = await redis.open()
    await queue.append(
      ['a', 'b', 'c'].map((key) => ({ body: 'x', key })),
      { batchId: uuid() },
    )
    const dead = (await take(queue)).map(({ receipt }): Settlement => ({
      receipt,
      kind: 'dead',
      reason: 'rejected',
      parksNext: true,
      deadForMs: 1000,
    }))
    await queue.settle('g', dead)
    expect(await redis.command('KEYS', '{p:q}:stops:*')).toHaveLength(1)
    redis.now += 1000
    await takeAll(queue, ack)
    expect(await redis.keys()).toEqual(EMPTY)
  })
})

describe.each(CLIENTS)('hints that %s hears', (name) => {
  async function listen(): Promise<{ queue: QueueStorage; heard: Hint[] }> {
    const other = await connectClient(name, redis.url)
    onTestFinished(other.close)
    const heard: Hint[] = []
    const there = await redis.open(other.client)
    there.watch!((hint) => heard.push(hint!))
    // Nobody knows what was said before the connection was ready, before the subscription was there, and around that.
    await expect.poll(() => heard.map(({ finished }) => finished)).toEqual(['many', 'many', 'many'])
    heard.length = 0
    return { queue: await redis.open(), heard }
  }

  test('name the messages that have an outcome, soon and once', WALL_CLOCK, async () => {
    const { queue, heard } = await listen()
    await queue.claim(CLAIM)
    const messages = ['ü"\\\n', 'b', 'c', 'dead'].map((id) => ({ body: 'x', id, keepMs: 1000 }))
    await queue.append([...messages, { body: 'x' }], { batchId: uuid() })
    const deliveries = await take(queue)
    const sent = performance.now()
    for (const one of deliveries.slice(0, 3)) await queue.settle('g', [finish(one)])
    const { receipt } = deliveries[3]!
    await queue.settle('g', [{ receipt, kind: 'dead', reason: 'rejected' }, ack(deliveries[4]!)])
    const finished = (): unknown[] => heard.flatMap((hint) => hint.finished ?? [])
    await expect.poll(finished, { interval: 5 }).toEqual(messages.map(({ id }) => id))
    // It takes some ms; who is not told looks after 30 s.
    expect(performance.now() - sent).toBeLessThan(10_000)
  })

  test('say that there are many', async () => {
    const { queue, heard } = await listen()
    await sendAlike(queue, 65, { keepMs: 1000 })
    await queue.settle('g', (await take(queue)).map(finish))
    await expect.poll(() => heard.some(({ finished }) => finished === 'many')).toBe(true)
  })

  test('are many after what nobody can read', async () => {
    const { heard } = await listen()
    await redis.command('PUBLISH', '{p:q}:changed', 'wake{')
    await expect.poll(() => heard.some(({ finished }) => finished === 'many')).toBe(true)
  })
})
