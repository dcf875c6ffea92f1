import { describe, expect, test } from 'vitest'
import { type Outcome, QuaysideError, type SendOptions } from '../../src/index.ts'
import { settle } from '../support/manual-clock.ts'
import { type SetUp, expectCode, isPending, setUp } from '../support/set-up.ts'

const MINUTE = 60_000
const ALL = { lanes: true, parking: true, results: true }
const done = (value?: unknown): Outcome => ({
  status: 'done',
  value: value === undefined ? undefined : JSON.stringify(value),
  at: 5,
})

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

  test('a hint that names nobody here, or says that nothing has finished, costs nothing', async () => {
    const { queue, storage, reads } = setUpTold()
    const asked = queue.result('a', { waitMs: MINUTE })
    await settle()
    storage.hint({ finished: ['b'] })
    storage.hint({})
    await settle()
    expect(reads).toEqual([['a']])
    asked.catch(() => undefined)
  })

  test.each([[undefined], [{ finished: 'many' as const }]])(
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
    const { queue, producer, storage, kept } = setUpTold<string>()
    const asked = queue.result('a', { waitMs: Infinity })
    await settle()
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
