import { describe, expect, test } from 'vitest'
import {
  type Codec,
  type Consumer,
  type Instrumentation,
  type Message,
  QuaysideError,
  Queue,
  type StandardSchema,
} from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { settle } from '../support/settle.ts'
import {
  type Deferred,
  type SetUp,
  defer,
  expectCode,
  isPending,
  setUp,
  thrownBy,
} from '../support/set-up.ts'

const LEASE_MS = 1000

interface Slow extends SetUp<string> {
  /** A body of this text is read once its gate opens; it may never. */
  readonly gate: Deferred
  /** Of the group `default`, with one attempt for each message. */
  readonly strict: Consumer<string>
}

/** What is named `slow…` is read late, `bad` not at all; by the codec, or by the schema. */
function setUpSlow(by: 'codec' | 'schema' = 'codec', instrumentation?: Instrumentation): Slow {
  const gate = defer()
  const read = (text: string): string | Promise<string> => {
    if (text === 'bad') throw new Error('no text')
    return text.startsWith('slow') ? gate.promise.then(() => text) : text
  }
  const codec: Codec<string> = {
    encode: String,
    decode: by === 'codec' ? (body) => read(String(body)) : String,
  }
  let sending = true
  const schema: StandardSchema<string> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        if (sending) return { value: String(value) }
        const text = read(String(value))
        return typeof text === 'string' ? { value: text } : text.then((late) => ({ value: late }))
      },
    },
  }
  const made = setUp<string>({ codec, schema: by === 'schema' ? schema : undefined, instrumentation })
  const { send } = made.producer
  made.producer.send = async (...args) => {
    sending = true
    const sent = await send.apply(made.producer, args)
    sending = false
    return sent
  }
  const strict = made.queue.createConsumer('default', { leaseMs: LEASE_MS, retry: { maxAttempts: 1 } })
  return { ...made, gate, strict }
}

/** What has become of the messages of the group `default`. */
async function states(queue: Queue<string>): Promise<string[]> {
  const { messages } = await queue.list({
    state: ['ready', 'leased', 'delayed', 'blocked', 'dead'],
    bodies: false,
  })
  return messages.map(({ state, attempt }) => `${state} ${attempt}`)
}

const blip = (): QuaysideError => new QuaysideError('STORAGE_UNAVAILABLE', 'a blip')

/** The next step that settles fails, once. */
function failOnce({ storage }: Slow, error: () => unknown = blip): void {
  let failed = false
  storage.before = ({ verb, args }) => {
    const settles =
      verb === 'settle' || (verb === 'claim' && (args[0] as { settle?: unknown }).settle !== undefined)
    if (!settles || failed) return
    failed = true
    throw error()
  }
}

describe.each(['codec', 'schema'] as const)('what a %s reads for longer than a lease lasts', (by) => {
  test.each(['run', 'drain'] as const)(
    'is in the hands of %s: given to nobody else, and not buried',
    async (verb) => {
      const slow = setUpSlow(by)
      const { clock, queue, producer, strict, gate } = slow
      const handled: string[] = []
      const stop = new AbortController()
      await producer.send('slow')
      const working = strict[verb](({ payload, attempt }) => void handled.push(`${payload} ${attempt}`), {
        concurrency: 2,
        signal: stop.signal,
      })
      await clock.advance(LEASE_MS * 0.9)
      await producer.send('quick')
      await clock.advance(LEASE_MS * 3)
      await queue.createConsumer('default', { retry: { maxAttempts: 1 } }).receive()
      expect(await states(queue)).toEqual(['leased 1'])
      gate.resolve()
      await settle()
      expect(handled).toEqual(['quick 1', 'slow 1'])
      expect(await states(queue)).toEqual([])
      stop.abort()
      await working
    },
  )

  test.each([0, 60_000, Infinity])('is in the hands of who receives it, waitMs %d', async (waitMs) => {
    const { clock, queue, producer, strict, gate } = setUpSlow(by)
    for (const text of ['slow', 'quick']) await producer.send(text)
    const received = strict.receiveBatch(2, { waitMs })
    await clock.advance(LEASE_MS * 3)
    expect(await queue.createConsumer('default', { retry: { maxAttempts: 1 } }).receive()).toBeUndefined()
    gate.resolve()
    const messages = await received
    expect(messages.map(({ payload, attempt }) => `${payload} ${attempt}`)).toEqual(['slow 1', 'quick 1'])
    expect(messages[0]!.leaseUntil).toBeGreaterThan(clock.now())
    for (const message of messages) await message.ack()
    expect(await states(queue)).toEqual([])
    // From here on its lease is its receiver's own.
    await producer.send('slow')
    await strict.receive()
    await clock.advance(LEASE_MS)
    expect(clock.timers).toBe(0)
  })

  test('is in the hands of a loop', async () => {
    const { clock, queue, producer, strict, gate } = setUpSlow(by)
    await producer.send('slow')
    const next = strict.messages().next()
    await clock.advance(LEASE_MS * 3)
    expect(await queue.createConsumer().receive()).toBeUndefined()
    gate.resolve()
    expect((await next).value).toMatchObject({ payload: 'slow', attempt: 1 })
  })
})

