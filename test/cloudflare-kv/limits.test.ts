import type { KVNamespace } from '@cloudflare/workers-types'
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  CloudflareKVAdapter,
  type CloudflareKVOptions,
  type KVBinding,
  priceOf,
} from '../../adapters/cloudflare-kv/index.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'
import { Setting, bodies, names } from './support/setting.ts'

const DAY = 86_400_000

test("Cloudflare's KVNamespace is a binding, and the adapter is a storage", () => {
  expectTypeOf<KVNamespace>().toExtend<KVBinding>()
  expectTypeOf<CloudflareKVAdapter>().toExtend<StorageAdapter>()
})

test('prices are those of the list', () => {
  const million = 1_000_000
  expect(priceOf({ reads: million, writes: 0, deletes: 0, lists: 0 })).toBe(0.5)
  expect(priceOf({ reads: 0, writes: million, deletes: million, lists: million })).toBe(15)
})

describe('options', () => {
  const binding = new Setting().namespace.place()
  const make = (options: unknown) => () => new CloudflareKVAdapter(binding, options as CloudflareKVOptions)

  test.each<[unknown, string]>([
    [{ prefx: 'a' }, 'options are prefix'],
    [{ prefix: 7 }, 'prefix must be a string, not 7'],
    [{ prefix: 'ü'.repeat(33) }, 'prefix may have 64 bytes, and has 66'],
    [{ retentionMs: 59_999 }, 'retentionMs must be 60000 or more'],
    [{ retentionMs: '1' }, 'retentionMs must be a number, not "1"'],
    [{ retentionMs: Infinity }, 'retentionMs must be 3155760000000 at most, not Infinity'],
    [{ delayStepMs: 1e300 }, 'delayStepMs must be 3155760000000 at most'],
    [{ coalesceMs: 60_001 }, 'coalesceMs must be 60000 at most, not 60001'],
    [{ coalesceMs: -1 }, 'coalesceMs must be 0 or more, not -1'],
    [{ coalesceMs: Number.NaN }, 'coalesceMs must be 0 or more, not NaN'],
    [{ delayStepMs: -1 }, 'delayStepMs must be 0 or more'],
    [{ maxOperations: 0 }, 'maxOperations must be 1 or more, not 0'],
    [{ clock: {} }, 'clock must have the method now'],
    [{ random: 1 }, 'random must be a function, not 1'],
    [{ wait: 1 }, 'wait must be a function'],
    [null, 'options must be an object'],
    ['prefix', 'options must be an object'],
  ])('%j are refused', async (options, text) => {
    await expectCode(make(options), 'INVALID_ARGUMENT', 'new CloudflareKVAdapter', text)
  })

  test.each([undefined, null, {}, 'TASKS', { get() {}, put() {}, list() {} }])(
    'the binding %j is refused',
    async (bad) => {
      await expectCode(
        () => new CloudflareKVAdapter(bad as unknown as KVBinding),
        'INVALID_ARGUMENT',
        'KV namespace',
        'kv_namespaces',
      )
    },
  )

  test('options may be undefined one by one, and at their limits', () => {
    expect(make({ prefix: undefined })).not.toThrow()
    expect(make({ prefix: 'p'.repeat(64), retentionMs: 60_000, maxOperations: Infinity })).not.toThrow()
    expect(make({ prefix: '' })).not.toThrow()
  })
})

