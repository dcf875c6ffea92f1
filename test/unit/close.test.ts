import { describe, expect, test } from 'vitest'
import { type AppendOptions, type NewMessage, Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, isPending, setUp, thrownBy } from '../support/set-up.ts'

describe('opening', () => {
  test('happens when it is first needed, and once', async () => {
    const { storage, queue, producer, consumer } = setUp()
    queue.deadLetters()
    expect(storage.calls).toEqual([])
    await Promise.all([producer.send('x'), consumer.receive(), queue.stats(), queue.list()])
    expect(storage.count('open')).toBe(1)
    expect(storage.of('open')[0]?.args).toEqual(['orders'])
  })

  test('that fails rejects the calls that need it; the next one tries again', async () => {
    const { storage, queue, producer, consumer } = setUp()
    const broken = new Error('no such disk')
    storage.fail(broken, 'open')
    const results = await Promise.allSettled([producer.send('x'), consumer.receive(), queue.stats()])
    for (const result of results) expect(result).toEqual({ status: 'rejected', reason: broken })
    expect(await thrownBy(consumer.receive({ waitMs: 1000 }))).toBe(broken)
    expect(await thrownBy(queue.delete())).toBe(broken)
    storage.work()
    await producer.send('x')
    expect((await consumer.receive())?.payload).toBe('x')
  })

  test('that throws instead of rejecting is no worse', async () => {
    const broken = new Error('not even a promise')
    const { guarantees } = new MemoryAdapter()
    const queue = new Queue('q', {
      storage: {
        guarantees,
        open() {
          throw broken
        },
        queues: () => Promise.resolve([]),
        close: () => Promise.resolve(),
      },
    })
    expect(await thrownBy(queue.createProducer().send('x'))).toBe(broken)
    expect(await thrownBy(queue.createConsumer().receive())).toBe(broken)
    expect(await thrownBy(queue.stats())).toBe(broken)
    await queue.close()
  })
})

