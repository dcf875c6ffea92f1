import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { type Consumer, QuaysideError, Queue, type QueueOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { expectCode, setUp, thrownBy } from '../support/set-up.ts'

function fresh(options: Partial<QueueOptions<number>> = {}): { storage: SpyStorage; queue: Queue<number> } {
  const clock = new ManualClock()
  const storage = new SpyStorage(new MemoryAdapter({ clock }))
  const queue = new Queue<number>('orders', { storage, clock, ...options })
  onTestFinished(() => queue.close())
  return { storage, queue }
}

const groupsOf = async (queue: Queue<number>): Promise<string[]> => Object.keys((await queue.stats()).groups)

describe('the groups of consumers', () => {
  test('get what is sent after they were made, whoever drains first', async () => {
    const { storage, queue } = fresh()
    const billing = queue.createConsumer('billing')
    const audit = queue.createConsumer('audit')
    const producer = queue.createProducer()
    for (let i = 0; i < 3; i++) await producer.send(i)
    expect(await billing.drain(() => undefined)).toMatchObject({ acked: 3 })
    expect(await audit.drain(() => undefined)).toMatchObject({ acked: 3 })
    // In the step of the first send, and never again.
    expect(storage.of('append').map(({ args }) => (args[1] as { groups?: unknown }).groups)).toEqual([
      [{ name: 'billing' }, { name: 'audit' }],
      undefined,
      undefined,
    ])
  })

  test.each(['stats', 'list', 'cancel', 'retryNow', 'redrive', 'settle', 'claim', 'join'] as const)(
    'exist before %s, in the same order, and with no more calls once they do',
    async (verb) => {
      const { storage, queue } = fresh()
      const first = queue.createConsumer('first')
      const second = queue.createConsumer('second')
      const does = {
        stats: () => queue.stats(),
        list: () => queue.list(),
        cancel: () => queue.cancel(['x']),
        retryNow: () => queue.retryNow(['x']),
        redrive: () => queue.deadLetters('first').redrive(),
        settle: () => thrownBy(first.ack('1/4/unknown')),
        claim: () => second.receive(),
        join: () => first.join(),
      }
      await does[verb]()
      expect((await groupsOf(queue)).toSorted()).toEqual(['first', 'second'])
      const calls = storage.calls.length
      await queue.stats()
      expect(storage.calls.length).toBe(calls + 1)
    },
  )

  test('are not known as made by a step that failed', async () => {
    const { storage, queue } = fresh()
    queue.createConsumer('g')
    const producer = queue.createProducer()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'append')
    await expectCode(producer.send(1), 'STORAGE_UNAVAILABLE')
    storage.work()
    await producer.send(2)
    expect(storage.of('append')[1]!.args[1]).toMatchObject({ groups: [{ name: 'g' }] })
  })

  test('start where they say, in the order in which they were made', async () => {
    const { queue } = fresh()
    const producer = queue.createProducer()
    await producer.send(1)
    const all = queue.createConsumer('all')
    const latest = queue.createConsumer('latest', { from: 'latest' })
    await producer.send(2)
    expect((await latest.receiveBatch(5)).map(({ payload }) => payload)).toEqual([2])
    expect((await all.receiveBatch(5)).map(({ payload }) => payload)).toEqual([1, 2])
  })

  test('of a queue that does nothing are not made', async () => {
    const { storage, queue } = fresh()
    queue.createConsumer('g')
    await queue.close()
    expect(storage.calls).toEqual([])
  })
})

describe('option groups', () => {
  test('declares them for senders that never consume', async () => {
    const { storage, queue } = fresh({ groups: ['billing', { name: 'audit', from: 'latest' }] })
    await queue.createProducer().send(1)
    expect(storage.count('claim')).toBe(0)
    expect((await groupsOf(queue)).toSorted()).toEqual(['audit', 'billing'])
    expect(await queue.createConsumer('audit').drain(() => undefined)).toMatchObject({ acked: 1 })
  })

  test.each([
    [['']],
    [[42]],
    [[{ name: '' }]],
    [[{}]],
    [[{ name: 'x', from: 'now' }]],
    ['billing'],
    [[{ nam: 'x' }]],
  ])('refuses %j', (groups) => {
    expect(() => fresh({ groups: groups as never })).toThrow(/group/)
  })
})

