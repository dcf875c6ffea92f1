import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/objects.ts', {
    QUEUE: 'Plain',
    STUMBLING: 'Stumbling',
    SMALL: 'Small',
  })
})
afterAll(() => worker.close())

const VERBS = [
  'append',
  'claim',
  'claim of a new group',
  'settle',
  'cancel',
  'retryNow',
  'deleteGroup',
  'purge',
]

describe.each(['throw', 'abort'])('where each call of the storage fails in turn (%s)', (kind) => {
  test.each(VERBS)('%s is done whole or not at all', async (verb) => {
    const report = await worker.call<{ calls: number; codes: unknown[]; halves: number[] }>('faults', {
      queue: `faults ${verb} ${kind}`,
      verb,
      kind,
    })
    expect(report.calls).toBeGreaterThan(4)
    expect(report.codes).toEqual(['STORAGE_FAILED'])
    expect(report.halves).toEqual([])
  })

  test.each(['list', 'stats'])('%s changes nothing, and says so when the object ends', async (verb) => {
    const queue = `faults ${verb} ${kind}`
    const { codes, halves } = await worker.call<{ codes: unknown[]; halves: number[] }>('faults', {
      queue,
      verb,
      kind,
    })
    expect(codes).toEqual([kind === 'abort' ? 'STORAGE_UNAVAILABLE' : 'STORAGE_FAILED'])
    expect(halves).toEqual([])
  })
})

test.each([1, 3])('fifty racing claims never overlap, %i shards', async (shards) => {
  const claims = await worker.call<string[][]>('racing', { queue: `race ${shards}`, shards })
  const bodies = claims.flat()
  expect(new Set(bodies).size).toBe(bodies.length)
  expect(bodies.length).toBe(500)
})

test('a restart keeps messages, leases, attempts, retries, keys, ids and dead letters', async () => {
  const { held } = await worker.call<{ held: string[] }>('fill', 'restarted')
  const before = await worker.call<{ state: string; attempt: number }[]>('look', 'restarted')
  expect(before.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['ready', 'leased', 'delayed', 'dead']),
  )
  await worker.restart()
  expect(await worker.call('look', 'restarted')).toEqual(before)
  const settled = await worker.call<{ status: string }[]>('settle', { queue: 'restarted', held })
  expect(settled.map(({ status }) => status)).toEqual(['settled', 'settled', 'settled', 'settled'])
})

test('an object that ends under a call: the outcome of a change is unknown, a look can be tried again', async () => {
  const { errors, after } = await worker.call<{ errors: ({ code: string } | null)[]; after: string[] }>(
    'killed',
    'killed',
  )
  expect(errors.map((error) => error?.code)).toEqual(['STORAGE_FAILED', 'STORAGE_UNAVAILABLE'])
  expect(after).toEqual(['a'])
})

test('an object whose storage failed when it was opened opens it again at the next call', async () => {
  expect(await worker.call('stumbling')).toEqual({ code: 'STORAGE_FAILED', after: ['b'] })
})

describe('rows written', () => {
  test.each([1, 10, 100, 1000])(
    'a batch of %i costs 6 at most to append, claim and settle',
    async (batch) => {
      const { counts, size } = await worker.call<{ counts: number[]; size: number }>('rows', {
        queue: `rows ${batch}`,
        batch,
      })
      for (const count of counts) expect(count).toBeLessThanOrEqual(6)
      // An empty queue leaves little behind: a page for each table.
      expect(size).toBeLessThan(100_000)
    },
  )
})

test('where there is no room nothing is stored; what waits can be received and acked, and makes room', async () => {
  const result = await worker.call<{ stored: number }>('full')
  expect(result.stored).toBeGreaterThan(50)
  expect(result).toEqual({
    code: 'QUOTA_EXCEEDED',
    stored: result.stored,
    sent: result.stored,
    acked: result.stored,
    after: null,
  })
})

describe('limits', () => {
  test.each(['ascii', 'worst', 'bytes'])(
    'bodies of 1 MiB and batches of 4 MiB go through: %s',
    async (kind) => {
      const result = await worker.call<Record<string, unknown>>('limits', { queue: `limits ${kind}`, kind })
      expect(result).toMatchObject({
        tooMany: { code: 'TOO_LARGE' },
        tooLarge: { code: 'TOO_LARGE' },
        sizes: Array.from({ length: 9 }, () => 1),
        retried: 9,
        messages: 0,
        bytes: 0,
      })
      // No answer carries more than 4 MiB and a message.
      expect(result['listed']).toBeLessThanOrEqual(5)
      for (const rounds of [result['rounds'], result['again']] as number[][]) {
        expect(Math.max(...rounds)).toBeLessThanOrEqual(5)
        expect(rounds.length).toBeLessThanOrEqual(5)
      }
    },
  )

  test('a batch of 1,000 messages with ids, keys and headers goes through, one of 1,001 is refused', async () => {
    const result = await worker.call<{ order: Record<string, number[]> }>('many', 'many')
    expect(result).toMatchObject({ stored: 1000, tooMany: { code: 'TOO_LARGE' }, done: { acked: 1000 } })
    for (const [key, order] of Object.entries(result.order))
      expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i * 10 + Number(key)))
  })

  test('a row that is too long for SQLite is cut into parts, which go with it', async () => {
    const { parts, settled, same, left } = await worker.call<{
      parts: number
      settled: number
      same: boolean
      left: [string, number][]
    }>('parts', 'parts')
    expect(parts).toBeGreaterThan(1)
    expect(settled).toBe(4)
    expect(same).toBe(true)
    expect(left.filter(([, rows]) => rows > 0)).toEqual([['quayside_state', 2]])
  })
})
