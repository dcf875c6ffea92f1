import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { serve } from './support/site.ts'
import { useBrowsers, useSite } from './support/fixture.ts'
import type { Message } from '../../src/index.ts'
import { effort } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

// What happens to connections and storage in a real Chromium. The rules of the contract are in the conformance suite.

const fixture = useSite()
const browsers = useBrowsers()

describe('a connection that breaks', () => {
  for (const name of ['InvalidStateError', 'UnknownError', 'AbortError']) {
    test(`with ${name} when a transaction begins is opened again, and nothing is lost or double`, async () => {
      const tab = await fixture.open(await fixture.browser())
      const found = await tab.evaluate(async (error) => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
        const producer = queue.createProducer()
        await producer.send(0)
        const transaction = IDBDatabase.prototype.transaction
        let failures = 0
        IDBDatabase.prototype.transaction = function (...args) {
          if (++failures % 3 !== 0) throw new DOMException('injected', error)
          return transaction.apply(this, args)
        }
        for (let i = 1; i < 10; i++) await producer.send(i)
        const messages = await queue.createConsumer().receiveBatch(100)
        return { payloads: messages.map(({ payload }) => payload), failures }
      }, name)
      expect(found.payloads).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(found.failures).toBeGreaterThan(20)
    })
  }

  test('in the middle of a transaction has it run again, whole', async () => {
    const tab = await fixture.open(await fixture.browser())
    const payloads = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      const producer = queue.createProducer()
      await producer.send(0)
      const put = IDBObjectStore.prototype.put
      let puts = 0
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args)
        if (++puts % 5 === 0) this.transaction.abort()
        return request
      }
      for (let i = 1; i < 10; i++) await producer.send(i)
      return (await queue.createConsumer().receiveBatch(100)).map(({ payload }) => payload)
    })
    expect(payloads).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('of which the requests hear alone, as Chromium has it at times, is opened again at once', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      await queue.createProducer().send(0)
      const { addEventListener: add } = EventTarget.prototype
      const { get } = IDBObjectStore.prototype
      let isWhole = true
      IDBObjectStore.prototype.get = function (...args) {
        const request = get.apply(this, args)
        if (isWhole) this.transaction.abort()
        isWhole = false
        return request
      }
      EventTarget.prototype.addEventListener = function (...all: Parameters<typeof add>) {
        const isUnheard = this instanceof IDBTransaction && all[0] === 'abort'
        if (!isUnheard) Reflect.apply(add, this, all)
      }
      const startedAt = performance.now()
      const { messages } = await queue.stats()
      return { messages, isWhole, ms: performance.now() - startedAt }
    })
    expect(found).toMatchObject({ messages: 1, isWhole: false })
    // Its limit of time is 10 s.
    expect(found.ms).toBeLessThan(10_000)
  })

  test('while the device slept is opened again, although the time of the call is over', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      const producer = queue.createProducer()
      await producer.send(0)
      const { now } = performance
      const { get, put } = IDBObjectStore.prototype
      let sleptMs = 0
      let breaks = 2
      performance.now = () => now.call(performance) + sleptMs
      const breaking = <A extends unknown[], R>(method: (this: IDBObjectStore, ...args: A) => R) =>
        function (this: IDBObjectStore, ...args: A): R {
          const request = method.apply(this, args)
          if (breaks-- > 0) {
            sleptMs += 3_600_000
            this.transaction.abort()
          }
          return request
        }
      IDBObjectStore.prototype.put = breaking(put)
      const { status } = await producer.send(1)
      IDBObjectStore.prototype.get = breaking(get)
      breaks = 2
      const { messages } = await queue.stats()
      return { status, messages, breaks: breaks <= 0 }
    })
    expect(found).toEqual({ status: 'stored', messages: 2, breaks: true })
  })

  test('after a commit whose answer is lost does not store the messages twice', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 500 }) })
      const producer = queue.createProducer()
      await producer.send(0)
      // The transaction completes, and yet its end is told as an abort.
      const transaction = IDBDatabase.prototype.transaction
      let lost = 0
      IDBDatabase.prototype.transaction = function (...args) {
        const real = transaction.apply(this, args)
        if (args[1] === 'readwrite' && lost === 0) {
          lost++
          real.addEventListener('complete', (event) => {
            event.stopImmediatePropagation()
            real.dispatchEvent(new Event('abort'))
          })
        }
        return real
      }
      await producer.sendBatch([{ payload: 1 }, { payload: 2, delayMs: 1 }])
      // Until it is due, by the clock of the browser.
      await new Promise((resolve) => setTimeout(resolve, 5))
      const messages = await queue.createConsumer().receiveBatch(100)
      return { payloads: messages.map(({ payload }) => payload), lost }
    })
    expect(found).toEqual({ payloads: [0, 1, 2], lost: 1 })
  })

  test('after a commit whose answer is lost, for good, leaves the outcome open', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 3000 }) })
      const producer = queue.createProducer()
      await producer.send(0)
      // The transaction completes, its end is told as an abort, and then the database cannot be opened any more.
      const { transaction } = IDBDatabase.prototype
      const { open } = IDBFactory.prototype
      IDBDatabase.prototype.transaction = function (...args) {
        const real = transaction.apply(this, args)
        real.addEventListener('complete', (event) => {
          event.stopImmediatePropagation()
          real.dispatchEvent(new Event('abort'))
        })
        return real
      }
      IDBFactory.prototype.open = () => {
        throw new DOMException('injected', 'UnknownError')
      }
      const code = await producer.send(1).catch((error: { code: string }) => error.code)
      IDBDatabase.prototype.transaction = transaction
      IDBFactory.prototype.open = open
      const messages = await queue.createConsumer().receiveBatch(100)
      return { code, payloads: messages.map(({ payload }) => payload) }
    })
    expect(found).toEqual({ code: 'STORAGE_FAILED', payloads: [0, 1] })
  })

  test('after a commit whose answer is lost leaves the outcome open, though the quota is used up meanwhile', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const storage = await new quayside.IndexedDBAdapter().open('q')
      await storage.claim({ group: 'g', limit: 0, leaseMs: 1000, maxAttempts: 1 })
      await storage.append([{ body: 'a' }, { body: 'b' }, { body: 'c' }], { batchId: crypto.randomUUID() })
      const request = { group: 'g', limit: 1, leaseMs: 60_000, maxAttempts: 1 }
      const { deliveries } = await storage.claim(request)
      const { transaction } = IDBDatabase.prototype
      const { put } = IDBObjectStore.prototype
      let tries = 0
      IDBDatabase.prototype.transaction = function (...args) {
        const real = transaction.apply(this, args)
        if (tries++ === 0) {
          real.addEventListener('complete', (event) => {
            event.stopImmediatePropagation()
            real.dispatchEvent(new Event('abort'))
          })
        }
        return real
      }
      IDBObjectStore.prototype.put = function (...args) {
        if (tries > 1) throw new DOMException('injected', 'QuotaExceededError')
        return put.apply(this, args)
      }
      const code = await storage
        .claim({ ...request, settle: [{ receipt: deliveries[0]!.receipt, kind: 'ack' }] })
        .catch((error: { code: string }) => error.code)
      IDBDatabase.prototype.transaction = transaction
      IDBObjectStore.prototype.put = put
      return { code, acked: (await storage.stats()).groups['g']!.acked }
    })
    expect(found).toEqual({ code: 'STORAGE_FAILED', acked: 1 })
  })

  test('between two calls on a transaction has it run again, whole', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      await queue.createProducer().send(0)
      // The call after this one meets a transaction that is no more.
      const { getAll } = IDBObjectStore.prototype
      let aborted = 0
      IDBObjectStore.prototype.getAll = function (...args) {
        const request = getAll.apply(this, args)
        if (aborted++ === 0) this.transaction.abort()
        return request
      }
      const messages = await queue.createConsumer().receiveBatch(100)
      return { payloads: messages.map(({ payload }) => payload), aborted: aborted > 0 }
    })
    expect(found).toEqual({ payloads: [0], aborted: true })
  })

  test('in an append does not take for stored what another one has written meanwhile', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<string>('q', { storage: new IndexedDBAdapter() })
      await queue.createProducer().send('delayed', { delayMs: 1 })
      // Until it is due, by the clock of the browser.
      await new Promise((resolve) => setTimeout(resolve, 5))
      // Both appends move the delayed message. The first one fails after that, and the second one does it.
      const { put } = IDBObjectStore.prototype
      let failures = 0
      IDBObjectStore.prototype.put = function (...args) {
        if (this.name === 'queue' && failures++ === 0) throw new DOMException('injected', 'UnknownError')
        return put.apply(this, args)
      }
      await Promise.all([
        queue.createProducer().send('first', { id: 'first' }),
        queue.createProducer().send('second'),
      ])
      const messages = await queue.createConsumer().receiveBatch(100)
      return { payloads: messages.map(({ payload }) => payload).toSorted(), failures: failures > 0 }
    })
    expect(found).toEqual({ payloads: ['delayed', 'first', 'second'], failures: true })
  })

  test.each([50, 300, 1000])(
    'for %i ms, as when the process of the storage starts again, is waited for',
    async (ms) => {
      const tab = await fixture.open(await fixture.browser())
      const found = await tab.evaluate(async (brokenMs) => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
        const producer = queue.createProducer()
        const breakFor = async (prototype: object, name: string, whole: number): Promise<number> => {
          const real = (prototype as Record<string, unknown>)[name]
          let tries = 0
          Object.assign(prototype, {
            [name]: () => {
              tries++
              throw new DOMException('Internal error.', 'UnknownError')
            },
          })
          setTimeout(() => Object.assign(prototype, { [name]: real }), whole)
          await producer.send(1)
          return tries
        }
        // Where it was never open, somebody may be waiting to be told that it never will be.
        const tries = [await breakFor(IDBFactory.prototype, 'open', Math.min(brokenMs, 500))]
        tries.push(await breakFor(IDBDatabase.prototype, 'transaction', brokenMs))
        return { tries, sent: (await queue.stats()).sent }
      }, ms)
      expect(found.sent).toBe(2)
      for (const tries of found.tries) expect(tries).toBeLessThan(20)
    },
  )

  test('for good rejects with STORAGE_FAILED, after timeoutMs', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 500 }) })
      await queue.createProducer().send(0)
      const { transaction } = IDBDatabase.prototype
      let tries = 0
      IDBDatabase.prototype.transaction = () => {
        tries++
        throw new DOMException('Connection to Indexed Database server lost', 'UnknownError')
      }
      const error = await queue.stats().catch((reason: Error & { code: string }) => reason)
      IDBDatabase.prototype.transaction = transaction
      const { messages } = await queue.stats()
      return {
        code: 'code' in error && error.code,
        text: 'message' in error && error.message,
        tries,
        messages,
      }
    })
    expect(found).toMatchObject({ code: 'STORAGE_FAILED', messages: 1 })
    expect(found.tries).toBeGreaterThan(3)
    expect(found.tries).toBeLessThan(15)
    expect(found.text).toContain('Connection to Indexed Database server lost')
  })

  test('that hangs rejects with TIMEOUT, and the transaction has changed nothing', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 300 }) })
      const producer = queue.createProducer()
      await producer.send(0)
      // Another connection holds all stores for a while, as a suspended tab does in WebKit.
      const other = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('quayside/q')
        request.addEventListener('success', () => resolve(request.result))
      })
      const holding = other.transaction([...other.objectStoreNames], 'readwrite')
      let hold = true
      const keep = (): void => {
        if (hold) holding.objectStore('rows').get(0).addEventListener('success', keep)
      }
      keep()
      const code = await producer.send(1).catch((error: { code: string }) => error.code)
      hold = false
      await producer.send(2)
      const messages = await queue.createConsumer().receiveBatch(100)
      return { code, payloads: messages.map(({ payload }) => payload) }
    })
    expect(found).toEqual({ code: 'TIMEOUT', payloads: [0, 2] })
  })

  test.each(['complete', 'success'])(
    'without a word (%s), as in a page of Firefox that somebody has left and come back to, keeps nobody waiting for ever',
    async (unheard) => {
      const tab = await fixture.open(await fixture.browser())
      const found = await tab.evaluate(async (type) => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 300 }) })
        const producer = queue.createProducer()
        await producer.send(0)
        const { addEventListener: add } = EventTarget.prototype
        EventTarget.prototype.addEventListener = function (...all: Parameters<typeof add>) {
          const isOpening = this instanceof IDBOpenDBRequest
          const isOurs = this instanceof IDBTransaction || (this instanceof IDBRequest && !isOpening)
          if (!isOurs || all[0] !== type) Reflect.apply(add, this, all)
        }
        const code = await producer.send(1).catch((error: { code: string }) => error.code)
        EventTarget.prototype.addEventListener = add
        await producer.send(2)
        const messages = await queue.createConsumer().receiveBatch(100)
        return { code, payloads: messages.map(({ payload }) => payload) }
      }, unheard)
      // Of what was being stored it is not known.
      expect(found).toEqual({ code: 'STORAGE_FAILED', payloads: [0, 1, 2] })
    },
  )

  test('and that is opened again without a word is opened once more', async () => {
    const tab = await fixture.open(await fixture.browser())
    const codes = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 300 }) })
      await queue.createProducer().send(0)
      const { addEventListener: add } = EventTarget.prototype
      const { transaction } = IDBDatabase.prototype
      IDBDatabase.prototype.transaction = function () {
        IDBDatabase.prototype.transaction = transaction
        EventTarget.prototype.addEventListener = function (...all: Parameters<typeof add>) {
          if (!(this instanceof IDBOpenDBRequest)) Reflect.apply(add, this, all)
        }
        throw new DOMException('injected', 'InvalidStateError')
      }
      const codes = []
      for (let call = 0; call < 4; call++) {
        codes.push(
          await queue.stats().then(
            ({ messages }) => messages,
            ({ code }) => code,
          ),
        )
        EventTarget.prototype.addEventListener = add
      }
      return codes
    })
    expect(codes).toEqual(['TIMEOUT', 'TIMEOUT', 1, 1])
  })
})

