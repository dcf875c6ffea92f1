import { setTimeout as wait } from 'node:timers/promises'
import type { Downstream } from './downstream.ts'
import { sendForms } from './visitors.ts'
import type { LocalWorker } from './wrangler.ts'

/** What became of the forms of one storage. */
export interface Run {
  readonly storage: string
  readonly enqueued: number
  readonly enqueueSeconds: number
  readonly delivered: number
  readonly duplicates: number
  readonly lost: number
  readonly refused: number
  /** From the first form sent to the last one delivered. */
  readonly seconds: number
}

/** Forms that visitors send at the same time. */
const VISITORS = 50
/** Between two looks, and two runs of the cron: a real one comes every two minutes. */
const PAUSE_MS = 1000
/** Who has not arrived after this long, in ms, is lost. */
const PATIENCE_MS = 120_000

/** Sends forms to one storage, and waits until all have been delivered. `poke` is called now and then: the cron. */
export async function run(
  worker: LocalWorker,
  downstream: Downstream,
  storage: string,
  count: number,
  poke: () => Promise<void>,
): Promise<Run> {
  const refusedBefore = downstream.refused()
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1000
  const ids = await sendForms(`${worker.origin}/forms/${storage}`, count, VISITORS)
  const enqueueSeconds = seconds()
  const missing = (): string[] => ids.filter((id) => !downstream.accepted.has(id))
  while (missing().length > 0 && seconds() * 1000 < PATIENCE_MS) {
    await poke()
    await wait(PAUSE_MS)
  }
  return {
    storage,
    enqueued: new Set(ids).size,
    enqueueSeconds,
    delivered: count - missing().length,
    duplicates: ids.reduce((sum, id) => sum + Math.max(0, (downstream.accepted.get(id) ?? 0) - 1), 0),
    lost: missing().length,
    refused: downstream.refused() - refusedBefore,
    seconds: seconds(),
  }
}
