import { describe, expect, test } from 'vitest'
import {
  type ClaimRequest,
  type Codec,
  type Message,
  type Outcome,
  QuaysideError,
  type SendOptions,
  type Settlement,
} from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { type SetUp, defer, expectCode, isPending, setUp } from '../support/set-up.ts'
import type { SpyStorage } from '../support/spy-storage.ts'

const MINUTE = 60_000
const ALL = { lanes: true, parking: true, results: true }
const done = (value?: unknown): Outcome => ({
  status: 'done',
  value: value === undefined ? undefined : JSON.stringify(value),
  at: 5,
})

function settlementsOf(storage: SpyStorage): readonly Settlement[] {
  return storage.calls.flatMap(({ verb, args }) => {
    const all = verb === 'settle' ? args[1] : verb === 'claim' ? (args[0] as ClaimRequest).settle : []
    return (all ?? []) as readonly Settlement[]
  })
}

const acksOf = (storage: SpyStorage): readonly Settlement[] =>
  settlementsOf(storage).filter(({ kind }) => kind === 'ack')

interface Told<T> extends SetUp<T> {
  /** What the storage answers, by id. */
  readonly kept: Map<string, Outcome>
  /** The ids of each read. */
  readonly reads: (readonly string[])[]
}

function setUpTold<T = unknown>(options: Parameters<typeof setUp<T>>[0] = {}): Told<T> {
  const it = setUp<T>({ guarantees: ALL, ...options })
  const kept = new Map<string, Outcome>()
  const reads: (readonly string[])[] = []
  it.storage.stubs.results = (_group: string, ids: readonly string[]) => {
    reads.push(ids)
    return ids.map((id) => kept.get(id))
  }
  return { ...it, kept, reads }
}

describe('result without waiting', () => {
  test('answers with what is kept, decoded', async () => {
    const { queue, kept } = setUpTold()
    kept.set('a', done({ total: 3 }))
    kept.set('b', { status: 'dead', reason: 'rejected', error: 'no', at: 7 })
    kept.set('c', { status: 'running', progress: '0.5', at: 8 })
    kept.set('d', done())
    expect(await queue.result('a')).toEqual({ status: 'done', value: { total: 3 }, at: 5 })
    expect(await queue.result('b')).toEqual({ status: 'dead', reason: 'rejected', error: 'no', at: 7 })
    expect(await queue.result('c')).toEqual({ status: 'running', progress: 0.5, at: 8 })
    expect(await queue.result('d')).toEqual({ status: 'done', value: undefined, at: 5 })
    expect(await queue.result('e')).toBeUndefined()
  })

  test('what is asked for in one turn is one read, in parts of 256', async () => {
    const { queue, reads } = setUpTold()
    await Promise.all(Array.from({ length: 300 }, (_, i) => queue.result(`${i}`)))
    expect(reads.map(({ length }) => length)).toEqual([256, 44])
  })

  test('what an answer has no room for is asked for again', async () => {
    const { queue, storage, kept, reads } = setUpTold()
    for (let i = 0; i < 100; i++) kept.set(`${i}`, done(i))
    storage.stubs.results = (_group: string, ids: readonly string[]) => {
      reads.push(ids)
      return ids.slice(0, 40).map((id) => kept.get(id))
    }
    const asked = Array.from({ length: 100 }, (_, i) => queue.result(`${i}`))
    expect(await Promise.all(asked)).toEqual(asked.map((_, i) => ({ status: 'done', value: i, at: 5 })))
    expect(reads.map(({ length }) => length)).toEqual([100, 60, 20])
  })

  test('asks in the group', async () => {
    const { queue, storage, kept } = setUpTold()
    kept.set('a', done(1))
    await queue.result('a', { group: 'g' })
    await queue.result('a')
    expect(storage.of('results').map(({ args }) => args[0])).toEqual(['g', 'default'])
  })

  test('rejects with what the storage fails with, all of them, each once', async () => {
    const { queue, storage } = setUpTold()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'results')
    const asked = Array.from({ length: 300 }, (_, i) => queue.result(`${i}`))
    const ends = await Promise.allSettled(asked)
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
    expect(storage.count('results')).toBe(2)
  })

  test('rejects where the codec cannot read it', async () => {
    const { queue, kept } = setUpTold()
    kept.set('a', { status: 'done', value: '{', at: 5 })
    await expect(queue.result('a')).rejects.toThrow(SyntaxError)
  })

  test('refuses what is wrong, and what the storage cannot do', async () => {
    const { queue } = setUpTold()
    const odd = (value: unknown): never => value as never
    await expectCode(queue.result(''), 'INVALID_ARGUMENT', 'result', 'id')
    await expectCode(queue.result('a', { waitMs: -1 }), 'INVALID_ARGUMENT', 'waitMs', '-1')
    await expectCode(queue.result('a', { group: '' }), 'INVALID_ARGUMENT', 'group')
    await expectCode(queue.result('a', odd({ wait: 1 })), 'INVALID_ARGUMENT', '"wait"')
    await expectCode(queue.result('a', odd(5)), 'INVALID_ARGUMENT', 'options')
    const none = setUp({ guarantees: { results: false } })
    await expectCode(none.queue.result('a'), 'UNSUPPORTED', 'result', 'memory')
  })
})