test('a message alone costs no request more than the raw transactions of a lease, and those of a few keys hardly any', async () => {
  const tab = await fixture.open(await fixture.browser())
  const found = await tab.evaluate(async () => {
    const { Queue, IndexedDBAdapter } = quayside
    const requests: string[] = []
    for (const type of [IDBObjectStore, IDBIndex]) {
      for (const name of ['get', 'getAll', 'add', 'put', 'delete'] as const) {
        const real = (type.prototype as unknown as Record<string, (...args: unknown[]) => unknown>)[name]
        if (real === undefined) continue
        Object.assign(type.prototype, {
          [name](this: unknown, ...args: unknown[]) {
            requests.push(name)
            return real.apply(this, args)
          },
        })
      }
    }
    const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
    const [producer, consumer] = [queue.createProducer(), queue.createConsumer()]
    await consumer.join()
    const alone = async (): Promise<string[]> => {
      await producer.send(1)
      await (await consumer.receive())!.ack()
      return requests.splice(0)
    }
    // The first one learns that nothing is delayed, and where the end is.
    await alone()
    const one = await alone()
    await producer.sendBatch(Array.from({ length: 200 }, (_, n) => ({ payload: n, key: `${n % 10}` })))
    requests.splice(0)
    const { acked } = await consumer.drain(() => undefined, { concurrency: 100 })
    return { one, acked, perMessage: requests.length / acked }
  })
  expect(found.one).toEqual(['add', 'get', 'getAll', 'put', 'get', 'delete', 'put'])
  expect(found.acked).toBe(200)
  // Of ten keys ten are leased at once: their transactions have some five requests each, and not two for every message besides.
  expect(found.perMessage).toBeLessThan(1)
})

