import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { settle } from '../support/settle.ts'
import { expectCode } from '../support/set-up.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { serve } from './server.ts'
import { idOf, setUpOutbox, stateOf, passes } from './set-up.ts'

// A request belongs to a person.

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

describe('what one owner has stored', () => {
  test('is not sent for another one, is in nobody’s way, and goes when its owner is back', async () => {
    let user: string | undefined = 'A'
    const { origin, bodies } = await serve()
    const { outbox, another, told } = setUpOutbox({ owner: () => user })
    outbox.pause()
    await outbox.store(origin, { ...post('of A'), key: 'k' })
    user = 'B'
    await outbox.resume()
    await outbox.store(origin, { ...post('of B'), key: 'k' })
    expect(await outbox.drain()).toMatchObject({ acked: 1 })
    expect(await another().drain()).toMatchObject({ acked: 0 })
    expect(bodies()).toEqual(['of B'])
    expect([await outbox.size(), (await outbox.list()).messages.length, await outbox.due()]).toEqual([
      0, 0, 0,
    ])
    user = undefined
    expect(await outbox.drain()).toMatchObject({ acked: 0 })
    user = 'A'
    expect(await outbox.size()).toBe(1)
    expect(await outbox.drain()).toMatchObject({ acked: 1 })
    await told('accepted', 2)
    expect(bodies()).toEqual(['of B', 'of A'])
  })

  test('is not sent by an outbox that knows of no owners, nor the other way round', async () => {
    const { origin, bodies } = await serve()
    const { outbox, another } = setUpOutbox()
    const owned = another({ owner: () => 'A' })
    await owned.store(origin, post('of A'))
    await outbox.store(origin, post('of nobody'))
    expect(await outbox.drain()).toMatchObject({ acked: 1 })
    expect(bodies()).toEqual(['of nobody'])
    expect(await owned.drain()).toMatchObject({ acked: 1 })
  })

  test('waits while the owner is not known yet, also where it was started', async () => {
    let know!: (owner: string) => void
    const owner = new Promise<string>((resolve) => (know = resolve))
    const { origin, bodies } = await serve()
    const { outbox, another, told } = setUpOutbox()
    await another({ owner: () => 'A' }).store(origin, post('of A'))
    await outbox.store(origin, post('of nobody'))
    const late = another({ owner: () => owner })
    const stop = late.start()
    await settle()
    expect(bodies()).toEqual([])
    know('A')
    await expect.poll(bodies).toEqual(['of A'])
    await stop()
    expect(told).toBeDefined()
  })

  test('is told apart though names are long, begin alike, or look like others', async () => {
    const names = ['A', 'a', 'A ', ' A', 'A/B', `${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`, 'Größe', 'A%20']
    let user = ''
    const { origin, bodies } = await serve()
    const { outbox } = setUpOutbox({ owner: () => user })
    outbox.pause()
    for (user of names) await outbox.store(`${origin}/x`, post(user))
    for (user of names.toReversed()) {
      await outbox.resume()
      await outbox.drain()
    }
    expect(bodies()).toEqual(names.toReversed())
  })

  test('is not sent when the owner changes while it is prepared', async () => {
    let user = 'A'
    const { origin, arrived } = await serve()
    const { outbox, queue } = setUpOutbox({ owner: () => user, before: () => void (user = 'B') })
    expect(stateOf(await outbox.fetch(origin, post('of A')))).toBe('stored')
    expect(arrived.length).toBe(0)
    expect((await queue.list()).messages).toMatchObject([{ attempt: 0 }])
  })

  test('is not sent from a lane of somebody else, into which it was put, and keeps nobody busy', async () => {
    const { origin, arrived } = await serve()
    const { outbox, queue, told } = setUpOutbox({ owner: () => 'A' })
    const stop = outbox.start()
    const request = { method: 'POST', url: origin, headers: {} }
    await queue.createProducer().send(request, { lane: 'A anywhere', headers: { 'quayside-owner': 'B' } })
    await queue.createProducer().send(request, { lane: 'A anywhere' })
    expect((await outbox.fetch(origin, post('of A'))).status).toBe(201)
    await told('accepted')
    expect(arrived.length).toBe(1)
    await expect.poll(async () => (await queue.list({ state: 'delayed' })).messages.length).toBe(2)
    await stop()
  })

  test('is cleared without touching others', async () => {
    let user = 'A'
    const { outbox, queue, told } = setUpOutbox({ owner: () => user })
    await outbox.store('http://127.0.0.1:9', post('of A'))
    user = 'B'
    await outbox.store('http://127.0.0.1:9', post('of B'))
    await outbox.store('http://127.0.0.1:9', post('of B'))
    expect(await outbox.clear()).toBe(2)
    await told('cancelled', 2)
    expect((await queue.list()).messages.length).toBe(1)
  })

  test('costs another destination nothing when it is held, and is tried anew for a new owner', async () => {
    let user = 'A'
    const { origin, arrived } = await serve((response, { body }) =>
      response.writeHead(body.toString() === 'of A' && arrived.length < 2 ? 401 : 200).end(),
    )
    const { outbox } = setUpOutbox({ owner: () => user })
    const stop = outbox.start()
    expect(stateOf(await outbox.fetch(origin, post('of A')))).toBe('held')
    user = 'B'
    expect((await outbox.fetch(origin, post('of B'))).status).toBe(200)
    expect(await outbox.held()).toEqual([])
    user = 'A'
    await outbox.retryNow()
    await expect.poll(() => arrived.length).toBe(3)
    await stop()
  })
})

