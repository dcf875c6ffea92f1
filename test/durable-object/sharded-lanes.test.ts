import { expect, test } from 'vitest'
import { hintOfText, textOfHint } from '../../adapters/durable-object/hint-text.ts'
import { lanesOf } from '../../adapters/durable-object/lanes-page.ts'
import { Positions } from '../../adapters/durable-object/positions.ts'
import { mergedHolds } from '../../adapters/durable-object/shared-holds.ts'
import { ShardedView } from '../../adapters/durable-object/sharded-view.ts'
import { shardOfKey } from '../../adapters/durable-object/shards.ts'
import type { Hold, LaneState, LanesPage, LanesQuery } from '../../src/lanes.ts'
import type { ClaimRequest, ClaimResult, Delivery, QueueStorage } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'

const SHARDS = 3
const BATCH = { batchId: '01890a5d-ac96-774b-bcce-b302099a8057' }

/** Shards that tell what was asked of them. */
function spied(
  answers: Partial<Record<keyof QueueStorage, (shard: number, ...args: never[]) => unknown>> = {},
): {
  view: ShardedView
  calls: [shard: number, verb: string, ...args: unknown[]][]
} {
  const calls: [number, string, ...unknown[]][] = []
  const shards = Array.from({ length: SHARDS }, (_, shard) => {
    const call =
      (verb: keyof QueueStorage) =>
      async (...args: unknown[]): Promise<unknown> => {
        calls.push([shard, verb, ...args])
        return answers[verb]?.(shard, ...(args as never[]))
      }
    return new Proxy({} as QueueStorage, { get: (_one, verb) => call(verb as keyof QueueStorage) })
  })
  return { view: new ShardedView(shards, () => {}), calls }
}

const shardsOf = (calls: readonly (readonly [number, ...unknown[]])[]): number[] =>
  calls.map(([shard]) => shard).toSorted((a, b) => a - b)

const ALL = [0, 1, 2]

test('a lane lies in one shard, whatever the keys of its messages', async () => {
  const { view, calls } = spied({ append: (_, messages: readonly object[]) => messages.map(() => ({})) })
  const messages = Array.from({ length: 30 }, (_, i) => ({ body: '', lane: 'tenant', key: `${i}` }))
  await view.append(messages, BATCH)
  expect(calls).toHaveLength(1)
  expect(calls[0]).toMatchObject([shardOfKey('tenant', SHARDS), 'append', messages, {}])
})

test('a message has an id or a lane', async () => {
  const { view, calls } = spied()
  const append = view.append([{ body: '', lane: 'tenant', id: 'order' }], BATCH)
  await expectCode(append, 'UNSUPPORTED', 'id "order"', 'lane "tenant"', 'shards: 1')
  expect(calls).toEqual([])
})

test('a hold of a lane goes to its shard, one of a group or of the queue to all', async () => {
  const { view, calls } = spied({ release: (shard) => shard === 1 })
  const lane = 'tenant'
  await view.hold({ lane, reason: 'why' })
  expect(calls.splice(0)).toEqual([[shardOfKey(lane, SHARDS), 'hold', { lane, reason: 'why' }]])
  await view.release({ lane, group: 'g' })
  expect(shardsOf(calls.splice(0))).toEqual([shardOfKey(lane, SHARDS)])
  await view.hold({ group: 'g' })
  expect(shardsOf(calls.splice(0))).toEqual(ALL)
  expect(await view.release({})).toBe(true)
  expect(shardsOf(calls)).toEqual(ALL)
})

test('results and parked messages are looked for where their ids say', async () => {
  const { view, calls } = spied({
    results: (shard, _, ids: readonly string[]) =>
      ids.map((id) => ({ status: 'done', value: `${id}/${shard}` })),
    resume: (shard, ids: readonly string[]) => ids.map(() => shard === 1),
  })
  const ids = Array.from({ length: 12 }, (_, i) => `id ${i}`)
  const places = ids.map((id) => shardOfKey(id, SHARDS))
  expect(await view.results('g', ids)).toEqual(
    ids.map((id, i) => ({ status: 'done', value: `${id}/${places[i]}` })),
  )
  expect(shardsOf(calls.splice(0))).toEqual(ALL)
  const edit = { body: 'new' }
  expect(await view.resume(ids, { group: 'g', edit })).toEqual(places.map((shard) => shard === 1))
  for (const [, verb, , options] of calls) expect([verb, options]).toEqual(['resume', { group: 'g', edit }])
})

