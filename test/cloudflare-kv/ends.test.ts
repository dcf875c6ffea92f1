import { describe, expect, test } from 'vitest'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import type { QueueStorage } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import { expectCode } from '../support/set-up.ts'
import { REAL } from './support/model-kv.ts'
import { Setting, bodies, names } from './support/setting.ts'

// Queues that are deleted, and the names and prefixes by which they are told apart.

/** Everything that a queue can have a key for. */
async function everywhere(setting: Setting, storage: QueueStorage): Promise<string[]> {
  const send = (...all: readonly { body: string; delayMs?: number }[]): Promise<unknown> =>
    storage.append(all, { batchId: uuid(), groups: [{ name: 'g' }, { name: 'other' }] })
  await send(...names('m', 20).map((body) => ({ body })), { body: 'later', delayMs: 60_000 })
  const request = { group: 'g', limit: 10, leaseMs: 30_000, maxAttempts: 4 }
  const { deliveries } = await storage.claim(request)
  const receipts = deliveries.map(({ receipt }) => receipt)
  await storage.settle('g', [
    { receipt: receipts[0]!, kind: 'ack' },
    { receipt: receipts[1]!, kind: 'dead', reason: 'rejected' },
    { receipt: receipts[2]!, kind: 'retry', delayMs: 5000 },
    { receipt: receipts[3]!, kind: 'extend', leaseMs: 60_000 },
  ])
  setting.pass(1000)
  await send({ body: 'last' })
  await storage.claim({ ...request, group: 'other' })
  return receipts
}

describe('a queue that is deleted', () => {
  test('leaves no key, and no receipt that is good', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    const receipts = await everywhere(setting, view.storage)
    expect(setting.namespace.keys().length).toBeGreaterThan(8)
    await view.storage.delete()
    expect(setting.namespace.keys()).toEqual([])
    expect(await view.storage.stats()).toEqual({ groups: {}, messages: 0, bytes: 0, sent: 0, holds: [] })
    await view.storage.close()
    expect(setting.namespace.keys()).toEqual([])
    const again = await setting.isolate().open()
    await again.send('new')
    expect(bodies(await again.take())).toEqual(['new'])
    for (const receipt of receipts) expect(await again.settle({ receipt, kind: 'ack' })).toEqual(['stale'])
  })

  test('is deleted from elsewhere, too, and leaves others alone', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await everywhere(setting, view.storage)
    const there = new CloudflareKVAdapter(setting.isolate().binding, setting.options)
    await (await there.open('tasks2')).append([{ body: 'stays' }], { batchId: uuid() })
    await (await there.open('tasks')).delete()
    expect(setting.namespace.keys().every((key) => key.startsWith('quayside/tasks2/'))).toBe(true)
    setting.pass(30_000)
    expect(await view.take()).toEqual([])
  })

  test('is gone at once where it was deleted, although lists show it for minutes', async () => {
    const setting = new Setting(REAL)
    const isolate = setting.isolate()
    const view = await isolate.open()
    await everywhere(setting, view.storage)
    setting.pass(200_000)
    expect((await (await isolate.open()).storage.stats()).messages).toBeGreaterThan(0)
    await (await isolate.open()).storage.delete()
    expect(setting.namespace.keys()).toEqual([])
    for (let i = 0; i < 10; i++) {
      const after = await isolate.open()
      expect(await after.storage.stats()).toMatchObject({ messages: 0, groups: {} })
      expect(await after.adapter.queues()).toEqual([])
      setting.pass(15_000)
    }
  })

  test('and is larger than one invocation can delete, says so, and is gone after the next', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    for (let i = 0; i < 3; i++) {
      const view = await isolate.open({ maxOperations: 50 })
      for (let n = 0; n < 40; n++) await view.send('m')
    }
    const deleting = isolate.open({ maxOperations: 100 }).then(({ storage }) => storage.delete())
    await expectCode(deleting, 'STORAGE_UNAVAILABLE', 'delete', 'new adapter')
    expect(setting.namespace.keys().length).toBeLessThan(30)
    await (await isolate.open({ maxOperations: 100 })).storage.delete()
    expect(setting.namespace.keys()).toEqual([])
  })
})

