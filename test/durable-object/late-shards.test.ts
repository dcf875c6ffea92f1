import { expect, onTestFinished, test } from 'vitest'
import { ShardedView } from '../../adapters/durable-object/sharded-view.ts'
import { Queue } from '../../src/index.ts'
import type { ClaimRequest, ClaimResult, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { referenceWith } from '../conformance/reference.ts'
import { settle } from '../support/settle.ts'
import { defer } from '../support/set-up.ts'

const SHARDS = 3
const LEASE_MS = 1000

/** A queue in shards that are right, and do what `stalls` says before they claim. */
async function setUp(stalls: () => void) {
  const clock = new ManualClock()
  const { adapter, ...rest } = await referenceWith().create({ clock })
  onTestFinished(() => rest.destroy())
  const late = (shard: QueueStorage): QueueStorage => {
    const claim = shard.claim.bind(shard)
    return Object.assign(shard, {
      claim(request: ClaimRequest): Promise<ClaimResult> {
        if (request.limit > 0) stalls()
        return claim(request)
      },
      // Those of the reference tell of each claim, too.
      watch: () => () => {},
    })
  }
  const storage: StorageAdapter = {
    guarantees: { ...adapter.guarantees, fifo: false, idsWithKeys: false, listsQueues: false },
    async open(name) {
      const shards = Array.from({ length: SHARDS }, async (_, i) => late(await adapter.open(`${name}#${i}`)))
      return new ShardedView(await Promise.all(shards), () => {})
    },
    queues: () => adapter.queues(),
    close: () => adapter.close(),
  }
  const queue = new Queue<number>('orders', { storage, clock })
  onTestFinished(() => queue.close())
  return { clock, queue }
}

// Where a claim meets the shards of what is in hand depends on where it begins: each comes late once.
const CALLS = Array.from({ length: 2 * SHARDS }, (_, call) => call)

test.each(
  CALLS.flatMap((call) => [[call, 'leased', 0.4] as const, [call, 'extended just now', 0.6] as const]),
)(
  'a claim that comes late to a shard, call %i, buries nothing of what the loop has in hand in it: %s',
  async (call, _, part) => {
    let calls = Infinity
    const { clock, queue } = await setUp(() => {
      if (calls-- === 0) clock.jump(1.5 * LEASE_MS)
    })
    const jobs = Array.from({ length: 9 }, () => defer())
    const seen: number[] = []
    for (const i of jobs.keys()) await queue.createProducer().send(i)
    const stop = new AbortController()
    const running = queue.createConsumer('default', { leaseMs: LEASE_MS, retry: { maxAttempts: 1 } }).run(
      ({ payload }) => {
        seen.push(payload)
        return jobs[payload]?.promise
      },
      { concurrency: jobs.length, signal: stop.signal },
    )
    await settle()
    expect(seen).toHaveLength(jobs.length)
    // Timers are late: what is past its half is extended by the claim.
    clock.jump(part * LEASE_MS)
    calls = call
    for (const job of jobs.slice(0, SHARDS)) job.resolve()
    await queue.createProducer().send(jobs.length)
    await settle()
    await clock.advance(0)
    for (const job of jobs) job.resolve()
    await settle()
    await clock.advance(0.1 * LEASE_MS)
    await settle()
    stop.abort()
    await running
    expect(calls).toBeLessThan(0)
    expect(seen.toSorted((a, b) => a - b)).toEqual([...jobs.keys(), jobs.length])
    expect((await queue.stats()).groups['default']).toMatchObject({ acked: jobs.length + 1, dead: 0 })
  },
)
