import { describe, expect, test } from 'vitest'
import { Outbox } from '../../src/outbox/index.ts'
import { expectCode } from '../support/set-up.ts'
import { settle } from '../support/settle.ts'
import { type Respond, serve, statuses } from './server.ts'
import { passes, setUpOutbox, stateOf } from './set-up.ts'

// One destination never spoils another.

const post = (body: string): { method: string; body: string } => ({ method: 'POST', body })

describe('slots', () => {
  test('a host that never answers takes none of another one', async () => {
    const { origin: dead } = await serve(() => undefined)
    const { origin, arrived } = await serve()
    const { outbox, clock, events } = setUpOutbox()
    const stop = outbox.start()
    for (let i = 0; i < 12; i++) await outbox.store(dead, post(`${i}`))
    await passes(clock, 500, () => events.filter(({ type }) => type === 'sending').length === 4)
    expect((await outbox.fetch(origin, post('x'))).status).toBe(201)
    expect(arrived.length).toBe(1)
    await stop()
  })

  test('are those of a destination of your own, from all contexts together', async () => {
    const one = await serve((response) => setTimeout(() => response.end(), 3))
    const two = await serve((response) => setTimeout(() => response.end(), 3))
    const { outbox, another, told } = setUpOutbox({ destination: () => 'all of them', concurrency: 1 })
    const stops = [outbox.start(), another().start()]
    for (let i = 0; i < 8; i++) await outbox.store((i % 2 ? one : two).origin, post(`${i}`))
    await expect.poll(() => one.arrived.length + two.arrived.length).toBe(8)
    expect(Math.max(one.busy.most, two.busy.most)).toBe(1)
    expect(told).toBeDefined()
    await Promise.all(stops.map((stop) => stop()))
  })

  test('retries and what was never tried alternate', async () => {
    let down = true
    const { origin, bodies } = await serve((response) => response.writeHead(down ? 500 : 200).end())
    const { outbox, clock, told } = setUpOutbox({ concurrency: 1 })
    for (const body of ['r1', 'r2']) await outbox.store(origin, post(body))
    await outbox.drain()
    for (const body of ['n1', 'n2', 'n3']) await outbox.store(origin, post(body))
    down = false
    clock.jump(10_000)
    await outbox.drain()
    await told('accepted', 5)
    expect(
      bodies()
        .slice(2, 6)
        .map((body) => body[0])
        .toSorted((a, b) => (a! < b! ? -1 : 1)),
    ).toEqual(['n', 'n', 'r', 'r'])
    expect(
      bodies()
        .slice(2, 4)
        .map((body) => body[0])
        .toSorted((a, b) => (a! < b! ? -1 : 1)),
    ).toEqual(['n', 'r'])
  })
})

