import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type BatchHandler,
  type BatchRunOptions,
  type Codec,
  type HandlerContext,
  type Message,
  type Operation,
  QuaysideError,
  type Verdict,
} from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { type Deferred, defer, expectCode, setUp } from '../support/set-up.ts'

const odd = (value: unknown): never => value as never
const numbers = (count: number): { payload: number }[] =>
  Array.from({ length: count }, (_, payload) => ({ payload }))

interface Manual {
  readonly handler: BatchHandler<number>
  /** The payloads of each call. */
  readonly batches: number[][]
  readonly contexts: HandlerContext[]
  readonly jobs: Deferred<void | readonly Verdict[]>[]
}

function manual(): Manual {
  const batches: number[][] = []
  const contexts: HandlerContext[] = []
  const jobs: Deferred<void | readonly Verdict[]>[] = []
  const handler: BatchHandler<number> = (messages, context) => {
    batches.push(messages.map(({ payload }) => payload))
    contexts.push(context)
    const job = defer<void | readonly Verdict[]>()
    jobs.push(job)
    return job.promise
  }
  return { handler, batches, contexts, jobs }
}

function stopper(): AbortController {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  return controller
}

describe('how a batch fills', () => {
  test('it gets what there is, up to its size, in order', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(7))
    const sizes: number[][] = []
    const report = await consumer.drain(
      (messages) => void sizes.push(messages.map(({ payload }) => payload)),
      {
        batch: { size: 3 },
      },
    )
    expect(sizes).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(report).toEqual({ acked: 7, retried: 0, dead: 0, parked: 0, returned: 0 })
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 7, leased: 0 })
  })

  test('with withinMs it waits to be full, from its first message on, and keeps the leases meanwhile', async () => {
    const { clock, queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('default', { leaseMs: 1000, retry: { maxAttempts: 1 } })
    const { handler, batches, jobs } = manual()
    const { signal } = stopper()
    const running = consumer.run(handler, { batch: { size: 3, withinMs: 5000 }, signal })
    await producer.send(1)
    await clock.advance(4000)
    await producer.send(2)
    await clock.advance(999)
    expect(batches).toEqual([])
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 2, dead: 0 })
    await clock.advance(1)
    expect(batches).toEqual([[1, 2]])
    jobs[0]!.resolve()
    await settle()
    await producer.sendBatch(numbers(4))
    await settle()
    expect(batches).toEqual([
      [1, 2],
      [0, 1, 2],
    ])
    jobs[1]!.resolve()
    await clock.advance(5000)
    expect(batches[2]).toEqual([3])
    jobs[2]!.resolve()
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 6, dead: 0, leased: 0 })
    await queue.close()
    await running
  })

  test('concurrency counts batches: no more is claimed than handlers that are free can get', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(20))
    const { handler, batches, jobs } = manual()
    const stop = stopper()
    const running = consumer.run(handler, { concurrency: 2, batch: { size: 4 }, signal: stop.signal })
    await settle()
    expect(batches).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ])
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 8, ready: 12 })
    jobs[1]!.resolve()
    await settle()
    expect(batches[2]).toEqual([8, 9, 10, 11])
    expect((await queue.stats()).groups['default']).toMatchObject({ leased: 8, ready: 8, acked: 4 })
    stop.abort()
    for (const job of jobs) job.resolve()
    await running
  })

  test('a drain does not wait for what is not there', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(5))
    const { handler, batches, jobs } = manual()
    const draining = consumer.drain(handler, { batch: { size: 3, withinMs: 60_000 } })
    await settle()
    jobs[0]!.resolve()
    await settle()
    jobs[1]!.resolve()
    expect(await draining).toMatchObject({ acked: 5 })
    expect(batches).toEqual([
      [0, 1, 2],
      [3, 4],
    ])
  })

  test('payloads that are decoded late are in order, and what cannot be read does not hold up the rest', async () => {
    const gates = numbers(4).map(() => defer())
    const codec: Codec<number> = {
      encode: (n) => `${n}`,
      decode: async (body) => {
        await gates[Number(body)]!.promise
        if (body === '2') throw new Error('broken')
        return Number(body)
      },
    }
    const { producer, consumer } = setUp<number>({ codec })
    await producer.sendBatch(numbers(4))
    const seen: number[][] = []
    const draining = consumer.drain((messages) => void seen.push(messages.map(({ payload }) => payload)), {
      batch: { size: 10 },
    })
    for (const i of [3, 0, 1]) {
      gates[i]!.resolve()
      await settle()
    }
    expect(seen).toEqual([])
    gates[2]!.resolve()
    expect(await draining).toMatchObject({ acked: 3, dead: 1 })
    expect(seen).toEqual([[0, 1, 3]])
  })
})

