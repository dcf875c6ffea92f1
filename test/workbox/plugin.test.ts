import type { WorkboxPlugin } from 'workbox-core/types.js'
import { describe, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest'
import { BackgroundSyncPlugin, type BackgroundSyncPluginOptions } from '../../presets/workbox.ts'
import { Queue } from '../../src/index.ts'
import type { OutboxPayload } from '../../src/outbox/index.ts'
import { serve } from '../outbox/server.ts'
import { fakeScope } from '../service-worker/scope.ts'
import { expectCode } from '../support/set-up.ts'

let names = 0

/** A plugin in a worker, on memory. */
function setUpPlugin(options: BackgroundSyncPluginOptions = {}) {
  const tags: string[] = []
  const scope = fakeScope({
    registration: { sync: { register: async (tag: string) => void tags.push(tag) } },
  })
  const queue = new Queue<OutboxPayload>('notes')
  onTestFinished(() => queue.close())
  const name = `notes-${++names}`
  return { scope, tags, queue, name, plugin: new BackgroundSyncPlugin(name, { queue, ...options }) }
}

test('has the hook that Workbox calls, with its types', () => {
  expectTypeOf<BackgroundSyncPlugin['fetchDidFail']>().toExtend<NonNullable<WorkboxPlugin['fetchDidFail']>>()
})

test('stores what failed, asks for a sync, and sends it then', async () => {
  const { origin, arrived } = await serve()
  const { scope, tags, queue, name, plugin } = setUpPlugin()
  const request = new Request(`${origin}/notes`, { method: 'POST', body: 'hello' })
  await plugin.fetchDidFail({ request })
  expect(tags).toEqual([`quayside:${name}`])
  expect((await queue.list()).messages).toMatchObject([{ payload: { method: 'POST', body: 'hello' } }])
  await scope.fire('sync', { tag: tags[0] }).waits[0]
  expect(arrived).toMatchObject([{ method: 'POST', path: '/notes', body: Buffer.from('hello') }])
  expect(await plugin.outbox.size()).toBe(0)
})

test('leaves attempts of outboxes alone, such as of a page with another queue', async () => {
  const { tags, queue, plugin } = setUpPlugin()
  const request = new Request('http://127.0.0.1:9/#~quayside-attempt', { method: 'POST', body: 'hello' })
  await plugin.fetchDidFail({ request })
  expect([tags, (await queue.stats()).sent]).toEqual([[], 0])
})

test('leaves what another plugin of overlapping routes sends alone', async () => {
  const other = setUpPlugin()
  const { plugin, queue } = setUpPlugin({
    outbox: {
      fetch: async (request) => {
        await other.plugin.fetchDidFail({ request })
        throw new TypeError('Failed to fetch')
      },
    },
  })
  await plugin.fetchDidFail({
    request: new Request('http://127.0.0.1:9/', { method: 'POST', body: 'hello' }),
  })
  await plugin.outbox.drain()
  expect((await queue.list({ state: ['ready', 'delayed'] })).messages.length).toBe(1)
  expect((await other.queue.stats()).sent).toBe(0)
})

test('adds no header that would need a preflight of another origin', async () => {
  const { origin, arrived } = await serve()
  const { plugin } = setUpPlugin()
  vi.stubGlobal('location', { origin: 'https://app.example' })
  await plugin.fetchDidFail({ request: new Request(origin, { method: 'POST', body: 'hello' }) })
  await plugin.outbox.drain()
  expect(arrived[0]!.headers['idempotency-key']).toBeUndefined()
})

test('keeps what is older than maxRetentionTime as a dead letter', async () => {
  const { queue, plugin } = setUpPlugin({ maxRetentionTime: 0.0001 })
  await plugin.fetchDidFail({ request: new Request('http://127.0.0.1:9/') })
  await expect
    .poll(async () => {
      await plugin.outbox.drain()
      return (await queue.deadLetters().list()).messages.map(({ reason }) => reason)
    })
    .toEqual(['expired'])
})

describe('onSync', () => {
  test('replays, in place of the plugin', async () => {
    const { origin, arrived } = await serve()
    const calls: string[] = []
    const { scope, name, plugin } = setUpPlugin({
      onSync: async ({ queue }) => {
        calls.push(`${queue.name} ${await queue.size()}`)
        await queue.replayRequests()
        calls.push('replayed')
      },
    })
    await plugin.fetchDidFail({ request: new Request(origin) })
    await scope.fire('sync', { tag: `quayside:${name}` }).waits[0]
    expect(arrived.length).toBe(1)
    expect(calls).toEqual([`${name} 1`, 'replayed'])
  })
})

test('passes options of the outbox on', async () => {
  const { origin, arrived } = await serve()
  const before = (request: Request): void => request.headers.set('authorization', 'Bearer fresh')
  const { plugin } = setUpPlugin({ outbox: { before } })
  await plugin.fetchDidFail({ request: new Request(origin) })
  await plugin.outbox.drain()
  await expect.poll(() => arrived[0]?.headers.authorization).toBe('Bearer fresh')
})

test('a name that is taken is refused', async () => {
  const { name, queue } = setUpPlugin()
  await expectCode(() => new BackgroundSyncPlugin(name, { queue }), 'INVALID_ARGUMENT', name, 'is taken')
})

test.each<[string, unknown]>([
  ['an unknown option', { retention: 7 }],
  ['maxRetentionTime', { maxRetentionTime: -1 }],
  ['onSync', { onSync: 'x' }],
  ['an option of the outbox', { outbox: { retries: 1 } }],
])('%s that is wrong is refused', async (_, options) => {
  fakeScope()
  await expectCode(
    () => new BackgroundSyncPlugin(`refused-${++names}`, options as BackgroundSyncPluginOptions),
    'INVALID_ARGUMENT',
  )
})
