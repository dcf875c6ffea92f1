import { array, assert, asyncProperty, nat, string, uint8Array } from '../support/fast-check.ts'
import { describe, expect, test } from 'vitest'
import { encrypted } from '../../src/encryption/index.ts'
import type { Codec } from '../../src/index.ts'
import { defer, expectCode, expectEmpty, setUp } from '../support/set-up.ts'
import { effort } from '../support/effort.ts'
import { newKey } from './keys.ts'

const odd = (value: unknown): never => value as never

const keys = new Map([
  ['k1', await newKey()],
  ['k2', await newKey()],
])
const key = (id: string): CryptoKey | undefined => keys.get(id)
const codec = encrypted({ keyId: 'k1', key })

async function bytesOf(payload: unknown, by: Codec<unknown> = codec): Promise<Uint8Array> {
  return (await by.encode(payload)) as Uint8Array
}

describe('what is encrypted', () => {
  test('comes back as it was, whatever it is', async () => {
    const text = encrypted<string>({
      keyId: () => Promise.resolve('k2'),
      key: (id) => Promise.resolve(keys.get(id)),
      codec: { encode: (payload) => payload, decode: (body) => body as string },
    })
    for (const payload of [null, '', { a: [1, 'é€😀'] }, new Uint8Array(), Uint8Array.of(0, 255)])
      expect(await codec.decode(await codec.encode(payload))).toEqual(payload)
    await assert(
      asyncProperty(string({ unit: 'binary' }), uint8Array(), async (string, bytes) => {
        expect(await codec.decode(await codec.encode(bytes))).toEqual(bytes)
        expect(await text.decode(await text.encode(string))).toBe(string)
      }),
      { numRuns: effort({ quick: 60, full: 1000 }) },
    )
    // What begins with a byte order mark keeps it.
    expect(await text.decode(await text.encode('\uFEFFa'))).toBe('\uFEFFa')
  })

  test('is another text each time, 34 bytes and the id longer, and has the id in front', async () => {
    const [a, b] = [await bytesOf('the same'), await bytesOf('the same')]
    expect(a).not.toEqual(b)
    expect(a).toHaveLength(JSON.stringify('the same').length + 34 + 'k1'.length)
    expect(new TextDecoder().decode(a.subarray(0, 8))).toBe('QSE1t\u0002k1')
    // 96 bits of IV, never the same.
    const ivs = await Promise.all(
      Array.from({ length: 100 }, async () => String((await bytesOf(1)).subarray(8, 20))),
    )
    expect(new Set(ivs).size).toBe(100)
  })

  test('is read out of memory that belongs to others, as of Buffers', async () => {
    const stored = await bytesOf({ n: 1 })
    const pool = Buffer.concat([Buffer.from('before'), stored, Buffer.from('behind')])
    expect(await codec.decode(pool.subarray(6, 6 + stored.length))).toEqual({ n: 1 })
  })

  test('is what the payload was when it was sent, and not what its sender made of it later', async () => {
    const gate = defer()
    const { producer, consumer } = setUp({
      codec: encrypted({ keyId: () => gate.promise.then(() => 'k1'), key }),
    })
    const payload = { n: 1 }
    const bytes = Uint8Array.of(1)
    const sent = [producer.send(payload), producer.send(bytes)]
    payload.n = 2
    bytes[0] = 2
    gate.resolve()
    await Promise.all(sent)
    const messages = await consumer.receiveBatch(2)
    expect(messages.map((message) => message.payload)).toEqual([{ n: 1 }, Uint8Array.of(1)])
  })

  test('is all that a codec makes: results and progress, too', async () => {
    const { queue, producer, consumer, storage } = setUp({ codec })
    const { id } = await producer.send('a', { keepMs: 1000 })
    const message = (await consumer.receive())!
    await message.progress({ secret: 'half' })
    await message.ack({ result: { secret: 'whole' } })
    expect(await queue.result(id)).toMatchObject({ status: 'done', value: { secret: 'whole' } })
    const view = await storage.open('orders')
    const { messages } = await view.list({ group: 'default', states: ['done'], ids: [id], limit: 1 })
    expect(messages[0]?.outcome).toMatchObject({ value: expect.any(Uint8Array) })
  })
})