describe('result with waitMs', () => {
  test('a hint that names the message wakes who waits for it, with one read of it and no other', async () => {
    const { queue, storage, kept, reads } = setUpTold()
    const asked = Array.from({ length: 1000 }, (_, i) => queue.result(`${i}`, { waitMs: MINUTE }))
    await settle()
    expect(reads.map(({ length }) => length)).toEqual([256, 256, 256, 232])
    reads.length = 0
    for (const id of ['7', '8', '999']) kept.set(id, done(id))
    storage.hint({ finished: ['7', 'stranger', '999', '8'] })
    expect(await Promise.all([asked[7], asked[8], asked[999]])).toMatchObject([
      { value: '7' },
      { value: '8' },
      { value: '999' },
    ])
    expect(reads).toEqual([['7', '999', '8']])
    for (const one of asked) one.catch(() => undefined)
  })

  test('a hint that names nobody here costs nothing, nor one that names nobody by a storage that can', async () => {
    const { queue, storage, reads } = setUpTold()
    const asked = queue.result('a', { waitMs: MINUTE })
    await settle()
    storage.hint({ finished: ['b'] })
    storage.hint({})
    storage.hint()
    await settle()
    expect(reads).toEqual([['a']])
    asked.catch(() => undefined)
  })

  test.each([[undefined], [{}], [{ finished: 'many' as const }]])(
    'a hint that does not know (%o) has all looked for, and many of them not more often than every 100 ms',
    async (hint) => {
      const { clock, queue, storage, kept, reads } = setUpTold()
      const a = queue.result('a', { waitMs: MINUTE })
      const b = queue.result('b', { waitMs: MINUTE })
      await settle()
      reads.length = 0
      storage.hint(hint)
      await settle()
      expect(reads).toEqual([['a', 'b']])
      for (let i = 0; i < 50; i++) storage.hint(hint)
      await clock.advance(99)
      expect(reads).toHaveLength(1)
      kept.set('a', done(1))
      await clock.advance(1)
      expect(reads).toHaveLength(2)
      expect(await a).toMatchObject({ value: 1 })
      expect(await isPending(b)).toBe(true)
      b.catch(() => undefined)
    },
  )

  test('dead ends the wait as well, progress does not', async () => {
    const { queue, storage, kept } = setUpTold()
    const asked = queue.result('a', { waitMs: Infinity })
    kept.set('a', { status: 'running', progress: '1', at: 1 })
    await settle()
    expect(await isPending(asked)).toBe(true)
    kept.set('a', { status: 'dead', reason: 'exhausted', at: 2 })
    storage.hint({ finished: ['a'] })
    expect(await asked).toMatchObject({ status: 'dead', reason: 'exhausted' })
  })

  test('at the end of the wait it looks once more, and answers with what there is', async () => {
    const { clock, queue, kept } = setUpTold()
    const a = queue.result('a', { waitMs: 500 })
    const b = queue.result('b', { waitMs: 500 })
    const c = queue.result('c', { waitMs: 500 })
    await clock.advance(499)
    expect(await isPending(a)).toBe(true)
    kept.set('a', done(1))
    kept.set('b', { status: 'running', progress: '1', at: 1 })
    await clock.advance(1)
    expect(await Promise.all([a, b, c])).toMatchObject([{ value: 1 }, { progress: 1 }, undefined])
  })

  test('looks every 30 s without a hint, every second where the storage cannot watch', async () => {
    const { clock, queue, reads } = setUpTold()
    const a = queue.result('a', { waitMs: Infinity })
    await clock.advance(29_999)
    expect(reads).toHaveLength(1)
    await clock.advance(30_001)
    expect(reads).toHaveLength(3)
    a.catch(() => undefined)
    const blind = setUpTold({ watch: false })
    const b = blind.queue.result('b', { waitMs: Infinity })
    await blind.clock.advance(3000)
    expect(blind.reads).toHaveLength(4)
    b.catch(() => undefined)
  })

  test('survives trouble that passes, with a rest between the tries, and rejects with what does not', async () => {
    const { clock, queue, storage, kept } = setUpTold()
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'results')
    const asked = queue.result('a', { waitMs: MINUTE })
    await clock.advance(10_000)
    const tries = storage.count('results')
    expect(tries).toBeGreaterThan(3)
    expect(tries).toBeLessThan(15)
    storage.hint({ finished: ['a'] })
    await settle()
    expect(storage.count('results')).toBe(tries)
    storage.work()
    kept.set('a', done(1))
    await clock.advance(10_000)
    expect(await asked).toMatchObject({ value: 1 })

    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'still away'), 'results')
    const late = queue.result('b', { waitMs: 300 })
    late.catch(() => undefined)
    await clock.advance(300)
    await expectCode(late, 'STORAGE_UNAVAILABLE', 'still away')
    storage.fail(new QuaysideError('CORRUPT', 'torn'), 'results')
    await expectCode(queue.result('c', { waitMs: MINUTE }), 'CORRUPT', 'torn')
  })

  test('a storage that broke under another verb is opened anew at once, and watched', async () => {
    const { clock, queue, producer, storage, kept } = setUpTold<string>()
    const asked = queue.result('a', { waitMs: Infinity })
    await settle()
    storage.hint({ finished: ['b'] })
    await clock.advance(100)
    storage.fail(new QuaysideError('STORAGE_FAILED', 'broke'), 'append')
    await expectCode(producer.send('x'), 'STORAGE_FAILED')
    storage.work()
    await settle()
    expect(storage.count('open')).toBe(2)
    expect(storage.listeners).toBe(1)
    kept.set('a', done(1))
    storage.hint({ finished: ['a'] })
    expect(await asked).toMatchObject({ value: 1 })
  })

  test('the signal ends it with its reason, the end of the queue with CLOSED; nothing is left', async () => {
    const { clock, queue, storage } = setUpTold()
    const controller = new AbortController()
    const a = queue.result('a', { waitMs: MINUTE, signal: controller.signal })
    const b = queue.result('b', { waitMs: MINUTE })
    await settle()
    controller.abort(new Error('enough'))
    await expect(a).rejects.toThrow('enough')
    await expect(queue.result('a', { signal: controller.signal })).rejects.toThrow('enough')
    expect(storage.listeners).toBe(1)
    const closing = queue.close()
    await expectCode(b, 'CLOSED')
    await closing
    expect(clock.timers).toBe(0)
    await expectCode(queue.result('c'), 'CLOSED')
  })

  test('who asks while a read is under way is told by the next', async () => {
    const { queue, storage, reads } = setUpTold()
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const answers: (Outcome | undefined)[] = [done('old'), done('new')]
    storage.stubs.results = async (_group: string, ids: readonly string[]) => {
      reads.push(ids)
      const answer = answers.shift()
      if (reads.length === 1) await gate
      return [answer]
    }
    const first = queue.result('a', { waitMs: MINUTE })
    await settle()
    const second = queue.result('a', { waitMs: MINUTE })
    open()
    expect(await first).toMatchObject({ value: 'old' })
    expect(await second).toMatchObject({ value: 'new' })
  })

  test('a source of random numbers that throws is a bug that is seen', async () => {
    const random = (): number => {
      throw new Error('no dice')
    }
    const { queue, storage } = setUpTold({ random })
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'results')
    await expect(queue.result('a', { waitMs: MINUTE })).rejects.toThrow('no dice')
  })
})