describe('a destination that is not known', () => {
  const finishing = async (): Promise<
    readonly [origin: string, finish: ((status?: number) => void)[], bodies: () => string[]]
  > => {
    const finish: ((status?: number) => void)[] = []
    const { origin, bodies } = await serve((response) =>
      finish.push((status = 200) => response.writeHead(status).end()),
    )
    return [origin, finish, bodies]
  }

  test('gets one request first, and the rest once that was answered', async () => {
    const [origin, finish] = await finishing()
    const { outbox } = setUpOutbox()
    for (let i = 0; i < 12; i++) await outbox.store(origin, post(`${i}`))
    const stop = outbox.start()
    for (const [answers, begun] of [1, 5, 6].entries()) {
      await expect.poll(() => finish.length).toBe(begun)
      await settle()
      expect(finish.length).toBe(begun)
      finish[answers]!()
    }
    for (let i = 3; i < 12; i++) {
      await expect.poll(() => finish.length).toBeGreaterThan(i)
      finish[i]!()
    }
    await outbox.settled()
    await stop()
  })

  test('is not waited for longer than 2 s', async () => {
    const [origin, finish] = await finishing()
    const { outbox, clock } = setUpOutbox()
    const stop = outbox.start()
    for (let i = 0; i < 4; i++) await outbox.store(origin, post(`${i}`))
    expect(await passes(clock, 500, () => finish.length === 4)).toBeLessThanOrEqual(2500)
    await stop()
  })

  test('is any of which nothing was heard for ten minutes, or which has failed last', async () => {
    const [origin, finish] = await finishing()
    const { outbox, clock, told } = setUpOutbox()
    const stop = outbox.start()
    let accepted = 0
    const burst = async (size: number): Promise<number> => {
      const before = finish.length
      for (let i = 0; i < size; i++) await outbox.store(origin, post(`${i}`))
      await expect.poll(() => finish.length).toBeGreaterThan(before)
      for (let i = 0; i < 20; i++) await settle()
      const first = finish.length - before
      for (let i = before; i < before + size; i++) {
        await expect.poll(() => finish.length).toBeGreaterThan(i)
        finish[i]!()
      }
      await told('accepted', (accepted += size))
      return first
    }
    expect(await burst(6)).toBe(1)
    expect(await burst(6)).toBe(4)
    await clock.advance(601_000)
    expect(await burst(6)).toBe(1)
    const before = finish.length
    await outbox.store(origin, post('fails'))
    await expect.poll(() => finish.length).toBe(before + 1)
    finish[before]!(500)
    await told('retrying')
    expect(await burst(6)).toBe(1)
    await stop()
  })

  test('that refuses the first gets no other: what waited here goes back, uncounted, and without a word', async () => {
    const [origin, finish] = await finishing()
    const { outbox, events, told } = setUpOutbox()
    const stop = outbox.start()
    for (let i = 0; i < 4; i++) await outbox.store(origin, post(`${i}`))
    await expect.poll(() => finish.length).toBe(1)
    finish[0]!(401)
    await told('held')
    const listed = async (): Promise<unknown[]> =>
      (await outbox.list()).messages.map(({ state, attempt }) => `${state} ${attempt}`)
    await expect.poll(listed).toEqual(Array.from({ length: 4 }, () => 'ready 0'))
    expect(events.filter(({ type }) => type === 'sending' || type === 'retrying')).toHaveLength(1)
    await stop()
  })

  test('does not keep a stop, a deadline or a log-out waiting', async () => {
    const [origin, finish] = await finishing()
    let user = 'A'
    const { outbox, clock } = setUpOutbox({ owner: () => user })
    const stop = outbox.start()
    for (let i = 0; i < 3; i++) await outbox.store(origin, post(`${i}`))
    await expect.poll(() => finish.length).toBe(1)
    await outbox.signOut('keep')
    user = 'B'
    await outbox.store(origin, post('of B'))
    await expect.poll(() => finish.length).toBe(2)
    await stop()
    const drained = outbox.drain({ deadline: clock.now() + 1000 })
    await expect.poll(() => finish.length).toBe(3)
    await clock.advance(1000)
    expect(await drained).toMatchObject({ acked: 0, returned: 1 })
  })
})

