// What contexts hear of each other where no channel reaches: as processes do that share a storage.
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxEvent, type OutboxOptions, type OutboxPayload } from '../../src/outbox/index.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { type Respond, serve, statuses } from './server.ts'

afterEach(() => void vi.unstubAllGlobals())

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

/** Two outboxes on one storage, in one process: with a channel between them, or as two processes have it. */
function two(apart: boolean, options: OutboxOptions = {}): { readonly here: Outbox; readonly there: Outbox } {
  if (apart) vi.stubGlobal('BroadcastChannel', undefined)
  const storage = new MemoryAdapter()
  const open = (): Outbox => new Outbox(new Queue<OutboxPayload>('outbox', { storage }), options)
  return { here: open(), there: open() }
}

/** What is told of ends, in order, and a function that stops it. */
function ends(outbox: Outbox): { readonly all: OutboxEvent[]; readonly stop: () => void } {
  const all: OutboxEvent[] = []
  const stop = outbox.watch((event) => {
    if (/^(accepted|parked|dead|cancelled)$/.test(event.type)) all.push(event)
  })
  return { all, stop }
}

/** By the body's first letter. */
const byBody: Respond = (response, { body }) =>
  response.writeHead({ y: 201, n: 422, d: 410 }[body.toString()[0]!] ?? 200).end('so')
const outcome: OutboxOptions['outcome'] = (response) =>
  response?.ok ? 'accepted' : response?.status === 410 ? 'dead' : 'park'

describe.each([
  ['without a channel', true],
  ['with a channel', false],
])('%s', (_, apart) => {
  test('each end is told once, with its status and reason, wherever somebody listens', async () => {
    const { origin } = await serve(byBody)
    const { here, there } = two(apart, { outcome })
    const [own, other] = [ends(here), ends(there)]
    const expected: OutboxEvent[] = [
      { type: 'accepted', id: 'y1', status: 201 },
      { type: 'parked', id: 'n2', status: 422, reason: 'HTTP 422: so' },
      { type: 'dead', id: 'd3', status: 410, reason: 'HTTP 410: so' },
      { type: 'accepted', id: 'y4', status: 201 },
    ]
    for (const { id } of expected) await here.fetch(origin, { ...post(id!), id })
    for (const { all } of [own, other]) await expect.poll(() => all).toHaveLength(4)
    // What would be told twice would be told by the look after this one.
    await here.fetch(origin, { ...post('y5'), id: 'last' })
    for (const { all } of [own, other]) {
      await expect.poll(() => all.at(-1)?.id).toBe('last')
      expect(all.slice(0, -1)).toEqual(expected)
    }
    own.stop()
    other.stop()
  })

  test('of many at once none is missed, and none is told twice', async () => {
    const { origin } = await serve(byBody)
    const { here, there } = two(apart, { outcome })
    const other = ends(there)
    const ids = await Promise.all(
      Array.from({ length: 100 }, async (_one, i) => (await here.store(origin, post(i % 5 ? 'y' : 'n'))).id),
    )
    await here.drain()
    await expect.poll(() => other.all.length).toBeGreaterThanOrEqual(100)
    await here.fetch(origin, { ...post('y'), id: 'last' })
    await expect.poll(() => other.all.at(-1)?.id).toBe('last')
    expect(other.all).toHaveLength(101)
    expect(new Set(other.all.map(({ id }) => id))).toEqual(new Set([...ids, 'last']))
    expect(other.all.filter(({ type }) => type === 'parked')).toHaveLength(20)
    other.stop()
  })

  test('who comes later hears of what comes later; who has left, of nothing', async () => {
    const { origin } = await serve(byBody)
    const { here, there } = two(apart)
    const early = ends(there)
    await here.fetch(origin, { ...post('n'), id: 'before' })
    await expect.poll(() => early.all).toHaveLength(1)
    early.stop()
    await here.fetch(origin, { ...post('n'), id: 'between' })
    const late = ends(there)
    await there.list()
    await here.fetch(origin, { ...post('n'), id: 'after' })
    await expect.poll(() => late.all.map(({ id }) => id)).toContain('after')
    expect(late.all.map(({ id }) => id)).toEqual(['after'])
    expect(early.all.map(({ id }) => id)).toEqual(['before'])
    late.stop()
  })

  test('what is tried again and refused again is told again; what is dropped, as no acceptance', async () => {
    const { origin } = await serve(byBody)
    const { here, there } = two(apart)
    const other = ends(there)
    await here.fetch(origin, { ...post('n'), id: 'no' })
    await expect.poll(() => other.all).toHaveLength(1)
    await here.resolve('no', 'retry')
    await expect.poll(() => other.all).toHaveLength(2)
    await here.resolve('no', 'drop')
    await here.fetch(origin, { ...post('y'), id: 'last' })
    await expect.poll(() => other.all.at(-1)?.id).toBe('last')
    const told = other.all.map(({ type, id }) => `${type} ${id}`)
    expect(told.filter((one) => one !== 'cancelled no')).toEqual(['parked no', 'parked no', 'accepted last'])
    other.stop()
  })

  test('an id that is used again has an end again', async () => {
    const { origin } = await serve(statuses(201, 202, 203))
    const { here, there } = two(apart)
    const [own, other] = [ends(here), ends(there)]
    for (let i = 1; i <= 3; i++) {
      await here.fetch(origin, { ...post(`${i}`), id: 'draft' })
      for (const { all } of [own, other]) await expect.poll(() => all).toHaveLength(i)
    }
    for (const { all } of [own, other]) expect(all.map(({ status }) => status)).toEqual([201, 202, 203])
    own.stop()
    other.stop()
  })
})