describe('keepMs', () => {
  const kept = async (it: SetUp<string>, options?: SendOptions): Promise<unknown> => {
    it.storage.stubs.append = (messages: readonly unknown[]) =>
      messages.map((_, i) => ({ id: `${i}`, status: 'stored' }))
    await it.producer.send('x', options)
    const [messages] = it.storage.of('append').at(-1)!.args as [{ keepMs?: number }[]]
    return messages[0]!.keepMs
  }

  test('is what the send says, else what the queue says, and 0 is not at all', async () => {
    const plain = setUp<string>({ guarantees: ALL })
    expect(await kept(plain)).toBeUndefined()
    expect(await kept(plain, { keepMs: 5 })).toBe(5)
    expect(await kept(plain, { keepMs: 0 })).toBeUndefined()
    const keeping = setUp<string>({ guarantees: ALL, keepMs: 1000 })
    expect(await kept(keeping)).toBe(1000)
    expect(await kept(keeping, {})).toBe(1000)
    expect(await kept(keeping, { keepMs: 5 })).toBe(5)
    expect(await kept(keeping, { keepMs: 0 })).toBeUndefined()
  })

  test('of a batch', async () => {
    const { producer, storage } = setUp<string>({ guarantees: ALL, keepMs: 1000 })
    storage.stubs.append = () => [{ id: 'a' }, { id: 'b' }]
    await producer.sendBatch([{ payload: 'x' }, { payload: 'y', keepMs: 7 }])
    expect(storage.of('append')[0]!.args[0]).toMatchObject([{ keepMs: 1000 }, { keepMs: 7 }])
  })

  test('is refused where it is wrong, or the storage keeps nothing', async () => {
    const { producer } = setUp<string>({ guarantees: ALL })
    await expectCode(producer.send('x', { keepMs: -1 }), 'INVALID_ARGUMENT', 'send', 'keepMs', '-1')
    expect(() => setUp({ guarantees: ALL, keepMs: Number.NaN })).toThrow('keepMs')
    const none = setUp<string>({ guarantees: { results: false } })
    await expectCode(none.producer.send('x', { keepMs: 1 }), 'UNSUPPORTED', 'send', 'results')
    expect((await none.producer.send('x', { keepMs: 0 })).status).toBe('stored')
    expect(() => setUp({ guarantees: { results: false }, keepMs: 1 })).toThrow('results')
  })
})