describe('verdicts', () => {
  async function judged(
    verdicts: readonly Verdict[] | undefined,
    options: Partial<BatchRunOptions<number>> = {},
  ): Promise<{
    readonly states: Record<string, unknown>
    readonly failed: string[]
    readonly report: unknown
  }> {
    const { queue, producer, consumer } = setUp<number>({ keepMs: 1000 })
    const count = verdicts?.length ?? 3
    await producer.sendBatch(numbers(count))
    const failed: string[] = []
    const report = await consumer.drain(() => verdicts, {
      batch: { size: 10 },
      onFailed: ({ payload }, error) => failed.push(`${payload}: ${(error as Error).message}`),
      ...options,
    })
    const states: Record<string, unknown> = {}
    const state = ['ready', 'delayed', 'parked', 'dead'] as const
    for (const { state: name, payload, lastError, parked, nextInMs } of (await queue.list({ state }))
      .messages)
      states[payload!] = [name, lastError ?? parked, nextInMs]
    return { states, failed, report }
  }

  test('none: all are done', async () => {
    expect((await judged(undefined)).report).toMatchObject({ acked: 3 })
  })

  test('one for each', async () => {
    const { states, failed, report } = await judged([
      undefined,
      { kind: 'ack', result: { n: 1 } },
      { kind: 'nack', delayMs: 7000, reason: 'busy' },
      { kind: 'nack', counts: false },
      { kind: 'reject', reason: 'no' },
      { kind: 'park', reason: 'why', data: { x: 1 } },
      new Error('oops'),
    ])
    expect(report).toEqual({ acked: 2, retried: 2, dead: 1, parked: 1, returned: 1 })
    expect(states).toMatchObject({
      2: ['delayed', 'busy', 7000],
      3: ['delayed', undefined, 500],
      4: ['dead', 'no', undefined],
      5: ['parked', { reason: 'why', data: { x: 1 } }, undefined],
      6: ['delayed', 'oops', 500],
    })
    expect(failed).toEqual(['6: oops'])
  })

  test('a value is the result of its message', async () => {
    const { queue, producer, consumer } = setUp<number>({ keepMs: 1000 })
    const sent = await producer.sendBatch(numbers(2))
    await consumer.drain(() => [{ kind: 'ack', result: 'first' }, undefined], { batch: { size: 2 } })
    expect(await queue.result(sent[0]!.id)).toMatchObject({ status: 'done', value: 'first' })
    expect(await queue.result(sent[1]!.id)).toMatchObject({ status: 'done', value: undefined })
  })

  test.each([
    [5, 'kind must be one of ack, nack, reject, park', '5'],
    [null, 'kind'],
    ['ack', 'kind', '"ack"'],
    [{}, 'kind'],
    [{ kind: 'retry' }, 'kind', '"retry"'],
    [{ kind: 'toString' }, 'kind', '"toString"'],
    [{ kind: 'ack', value: 5 }, 'result', '"value"'],
    [{ kind: 'nack', delayMs: -1 }, 'delayMs', '-1'],
    [{ kind: 'reject', reason: 5 }, 'reason', '5'],
    [{ kind: 'park' }, 'reason', 'undefined'],
    [{ kind: 'park', reason: 'x', data: () => 1 }, 'data'],
    [{ kind: 'park', reason: 'x', data: 'x'.repeat(4096) }, 'data', '4096'],
  ])('a bad one (%o) has its message fail, and no other', async (verdict, ...texts) => {
    const { failed, report } = await judged([undefined, odd(verdict), undefined])
    expect(report).toMatchObject({ acked: 2, retried: 1 })
    expect(failed).toHaveLength(1)
    for (const text of texts) expect(failed[0]).toContain(text)
  })

  test.each([[5], [[]], [[undefined]], [{ length: 3 }], [null]])(
    'an answer that is no verdict for each (%o) has all fail',
    async (answer) => {
      const { producer, consumer } = setUp<number>()
      await producer.sendBatch(numbers(3))
      const failed: string[] = []
      const options = {
        batch: { size: 3 },
        onFailed: (_: unknown, error: unknown) => failed.push(String(error)),
      }
      expect(await consumer.drain(() => odd(answer), options)).toMatchObject({ acked: 0, retried: 3 })
      expect(failed).toHaveLength(3)
      expect(failed[0]).toContain('3 verdicts for 3 messages')
    },
  )

  test('a handler that throws has all fail but those that it has settled itself', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(3))
    const handler: BatchHandler<number> = async (messages) => {
      await messages[1]!.ack()
      throw new Error('half way')
    }
    expect(await consumer.drain(handler, { batch: { size: 3 } })).toMatchObject({ acked: 1, retried: 2 })
    expect((await queue.list()).messages).toMatchObject([
      { lastError: 'half way' },
      { lastError: 'half way' },
    ])
  })

  test('what was settled by hand needs no verdict', async () => {
    const { producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(2))
    const handler: BatchHandler<number> = async ([first]) => {
      await first!.reject()
      return [new Error('ignored'), undefined]
    }
    expect(await consumer.drain(handler, { batch: { size: 2 } })).toMatchObject({
      acked: 1,
      dead: 1,
      retried: 0,
    })
  })

  test('a storage without parked messages has the message fail', async () => {
    const { producer, consumer } = setUp<number>({ guarantees: { parking: false } })
    await producer.send(1)
    const failed: unknown[] = []
    const options = { batch: { size: 2 }, onFailed: (_: unknown, error: unknown) => failed.push(error) }
    await consumer.drain(() => [{ kind: 'park', reason: 'x' }], options)
    expect(failed).toMatchObject([{ code: 'UNSUPPORTED' }])
  })
})

