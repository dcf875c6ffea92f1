// node test/bench/edge/durable-object.ts: Durable Objects in workerd here: verbs a second, rows written, and what they cost.
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { pathToFileURL } from 'node:url'
import { startWorker } from '../../durable-object/support/workerd.ts'
import { amount, atMost, goal, heading, median, print, printGoals, printTable } from '../harness.ts'
import { order } from '../payload.ts'
import type { Figures, Work } from './durable-object-worker.ts'

/** Dollars, beyond what is included: https://developers.cloudflare.com/durable-objects/platform/pricing/ */
const ROW_WRITTEN = 1 / 1e6
const REQUEST = 0.15 / 1e6

const BODY = JSON.stringify(order(1))
const ROUNDS = 5
const WAITING = 100_000

/** Where a commit does not wait for a disk: what is measured then is our own. */
const MEMORY_DISK = '/dev/shm'

async function measure(works: readonly Work[], directory: string): Promise<Figures[]> {
  const worker = await startWorker(
    'test/bench/edge/durable-object-worker.ts',
    { QUEUE: 'CountingObject' },
    directory,
  )
  try {
    const rounds: Figures[][] = works.map(() => [])
    // Taking turns, so that a noisy second hits all alike; the first turn is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, work] of works.entries()) {
        const figures = await worker.call<Figures>('', work)
        if (round > 0) rounds[i]!.push(figures)
      }
    }
    return rounds.map((all) => ({
      append: median(all.map((one) => one.append)),
      claim: median(all.map((one) => one.claim)),
      settle: median(all.map((one) => one.settle)),
      elapsed: median(all.map((one) => one.elapsed)),
      rows: Math.max(...all.map((one) => one.rows)),
    }))
  } finally {
    await worker.close()
  }
}

/** Prints a table for each place, and checks the goals. */
export async function durableObjects(): Promise<void> {
  const works = (
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
  const places = existsSync(MEMORY_DISK) ? [tmpdir(), MEMORY_DISK] : [tmpdir()]
  for (const place of places) {
    heading(`Durable Objects, storage in ${place}`)
    const figures = await measure(works, place)
    const rates = works.map(({ batch, batches }, i) => (batch * batches * 1000) / figures[i]!.elapsed)
    printTable(
      [
        'batch',
        'callers',
        'waiting',
        'append/s',
        'claim/s',
        'settle/s',
        'messages/s',
        'rows/batch',
        '$ per million',
      ],
      works.map(({ batch, batches, callers, waiting }, i) => {
        const { append, claim, settle, rows } = figures[i]!
        const perSecond = (ms: number): string => amount((batches * callers * 1000) / ms)
        const dollars = ((rows / batches) * ROW_WRITTEN + 3 * REQUEST) / batch
        return [
          String(batch),
          String(callers),
          amount(waiting),
          perSecond(append),
          perSecond(claim),
          perSecond(settle),
          amount(rates[i]!),
          (rows / batches).toFixed(2),
          (dollars * 1e6).toFixed(3),
        ]
      }),
    )
    print('')
    atMost(
      'rows written per batch',
      Math.max(...works.map(({ batches }, i) => figures[i]!.rows / batches)),
      6,
    )
    const [quiet, busy] = [rates[3]!, rates[4]!]
    goal(
      '≥ 40k messages/s through all three verbs at batches of 100',
      Math.max(rates[2]!, quiet) >= 40_000,
      amount(Math.max(rates[2]!, quiet)),
    )
    goal(`≥ 0.8 × that with ${amount(WAITING)} waiting`, busy >= 0.8 * quiet, `${(busy / quiet).toFixed(2)}×`)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  await durableObjects()
  process.exitCode = printGoals() > 0 ? 1 : 0
}
