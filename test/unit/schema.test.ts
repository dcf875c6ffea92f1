import { describe, expect, test } from 'vitest'
import { Queue, type SchemaResult, type StandardSchema } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, expectEmpty, setUp, thrownBy } from '../support/set-up.ts'

interface Order {
  readonly total: number
}

const check = (value: unknown): SchemaResult<Order> => {
  const { total } = (value ?? {}) as { total?: unknown }
  if (typeof total === 'number') return { value: { total } }
  return { issues: [{ message: 'must be a number', path: ['total'] }] }
}

function schemaOf<T>(
  validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>,
): StandardSchema<T> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

const KINDS: readonly [string, StandardSchema<Order>][] = [
  ['at once', schemaOf(check)],
  ['later', schemaOf(async (value) => check(value))],
]

describe.each(KINDS)('a schema that answers %s', (_, schema) => {
  test('lets through what fits', async () => {
    const { producer, consumer } = setUp<Order>({ schema })
    expect(await producer.send({ total: 1 })).toMatchObject({ status: 'stored' })
    await producer.sendBatch([{ payload: { total: 2 } }, { payload: { total: 3 } }])
    const messages = await consumer.receiveBatch(5)
    expect(messages.map(({ payload }) => payload.total)).toEqual([1, 2, 3])
  })

  test('refuses what does not, says where, and nothing is stored', async () => {
    const { queue, producer } = setUp<Order>({ schema })
    const bad = { total: '1' } as never
    await expectCode(producer.send(bad), 'SCHEMA_MISMATCH', 'send', 'total: must be a number')
    await expectCode(
      producer.sendBatch([{ payload: { total: 1 } }, { payload: bad }]),
      'SCHEMA_MISMATCH',
      'sendBatch, message 1',
      'total: must be a number',
    )
    await expectEmpty(queue)
  })

  test('makes a dead letter of a stored payload that does not fit any more', async () => {
    const { storage, clock, queue } = setUp<Order>({ schema })
    const old = new Queue('orders', { storage, clock })
    await old
      .createProducer()
      .sendBatch([{ payload: { sum: 1 } }, { payload: { total: 2 } }, { payload: null }])
    const consumer = queue.createConsumer()
    expect((await consumer.receive())?.payload).toEqual({ total: 2 })
    expect(await consumer.receive()).toBeUndefined()
    const { messages } = await queue.deadLetters().list()
    expect(messages).toMatchObject([
      { payload: { sum: 1 }, reason: 'unreadable', attempt: 1 },
      { payload: null, reason: 'unreadable', attempt: 1 },
    ])
    expect(messages[0]!.lastError).toContain('total: must be a number')
    await old.close()
  })

  test('does so in run and drain too, without a crash', async () => {
    const { storage, clock, consumer } = setUp<Order>({ schema })
    const old = new Queue('orders', { storage, clock })
    await old.createProducer().sendBatch([{ payload: 'odd' }, { payload: { total: 2 } }])
    const seen: number[] = []
    const report = await consumer.drain(({ payload }) => void seen.push(payload.total))
    expect(seen).toEqual([2])
    expect(report).toEqual({ acked: 1, retried: 0, dead: 1, parked: 0, returned: 0 })
    await old.close()
  })

  test('checks what is received, as the consumer sees it, and a batch keeps its order', async () => {
    const { producer, consumer } = setUp<Order>({ schema })
    await producer.sendBatch([{ payload: { total: 1, extra: true } as Order }, { payload: { total: 2 } }])
    const messages = await consumer.receiveBatch(2)
    expect(messages.map(({ payload }) => payload)).toEqual([{ total: 1 }, { total: 2 }])
  })
})

test('what a schema makes of a payload is what is received, and what was sent is what is stored', async () => {
  const schema = schemaOf<Date>((value) => ({ value: new Date(value as string) }))
  const { queue, producer, consumer } = setUp<Date>({ schema })
  await producer.send('2030-01-01T00:00:00.000Z' as never)
  expect((await consumer.receive())?.payload).toEqual(new Date(Date.UTC(2030, 0, 1)))
  expect((await queue.list({ state: 'leased' })).messages[0]?.payload).toBe('2030-01-01T00:00:00.000Z')
})

test('a hundred sends at once, checked later, are at most two appends', async () => {
  const { storage, producer } = setUp<Order>({ schema: schemaOf(async (value) => check(value)) })
  await Promise.all(Array.from({ length: 100 }, (_, total) => producer.send({ total })))
  expect(storage.count('append')).toBeLessThanOrEqual(2)
})

test('what is checked late is stored as it was when send was called', async () => {
  const gate = defer()
  const { producer, consumer } = setUp<{ total: number }>({
    schema: schemaOf(async (value) => {
      await gate.promise
      return { value: value as { total: number } }
    }),
  })
  const order = { total: 1 }
  const sent = producer.send(order)
  order.total = 2
  gate.resolve()
  await sent
  expect((await consumer.receive())?.payload).toEqual({ total: 1 })
})

test('what does not fit is refused for that, also if it cannot be encoded either', async () => {
  for (const [, schema] of KINDS) {
    const { queue, producer } = setUp<Order>({ schema })
    await expectCode(producer.send({ total: 5n } as never), 'SCHEMA_MISMATCH')
    await expectCode(producer.send({ total: 5, toJSON: 5n } as never), 'UNSERIALIZABLE')
    await expectEmpty(queue)
  }
})

test('a send whose schema answers once the queue is being closed is carried out', async () => {
  const gate = defer()
  const { queue, producer } = setUp<Order>({
    schema: schemaOf(async (value) => {
      await gate.promise
      return check(value)
    }),
  })
  const sent = producer.send({ total: 1 })
  await settle()
  const closed = queue.close()
  gate.resolve()
  await closed
  expect(await sent).toMatchObject({ status: 'stored' })
})

test('a schema that breaks rejects the send with its error, and a received message is kept as a dead letter', async () => {
  let broken = false
  const error = new Error('the schema is broken')
  const { queue, producer, consumer } = setUp<Order>({
    schema: schemaOf((value) => {
      if (broken) throw error
      return check(value)
    }),
  })
  await producer.send({ total: 1 })
  broken = true
  expect(await thrownBy(producer.send({ total: 2 }))).toBe(error)
  expect(await consumer.receive()).toBeUndefined()
  const letters = queue.deadLetters()
  expect((await letters.list()).messages).toMatchObject([
    { payload: { total: 1 }, reason: 'unreadable', lastError: 'the schema is broken' },
  ])
  broken = false
  await letters.redrive()
  expect((await consumer.receive())?.payload).toEqual({ total: 1 })
})

test('paths of issues are shown as the standard has them', async () => {
  const { producer } = setUp<Order>({
    schema: schemaOf<Order>(() => ({
      issues: [
        { message: 'first', path: ['items', 3, { key: 'price' }] },
        { message: 'second' },
        { message: 'third', path: [Symbol('s')] },
      ],
    })),
  })
  const shown = 'items.3.price: first; second; Symbol(s): third'
  await expectCode(producer.send({ total: 1 }), 'SCHEMA_MISMATCH', shown)
})

test('burying what does not fit fails: receive rejects with the storage’s error', async () => {
  const { storage, clock, consumer } = setUp<Order>({ schema: schemaOf(check) })
  const old = new Queue('orders', { storage, clock })
  await old.createProducer().send('odd')
  const broken = new Error('disk on fire')
  storage.fail(broken, 'settle')
  expect(await thrownBy(consumer.receive())).toBe(broken)
  storage.work()
  await old.close()
})
