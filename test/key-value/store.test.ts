import { describe, expect, test } from 'vitest'
import { KeyValueAdapter, type KeyValueStorage } from '../../adapters/key-value/index.ts'
import { KeyValueStore } from '../../adapters/key-value/store.ts'
import { storeCases } from '../../conformance/index.ts'
import { Queue } from '../../src/core/index.ts'
import type { QueueStore, TransactionalStore } from '../../src/segments/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import type { Random } from '../fs/history.ts'
import { ItemStorage } from '../support/item-storage.ts'

const openStore = (storage: KeyValueStorage): Promise<KeyValueStore> =>
  KeyValueStore.open('quayside', storage, Date)

describe.each([true, false])('a key-value storage keeps contract 2 (answers at once: %s)', (sync) => {
  const cases = storeCases({
    async create() {
      const items = new ItemStorage({ sync })
      let store = await openStore(items)
      return {
        store,
        async reopen(): Promise<TransactionalStore> {
          await store.close()
          return (store = await openStore(items))
        },
        destroy: () => store.close(),
      }
    },
  })
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Cases throw, and bring their names.
  for (const { name, run } of cases) test(name, run)
})

describe('what is stored', () => {
  const put = (queue: QueueStore, key: number, text: string): Promise<void> =>
    queue.transact('append', (tx) => tx.put('log', key, text))

  test('stays within three times of what lives, and so do the calls of a commit within a bound', async () => {
    const random = randomFrom(7)
    let calls = 0
    const items = new ItemStorage({ sync: true, onChange: () => void calls++ })
    const queue = await (await openStore(items)).open('queue')
    const row = 'x'.repeat(1000)
    // Cold rows, which nothing ever touches, and hot ones, which are written again and again.
    for (let key = 0; key < 1000; key++) await put(queue, key, row)
    let most = 0
    let mostCalls = 0
    for (let i = 0; i < 6000; i++) {
      const before = calls
      await put(queue, 1000 + Math.floor(random() * 50), row)
      most = Math.max(most, items.units)
      mostCalls = Math.max(mostCalls, calls - before)
    }
    const lives = 1050 * 1020
    expect(most).toBeLessThan(3 * lives)
    // An item, and now and then a position and some removals.
    expect(mostCalls).toBeLessThan(1 + 1 + 400)
    expect(calls).toBeLessThan(3 * 7000)
    const keys = await queue.transact('read', (tx) => tx.count('log', {}))
    expect(keys).toBe(1050)
  })

  test('is little once nothing lives, and few items when much does', async () => {
    const items = new ItemStorage({ sync: true })
    const queue = await (await openStore(items)).open('queue')
    for (let key = 0; key < 3000; key++) await put(queue, key, `${key}`)
    expect(items.items.size).toBeLessThan(250)
    for (let key = 0; key < 3000; key++) await queue.transact('remove', (tx) => tx.delete('log', key))
    expect(items.items.size).toBeLessThan(120)
    // The reserve is half of it.
    expect(items.units).toBeLessThan(100 * 1024)
  })

  test('is cut into items that Android can read, and put together again', async () => {
    const items = new ItemStorage()
    const adapter = new KeyValueAdapter(items)
    const queue = new Queue<string>('long', { storage: adapter })
    // Pairs of surrogates at each place where it might be cut.
    const text = '\u{1f6a2}ab\u00e4'.repeat(130_000)
    await queue.createProducer().send(text)
    await adapter.close()
    const sizes = Array.from(items.items.values(), (value) => Buffer.byteLength(value))
    expect(Math.max(...sizes)).toBeLessThan(2_000_000)
    const again = new Queue<string>('long', { storage: new KeyValueAdapter(items) })
    const message = await again.createConsumer('g').receive()
    expect(message!.payload).toBe(text)
  })

  test('that is damaged in the middle is CORRUPT, and nothing is dropped', async () => {
    const items = new ItemStorage()
    const store = await openStore(items)
    const queue = await store.open('queue')
    for (let key = 0; key < 5; key++) await put(queue, key, 'text')
    await store.close()
    const keys = [...items.items.keys()].filter((key) => /\.\d+$/.test(key) && !/\.[01]$/.test(key))
    for (const damage of ['torn', 'missing']) {
      const damaged = new ItemStorage({ items: items.items })
      if (damage === 'missing') damaged.items.delete(keys[1]!)
      else damaged.items.set(keys[1]!, damaged.items.get(keys[1]!)!.slice(0, 20))
      const before = new Map(damaged.items)
      await expect(openStore(damaged)).rejects.toMatchObject({ code: 'CORRUPT' })
      for (const key of keys) expect(damaged.items.get(key)).toBe(before.get(key))
    }
  })
})

