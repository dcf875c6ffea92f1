import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { MAX_IDS } from '../../src/storage.ts'
import { type ClaimRequest, type Clock, type Message, QuaysideError, Queue } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { type Deferred, defer, expectCode, setUp } from '../support/set-up.ts'

/** What became of the messages of a group. */
const counts = async (queue: Queue<never> | Queue): Promise<unknown> => {
  const { acked, dead, leased, ready } = (await queue.stats()).groups['default']!
  return { acked, dead, leased, ready }
}

describe('after the process stood still for longer than a lease', () => {
  test('a loop extends what it has in hand before it claims: nothing comes twice, nothing is buried', async () => {
    const { clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
    const stop = new AbortController()
    const slow = defer()
    const seen: string[] = []
    const running = consumer.run(
      async ({ payload, attempt }) => {
        seen.push(`${payload}${attempt}`)
        if (payload === 'slow') await slow.promise
        // Timers are late: nobody extended anything meanwhile.
        else clock.jump(1500)
      },
      { concurrency: 2, signal: stop.signal },
    )
    await producer.sendBatch([{ payload: 'slow' }, { payload: 'blocks' }])
    await settle()
    await producer.send('next')
    await clock.advance(0)
    expect(seen).toEqual(['slow1', 'blocks1', 'next1'])
    slow.resolve()
    await settle()
    expect(await counts(queue)).toEqual({ acked: 3, dead: 0, leased: 0, ready: 0 })
    stop.abort()
    await running
  })

  test.each(['receive', 'receiveBatch', 'messages', 'drain', 'run'] as const)(
    'whoever asks next on the Queue object, by %s, extends first what others have in hand',
    async (way) => {
      const { clock, queue, producer } = setUp<string>()
      const stop = new AbortController()
      const slow = defer()
      const running = queue
        .createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
        .run(() => slow.promise, { signal: stop.signal })
      await producer.send('x')
      await settle()
      clock.jump(5000)
      const other = queue.createConsumer('default', { leaseMs: 700 })
      const seen: Message<string>[] = []
      const handler = (message: Message<string>): void => void seen.push(message)
      const waiting =
        way === 'receive'
          ? other.receive().then((one) => one && seen.push(one))
          : way === 'receiveBatch'
            ? other.receiveBatch(5).then((all) => seen.push(...all))
            : way === 'drain'
              ? other.drain(handler)
              : way === 'run'
                ? other.run(handler, { signal: stop.signal })
                : other
                    .messages({ signal: stop.signal })
                    .next()
                    .then(({ value }) => value && seen.push(value))
      await settle()
      expect(seen).toEqual([])
      slow.resolve()
      await settle()
      expect(await counts(queue)).toEqual({ acked: 1, dead: 0, leased: 0, ready: 0 })
      stop.abort()
      await Promise.all([running, waiting])
    },
  )

  test('a handler that has finished meanwhile acks, in the step that claims', async () => {
    const { clock, queue, storage, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
    const stop = new AbortController()
    const running = consumer.run(() => clock.jump(5000), { signal: stop.signal })
    await producer.send('x')
    await settle()
    expect(await counts(queue)).toEqual({ acked: 1, dead: 0, leased: 0, ready: 0 })
    expect(storage.count('settle')).toBe(0)
    stop.abort()
    await running
  })

  test.each([
    ['done in that is acked', 0, 880_000, { acked: 1, dead: 0 }],
    ['done in that is acked', 59_000, 821_000, { acked: 1, dead: 0 }],
    ['done in that is acked', 880_000, 0, { acked: 1, dead: 0 }],
    ['not done in that has failed', 59_000, 841_000, { acked: 0, dead: 1 }],
  ] as const)(
    'a handler has its time all the same, and what is %s: after %i and %i ms at work',
    async (_, before, after, expected) => {
      const { clock, queue, producer } = setUp<string>()
      const stop = new AbortController()
      const slow = defer()
      const running = queue
        .createConsumer('default', { retry: { maxAttempts: 1 } })
        .run(() => slow.promise, { signal: stop.signal })
      await producer.send('slept')
      await settle()
      await clock.advance(before)
      clock.jump(8 * 3_600_000)
      await clock.advance(after)
      slow.resolve()
      await settle()
      expect(await counts(queue)).toMatchObject(expected)
      stop.abort()
      await running
    },
  )

  test('an ack by hand comes before what is claimed in the same turn', async () => {
    const { clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    await producer.send('x')
    const message = await consumer.receive()
    clock.jump(5000)
    const [next] = await Promise.all([consumer.receive(), message!.ack()])
    expect(next).toBeUndefined()
    expect(await counts(queue)).toEqual({ acked: 1, dead: 0, leased: 0, ready: 0 })
  })

  test('the clock was set back: leases are extended all the same', async () => {
    const { clock, queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000 })
    const stop = new AbortController()
    const slow = defer()
    const running = consumer.run(() => slow.promise, { concurrency: 2, signal: stop.signal })
    await producer.send('x')
    await clock.advance(300)
    await producer.send('y')
    await settle()
    clock.jump(-3_600_000)
    await clock.advance(3_600_000 + 5000)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    slow.resolve()
    stop.abort()
    await running
  })
})

describe('after the clock was set back by a day', () => {
  /** A queue whose clock can be set back: its timers and its storage do not see that. */
  const setUpApart = (): {
    clock: ManualClock
    storage: SpyStorage
    queue: Queue<string>
    setBack: () => void
  } => {
    const clock = new ManualClock()
    let behind = 0
    const wall: Clock = {
      now: () => clock.now() - behind,
      setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
      clearTimeout: (id) => clock.clearTimeout(id),
    }
    const storage = new SpyStorage(new MemoryAdapter({ clock }))
    const queue = new Queue<string>('orders', { storage, clock: wall, random: () => 0.5 })
    onTestFinished(() => queue.close({ graceMs: 0 }))
    return { clock, storage, queue, setBack: () => (behind = 86_400_000) }
  }

  test('a storage that fails is tried again as soon as ever', async () => {
    const { clock, storage, queue, setBack } = setUpApart()
    const stop = new AbortController()
    const seen: string[] = []
    const running = queue
      .createConsumer()
      .run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'claim')
    await queue.createProducer().send('x')
    await settle()
    setBack()
    await clock.advance(60_000)
    storage.work()
    await clock.advance(10_050)
    expect(seen).toEqual(['x'])
    stop.abort()
    await running
  })

  test('what is in hand is extended, whatever else comes in between', async () => {
    const { clock, storage, queue, setBack } = setUpApart()
    const stop = new AbortController()
    const rest = defer()
    const seen: string[] = []
    const running = queue.createConsumer('default', { leaseMs: 10_000 }).run(
      ({ payload, attempt }) => {
        seen.push(`${payload}${attempt}`)
        return rest.promise
      },
      { concurrency: 3, signal: stop.signal },
    )
    const producer = queue.createProducer()
    await producer.send('a')
    await clock.advance(1000)
    setBack()
    await producer.send('later', { delayMs: 600_000 })
    await producer.send('b')
    await clock.advance(30_000)
    const elsewhere = new Queue<string>('orders', { storage, clock })
    expect(await elsewhere.createConsumer().receive()).toBeUndefined()
    await elsewhere.close()
    expect(seen).toEqual(['a1', 'b1'])
    rest.resolve()
    stop.abort()
    await running
  })
})

describe('after the storage was away for longer than a lease', () => {
  test('what was finished meanwhile is settled, what goes on is kept, and nothing is buried', async () => {
    const { clock, queue, storage, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
    const stop = new AbortController()
    const jobs = Array.from({ length: 6 }, () => defer())
    const seen: number[] = []
    const running = consumer.run(
      ({ payload }) => {
        seen.push(payload)
        return jobs[payload]?.promise
      },
      { concurrency: 6, signal: stop.signal },
    )
    await producer.sendBatch(jobs.map((_, payload) => ({ payload })))
    await settle()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'))
    await clock.advance(400)
    for (const job of jobs.slice(1)) job.resolve()
    await clock.advance(5000)
    storage.work()
    await clock.advance(10_000)
    expect(await counts(queue)).toEqual({ acked: 5, dead: 0, leased: 1, ready: 0 })
    jobs[0]!.resolve()
    await settle()
    expect(await counts(queue)).toEqual({ acked: 6, dead: 0, leased: 0, ready: 0 })
    expect(seen).toHaveLength(6)
    stop.abort()
    await running
  })
})

describe('after a step was on its way for longer than a lease', () => {
  /** A loop of three handlers that wait for their job, on a storage that what it does comes late to from the time it is told. */
  const setUpLate = async (maxBatch = 1000, count = 3) => {
    const { clock, queue, storage, producer } = setUp<number>({ guarantees: { maxBatch } })
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
    const jobs = Array.from({ length: count }, () => defer())
    const seen: string[] = []
    const stop = new AbortController()
    const running = consumer.run(
      ({ payload, attempt }) => {
        seen.push(`${payload}${attempt}`)
        return jobs[payload]?.promise
      },
      { concurrency: count, signal: stop.signal },
    )
    for (let i = 0; i < count; i++) {
      await producer.send(i)
      await settle()
    }
    onTestFinished(async () => {
      stop.abort()
      await running
    })
    return { clock, queue, storage, producer, jobs, seen }
  }

  test.each([
    ['before the storage does it', 'before'],
    ['after the storage has done it', 'after'],
  ] as const)('%s: nothing comes twice, nothing is buried', async (_, when) => {
    const { clock, queue, storage, producer, jobs, seen } = await setUpLate()
    await producer.sendBatch([{ payload: 3 }, { payload: 4 }])
    const way = defer()
    storage[when] = ({ verb }) => (verb === 'claim' ? way.promise : undefined)
    if (when === 'after')
      storage.after = async ({ verb }, result) => {
        if (verb === 'claim') await way.promise
        return await result
      }
    jobs[0]!.resolve()
    await settle()
    clock.jump(1500)
    jobs[1]!.resolve()
    storage.before = storage.after = undefined
    way.resolve()
    await settle()
    await clock.advance(0)
    expect(seen).toEqual(['01', '11', '21', '31', '41'])
    jobs[2]!.resolve()
    await settle()
    expect(await counts(queue)).toEqual({ acked: 5, dead: 0, leased: 0, ready: 0 })
  })

  test('a claim names of what is in hand the lease that ends first, whoever has it, in whatever order they end', async () => {
    const { clock, queue, storage, producer } = setUp<string>()
    const stop = new AbortController()
    const jobs: Record<string, Deferred> = {}
    const receipts: Record<string, string> = {}
    const runs = (['long', 'short'] as const).map((name) =>
      queue.createConsumer('default', { leaseMs: name === 'long' ? 60_000 : 1000, only: [name] }).run(
        ({ payload, receipt }) => {
          receipts[payload] = receipt
          return (jobs[payload] = defer()).promise
        },
        { concurrency: 10, signal: stop.signal },
      ),
    )
    /** Sends one and answers with the name of what the claim that took it had in hand. */
    const send = async (payload: string, lane: 'long' | 'short'): Promise<string | undefined> => {
      const before = storage.calls.length
      await producer.send(payload, { lane })
      await settle()
      const claims = storage.calls.slice(before).filter(({ verb }) => verb === 'claim')
      const { inHand = [] } = claims
        .map(({ args }) => args[0] as ClaimRequest)
        .find(({ limit }) => limit > 0)!
      return Object.keys(receipts).find((name) => receipts[name]!.endsWith(`/${inHand[0]}`))
    }
    const end = async (payload: string): Promise<void> => {
      jobs[payload]!.resolve()
      await settle()
      await clock.advance(1)
    }
    expect(await send('a', 'long')).toBeUndefined()
    expect(await send('b', 'long')).toBe('a')
    expect(await send('c', 'short')).toBe('a')
    await clock.advance(1)
    expect(await send('d', 'short')).toBe('c')
    await end('c')
    expect(await send('e', 'long')).toBe('d')
    await end('d')
    await end('a')
    expect(await send('f', 'long')).toBe('b')
    await end('e')
    await end('b')
    expect(await send('g', 'short')).toBe('f')
    // Past half of a second all are extended, and only one of them ends soon.
    await clock.advance(600)
    expect(await send('h', 'long')).toBe('g')
    await end('g')
    await end('f')
    expect(await send('i', 'short')).toBe('h')
    for (const job of Object.values(jobs)) job.resolve()
    stop.abort()
    await Promise.all(runs)
  })

  /** A loop that keeps its messages, whose leases of a second end in their order. */
  const setUpKept = async () => {
    const { queue, producer, clock, storage } = setUp<string>()
    const stop = new AbortController()
    const messages: Record<string, Message<string>> = {}
    const rest = defer()
    const running = queue.createConsumer('default', { leaseMs: 1000 }).run(
      (message) => {
        messages[message.payload] = message
        return rest.promise
      },
      { concurrency: 10, signal: stop.signal },
    )
    onTestFinished(async () => {
      rest.resolve()
      stop.abort()
      await running
    })
    for (const payload of ['a', 'b', 'c']) {
      await producer.send(payload)
      await settle()
      await clock.advance(1)
    }
    /** Sends one more and answers with the one that the claim named that took it. */
    const named = async (): Promise<string | undefined> => {
      await producer.send('next')
      await settle()
      const { args } = storage.calls.findLast(
        ({ verb, args: [request] }) => verb === 'claim' && (request as ClaimRequest).limit > 0,
      )!
      const { inHand } = args[0] as ClaimRequest
      return Object.keys(messages).find((name) => messages[name]!.receipt.endsWith(`/${inHand?.[0]}`))
    }
    return { clock, storage, messages, named }
  }

  test.each([
    ['extended for longer by its handler', 'a', 60_000, 'b'],
    ['cut short by its handler', 'c', 100, 'c'],
  ] as const)(
    'a claim names the lease that ends first also where one was %s',
    async (_, whose, leaseMs, expected) => {
      const { messages, named } = await setUpKept()
      await messages[whose]!.extend(leaseMs)
      expect(await named()).toBe(expected)
    },
  )

  test('a claim names a lease whose ack has failed', async () => {
    const { clock, storage, messages, named } = await setUpKept()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'claim')
    await expectCode(messages['a']!.ack(), 'STORAGE_UNAVAILABLE')
    storage.work()
    await clock.advance(200)
    expect(await named()).toBe('a')
  })

  test('a message costs no more after many others of a shorter lease than somebody else has in hand', async () => {
    const { queue, producer, storage } = setUp<string>()
    const stop = new AbortController()
    const rest = defer()
    const runs = (['long', 'short'] as const).map((name) =>
      queue
        .createConsumer('default', { leaseMs: name === 'long' ? 120_000 : 60_000, only: [name] })
        .run(({ payload }) => (payload === 'rests' ? rest.promise : undefined), {
          concurrency: 10,
          signal: stop.signal,
        }),
    )
    for (const lane of ['long', 'short']) {
      await producer.send('rests', { lane })
      await settle()
    }
    let done = 0
    /** What the processor works on 2,000 of them, in ms. */
    const work = async (): Promise<number> => {
      const lot = Array.from({ length: 1000 }, () => ({ payload: 'short', lane: 'short' }))
      const before = process.cpuUsage()
      for (let i = 0; i < 2; i++) {
        await producer.sendBatch(lot)
        done += lot.length
        while (((await queue.stats()).groups['default']!.acked ?? 0) < done) await settle()
        storage.calls.length = 0
      }
      return process.cpuUsage(before).user / 1000
    }
    /** Of three, because the garbage of others may be collected meanwhile. */
    const least = async (): Promise<number> => Math.min(await work(), await work(), await work())
    await work()
    const first = await least()
    for (let i = 0; i < 10; i++) await work()
    expect(await least()).toBeLessThan(4 * first)
    rest.resolve()
    stop.abort()
    await Promise.all(runs)
  })

  test('what is claimed meanwhile by somebody else is lost, and nothing else is', async () => {
    const { clock, queue, storage, jobs, seen } = await setUpLate()
    const way = defer()
    storage.before = ({ verb }) => (verb === 'claim' ? way.promise : undefined)
    jobs[0]!.resolve()
    await settle()
    clock.jump(1500)
    storage.before = undefined
    const elsewhere = new Queue<number>('orders', { storage, clock })
    onTestFinished(() => elsewhere.close())
    const taken = await elsewhere.createConsumer('default', { retry: { maxAttempts: 2 } }).receive()
    expect(taken).toMatchObject({ attempt: 2 })
    way.resolve()
    await settle()
    await clock.advance(0)
    for (const job of jobs) job.resolve()
    await settle()
    await taken!.ack()
    expect(seen).toEqual(['01', '11', '21'])
    expect(await counts(queue)).toMatchObject({ dead: 0, leased: 0, ready: 0 })
  })

  test('more has finished than one step settles: all of it is settled before anything is claimed', async () => {
    const { clock, queue, storage, producer, jobs, seen } = await setUpLate(2, 7)
    const way = defer()
    storage.before = ({ verb }) => (verb === 'claim' || verb === 'settle' ? way.promise : undefined)
    for (const job of jobs) job.resolve()
    await producer.sendBatch([{ payload: 7 }, { payload: 8 }])
    await settle()
    clock.jump(1500)
    storage.before = undefined
    way.resolve()
    await settle()
    await clock.advance(0)
    expect(seen).toEqual(['01', '11', '21', '31', '41', '51', '61', '71', '81'])
    expect(await counts(queue)).toEqual({ acked: 9, dead: 0, leased: 0, ready: 0 })
  })
})

describe('a storage that is opened anew after it failed, and ends all leases then', () => {
  test.each(['claim', 'settle', 'list', 'append'] as const)(
    'when %s failed: what is in hand is extended in the first step, before its claim',
    async (verb) => {
      const directory = await mkdtemp(join(tmpdir(), 'quayside-'))
      const storage = new SpyStorage(new NodeFsAdapter(directory))
      const queue = new Queue<string>('orders', { storage })
      onTestFinished(async () => {
        await queue.close()
        await storage.close()
        await rm(directory, { recursive: true })
      })
      const consumer = queue.createConsumer('default', { retry: { maxAttempts: 1 } })
      const stop = new AbortController()
      const jobs = new Map(['a', 'b', 'c'].map((payload) => [payload, defer()]))
      const started = new Map([...jobs.keys()].map((payload) => [payload, defer()]))
      const seen: string[] = []
      const signals: AbortSignal[] = []
      const running = consumer.run(
        ({ payload, attempt }, { signal }) => {
          seen.push(`${payload}${attempt}`)
          signals.push(signal)
          started.get(payload)!.resolve()
          return jobs.get(payload)!.promise
        },
        { concurrency: 3, signal: stop.signal },
      )
      const producer = queue.createProducer()
      await producer.send('a')
      await started.get('a')!.promise
      await producer.send('b')
      await started.get('b')!.promise
      const byHand = verb === 'settle' ? queue.createConsumer('other') : undefined
      const message = await byHand?.receive()
      let failed = false
      storage.before = (call) => {
        if (failed || call.verb !== verb) return
        failed = true
        throw new QuaysideError('STORAGE_FAILED', 'once')
      }
      if (verb === 'list') await expectCode(queue.list(), 'STORAGE_FAILED')
      if (verb === 'append') await expectCode(producer.send('lost'), 'STORAGE_FAILED')
      if (message !== undefined) await expectCode(message.ack(), 'STORAGE_FAILED')
      await producer.send('c')
      await started.get('c')!.promise
      expect(failed).toBe(true)
      for (const job of jobs.values()) job.resolve()
      while ((await queue.stats()).groups['default']!.leased > 0) await settle()
      expect(seen).toEqual(['a1', 'b1', 'c1'])
      expect(signals.some(({ aborted }) => aborted)).toBe(false)
      expect(await counts(queue)).toEqual({ acked: 3, dead: 0, leased: 0, ready: 0 })
      stop.abort()
      await running
    },
  )
})

describe('a message that is cancelled', () => {
  test.each(['cancel', 'purge', 'deleteGroup'] as const)(
    'by %s of the same object: its handler is told at once',
    async (way) => {
      const { queue, producer, consumer } = setUp<string>()
      const stop = new AbortController()
      const rest = defer()
      let signal: AbortSignal | undefined
      const running = consumer.run((_, context) => ((signal = context.signal), rest.promise), {
        signal: stop.signal,
      })
      await producer.send('x', { id: 'a' })
      await settle()
      await (way === 'cancel'
        ? queue.cancel(['a'])
        : way === 'purge'
          ? queue.purge()
          : queue.deleteGroup('default'))
      expect(signal!.aborted).toBe(true)
      await expectCode(Promise.reject(signal!.reason), 'STALE_RECEIPT', 'a')
      rest.resolve()
      stop.abort()
      await running
    },
  )

  test('elsewhere: its handler is told within a second, the others go on', async () => {
    const { clock, storage, producer, consumer } = setUp<string>()
    const stop = new AbortController()
    const rest = defer()
    const signals = new Map<string, AbortSignal>()
    const running = consumer.run(
      ({ id }, { signal }) => {
        signals.set(id, signal)
        return rest.promise
      },
      { concurrency: 2, signal: stop.signal },
    )
    await producer.sendBatch([
      { payload: 'x', id: 'a' },
      { payload: 'y', id: 'b' },
    ])
    await clock.advance(5000)
    const elsewhere = new Queue<string>('orders', { storage, clock })
    onTestFinished(() => elsewhere.close())
    await elsewhere.cancel(['a'])
    await clock.advance(1000)
    expect([signals.get('a')!.aborted, signals.get('b')!.aborted]).toEqual([true, false])
    // Looking costs no more than one call a second, and none where nothing happens.
    const before = storage.count('list')
    await clock.advance(5000)
    expect(storage.count('list')).toBe(before)
    rest.resolve()
    stop.abort()
    await running
  })
})

test('ids in any number are taken, in steps of as many as a storage takes', async () => {
  const { queue, storage, producer } = setUp<number>()
  const ids = Array.from({ length: 2 * MAX_IDS + 10 }, (_, i) => `id-${i}`)
  await producer.sendBatch(ids.map((id, payload) => ({ id, payload })))
  const first = await queue.list({ ids, limit: 300 })
  const second = await queue.list({ ids, limit: 1000, cursor: first.cursor })
  expect([...first.messages, ...second.messages].map(({ id }) => id)).toEqual(ids)
  expect(first.messages).toHaveLength(300)
  expect(second.cursor).toBeUndefined()
  expect(await queue.cancel([...ids, 'unknown'])).toEqual([...ids.map(() => true), false])
  for (const { args } of storage.of('cancel')) expect(args[0]).toHaveProperty('length', expect.any(Number))
  expect(storage.of('cancel').map(({ args }) => (args[0] as string[]).length)).toEqual([256, 256, 11])
  expect(await queue.retryNow(ids)).toBe(0)
  expect(await queue.deadLetters().delete(ids)).toBe(0)
})

test('a list without bodies has no payloads, and asks for none', async () => {
  const { queue, storage, producer } = setUp<number>()
  await producer.send(1)
  expect((await queue.list({ bodies: false })).messages).toMatchObject([
    { state: 'ready', payload: undefined },
  ])
  expect((storage.of('list')[0]!.args[0] as { bodies: boolean }).bodies).toBe(false)
  expect((await queue.list()).messages[0]!.payload).toBe(1)
})

test('claims on other terms share the leases in hand, too', async () => {
  const { clock, queue, storage, producer } = setUp<string>()
  const stop = new AbortController()
  const slow = defer()
  const running = queue
    .createConsumer('default', { leaseMs: 1000 })
    .run(() => slow.promise, { signal: stop.signal })
  await producer.send('x')
  await settle()
  clock.jump(600)
  await queue.createConsumer('default', { leaseMs: 2000, deadForMs: 5 }).receive()
  const claim = storage.of('claim').at(-1)!.args[0] as ClaimRequest
  expect(claim).toMatchObject({ leaseMs: 2000, deadForMs: 5, settle: [{ kind: 'extend', leaseMs: 1000 }] })
  slow.resolve()
  stop.abort()
  await running
})