describe('what is cancelled while it is read', () => {
  test('is handed to no handler, and keeps no place', async () => {
    const { queue, producer, strict, gate } = setUpSlow()
    const handled: string[] = []
    const stop = new AbortController()
    const running = strict.run(({ payload }) => void handled.push(payload), { signal: stop.signal })
    await producer.send('slow', { id: 'a' })
    await settle()
    await queue.cancel(['a'])
    await producer.send('quick')
    await settle()
    expect(handled).toEqual(['quick'])
    gate.resolve()
    await settle()
    expect(handled).toEqual(['quick'])
    stop.abort()
    await running
  })

  test('is received by nobody', async () => {
    const { queue, producer, strict, gate } = setUpSlow()
    await producer.send('slow', { id: 'a' })
    await producer.send('quick')
    const received = strict.receiveBatch(2)
    await settle()
    await queue.cancel(['a'])
    gate.resolve()
    expect((await received).map(({ payload }) => payload)).toEqual(['quick'])
  })
})

describe('what is never read to its end', () => {
  test('times out as a handler does: the attempt counts, its place is free', async () => {
    const { clock, queue, producer, consumer, gate } = setUpSlow()
    const handled: string[] = []
    const stop = new AbortController()
    const running = consumer.run(({ payload }) => void handled.push(payload), {
      signal: stop.signal,
      timeoutMs: 5000,
    })
    await producer.send('slow')
    await producer.send('quick')
    await clock.advance(4999)
    expect(handled).toEqual([])
    await clock.advance(1)
    expect(handled).toEqual(['quick'])
    expect((await queue.list({ state: 'delayed', bodies: false })).messages).toMatchObject([
      { attempt: 1, lastError: 'timed out after 5000 ms' },
    ])
    gate.reject(new Error('too late'))
    await settle()
    stop.abort()
    await running
  })

  test.each([0, 3_600_000, Infinity])(
    'times out where it is received, too: the attempt counts, waitMs %d',
    async (waitMs) => {
      const { clock, queue, producer, consumer, gate } = setUpSlow()
      for (const text of ['slow', 'quick']) await producer.send(text)
      const received = consumer.receiveBatch(2, { waitMs })
      await clock.advance(899_999)
      expect(await isPending(received)).toBe(true)
      await clock.advance(1)
      const [message, ...others] = await received
      expect([message!.payload, others]).toEqual(['quick', []])
      expect((await queue.list({ state: 'delayed', bodies: false })).messages).toMatchObject([
        { attempt: 1, lastError: 'timed out after 900000 ms' },
      ])
      gate.resolve()
      await settle()
      expect((await states(queue)).sort()).toEqual(['delayed 1', 'leased 1'])
      expect(clock.timers).toBe(0)
    },
  )

  test('leaves a call alone that finds nothing else, or nothing in time', async () => {
    const { clock, queue, producer, strict } = setUpSlow()
    await producer.send('slow')
    const received = strict.receive()
    await clock.advance(900_000)
    expect(await received).toBeUndefined()
    expect(await states(queue)).toEqual(['dead 1'])
  })

  test('leaves a handler behind it all of its time', async () => {
    const { clock, producer, consumer, gate } = setUpSlow()
    const stop = new AbortController()
    const signals: AbortSignal[] = []
    const running = consumer.run((_, { signal }) => (signals.push(signal), defer().promise), {
      signal: stop.signal,
      timeoutMs: 5000,
    })
    await producer.send('slow')
    await clock.advance(4000)
    gate.resolve()
    await clock.advance(4999)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    await clock.advance(1)
    expect(signals[0]!.aborted).toBe(true)
    stop.abort()
    await running
  })

  test('goes back at once where its run is stopped, or its drain is near its deadline', async () => {
    const { clock, queue, producer, strict } = setUpSlow()
    const handled: string[] = []
    await producer.send('slow')
    const stop = new AbortController()
    const running = strict.run(() => handled.push('run'), { signal: stop.signal })
    await settle()
    stop.abort()
    await running
    expect(await states(queue)).toEqual(['ready 0'])
    const draining = strict.drain(() => handled.push('drain'), { deadline: clock.now() + 1000 })
    await clock.advance(1000)
    expect(await draining).toEqual({ acked: 0, retried: 0, dead: 0, parked: 0, returned: 1 })
    expect(await states(queue)).toEqual(['ready 0'])
    expect(handled).toEqual([])
  })

  test('goes back where the queue is closed, whatever it waits for', async () => {
    const { clock, queue, storage, producer, strict } = setUpSlow()
    for (let i = 0; i < 4; i++) await producer.send('slow')
    const running = strict.run(() => undefined)
    await settle()
    const received = [strict.receive(), strict.receive({ waitMs: 1000 }), strict.messages().next()]
    const outcomes = Promise.allSettled(received)
    await settle()
    await queue.close()
    await running
    const [once, waits, loop] = await outcomes
    for (const one of [once, waits])
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } })
    expect(loop).toMatchObject({ value: { done: true } })
    const again = new Queue<string>('orders', { storage, clock })
    expect(await states(again)).toEqual(Array.from({ length: 4 }, () => 'ready 0'))
    await again.close()
  })

  test('goes back where the queue was closed while it was on its way', async () => {
    const { clock, queue, storage, producer, strict } = setUpSlow()
    await producer.send('slow')
    const received = strict.receive()
    const refused = expectCode(received, 'CLOSED')
    await queue.close()
    await refused
    const again = new Queue<string>('orders', { storage, clock })
    expect(await states(again)).toEqual(['ready 0'])
    await again.close()
  })

  test('keeps no call beyond its signal', async () => {
    const { clock, queue, producer, strict, gate } = setUpSlow()
    for (const text of ['slow', 'quick']) await producer.send(text)
    for (const waitMs of [0, 60_000, Infinity]) {
      const stop = new AbortController()
      const received = strict.receiveBatch(2, { waitMs, signal: stop.signal })
      const ended = thrownBy(received)
      await settle()
      stop.abort(new Error('enough'))
      expect(await ended).toMatchObject({ message: 'enough' })
      await settle()
      expect(await states(queue)).toEqual(['ready 0', 'ready 0'])
      expect(clock.timers).toBe(0)
    }
    // Also where it aborts before there is anything.
    const stop = new AbortController()
    const received = strict.receive({ signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(received).rejects.toThrow('enough')
    await settle()
    expect(await states(queue)).toEqual(['ready 0', 'ready 0'])
    gate.reject(new Error('too late'))
    await settle()
    expect(await states(queue)).toEqual(['ready 0', 'ready 0'])
  })

  test('keeps no call beyond its wait: it answers with what is read', async () => {
    const { clock, queue, producer, strict } = setUpSlow()
    await producer.send('slow')
    const alone = strict.receive({ waitMs: 300 })
    await clock.advance(300)
    expect(await alone).toBeUndefined()
    await producer.send('quick')
    const both = strict.receiveBatch(2, { waitMs: 300 })
    await clock.advance(300)
    expect((await both).map(({ payload }) => payload)).toEqual(['quick'])
    expect(await states(queue)).toEqual(['ready 0', 'leased 1'])
  })

  test('but what is found at the very end of a wait may still be read', async () => {
    const { clock, producer, strict, gate } = setUpSlow()
    await producer.send('slow', { delayMs: 300 })
    const first = strict.receive({ waitMs: 300 })
    await clock.advance(300)
    expect(await isPending(first)).toBe(true)
    await clock.advance(1000)
    expect(await first).toBeUndefined()
    gate.resolve()
    expect(await strict.receive({ waitMs: 300 })).toMatchObject({ payload: 'slow', attempt: 1 })
  })

  test('holds up no drain of an outbox beyond its deadline', async () => {
    const { clock, queue, producer } = setUpSlow()
    const outbox = new Outbox(queue, { clock })
    await producer.send('slow', { lane: ' anywhere' })
    const drained = outbox.drain({ deadline: clock.now() + 1000 })
    await clock.advance(1000)
    expect(await drained).toEqual({ acked: 0, retried: 0, dead: 0, parked: 0, returned: 1 })
  })
})

