import { describe, expect, onTestFinished, test } from 'vitest'
import { Queue, QuaysideError } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Outbox, type OutboxPayload, type OutboxEvent } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { defer, expectCode } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { goOffline, idOf, setUpOutbox, stateOf, passes } from './set-up.ts'

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

describe('order', () => {
  test('requests of one key go one after the other; one that fails holds back its key and nobody else', async () => {
    let down = true
    const { origin, bodies } = await serve((response, { body }) =>
      response.writeHead(down && body.toString().startsWith('a') ? 503 : 200).end(),
    )
    const { outbox, clock, told } = setUpOutbox()
    for (const body of ['a1', 'a2', 'b1', 'a3', 'b2'])
      await outbox.store(origin, { ...post(body), key: body[0] })
    const stop = outbox.start()
    await told('accepted', 2)
    expect(bodies().toSorted()).toEqual(['a1', 'b1', 'b2'])
    down = false
    await clock.advance(500)
    await told('accepted', 5)
    expect(bodies().filter((body) => body.startsWith('a'))).toEqual(['a1', 'a1', 'a2', 'a3'])
    expect(bodies().filter((body) => body.startsWith('b'))).toEqual(['b1', 'b2'])
    await stop()
  })

  test('a dead letter lets its key go on', async () => {
    const { origin, bodies } = await serve(statuses(422, 200))
    const { outbox, told } = setUpOutbox({ outcome: (response) => (response?.ok ? 'accepted' : 'dead') })
    await outbox.store(origin, { ...post('1'), key: 'a' })
    await outbox.store(origin, { ...post('2'), key: 'a' })
    const stop = outbox.start()
    await told('accepted')
    expect(bodies()).toEqual(['1', '2'])
    await stop()
  })

  test('concurrency bounds what is under way', async () => {
    const { origin, busy } = await serve((response) => setTimeout(() => response.end(), 3))
    const { outbox, told } = setUpOutbox({ concurrency: 2 })
    for (let i = 0; i < 10; i++) await outbox.store(origin, post(`${i}`))
    const stop = outbox.start()
    await told('accepted', 10)
    expect(busy.most).toBe(2)
    await stop()
  })

  test('concurrency bounds drains that are asked for at the same time, too', async () => {
    const { origin, busy } = await serve((response) => setTimeout(() => response.end(), 3))
    const { outbox } = setUpOutbox({ concurrency: 2 })
    for (let i = 0; i < 10; i++) await outbox.store(origin, post(`${i}`))
    const reports = await Promise.all([outbox.drain(), outbox.drain(), outbox.drain()])
    expect(reports.map(({ acked }) => acked)).toEqual([10, 0, 0])
    expect(busy.most).toBe(2)
  })
})

describe('replace', () => {
  test('sends only the latest', async () => {
    const { origin, bodies } = await serve()
    const { outbox, told } = setUpOutbox()
    for (const body of ['1', '2', '3'])
      await outbox.store(origin, { ...post(body), id: 'draft', replace: true })
    const stop = outbox.start()
    await told('accepted')
    expect(bodies()).toEqual(['3'])
    await stop()
  })

  test('gives each version an Idempotency-Key of its own, the same on every attempt', async () => {
    const { origin, arrived } = await serve(statuses(500, 500, 200))
    const { outbox, told } = setUpOutbox()
    const version = (body: string): Promise<Response> =>
      outbox.fetch(origin, { ...post(body), id: 'draft', replace: true })
    expect(stateOf(await version('1'))).toBe('retrying')
    expect(stateOf(await version('2'))).toBe('retrying')
    await outbox.retryNow()
    await told('accepted')
    expect(arrived.map(({ body }) => body.toString())).toEqual(['1', '2', '2'])
    const [first, second, third] = arrived.map(({ headers }) => headers['idempotency-key'])
    expect(first).not.toBe(second)
    expect(second).toBe(third)
  })

  test('while the earlier version is under way answers each caller with its own response', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response, { body }) =>
      finish.push(() => response.end(`got ${body.toString()}`)),
    )
    const { outbox, told } = setUpOutbox()
    const first = outbox.fetch(origin, { ...post('1'), id: 'draft', replace: true })
    await expect.poll(() => finish.length).toBe(1)
    const second = outbox.fetch(origin, { ...post('2'), id: 'draft', replace: true })
    await told('stored', 2)
    finish[0]!()
    expect(await (await first).text()).toBe('got 1')
    await expect.poll(() => finish.length).toBe(2)
    finish[1]!()
    expect(await (await second).text()).toBe('got 2')
  })
})