test('of messages that were sent at once each keeps its place: replaced, redriven, or left when others are acked', async () => {
  const tab = await fixture.open(await fixture.browser())
  const found = await tab.evaluate(async () => {
    const { Queue, IndexedDBAdapter } = quayside
    const queue = new Queue<string>('q', { storage: new IndexedDBAdapter() })
    const [producer, consumer] = [queue.createProducer(), queue.createConsumer()]
    await consumer.join()
    const sent = Array.from({ length: 20 }, (_, i) => ({ payload: `m${i}`, id: `m${i}` }))
    await producer.sendBatch(sent)
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('quayside/q')
      request.addEventListener('success', () => resolve(request.result))
    })
    const rows = await new Promise<number>((resolve) => {
      const request = database.transaction('messages').objectStore('messages').count()
      request.addEventListener('success', () => resolve(request.result))
    })
    const again = await producer.send('again', { id: 'm7' })
    await producer.send('new', { id: 'm5', replace: true, expiresInMs: 60_000 })
    const first = await consumer.receiveBatch(12)
    for (const [i, message] of first.entries()) {
      if (i === 8) await message.reject()
      else if (i % 2 === 1) await message.ack()
    }
    const left = (await queue.list()).messages.map(({ payload }) => payload)
    await queue.deadLetters().redrive()
    const listed = (await queue.list({ limit: 3 })).messages.map(({ payload }) => payload)
    const rest = await consumer.receiveBatch(100)
    await consumer.ackBatch([...rest, ...first.filter((_, i) => i !== 8 && i % 2 === 0)])
    const { messages } = await queue.stats()
    return {
      again: again.status,
      first: first.map(({ payload }) => payload),
      left,
      listed,
      rows,
      rest: rest.map(({ payload }) => payload),
      messages,
    }
  })
  const of = (...numbers: number[]): string[] => numbers.map((n) => `m${n}`)
  expect(found).toEqual({
    again: 'duplicate',
    first: [...of(0, 1, 2, 3, 4), 'new', ...of(6, 7, 8, 9, 10, 11)],
    left: [...of(0, 2, 4, 6, 10), ...of(12, 13, 14, 15, 16, 17, 18, 19)],
    listed: of(0, 2, 4),
    rows: 1,
    rest: [...of(8), ...of(12, 13, 14, 15, 16, 17, 18, 19)],
    messages: 0,
  })
})

