import { startWorker } from '../../durable-object/support/workerd.ts'
import { MEMORY_DISK } from '../folders.ts'
import { order } from '../payload.ts'
import type { Figures, Work } from './durable-object-worker.ts'
import type { Section } from './main.ts'

/** Dollars, beyond what is included: https://developers.cloudflare.com/durable-objects/platform/pricing/ */
const ROW_WRITTEN = 1 / 1e6
const REQUEST = 0.15 / 1e6
/** append, claim, settle */
const REQUESTS = 3

const BODY = JSON.stringify(order(1))
const ROUNDS = 5
const WAITING = 100_000

/** Batch, batches, callers at a time, messages that wait meanwhile. */
const WORKS = (
  [
    [1, 100, 1, 0],
    [10, 100, 1, 0],
    [100, 100, 1, 0],
    [100, 200, 8, 0],
    [100, 200, 8, WAITING],
    [1000, 20, 1, 0],
  ] as const
).map(([batch, batches, callers, waiting]): Work => {
  const queue = `${batch} by ${callers} with ${waiting}`
  return { queue, batch, batches, callers, waiting, body: BODY }
})

/** What verbs of Durable Objects cost in rows and dollars, and how quick they are in workerd here. */
export async function durableObjects(): Promise<Section> {
  const figures = await measure()
  const rates = WORKS.map(({ batch, batches }, i) => (batch * batches * 1000) / figures[i]!.elapsed)
  const lines = WORKS.map(({ batch, batches, callers, waiting }, i) => {
    const rows = figures[i]!.rows / batches
    const dollars = (1e6 * (rows * ROW_WRITTEN + REQUESTS * REQUEST)) / batch
    const cells = [
      batch,
      callers,
      count(waiting),
      count(rates[i]!),
      rows.toFixed(1),
      `$${dollars.toFixed(dollars < 0.1 ? 3 : 2)}`,
    ]
    return `| ${cells.join(' | ')} |`
  })
  const [alone, together, waited] = [rates[2]!, rates[3]!, rates[4]!]
  return {
    page: 'docs/storage-durable-objects.md',
    table: [
      '| batch | callers at a time | waiting | messages/s through append, claim and settle | rows written for a batch | dollars for a million messages |',
      '|---|---|---|---|---|---|',
      ...lines,
    ],
    checks: [
      {
        name: 'rows written for a batch',
        value: Math.max(...WORKS.map(({ batches }, i) => figures[i]!.rows / batches)),
        most: 6,
      },
      { name: 'ms for 1,000 messages in batches of 100', value: 1e6 / Math.max(alone, together), most: 25 },
      { name: 'times as long with 100,000 waiting', value: together / waited, most: 1.25 },
    ],
  }
}

/** The medians of some rounds. Works take turns, so that a noisy second hits all alike; the first round is not counted. */
async function measure(): Promise<Figures[]> {
  const worker = await startWorker(
    'test/bench/edge/durable-object-worker.ts',
    { QUEUE: 'CountingObject' },
    // Each verb waits until its transaction is stored. How long a disk takes for that says more about the disk.
    MEMORY_DISK,
  )
  try {
    const rounds: Figures[][] = WORKS.map(() => [])
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, work] of WORKS.entries()) {
        const figures = await worker.call<Figures>('', work)
        if (round > 0) rounds[i]!.push(figures)
      }
    }
    return rounds.map((all) => ({
      elapsed: median(all.map((one) => one.elapsed)),
      rows: Math.max(...all.map((one) => one.rows)),
    }))
  } finally {
    await worker.close()
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function count(value: number): string {
  return value < 1000 ? value.toFixed(0) : `${Math.round(value / 1000)},000`
}