describe('names of queues', () => {
  const STRANGE = [
    'a',
    'a/b',
    'ä?[x]*%2F',
    '=YQ',
    '.',
    '😀'.repeat(64),
    '\u0001'.repeat(256),
    'z'.repeat(256),
  ]

  test('are listed as they were given, sorted, from every isolate', async () => {
    const setting = new Setting()
    const here = new CloudflareKVAdapter(setting.isolate().binding, setting.options)
    for (const name of STRANGE) await (await here.open(name)).append([{ body: 'x' }], { batchId: uuid() })
    const there = new CloudflareKVAdapter(setting.isolate().binding, setting.options)
    expect(await there.queues()).toEqual([...STRANGE].sort())
    expect(await here.queues()).toEqual([...STRANGE].sort())
  })

  test('are those of queues that have something: what a record tells of may be gone', async () => {
    const setting = new Setting()
    const binding = setting.isolate().binding
    await binding.put('quayside/foreign', 'x')
    await binding.put('quayside/broken%/s000000000000000000000', 'x')
    await binding.put('quayside/left/r000000000000000000000', 'x')
    const adapter = new CloudflareKVAdapter(binding, setting.options)
    await (await adapter.open('empty')).stats()
    await (await adapter.open('group')).claim({ group: 'g', limit: 0, leaseMs: 1, maxAttempts: 1 })
    expect(await adapter.queues()).toEqual(['group'])
    await adapter.close()
    await expectCode(adapter.queues(), 'CLOSED')
  })

  test('take one operation for a thousand keys, and no more than there are', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    for (let i = 0; i < 2500; i++) await isolate.binding.put(`quayside/q${i % 7}/${keyOf(i)}`, 'x')
    const adapter = new CloudflareKVAdapter(isolate.binding, setting.options)
    expect(await adapter.queues()).toEqual(['q0', 'q1', 'q2', 'q3', 'q4', 'q5', 'q6'])
    expect(adapter.operations.lists).toBe(3)
    const poor = new CloudflareKVAdapter(isolate.binding, { ...setting.options, maxOperations: 2 })
    await expectCode(poor.queues(), 'STORAGE_UNAVAILABLE', 'queues')
  })
})

function keyOf(i: number): string {
  return `s${i.toString(32).padStart(21, '0')}`
}

describe('queues of different prefixes', () => {
  test.each([
    ['app', '2-mails', 'app2', '-mails'],
    ['a', 'b', 'a/b', 'c'],
    ['a', 'b', 'a/', 'b'],
    ['', 'a', 'a', 'a'],
    ['a', '/b', 'a/', 'b'],
    ['a', '%2Fb', 'a', '/b'],
  ])('have nothing in common (%j, %j; %j, %j)', async (prefix, queue, otherPrefix, otherQueue) => {
    const setting = new Setting()
    const { binding } = setting.isolate()
    const one = new CloudflareKVAdapter(binding, { ...setting.options, prefix })
    const other = new CloudflareKVAdapter(binding, { ...setting.options, prefix: otherPrefix })
    const view = await one.open(queue)
    await view.append([{ body: 'one' }], { batchId: uuid() })
    const otherView = await other.open(otherQueue)
    await otherView.append([{ body: 'other' }], { batchId: uuid() })
    expect((await view.stats()).messages).toBe(1)
    const own = prefix === otherPrefix ? [queue, otherQueue].sort() : [queue]
    expect(await one.queues()).toEqual(own)
    await view.delete()
    expect((await otherView.stats()).messages).toBe(1)
    expect(setting.namespace.keys()).toHaveLength(1)
  })
})