test('two owners may give the same id: neither replaces, drops, edits or reads what is of the other one', async () => {
  let user = 'A'
  const told: unknown[] = []
  const { origin } = await serve((response, { body, headers }) => {
    told.push([body.toString(), headers['idempotency-key']])
    response.end(`echo ${body.toString()}`)
  })
  const { outbox, events } = setUpOutbox({
    owner: () => user,
    before: async (_, message) => {
      await message.extend(60_000)
      told.push(message.id)
    },
    outcome: (_, __, { id, leaseUntil }) => (told.push(id, leaseUntil > 0), 'accepted'),
  })
  const settings = { ...post('of A'), id: 'settings', key: 'k' }
  outbox.pause()
  await outbox.store(origin, settings)
  user = 'B'
  await outbox.resume()
  const of = (id: string) => outbox.list({ ids: [id], state: ['ready', 'delayed', 'done'] })
  expect((await of('settings')).messages).toEqual([])
  expect(await outbox.cancel('settings')).toBe(false)
  expect(await outbox.resolve('settings', 'drop')).toBe(false)
  expect(await outbox.edit('settings', new Request(origin, post('of B')))).toBe(false)
  expect(await outbox.retryNow('settings')).toBe(0)
  expect(await outbox.store(origin, { ...settings, ...post('of B'), dedupeMs: 60_000 })).toEqual({
    id: 'settings',
    status: 'stored',
  })
  const child = await outbox.store(origin, { ...post('child of B'), after: 'settings' })
  await outbox.drain()
  expect(await (await outbox.response('settings'))!.text()).toBe('echo of B')
  await expect.poll(() => outbox.size()).toBe(0)
  user = 'A'
  expect(await outbox.response('settings')).toBeUndefined()
  expect((await of('settings')).messages).toMatchObject([{ id: 'settings', state: 'ready' }])
  const { headers } = await outbox.fetch(origin, { ...settings, ...post('A again') })
  expect([idOf({ headers } as Response), headers.get('quayside-state')]).toEqual(['settings', 'duplicate'])
  await outbox.drain()
  const answer = await outbox.response('settings')
  expect([idOf(answer!), await answer!.text()]).toEqual(['settings', 'echo of A'])
  const one = (id: string, body: string): unknown[] => [id, [body, id], id, true]
  expect(told).toEqual([one('settings', 'of B'), one(child.id, 'child of B'), one('settings', 'of A')].flat())
  expect(new Set(events.map(({ id }) => id))).toEqual(new Set(['settings', child.id]))
})

