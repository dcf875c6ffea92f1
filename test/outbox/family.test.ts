import { describe, expect, test } from 'vitest'
import type { Outbox } from '../../src/outbox/index.ts'
import { expectCode, isPending } from '../support/set-up.ts'
import { settle } from '../support/settle.ts'
import { serve, statuses } from './server.ts'
import { setUpOutbox, stateOf } from './set-up.ts'

// Requests that come after another one, and edits of what waits.

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

describe('a child', () => {
  test('goes when its parent was accepted, and can read its answer', async () => {
    const { origin, arrived } = await serve((response, { path }) =>
      response.writeHead(201).end(path === '/projects' ? '{"id":77}' : undefined),
    )
    const { outbox } = setUpOutbox({
      before: async (request, _, { response } = { response: undefined }) => {
        if (response === undefined) return undefined
        const { id } = (await response.json()) as { id: number }
        return new Request(request.url.replace('tmp-1', `${id}`), request)
      },
    })
    await outbox.store(`${origin}/projects`, { ...post('p'), id: 'parent' })
    for (const body of ['1', '2', '3'])
      await outbox.store(`${origin}/projects/tmp-1/tasks`, { ...post(body), after: 'parent' })
    await outbox.store(`${origin}/projects/tmp-1`, { method: 'DELETE', after: 'parent' })
    await outbox.drain()
    expect(arrived.map(({ method, path, body }) => `${method} ${path} ${body.toString()}`)).toEqual([
      'POST /projects p',
      'POST /projects/77/tasks 1',
      'POST /projects/77/tasks 2',
      'POST /projects/77/tasks 3',
      'DELETE /projects/77 ',
    ])
  })

  test('of another destination and another key waits as well, and goes at once when its time has come', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end()))
    const other = await serve()
    const { outbox, another } = setUpOutbox()
    const stops = [outbox.start(), another().start()]
    await outbox.store(origin, { ...post('p'), id: 'parent' })
    const child = outbox.fetch(other.origin, { ...post('c'), key: 'own', after: 'parent' })
    expect(stateOf(await child)).toBe('waiting')
    const [message] = (await outbox.list({ state: 'delayed' })).messages
    expect(message).toMatchObject({ lastError: 'waits for parent', attempt: 0 })
    expect(other.arrived.length).toBe(0)
    await expect.poll(() => finish.length).toBe(1)
    finish[0]!()
    await expect.poll(() => other.arrived.length).toBe(1)
    await Promise.all(stops.map((stop) => stop()))
  })

  test('whose parent is parked waits; whose parent is dropped is parked', async () => {
    let fixed = false
    const { origin, bodies } = await serve((response, { body }) =>
      response.writeHead(!fixed && body.toString().startsWith('p') ? 422 : 200).end(),
    )
    const { outbox, clock, told } = setUpOutbox()
    const stop = outbox.start()
    for (const n of ['1', '2']) {
      await outbox.store(origin, { ...post(`p${n}`), id: `parent ${n}` })
      await outbox.store(origin, { ...post(`c${n}`), key: `own ${n}`, after: `parent ${n}` })
    }
    await told('parked', 2)
    await clock.advance(3_600_000)
    await settle()
    expect(bodies().toSorted()).toEqual(['p1', 'p2'])
    fixed = true
    expect(await outbox.resolve('parent 1', 'retry')).toBe(true)
    await expect.poll(bodies).toContain('c1')
    expect(await outbox.resolve('parent 2', 'drop')).toBe(true)
    await told('parked', 3)
    const [child] = (await outbox.list({ state: 'parked' })).messages
    expect(child!.parked!.reason).toContain('(parent 2) was dropped')
    expect(bodies()).not.toContain('c2')
    await stop()
  })

  test('whose parent is dead is parked', async () => {
    const { origin, bodies } = await serve(statuses(500))
    const { outbox, told } = setUpOutbox()
    await outbox.store(origin, { ...post('p'), id: 'parent', maxAttempts: 1 })
    await outbox.store(origin, { ...post('c'), after: 'parent' })
    await outbox.drain()
    expect((await told('parked')).reason).toContain('(parent) is dead')
    expect(bodies()).toEqual(['p'])
  })

  test('whose parent was accepted long before, by others, goes', async () => {
    const { origin, bodies } = await serve()
    const { outbox, another } = setUpOutbox()
    await outbox.fetch(origin, { ...post('p'), id: 'parent' })
    expect((await another().fetch(origin, { ...post('c'), after: 'parent' })).status).toBe(201)
    expect(bodies()).toEqual(['p', 'c'])
  })

  test('must have a parent that is a name', async () => {
    const { outbox } = setUpOutbox()
    await expectCode(outbox.store('http://127.0.0.1:9', { after: '' }), 'INVALID_ARGUMENT', 'after')
  })

  test('must have another parent than itself, and one that a request can be', async () => {
    const { outbox, another } = setUpOutbox()
    const owned = another({ owner: () => 'A' })
    for (const call of ['fetch', 'store'] as const) {
      const tryOut = (one: Outbox, after: string) => one[call]('http://127.0.0.1:9', { id: 'me', after })
      await expectCode(tryOut(outbox, 'me'), 'INVALID_ARGUMENT', 'after')
      await expectCode(tryOut(outbox, 'x'.repeat(257)), 'TOO_LARGE', 'after')
      await expectCode(tryOut(owned, 'x'.repeat(242)), 'TOO_LARGE', 'after')
    }
    expect(await outbox.size()).toBe(0)
  })
})