describe('a storage that fails once when it is to bury what cannot be read', () => {
  const bury = async (slow: Slow, ...texts: readonly string[]): Promise<void> => {
    for (const text of texts) await slow.producer.send(text)
    failOnce(slow)
  }

  test('ends no loop', async () => {
    const slow = setUpSlow()
    await bury(slow, 'bad', 'fine')
    const told: unknown[] = []
    const next = slow.strict.messages({ onError: (error) => told.push(error) }).next()
    await slow.clock.advance(1000)
    const { value } = await next
    expect(value!.payload).toBe('fine')
    expect(told).toEqual([blip()])
    expect(await states(slow.queue)).toEqual(['leased 1', 'dead 1'])
  })

  test('ends no receive that waits', async () => {
    const slow = setUpSlow()
    await bury(slow, 'bad')
    const received = slow.strict.receive({ waitMs: 60_000 })
    await slow.clock.advance(1000)
    expect(await isPending(received)).toBe(true)
    await slow.producer.send('fine')
    expect((await received)!.payload).toBe('fine')
    expect(await states(slow.queue)).toEqual(['leased 1', 'dead 1'])
  })

  test('keeps back nothing that can be read, also where nobody waits', async () => {
    const slow = setUpSlow()
    await bury(slow, 'first', 'bad', 'fine')
    const messages: Message<string>[] = await slow.strict.receiveBatch(5)
    expect(messages.map(({ payload }) => payload)).toEqual(['first', 'fine'])
  })

  test('is the answer where there is no other', async () => {
    const slow = setUpSlow()
    await bury(slow, 'bad')
    await expectCode(slow.strict.receiveBatch(5), 'STORAGE_UNAVAILABLE')
  })

  test('ends no run, and the report of a drain counts it', async () => {
    const slow = setUpSlow()
    await bury(slow, 'bad', 'fine')
    const handled: string[] = []
    const drained = slow.strict.drain(({ payload }) => void handled.push(payload), { concurrency: 2 })
    await slow.clock.advance(1000)
    expect(await drained).toEqual({ acked: 1, retried: 0, dead: 1, parked: 0, returned: 0 })
    expect(handled).toEqual(['fine'])
  })
})

