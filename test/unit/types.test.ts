import { expectTypeOf, test } from 'vitest'
import {
  type BatchMessage,
  type Codec,
  type Consumer,
  type DeadReason,
  type DeadLetter,
  type DeadLetters,
  type DrainReport,
  type HandlerContext,
  type LanesPage,
  type ListPage,
  type ListedMessage,
  type Message,
  type Producer,
  type QuaysideError,
  Queue,
  type QueueStats,
  type Result,
  type SendResult,
  type StandardSchema,
  type Verdict,
} from '../../src/index.ts'

interface Order {
  readonly total: number
}

const queue = new Queue<Order>('orders')
const producer = queue.createProducer()
const consumer = queue.createConsumer('billing')

/** Never called: what is in it is only compiled. */
function compiled(_: () => unknown): void {
  // Nothing to run.
}

test('Queue<Order> takes and gives orders', () => {
  expectTypeOf(producer).toEqualTypeOf<Producer<Order>>()
  expectTypeOf(queue.deadLetters()).toEqualTypeOf<DeadLetters<Order>>()
  expectTypeOf(consumer).toEqualTypeOf<Consumer<Order>>()
  expectTypeOf<Producer<Order>['send']>().parameter(0).toEqualTypeOf<Order>()
  expectTypeOf<Producer<Order>['sendBatch']>().parameter(0).toEqualTypeOf<readonly BatchMessage<Order>[]>()
  expectTypeOf<Producer<Order>['send']>().returns.resolves.toEqualTypeOf<SendResult>()
  expectTypeOf<Producer<Order>['sendBatch']>().returns.resolves.toEqualTypeOf<SendResult[]>()
  expectTypeOf<Consumer<Order>['receive']>().returns.resolves.toEqualTypeOf<Message<Order> | undefined>()
  expectTypeOf<Consumer<Order>['receiveBatch']>().returns.resolves.toEqualTypeOf<Message<Order>[]>()
  expectTypeOf<Consumer<Order>['ack']>().parameter(0).toEqualTypeOf<Message<Order> | string>()
  expectTypeOf<Parameters<Parameters<Consumer<Order>['run']>[0]>>().toEqualTypeOf<
    [Message<Order>, HandlerContext]
  >()
  expectTypeOf<Consumer<Order>['run']>().returns.resolves.toEqualTypeOf<void>()
  expectTypeOf<Consumer<Order>['drain']>().returns.resolves.toEqualTypeOf<DrainReport>()
  expectTypeOf<Consumer<Order>['only']>().toEqualTypeOf<string | readonly string[] | undefined>()
  expectTypeOf<Queue<Order>['edit']>().parameter(1).toEqualTypeOf<Order>()
  expectTypeOf<Queue<Order>['edit']>().returns.resolves.toEqualTypeOf<boolean>()
  expectTypeOf<Queue<Order>['resume']>().returns.resolves.toEqualTypeOf<boolean[]>()
  expectTypeOf<Queue<Order>['lanes']>().returns.resolves.toEqualTypeOf<LanesPage>()
  expectTypeOf<Queue<Order>['hold']>().returns.resolves.toEqualTypeOf<void>()
  expectTypeOf<Queue<Order>['release']>().returns.resolves.toEqualTypeOf<boolean>()
  expectTypeOf<Queue<Order>['list']>().returns.resolves.toEqualTypeOf<ListPage<ListedMessage<Order>>>()
  expectTypeOf<DeadLetters<Order>['list']>().returns.resolves.toEqualTypeOf<ListPage<DeadLetter<Order>>>()
  expectTypeOf<Queue<Order>['stats']>().returns.resolves.toEqualTypeOf<QueueStats>()
  expectTypeOf<Queue<Order>['watch']>().returns.toEqualTypeOf<() => void>()
})

test('a message of an order', () => {
  type Received = Message<Order>
  expectTypeOf<Received['payload']>().toEqualTypeOf<Order>()
  expectTypeOf<Received['id']>().toEqualTypeOf<string>()
  expectTypeOf<Received['headers']>().toEqualTypeOf<Readonly<Record<string, string>>>()
  expectTypeOf<Received['key']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Received['lane']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Received['keepMs']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<Received['lastError']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Received['attempt' | 'maxAttempts' | 'timestamp' | 'leaseUntil']>().toEqualTypeOf<number>()
})

test('a result is told apart by its status', () => {
  compiled(async () => {
    const result = await queue.result<{ readonly paid: boolean }>('a', { waitMs: 5 })
    expectTypeOf(result).toEqualTypeOf<Result<{ readonly paid: boolean }> | undefined>()
    if (result?.status === 'done')
      expectTypeOf(result.value).toEqualTypeOf<{ readonly paid: boolean } | undefined>()
    if (result?.status === 'dead') expectTypeOf(result.reason).toEqualTypeOf<DeadReason>()
    if (result?.status === 'running') expectTypeOf(result.progress).toBeUnknown()
    expectTypeOf(await queue.result('a')).toEqualTypeOf<Result | undefined>()
  })
})