describe('what a handler returns', () => {
  test('is the result of a message that keeps it, written with the ack', async () => {
    const { clock, queue, storage, producer, consumer } = setUp<number>()
    const { id } = await producer.send(20, { keepMs: 1000 })
    const waiting = queue.result<{ twice: number }>(id, { waitMs: Infinity })
    const report = await consumer.drain(async ({ payload }) => ({ twice: 2 * payload }))
    expect(report.acked).toBe(1)
    const at = clock.now()
    await clock.advance(100)
    expect(await waiting).toEqual({ status: 'done', value: { twice: 40 }, at })
    const acks = acksOf(storage)
    expect(acks).toMatchObject([{ kind: 'ack', value: '{"twice":40}' }])
    expect((await queue.list({ state: 'done' })).messages).toMatchObject([
      { id, state: 'done', payload: undefined, outcome: { status: 'done', value: { twice: 40 } } },
    ])
    await clock.advance(900)
    expect(await queue.result(id)).toBeUndefined()
  })

  test('of nothing is done without a value; a death is a result as well', async () => {
    const { queue, producer, consumer } = setUp<string>({ keepMs: 1000 })
    const [a, b] = await producer.sendBatch([{ payload: 'a' }, { payload: 'b' }])
    await consumer.drain(async (message) => {
      if (message.payload === 'b') await message.reject({ reason: 'no' })
    })
    expect(await queue.result(a!.id)).toMatchObject({ status: 'done', value: undefined })
    expect(await queue.result(b!.id)).toMatchObject({ status: 'dead', reason: 'rejected', error: 'no' })
  })

  test('is not even encoded where the message keeps nothing', async () => {
    let encoded = 0
    const codec: Codec<unknown> = {
      encode: (value) => {
        encoded++
        return JSON.stringify(value)
      },
      decode: (body) => JSON.parse(String(body)) as unknown,
    }
    const { storage, producer, consumer } = setUp({ codec })
    await producer.send('a')
    await consumer.drain(() => ({ big: true }))
    await producer.send('b')
    await (await consumer.receive())!.ack({ result: { big: true } })
    expect(encoded).toBe(2)
    expect(acksOf(storage).every((ack) => ack.kind === 'ack' && ack.value === undefined)).toBe(true)
  })

  test.each([
    ['cannot be encoded', () => new Map([['a', 1]]), 'UNSERIALIZABLE', 'Map'],
    ['is too large', () => 'x'.repeat(128 * 1024), 'TOO_LARGE', '131072'],
  ] as const)('and %s: the message is done without, and onError is told', async (_, result, code, text) => {
    const { queue, producer, consumer } = setUp<string>({ keepMs: 1000 })
    const { id } = await producer.send('a')
    const errors: unknown[] = []
    const report = await consumer.drain(result, { onError: (error) => errors.push(error) })
    expect(report.acked).toBe(1)
    expect(errors).toMatchObject([{ code }])
    expect(String(errors[0])).toContain(text)
    expect(String(errors[0])).toContain(id)
    expect(await queue.result(id)).toMatchObject({ status: 'done', value: undefined })
  })

  test('through a codec that takes its time; the lease is kept meanwhile', async () => {
    const gate = defer()
    const codec: Codec<unknown> = {
      encode: async (value) => {
        if (value !== 'a') await gate.promise
        return JSON.stringify(value)
      },
      decode: async (body) => JSON.parse(String(body)) as unknown,
    }
    const { clock, queue, producer, consumer } = setUp({ codec, keepMs: 100_000 })
    const { id } = await producer.send('a')
    const draining = consumer.drain(() => 'done')
    await clock.advance(45_000)
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 1, acked: 0 })
    gate.resolve()
    expect(await draining).toMatchObject({ acked: 1 })
    expect(await queue.result(id)).toMatchObject({ value: 'done' })
  })

  test('is what an ack by hand brings; what it cannot keep is refused, and nothing is changed', async () => {
    const { queue, producer, consumer } = setUp<string>({ keepMs: 1000 })
    const [a, b] = await producer.sendBatch([{ payload: 'a' }, { payload: 'b' }])
    const [first, second] = await consumer.receiveBatch(2)
    await expectCode(first!.ack({ result: () => 1 }), 'UNSERIALIZABLE', 'ack', 'result')
    await expectCode(first!.ack({ result: 'x'.repeat(131_071) }), 'TOO_LARGE', 'ack', '131072', '131073')
    await first!.ack({ result: [1] })
    await consumer.ack(second!.receipt, { result: [2] })
    expect(await queue.result(a!.id)).toMatchObject({ value: [1] })
    expect(await queue.result(b!.id)).toMatchObject({ value: [2] })
    await expectCode(first!.ack({ result: 1 }), 'STALE_RECEIPT', 'ack')
    await expectCode(first!.ack({ value: 1 } as never), 'INVALID_ARGUMENT', 'ack', '"value"')
  })
})