test('an id of the queue is that of its owner only, and the longest that a request may have leaves room for whose it is', async () => {
  let user = 'A'
  const { origin, arrived } = await serve()
  const { outbox, queue } = setUpOutbox({ owner: () => user })
  outbox.pause()
  const longest = 'x'.repeat(241)
  expect(await outbox.store(origin, { ...post('0'), id: longest })).toEqual({ id: longest, status: 'stored' })
  expect(await outbox.cancel(longest)).toBe(true)
  const id = 'settings'
  await outbox.store(origin, { ...post('1'), id })
  const ofQueue = (await queue.list()).messages[0]!.id
  user = 'B'
  expect((await outbox.list({ ids: [ofQueue] })).messages).toEqual([])
  expect(await outbox.cancel(ofQueue)).toBe(false)
  user = 'A'
  expect((await outbox.list({ ids: [ofQueue] })).messages).toMatchObject([{ id }])
  expect(await outbox.cancel(ofQueue)).toBe(true)
  for (const call of ['fetch', 'store'] as const) {
    await expectCode(outbox[call](origin, { ...post('2'), id: `${longest}x` }), 'TOO_LARGE')
    await expectCode(outbox[call](origin, { ...post('2'), id: ofQueue }), 'INVALID_ARGUMENT')
  }
  await outbox.resume()
  await outbox.drain()
  expect(arrived).toEqual([])
})

test.each([false, 0, Number.NaN, 7, {}])(
  '%s is no owner: nothing is stored that nobody could send',
  async (who) => {
    const { outbox, queue } = setUpOutbox({ owner: () => who as never })
    for (const call of ['fetch', 'store'] as const)
      await expectCode(
        outbox[call]('http://127.0.0.1:9', post('1')),
        'INVALID_ARGUMENT',
        'owner must be a string',
      )
    expect((await queue.list()).messages).toEqual([])
  },
)

test('needs a storage that can tell owners apart', async () => {
  const kv = { get: () => null, put: () => undefined, delete: () => undefined, list: () => ({ keys: [] }) }
  const storage = new CloudflareKVAdapter(kv as never)
  await expectCode(
    () => new Outbox(new Queue('outbox', { storage }), { owner: () => 'A' }),
    'UNSUPPORTED',
    'lanes',
  )
})