test('of many that end at once others are told through one channel, though nobody listens here', async () => {
  const opened: string[] = []
  vi.stubGlobal(
    'BroadcastChannel',
    class extends BroadcastChannel {
      constructor(name: string) {
        super(name)
        opened.push(name)
      }
    },
  )
  const storage = new MemoryAdapter()
  const outbox = new Outbox(new Queue<OutboxPayload>('outbox', { storage }))
  const own = (): number => opened.filter((name) => name.startsWith('quayside-outbox:')).length
  for (let i = 0; i < 100; i++) await outbox.store('https://app.example', post(String(i)))
  const other = new Outbox(new Queue<OutboxPayload>('outbox', { storage }))
  const told: unknown[] = []
  const unwatch = other.watch(({ type, id }) => type === 'cancelled' && told.push(id))
  const before = own()
  expect(await outbox.clear()).toBe(100)
  expect(own() - before).toBe(1)
  await expect.poll(() => new Set(told).size).toBe(100)
  expect(told).toHaveLength(100)
  unwatch()
})

test('the storage is not asked while nobody listens, nor in a page, where the channel tells all', async () => {
  const { origin } = await serve(byBody)
  vi.stubGlobal('BroadcastChannel', undefined)
  const inner = new MemoryAdapter()
  const here = new Outbox(new Queue<OutboxPayload>('outbox', { storage: inner }))
  const spy = new SpyStorage(inner)
  const queue = new Queue<OutboxPayload>('outbox', { storage: spy })
  const there = new Outbox(queue)
  const asked = async (): Promise<number> => {
    const before = spy.calls.length
    const hints: unknown[] = []
    const unwatch = queue.watch(() => hints.push(undefined))
    await queue.stats()
    await here.fetch(origin, post('y'))
    await expect.poll(() => hints.length).toBeGreaterThan(1)
    unwatch()
    // All but the question of this function.
    return spy.calls.slice(before).filter(({ verb }) => verb === 'list' || verb === 'results').length
  }
  expect(await asked()).toBe(0)
  const listening = ends(there)
  await expect.poll(asked).toBeGreaterThan(0)
  listening.stop()
  await expect.poll(asked).toBe(0)
  vi.stubGlobal('location', { origin: 'https://app.example' })
  const inPage = ends(there)
  expect(await asked()).toBe(0)
  inPage.stop()
})

test('who watches an outbox that is closed is told so; who watched it, of no failure', async () => {
  const told: string[] = []
  const queue = new Queue<OutboxPayload>('outbox', { storage: new MemoryAdapter() })
  const outbox = new Outbox(queue)
  const stop = outbox.watch(({ type }) => told.push(type))
  await queue.close()
  expect(() => outbox.watch(() => undefined)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  stop()
  expect(told).not.toContain('failed')
})