describe('two outboxes on one storage', () => {
  test('send each message once', async () => {
    const { origin, arrived } = await serve()
    const { outbox, another } = setUpOutbox()
    const other = another()
    const stops = [outbox.start(), other.start()]
    const ids = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 ? outbox : other).store(origin, { ...post(`${i}`), key: `${i % 7}` }),
      ),
    )
    await expect.poll(() => outbox.size()).toBe(0)
    expect(arrived.length).toBe(100)
    expect(new Set(arrived.map(({ headers }) => headers['idempotency-key']))).toEqual(
      new Set(ids.map(({ id }) => id)),
    )
    await Promise.all(stops.map((stop) => stop()))
  })

  describe('of which the other one sends what is waited for here', () => {
    const cases: [number, string][] = [
      [201, 'accepted'],
      [503, 'retrying'],
      [422, 'parked'],
    ]
    test.each(cases)('and is answered with %i: %s, without delay', async (status, state) => {
      const finish: (() => void)[] = []
      const { origin } = await serve((response, { body }) => {
        if (body.toString() === 'slow') finish.push(() => response.end())
        else response.writeHead(status).end()
      })
      const { outbox, another, told } = setUpOutbox({ concurrency: 1 })
      const stop = another().start()
      await outbox.store(origin, post('slow'))
      await expect.poll(() => finish.length).toBe(1)
      const waiting = outbox.fetch(origin, post('quick'))
      await told('stored', 2)
      await settle()
      finish[0]!()
      const answer = await waiting
      expect([answer.status, stateOf(answer)]).toEqual([status === 422 ? 422 : 202, state])
      await stop()
    })
  })

  test('hear of what the other one does', async () => {
    const { origin } = await serve()
    const { outbox, another } = setUpOutbox()
    const types: string[] = []
    const unwatch = another().watch(({ type }) => types.push(type))
    await settle()
    await outbox.store(origin, post('x'))
    await settle()
    expect(new Set(types)).toEqual(new Set(['changed']))
    types.length = 0
    unwatch()
    await outbox.store(origin, post('x'))
    await settle()
    expect(types).toEqual([])
  })

  test('one that dies is followed by the other when its lease ends', async () => {
    const { origin, arrived } = await serve()
    const { outbox, queue, clock, told } = setUpOutbox()
    await outbox.store(origin, post('x'))
    // It has taken the message, and is gone.
    await queue.createConsumer('default', { leaseMs: 10_000 }).receive()
    const stop = outbox.start()
    await clock.advance(9999)
    expect(arrived.length).toBe(0)
    await clock.advance(1)
    await told('accepted')
    expect(arrived.length).toBe(1)
    await stop()
  })
})

describe('cancel', () => {
  test('drops what is not accepted yet', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox()
    const { id } = await outbox.store(origin, post('x'))
    expect(await outbox.cancel(id)).toBe(true)
    expect(await outbox.cancel(id)).toBe(false)
    await outbox.drain()
    expect(arrived.length).toBe(0)
  })

  test('of what is under way leaves its answer to who waits, and nothing behind', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response) => finish.push(() => response.end('done')))
    const { outbox, queue } = setUpOutbox()
    const answer = outbox.fetch(origin, { ...post('x'), id: 'a' })
    await expect.poll(() => finish.length).toBe(1)
    expect(await outbox.cancel('a')).toBe(true)
    finish[0]!()
    expect(await (await answer).text()).toBe('done')
    expect((await queue.stats()).messages).toBe(0)
  })
})