describe('versions', () => {
  test('an upgrade by another tab is let through; this one then says that it must be reloaded', async () => {
    const context = await fixture.browser()
    const [old, newer] = [await fixture.open(context), await fixture.open(context)]
    await old.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      await queue.createProducer().send(1)
      Object.assign(globalThis, { queue })
    })
    const events = await newer.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const events: string[] = []
          const request = indexedDB.open('quayside/q', 99)
          for (const type of ['blocked', 'upgradeneeded', 'success']) {
            request.addEventListener(type, () => {
              events.push(type)
              if (type === 'success') resolve(events)
            })
          }
        }),
    )
    expect(events).toEqual(['upgradeneeded', 'success'])
    const { code, message } = await old.evaluate(async () => {
      const { queue } = globalThis as unknown as { queue: InstanceType<typeof quayside.Queue> }
      const error: unknown = await queue.stats().catch((reason: unknown) => reason)
      const { code, message } = error as { code: string; message: string }
      return { code, message }
    })
    expect(code).toBe('STORAGE_UNAVAILABLE')
    expect(message).toContain('reload this tab')
  })

  test('an older tab that does not let go makes TIMEOUT, which says what to do; then it works', async () => {
    const context = await fixture.browser()
    const [old, newer] = [await fixture.open(context), await fixture.open(context)]
    await old.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const request = indexedDB.open('quayside', 1)
          request.addEventListener('success', () => {
            Object.assign(globalThis, { held: request.result })
            resolve()
          })
        }),
    )
    const [first, second] = await newer.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ timeoutMs: 1000 }) })
      Object.assign(globalThis, { queue })
      const fails = (): Promise<string> =>
        queue.stats().then(
          () => 'no error',
          (error: { code: string; message: string }) => `${error.code} ${error.message}`,
        )
      return [await fails(), await fails()]
    })
    for (const text of [first, second])
      expect(text).toMatch(/^TIMEOUT .*close the tab that has an older version/)
    await old.close()
    const sent = await newer.evaluate(async () => {
      const { queue } = globalThis as unknown as { queue: InstanceType<typeof quayside.Queue> }
      // The request that was late may still take a moment.
      for (;;) {
        try {
          return (await queue.createProducer().send('a')).status
        } catch (error) {
          if ((error as { code: string }).code !== 'TIMEOUT') throw error
        }
      }
    })
    expect(sent).toBe('stored')
  })
})

