import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { encrypted } from '../../src/encryption/index.ts'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Outbox, type OutboxOptions, type OutboxPayload } from '../../src/outbox/index.ts'
import { type OutboxView, outboxView } from '../../src/view/index.ts'
import { newKey } from '../encryption/keys.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { defer } from '../support/set-up.ts'
import { eventually } from '../support/eventually.ts'

interface Tab {
  readonly outbox: Outbox
  readonly queue: Queue<OutboxPayload>
  readonly view: OutboxView
  readonly storage: SpyStorage
}

const refuse = (): Promise<Response> => Promise.reject(new TypeError('no network'))
const answer = (status: number) => (): Promise<Response> => Promise.resolve(new Response('no', { status }))

/** Tabs with an outbox on one storage. */
function tabs(...all: readonly OutboxOptions[]): readonly Tab[] {
  const memory = new MemoryAdapter()
  return all.map((options) => {
    const storage = new SpyStorage(memory)
    const queue = new Queue<OutboxPayload>('outbox', { storage })
    const outbox = new Outbox(queue, { fetch: refuse, ...options })
    onTestFinished(() => queue.close())
    return { outbox, queue, storage, view: outboxView(outbox) }
  })
}

function follow(...views: readonly OutboxView[]): void {
  for (const view of views) onTestFinished(view.subscribe(() => undefined))
}

async function expectShown(view: OutboxView, expected: object): Promise<void> {
  await eventually(() => expect(view.getSnapshot()).toMatchObject(expected))
}

const post = { method: 'POST', body: 'hello' }

describe('what waits, is under way and is refused', () => {
  test('is shown in every tab, with what it is', async () => {
    const gate = defer()
    const [here, there] = tabs({ fetch: () => gate.promise.then(answer(422)) }, {})
    follow(here!.view, there!.view)
    await expectShown(there!.view, { loaded: true, items: [], waiting: 0, online: true, held: [] })
    const { id } = await here!.outbox.store('https://example.com/notes', {
      ...post,
      key: 'k',
      meta: { title: 'Hello' },
    })
    const item = {
      id,
      method: 'POST',
      url: 'https://example.com/notes',
      key: 'k',
      meta: { title: 'Hello' },
      lastError: undefined,
      nextAt: undefined,
    }
    for (const { view } of [here!, there!])
      await expectShown(view, {
        waiting: 1,
        sending: 0,
        parked: 0,
        items: [{ ...item, state: 'waiting', attempts: 0 }],
      })
    const draining = here!.outbox.drain()
    for (const { view } of [here!, there!])
      await expectShown(view, { waiting: 0, sending: 1, items: [{ ...item, state: 'sending', attempts: 1 }] })
    gate.resolve()
    await draining
    const parked = { ...item, state: 'parked', lastError: 'HTTP 422: no' }
    for (const { view } of [here!, there!])
      await expectShown(view, { sending: 0, parked: 1, items: [parked] })
    await there!.outbox.resolve(id, 'drop')
    for (const { view } of [here!, there!]) await expectShown(view, { parked: 0, items: [] })
  })

  test('says when it is tried again, and stays the same until then', async () => {
    const [tab] = tabs({ fetch: answer(500), retry: { initialMs: 60_000, maxMs: 60_000 } })
    follow(tab!.view)
    await tab!.outbox.store('https://example.com/', post)
    await tab!.outbox.drain()
    await expectShown(tab!.view, {
      waiting: 1,
      items: [{ state: 'retrying', attempts: 1, lastError: 'HTTP 500: no' }],
    })
    const before = tab!.view.getSnapshot()
    expect(before.items[0]!.nextAt).toBeGreaterThan(Date.now() - 1000)
    expect(before.items[0]!.nextAt).toBeLessThan(Date.now() + 61_000)
    const reads = tab!.storage.count('list')
    await tab!.queue
      .createProducer()
      .send({ method: 'GET', url: 'about:blank', headers: {} }, { id: 'other' })
    await expectShown(tab!.view, { waiting: 2 })
    expect(tab!.storage.count('list')).toBeGreaterThan(reads)
    expect(tab!.view.getSnapshot().items[0]).toBe(before.items[0])
  })

  test('is held, until somebody has logged in', async () => {
    const [tab] = tabs({ fetch: answer(401) })
    follow(tab!.view)
    await tab!.outbox.store('https://example.com/', post)
    await tab!.outbox.store('https://other.example/', { ...post, delayMs: 60_000 })
    await tab!.outbox.drain()
    await expectShown(tab!.view, {
      waiting: 2,
      held: ['https://example.com'],
      items: [
        { state: 'held', attempts: 0 },
        { state: 'waiting', attempts: 0 },
      ],
    })
  })

  test('is of the present owner', async () => {
    let owner = 'ada'
    const [tab] = tabs({ owner: () => owner })
    await tab!.outbox.store('https://example.com/of-ada', post)
    owner = 'bob'
    await tab!.outbox.store('https://example.com/of-bob', post)
    follow(tab!.view)
    await expectShown(tab!.view, { waiting: 1, items: [{ url: 'https://example.com/of-bob' }] })
    expect(tab!.view.getSnapshot().items).toHaveLength(1)
  })

  test('is shown without what cannot be read', async () => {
    let key: CryptoKey | undefined = await newKey()
    const queue = new Queue<OutboxPayload>('outbox', {
      storage: new MemoryAdapter(),
      codec: encrypted<OutboxPayload>({ keyId: 'k1', key: () => key }),
    })
    onTestFinished(() => queue.close())
    const outbox = new Outbox(queue, { fetch: refuse })
    const { id } = await outbox.store('https://example.com/', post)
    const whole = key
    key = undefined
    const view = outboxView(outbox)
    follow(view)
    await expectShown(view, { waiting: 1, items: [{ id, method: undefined, url: undefined }] })
    key = whole
    // It is looked at again with the next change.
    await outbox.store('https://example.com/', post)
    await expectShown(view, { waiting: 2, items: [{ id, method: 'POST' }, { method: 'POST' }] })
  })
})