describe('retryNow', () => {
  test('ends the wait of one request, or of all', async () => {
    const { origin, bodies } = await serve(statuses(503, 503, 503, 200))
    const { outbox, told } = setUpOutbox()
    const stop = outbox.start()
    const answers = [
      await outbox.fetch(origin, post('1')),
      await outbox.fetch(origin, post('2')),
      await outbox.fetch(origin, post('3')),
    ]
    expect(await outbox.retryNow(idOf(answers[1]!))).toBe(1)
    await told('accepted')
    expect(await outbox.retryNow('nobody')).toBe(0)
    expect(await outbox.retryNow()).toBe(2)
    await told('accepted', 3)
    expect(bodies().slice(3).toSorted()).toEqual(['1', '2', '3'])
    expect(bodies()[3]).toBe('2')
    await stop()
  })

  test('sends also where nothing was started', async () => {
    const { origin } = await serve(statuses(503, 200))
    const { outbox, told } = setUpOutbox()
    await outbox.fetch(origin, post('1'))
    await outbox.retryNow()
    expect(await told('accepted')).toMatchObject({ status: 200 })
  })
})

describe('drain', () => {
  test('hands back just before its deadline what is not finished, without losing an attempt', async () => {
    const { origin, busy } = await serve(() => undefined)
    const { outbox, queue, clock } = setUpOutbox({ concurrency: 2 })
    for (const body of ['1', '2', '3']) await outbox.store(origin, post(body))
    const drained = outbox.drain({ deadline: clock.now() + 25_000 })
    await passes(clock, 500, () => busy.now === 2)
    await clock.advance(25_000)
    expect(await drained).toEqual({ acked: 0, retried: 0, dead: 0, parked: 0, returned: 2 })
    expect((await queue.list()).messages.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['ready', 0],
      ['ready', 0],
      ['ready', 0],
    ])
    await expect.poll(() => busy.now).toBe(0)
  })

  test('does not wait behind another one for longer than to its deadline, and sends nothing late', async () => {
    const { origin, busy, bodies } = await serve(() => undefined)
    const { outbox, clock } = setUpOutbox({ concurrency: 1 })
    await outbox.store(origin, post('1'))
    const stop = new AbortController()
    const first = outbox.drain({ signal: stop.signal })
    await expect.poll(() => busy.now).toBe(1)
    const second = outbox.drain({ deadline: clock.now() + 300 })
    const aborted = new AbortController()
    const third = outbox.drain({ signal: aborted.signal })
    const fourth = outbox.drain({ signal: AbortSignal.abort() })
    const nothing = { acked: 0, retried: 0, dead: 0, parked: 0, returned: 0 }
    expect(await fourth).toEqual(nothing)
    await expectCode(
      outbox.drain({ signal: AbortSignal.abort(), deadline: 'soon' as never }),
      'INVALID_ARGUMENT',
    )
    await clock.advance(300)
    expect(await second).toEqual(nothing)
    aborted.abort()
    expect(await third).toEqual(nothing)
    expect(clock.timers).toBeGreaterThan(0)
    await outbox.store(origin, post('2'))
    // Whoever comes behind those that left still waits for the first.
    const last = outbox.drain({ deadline: clock.now() + 10_000 })
    await settle()
    expect(bodies()).toEqual(['1'])
    stop.abort()
    expect(await first).toMatchObject({ returned: 1 })
    await expect.poll(() => bodies().length).toBe(2)
    await clock.advance(10_000)
    expect(await last).toMatchObject({ returned: 1 })
  })

  test('stops with its signal', async () => {
    const { origin, busy } = await serve(() => undefined)
    const { outbox } = setUpOutbox()
    await outbox.store(origin, post('1'))
    const controller = new AbortController()
    const drained = outbox.drain({ signal: controller.signal })
    await expect.poll(() => busy.now).toBe(1)
    controller.abort()
    expect(await drained).toMatchObject({ returned: 1 })
    expect(await outbox.size()).toBe(1)
  })

  test('does nothing while the outbox is paused', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox()
    await outbox.store(origin, post('1'))
    outbox.pause()
    expect(await outbox.drain()).toMatchObject({ acked: 0 })
    expect(stateOf(await outbox.fetch(origin, post('2')))).toBe('stored')
    await outbox.resume()
    await expect.poll(() => arrived.length).toBe(2)
  })
})

