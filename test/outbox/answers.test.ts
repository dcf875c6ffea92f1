import { describe, expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { type Page, QuaysideError, Queue } from '../../src/index.ts'
import { Outbox, type OutboxOptions, type OutboxPayload } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode, isPending } from '../support/set-up.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { serve, statuses } from './server.ts'
import { idOf, setUpOutbox, stateOf, passes } from './set-up.ts'

// What came back, in any context, and what has become of a request.

const OPAQUE = { type: { value: 'opaque' }, status: { value: 0 }, ok: { value: false } }

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

describe('response', () => {
  test('of a request that another context has sent', async () => {
    const { origin } = await serve((response) =>
      response.writeHead(201, { 'content-type': 'application/json', location: '/notes/77' }).end('{"id":77}'),
    )
    const { outbox, another, clock } = setUpOutbox()
    const { id } = await outbox.store(origin, post('x'))
    const tab = another()
    expect(await tab.response(id)).toBeUndefined()
    const waiting = tab.response(id, { waitMs: 10_000 })
    await another().drain()
    const response = (await waiting)!
    expect([response.status, stateOf(response), idOf(response)]).toEqual([201, null, id])
    expect([response.headers.get('location'), await response.json()]).toEqual(['/notes/77', { id: 77 }])
    expect((await another().response(id))!.status).toBe(201)
    await clock.advance(86_400_001)
    expect(await another().response(id)).toBeUndefined()
  })

  test('of one that is dead, also for who has waited in another context', async () => {
    const { origin } = await serve(statuses(404))
    const { outbox, another } = setUpOutbox({ outcome: () => 'dead' })
    const waits = another()
    waits.pause()
    const told = waits.fetch(origin, { ...post('1'), id: 'one', maxAttempts: 1 })
    expect(stateOf(await told)).toBe('stored')
    await outbox.drain()
    const response = (await another().response('one'))!
    expect([response.status, stateOf(response), idOf(response), await response.text()]).toEqual([
      404,
      'dead',
      'one',
      'this is 404',
    ])
  })

  test('is waited for no longer because the clock was set back', async () => {
    const { outbox, clock } = setUpOutbox()
    const waiting = outbox.response('none', { waitMs: 5000 })
    await clock.advance(2000)
    clock.jump(-3_600_000)
    await clock.advance(2999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1001)
    expect(await waiting).toBeUndefined()
  })

  test.each([201, 422])(
    '%i that the app’s own fetch has read to its end decides all the same',
    async (status) => {
      const { origin, arrived } = await serve(statuses(status))
      const { outbox } = setUpOutbox({
        fetch: async (request, init) => {
          const response = await fetch(request, init)
          await response.text()
          return response
        },
      })
      const { id } = await outbox.store(origin, post('1'))
      await outbox.drain()
      await outbox.drain()
      expect(arrived.length).toBe(1)
      expect((await outbox.response(id))!.status).toBe(status)
    },
  )

  describe('that the app’s own fetch has read to its end', () => {
    const read: OutboxOptions['fetch'] = async (request, init) => {
      const response = await fetch(request, init)
      await response.text()
      return response
    }

    test.each([
      [401, 'held'],
      [422, 'parked'],
    ])('comes to who waits for it all the same, without its body (%i)', async (status, state) => {
      const { origin } = await serve(statuses(status))
      const { outbox } = setUpOutbox({ fetch: read })
      const response = await outbox.fetch(origin, post('1'))
      expect([response.status, stateOf(response), await response.text()]).toEqual([status, state, ''])
    })

    test('comes to who waits for what could not be stored', async () => {
      const { origin } = await serve(statuses(503))
      const { outbox } = setUpOutbox({ fetch: read, maxBodyBytes: 1 })
      const response = await outbox.fetch(origin, post('too long'))
      expect([response.status, stateOf(response)]).toEqual([503, 'unstored'])
    })

    test('is shown to onParked', async () => {
      const { origin, arrived } = await serve((response, { path }) =>
        response.writeHead(path === '/mended' ? 201 : 422).end(),
      )
      const { outbox } = setUpOutbox({
        fetch: read,
        onParked: (_, { status }) => new Request(`${origin}/mended`, post(`${status}`)),
      })
      await outbox.store(origin, post('1'))
      await outbox.drain()
      expect(arrived.map(({ path, body }) => [path, body.toString()])).toEqual([
        ['/', '1'],
        ['/mended', '422'],
      ])
    })

    test('parks its request where a policy wants to read it, and has nothing sent again', async () => {
      const { origin, arrived } = await serve(statuses(201))
      const { outbox } = setUpOutbox({
        fetch: read,
        outcome: async (response) => ((await response?.text()) === 'ok' ? 'accepted' : 'retry'),
      })
      await outbox.store(origin, post('1'))
      await outbox.drain()
      await outbox.drain()
      const { messages } = await outbox.list()
      expect(messages).toMatchObject([
        { state: 'parked', parked: { reason: expect.stringContaining('outcome threw') } },
      ])
      expect(arrived.length).toBe(1)
    })
  })

  test.each(['QUOTA_EXCEEDED', 'TOO_LARGE'] as const)(
    'that cannot be kept (%s) has nothing sent again',
    async (code) => {
      const { origin, arrived } = await serve((response, { path }) =>
        response.writeHead(path === '/refused' ? 422 : 201).end('kept'),
      )
      const clock = new ManualClock()
      const storage = new SpyStorage(new MemoryAdapter({ clock }))
      storage.before = ({ args }) => {
        if (JSON.stringify(args).includes('\\"kept\\"')) throw new QuaysideError(code, 'no room')
      }
      const queue = new Queue<OutboxPayload>('outbox', { storage, clock })
      const outbox = new Outbox(queue, { clock })
      for (const id of ['accepted', 'refused']) {
        await outbox.store(`${origin}/${id}`, { ...post('1'), id })
        await outbox.drain().catch(() => undefined)
      }
      await outbox.drain()
      expect(arrived.map(({ path }) => path)).toEqual(['/accepted', '/refused'])
      expect((await outbox.list()).messages).toMatchObject([{ id: 'refused', state: 'parked' }])
      await queue.close()
    },
  )

  test('comes to who waits for it though what became of the request cannot be stored', async () => {
    const { origin } = await serve(statuses(201))
    const clock = new ManualClock()
    const storage = new SpyStorage(new MemoryAdapter({ clock }))
    storage.before = ({ args }) => {
      if (JSON.stringify(args).includes('"ack"')) throw new QuaysideError('QUOTA_EXCEEDED', 'no room')
    }
    const queue = new Queue<OutboxPayload>('outbox', { storage, clock })
    const outbox = new Outbox(queue, { clock })
    let status: number | undefined
    void outbox.fetch(origin, post('1')).then((response) => (status = response.status))
    await expect.poll(() => status).toBe(201)
    expect((await queue.stats()).messages).toBe(1)
    await queue.close()
  })

  test('that waited in vain, or was given up', async () => {
    const { outbox, clock } = setUpOutbox()
    const { id } = await outbox.store('http://127.0.0.1:9', post('x'))
    const waiting = outbox.response(id, { waitMs: 5000 })
    await clock.advance(4999)
    expect(await isPending(waiting)).toBe(true)
    await clock.advance(1)
    expect(await waiting).toBeUndefined()
    const reason = new Error('enough')
    await expect(outbox.response(id, { waitMs: 5000, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    await expectCode(outbox.response(id, { wait: 1 } as never), 'INVALID_ARGUMENT', 'waitMs')
  })

  test('of one that is parked meanwhile', async () => {
    const { origin } = await serve(statuses(422))
    const { outbox, another } = setUpOutbox()
    const { id } = await outbox.store(origin, post('x'))
    const waiting = another().response(id, { waitMs: 10_000 })
    await outbox.drain()
    const response = (await waiting)!
    expect([response.status, stateOf(response), await response.text()]).toEqual([
      422,
      'parked',
      'this is 422',
    ])
  })

  test('has the first 64 kB, is kept for as long as a request says, or not at all', async () => {
    const { origin } = await serve((response) => response.end('x'.repeat(200_000)))
    const { outbox, clock } = setUpOutbox({ keepResponse: 0 })
    const one = await outbox.store(origin, { ...post('1'), keepResponse: 60_000 })
    const two = await outbox.store(origin, post('2'))
    await outbox.drain()
    expect((await (await outbox.response(one.id))!.text()).length).toBe(65_536)
    expect(await outbox.response(two.id)).toBeUndefined()
    await clock.advance(60_001)
    expect(await outbox.response(one.id)).toBeUndefined()
  })

  test.each<[string, number, string | Uint8Array]>([
    ['204', 204, ''],
    ['control characters', 200, '\u0001'.repeat(70_000)],
    ['bytes', 200, new Uint8Array(70_000).fill(255)],
  ])('%s does no harm', async (_, status, body) => {
    const { origin } = await serve((response) =>
      response.writeHead(status).end(status === 204 ? undefined : body),
    )
    const { outbox } = setUpOutbox()
    const { id } = await outbox.store(origin, post('1'))
    expect(await outbox.drain()).toMatchObject({ acked: 1 })
    expect((await outbox.response(id))!.status).toBe(status)
  })

  test('that a codec refuses, or that is opaque, is not kept, and its request is done once', async () => {
    const clock = new ManualClock()
    const encode = (value: unknown): string => {
      if ((value as { status?: number }).status !== undefined) throw new TypeError('requests only')
      return JSON.stringify(value)
    }
    const queue = new Queue<OutboxPayload>('outbox', {
      storage: new MemoryAdapter({ clock }),
      clock,
      codec: { encode, decode: (body) => JSON.parse(body as string) as OutboxPayload },
    })
    let sent = 0
    const outbox = new Outbox(queue, {
      clock,
      fetch: (request) => {
        const response = Response.json({ sent: ++sent })
        return Promise.resolve(
          request.url.endsWith('opaque') ? Object.defineProperties(response, OPAQUE) : response,
        )
      },
    })
    const { id } = await outbox.store('http://a.example/opaque', post('1'))
    await outbox.store('http://a.example/', post('2'))
    expect(await outbox.drain()).toMatchObject({ acked: 2, retried: 0 })
    expect(sent).toBe(2)
    expect(await outbox.response(id)).toBeUndefined()
    await queue.close()
  })

  test('that never ends is handed over as it comes, and does not hold up its key for ever', async () => {
    const { origin, arrived } = await serve((response, _, number) => {
      if (number > 1) return response.end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return response.write('data: 1\n\n')
    })
    const { outbox, clock } = setUpOutbox()
    const stop = outbox.start()
    const response = await outbox.fetch(origin, { ...post('1'), key: 'k' })
    const reader = response.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n')
    const next = outbox.fetch(origin, { ...post('2'), key: 'k' })
    await clock.advance(5000)
    expect((await next).status).toBe(200)
    expect(arrived.length).toBe(2)
    await reader.cancel()
    await stop()
  })

  test.each(['text/event-stream', 'text/plain'])(
    'that never ends keeps no connection for ever where nobody wants it (%s)',
    async (type) => {
      const { origin, busy } = await serve((response) => {
        response.writeHead(200, { 'content-type': type })
        response.write('data: 1\n\n')
      })
      const { outbox, clock, told } = setUpOutbox({ timeoutMs: 20_000 })
      const stop = outbox.start()
      await outbox.store(origin, post('1'))
      await passes(clock, 100, () => busy.now === 1)
      expect(await passes(clock, 1000, () => busy.now === 0)).toBeGreaterThan(15_000)
      await told('accepted')
      await stop()
    },
  )

  test.each([200, 422])('that comes when its caller has gone on keeps no connection (%i)', async (status) => {
    const { origin, busy } = await serve((response) => {
      answerNow = () => {
        response.writeHead(status)
        // More than is kept, and than a connection holds.
        response.end(Buffer.alloc(8_000_000, 'x'))
      }
    })
    let answerNow = (): void => undefined
    const { outbox, clock, told } = setUpOutbox()
    const work = outbox.fetch(origin, post('1'))
    await expect.poll(() => busy.now).toBe(1)
    await clock.advance(10_000)
    expect(stateOf(await work)).toBe('sending')
    answerNow()
    await told(status === 200 ? 'accepted' : 'parked')
    await expect.poll(() => busy.now).toBe(0)
  })
})

describe('who waits for what somebody else does learns', () => {
  test('that it expired', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end()))
    const { outbox, another, clock, told } = setUpOutbox({ concurrency: 1, answerWithinMs: 60_000 })
    const stop = another().start()
    await outbox.store(origin, post('slow'))
    await expect.poll(() => finish.length).toBe(1)
    const answer = outbox.fetch(origin, { ...post('x'), expiresInMs: 20_000 })
    await told('stored', 2)
    await clock.advance(20_000)
    finish[0]!()
    expect(stateOf(await answer)).toBe('expired')
    await stop()
  })

  test.each<[string, (setUp: ReturnType<typeof setUpOutbox>, id: string) => Promise<unknown>]>([
    ['cancelled', async ({ outbox }, id) => await outbox.cancel(id)],
    ['cancelled', async ({ outbox }) => await outbox.clear()],
    ['purged', async ({ queue }) => await queue.purge()],
  ])('that it was %s', async (state, act) => {
    const { origin } = await serve(() => undefined)
    const setUp = setUpOutbox({ concurrency: 1 })
    const stop = setUp.outbox.start()
    await setUp.outbox.store(origin, post('slow'))
    await setUp.told('sending')
    const answer = setUp.outbox.fetch(origin, { ...post('x'), id: 'a' })
    await setUp.told('stored', 2)
    await act(setUp, 'a')
    expect(stateOf(await answer)).toBe(state)
    await stop()
  })
})