describe('the end', () => {
  test('a stop has what was collected handled as the last batch, with a signal that has not aborted', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const { handler, batches, contexts, jobs } = manual()
    const stop = stopper()
    const running = consumer.run(handler, { batch: { size: 10, withinMs: 60_000 }, signal: stop.signal })
    await producer.sendBatch(numbers(3))
    await settle()
    expect(batches).toEqual([])
    stop.abort()
    await settle()
    expect(batches).toEqual([[0, 1, 2]])
    expect(contexts[0]!.signal.aborted).toBe(false)
    await producer.send(9)
    jobs[0]!.resolve()
    await running
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 3, ready: 1, leased: 0 })
  })

  test('a batch that is under way is told by its signal; if it throws that, its messages go back', async () => {
    const { queue, producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(3))
    const { handler, contexts, jobs } = manual()
    const stop = stopper()
    const failed: unknown[] = []
    const running = consumer.run(handler, {
      batch: { size: 3 },
      signal: stop.signal,
      onFailed: (_, error) => failed.push(error),
    })
    await settle()
    const { signal } = contexts[0]!
    expect(contexts[0]!.signal).toBe(signal)
    stop.abort(new Error('stop'))
    expect(signal.reason).toMatchObject({ message: 'stop' })
    jobs[0]!.reject(signal.reason)
    await running
    expect(failed).toEqual([])
    expect((await queue.list()).messages).toMatchObject([{ attempt: 0 }, { attempt: 0 }, { attempt: 0 }])
  })

  test('close hands back what was not finished in time', async () => {
    const { clock, queue, producer, consumer, storage } = setUp<number>()
    const { handler, batches } = manual()
    const running = consumer.run(handler, { batch: { size: 10, withinMs: 60_000 } })
    await producer.sendBatch(numbers(3))
    await settle()
    const closing = queue.close({ graceMs: 100 })
    await clock.advance(100)
    await closing
    await running
    expect(batches).toEqual([[0, 1, 2]])
    const given = storage.of('settle').flatMap(({ args }) => args[1] as readonly unknown[])
    expect(given).toMatchObject(Array.from({ length: 3 }, () => ({ kind: 'retry', counts: false })))
  })

  test('a deadline hands back what was collected', async () => {
    const { clock, producer, consumer } = setUp<number>()
    await producer.sendBatch(numbers(3))
    const { handler, jobs } = manual()
    const deadline = clock.now() + 1000
    const draining = consumer.drain(handler, { batch: { size: 3 }, deadline })
    await clock.advance(1000)
    expect(await draining).toMatchObject({ acked: 0, returned: 3 })
    jobs[0]!.resolve()
  })

  test('trouble that lasts ends it, and no handler is called for that', async () => {
    const { clock, producer, consumer, storage } = setUp<number>()
    const { handler, batches } = manual()
    const running = consumer.run(handler, { batch: { size: 10, withinMs: 60_000 } })
    running.catch(() => undefined)
    await producer.sendBatch(numbers(3))
    await settle()
    storage.fail(new QuaysideError('CORRUPT', 'torn'))
    storage.hint()
    await clock.advance(1000)
    await expectCode(running, 'CORRUPT')
    expect(batches).toEqual([])
  })

  test('a handler that takes too long fails; the time counts from its start, not from the first message', async () => {
    const { clock, queue, producer, consumer } = setUp<number>()
    const { handler, batches, contexts, jobs } = manual()
    const { signal } = stopper()
    const running = consumer.run(handler, { batch: { size: 2, withinMs: 900 }, timeoutMs: 1000, signal })
    await producer.send(1)
    await clock.advance(900)
    expect(batches).toEqual([[1]])
    const own = contexts[0]!.signal
    await clock.advance(999)
    expect(own.aborted).toBe(false)
    await clock.advance(1)
    expect(own.aborted).toBe(true)
    expect((await queue.list()).messages).toMatchObject([{ lastError: 'timed out after 1000 ms' }])
    jobs[0]!.resolve()
    await queue.close()
    await running
  })
})