describe('limits of the platform', () => {
  test('names of queues and groups of 256 bytes fit behind the longest prefix, whatever characters they have', async () => {
    for (const name of ['\u0001'.repeat(256), '😀'.repeat(64), '/'.repeat(256), '.', '..', 'a/b']) {
      const setting = new Setting()
      const adapter = new CloudflareKVAdapter(setting.namespace.place(), {
        ...setting.options,
        prefix: 'p'.repeat(64),
      })
      const view = await adapter.open(name)
      await view.append([{ body: 'a' }], { batchId: uuid() })
      const request = { group: name, limit: 1, leaseMs: 1000, maxAttempts: 1 }
      expect((await view.claim(request)).deliveries).toHaveLength(1)
      expect(Object.keys((await view.stats()).groups)).toEqual([name])
    }
  })

  test('a queue is not part of another whose name it begins with', async () => {
    const setting = new Setting()
    const adapter = new CloudflareKVAdapter(setting.namespace.place(), setting.options)
    await (await adapter.open('a/b')).append([{ body: 'x' }], { batchId: uuid() })
    expect(await (await adapter.open('a')).stats()).toMatchObject({ messages: 0 })
  })

  test.each<[string, (bytes: number) => string | Uint8Array]>([
    ['text', (bytes) => 'x'.repeat(bytes)],
    ['bytes', (bytes) => new Uint8Array(bytes)],
    ['control characters', (bytes) => '\u0000'.repeat(bytes)],
    ['lone surrogates', (bytes) => '\ud800'.repeat(bytes / 4)],
  ])('the largest body of %s is stored, with the largest headers', async (_, make) => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    const { maxBodyBytes, maxHeaderBytes } = view.adapter.guarantees
    const body = make(maxBodyBytes)
    const headers = { a: '\u0000'.repeat(maxHeaderBytes - 1) }
    await view.send({ body, headers })
    const [delivery] = await (await setting.isolate().open()).take()
    // Not toEqual, which takes long for so much.
    expect(delivery!.body.length).toBe(body.length)
    expect(typeof body === 'string' ? delivery!.body === body : delivery!.body instanceof Uint8Array).toBe(
      true,
    )
    expect(delivery!.headers).toEqual(headers)
  })

  test('the core refuses what is larger, and what KV cannot do, before anything is stored', async () => {
    const setting = new Setting()
    const storage = new CloudflareKVAdapter(setting.namespace.place(), setting.options)
    const producer = new Queue<unknown>('tasks', { storage }).createProducer()
    const { maxBodyBytes, maxBatch } = storage.guarantees
    await expectCode(producer.send(new Uint8Array(maxBodyBytes + 1)), 'TOO_LARGE', `${maxBodyBytes} bytes`)
    await expectCode(
      producer.sendBatch(names('m', maxBatch + 1).map((payload) => ({ payload }))),
      'TOO_LARGE',
      '1000',
    )
    const large = Array.from({ length: 3 }, () => ({ payload: new Uint8Array(7 * 1024 * 1024) }))
    await expectCode(producer.sendBatch(large), 'TOO_LARGE', 'sendBatch', '16777216')
    await expectCode(
      producer.send(1, { key: 'k' }),
      'UNSUPPORTED',
      'cloudflare-kv',
      'ordering keys',
      'durable-object',
    )
    await expectCode(producer.send(1, { id: 'i', replace: true }), 'UNSUPPORTED', 'deduplication')
    expect(setting.namespace.keys()).toEqual([])
  })

  /** What the verbs of lanes, parked messages and results are called with. */
  const refused: readonly (readonly [name: string, what: string, call: (queue: Queue) => unknown])[] = [
    ['send in a lane', 'lanes', (queue) => queue.createProducer().send(1, { lane: 'a' })],
    ['limits', 'lanes', (queue) => queue.createConsumer('g', { lanes: { concurrency: 1 } })],
    ['a filter', 'lanes', (queue) => queue.createConsumer('g', { only: 'a' })],
    ['hold', 'lanes', (queue) => queue.hold()],
    ['release', 'lanes', (queue) => queue.release({ lane: 'a' })],
    ['lanes', 'lanes', (queue) => queue.lanes()],
    ['a list of a lane', 'lanes', (queue) => queue.list({ lane: 'a' })],
    ['afterDead', 'parking', (queue) => queue.createConsumer('g', { afterDead: 'park' })],
    ['resume', 'parking', (queue) => queue.resume(['i'])],
    ['edit', 'parking', (queue) => queue.edit('i', 1)],
    ['send with keepMs', 'results', (queue) => queue.createProducer().send(1, { keepMs: 1000 })],
    ['result', 'results', (queue) => queue.result('i')],
  ]

  test.each(refused)('the core refuses %s, and says where there are %s', async (_, what, call) => {
    const setting = new Setting()
    const storage = new CloudflareKVAdapter(setting.namespace.place(), setting.options)
    const queue = new Queue<unknown>('tasks', { storage })
    const work = async (): Promise<unknown> => await call(queue)
    await expectCode(
      work,
      'UNSUPPORTED',
      'cloudflare-kv',
      what,
      'memory, indexeddb, fs, durable-object and redis',
    )
    expect(setting.namespace.keys()).toEqual([])
  })

  test('the core refuses to keep results of a queue', async () => {
    const setting = new Setting()
    const storage = new CloudflareKVAdapter(setting.namespace.place(), setting.options)
    await expectCode(() => new Queue('tasks', { storage, keepMs: 1000 }), 'UNSUPPORTED', 'results')
  })

  test('a message is not parked, and stays with its consumer', async () => {
    const setting = new Setting()
    const storage = new CloudflareKVAdapter(setting.namespace.place(), setting.options)
    const queue = new Queue<unknown>('tasks', { storage })
    await queue.createProducer().send(1)
    const message = (await queue.createConsumer().receive())!
    await expectCode(message.park({ reason: 'why' }), 'UNSUPPORTED', 'cloudflare-kv', 'durable-object')
    expect((await queue.list({ state: ['parked', 'done', 'leased'] })).messages).toMatchObject([
      { state: 'leased' },
    ])
    await message.ack({ result: 'of no use' })
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 0, parked: 0, acked: 1 })
    expect((await queue.stats()).holds).toEqual([])
  })

  test('a batch of texts that need more room than it seems is written in parts', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    const body = '\ud800'.repeat(2 * 1024 * 1024)
    await view.send(...Array.from({ length: 7 }, () => ({ body })))
    expect(view.adapter.operations.writes).toBe(2)
    expect((await (await setting.isolate().open()).take()).every((one) => one.body === body)).toBe(true)
  })

  test('1000 messages with a header each are one write', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send(...names('m', 1000).map((body) => ({ body, headers: { of: body } })))
    expect(view.adapter.operations.writes).toBe(1)
    expect(bodies(await (await setting.isolate().open()).take({ limit: 1000 }))).toEqual(names('m', 1000))
  })
})