describe('start', () => {
  test('twice is once, and the function stops it; what is under way is handed back', async () => {
    const { origin, busy } = await serve(() => undefined)
    const { outbox, queue, clock } = setUpOutbox()
    const stop = outbox.start()
    expect(outbox.start()).toBe(stop)
    await outbox.store(origin, post('1'))
    await expect.poll(() => busy.now).toBe(1)
    await stop()
    expect((await queue.list()).messages).toMatchObject([{ state: 'ready', attempt: 0 }])
    // Whoever listens rests 20 ms between two looks.
    await clock.advance(100)
    expect(clock.timers).toBe(0)
    expect(outbox.start()).not.toBe(stop)
  })

  test('stops also while a hook waits that was asked too late', async () => {
    const prepared = defer()
    let asked = 0
    const { outbox } = setUpOutbox({
      owner: async () => {
        // It is asked before the pass, and before the attempt.
        if (++asked > before + 1) await prepared.promise
        return 'ada'
      },
      before: () => new Promise(() => {}),
    })
    let before = Infinity
    await outbox.store('http://localhost', post('x'))
    before = asked
    const stop = outbox.start()
    await expect.poll(() => asked).toBeGreaterThan(before + 1)
    const stopped = stop()
    prepared.resolve()
    await stopped
    expect(await outbox.size()).toBe(1)
  })

  test('costs next to nothing while idle: one timer, which keeps a process alive', async () => {
    const { outbox, clock } = setUpOutbox()
    const stop = outbox.start()
    await clock.advance(3_600_000)
    expect(clock.timers).toBe(1)
    await stop()
    expect(clock.timers).toBe(0)
  })

  test('goes on after the storage has failed, and says so', async () => {
    const { origin } = await serve()
    const clock = new ManualClock()
    const storage = new SpyStorage(new MemoryAdapter({ clock }))
    const queue = new Queue<OutboxPayload>('outbox', { storage, clock })
    const outbox = new Outbox(queue, { clock })
    const events: OutboxEvent[] = []
    outbox.watch((event) => events.push(event))
    const types = (): string[] => events.map(({ type }) => type)
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'the disk is away'), 'claim')
    const stop = outbox.start()
    await expect.poll(types).toContain('failed')
    expect(events.find(({ type }) => type === 'failed')!.reason).toBe('the disk is away')
    storage.work()
    await outbox.store(origin, post('x'))
    await clock.advance(5000)
    await expect.poll(types).toContain('accepted')
    // And once more, stopped while it rests.
    const failed = (): number => types().filter((type) => type === 'failed').length
    const before = failed()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'the disk is away'), 'claim')
    await outbox.store(origin, post('y'))
    await expect.poll(failed).toBeGreaterThan(before)
    await stop()
    await clock.advance(100)
    expect(clock.timers).toBe(0)
    storage.work()
    await queue.close()
  })

  test('ends with its queue', async () => {
    const { outbox, queue, events } = setUpOutbox()
    const stop = outbox.start()
    await settle()
    await queue.close()
    await stop()
    expect(events).toEqual([])
  })
})