describe('close', () => {
  test('of a queue that was never used does nothing', async () => {
    const { storage, queue } = setUp()
    await queue.close()
    expect(storage.calls).toEqual([])
  })

  test('twice is once', async () => {
    const { storage, queue, producer } = setUp()
    await producer.send('x')
    await Promise.all([queue.close(), queue.close()])
    await queue.close()
    expect(storage.count('close')).toBe(1)
  })

  test('leaves the adapter open for other queues', async () => {
    const { storage, clock, queue, producer } = setUp()
    await producer.send('x')
    await queue.close()
    expect(storage.count('closeAll')).toBe(0)
    const again = new Queue('orders', { storage, clock })
    expect((await again.createConsumer().receive())?.payload).toBe('x')
    await again.close()
  })

  test('waits for writes that are under way, and for those that wait behind them', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const [first, second] = await consumer.receiveBatch(2)
    const gate = defer()
    storage.before = () => gate.promise
    const work = [producer.send(3), first!.ack()]
    await settle()
    work.push(producer.send(4), second!.ack())
    const closing = queue.close()
    await settle()
    expect(await isPending(closing)).toBe(true)
    expect(storage.count('close')).toBe(0)
    await expectCode(producer.send(5), 'CLOSED')
    gate.resolve()
    await Promise.all(work)
    await closing
    const again = new Queue('orders', { storage, clock })
    expect((await again.stats()).groups['default']).toMatchObject({ acked: 2, ready: 2 })
    await again.close()
  })

  test('right after a send that nobody waited for stores it', async () => {
    const { storage, clock, queue, producer } = setUp()
    await producer.send(1)
    const sent = producer.send(2)
    await queue.close()
    await sent
    const again = new Queue('orders', { storage, clock })
    expect((await again.stats()).messages).toBe(2)
    await again.close()
  })

  test('while the storage is being opened: the calls are answered, and it is closed', async () => {
    const { storage, queue, producer, consumer } = setUp()
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'open' ? gate.promise : undefined)
    const calls = Promise.allSettled([producer.send(1), consumer.receive({ waitMs: 1000 }), queue.stats()])
    await settle()
    const closing = queue.close()
    gate.resolve()
    await closing
    const refused = (await calls).filter(({ status }) => status === 'rejected')
    for (const result of refused) expect(result).toMatchObject({ reason: { code: 'CLOSED' } })
    expect(storage.count('close')).toBe(1)
  })

  test('while the storage is being opened, which fails: resolves all the same', async () => {
    const { storage, queue, producer } = setUp()
    const gate = defer()
    storage.before = () => gate.promise
    const sent = thrownBy(producer.send(1))
    await settle()
    const closing = queue.close()
    const broken = new Error('no such disk')
    gate.reject(broken)
    await closing
    expect(await sent).toBe(broken)
    storage.work()
  })

  test('ends all that waits: receive, run, drain, loops', async () => {
    const { queue, consumer } = setUp()
    const looping = (async () => {
      for await (const _ of consumer) expect.fail('there is nothing')
    })()
    const receiving = thrownBy(consumer.receive({ waitMs: 1_000_000 }))
    const running = consumer.run(() => undefined)
    await settle()
    await queue.close()
    expect(await receiving).toMatchObject({ code: 'CLOSED' })
    await running
    await looping
  })

  test('does not wait for what is paused', async () => {
    const { storage, queue, producer, consumer } = setUp()
    await producer.send('x')
    consumer.pause()
    const running = consumer.run(() => undefined)
    const receiving = thrownBy(consumer.receive({ waitMs: 1_000_000 }))
    await settle()
    await queue.close()
    await running
    expect(await receiving).toMatchObject({ code: 'CLOSED' })
    expect(storage.count('claim')).toBe(0)
  })

  test('nothing new is claimed once it has begun', async () => {
    const { storage, queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    const job = defer()
    const running = consumer.run(() => job.promise)
    await settle()
    const closing = queue.close()
    const before = storage.count('claim')
    await expectCode(consumer.receive(), 'CLOSED')
    await expectCode(consumer.receive({ waitMs: 5 }), 'CLOSED')
    await expectCode(
      consumer.run(() => undefined),
      'CLOSED',
    )
    await expectCode(
      consumer.drain(() => undefined),
      'CLOSED',
    )
    job.resolve()
    await Promise.all([closing, running])
    expect(storage.count('claim')).toBe(before)
  })

  test('of the storage that fails rejects', async () => {
    const { storage, clock } = setUp()
    const queue = new Queue('other', { storage, clock })
    await queue.stats()
    const broken = new Error('disk on fire')
    storage.fail(broken, 'close')
    expect(await thrownBy(queue.close())).toBe(broken)
    storage.work()
  })

  test('await using closes it', async () => {
    const { storage, clock } = setUp()
    {
      await using queue = new Queue('other', { storage, clock })
      await queue.createProducer().send('x')
      expect(storage.count('close')).toBe(0)
    }
    expect(storage.count('close')).toBe(1)
  })
})

describe('purge', () => {
  test('deletes every message, delayed, leased and dead ones too; groups stay', async () => {
    const { queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 'dead' }, { payload: 'leased' }, { payload: 'ready' }])
    await producer.send('delayed', { delayMs: 1000 })
    const [dead] = await consumer.receiveBatch(2)
    await dead!.reject()
    await queue.purge()
    expect(await queue.stats()).toMatchObject({ messages: 0, bytes: 0, oldestMs: undefined })
    expect((await queue.stats()).groups['default']).toMatchObject({
      ready: 0,
      leased: 0,
      delayed: 0,
      dead: 0,
    })
    await producer.send('new')
    expect((await consumer.receive())?.payload).toBe('new')
  })

  test('makes ids free again, but for those that are known for their dedupeMs', async () => {
    const { clock, queue, producer, consumer } = setUp()
    await producer.send('x', { id: 'a', dedupeMs: 1000 })
    await producer.send('x', { id: 'b', delayMs: 1000 })
    await queue.purge()
    expect((await producer.send('y', { id: 'a' })).status).toBe('duplicate')
    expect((await producer.send('y', { id: 'b' })).status).toBe('stored')
    await clock.advance(1000)
    expect((await producer.send('y', { id: 'a' })).status).toBe('stored')
    expect(await consumer.receiveBatch(5)).toHaveLength(2)
  })
})