describe('data that is deleted', () => {
  test('by clearing the site leaves a fresh queue that works, and an event', async () => {
    const context = await fixture.browser()
    const tab = await fixture.open(context)
    await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const events: string[] = []
      const storage = new IndexedDBAdapter({ onEvent: ({ type }) => events.push(type) })
      const queue = new Queue<number>('q', { storage })
      const consumer = queue.createConsumer()
      await queue.createProducer().sendBatch([{ payload: 1 }, { payload: 2 }])
      Object.assign(globalThis, { queue, consumer, events, held: await consumer.receive() })
    })
    const session = await context.newCDPSession(tab)
    await session.send('Storage.clearDataForOrigin', {
      origin: fixture.site.origin,
      storageTypes: 'indexeddb',
    })
    const found = await tab.evaluate(async () => {
      const { queue, consumer, events, held } = globalThis as unknown as {
        queue: InstanceType<typeof quayside.Queue<number>>
        consumer: InstanceType<typeof quayside.Consumer<number>>
        events: string[]
        held: InstanceType<typeof quayside.Message<number>>
      }
      const { messages } = await queue.stats()
      const stale = await held.ack().catch((error: { code: string }) => error.code)
      await queue.createProducer().send(3)
      const next = await consumer.receive()
      await next!.ack()
      return { messages, stale, payload: next!.payload, events }
    })
    expect(found).toEqual({
      messages: 0,
      stale: 'STALE_RECEIPT',
      payload: 3,
      events: ['connection-lost', 'cleared'],
    })
  })

  test('by another page that deletes the database, likewise', async () => {
    const context = await fixture.browser()
    const [one, two] = [await fixture.open(context), await fixture.open(context)]
    await one.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const events: string[] = []
      const queue = new Queue('q', {
        storage: new IndexedDBAdapter({ onEvent: ({ type }) => events.push(type) }),
      })
      await queue.createProducer().send(1)
      Object.assign(globalThis, { queue, events })
    })
    await two.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase('quayside/q')
          request.addEventListener('success', resolve)
          request.addEventListener('blocked', reject)
        }),
    )
    const found = await one.evaluate(async () => {
      const { queue, events } = globalThis as unknown as {
        queue: InstanceType<typeof quayside.Queue>
        events: string[]
      }
      return { sent: await queue.createProducer().send(2), stats: await queue.stats(), events }
    })
    expect(found).toMatchObject({ sent: { status: 'stored' }, stats: { messages: 1 }, events: ['cleared'] })
  })
})

test('queues may have any names, in Firefox too, and are listed by them', async () => {
  const tab = await (await browsers.firefox()).newPage()
  await tab.goto(fixture.site.origin)
  await tab.waitForFunction(() => 'quayside' in globalThis)
  const names = ['a/b', '50%', '%2F', '%EF%BF%BF', '\ufffe', '\uffff', 'ü'.repeat(128)]
  const found = await tab.evaluate(async (all) => {
    const { Queue, IndexedDBAdapter } = quayside
    const storage = new IndexedDBAdapter()
    const queues = all.map((name) => new Queue<string>(name, { storage }))
    for (const queue of queues) await queue.createProducer().send(queue.name)
    const received = []
    for (const queue of queues) received.push((await queue.createConsumer().receive())?.payload)
    const listed = await storage.queues()
    for (const queue of queues) await queue.close()
    return { received, listed }
  }, names)
  expect(found.received).toEqual(names)
  expect(found.listed).toEqual(names.toSorted())
})