describe('operations', () => {
  /** Messages that are each due at a time of their own. */
  const spread = (count: number): { body: string; delayMs: number }[] =>
    names('m', count).map((body, i) => ({ body, delayMs: (i + 1) * 60_000 }))

  test('a batch that needs more writes than there are is refused before anything is stored', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    await expectCode((await isolate.open()).send(...spread(1000)), 'QUOTA_EXCEEDED', '1000 writes', '900')
    const view = await isolate.open()
    await view.send(...spread(600))
    await expectCode(view.send(...spread(600)), 'STORAGE_UNAVAILABLE', 'append')
    expect(setting.namespace.keys()).toHaveLength(600)
  })

  test.each([1, 2, 20])('a batch of which write %i fails is taken back', async (failing) => {
    const setting = new Setting()
    let writes = 0
    setting.namespace.before = (operation) => {
      if (operation === 'put' && ++writes >= failing && writes < failing + 4)
        throw new Error('KV PUT failed: 500')
    }
    const view = await setting.isolate().open()
    await expectCode(view.send(...spread(20)), 'STORAGE_FAILED')
    expect(setting.namespace.keys()).toEqual([])
    await view.send(...spread(20))
    setting.pass(20 * 60_000)
    expect(bodies(await view.take())).toEqual(names('m', 20))
  })

  test('whatever handlers do, an invocation ends before its 1000th operation', async () => {
    const setting = new Setting()
    const sender = await setting.isolate().open()
    for (let i = 0; i < 3; i++) await sender.send(...names(`${i}`, 300))
    const view = await setting.isolate().open()
    let settled = 0
    const failed = await (async () => {
      for (;;) {
        const held = await view.claim({ limit: 1000 })
        if (held.length === 0) return undefined
        for (const { receipt } of held) {
          await view.settle({ receipt, kind: 'retry', delayMs: 60_000 })
          settled++
        }
      }
    })().catch((error: { code: unknown }) => error.code)
    expect([undefined, 'STORAGE_UNAVAILABLE']).toContain(failed)
    expect(settled).toBeGreaterThan(300)
    const { writes, deletes, lists, reads } = view.adapter.operations
    expect(writes + deletes + lists + reads).toBeLessThan(1000)
    expect((await (await setting.isolate().open()).storage.stats()).messages).toBe(900)
  })

  test('groups that are declared with every send cost a list now and then', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    const groups = [{ name: 'billing' }, { name: 'audit' }]
    for (let i = 0; i < 20; i++) {
      await view.storage.append([{ body: 'a' }], { batchId: uuid(), groups })
      setting.pass(1000)
    }
    expect(view.adapter.operations).toEqual({ reads: 0, writes: 22, deletes: 0, lists: 1 })
    expect(Object.keys((await view.storage.stats()).groups).sort()).toEqual(['audit', 'billing'])
  })

  test('a page reads no more than it may answer with', async () => {
    const setting = new Setting()
    const calls: number[] = []
    const view = await setting.isolate().open()
    for (let i = 0; i < 12; i++) await view.send('x'.repeat(5_000_000))
    setting.namespace.before = (operation, keys) => void (operation === 'get' && calls.push(keys.length))
    const page = await (await setting.isolate().open()).storage.list({ group: 'g', limit: 100 })
    expect([page.messages.length, page.cursor !== undefined, calls]).toEqual([4, true, [3, 3]])
    const held = await (await setting.isolate().open()).claim()
    expect(held).toHaveLength(3)
  })
})

