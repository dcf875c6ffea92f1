import { expect, test } from 'vitest'
import { MemoryAdapter, memoryStore } from '../../src/memory.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { referenceWith } from '../conformance/reference.ts'
import { limited, SMALL_STEPS } from './small-steps.ts'
import type { Delivery, QueueStorage } from '../../src/storage.ts'

function rng(seed: number) {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
const small = process.env.SMALL === '1'

async function history(seed: number, steps: number, modes: string): Promise<void> {
  const r = rng(seed)
  const pick = <T>(...xs: T[]): T => xs[Math.floor(r() * xs.length)]!
  let now = 1_000_000
  const clock = { now: () => now }
  const ref = (await referenceWith().create({ clock } as never)).adapter
  const memory = await memoryStore(clock)()
  const own = new SegmentAdapter(new MemoryAdapter().guarantees, async () =>
    small ? limited(memory, SMALL_STEPS) : memory,
  )
  const qs: QueueStorage[] = [await ref.open('q'), await own.open('q')]
  const leased: Record<string, Map<string, Delivery>[]> = {}
  const ids: string[][] = []
  const has = (m: string) => modes.includes(m)
  const rules = pick(
    undefined,
    { concurrency: 2 },
    { weight: 3 },
    { names: { b: { weight: 2, concurrency: 3 } } },
    modes.includes('r') ? { rate: { count: 2, perMs: 1000 } } : undefined,
  )
  let n = 0
  const log: string[] = []
  const both = async <T>(f: (q: QueueStorage, i: number) => Promise<T>): Promise<[T, T]> => [
    await f(qs[0]!, 0),
    await f(qs[1]!, 1),
  ]
  const groups = has('g') ? ['g', 'h'] : ['g']
  try {
    for (let step = 0; step < steps; step++) {
      const what = pick(
        'send',
        'send',
        'claim',
        'claim',
        'settle',
        'settle',
        'advance',
        'cancel',
        'hold',
        'release',
        'group',
        'purge',
        'retryNow',
        'redrive',
      )
      if (what === 'send') {
        const count = pick(1, 1, 2, 5)
        const messages = Array.from({ length: count }, () => ({
          body: `m${n++}`,
          lane: pick(undefined, 'a', 'b', 'b', 'c'),
          key: has('k') ? pick(undefined, undefined, 'k1', 'k2') : undefined,
          delayMs: has('d') ? pick(undefined, undefined, undefined, 100, 1000) : undefined,
          expiresInMs: has('x') ? pick(undefined, undefined, undefined, 500, 3000) : undefined,
          ...(has('i') && r() < 0.4
            ? { id: pick('i1', 'i2', 'i3', 'i4'), replace: r() < 0.5, dedupeMs: pick(undefined, 1000) }
            : {}),
        }))
        const batchId = `019343f0-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
        log.push(`send ${JSON.stringify(messages)}`)
        const [a, b] = await both((q) => q.append(messages, { batchId }))
        expect(b.map((x) => x.status)).toEqual(a.map((x) => x.status))
        for (let i = 0; i < a.length; i++) ids.push([a[i]!.id, b[i]!.id])
      } else if (what === 'claim') {
        const group = pick(...groups)
        const lanes = has('l') ? rules : undefined
        void 0
        const request = {
          group,
          limit: pick(1, 2, 3, 10),
          leaseMs: pick(500, 30000),
          maxAttempts: 50,
          lanes,
          from: has('g') ? pick('earliest' as const, 'latest' as const) : undefined,
        }
        log.push(`claim ${JSON.stringify(request)}`)
        let [a, b] = await both((q) => q.claim(request))
        log.push(
          `  -> ${a.deliveries.map((d) => `${d.lane ?? '-'}:${d.body as string}`).join(' ')} | ${b.deliveries.map((d) => `${d.lane ?? '-'}:${d.body as string}`).join(' ')} next ${a.nextInMs} ${b.nextInMs}`,
        )
        const bad =
          JSON.stringify(a.deliveries.map((d) => d.lane ?? '-')) !==
          JSON.stringify(b.deliveries.map((d) => d.lane ?? '-'))
        if (bad && small) return
        expect(b.deliveries.map((d) => d.lane ?? '-')).toEqual(a.deliveries.map((d) => d.lane ?? '-'))
        if (
          JSON.stringify(a.deliveries.map((d) => d.body).sort()) !==
          JSON.stringify(b.deliveries.map((d) => d.body).sort())
        )
          return
        if (has('h') || has('r') || has('l')) {
        } else if (b.nextInMs === undefined) expect(a.nextInMs).toBe(undefined)
        else if (a.nextInMs !== undefined) expect(b.nextInMs).toBeLessThanOrEqual(a.nextInMs)
        leased[group] ??= [new Map(), new Map()]
        for (const d of a.deliveries) leased[group]![0]!.set(d.body as string, d)
        for (const d of b.deliveries) leased[group]![1]!.set(d.body as string, d)
      } else if (what === 'settle') {
        const group = pick(...groups)
        const [x, y] = leased[group] ?? []
        if (!x || x.size === 0) continue
        const some = [...x.keys()].filter(() => r() < 0.5)
        const kinds = some.map(() => pick('ack', 'ack', 'ack', 'retry', 'retry0', 'dead', 'extend'))
        const make = (m: Map<string, Delivery>) =>
          some.map((body, i) => {
            const { receipt } = m.get(body)!
            const kind = kinds[i]!
            if (kind === 'ack') return { receipt, kind } as const
            if (kind === 'retry') return { receipt, kind, delayMs: 700 } as const
            if (kind === 'retry0') return { receipt, kind: 'retry', delayMs: 0, counts: false } as const
            if (kind === 'dead') return { receipt, kind, reason: 'rejected' } as const
            return { receipt, kind: 'extend', leaseMs: 2000 } as const
          })
        log.push(`settle ${group} ${some.map((s, i) => `${s}:${kinds[i]}`).join(' ')}`)
        const [a, b] = await both((q, i) => q.settle(group, make(i === 0 ? x : y!)))
        expect(b.map((s) => s.status)).toEqual(a.map((s) => s.status))
        some.forEach((s, i) => {
          if (kinds[i] !== 'extend') (x.delete(s), y!.delete(s))
        })
      } else if (what === 'advance') {
        const ms = pick(1, 100, 500, 1000, 5000)
        log.push(`advance ${ms}`)
        now += ms
      } else if (what === 'cancel' && has('c') && ids.length > 0) {
        const some = [pick(...ids), pick(...ids)]
        log.push(`cancel ${JSON.stringify(some)}`)
        const [a, b] = await both((q, i) => q.cancel(some.map((s) => s[i]!)))
        expect(b).toEqual(a)
      } else if (what === 'retryNow' && has('c') && ids.length > 0) {
        const some = [pick(...ids), pick(...ids)]
        log.push(`retryNow ${JSON.stringify(some)}`)
        const [a, b] = await both((q, i) =>
          q.retryNow(
            'g',
            some.map((s) => s[i]!),
          ),
        )
        expect(b).toEqual(a)
      } else if (what === 'hold' && has('h')) {
        const request = {
          group: pick(undefined, 'g'),
          lane: pick(undefined, 'a', 'b', 'b', 'z'),
          forMs: pick(undefined, 300, 1500),
          probe: pick(true, false),
        }
        log.push(`hold ${JSON.stringify(request)}`)
        await both((q) => q.hold(request))
      } else if (what === 'release' && has('h')) {
        const request = {
          group: pick(undefined, 'g'),
          lane: pick(undefined, 'a', 'b', 'b', 'z'),
          probe: pick(true, false),
        }
        log.push(`release ${JSON.stringify(request)}`)
        const [a, b] = await both((q) => q.release(request))
        expect(b).toEqual(a)
      } else if (what === 'group' && has('g') && r() < 0.3) {
        const group = pick(...groups)
        log.push(`deleteGroup ${group}`)
        await both((q) => q.deleteGroup(group))
        delete leased[group]
      } else if (what === 'purge' && has('p') && r() < 0.3) {
        log.push('purge')
        await both((q) => q.purge())
      } else if (what === 'redrive') {
        const group = pick(...groups)
        const [a, b] = await both((q) => q.list({ group, states: ['dead'], limit: 100 }))
        const of = (m: typeof a) =>
          m.messages.map((d) => `${d.lane ?? '-'} ${d.body as string} ${d.attempt} ${d.reason}`).sort()
        expect(of(b)).toEqual(of(a))
        if (a.messages.length === 0) continue
        const body = pick(...a.messages).body
        log.push(`redrive ${group} ${body as string}`)
        await both((q, i) =>
          q.settle(group, [
            {
              receipt: (i === 0 ? a : b).messages.find((m) => m.body === body)!.receipt!,
              kind: 'retry',
              delayMs: 0,
            },
          ]),
        )
      }
      const [a, b] = await both((q) => q.stats())
      const sum = (x: typeof a) =>
        Object.entries(x.groups).map(([g, c]) =>
          [g, c.ready + c.blocked, c.leased, c.delayed, c.dead, c.acked].join(' '),
        )
      expect(sum(b).sort(), 'stats').toEqual(sum(a).sort())
      expect({
        ...b,
        groups: 0,
        bytes: 0,
        sent: 0,
        oldestMs: 0,
        holds: b.holds
          .map((h) =>
            JSON.stringify(
              Object.entries(h)
                .filter(([, v]) => v !== undefined)
                .sort(),
            ),
          )
          .sort(),
      }).toEqual({
        ...a,
        groups: 0,
        bytes: 0,
        sent: 0,
        oldestMs: 0,
        holds: a.holds
          .map((h) =>
            JSON.stringify(
              Object.entries(h)
                .filter(([, v]) => v !== undefined)
                .sort(),
            ),
          )
          .sort(),
      })
      for (const group of groups) {
        const [a, b] = await both((q) => q.lanes({ group, limit: 10 }))
        const of = (p: typeof a) =>
          p.lanes
            .filter((l) => l.leased > 0 || l.holds.length > 0)
            .map((l) => `${l.lane} ${l.leased} ${l.holds.length}`)
        expect(of(b), 'lanes').toEqual(of(a))
        const [c, d] = await both((q) => q.list({ group, limit: 1000 }))
        const show = (p: typeof c) =>
          p.messages
            .map(
              (m) =>
                `${m.lane ?? '-'} ${m.body as string} ${m.state === 'blocked' ? 'ready' : m.state} ${m.attempt} ${m.nextInMs}`,
            )
            .sort()
        expect(show(d), 'list').toEqual(show(c))
      }
    }
  } catch (error) {
    console.log(`seed ${seed} ${modes}\n${log.slice(-40).join('\n')}`)
    throw error
  }
}

const FROM = Number(process.env.FROM ?? 1)
for (const modes of (
  process.env.MODES ?? '-,l,k,d,x,c,lk,kdxc,h,lh,i,gi,g,gk,kdxcig,lkdxchgi,lrkdxchgip'
).split(','))
  test(`fuzz ${modes}`, async () => {
    for (let seed = FROM; seed < FROM + Number(process.env.RUNS ?? 150); seed++)
      await history(seed, Number(process.env.STEPS ?? 40), modes)
  }, 600_000)