describe('quota', () => {
  for (const sqlite of [false, true]) {
    test(`that is used up refuses sends and nothing else${sqlite ? ', on SQLite' : ''}`, async () => {
      const context = await fixture.browser({ sqlite })
      const tab = await fixture.open(context)
      const session = await context.newCDPSession(tab)
      await session.send('Storage.overrideQuotaForOrigin', {
        origin: fixture.site.origin,
        // Of less than this, LevelDB gives nothing back for a while.
        quotaSize: 16 * 1024 * 1024,
      })
      const found = await tab.evaluate(async () => {
        const { Queue, IndexedDBAdapter } = quayside
        const events: string[] = []
        const storage = new IndexedDBAdapter({ onEvent: ({ type }) => events.push(type) })
        const queue = new Queue<Uint8Array>('q', { storage })
        const producer = queue.createProducer()
        const consumer = queue.createConsumer()
        await consumer.join()
        const noise = (): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(20_000))
        let sent = 0
        let error: { code: string; message: string } | undefined
        while (error === undefined && sent < 5000) {
          try {
            await producer.send(noise())
            sent++
          } catch (reason) {
            error = reason as { code: string; message: string }
          }
        }
        const { messages } = await queue.stats()
        const seen = new Set<string>()
        for (;;) {
          const [message] = await consumer.receiveBatch(1)
          if (message === undefined) break
          seen.add(message.id)
          // Some are nacked first, which writes more than an ack.
          if (message.attempt === 1 && seen.size % 100 === 0) await message.nack({ delayMs: 0 })
          else await message.ack()
        }
        const after = await queue.stats()
        // The browser gives the room back when it gets round to it: on a busy machine that takes longer than 10 s.
        let again: unknown
        for (const end = performance.now() + 45_000; performance.now() < end;) {
          again = await producer.send(noise()).catch((reason: { code: string }) => reason.code)
          if (again !== 'QUOTA_EXCEEDED') break
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        return {
          sent,
          error: `${error?.code} ${error?.message}`,
          messages,
          seen: seen.size,
          after: after.messages,
          again,
          events,
        }
      })
      expect(found.sent).toBeGreaterThan(20)
      expect(found.error).toMatch(/^QUOTA_EXCEEDED .*bytes are used/)
      expect(found.messages).toBe(found.sent)
      expect(found.seen).toBe(found.sent)
      expect(found.after).toBe(0)
      expect(found.events).toContain('full')
      expect(found.again).toMatchObject({ status: 'stored' })
    })
  }

  test('whose files Chromium keeps while they are open lets claims and acks go on', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      const consumer = queue.createConsumer()
      await consumer.join()
      await queue.createProducer().send(1)
      // As where LevelDB has not removed what it compacted: whatever is given up, there is no room until all is closed.
      const { transaction, close } = IDBDatabase.prototype
      const closed = new Set<string>()
      IDBDatabase.prototype.close = function (this: IDBDatabase) {
        closed.add(this.name)
        close.call(this)
      }
      IDBDatabase.prototype.transaction = function (this: IDBDatabase, stores, mode, options) {
        const isOfQueue = [...this.objectStoreNames].includes('messages')
        if (mode === 'readwrite' && isOfQueue && closed.size < 2)
          throw new DOMException('no room', 'QuotaExceededError')
        return transaction.call(this, stores, mode, options)
      }
      const message = await consumer.receive()
      await message?.ack()
      const { messages } = await queue.stats()
      await queue.close()
      return { payload: message?.payload, messages, closed: [...closed].sort() }
    })
    // Nothing besides: to begin a fresh log has Chromium compact, which takes room.
    expect(found).toEqual({ payload: 1, messages: 0, closed: ['quayside', 'quayside/q'] })
  })
})

describe('storage that is denied', () => {
  test('in a sandboxed frame is STORAGE_UNAVAILABLE, and says so', async () => {
    const tab = await fixture.open(await fixture.browser())
    fixture.site.routes.set(
      '/framed',
      serve('text/html', `<!doctype html><iframe sandbox="allow-scripts" src="/"></iframe>`),
    )
    await tab.goto(`${fixture.site.origin}/framed`)
    const frame = tab.frames().at(-1)!
    await frame.waitForFunction(() => 'quayside' in globalThis)
    const found = await frame.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue('q', { storage: new IndexedDBAdapter() })
      const error: unknown = await queue
        .createProducer()
        .send(1)
        .catch((reason: unknown) => reason)
      const { code, message } = error as { code: string; message: string }
      return { code, message }
    })
    expect(found.code).toBe('STORAGE_UNAVAILABLE')
    expect(found.message).toContain('quayside')
    expect(found.message).toContain('sandboxed')
  })

  test('or missing altogether, too', async () => {
    const { Queue } = await import('../../src/index.ts')
    const { IndexedDBAdapter } = await import('../../adapters/indexeddb/index.ts')
    const queue = new Queue('q', { storage: new IndexedDBAdapter() })
    await expect(queue.stats()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })
})