describe('deleteGroup', () => {
  test('forgets the group, its dead letters, and the messages that only it had not finished', async () => {
    const { queue, producer, consumer } = setUp()
    const audit = queue.createConsumer('audit')
    await audit.receive()
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }])
    const [x, y] = await audit.receiveBatch(2)
    await x!.reject()
    await consumer.ackBatch(await consumer.receiveBatch(2))
    expect((await queue.stats()).bytes).toBeGreaterThan(0)
    await queue.deleteGroup('audit')
    expect(Object.keys((await queue.stats()).groups)).toEqual(['default'])
    expect((await queue.stats()).bytes).toBe(0)
    expect((await queue.deadLetters('audit').list()).messages).toEqual([])
    await expectCode(y!.ack(), 'STALE_RECEIPT')
  })

  test('that does not exist is no error', async () => {
    const { queue } = setUp()
    await queue.deleteGroup('unknown')
    expect(Object.keys((await queue.stats()).groups)).toEqual(['default'])
  })

  test('a later consumer makes it anew', async () => {
    const { queue, producer, consumer } = setUp()
    await consumer.receive()
    await queue.deleteGroup('default')
    await producer.send('x')
    expect((await consumer.receive())?.payload).toBe('x')
  })
})

describe('delete', () => {
  test('deletes everything and closes the object; a new one finds an empty queue', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    await producer.sendBatch([{ payload: 'dead' }, { payload: 'leased' }, { payload: 'ready' }])
    await (await consumer.receive())!.reject()
    await consumer.receive()
    await queue.createConsumer('audit').receive()
    await queue.delete()
    await expectCode(producer.send('x'), 'CLOSED')
    const again = new Queue('orders', { storage, clock })
    expect(await again.stats()).toMatchObject({ messages: 0, bytes: 0, groups: {} })
    expect((await again.list()).messages).toEqual([])
    await again.createProducer().send('new')
    expect((await again.createConsumer('first', { from: 'latest' }).receive())?.payload).toBe('new')
    await again.close()
  })

  test('leaves other queues of the storage alone', async () => {
    const { storage, clock, queue, producer } = setUp()
    const other = new Queue('other', { storage, clock })
    await other.createProducer().send('x')
    await producer.send('y')
    await queue.delete()
    expect((await other.stats()).messages).toBe(1)
    await other.close()
  })

  test('that fails rejects, and the object stays open', async () => {
    const { storage, queue, producer } = setUp()
    await producer.send('x')
    const broken = new Error('disk on fire')
    storage.fail(broken, 'delete')
    expect(await thrownBy(queue.delete())).toBe(broken)
    storage.work()
    await producer.send('y')
  })

  test('refuses what is still being encoded, and leaves nothing of what is sent behind it', async () => {
    const gate = defer<string>()
    const codec = { encode: (text: string) => (text === 'slow' ? gate.promise : text), decode: String }
    const { storage, clock, queue, producer } = setUp<string>({ codec })
    const slow = expectCode(producer.send('slow'), 'CLOSED')
    const behind = producer.send('behind')
    const deleted = queue.delete()
    await clock.advance(0)
    gate.resolve('slow')
    await Promise.all([slow, behind, deleted])
    const again = new Queue('orders', { storage, clock })
    expect(await again.stats()).toMatchObject({ messages: 0, sent: 0, groups: {} })
    await again.close()
  })

  test('leaves nothing of what comes while it is under way', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    await producer.send('x')
    const message = await consumer.receive()
    const gate = defer()
    storage.after = ({ verb }, result) => (verb === 'delete' ? gate.promise.then(() => result) : result)
    const deleted = queue.delete()
    await settle()
    // The storage has deleted it already.
    expect(await thrownBy(message!.nack())).toMatchObject({ code: 'STALE_RECEIPT' })
    await producer.send('y')
    expect((await consumer.receive())?.payload).toBe('y')
    gate.resolve()
    await deleted
    const again = new Queue('orders', { storage, clock })
    expect(await again.stats()).toMatchObject({ messages: 0, sent: 0, groups: {} })
    await again.close()
  })

  test('waits for no handler', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    const signals: AbortSignal[] = []
    const running = consumer.run((_, { signal }) => (signals.push(signal), defer().promise))
    await producer.send('x')
    await settle()
    const deleted = queue.delete()
    await clock.advance(0)
    await Promise.all([deleted, running])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    const again = new Queue('orders', { storage, clock })
    expect(await again.stats()).toMatchObject({ messages: 0, groups: {} })
    await again.close()
  })

  test('while a consumer runs stops it', async () => {
    const { storage, clock, queue, producer, consumer } = setUp()
    const running = consumer.run(() => undefined)
    await producer.send('x')
    await settle()
    await queue.delete()
    await running
    const again = new Queue('orders', { storage, clock })
    expect(await again.stats()).toMatchObject({ messages: 0, groups: {} })
    await again.close()
  })
})