describe('triggers', () => {
  /** Makes an event target of the global scope, as it is one in pages and workers. */
  function page(): EventTarget {
    const target = new EventTarget()
    const methods = ['addEventListener', 'removeEventListener'] as const
    for (const method of methods) {
      Object.defineProperty(globalThis, method, { configurable: true, value: target[method].bind(target) })
    }
    onTestFinished(() => methods.forEach((method) => Reflect.deleteProperty(globalThis, method)))
    return target
  }

  test('offline: nothing is claimed that nobody asks for; online: what waits goes out at once, what got no answer too', async () => {
    const target = page()
    const { origin, arrived } = await serve()
    let reachable = false
    const { outbox, queue, told } = setUpOutbox({
      fetch: (request, init) =>
        reachable ? fetch(request, init) : Promise.reject(new TypeError('Failed to fetch')),
    })
    const stop = outbox.start()
    // The network is gone, and the runtime does not know it yet.
    expect(stateOf(await outbox.fetch(origin, post('1')))).toBe('retrying')
    const { online } = goOffline()
    target.dispatchEvent(new Event('offline'))
    await outbox.store(origin, post('2'))
    await settle()
    expect((await queue.list()).messages.map(({ state, attempt }) => [state, attempt])).toEqual(
      expect.arrayContaining([
        ['delayed', 1],
        ['ready', 0],
      ]),
    )
    reachable = true
    online()
    target.dispatchEvent(new Event('online'))
    await told('accepted', 2)
    expect(arrived.length).toBe(2)
    await stop()
  })

  test.each(['pageshow', 'visibilitychange'])('%s: looks again, though timers did not fire', async (type) => {
    const target = page()
    const { origin } = await serve(statuses(503, 200))
    const { outbox, clock, told } = setUpOutbox()
    const stop = outbox.start()
    await outbox.fetch(origin, post('1'))
    clock.jump(3_600_000)
    target.dispatchEvent(new Event(type))
    expect(await told('accepted')).toMatchObject({ status: 200 })
    await stop()
  })

  test('pagehide: what is under way is given up, so that nobody sends it beside whoever has it next', async () => {
    const target = page()
    const signals: AbortSignal[] = []
    const { outbox, told } = setUpOutbox({
      fetch: (_, { signal }) => {
        signals.push(signal!)
        // As what began while a page was being left goes on in Firefox.
        return new Promise((_resolve, reject) =>
          signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
        )
      },
    })
    const stop = outbox.start()
    await outbox.store('https://app.example', post('1'))
    await told('sending')
    await expect.poll(() => signals.length).toBe(1)
    target.dispatchEvent(new Event('pagehide'))
    expect(await told('retrying')).toMatchObject({
      reason: expect.stringMatching(/^no answer: .*the page was left/) as string,
    })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    await stop()
  })

  test('pagehide: what could not be stored goes on', async () => {
    const target = page()
    const { origin, bodies } = await serve()
    const { outbox } = setUpOutbox({
      maxBodyBytes: 1,
      fetch: (request, init) => {
        target.dispatchEvent(new Event('pagehide'))
        return fetch(request, init)
      },
    })
    expect(stateOf(await outbox.fetch(origin, post('too long')))).toBe('unstored')
    expect(bodies()).toEqual(['too long'])
  })

  test('are let go of when it stops', async () => {
    const target = page()
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox()
    await outbox.start()()
    await outbox.store(origin, post('1'))
    target.dispatchEvent(new Event('online'))
    await settle()
    expect(arrived.length).toBe(0)
  })
})

test('a listener that throws breaks nothing but itself', async () => {
  const { origin } = await serve()
  const { outbox } = setUpOutbox()
  const thrown: unknown[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
  })
  const own = new Error('mine')
  const unwatch = outbox.watch(({ type }) => {
    if (type !== 'changed') throw own
  })
  expect((await outbox.fetch(origin, post('1'))).status).toBe(201)
  await expect.poll(() => thrown.length).toBe(3)
  // Ends are heard of in other contexts too, such as those of the tests that come next.
  unwatch()
  expect(thrown).toEqual([own, own, own])
})