describe('several contexts', () => {
  test(
    'an idle consumer in another tab has a new message within 100 ms (median), without polling',
    WALL_CLOCK,
    async () => {
      const context = await fixture.browser()
      const [sender, receiver] = [await fixture.open(context), await fixture.open(context)]
      await receiver.evaluate(async () => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ durability: 'relaxed' }) })
        const consumer = queue.createConsumer()
        await consumer.join()
        const times: number[] = []
        void consumer.run(
          ({ payload }) => void times.push(performance.timeOrigin + performance.now() - payload),
        )
        // How often the idle consumer looks: each time takes a transaction.
        let transactions = 0
        const { transaction } = IDBDatabase.prototype
        IDBDatabase.prototype.transaction = function (...args) {
          transactions++
          return transaction.apply(this, args)
        }
        Object.assign(globalThis, { times, transactions: () => transactions })
      })
      await sender.evaluate(async () => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ durability: 'relaxed' }) })
        const producer = queue.createProducer()
        for (let i = 0; i < 40; i++) {
          await producer.send(performance.timeOrigin + performance.now())
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      })
      await receiver.waitForFunction(() => (globalThis as unknown as { times: number[] }).times.length === 40)
      const found = await receiver.evaluate(async () => {
        const { times, transactions } = globalThis as unknown as {
          times: number[]
          transactions: () => number
        }
        // What the last message has caused is over, and then some time in which somebody who polls would.
        await new Promise((resolve) => setTimeout(resolve, 300))
        const before = transactions()
        await new Promise((resolve) => setTimeout(resolve, 1500))
        return { median: times.toSorted((a, b) => a - b)[20]!, idle: transactions() - before }
      })
      console.log(`from send to handler in another tab: ${found.median.toFixed(1)} ms (median of 40)`)
      // It takes some 5 ms.
      expect(found.median).toBeLessThan(100)
      expect(found.idle).toBe(0)
    },
  )

  test(
    'four tabs and a worker: no delivery twice, order per key, the same stats everywhere',
    WALL_CLOCK,
    async () => {
      const context = await fixture.browser()
      const tabs = await Promise.all(Array.from({ length: 4 }, () => fixture.open(context)))
      const [worker] = await Promise.all([
        tabs[0]!.waitForEvent('worker'),
        tabs[0]!.evaluate(() => void new Worker('/quayside.js', { type: 'module' })),
      ])
      await worker.evaluate(async () => {
        while (!('quayside' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 5))
      })
      // Workers evaluate as pages do.
      const places = [...tabs, worker as unknown as Page]
      const COUNT = effort({ quick: 1000, full: 10_000 })
      await tabs[0]!.evaluate(async (count) => {
        const { Queue, IndexedDBAdapter } = quayside
        const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ durability: 'relaxed' }) })
        const messages = Array.from({ length: count }, (_, payload) => ({
          payload,
          key: `key-${payload % 20}`,
        }))
        await queue.createConsumer().join()
        for (let i = 0; i < count; i += 500)
          await queue.createProducer().sendBatch(messages.slice(i, i + 500))
      }, COUNT)
      // The work of all contexts on one clock: each says what it began and ended, and when.
      type Log = { payload: number; began: number; ended: number }[]
      const logs = await Promise.all(
        places.map((place) =>
          place.evaluate(async (): Promise<Log> => {
            const { Queue, IndexedDBAdapter } = quayside
            const queue = new Queue<number>('q', { storage: new IndexedDBAdapter({ durability: 'relaxed' }) })
            Object.assign(globalThis, { queue })
            const now = (): number => performance.timeOrigin + performance.now()
            const log: Log = []
            const consumer = queue.createConsumer()
            for (;;) {
              const { ready, blocked, leased } = (await queue.stats()).groups['default']!
              if (ready + blocked + leased === 0) return log
              await consumer.drain(
                async ({ payload }) => {
                  const began = now()
                  await Promise.resolve()
                  log.push({ payload, began, ended: now() })
                },
                { concurrency: 4 },
              )
            }
          }),
        ),
      )
      const all = logs.flat()
      console.log(`handled by each context: ${logs.map((log) => log.length).join(', ')}`)
      expect(all).toHaveLength(COUNT)
      expect(new Set(all.map(({ payload }) => payload)).size).toBe(COUNT)
      for (let key = 0; key < 20; key++) {
        const own = all.filter(({ payload }) => payload % 20 === key).toSorted((a, b) => a.began - b.began)
        expect(own.map(({ payload }) => payload)).toEqual(own.map((_, i) => key + 20 * i))
      }
      // One more message: every context sees it at once.
      await tabs[1]!.evaluate(async () => {
        const { queue } = globalThis as unknown as { queue: InstanceType<typeof quayside.Queue<number>> }
        await queue.createProducer().send(-1)
      })
      // A machine that stalls is late once, not three times.
      const looks: number[] = []
      for (let look = 0; look < 3; look++) {
        const started = performance.now()
        const seen = await Promise.all(
          places.map((place) =>
            place.evaluate(async () => {
              const { queue } = globalThis as unknown as {
                queue: InstanceType<typeof quayside.Queue<number>>
              }
              const { messages, sent, groups } = await queue.stats()
              return { messages, sent, acked: groups['default']!.acked }
            }),
          ),
        )
        looks.push(performance.now() - started)
        for (const one of seen) expect(one).toEqual({ messages: 1, sent: COUNT + 1, acked: COUNT })
      }
      // It takes some 20 ms.
      expect(Math.min(...looks)).toBeLessThan(1000)
    },
  )

  test.each([
    ['as blobs', false],
    ['in their rows, where the browser refuses blobs', true],
  ])('long bodies are stored %s, and come back as they were from wherever they are', async (_, refuses) => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async (refused) => {
      const { Queue, IndexedDBAdapter } = quayside
      let blobs = 0
      const add = IDBObjectStore.prototype.add
      IDBObjectStore.prototype.add = function (value: { readonly body?: unknown }, ...rest) {
        if (value.body instanceof Blob && refused) throw new DOMException('no blobs', 'DataCloneError')
        if (value.body instanceof Blob) blobs++
        return add.call(this, value, ...rest)
      }
      type Body = string | Uint8Array
      const codec = { encode: (body: Body) => body, decode: (body: Body) => body }
      const queue = new Queue<Body>('q', { storage: new IndexedDBAdapter(), codec })
      const long = 300_000
      const bodies: Record<string, Body> = {
        bytes: new Uint8Array(long).map((_byte, i) => i * 7),
        text: `\ufeff${'ö€😀'.repeat(long / 4)}`,
        halves: `${'x'.repeat(long)}\ud83d`,
        short: 'short',
      }
      const isSame = (name: string, body: Body | undefined): boolean =>
        typeof body === typeof bodies[name] && String(body) === String(bodies[name])
      const wrong: string[] = []
      const producer = queue.createProducer()
      for (const id of Object.keys(bodies)) {
        await producer.send(bodies[id]!, { id })
        await producer.send(bodies[id]!, { id: `${id} later`, delayMs: 1 })
      }
      const check = (where: string, id: string, body: Body | undefined): void => {
        if (!isSame(id.split(' ')[0]!, body)) wrong.push(`${where} ${id}`)
      }
      for (const { id, payload } of (await queue.list()).messages) check('listed', id, payload)
      const consumer = queue.createConsumer()
      const receive = async (count: number): Promise<Message<Body>[]> => {
        const all: Message<Body>[] = []
        while (all.length < count) all.push(...(await consumer.receiveBatch(count, { waitMs: 10_000 })))
        return all
      }
      for (const message of await receive(8)) {
        check('delivered', message.id, message.payload)
        await message.nack({ delayMs: 0 })
      }
      for (const [n, message] of (await receive(8)).entries()) {
        check('delivered again', message.id, message.payload)
        if (n % 2 === 0) await message.reject({ reason: 'dead' })
        else await message.park({ reason: 'parked' })
      }
      for (const { id, payload } of (await queue.deadLetters().list()).messages) check('dead', id, payload)
      const parked = (await queue.list({ state: 'parked' })).messages
      for (const { id, payload } of parked) check('parked', id, payload)
      for (const { id } of parked) await queue.edit(id, bodies['text']!)
      for (const message of await receive(4)) {
        if (!isSame('text', message.payload)) wrong.push(`edited ${message.id}`)
        await message.ack()
      }
      await queue.deadLetters().redrive()
      for (const message of await receive(4)) {
        check('redriven', message.id, message.payload)
        await message.ack()
      }
      const { messages, bytes } = await queue.stats()
      return { wrong, blobs, messages, bytes }
    }, refuses)
    expect(found).toMatchObject({ wrong: [], messages: 0, bytes: 0 })
    expect(found.blobs > 0).toBe(!refuses)
  })

  test('a payload of 60 MB arrives as it was', async () => {
    const tab = await fixture.open(await fixture.browser())
    const found = await tab.evaluate(async () => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<Uint8Array>('q', { storage: new IndexedDBAdapter() })
      const bytes = new Uint8Array(60_000_000)
      for (let at = 0; at < bytes.length; at += 65_536) {
        crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, bytes.length)))
      }
      const digest = async (data: Uint8Array<ArrayBuffer>): Promise<string> =>
        String(new Uint8Array(await crypto.subtle.digest('SHA-256', data)))
      await queue.createProducer().send(bytes)
      const message = await queue.createConsumer().receive()
      return [await digest(bytes), await digest(message!.payload as Uint8Array<ArrayBuffer>)]
    })
    expect(found[1]).toBe(found[0])
  })
})