describe('a message that is cancelled', () => {
  test('while its batch fills is not in it', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const { handler, batches, jobs } = manual()
    const { signal } = stopper()
    const running = consumer.run(handler, { batch: { size: 3, withinMs: 60_000 }, signal })
    const sent = await producer.sendBatch(numbers(2))
    await settle()
    await queue.cancel([sent[0]!.id])
    await producer.sendBatch([{ payload: 2 }, { payload: 3 }])
    await settle()
    expect(batches).toEqual([[1, 2, 3]])
    jobs[0]!.resolve()
    await settle()
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: 3 })
    await queue.close()
    await running
  })

  test('while its batch is worked on: the signal aborts when all of them are', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const sent = await producer.sendBatch(numbers(2))
    const { handler, contexts, jobs } = manual()
    const draining = consumer.drain(handler, { batch: { size: 2 } })
    await settle()
    await queue.cancel([sent[0]!.id])
    const { signal } = contexts[0]!
    expect(signal.aborted).toBe(false)
    await queue.cancel([sent[1]!.id])
    expect(signal.reason).toMatchObject({ code: 'STALE_RECEIPT' })
    jobs[0]!.resolve()
    expect(await draining).toMatchObject({ acked: 0 })
  })
})

test('whoever observes sees one operation for a batch', async () => {
  const seen: [Operation['name'], boolean, number][] = []
  const { producer, consumer } = setUp<number>({
    instrumentation: (operation, run) => {
      if (operation.name === 'process')
        seen.push([operation.name, operation.batch, operation.messages.length])
      return run()
    },
  })
  await producer.sendBatch(numbers(5))
  await consumer.drain(() => undefined, { batch: { size: 3 } })
  expect(seen).toEqual([
    ['process', true, 3],
    ['process', true, 2],
  ])
})

test('what is wrong is refused', async () => {
  const { consumer, storage } = setUp<number>()
  const refused: readonly [unknown, ...string[]][] = [
    [5, 'batch.options', '5'],
    [null, 'batch.options', 'null'],
    [{}, 'batch.size', 'undefined'],
    [{ size: 0 }, 'batch.size', '0'],
    [{ size: 5, withinMs: -1 }, 'batch.withinMs', '-1'],
    [{ size: 5, within: 1 }, 'batch.options', '"within"'],
    [{ size: 5, withinMs: 900_000 }, 'batch.withinMs', 'timeoutMs (900000)'],
  ]
  for (const [batch, ...texts] of refused) {
    const options = { batch } as BatchRunOptions<number>
    await expectCode(
      consumer.run(() => undefined, options),
      'INVALID_ARGUMENT',
      'run',
      ...texts,
    )
    await expectCode(
      consumer.drain(() => undefined, options),
      'INVALID_ARGUMENT',
      'drain',
      ...texts,
    )
  }
  expect(storage.calls).toEqual([])
  const seen: Message<number>[] = []
  await consumer.drain((message) => seen.push(message), { batch: undefined })
})