test('a list of a lane asks its shard alone', async () => {
  const { view, calls } = spied({ list: () => ({ messages: [] }) })
  await view.list({ group: 'g', lane: 'tenant', limit: 10 })
  expect(shardsOf(calls.splice(0))).toEqual([shardOfKey('tenant', SHARDS)])
  await view.list({ group: 'g', lane: '', limit: 10 })
  expect(shardsOf(calls)).toEqual(ALL)
})

/** Delivers nothing, and says where its turns go on: the position before, and one more letter. */
const turning = (shard: number, { position = '' }: ClaimRequest): ClaimResult => ({
  deliveries: [],
  position: `${position}${'abc'[shard]}`,
})

const REQUEST = { group: 'g', limit: 10, leaseMs: 1000, maxAttempts: 4 }

async function joined(view: ShardedView, calls: unknown[]): Promise<void> {
  await view.claim({ ...REQUEST, limit: 0 })
  calls.length = 0
}

test('each shard has its own place in the turns of a filter', async () => {
  const { view, calls } = spied({ claim: turning })
  await joined(view, calls)
  let position: string | undefined
  for (let i = 0; i < 3; i++) ({ position } = await view.claim({ ...REQUEST, only: 'tenant', position }))
  const last = calls.slice(-SHARDS).map(([shard, , request]) => [shard, (request as ClaimRequest).position])
  expect(new Map(last as [number, string][])).toEqual(
    new Map([
      [0, 'aa'],
      [1, 'bb'],
      [2, 'cc'],
    ]),
  )
  expect((await view.claim(REQUEST)).position).toBeUndefined()
})

test.each([undefined, '', 'x', '[]', '7', 'null', '{"0":7}', '{"a":"b"}'])(
  'a position that no shard gave says nothing: %s',
  (text) => {
    const positions = new Positions(text)
    expect(positions.of(0)).toBeUndefined()
    positions.set(0, 'here')
    expect(new Positions(positions.text).of(0)).toBe('here')
  },
)

test('a claim from named lanes asks their shards alone, and settles what others gave', async () => {
  const settled: unknown[] = []
  const { view, calls } = spied({
    claim: (_, { settle }: ClaimRequest) => {
      settled.push(...(settle ?? []))
      return { deliveries: [], settled: (settle ?? []).map(() => ({ status: 'settled' })) }
    },
    settle: (_, _group, all: readonly object[]) => {
      settled.push(...all)
      return all.map(() => ({ status: 'settled' }))
    },
  })
  await joined(view, calls)
  const settle = ALL.map((shard) => ({ receipt: `${shard}:r${shard}`, kind: 'ack' }) as const)
  for (const only of [['tenant'], []]) {
    calls.length = settled.length = 0
    const result = await view.claim({ ...REQUEST, only, settle })
    const claims = calls.filter(([, verb]) => verb === 'claim')
    expect(shardsOf(claims)).toEqual(only.map((lane) => shardOfKey(lane, SHARDS)))
    expect(settled).toHaveLength(SHARDS)
    expect(result.settled).toEqual(ALL.map(() => ({ status: 'settled' })))
  }
})

test('a claim that takes nothing settles, and tells when to come again', async () => {
  const one = { id: 'i' } as Delivery
  const { view, calls } = spied({
    claim: (shard, { settle = [], limit }: ClaimRequest) => ({
      deliveries: limit === 0 ? [] : [one],
      nextInMs: 10 * (shard + 1),
      settled: settle.map(() => ({ status: 'settled' })),
    }),
    settle: (_, _group, all: readonly object[]) => all.map(() => ({ status: 'settled' })),
  })
  await joined(view, calls)
  const settle = ALL.map((shard) => ({ receipt: `${shard}:r`, kind: 'ack' }) as const)
  const { nextInMs, settled } = await view.claim({ ...REQUEST, limit: 0, settle })
  expect([nextInMs, settled]).toEqual([10, ALL.map(() => ({ status: 'settled' }))])
})

/** The lanes of a shard, as a storage pages them. */
const pageOf = (names: readonly string[], { limit, cursor, prefix = '' }: LanesQuery): LanesPage => {
  const from = cursor === undefined ? 0 : Number(cursor)
  const fitting = names.filter((name) => name.startsWith(prefix))
  const lanes = fitting
    .slice(from, from + limit)
    .map((lane): LaneState => ({ lane, waiting: 1, leased: 0, holds: [] }))
  return from + limit < fitting.length ? { lanes, cursor: `${from + limit}` } : { lanes }
}