test('of what is accepted, parked or could not be stored, all contexts hear, with the status', async () => {
  const { origin } = await serve(statuses(201, 422))
  const { outbox, another } = setUpOutbox({ maxBodyBytes: 100 })
  const heard: unknown[] = []
  const unwatch = another().watch((event) => event.type !== 'changed' && heard.push(event))
  const ids = [
    idOf(await outbox.fetch(origin, { ...post('1'), id: 'one' })) ?? 'one',
    idOf(await outbox.fetch(origin, post('2'))),
  ]
  await expect
    .poll(() => heard)
    .toEqual([
      { type: 'accepted', id: 'one', status: 201 },
      { type: 'parked', id: ids[1], status: 422, reason: 'HTTP 422: this is 422' },
    ])
  const unstored = await outbox.fetch(origin, post('3'.repeat(101)))
  const reason = expect.stringMatching(/a body may have 100 bytes/) as string
  await expect.poll(() => heard[2]).toEqual({ type: 'unstored', id: idOf(unstored), reason })
  unwatch()
})

describe('settled', () => {
  test('resolves when nothing waits, of a key or at all', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end()))
    const { outbox, another, clock } = setUpOutbox()
    const tab = another()
    await outbox.settled()
    const stop = outbox.start()
    await outbox.store(origin, { ...post('1'), key: 'a' })
    await outbox.store(origin, { ...post('2'), key: 'b' })
    await passes(clock, 500, () => finish.length === 2)
    const [all, a] = [tab.settled(), tab.settled({ key: 'a' })]
    expect(await isPending(a)).toBe(true)
    finish[0]!()
    await a
    expect(await isPending(all)).toBe(true)
    finish[1]!()
    await all
    await stop()
  })

  test('does not wait for what comes after what is parked, nor for what is blocked by that or comes after it', async () => {
    const { origin } = await serve((response, { path }) =>
      response.writeHead(path === '/parent' ? 422 : 201).end(),
    )
    const { outbox } = setUpOutbox()
    await outbox.store(`${origin}/parent`, { ...post('1'), id: 'parent' })
    await outbox.store(origin, { ...post('2'), id: 'child', after: 'parent' })
    await outbox.store(origin, { ...post('3'), key: 'child' })
    await outbox.store(origin, { ...post('4'), id: 'grandchild', after: 'child' })
    await outbox.drain()
    expect(await outbox.size()).toBe(4)
    expect(await outbox.due()).toBe(0)
    await outbox.settled()
    await outbox.settled({ key: 'grandchild' })
  })

  test('looks once at each request of a chain that is listed from its end on', async () => {
    const clock = new ManualClock()
    const storage = new SpyStorage(new MemoryAdapter({ clock }))
    const queue = new Queue<OutboxPayload>('outbox', { storage, clock })
    const outbox = new Outbox(queue, { clock })
    const { origin } = await serve(statuses(422))
    for (let i = 0; i < 50; i++)
      await outbox.store(origin, { id: `${i}`, after: `${i + 1}`, delayMs: 60_000 })
    await outbox.store(origin, { id: '50' })
    await outbox.drain()
    let looks = 0
    const get = (headers: object, name: string): unknown => {
      if (name === 'quayside-after') looks++
      return Reflect.get(headers, name)
    }
    storage.after = ({ verb }, page) => {
      if (verb !== 'list') return page
      const { messages, ...rest } = page as Page
      const watched = messages.map((one) => ({ ...one, headers: new Proxy(one.headers ?? {}, { get }) }))
      return { ...rest, messages: watched }
    }
    expect(await outbox.due()).toBe(0)
    expect(looks).toBe(51)
    await queue.close()
  })

  test('tells keys from requests that have none', async () => {
    const { origin } = await serve(statuses(422))
    const { outbox, queue } = setUpOutbox()
    await outbox.store(origin, post('1'))
    await outbox.drain()
    outbox.pause()
    await outbox.store(origin, { ...post('2'), key: 'undefined' })
    expect(await outbox.due()).toBe(1)
    expect((await queue.stats()).messages).toBe(2)
  })

  test('does not wait for what is parked, nor for what is blocked by that; may be given up', async () => {
    const { origin } = await serve(statuses(422))
    const { outbox } = setUpOutbox()
    await outbox.store(origin, { ...post('1'), key: 'a' })
    await outbox.store(origin, { ...post('2'), key: 'a' })
    await outbox.drain()
    await outbox.settled()
    await outbox.store(origin, post('3'))
    const reason = new Error('enough')
    const controller = new AbortController()
    const waiting = outbox.settled({ signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })
})