describe('durations', () => {
  test('of a hundred years are what they are', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    const longest = MAX_DURATION_MS
    await view.send({ body: 'later', delayMs: longest }, { body: 'now', expiresInMs: longest })
    const request = { group: 'g', limit: 10, leaseMs: longest, maxAttempts: 2, deadForMs: longest }
    const { deliveries, nextInMs } = await view.storage.claim(request)
    expect([bodies(deliveries), nextInMs]).toEqual([['now'], longest])
    setting.pass(1000)
    const { receipt } = deliveries[0]!
    expect(await view.settle({ receipt, kind: 'extend', leaseMs: longest })).toEqual(['settled'])
    setting.pass(longest - 2000)
    const other = await setting.isolate().open()
    expect(await other.claim()).toEqual([])
    setting.pass(1000)
    expect(bodies(await other.claim())).toEqual(['later'])
    await view.settle({ receipt, kind: 'dead', reason: 'rejected', deadForMs: longest })
    expect(await (await setting.isolate().open()).dead()).toEqual(['now'])
  })

  test('of a retry, and of a millisecond', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send('a')
    setting.pass(2000)
    const [held] = await view.claim({ leaseMs: 1 })
    await view.settle({ receipt: held!.receipt, kind: 'retry', delayMs: MAX_DURATION_MS })
    const { nextInMs } = await view.storage.claim({ group: 'g', limit: 1, leaseMs: 1, maxAttempts: 2 })
    expect(nextInMs).toBe(MAX_DURATION_MS)
    setting.pass(MAX_DURATION_MS)
    expect(bodies(await (await setting.isolate().open()).take())).toEqual(['a'])
  })
})