test('with batch the handler gets many, and may return a verdict for each', () => {
  compiled(() => {
    const batch = { size: 10 }
    void consumer.run((messages) => void expectTypeOf(messages).toEqualTypeOf<readonly Message<Order>[]>(), {
      batch,
    })
    void consumer.run((message) => void expectTypeOf(message).toEqualTypeOf<Message<Order>>())
    void consumer.drain((message) => void expectTypeOf(message).toEqualTypeOf<Message<Order>>(), {
      deadline: 5,
    })
    void consumer.drain(async (messages) => messages.map((): Verdict => undefined), { batch, deadline: 5 })
    void consumer.run(
      (messages) =>
        messages.map(({ attempt }) => {
          if (attempt === 1) return { kind: 'nack', delayMs: 5 }
          if (attempt === 2) return new Error('no')
          return attempt === 3 ? { kind: 'park', reason: 'why' } : undefined
        }),
      { batch },
    )
    // @ts-expect-error A verdict is one of four kinds.
    void consumer.run((messages) => messages.map(() => ({ kind: 'retry' }) as const), { batch })
    // @ts-expect-error What is parked has a reason.
    void consumer.run((messages) => messages.map(() => ({ kind: 'park' }) as const), { batch })
    // @ts-expect-error A batch has a size.
    void consumer.run(() => undefined, { batch: { withinMs: 5 } })
    // @ts-expect-error A deadline is for drain.
    void consumer.run(() => undefined, { batch, deadline: 5 })
  })
})

test('for await gives messages of orders', () => {
  compiled(async () => {
    for await (const message of consumer) expectTypeOf(message).toEqualTypeOf<Message<Order>>()
  })
  compiled(async () => {
    await using closed = new Queue('q')
    expectTypeOf(closed).toEqualTypeOf<Queue>()
  })
})

test('without a type, payloads are unknown', () => {
  expectTypeOf(new Queue('q').createConsumer()).toEqualTypeOf<Consumer<unknown>>()
  expectTypeOf<Consumer<unknown>['receive']>().returns.resolves.toEqualTypeOf<Message<unknown> | undefined>()
})

test('codec and schema say the type', () => {
  const codec: Codec<Date> = {
    encode: (date) => date.toISOString(),
    decode: (body) => new Date(String(body)),
  }
  expectTypeOf(new Queue('q', { codec })).toEqualTypeOf<Queue<Date>>()
  const schema: StandardSchema<Order> = {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Order }) },
  }
  expectTypeOf(new Queue('q', { schema })).toEqualTypeOf<Queue<Order>>()
})

test('what is wrong does not compile', () => {
  expectTypeOf(compiled).returns.toEqualTypeOf<void>()
  compiled(() => {
    // @ts-expect-error An order has a total.
    void producer.send({ sum: 1 })
    // @ts-expect-error There is no such option.
    void producer.send({ total: 1 }, { delay: 5 })
    // @ts-expect-error A batch has payloads.
    void producer.sendBatch([{ total: 1 }])
    // @ts-expect-error Headers are texts.
    void producer.send({ total: 1 }, { headers: { tries: 3 } })
    // @ts-expect-error A deadline is for drain.
    void consumer.run(() => undefined, { deadline: 5 })
    // @ts-expect-error There is no such start.
    queue.createConsumer('g', { from: 'now' })
    // @ts-expect-error There is no such state.
    void queue.list({ state: 'waiting' })
    // @ts-expect-error There is no such rule.
    queue.createConsumer('g', { lanes: { limit: 5 } })
    // @ts-expect-error A rate has a count.
    queue.createConsumer('g', { lanes: { rate: { perMs: 5 } } })
    // @ts-expect-error Lanes have names.
    consumer.only = 5
    // @ts-expect-error An order has a total.
    void queue.edit('a', { sum: 1 })
    // @ts-expect-error What is parked has a reason.
    void consumer.park('receipt', { data: 5 })
    // @ts-expect-error The limit is not optional.
    void consumer.receiveBatch()
    void consumer.receive().then((message) => {
      // @ts-expect-error It may be undefined.
      void message.ack()
      // @ts-expect-error It is immutable.
      if (message !== undefined) message.payload = { total: 2 }
    })
    void new Queue<string>('q')
      .createConsumer()
      .receive()
      .then(async (message) => {
        // @ts-expect-error A message of another queue.
        if (message !== undefined) await consumer.ack(message)
      })
  })
})

test('error codes are a closed set', () => {
  expectTypeOf<QuaysideError['code']>().toEqualTypeOf<
    | 'INVALID_ARGUMENT'
    | 'TOO_LARGE'
    | 'UNSERIALIZABLE'
    | 'SCHEMA_MISMATCH'
    | 'NOT_YET_READABLE'
    | 'STALE_RECEIPT'
    | 'UNSUPPORTED'
    | 'CLOSED'
    | 'LOCKED'
    | 'CORRUPT'
    | 'QUOTA_EXCEEDED'
    | 'STORAGE_FAILED'
    | 'STORAGE_UNAVAILABLE'
    | 'TIMEOUT'
  >()
})
