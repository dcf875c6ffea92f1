import { describe, expect, test } from 'vitest'
import { type ClaimRequest, type Codec, Queue } from '../../src/index.ts'
import { expectCode, expectEmpty, setUp, thrownBy } from '../support/set-up.ts'

describe('without a codec', () => {
  test.each([
    null,
    true,
    false,
    0,
    -1.5,
    1e300,
    '',
    'text',
    '日本 😀 \u0000 \u2028',
    'a lone \ud800 surrogate',
    [],
    {},
    [1, [2, [3]]],
    { a: { b: [null, { c: '' }] }, ключ: 1 },
    JSON.parse('{"__proto__":{"a":1},"constructor":2}') as unknown,
  ])('JSON values come back as they were: %j', async (payload) => {
    const { producer, consumer } = setUp()
    await producer.send(payload)
    expect((await consumer.receive())?.payload).toEqual(payload)
  })

  test('bytes come back as bytes, and nothing else does', async () => {
    const { producer, consumer } = setUp()
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const payloads = [all, new Uint8Array(), all.subarray(10, 20), Buffer.from('abc')]
    for (const payload of payloads) await producer.send(payload)
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ payload }) => [...(payload as Uint8Array)])).toEqual(
      payloads.map((payload) => [...payload]),
    )
    for (const { payload } of messages) expect(payload!.constructor).toBe(Uint8Array)
  })

  test('who receives bytes may change them, without others seeing it', async () => {
    const { queue, producer, consumer } = setUp<Uint8Array>()
    await queue.createConsumer('other').receive()
    await consumer.receive()
    await producer.send(new Uint8Array([1, 2, 3]))
    const message = await consumer.receive()
    message!.payload.fill(0)
    await message!.nack({ delayMs: 0 })
    expect((await consumer.receive())?.payload).toEqual(new Uint8Array([1, 2, 3]))
    expect((await queue.createConsumer('other').receive())?.payload).toEqual(new Uint8Array([1, 2, 3]))
    expect((await queue.list({ state: 'leased' })).messages[0]?.payload).toEqual(new Uint8Array([1, 2, 3]))
  })

  test('what JSON drops is dropped, as JSON does', async () => {
    const { producer, consumer } = setUp()
    await producer.send({ a: undefined, b: [undefined], [Symbol('c')]: 1, d: new Date(0), e: -0 })
    expect((await consumer.receive())?.payload).toEqual({ b: [null], d: '1970-01-01T00:00:00.000Z', e: 0 })
  })
})

const DATES: Codec<Date> = {
  encode: (date) => date.toISOString(),
  decode: (body) => {
    const date = new Date(String(body))
    if (Number.isNaN(date.getTime())) throw new Error('no date')
    return date
  },
}

describe('with a codec', () => {
  test('it makes the bodies, of text or bytes, and reads them', async () => {
    const { storage, producer, consumer } = setUp<Date>({ codec: DATES })
    await producer.send(new Date(5))
    expect(storage.of('append')[0]?.args[0]).toMatchObject([{ body: '1970-01-01T00:00:00.005Z' }])
    expect((await consumer.receive())?.payload).toEqual(new Date(5))
    const bytes = setUp<number>({
      codec: {
        encode: (n) => new Uint8Array([n]),
        decode: (body) => (body as Uint8Array)[0]!,
      },
    })
    await bytes.producer.send(7)
    expect((await bytes.consumer.receive())?.payload).toBe(7)
  })

  test('it may answer with Buffers of Node', async () => {
    const { queue, producer, consumer } = setUp<string>({
      codec: {
        encode: (text) => Buffer.from(text),
        decode: (body) => new TextDecoder().decode(body as Uint8Array<ArrayBuffer>),
      },
    })
    await producer.send('x')
    expect((await queue.list()).messages).toMatchObject([{ payload: 'x' }])
    expect((await consumer.receive())?.payload).toBe('x')
  })

  test('what it cannot encode is refused, with its error as the cause, and nothing is stored', async () => {
    const { queue, producer } = setUp<Date>({ codec: DATES })
    const error = await expectCode(
      producer.send(new Date(Number.NaN)),
      'UNSERIALIZABLE',
      'send',
      'Invalid time',
    )
    expect(error.cause).toBeInstanceOf(RangeError)
    await expectEmpty(queue)
  })

  test.each([
    ['undefined', undefined],
    ['number', 5],
    ['object', { body: 'x' }],
    ['object', new ArrayBuffer(5)],
    ['object', Promise.resolve({ body: 'x' })],
  ])('a body of type %s is refused', async (type, body) => {
    const { queue, producer } = setUp({ codec: { encode: () => body as never, decode: String } })
    await expectCode(producer.send('x'), 'UNSERIALIZABLE', 'send', 'string or a Uint8Array', type)
    await expectEmpty(queue)
  })

  test('what it cannot decode becomes a dead letter, `unreadable`, and is listed without a payload', async () => {
    const { storage, clock, queue, consumer } = setUp<Date>({ codec: DATES })
    const other = new Queue<string>('orders', { storage, clock })
    const { id } = await other.createProducer().send('x')
    expect((await queue.list()).messages).toMatchObject([{ id, payload: undefined, state: 'ready' }])
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.deadLetters().list()).messages).toMatchObject([
      { id, payload: undefined, reason: 'unreadable', lastError: 'no date' },
    ])
    expect((await other.deadLetters().list()).messages).toMatchObject([{ payload: 'x' }])
    await other.close()
  })

  test('what cannot be buried because the storage fails is not swallowed', async () => {
    const { storage, producer, consumer, clock } = setUp<string>({
      codec: {
        encode: (text) => text,
        decode: () => {
          throw new Error('cannot read this')
        },
      },
    })
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y' }])
    const broken = new Error('disk on fire')
    storage.before = ({ verb, args }) => {
      const settles = verb === 'claim' && (args[0] as ClaimRequest).settle !== undefined
      if (settles || verb === 'settle') throw broken
    }
    expect(await thrownBy(consumer.receiveBatch(2))).toBe(broken)
    await clock.advance(30_000)
    expect(await thrownBy(consumer.drain(() => undefined))).toBe(broken)
  })

  test('a limit counts the bytes that it makes', async () => {
    const { producer } = setUp<number>({
      guarantees: { maxBodyBytes: 10 },
      codec: { encode: (n) => '€'.repeat(n), decode: Number },
    })
    await producer.send(3)
    await expectCode(producer.send(4), 'TOO_LARGE', '10', '12')
  })
})