describe('retention', () => {
  test('what nobody takes is forgotten after it, counted from when it is due', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send('now', { body: 'later', delayMs: DAY })
    setting.pass(4 * DAY + 1)
    expect(bodies(await (await setting.isolate().open()).take({ leaseMs: 1 }))).toEqual(['later'])
    setting.pass(DAY)
    expect(await (await setting.isolate().open()).take()).toEqual([])
  })

  test('a retry and a death start it anew', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send('retried', 'dead')
    setting.pass(3 * DAY)
    const held = await view.take()
    for (const { receipt, body } of held) {
      if (body === 'dead') await view.settle({ receipt, kind: 'dead', reason: 'rejected' })
      else await view.settle({ receipt, kind: 'retry', delayMs: 0 })
    }
    setting.pass(3 * DAY)
    const after = await setting.isolate().open()
    expect([bodies(await after.take()), await after.dead()]).toEqual([['retried'], ['dead']])
  })

  test.each([1000, 10 * DAY])('dead letters are kept for %i ms if that is said', async (deadForMs) => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send('a', { body: 'b', maxAttempts: 1 })
    setting.pass(2000)
    const [held] = await view.claim({ limit: 2, leaseMs: 1 })
    await view.settle({ receipt: held!.receipt, kind: 'dead', reason: 'rejected', deadForMs })
    setting.pass(1)
    await view.claim({ deadForMs })
    setting.pass(deadForMs - 2)
    expect((await (await setting.isolate().open()).dead()).sort()).toEqual(['a', 'b'])
    const { messages } = await view.storage.list({ group: 'g', limit: 10, states: ['dead'] })
    setting.pass(2)
    const after = await setting.isolate().open()
    expect(await after.dead()).toEqual([])
    expect((await after.storage.stats()).groups['g']).toMatchObject({ dead: 0 })
    for (const { receipt } of messages)
      expect(await view.settle({ receipt: receipt!, kind: 'retry', delayMs: 0 })).toEqual(['stale'])
    setting.pass(60_000)
    expect(setting.namespace.keys().filter((key) => key.includes('/x'))).toEqual([])
  })
})

describe('what is written together', () => {
  test('is due together where the times are near, at the last of them, and never before its time', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open({ delayStepMs: 30_000 })
    await view.send(
      ...[0, 1000, 10_000, 31_000, 31_001, 90_000].map((delayMs) => ({ body: `${delayMs}`, delayMs })),
    )
    expect(view.adapter.operations.writes).toBe(4)
    const seen: Record<string, number> = {}
    for (let ms = 0; ms <= 90_000; ms += 1000) {
      for (const { body } of await view.take({ leaseMs: DAY })) seen[String(body)] = ms
      setting.pass(1000)
    }
    expect(seen).toEqual({ 0: 0, 1000: 31_000, 10000: 31_000, 31000: 31_000, 31001: 32_000, 90000: 90_000 })
  })
})

describe('groups', () => {
  test('one group costs no record: its messages are deleted when they are done', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send(...names('m', 100))
    setting.pass(2000)
    const view = await setting.isolate().open()
    const held = await view.take()
    await view.ack(...held)
    // The group and the claim; the segment.
    expect(view.adapter.operations).toEqual({ reads: 1, writes: 2, deletes: 1, lists: 1 })
    expect(setting.namespace.keys()).toHaveLength(2)
  })

  test('two groups get everything, in isolates of their own, and a segment is there until both are done', async () => {
    const setting = new Setting()
    for (const group of ['a', 'b']) await (await setting.isolate().open()).claim({ group, limit: 0 })
    await (await setting.isolate().open()).send(...names('m', 10))
    const segments = (): number => setting.namespace.keys().filter((key) => key.includes('/s')).length
    for (const [i, group] of ['a', 'b'].entries()) {
      setting.pass(5000)
      const view = await setting.isolate().open()
      const held = await view.take({ group })
      expect(bodies(held)).toEqual(names('m', 10))
      expect(segments()).toBe(1)
      await view.storage.settle(
        group,
        held.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      expect(segments()).toBe(1 - i)
    }
  })

  test('a group that two isolates create at once is one', async () => {
    const setting = new Setting()
    const [one, two] = [await setting.isolate().open(), await setting.isolate().open()]
    await one.send('a', 'b')
    const hide = setting.isolate('there', (binding) => binding)
    const three = await hide.open()
    // Both have listed before either has written.
    await Promise.all([one.claim({ limit: 0 }), two.claim({ limit: 0 }), three.claim({ limit: 0 })])
    setting.pass(30_000)
    const after = await setting.isolate().open()
    expect(Object.keys((await after.storage.stats()).groups)).toEqual(['g'])
    const held = await after.take()
    await after.settle(
      { receipt: held[0]!.receipt, kind: 'retry', delayMs: 0 },
      { receipt: held[1]!.receipt, kind: 'ack' },
    )
    setting.pass(30_000)
    expect(bodies(await (await setting.isolate().open()).take())).toEqual(['a'])
    expect(setting.namespace.keys().filter((key) => key.includes('/g')).length).toBeGreaterThan(1)
  })
})