describe('a storage without room', () => {
  /** As much as Android gives, in small. */
  function small(units: number): ItemStorage {
    const storage: ItemStorage = new ItemStorage({
      onChange(key, value) {
        if (value === undefined) return
        const after = storage.units - (storage.items.get(key)?.length ?? -key.length) + value.length
        if (after > units) throw new DOMException('no more', 'QuotaExceededError')
      },
    })
    return storage
  }

  test('refuses appends, and goes on with claims and acks until there is room', async () => {
    const items = small(300_000)
    const adapter = new KeyValueAdapter(items)
    const queue = new Queue<string>('orders', { storage: adapter })
    const producer = queue.createProducer()
    const payload = 'x'.repeat(2000)
    let sent = 0
    await expect(
      (async () => {
        for (;;) {
          await producer.send(payload)
          sent++
        }
      })(),
    ).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(sent).toBeGreaterThan(80)
    await expect(producer.send(payload)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    // Also for whoever opens it when it is full.
    await adapter.close()
    const again = new Queue<string>('orders', { storage: new KeyValueAdapter(items) })
    const consumer = again.createConsumer('g')
    let received = 0
    for (;;) {
      const messages = await consumer.receiveBatch(7)
      if (messages.length === 0) break
      for (const message of messages) await message.ack()
      received += messages.length
    }
    expect(received).toBe(sent)
    await again.createProducer().send(payload)
    expect(await again.stats()).toMatchObject({ messages: 1 })
  })

  test('refuses what is longer than all of it, and has room for others', async () => {
    const items = small(300_000)
    const queue = new Queue<string>('orders', { storage: new KeyValueAdapter(items) })
    const producer = queue.createProducer()
    await expect(producer.send('x'.repeat(900_000))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    await producer.send('short')
    expect(await queue.stats()).toMatchObject({ messages: 1 })
  })
})

test('what is cleared while it is open is told of once, begins anew, and leaves nothing behind', async () => {
  const items = new ItemStorage()
  const queue = new Queue<number>('orders', { storage: new KeyValueAdapter(items) })
  const producer = queue.createProducer()
  await producer.send(1)
  items.items.clear()
  await expect(producer.send(2)).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
    message: expect.stringContaining('clear()'),
  })
  expect([...items.items.keys()]).toEqual([])
  await producer.send(3)
  const messages = await queue.createConsumer().receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual([3])
})

test('what is cleared while it cleans up leaves nothing behind either', async () => {
  const items = new ItemStorage()
  const queue = new Queue<number>('orders', { storage: new KeyValueAdapter(items) })
  const producer = queue.createProducer()
  await producer.send(0)
  const before = new Set(items.items.keys())
  const set = items.setItem.bind(items)
  const state = { cleared: false }
  items.setItem = (key, text) => {
    // Where it says from where on to read.
    if (!state.cleared && /\.[01]$/.test(key)) {
      state.cleared = true
      items.items.clear()
    }
    return set(key, text)
  }
  const consumer = queue.createConsumer()
  while (!state.cleared) {
    await producer.send(1)
    await (await consumer.receive())?.ack()
  }
  await queue.close()
  const runs = [...before].map((key) => key.split('.')[1])
  expect(
    [...items.items.keys()].filter((key) => /\.\d+$/.test(key) && runs.includes(key.split('.')[1])),
  ).toEqual([])
})

test('items of others under its name are told of with what to remove', async () => {
  const items = new ItemStorage()
  await items.setItem('quayside', 'mine')
  const queue = new Queue<number>('orders', { storage: new KeyValueAdapter(items) })
  await expect(queue.stats()).rejects.toMatchObject({
    code: 'CORRUPT',
    message: expect.stringContaining('remove "quayside" and all whose keys begin with "quayside."'),
  })
})