test('a list reads where messages stand many at once, and tells what each of them is', async () => {
  const tab = await fixture.open(await fixture.browser())
  const found = await tab.evaluate(async () => {
    const { Queue, IndexedDBAdapter } = quayside
    const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
    const consumer = queue.createConsumer('default', { retry: { maxAttempts: 2 } })
    const all = Array.from({ length: 600 }, (_, i) => i)
    await queue.createProducer().sendBatch(all.map((i) => ({ payload: i, id: `m${i}` })))
    // Of the first 300: done, dead, parked, delayed, leased, in turn.
    for (const message of await consumer.receiveBatch(300)) {
      const kind = message.payload % 5
      if (kind === 0) await message.ack()
      else if (kind === 1) await message.reject({ reason: 'no' })
      else if (kind === 2) await message.park({ reason: 'ask' })
      else if (kind === 3) await message.nack({ delayMs: 3_600_000 })
    }
    const { get } = IDBObjectStore.prototype
    let gets = 0
    IDBObjectStore.prototype.get = function (...args) {
      gets++
      return get.apply(this, args)
    }
    const states: string[] = []
    let cursor: string | undefined
    do {
      const page = await queue.list({ bodies: false, limit: 1000, cursor })
      for (const { id, state } of page.messages) states[Number(id.slice(1))] = state
      cursor = page.cursor
    } while (cursor !== undefined)
    return { gets, states }
  })
  const kinds = [undefined, undefined, 'parked', 'delayed', 'leased']
  expect(found.states).toHaveLength(600)
  for (let i = 0; i < 600; i++) expect(found.states[i] ?? undefined).toBe(i < 300 ? kinds[i % 5] : 'ready')
  expect(found.gets).toBeLessThan(20)
})