test('lasting trouble while something is read ends who waits, and the message comes back', async () => {
  const slow = setUpSlow()
  const { clock, queue, storage, producer, strict, gate } = slow
  await producer.send('slow')
  const received = expectCode(strict.receive({ waitMs: 60_000 }), 'CORRUPT')
  await settle()
  storage.fail(new QuaysideError('CORRUPT', 'damaged'), 'settle', 'claim')
  await clock.advance(LEASE_MS)
  await received
  storage.work()
  gate.resolve()
  await clock.advance(LEASE_MS)
  expect(await states(queue)).toEqual(['ready 1'])
})

test('a pause keeps back nothing that is being read', async () => {
  const { producer, strict, gate } = setUpSlow()
  await producer.send('slow')
  const received = strict.receive({ waitMs: 1000 })
  await settle()
  strict.pause()
  gate.resolve()
  expect((await received)!.payload).toBe('slow')
})

test('who observes sees only what is a message', async () => {
  const seen: string[] = []
  const { clock, producer, strict, gate } = setUpSlow('codec', ({ name, messages }, run) => {
    seen.push(`${name} ${messages.length}`)
    return run()
  })
  for (const text of ['slow', 'quick', 'bad']) await producer.send(text)
  const received = strict.receiveBatch(3)
  await clock.advance(LEASE_MS)
  gate.resolve()
  await received
  expect(seen.filter((one) => !one.startsWith('send'))).toEqual(['receive 0', 'extend 1', 'extend 1'])
})