describe('what it costs', () => {
  test('nothing while nobody subscribes', async () => {
    const [tab] = tabs({})
    await tab!.outbox.store('https://example.com/', post)
    const listed = tab!.storage.count('list')
    tab!.view.getSnapshot()
    expect(tab!.view.getServerSnapshot()).toMatchObject({ loaded: false, items: [] })
    await tab!.outbox.store('https://example.com/', post)
    expect(tab!.storage.count('list')).toBe(listed)
  })

  test('a body is read once, and only of what is shown; of many all that are parked are', async () => {
    const [tab] = tabs({ fetch: answer(422) })
    const sent = await tab!.queue.createProducer().sendBatch(
      Array.from({ length: 300 }, (_, i) => ({
        payload: { method: 'POST', url: `https://example.com/${i}`, headers: {} },
      })),
    )
    const consumer = tab!.queue.createConsumer()
    const taken = await consumer.receiveBatch(300)
    await taken[250]!.park({ reason: 'no' })
    await consumer.nackBatch(
      taken.filter((_, i) => i !== 250),
      { delayMs: 0, counts: false },
    )
    const bodies: string[] = []
    const list = tab!.outbox.list.bind(tab!.outbox)
    tab!.outbox.list = async (options) => {
      const page = await list(options)
      if (options?.bodies !== false) bodies.push(...page.messages.map(({ id }) => id))
      return page
    }
    follow(tab!.view)
    await expectShown(tab!.view, { waiting: 299, parked: 1 })
    const { items } = tab!.view.getSnapshot()
    expect(items).toHaveLength(100)
    expect(items.map(({ id }) => id)).toEqual([...sent.slice(0, 99), sent[250]!].map(({ id }) => id))
    expect(bodies).toHaveLength(100)
    await tab!.outbox.cancel(sent[0]!.id)
    await expectShown(tab!.view, { waiting: 298 })
    expect(tab!.view.getSnapshot().items.map(({ id }) => id)).toContain(sent[99]!.id)
    expect(bodies).toHaveLength(101)
  })

  test('of a replaced request the new one is shown', async () => {
    const [tab] = tabs({})
    follow(tab!.view)
    const draft = { ...post, id: 'draft', replace: true }
    await tab!.outbox.store('https://example.com/1', draft)
    await expectShown(tab!.view, { items: [{ url: 'https://example.com/1' }] })
    await tab!.outbox.store('https://example.com/2', draft)
    await expectShown(tab!.view, { waiting: 1, items: [{ url: 'https://example.com/2' }] })
  })
})

test('it tells at once when the network comes and goes', async () => {
  let online = true
  const hooks = new Map<string, () => void>()
  vi.stubGlobal('addEventListener', (event: string, hook: () => void) => void hooks.set(event, hook))
  vi.stubGlobal('removeEventListener', (event: string) => void hooks.delete(event))
  onTestFinished(() => void vi.unstubAllGlobals())
  const [tab] = tabs({ isOnline: () => online })
  const stop = tab!.view.subscribe(() => undefined)
  await expectShown(tab!.view, { loaded: true, online: true })
  online = false
  for (const hook of hooks.values()) (hook as (event: Event) => void)(new Event('offline'))
  await expectShown(tab!.view, { online: false })
  stop()
  expect(hooks.size).toBe(0)
})