describe('a destination cools down', () => {
  test('after Retry-After: nobody asks it before, in any context; then one, then the rest', async () => {
    let banned = true
    const { origin, arrived } = await serve((response) =>
      banned ? response.writeHead(503, { 'retry-after': '60' }).end() : response.end(),
    )
    const { outbox, another, clock } = setUpOutbox()
    const stops = [outbox.start(), another().start()]
    for (let i = 0; i < 100; i++) await outbox.store(origin, post(`${i}`))
    await expect.poll(() => arrived.length).toBe(1)
    await settle()
    for (let minute = 1; minute <= 3; minute++) {
      const before = arrived.length
      await clock.advance(59_000)
      await settle()
      expect(arrived.length).toBe(before)
      await passes(clock, 1000, () => arrived.length > before)
      expect(arrived.length).toBe(before + 1)
    }
    banned = false
    await passes(clock, 1000, () => arrived.length >= 104)
    expect(arrived.length).toBe(104)
    expect(await outbox.size()).toBe(0)
    await Promise.all(stops.map((stop) => stop()))
  })

  test('and is tried by nobody else meanwhile, but goes for those who ask for it', async () => {
    const { origin, arrived } = await serve((response, _, number) =>
      number === 1 ? response.writeHead(429, { 'retry-after': '60' }).end() : response.end(),
    )
    const { outbox, another } = setUpOutbox()
    expect(stateOf(await outbox.fetch(origin, post('1')))).toBe('retrying')
    const other = another()
    expect(stateOf(await other.fetch(origin, post('2')))).toBe('stored')
    expect(await other.drain()).toMatchObject({ acked: 0 })
    expect(arrived.length).toBe(1)
    expect(await other.retryNow()).toBe(1)
    await expect.poll(() => arrived.length).toBe(3)
  })

  test('after failures in a row, for longer and longer', async () => {
    let up = false
    const { origin, arrived } = await serve((response) => response.end())
    const tried: number[] = []
    const { outbox, clock } = setUpOutbox({
      fetch: (request, init) => {
        tried.push(clock.now())
        return up ? fetch(request, init) : Promise.reject(new TypeError('Failed to fetch'))
      },
    })
    for (let i = 0; i < 300; i++) await outbox.store(origin, post(`${i}`))
    const start = clock.now()
    const stop = outbox.start()
    await clock.advance(600_000)
    expect(tried.length).toBeLessThan(20)
    up = true
    await passes(clock, 10_000, () => arrived.length === 300)
    expect(clock.now() - start).toBeLessThan(600_000 + 400_000)
    await stop()
  })

  test('also when the clock of the device was set back', async () => {
    let tried = 0
    let back = 0
    const set = setUpOutbox({
      fetch: () => {
        tried++
        return Promise.reject(new TypeError('Failed to fetch'))
      },
      clock: {
        now: () => set.clock.now() - back,
        setTimeout: (callback, ms) => set.clock.setTimeout(callback, ms),
        clearTimeout: (timer) => set.clock.clearTimeout(timer),
      },
    })
    const { outbox, clock } = set
    for (let i = 0; i < 300; i++) await outbox.store('http://localhost', post(`${i}`))
    const stop = outbox.start()
    await clock.advance(60_000)
    const before = tried
    back = 3_600_000
    await clock.advance(600_000)
    expect(tried - before).toBeLessThan(10)
    await stop()
  })

  test('a limiter that prolongs its ban at each request within it gets all at nearly its own pace', async () => {
    const EVERY = 10_000
    const AT_ONCE = 10
    let refused = 0
    let until = 0
    let count = 0
    let windowAt = 0
    let now = (): number => 0
    const respond: Respond = (response) => {
      const at = now()
      if (at < until) {
        until = at + EVERY
        refused++
        return response.writeHead(429, { 'retry-after': String(EVERY / 1000) }).end()
      }
      if (at >= windowAt + EVERY) {
        windowAt = at
        count = 0
      }
      if (++count <= AT_ONCE) return response.end()
      until = at + EVERY
      refused++
      return response.writeHead(429, { 'retry-after': String(EVERY / 1000) }).end()
    }
    const { origin } = await serve(respond)
    const { outbox, clock, events } = setUpOutbox()
    now = () => clock.now()
    for (let i = 0; i < 120; i++) await outbox.store(origin, post(`${i}`))
    const start = clock.now()
    const stop = outbox.start()
    await passes(clock, 1000, () => events.filter(({ type }) => type === 'accepted').length === 120)
    const took = clock.now() - start
    expect(took).toBeLessThan((120 / AT_ONCE) * EVERY * 1.5)
    // Those that were under way when it was met first were refused together.
    expect(refused).toBeLessThanOrEqual(took / EVERY + 3)
    await stop()
  }, 30_000)

  test('that begins to limit refuses what is under way, and then one request at a time, whoever sends it', async () => {
    const WAIT_MS = 10_000
    let isLimiting = false
    let now = (): number => 0
    let [windowAt, count] = [0, 0]
    const refusedAt: number[] = []
    const { origin } = await serve((response) => {
      if (now() >= windowAt + WAIT_MS) [windowAt, count] = [now(), 0]
      if (!isLimiting || ++count <= 10) return response.end()
      refusedAt.push(now())
      return response.writeHead(429, { 'retry-after': String(WAIT_MS / 1000) }).end()
    })
    const { outbox, another, clock } = setUpOutbox()
    now = () => clock.now()
    const contexts = [outbox, another(), another()]
    // Each has heard of it.
    for (const one of contexts)
      for (let i = 0; i < 3; i++) expect((await one.fetch(origin, post('1'))).status).toBe(200)
    isLimiting = true
    for (let i = 0; i < 120; i++) await outbox.store(origin, post(`${i}`))
    const stops = contexts.map((one) => one.start())
    let left = 120
    await passes(clock, 500, () => {
      void outbox.size().then((size) => (left = size))
      return left === 0
    })
    const windows = refusedAt.map((at) => Math.floor(at / WAIT_MS))
    const refused = [...new Set(windows)].map((one) => windows.filter((other) => other === one).length)
    expect(refused.length).toBeGreaterThan(5)
    // Four were under way when it began.
    expect(refused[0]).toBeLessThanOrEqual(4)
    expect(Math.max(...refused.slice(1))).toBe(1)
    await Promise.all(stops.map((stop) => stop()))
  }, 60_000)

  test.each([
    [401, 429],
    [429, 401],
  ])('rests for as long as it said, though somebody has to log in: first %i, then %i', async (...told) => {
    const answers: ((status: number) => void)[] = []
    const { origin, arrived } = await serve((response, _, number) => {
      const answer = (status: number): void => {
        if (status === 429) response.setHeader('retry-after', '60')
        response.writeHead(status).end()
      }
      if (number > 2) answer(201)
      else answers.push(answer)
    })
    const { outbox, clock, told: heard } = setUpOutbox({ concurrency: 2 })
    const stop = outbox.start()
    for (let i = 0; i < 6; i++) await outbox.store(origin, post(`${i}`))
    await passes(clock, 500, () => answers.length === 2)
    for (const [i, status] of told.entries()) {
      answers[i]!(status)
      await heard(status === 401 ? 'held' : 'retrying')
    }
    await outbox.resume()
    await clock.advance(59_000)
    await settle()
    expect(arrived.length).toBe(2)
    await passes(clock, 1000, () => arrived.length === 8)
    await stop()
  })

  test('one goes at a time until one was accepted, also where a newer one replaces the probe', async () => {
    const calls: { readonly text: string; readonly end: (response?: Response) => void }[] = []
    const { outbox, clock } = setUpOutbox({
      fetch: async (request) => {
        const text = await request.text()
        return await new Promise((resolve, reject) => {
          const end = (response?: Response): void =>
            response === undefined ? reject(new TypeError('Failed to fetch')) : resolve(response)
          calls.push({ text, end })
        })
      },
    })
    const stop = outbox.start()
    const store = (body: string): Promise<unknown> =>
      outbox.store('http://a.example/', { method: 'PUT', body, id: body.slice(0, 1), replace: true })
    const settled = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await settle()
    }
    for (const body of ['a1', 'b1', 'c1', 'd1', 'e1', 'f1']) await store(body)
    await settled()
    expect(calls.length, 'the first').toBe(1)
    await clock.advance(2000)
    await settled()
    expect(calls.map(({ text }) => text)).toEqual(['a1', 'b1', 'c1', 'd1'])
    const [b, ...others] = calls.splice(0)
    for (const { end } of others) end()
    await settled()
    await clock.advance(1000)
    await settled()
    expect(calls.length, 'a probe').toBe(1)
    // It ends without an answer while a newer one waits, and so does one from before.
    const [probe] = calls.splice(0)
    await store(`${probe!.text.slice(0, 1)}2`)
    probe!.end()
    b!.end()
    await settled()
    await clock.advance(5000)
    await settled()
    expect(calls.length, 'another probe').toBe(1)
    calls.splice(0)[0]!.end(new Response())
    await settled()
    expect(calls.length).toBeGreaterThan(0)
    await stop()
  })

  test('does not rest for what one request is told', async () => {
    const { origin, arrived } = await serve(statuses(500, 200, 500, 200, 500, 200))
    const { outbox } = setUpOutbox({ concurrency: 1 })
    for (let i = 0; i < 6; i++) await outbox.store(origin, post(`${i}`))
    await outbox.drain()
    expect(arrived.length).toBe(6)
  })
})