const utf8 = new TextEncoder()
const inBytes = (a: string, b: string): number => {
  const [x, y] = [utf8.encode(a), utf8.encode(b)]
  const i = x.findIndex((byte, n) => byte !== y[n])
  return i === -1 ? x.length - y.length : x[i]! - (y[i] ?? -1)
}

test.each([1, 2, 3, 7, 100])('lanes of all shards come by name, in pages of %i', async (limit) => {
  const names = Array.from({ length: 40 }, (_, i) => `${['a', 'é', '\uffee', '😀', 'z'][i % 5]}-${i}`)
  names.push('😀', '\u{10ffff}', '\uffee', 'a', 'a-')
  const shards = Array.from({ length: 4 }, (_, shard) =>
    names.filter((name) => shard > 0 && name.length % 3 === shard - 1).toSorted(inBytes),
  )
  const known = shards.flat()
  const views = shards.map((own) => ({ lanes: async (query: LanesQuery) => pageOf(own, query) }))
  for (const prefix of [undefined, 'a', 'nothing']) {
    const seen: string[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page: LanesPage = await lanesOf(views, { group: 'g', prefix, limit, cursor })
      expect(page.lanes.length).toBeLessThanOrEqual(limit)
      seen.push(...page.lanes.map(({ lane }) => lane))
      cursor = page.cursor
      expect(pages++).toBeLessThan(100)
    } while (cursor !== undefined)
    expect(seen).toEqual(known.filter((name) => name.startsWith(prefix ?? '')).toSorted(inBytes))
  }
})

test.each(['', 'x', '7', '{}', '{"after":"a","shards":[]}', '{"after":1,"shards":[1,2]}', 'null'])(
  'a cursor that nobody gave has nothing behind it: %s',
  async (cursor) => {
    const views = [['a'], ['b']].map((own) => ({ lanes: async (query: LanesQuery) => pageOf(own, query) }))
    expect(await lanesOf(views, { group: 'g', limit: 10, cursor })).toEqual({ lanes: [] })
  },
)

test('holds of all shards: each place once, over when it is over everywhere, the widest first', () => {
  const hold = (more: Partial<Hold>): Hold => ({ since: 5, probe: false, ...more })
  const merged = mergedHolds([
    [
      hold({ endsInMs: 10 }),
      hold({ group: 'g', probe: true, probing: true }),
      hold({ lane: 'a', group: 'g' }),
    ],
    [hold({ endsInMs: 30, since: 4 }), hold({ group: 'g', probe: true, endsInMs: 7 })],
    [hold({ lane: 'b' }), hold({ endsInMs: 20, since: 9 }), hold({ group: 'h' })],
  ])
  expect(merged).toEqual([
    hold({ endsInMs: 30, since: 4 }),
    hold({ group: 'g', probe: true, endsInMs: 7 }),
    hold({ group: 'h' }),
    hold({ lane: 'a', group: 'g' }),
    hold({ lane: 'b' }),
  ])
  const many = Array.from({ length: 80 }, (_, i) => hold({ lane: `${i}` }))
  const others = many.map(({ lane }) => hold({ lane: `x${lane}` }))
  expect(mergedHolds([many, [...others, hold({ group: 'g' })]])).toHaveLength(100)
  expect(mergedHolds([many, [...others, hold({ group: 'g' })]])[0]).toEqual(hold({ group: 'g' }))
})

test('counts of parked messages are those of all shards', async () => {
  const counts = { ready: 1, leased: 0, delayed: 0, blocked: 0, parked: 2, dead: 0, acked: 3, failed: 0 }
  const stats = { groups: { g: counts }, messages: 3, bytes: 7, sent: 9, holds: [] }
  const { view } = spied({ stats: () => stats })
  expect(await view.stats()).toMatchObject({ groups: { g: { ready: 3, parked: 6, acked: 9 } }, messages: 9 })
})

test('a hint as a message of a socket', () => {
  for (const hint of [{}, { finished: 'many' }, { finished: ['a', '"'] }] as const)
    expect(hintOfText(textOfHint(hint))).toEqual(hint)
  expect(textOfHint({})).toBe('')
  for (const text of ['x', '{}', 'null', '{"finished":[1]}', undefined, new ArrayBuffer(1)])
    expect(hintOfText(text)).toBeUndefined()
})