test('messages are sent in the order of the calls, however long each key takes', async () => {
  await assert(
    asyncProperty(array(nat({ max: 4 }), { minLength: 2, maxLength: 12 }), async (turns) => {
      let call = 0
      const slow = encrypted<number>({
        keyId: 'k1',
        key: async (id) => {
          for (let i = turns[call++ % turns.length]!; i > 0; i--) await Promise.resolve()
          return keys.get(id)
        },
      })
      const { producer, consumer } = setUp<number>({ codec: slow })
      await Promise.all(turns.map((_, i) => producer.send(i)))
      const order: number[] = []
      await consumer.drain(({ payload }) => void order.push(payload))
      expect(order).toEqual(turns.map((_, i) => i))
    }),
    { numRuns: effort({ quick: 20, full: 200 }) },
  )
})

describe('rotation', () => {
  test('a new key encrypts from now on, and the old one reads what waits', async () => {
    let current = 'k1'
    const { queue, producer, consumer, storage } = setUp<string>({
      codec: encrypted({ keyId: () => current, key }),
    })
    await producer.send('old')
    current = 'k2'
    await producer.send('new')
    const view = await storage.open('orders')
    const { messages } = await view.list({ group: 'default', limit: 2 })
    const heads = messages.map(({ body }) => new TextDecoder().decode((body as Uint8Array).subarray(6, 8)))
    expect(heads).toEqual(['k1', 'k2'])
    expect((await consumer.receiveBatch(2)).map(({ payload }) => payload)).toEqual(['old', 'new'])
    expect((await queue.stats()).groups['default']).toMatchObject({ parked: 0, dead: 0 })
  })

  test('ids may be long and of any letters; what they may not be is said', async () => {
    const ids = ['日本', 'x'.repeat(255), '../"\n']
    for (const id of ids) {
      const asked: string[] = []
      const some = encrypted({ keyId: id, key: (one) => (asked.push(one), keys.get('k1')) })
      expect(await some.decode(await some.encode(1))).toBe(1)
      expect(asked).toEqual([id, id])
    }
    await expectCode(() => encrypted({ keyId: 'x'.repeat(256), key }), 'TOO_LARGE', 'keyId', '255', '256')
    await expectCode(() => encrypted({ keyId: '', key }), 'INVALID_ARGUMENT', 'keyId', '""')
    await expectCode(() => encrypted(odd({ key })), 'INVALID_ARGUMENT', 'keyId', 'undefined')
    await expectCode(() => encrypted(odd({ keyId: 'a' })), 'INVALID_ARGUMENT', 'key ', 'undefined')
    await expectCode(() => encrypted(odd({ keyId: 'a', key, keys })), 'INVALID_ARGUMENT', '"keys"')
    await expectCode(() => encrypted(odd({ keyId: 'a', key, scope: 1 })), 'INVALID_ARGUMENT', 'scope', '1')
    await expectCode(() => encrypted(odd({ keyId: 'a', key, codec: {} })), 'INVALID_ARGUMENT', 'codec')
    await expectCode(() => encrypted(odd(undefined)), 'INVALID_ARGUMENT', 'options')
  })
})

