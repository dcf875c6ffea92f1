import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { type ConformanceFactory, historySteps, runHistory } from '../../conformance/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { allGroups } from '../../src/segments/group.ts'
import { retained } from '../../src/segments/stats.ts'
import type { TransactionalStore } from '../../src/segments/store.ts'
import { tick } from '../../src/segments/time.ts'
import { openWork } from '../../src/segments/work.ts'
import { howMany } from '../support/effort.ts'
import { Metered } from './metered.ts'

/** What limits of queues count by, and whether some group has yet to come by what lanes have. */
async function countedIn(store: TransactionalStore): Promise<ReturnType<typeof retained> | undefined> {
  const rows = await store.open('queue')
  return rows.transact('read', (tx) => {
    const work = openWork(tx, 'queue', rows.now())
    work.now = tick(work.clock, work.queue, undefined)
    const isComing = allGroups(work).some(({ row }) => row.walk !== undefined)
    return isComing ? undefined : retained(work)
  })
}

let compared = 0

/** Whenever somebody looks at the numbers of a queue, they are compared with those that limits go by. */
const comparing: ConformanceFactory = {
  guarantees: new MemoryAdapter().guarantees,
  async create({ clock }) {
    const store = await memoryStore(clock)()
    const adapter = new SegmentAdapter(this.guarantees, async () => store)
    const open = adapter.open.bind(adapter)
    adapter.open = async (name) => {
      const view = await open(name)
      const stats = view.stats.bind(view)
      view.stats = async () => {
        const shown = await stats()
        const counted = await countedIn(store)
        const { messages, bytes } = shown
        if (counted === undefined) return shown
        expect(counted).toEqual({ messages, bytes })
        compared++
        return shown
      }
      return view
    }
    return { adapter, destroy: () => adapter.close() }
  },
}

test(
  'what limits of a queue count without a look at lanes is what there is',
  { timeout: 900_000 },
  async () => {
    const numRuns = howMany('RUNS', { quick: 200, full: 2000 })
    await fc.assert(
      fc.asyncProperty(historySteps(fc, 30), (steps) => runHistory(comparing, steps)),
      { numRuns },
    )
    expect(compared).toBeGreaterThan(numRuns)
  },
)

test('a limit costs an append the same, however many lanes there are', async () => {
  const costs: (readonly number[])[] = []
  for (const lanes of [10, 2000]) {
    const meter = new Metered()
    const q = await meter.open()
    await q.claim({ group: 'g', limit: 0, leaseMs: 1000, maxAttempts: 3 })
    const send = (lane: string, maxMessages: number): Promise<unknown> =>
      q.append([{ body: 'x', lane }], { batchId: '019343f0-0000-7000-8000-000000000000', maxMessages })
    for (let i = 0; i < lanes; i++) await send(`lane ${i}`, lanes)
    await expect(send('one more', lanes)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    const { deliveries } = await q.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 3 })
    await q.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'ack' }])
    await send('one more', lanes)
    const { gets, read, writes } = meter.cost
    costs.push([gets, read, writes])
  }
  expect(costs[1]).toEqual(costs[0])
})