describe('a destination is held', () => {
  test.each([401, 419, 440, 498])(
    'by %i, and no other one; the caller gets the answer of the server',
    async (status) => {
      const { origin, arrived } = await serve(statuses(status))
      const { origin: other } = await serve()
      const { outbox } = setUpOutbox()
      const answer = await outbox.fetch(origin, post('1'))
      expect([answer.status, stateOf(answer), await answer.text()]).toEqual([
        status,
        'held',
        `this is ${status}`,
      ])
      expect(await outbox.held()).toMatchObject([
        { destination: origin, reason: `HTTP ${status}: this is ${status}` },
      ])
      expect(stateOf(await outbox.fetch(origin, post('2')))).toBe('held')
      expect((await outbox.fetch(other, post('3'))).status).toBe(201)
      expect(arrived.length).toBe(1)
      expect(await outbox.due()).toBe(0)
    },
  )

  test('in all contexts, and over in all after resume in any: one goes first, then the rest', async () => {
    let loggedIn = false
    const finish: (() => void)[] = []
    const { origin, arrived } = await serve((response) => {
      if (!loggedIn) return response.writeHead(401).end()
      return finish.push(() => response.end())
    })
    const { outbox, another } = setUpOutbox()
    const [tab, worker] = [another(), another()]
    const stops = [outbox.start(), tab.start()]
    await outbox.fetch(origin, post('0'))
    for (let i = 1; i < 10; i++) await tab.store(origin, post(`${i}`))
    expect(await worker.drain()).toMatchObject({ acked: 0, retried: 0 })
    expect(arrived.length).toBe(1)
    loggedIn = true
    await worker.resume()
    await expect.poll(() => finish.length).toBe(1)
    await settle()
    expect(finish.length).toBe(1)
    finish[0]!()
    await expect.poll(() => finish.length).toBe(5)
    for (let done = 1; done < 10; done++) {
      await expect.poll(() => finish.length).toBeGreaterThan(done)
      finish[done]!()
    }
    await expect.poll(() => outbox.size()).toBe(0)
    expect(await outbox.held()).toEqual([])
    await Promise.all(stops.map((stop) => stop()))
  })

  test('by what another context was told: who waits gets that answer, too', async () => {
    const finish: (() => void)[] = []
    const { origin } = await serve((response, { body }) => {
      if (body.toString() === 'slow') finish.push(() => response.end())
      else response.writeHead(401).end('who are you?')
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
    expect([answer.status, stateOf(answer), await answer.text()]).toEqual([401, 'held', 'who are you?'])
    await stop()
  })

  test('by an answer from before the log-in no more', async () => {
    const finish: (() => void)[] = []
    const { origin, arrived } = await serve((response, _, number) =>
      number <= 2 ? finish.push(() => response.writeHead(401).end()) : response.end(),
    )
    const { outbox, clock } = setUpOutbox()
    const stop = outbox.start()
    for (let i = 0; i < 4; i++) await outbox.store(origin, { ...post(`${i}`) })
    await passes(clock, 500, () => arrived.length >= 2)
    finish[0]!()
    await expect.poll(async () => (await outbox.held()).length).toBe(1)
    await outbox.resume()
    finish[1]!()
    await expect.poll(() => outbox.size()).toBe(0)
    await stop()
  })

  test('by no answer from before a log-in in another context', async () => {
    const finish: (() => void)[] = []
    let token = 'old'
    const { origin, arrived } = await serve((response, { headers }) =>
      headers['x-token'] === 'old' ? finish.push(() => response.writeHead(401).end()) : response.end(),
    )
    const { outbox, another, told, clock } = setUpOutbox({
      before: ({ headers }) => headers.set('x-token', token),
    })
    const stop = outbox.start()
    for (let i = 0; i < 4; i++) await outbox.store(origin, post(`${i}`))
    await passes(clock, 500, () => finish.length >= 3)
    finish[0]!()
    await told('held')
    token = 'new'
    await another().resume()
    await told('accepted')
    for (const late of finish.slice(1)) late()
    await expect.poll(() => outbox.size()).toBe(0)
    expect(arrived.filter(({ headers }) => headers['x-token'] === 'new').length).toBe(4)
    await stop()
  })

  test('costs no attempt, and one request for each try', async () => {
    const { origin, arrived } = await serve(statuses(401))
    const { outbox, queue, told, clock } = setUpOutbox({ concurrency: 1 })
    const stop = outbox.start()
    for (let i = 0; i < 9; i++) await outbox.store(origin, post(`${i}`))
    await told('held')
    await settle()
    const before = arrived.length
    for (let i = 1; i <= 3; i++) {
      await outbox.resume()
      await expect.poll(() => arrived.length).toBe(before + i)
      await expect.poll(async () => (await outbox.held()).length).toBe(1)
    }
    await clock.advance(3_600_000)
    expect(arrived.length).toBe(before + 3)
    expect((await queue.list()).messages.every(({ attempt }) => attempt === 0)).toBe(true)
    await stop()
  })
})

test.each(['', null, undefined, 7])('%j is no destination', async (where) => {
  const { outbox } = setUpOutbox({ destination: () => where as never, owner: () => 'A' })
  for (const call of ['fetch', 'store'] as const)
    await expectCode(
      outbox[call]('http://127.0.0.1:9', { method: 'POST' }),
      'INVALID_ARGUMENT',
      'destination must',
    )
  expect(await outbox.size()).toBe(0)
})

test('what is stored under one queue survives an outbox of other limits', async () => {
  const { origin } = await serve()
  const { outbox, queue } = setUpOutbox({ concurrency: 1 })
  await outbox.store(origin, post('x'))
  expect(await new Outbox(queue).drain()).toMatchObject({ acked: 1 })
})