describe('a send for which there is no key rejects, and nothing is stored', () => {
  const cases: readonly (readonly [string, Parameters<typeof encrypted>[0], string])[] = [
    ['missing', { keyId: 'k9', key }, 'the key "k9" is missing'],
    ['null', { keyId: 'k1', key: () => null }, 'the key "k1" is missing'],
    ['that throws', { keyId: 'k1', key: () => Promise.reject(new Error('vault away')) }, 'vault away'],
    ['that is none', { keyId: 'k1', key: () => odd(new Uint8Array(32)) }, 'CryptoKey'],
    ['for something else', { keyId: 'k1', key: () => newKey('AES-CBC') }, 'send: the payload cannot be'],
    ['without an id', { keyId: () => odd(undefined), key }, 'keyId'],
    ['whose id is too long', { keyId: () => 'x'.repeat(256), key }, '255'],
  ]
  for (const [name, options, text] of cases) {
    test(`one ${name}`, async () => {
      const { queue, producer } = setUp({ codec: encrypted(options) })
      await expectCode(producer.send('a'), 'UNSERIALIZABLE', text)
      await expectEmpty(queue)
    })
  }

  test('nor a payload that cannot be stored', async () => {
    const { queue, producer } = setUp({ codec })
    await expectCode(producer.send(new Map()), 'UNSERIALIZABLE', 'Map')
    await expectEmpty(queue)
    const lone = encrypted<string>({
      keyId: 'k1',
      key,
      codec: { encode: (text) => text, decode: (body) => body as string },
    })
    const other = setUp<string>({ codec: lone })
    await expectCode(other.producer.send('a\uD800'), 'UNSERIALIZABLE', 'surrogates')
  })

  test('and sizes are those of what is stored', async () => {
    const limits = { maxBodyBytes: 100 }
    const { queue, producer } = setUp<Uint8Array>({
      codec: codec as Codec<Uint8Array>,
      guarantees: limits,
    })
    await expectCode(producer.send(new Uint8Array(65)), 'TOO_LARGE', '100', '101')
    await expectEmpty(queue)
    await producer.send(new Uint8Array(64))
    expect((await queue.stats()).messages).toBe(1)
  })
})

const TROUBLE: readonly (readonly [string, () => CryptoKey | undefined | Promise<CryptoKey>, string])[] = [
  ['is missing', () => undefined, 'the key "k1" is missing'],
  ['is another', () => keys.get('k2'), 'the key "k1" does not fit'],
  ['cannot be asked for', () => Promise.reject(new Error('vault away')), 'vault away'],
  ['is for something else', () => newKey('AES-CBC'), 'cannot be decrypted'],
  ['is none', () => odd('hunter2'), 'CryptoKey'],
]

test.each(TROUBLE)(
  'a message whose key %s is parked, and is read once it is back',
  async (_, trouble, reason) => {
    let now: (typeof TROUBLE)[number][1] = () => keys.get('k1')
    const { queue, producer, consumer } = setUp<string>({
      codec: encrypted({ keyId: 'k1', key: () => now() }),
    })
    const { id } = await producer.send('a', { key: 'k' })
    await producer.send('b', { key: 'k' })
    await producer.send('c')
    now = trouble
    expect(await consumer.receiveBatch(5)).toEqual([])
    // What is behind it in its key waits with it.
    const { messages } = await queue.list()
    const states = messages.map(({ state, payload }) => `${state} ${String(payload)}`)
    expect(states.toSorted()).toEqual(['blocked undefined', 'parked undefined', 'parked undefined'])
    const first = messages.find((message) => message.id === id)
    expect(first).toMatchObject({ parked: { data: { code: 'NOT_YET_READABLE' } } })
    expect(first?.parked?.reason).toContain(reason)
    now = () => keys.get('k1')
    const parked = await queue.list({ state: 'parked' })
    await queue.resume(parked.messages.map((message) => message.id))
    const order: string[] = []
    await consumer.drain(({ payload }) => void order.push(payload))
    expect(order.toSorted()).toEqual(['a', 'b', 'c'])
    expect(order.indexOf('a')).toBeLessThan(order.indexOf('b'))
  },
)