describe('signOut', () => {
  test('keep: ends what is under way in all contexts, and nothing starts any more until the owner is back', async () => {
    let user = 'A'
    const { origin, busy, bodies } = await serve((response, { body }, number) => {
      if (number > 4 || !body.toString().startsWith('slow')) response.end()
    })
    const { outbox, another, clock } = setUpOutbox({ owner: () => user })
    const tab = another()
    const stops = [outbox.start(), tab.start()]
    for (const body of ['slow 1', 'slow 2', 'slow 3', 'slow 4', 'later'])
      await outbox.store(origin, post(body))
    await passes(clock, 500, () => busy.now === 4)
    await outbox.signOut('keep')
    await expect.poll(() => busy.now).toBe(0)
    // Nobody has noticed yet that it is not A any more.
    await tab.store(origin, post('straggler'))
    await tab.drain()
    await settle()
    expect(bodies().length).toBe(4)
    user = 'B'
    expect((await tab.fetch(origin, post('of B'))).status).toBe(200)
    user = 'A'
    expect((await tab.fetch(origin, post('of A'))).status).toBe(200)
    await expect.poll(() => bodies().length).toBe(4 + 2 + 4 + 2)
    await Promise.all(stops.map((stop) => stop()))
  })

  test('keep, of who is back at once: what was still prepared is sent once, by whoever has it now', async () => {
    let sent = 0
    const prepare: (() => void)[] = []
    const { origin } = await serve()
    const { outbox, told } = setUpOutbox({
      owner: () => undefined,
      before: () => new Promise<void>((resolve) => prepare.push(resolve)),
      // As one that looks at no signal.
      fetch: (request) => {
        sent++
        return fetch(request)
      },
    })
    const stop = outbox.start()
    await outbox.store(origin, post('1'))
    await expect.poll(() => prepare.length).toBe(1)
    await outbox.signOut('keep')
    await outbox.resume()
    await expect.poll(() => prepare.length).toBe(2)
    for (const go of prepare) go()
    await told('accepted')
    for (let i = 0; i < 20; i++) await settle()
    expect(sent).toBe(1)
    await stop()
  })

  test('without owners: nothing is sent until resume', async () => {
    const { origin, bodies } = await serve()
    const { outbox, another } = setUpOutbox()
    const stop = outbox.start()
    await another().signOut('keep')
    await outbox.store(origin, post('1'))
    await settle()
    expect(bodies()).toEqual([])
    await outbox.resume()
    await expect.poll(bodies).toEqual(['1'])
    await stop()
  })

  test('is refused another word', async () => {
    const { outbox } = setUpOutbox()
    await expectCode(outbox.signOut('lose' as never), 'INVALID_ARGUMENT', 'keep')
  })

  test.each<[string, () => { storage: StorageAdapter; raw: () => string }]>([
    [
      'memory',
      () => {
        const storage = new MemoryAdapter()
        return { storage, raw: () => '' }
      },
    ],
    [
      'files',
      () => {
        const folder = mkdtempSync(join(tmpdir(), 'quayside-'))
        onTestFinished(() => rmSync(folder, { recursive: true }))
        return { storage: new NodeFsAdapter(folder), raw: () => '' }
      },
    ],
  ])('drop leaves nothing of the owner: %s', async (_, make) => {
    let user = 'A'
    const { origin } = await serve((response, { body }) => {
      const text = body.toString()
      response
        .writeHead(text.includes('refused') ? 422 : text.includes('dead') ? 500 : 200)
        .end(`echo ${text}`)
    })
    const { storage } = make()
    const queue = new Queue<OutboxPayload>('outbox', { storage })
    const outbox = new Outbox(queue, { owner: () => user })
    await outbox.fetch(origin, post('diary accepted'))
    await outbox.fetch(origin, post('diary refused'))
    await outbox.fetch(origin, { ...post('diary dead'), maxAttempts: 1 })
    await outbox.store(origin, { ...post('diary later'), delayMs: 60_000 })
    user = 'B'
    await outbox.fetch(origin, post('of B'))
    await outbox.store(origin, { ...post('B later'), delayMs: 60_000 })
    user = 'A'
    await outbox.signOut('drop')
    const left = await queue.list({
      state: ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done'],
    })
    expect(JSON.stringify(left.messages)).not.toContain('diary')
    expect(left.messages.length).toBe(2)
    expect(await queue.lanes({ prefix: 'A' })).toMatchObject({ lanes: [] })
    await queue.close()
    await storage.close()
  })
})

test('signOut drop of 250 kept responses asks the storage for many at a time', async () => {
  const storage = new SpyStorage(new MemoryAdapter())
  const queue = new Queue<OutboxPayload>('outbox', { storage })
  const fetch = (): Promise<Response> => Promise.resolve(new Response('kept'))
  const outbox = new Outbox(queue, { owner: () => 'A', fetch })
  for (let i = 0; i < 250; i++) await outbox.store('http://a.example/', post(`${i}`))
  await outbox.drain()
  expect((await queue.list({ state: 'done', limit: 1000 })).messages.length).toBe(250)
  storage.calls.length = 0
  await outbox.signOut('drop')
  expect([storage.count('append'), storage.count('cancel')]).toEqual([3, 3])
  const all = ['ready', 'delayed', 'done', 'dead'] as const
  expect((await queue.list({ state: all, limit: 1000 })).messages).toEqual([])
  await queue.close()
})

test('signOut drop, without owners, drops all, and nothing starts until resume', async () => {
  const { origin, bodies } = await serve()
  const { outbox, queue } = setUpOutbox()
  await outbox.fetch(origin, post('accepted'))
  await outbox.store(origin, post('waits'))
  await outbox.signOut('drop')
  expect((await queue.list({ state: ['ready', 'done'] })).messages).toEqual([])
  await outbox.store(origin, post('late'))
  expect(await outbox.drain()).toMatchObject({ acked: 0 })
  await outbox.resume()
  await expect.poll(bodies).toEqual(['accepted', 'late'])
})