describe('edit', () => {
  test('changes what waits, in its place, for a while or not', async () => {
    const { origin, bodies, arrived } = await serve()
    const { outbox } = setUpOutbox()
    const { id } = await outbox.store(origin, { ...post('1'), meta: { a: 'b' } })
    const later = await outbox.store(origin, { ...post('later'), delayMs: 60_000 })
    await outbox.store(origin, post('2'))
    expect(await outbox.edit(id, new Request(origin, post('1 edited')))).toBe(true)
    expect(await outbox.edit(later.id, new Request(origin, post('later edited')))).toBe(true)
    const [message] = (await outbox.list()).messages
    expect(message!.headers).toEqual({ a: 'b' })
    await outbox.drain()
    expect(bodies()).toEqual(['1 edited', '2'])
    expect(arrived.length).toBe(2)
    expect(await outbox.size()).toBe(1)
  })

  test('changes nothing of what somebody sends, or is not there', async () => {
    const finish: (() => void)[] = []
    const { origin, bodies } = await serve((response) => finish.push(() => response.end()))
    const { outbox, another, queue } = setUpOutbox()
    const stop = outbox.start()
    const { id } = await outbox.store(origin, post('1'))
    await expect.poll(() => finish.length).toBe(1)
    expect(await another().edit(id, new Request(origin, post('edited')))).toBe(false)
    finish[0]!()
    await outbox.settled()
    expect(await outbox.edit(id, new Request(origin, post('edited')))).toBe(false)
    expect(bodies()).toEqual(['1'])
    expect((await queue.lanes()).lanes).toEqual([])
    await stop()
  })

  test('at the same time as it is sent, again and again, never makes two of one', async () => {
    const { origin, bodies } = await serve((response) => setTimeout(() => response.end(), 1))
    const { outbox, another } = setUpOutbox()
    const tab = another()
    const stop = outbox.start()
    for (let i = 0; i < 100; i++) {
      const { id } = await outbox.store(origin, post(`${i}`))
      for (let turn = 0; turn < i % 5; turn++) await Promise.resolve()
      await tab.edit(id, new Request(origin, post(`${i}`)))
    }
    await outbox.settled()
    expect(bodies().toSorted()).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`).toSorted())
    await stop()
  })

  test('keeps all else that a request was stored with', async () => {
    const { origin, bodies } = await serve(statuses(200))
    const { outbox, queue, clock } = setUpOutbox()
    const init = { key: 'k', meta: { a: 'b' }, maxAttempts: 2, dedupeMs: 50_000, keepResponse: 5000 }
    const edited = (id: string): Promise<boolean> =>
      outbox.edit(id, new Request(origin, post(`${id} edited`)))
    await outbox.store(origin, { ...post('1'), ...init, id: 'known', delayMs: 1000, expiresInMs: 20_000 })
    await outbox.store(origin, { ...post('2'), ...init, id: 'late', expiresInMs: 20_000 })
    for (const id of ['known', 'late']) expect(await edited(id)).toBe(true)
    const { messages } = await outbox.list()
    for (const { key, lane, headers, maxAttempts } of messages) {
      expect({ key, lane, maxAttempts }).toEqual({ key: 'k', lane: ` ${origin}`, maxAttempts: 2 })
      expect(headers['a']).toBe('b')
    }
    expect(messages.map(({ id, nextInMs }) => [id, nextInMs])).toContainEqual(['known', 1000])
    await clock.advance(1000)
    await outbox.cancel('late')
    await outbox.drain()
    expect(bodies()).toEqual(['known edited'])
    expect((await outbox.response('known'))!.status).toBe(200)
    expect((await outbox.store(origin, { ...post('again'), id: 'known' })).status).toBe('duplicate')
    await clock.advance(6000)
    expect(await outbox.response('known')).toBeUndefined()

    // The time that it has left, and not all of it anew.
    await outbox.store(origin, { ...post('3'), id: 'short', expiresInMs: 20_000 })
    await clock.advance(15_000)
    expect(await edited('short')).toBe(true)
    await clock.advance(6000)
    expect(await edited('short')).toBe(false)
    expect((await queue.stats()).messages).toBe(0)
  })

  test('of what is parked has it tried again, as often as it may', async () => {
    const { origin, bodies } = await serve(statuses(422, 500))
    const { outbox } = setUpOutbox()
    const { id } = await outbox.store(origin, { ...post('1'), maxAttempts: 1 })
    await outbox.drain()
    expect(await outbox.edit(id, new Request(origin, post('edited')))).toBe(true)
    await expect.poll(async () => (await outbox.list({ state: 'dead' })).messages.length).toBe(1)
    expect(bodies()).toEqual(['1', 'edited'])
  })

  test('of what is parked has it tried again at once', async () => {
    const { origin, bodies } = await serve(statuses(422, 200))
    const { outbox, told } = setUpOutbox()
    const { id } = await outbox.store(origin, post('1'))
    await outbox.drain()
    expect(await outbox.edit(id, new Request(origin, post('edited')))).toBe(true)
    await told('accepted')
    expect(bodies()).toEqual(['1', 'edited'])
  })
})

test('undo: what is stored with a delay can be cancelled meanwhile', async () => {
  const { origin, arrived } = await serve()
  const { outbox, clock } = setUpOutbox()
  const stop = outbox.start()
  const { id } = await outbox.store(origin, { ...post('1'), delayMs: 5000 })
  await clock.advance(4000)
  expect(await outbox.cancel(id)).toBe(true)
  await clock.advance(4000)
  expect(arrived.length).toBe(0)
  expect(await isPending(Promise.resolve())).toBe(false)
  await stop()
})