test('a group that was deleted is not made again, unless a consumer of it takes something', async () => {
  const { queue } = fresh({ groups: ['a', 'b'] })
  const consumer = queue.createConsumer('a')
  const producer = queue.createProducer()
  await producer.send(1)
  await queue.deleteGroup('a')
  await producer.send(2)
  expect(await groupsOf(queue)).toEqual(['b'])
  await queue.purge()
  await producer.send(3)
  expect(await groupsOf(queue)).toEqual(['b'])
  await consumer.receive()
  expect((await groupsOf(queue)).toSorted()).toEqual(['a', 'b'])
})

test('after a purge the next step is told of all groups, because what was corrupt has none', async () => {
  const { storage, queue } = fresh({ groups: ['a'] })
  const producer = queue.createProducer()
  await producer.send(1)
  await queue.purge()
  await producer.send(2)
  await producer.send(3)
  expect(storage.of('append').map(({ args }) => (args[1] as { groups?: unknown }).groups)).toEqual([
    [{ name: 'a' }],
    [{ name: 'a' }],
    undefined,
  ])
})

describe('limits of the queue', () => {
  test('are told to the storage with each append', async () => {
    const { storage, queue } = fresh({ maxMessages: 5, maxBytes: 1000 })
    await queue.createProducer().send(1)
    expect(storage.of('append')[0]!.args[1]).toMatchObject({ maxMessages: 5, maxBytes: 1000 })
  })

  test('are refused where the storage cannot keep them', () => {
    const storage = new SpyStorage(new MemoryAdapter(), { guarantees: { queueLimits: false } })
    expect(() => new Queue('q', { storage, maxMessages: 5 })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    )
    expect(() => new Queue('q', { storage, maxBytes: 5 })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    )
  })

  test.each([0, -1, 1.5, '5', null])('%s is none', (maxMessages) => {
    expect(() => fresh({ maxMessages: maxMessages as number })).toThrow(/maxMessages/)
  })
})

test('deadForMs goes with claims and with what makes dead letters', async () => {
  const { storage, queue, producer } = setUp<number>()
  const consumer = queue.createConsumer('default', { deadForMs: 5000, retry: { maxAttempts: 1 } })
  await producer.sendBatch([1, 2, 3].map((payload) => ({ payload })))
  const [a, b] = await consumer.receiveBatch(2)
  await a!.reject()
  await b!.nack()
  await consumer.drain(() => {
    throw new Error('no')
  })
  for (const { args } of storage.of('claim')) expect(args[0]).toMatchObject({ deadForMs: 5000 })
  const settled = storage.calls.flatMap(({ verb, args }) =>
    verb === 'settle' ? args[1] : verb === 'claim' ? ((args[0] as { settle?: unknown[] }).settle ?? []) : [],
  )
  expect(settled).toMatchObject([1, 2, 3].map(() => ({ kind: 'dead', deadForMs: 5000 })))
})

test.each([
  [
    'groups that come and go',
    async (queue: Queue<number>, _: Consumer<number>, i: number) => {
      const consumer = queue.createConsumer(`visitor-${i}`)
      await queue.createProducer().send(i)
      await (await consumer.receive())?.ack()
      await queue.deleteGroup(consumer.group)
    },
  ],
  [
    'limits of lanes that change and change',
    async (_: Queue<number>, consumer: Consumer<number>, i: number) => {
      consumer.lanes = { names: { [`tenant-${i}`]: { weight: 2 } } }
      await consumer.receive()
    },
  ],
  [
    'consumers on terms of their own',
    async (queue: Queue<number>, { group }: Consumer<number>, i: number) => {
      await queue.createConsumer(group, { leaseMs: 1000 + i, lanes: { concurrency: 1 + i } }).receive()
    },
  ],
])('%s leave nothing on the Queue object', async (_, visit) => {
  setFlagsFromString('--expose_gc')
  const gc = runInNewContext('gc') as () => void
  const queue = new Queue<number>('q')
  const stays = queue.createConsumer('stays')
  const rounds = async (from: number, to: number): Promise<number> => {
    for (let i = from; i < to; i++) await visit(queue, stays, i)
    await queue.purge()
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve))
      gc()
    }
    return process.memoryUsage().heapUsed
  }
  await rounds(0, 200)
  const before = await rounds(200, 400)
  expect((await rounds(400, 2400)) - before).toBeLessThan(2000 * 500)
  await queue.close()
})