describe('another adapter on the same items', () => {
  test('takes over, and the one before is told that it is LOCKED, for good', async () => {
    const items = new ItemStorage()
    const older = new Queue<number>('orders', { storage: new KeyValueAdapter(items) })
    await older.createProducer().send(1)
    const newer = new Queue<number>('orders', { storage: new KeyValueAdapter(items) })
    const message = await newer.createConsumer('g').receive()
    expect(message!.payload).toBe(1)
    await expect(older.createProducer().send(2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    for (let i = 0; i < 3; i++)
      await expect(older.createProducer().send(3)).rejects.toMatchObject({ code: 'LOCKED' })
    await message!.ack()
    await newer.createProducer().send(4)
    const last = await newer.createConsumer('g').receive()
    expect(last!.payload).toBe(4)
  })

  /** Calls of several clients, one at a time, in an order that chance decides. */
  class Turns {
    readonly items = new ItemStorage({ sync: true })
    #waiting: (() => void)[] = []
    readonly #random: Random

    constructor(random: Random) {
      this.#random = random
    }

    client(): KeyValueStorage {
      const take = <T>(act: () => T): Promise<T> =>
        new Promise((resolve) => void this.#waiting.push(() => resolve(act())))
      return {
        getItem: (key) => take(() => this.items.getItem(key) as string | null),
        setItem: (key, value) => take(() => this.items.setItem(key, value)),
        removeItem: (key) => take(() => this.items.removeItem(key)),
      }
    }

    async until(done: () => boolean): Promise<void> {
      for (let idle = 0; !done() && idle < 50;) {
        for (let i = 0; i < 20; i++) await Promise.resolve()
        const [next] = this.#waiting.splice(Math.floor(this.#random() * this.#waiting.length), 1)
        next?.()
        idle = next === undefined ? idle + 1 : 0
      }
    }
  }

  test('takes over at any moment, and nothing is lost that either has acknowledged', async () => {
    const refused: unknown[] = []
    for (let seed = 1; seed <= 300; seed++) {
      const turns = new Turns(randomFrom(seed))
      const acknowledged: string[] = []
      let ended = 0
      const count = 4
      const work = async (name: string, rows: number): Promise<void> => {
        try {
          const store = await openStore(turns.client())
          const queue = await store.open('queue')
          for (let i = 0; i < rows; i++) {
            const key = `${name} ${i}`
            await queue.transact('append', (tx) => {
              tx.put('ids', key, 'x'.repeat(3000))
              tx.put('state', 'last', 'x'.repeat(20_000))
            })
            acknowledged.push(key)
          }
        } catch (error) {
          refused.push((error as { code?: string }).code)
        }
        ended++
      }
      const running = Array.from({ length: count }, (_, i) => work(`client ${i}`, 12))
      await turns.until(() => ended === count)
      await Promise.all(running)
      const queue = await (await openStore(turns.items)).open('queue')
      const found = await queue.transact('read', (tx) => tx.range('ids', {}, Infinity).map(([key]) => key))
      expect(found, `seed ${seed}`).toEqual(expect.arrayContaining(acknowledged))
      expect(acknowledged.length).toBeGreaterThanOrEqual(12)
    }
    expect(refused.length).toBeGreaterThan(300)
    expect(new Set(refused)).toEqual(new Set(['LOCKED', 'STORAGE_FAILED']))
  })
})

test('a write that fails under one queue ends nothing for it, nor for others that are idle meanwhile', async () => {
  const items = new Map<string, string>()
  let fails = false
  const storage = new KeyValueAdapter({
    getItem: (key) => items.get(key),
    setItem(key, value) {
      if (fails) {
        fails = false
        throw new Error('input/output error')
      }
      items.set(key, value)
    },
    removeItem: (key) => items.delete(key),
  })
  const queue = (name: string): Queue<number> => new Queue<number>(name, { storage })
  const [a, b, again] = [queue('a'), queue('b'), queue('b')]
  await b.createProducer().send(1)
  const message = (await b.createConsumer().receive())!
  const waiting = b.createConsumer().receive({ waitMs: 20_000 })
  await a.createProducer().send(1)
  fails = true
  await expect(a.createProducer().send(2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  expect(await a.createProducer().send(3)).toMatchObject({ status: 'stored' })
  // What is in hand stays there, and who waits is told.
  expect(await again.createConsumer().receive()).toBeUndefined()
  await again.createProducer().send(4)
  expect((await waiting)?.payload).toBe(4)
  await message.ack()
  expect((await a.createConsumer().receiveBatch(10)).map(({ payload }) => payload)).toEqual([1, 3])
})

test('several names share a storage, and are apart', async () => {
  const items = new ItemStorage()
  for (const name of ['a', 'b']) {
    const queue = new Queue<string>('orders', { storage: new KeyValueAdapter(items, { name }) })
    await queue.createProducer().send(name)
    await queue.close()
  }
  const queue = new Queue<string>('orders', { storage: new KeyValueAdapter(items, { name: 'a' }) })
  const messages = await queue.createConsumer('g').receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual(['a'])
})

test.each<[string, unknown, object, string]>([
  ['nothing', undefined, {}, 'getItem'],
  ['no removeItem', { getItem() {}, setItem() {} }, {}, 'removeItem'],
  ['a name with a dot', new ItemStorage(), { name: 'a.b' }, 'name'],
  ['an unknown option', new ItemStorage(), { prefix: 'a' }, 'prefix'],
])('%s is refused', (_, storage, options, word) => {
  expect(() => new KeyValueAdapter(storage as never, options)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(word) }) as Error,
  )
})

test('a storage that cannot be read is STORAGE_UNAVAILABLE', async () => {
  const items = new ItemStorage()
  const storage: KeyValueStorage = {
    getItem: () => Promise.reject(new Error('no native module')),
    setItem: (key, value) => items.setItem(key, value),
    removeItem: (key) => items.removeItem(key),
  }
  await expect(new KeyValueAdapter(storage).open('orders')).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
  })
  expect(items.items.size).toBe(0)
})
