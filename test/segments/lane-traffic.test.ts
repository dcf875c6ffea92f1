import { expect, test } from 'vitest'
import { MAX_REST_MS } from '../../src/lanes.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { type Table, TABLES } from '../../src/segments/store.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryDisk } from '../fs/memory-disk.ts'
import { effort } from '../support/effort.ts'
import { laneTraffic } from '../support/lane-traffic.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { limited } from './small-steps.ts'

const SCALE = effort({ quick: { messages: 5000, lanes: 100 }, full: { messages: 100_000, lanes: 1000 } })

const STORES = {
  memory: (clock: ManualClock) => memoryStore(clock)(),
  'memory with small steps': async (clock: ManualClock) => limited(await memoryStore(clock)()),
  fs: (clock: ManualClock) => openJournalStore('/lanes', { fileSystem: new MemoryDisk(), clock }),
} as const

test.for(Object.keys(STORES) as (keyof typeof STORES)[])(
  'five consumers keep lanes busy and within their limits, on %s',
  { timeout: 600_000 },
  async (name) => {
    const clock = new ManualClock()
    const store = await STORES[name](clock)
    const adapter = new SegmentAdapter(new MemoryAdapter().guarantees, async () => store)
    const views = await Promise.all([1, 2, 3, 4, 5].map(() => adapter.open('queue')))
    const pass = (ms: number): void => clock.jump(ms)
    await laneTraffic({ ...SCALE, views, concurrency: 3, random: randomFrom(7), pass })
    clock.jump(MAX_REST_MS)
    const [q] = views
    for (let nextInMs: number | undefined = 0; nextInMs === 0;) {
      const claimed = await q!.claim({ group: 'workers', limit: 10, leaseMs: 1, maxAttempts: 1 })
      expect(claimed.deliveries).toEqual([])
      nextInMs = claimed.nextInMs
    }
    expect(await q!.lanes({ group: 'workers', limit: 10 })).toEqual({ lanes: [] })
    expect(await q!.stats()).toMatchObject({ messages: 0, bytes: 0, sent: SCALE.messages })
    const rows = await store.open('queue')
    const left = await rows.transact('read', (tx) =>
      Object.keys(TABLES).filter((table) => tx.range(table as Table, {}, 1).length > 0),
    )
    // What the queue and the group are.
    expect(left).toEqual(['state'])
    await adapter.close()
  },
)