test('a failing storage rejects every verb with its error, and nothing is answered as if it were empty', async () => {
  const { storage, queue, producer } = setUp()
  await producer.send('x')
  const broken = new Error('disk on fire')
  storage.fail(broken)
  const calls: (() => Promise<unknown>)[] = [
    () => queue.stats(),
    () => queue.list(),
    () => queue.cancel(['a']),
    () => queue.purge(),
    () => queue.deleteGroup('default'),
    () => queue.deadLetters().list(),
    () => queue.deadLetters().redrive(),
    () => queue.deadLetters().delete(),
    () => producer.send('y'),
    () => queue.createConsumer().receive(),
    () => queue.createConsumer().join(),
  ]
  for (const call of calls) expect(await thrownBy(call())).toBe(broken)
  storage.work()
  expect((await queue.stats()).messages).toBe(1)
})

test('two queue objects without a storage have nothing in common', async () => {
  const [a, b] = [new Queue('q'), new Queue('q')]
  await a.createProducer().send('x')
  expect(await b.createConsumer().receive()).toBeUndefined()
  expect((await a.createConsumer().receive())?.payload).toBe('x')
  await Promise.all([a.close(), b.close()])
})

test('the storage gets what the contract says, and nothing else', async () => {
  const { storage, producer, queue } = setUp()
  const consumer = queue.createConsumer('g', { leaseMs: 5000, retry: { maxAttempts: 2 }, from: 'latest' })
  await producer.send('x', { id: 'a', key: 'k', headers: { h: '1' }, expiresInMs: 9, maxAttempts: 3 })
  const [messages, options] = storage.of('append')[0]!.args as [readonly NewMessage[], AppendOptions]
  expect(messages).toEqual([
    { body: '"x"', id: 'a', key: 'k', headers: { h: '1' }, expiresInMs: 9, maxAttempts: 3 },
  ])
  expect(options).toEqual({
    batchId: expect.any(String),
    groups: [{ name: 'default' }, { name: 'g', from: 'latest' }],
  })
  const message = await consumer.receive()
  expect(storage.of('claim')[0]!.args).toEqual([
    { group: 'g', limit: 1, leaseMs: 5000, maxAttempts: 2, from: 'latest', inHand: [] },
  ])
  await message!.nack({ delayMs: 7, reason: 'r' })
  const [group, settlements] = storage.of('settle')[0]!.args
  expect(group).toBe('g')
  expect(settlements).toEqual([{ receipt: expect.any(String), kind: 'retry', delayMs: 7, error: 'r' }])
})