describe('progress', () => {
  /** What the storage was told with each extension. */
  const told = (storage: SpyStorage): unknown[] =>
    settlementsOf(storage).flatMap((one) => (one.kind === 'extend' ? (one.progress ?? 'nothing') : []))

  test('is told within a second, only the last of it, together with the lease', async () => {
    const { clock, queue, storage, producer, consumer } = setUp<string>()
    const { id } = await producer.send('a', { keepMs: 1000 })
    const message = (await consumer.receive())!
    for (let i = 1; i <= 100; i++) await message.progress({ percent: i })
    await clock.advance(999)
    expect(told(storage)).toEqual([])
    expect(await queue.result(id)).toBeUndefined()
    await clock.advance(1)
    expect(told(storage)).toEqual(['{"percent":100}'])
    expect(message.leaseUntil).toBe(clock.now() + 30_000)
    expect(await queue.result(id)).toMatchObject({ status: 'running', progress: { percent: 100 } })
    expect((await queue.list({ state: 'leased' })).messages).toMatchObject([
      { outcome: { status: 'running', progress: { percent: 100 } } },
    ])
    await clock.advance(10_000)
    expect(told(storage)).toHaveLength(1)
    await message.progress('later')
    await clock.advance(1000)
    expect(told(storage)).toHaveLength(2)
    await message.ack({ result: 'end' })
    expect(await queue.result(id)).toMatchObject({ status: 'done', value: 'end' })
  })

  test('of one handler does not extend the leases of others; a renewal takes it along', async () => {
    const { clock, storage, producer, consumer } = setUp<number>({ keepMs: 1000 })
    await producer.sendBatch(Array.from({ length: 10 }, (_, payload) => ({ payload })))
    const gate = defer()
    const messages: Message<number>[] = []
    const draining = consumer.drain(
      (message) => {
        messages.push(message)
        return gate.promise
      },
      { concurrency: 10 },
    )
    await clock.advance(10)
    await messages[3]!.progress(1)
    await clock.advance(1000)
    expect(told(storage)).toEqual(['1'])
    await clock.advance(13_500)
    await messages[4]!.progress(2)
    await clock.advance(600)
    expect(told(storage)).toHaveLength(11)
    expect(told(storage)).toContain('2')
    await clock.advance(2000)
    expect(told(storage)).toHaveLength(11)
    gate.resolve()
    await draining
  })

  test('that fails to be told is told later, and what was said meanwhile in its place', async () => {
    const { clock, queue, storage, producer, consumer } = setUp<string>({ keepMs: 1000 })
    const { id } = await producer.send('a')
    const message = (await consumer.receive())!
    await message.progress(1)
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'away'), 'settle')
    await clock.advance(1000)
    await message.progress(2)
    storage.work()
    await clock.advance(2000)
    expect(await queue.result(id)).toMatchObject({ progress: 2 })
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'settle' ? gate.promise : undefined)
    await message.progress(3)
    await clock.advance(1000)
    await message.progress(4)
    storage.work()
    gate.resolve()
    await settle()
    expect(await queue.result(id)).toMatchObject({ progress: 3 })
    await clock.advance(1000)
    expect(await queue.result(id)).toMatchObject({ progress: 4 })
  })

  test('of what was settled meanwhile is dropped, and nothing is left when the queue is closed', async () => {
    const { clock, storage, producer, consumer, queue } = setUp<string>({ keepMs: 1000 })
    await producer.send('a')
    await producer.send('b')
    const [a, b] = await consumer.receiveBatch(2)
    await a!.progress(1)
    await b!.progress(1)
    await a!.ack()
    await expectCode(a!.progress(2), 'STALE_RECEIPT', 'progress', a!.id)
    await queue.close()
    expect(clock.timers).toBe(0)
    expect(told(storage)).toEqual([])
  })

  test('of a codec that takes its time: the last call wins', async () => {
    const gates = [defer(), defer()]
    let calls = 0
    const codec: Codec<unknown> = {
      encode: async (value) => {
        if (value !== 'a') await gates[calls++]!.promise
        return JSON.stringify(value)
      },
      decode: (body) => JSON.parse(String(body)) as unknown,
    }
    const { clock, queue, producer, consumer } = setUp({ codec, keepMs: 1000 })
    const { id } = await producer.send('a')
    const message = (await consumer.receive())!
    const both = [message.progress(1), message.progress(2)]
    gates[1]!.resolve()
    await settle()
    gates[0]!.resolve()
    await Promise.all(both)
    await clock.advance(1000)
    expect(await queue.result(id)).toMatchObject({ progress: 2 })
  })

  test('is refused where nothing is kept, or it cannot be', async () => {
    const { storage, producer, consumer, queue } = setUp<string>()
    await producer.send('a')
    await producer.send('b', { keepMs: 1 })
    const [a, b] = await consumer.receiveBatch(2)
    await expectCode(a!.progress(1), 'INVALID_ARGUMENT', 'progress', 'keepMs')
    await expectCode(b!.progress(undefined), 'INVALID_ARGUMENT', 'progress', 'value')
    await expectCode(
      b!.progress(() => 1),
      'UNSERIALIZABLE',
      'progress',
    )
    await expectCode(b!.progress('x'.repeat(131_071)), 'TOO_LARGE', 'progress', '131072')
    const other = queue.createConsumer()
    await expectCode(other.progress(b!, 1), 'INVALID_ARGUMENT', 'progress', 'this consumer')
    expect(storage.count('settle')).toBe(0)
  })
})

test('request and reply', async () => {
  const { clock, producer, consumer, queue } = setUp<{ a: number; b: number }>()
  const stop = new AbortController()
  const running = consumer.run(({ payload: { a, b } }) => a + b, { signal: stop.signal, concurrency: 10 })
  const add = async (a: number, b: number): Promise<number | undefined> => {
    const { id } = await producer.send({ a, b }, { keepMs: 60_000 })
    const result = await queue.result<number>(id, { waitMs: 10_000 })
    return result?.status === 'done' ? result.value : undefined
  }
  const sums = Promise.all([add(1, 2), add(3, 4), add(5, 6)])
  await clock.advance(100)
  expect(await sums).toEqual([3, 7, 11])
  stop.abort()
  await running
})
