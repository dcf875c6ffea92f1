import { array, assert, asyncProperty, boolean, nat } from '../support/fast-check.ts'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { type Codec, Queue, type StandardSchema } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { type Deferred, defer, expectCode, expectEmpty, isPending, setUp } from '../support/set-up.ts'

/** Compresses, as a Worker or a page does: with streams, and so later. */
const GZIP: Codec<unknown> = {
  encode: async (payload) => {
    const stream = new Blob([JSON.stringify(payload)]).stream().pipeThrough(new CompressionStream('gzip'))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  },
  decode: async (body) => {
    const stream = new Blob([body as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream('gzip'))
    return (await new Response(stream).json()) as unknown
  },
}

/** Encodes, and decodes, a text once its gate opens; one without a gate at once. */
function gated(...texts: readonly string[]): { codec: Codec<string>; gates: Map<string, Deferred> } {
  const gates = new Map(texts.map((text) => [text, defer()]))
  const later = (text: string): string | Promise<string> => gates.get(text)?.promise.then(() => text) ?? text
  return { codec: { encode: later, decode: later }, gates }
}

test('payloads come back as they were, from every verb that hands them out', async () => {
  const { queue, producer, consumer } = setUp({ codec: GZIP })
  await producer.send({ n: 1 })
  await producer.sendBatch([{ payload: { n: 2 } }, { payload: { n: 3 } }])
  expect((await queue.list()).messages.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  const first = await consumer.receive()
  expect(first?.payload).toEqual({ n: 1 })
  await first!.reject()
  expect((await queue.deadLetters().list()).messages).toMatchObject([{ payload: { n: 1 } }])
  const rest = await consumer.receiveBatch(5)
  expect(rest.map(({ payload }) => payload)).toEqual([{ n: 2 }, { n: 3 }])
  await consumer.nackBatch(rest, { delayMs: 0 })
  const handled: unknown[] = []
  expect(await consumer.drain((message) => handled.push(message.payload))).toMatchObject({ acked: 2 })
  expect(handled).toEqual([{ n: 2 }, { n: 3 }])
})

describe('the order of sends is the order of the calls', () => {
  test('a quick one behind a slow one waits for it', async () => {
    const { codec, gates } = gated('slow')
    const { storage, queue, producer } = setUp<string>({ codec })
    const sent = [
      producer.send('before'),
      producer.send('slow'),
      producer.send('quick'),
      producer.sendBatch([{ payload: 'batch' }]),
    ]
    await sent[0]
    expect(await isPending(sent[2]!)).toBe(true)
    expect(storage.count('append')).toBe(1)
    gates.get('slow')!.resolve()
    await Promise.all(sent)
    // What waited together is written together.
    expect(storage.count('append')).toBe(2)
    expect((await queue.list()).messages.map(({ payload }) => payload)).toEqual([
      'before',
      'slow',
      'quick',
      'batch',
    ])
  })

  test('whatever takes how long, codec or schema, of one or of many', async () => {
    await assert(
      asyncProperty(
        array(array(nat({ max: 3 }), { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 12,
        }),
        boolean(),
        boolean(),
        async (calls, slowCodec, slowSchema) => {
          const wait = async (turns: number): Promise<void> => {
            for (let i = 0; i < turns; i++) await settle()
          }
          type Payload = { readonly n: number; readonly turns: number }
          const codec: Codec<Payload> = {
            encode: (payload) => {
              const body = JSON.stringify(payload)
              return slowCodec && payload.turns > 0 ? wait(payload.turns).then(() => body) : body
            },
            decode: (body) => JSON.parse(body as string) as Payload,
          }
          const schema: StandardSchema<Payload> = {
            '~standard': {
              version: 1,
              vendor: 'test',
              validate: (value) => {
                const result = { value: value as Payload }
                return slowSchema && result.value.turns === 1 ? wait(2).then(() => result) : result
              },
            },
          }
          const { queue, producer } = setUp<Payload>({ codec, schema })
          let n = 0
          const sent = calls.map((all) => {
            const payloads = all.map((turns) => ({ n: n++, turns }))
            return payloads.length === 1
              ? producer.send(payloads[0]!)
              : producer.sendBatch(payloads.map((payload) => ({ payload })))
          })
          await Promise.all(sent)
          const { messages } = await queue.list({ limit: 100 })
          expect(messages.map(({ payload }) => payload!.n)).toEqual(Array.from({ length: n }, (_, i) => i))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('one that cannot be encoded holds up nobody', async () => {
    const { codec, gates } = gated('bad')
    const { queue, producer } = setUp<string>({ codec })
    const bad = producer.send('bad')
    const good = producer.send('good')
    expect(await isPending(good)).toBe(true)
    gates.get('bad')!.reject(new Error('no key'))
    const error = await expectCode(bad, 'UNSERIALIZABLE', 'send', 'cannot be encoded', 'no key')
    expect(error.cause).toMatchObject({ message: 'no key' })
    await good
    expect((await queue.stats()).messages).toBe(1)
  })
})

test('a codec that answers at once costs no turn', async () => {
  const { storage, producer } = setUp()
  await producer.send('opens the storage')
  const sent = producer.send('x')
  await Promise.resolve()
  expect(storage.count('append')).toBe(2)
  await sent
})

test('a batch with one that cannot be encoded is refused whole', async () => {
  const { codec, gates } = gated('bad', 'late')
  const { queue, producer } = setUp<string>({ codec })
  const sent = producer.sendBatch([{ payload: 'good' }, { payload: 'bad' }, { payload: 'late' }])
  gates.get('bad')!.reject(new Error('no key'))
  await expectCode(sent, 'UNSERIALIZABLE', 'sendBatch, message 1', 'no key')
  gates.get('late')!.reject(new Error('is nobody told'))
  await settle()
  await expectEmpty(queue)
})

test('the schema is the first to refuse', async () => {
  const { queue, producer } = setUp({
    codec: { encode: () => Promise.reject(new Error('no key')), decode: String },
    schema: {
      '~standard': { version: 1, vendor: 'test', validate: async () => ({ issues: [{ message: 'no' }] }) },
    },
  })
  await expectCode(producer.send('x'), 'SCHEMA_MISMATCH')
  await expectEmpty(queue)
})

test.each([undefined, 5, { body: 'x' }, new ArrayBuffer(5)])('a late body must be one: %o', async (body) => {
  const { queue, producer } = setUp({
    codec: { encode: () => Promise.resolve(body as never), decode: String },
  })
  await expectCode(producer.send('x'), 'UNSERIALIZABLE', 'string or a Uint8Array')
  await expectEmpty(queue)
})

test('a late body that is too large is refused', async () => {
  const { queue, producer } = setUp<string>({
    codec: { encode: (text) => Promise.resolve(text), decode: String },
    guarantees: { maxBodyBytes: 5 },
  })
  await expectCode(producer.send('123456'), 'TOO_LARGE', '5', '6')
  await expectEmpty(queue)
})

test('a promise of another realm is waited for', async () => {
  const later = runInNewContext('(value) => Promise.resolve(value)') as (value: unknown) => Promise<string>
  const { producer, consumer } = setUp<string>({
    codec: { encode: later, decode: later },
  })
  await producer.send('x')
  expect((await consumer.receive())?.payload).toBe('x')
})

test('messages are handed out in order, whichever is decoded first', async () => {
  const { codec, gates } = gated('a')
  const { storage, clock, consumer } = setUp<string>({ codec })
  const plain = new Queue<string>('orders', { storage, clock, codec: { encode: String, decode: String } })
  await plain.createProducer().sendBatch(['a', 'b', 'c'].map((payload) => ({ payload })))
  const received = consumer.receiveBatch(3)
  expect(await isPending(received)).toBe(true)
  gates.get('a')!.resolve()
  expect((await received).map(({ payload }) => payload)).toEqual(['a', 'b', 'c'])
  await plain.close()
})

test('what is rejected by decode becomes a dead letter, and is listed without a payload', async () => {
  const { queue, producer, consumer } = setUp<string>({
    codec: {
      encode: (text) => Promise.resolve(text),
      decode: (body) =>
        body === 'bad' ? Promise.reject(new Error('wrong key')) : Promise.resolve(String(body)),
    },
  })
  await producer.sendBatch([{ payload: 'bad' }, { payload: 'good' }])
  expect((await queue.list()).messages.map(({ payload }) => payload)).toEqual([undefined, 'good'])
  expect((await consumer.receive())?.payload).toBe('good')
  expect(await consumer.receive()).toBeUndefined()
  expect((await queue.deadLetters().list()).messages).toMatchObject([
    { payload: undefined, reason: 'unreadable', lastError: 'wrong key' },
  ])
})

describe('a send that is still encoded when the queue is closed', () => {
  test('is carried out, and so are those behind it', async () => {
    const { codec, gates } = gated('slow')
    const { queue, clock, storage, producer } = setUp<string>({ codec })
    const sent = [producer.send('slow'), producer.send('quick')]
    await settle()
    const closed = queue.close()
    expect(await isPending(closed)).toBe(true)
    await expectCode(producer.send('late'), 'CLOSED')
    gates.get('slow')!.resolve()
    expect(await Promise.all(sent)).toMatchObject([{ status: 'stored' }, { status: 'stored' }])
    await closed
    const again = new Queue('orders', { storage, clock, codec })
    expect((await again.list()).messages.map(({ payload }) => payload)).toEqual(['slow', 'quick'])
    await again.close()
  })

  test('without anything before it that is open, either', async () => {
    const { codec, gates } = gated('slow')
    const { queue, producer } = setUp<string>({ codec })
    const sent = producer.send('slow')
    const closed = queue.close()
    gates.get('slow')!.resolve()
    await closed
    expect(await sent).toMatchObject({ status: 'stored' })
  })

  test('is refused when the time is over that closing waits; those behind it are carried out', async () => {
    const { codec, gates } = gated('hangs')
    const { queue, clock, storage, producer } = setUp<string>({ codec })
    const hung = producer.send('hangs')
    const behind = producer.send('quick')
    const closed = queue.close({ graceMs: 500 })
    const refused = expectCode(hung, 'CLOSED', 'send')
    await clock.advance(499)
    expect(await isPending(closed)).toBe(true)
    await clock.advance(1)
    await refused
    expect(await behind).toMatchObject({ status: 'stored' })
    await closed
    expect(storage.count('append')).toBe(1)
    gates.get('hangs')!.resolve()
    await settle()
    expect(storage.count('append')).toBe(1)
  })

  test('of a handler is carried out too', async () => {
    const { codec, gates } = gated('slow')
    const { queue, producer, consumer } = setUp<string>({ codec })
    await producer.send('work')
    const running = consumer.run(() => void producer.send('slow'))
    await settle()
    const closed = queue.close()
    await running
    expect(await isPending(closed)).toBe(true)
    gates.get('slow')!.resolve()
    await closed
  })
})