test('what was sent in another scope is not read in this one', async () => {
  const mails = encrypted({ keyId: 'k1', key, scope: 'mails' })
  for (const [from, to] of [
    [mails, codec],
    [codec, mails],
  ] as const)
    await expectCode(async () => to.decode(await from.encode(1)), 'NOT_YET_READABLE', 'does not fit')
  expect(await mails.decode(await mails.encode(1))).toBe(1)
})

test('changed bytes are never read as something else: each of them counts', async () => {
  const scoped = encrypted({ keyId: 'k1', key, scope: 'orders' })
  const stored = await bytesOf({ pay: 'ada', sum: 10 }, scoped)
  expect(await scoped.decode(stored)).toEqual({ pay: 'ada', sum: 10 })
  const bits = Array.from(stored, (_, i) => [0, 1, 7].map((bit) => i * 8 + bit)).flat()
  const tries = bits.map((at) => {
    const copy = stored.slice()
    copy[at >> 3]! ^= 1 << (at & 7)
    return copy
  })
  for (let length = 0; length < stored.length; length++) tries.push(stored.slice(0, length))
  tries.push(Uint8Array.of(...stored, 0))
  expect(tries.length).toBeGreaterThan(200)
  for (const bytes of tries) await expectCode(async () => scoped.decode(bytes), 'NOT_YET_READABLE')
})

test('bytes cannot pass for text, nor text for bytes, nor an id for a part of the scope', async () => {
  const stored = await bytesOf('"a"')
  stored[4] = 'b'.charCodeAt(0)
  await expectCode(async () => codec.decode(stored), 'NOT_YET_READABLE', 'does not fit')
  const one = keys.get('k1')!
  const ab = encrypted({ keyId: 'k', scope: 'ab', key: () => one })
  const b = encrypted({ keyId: 'ka', scope: 'b', key: () => one })
  await expectCode(async () => b.decode(await ab.encode(1)), 'NOT_YET_READABLE', 'does not fit')
})

describe('what was stored without encryption', () => {
  test('is parked, for whoever can write to the storage can write that', async () => {
    const { queue, producer, consumer } = setUp({
      codec: { ...codec, encode: (payload) => JSON.stringify(payload) },
    })
    await producer.send('plain')
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.list({ state: 'parked' })).messages[0]?.parked?.reason).toContain('not encrypted')
  })

  test('is read with allowPlain, and what is sent is encrypted', async () => {
    const both = encrypted({ keyId: 'k1', key, allowPlain: true })
    expect(await both.decode('{"n":1}')).toEqual({ n: 1 })
    expect(await both.decode(Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2))
    expect(await both.decode(await both.encode('a'))).toBe('a')
    const stored = await bytesOf('a', both)
    stored[stored.length - 1]! ^= 1
    await expectCode(async () => both.decode(stored), 'NOT_YET_READABLE')
  })
})

test('what was decrypted and is no payload all the same is a dead letter, as without encryption', async () => {
  const wrong = encrypted({ keyId: 'k1', key, codec: { encode: () => '{', decode: JSON.parse } })
  const { queue, producer, consumer } = setUp({ codec: wrong })
  await producer.send(1)
  expect(await consumer.receive()).toBeUndefined()
  expect((await queue.deadLetters().list()).messages).toMatchObject([{ reason: 'unreadable' }])
})

test('where a storage cannot park, a dead letter waits for the key, to be redriven', async () => {
  let here: CryptoKey | undefined = keys.get('k1')
  const { queue, producer, consumer } = setUp({
    codec: encrypted({ keyId: 'k1', key: () => here }),
    guarantees: { parking: false },
  })
  await producer.send('a')
  here = undefined
  expect(await consumer.receive()).toBeUndefined()
  expect((await queue.deadLetters().list()).messages).toMatchObject([{ reason: 'unreadable' }])
  here = keys.get('k1')
  await queue.deadLetters().redrive()
  expect(await consumer.receive()).toMatchObject({ payload: 'a' })
})
