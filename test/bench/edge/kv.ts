import { type KVOperations, priceOf } from '../../../adapters/cloudflare-kv/index.ts'
import { type Worker, startWorker } from '../../cloudflare-kv/support/workerd.ts'
import type { Check, Section } from './main.ts'

/** https://developers.cloudflare.com/queues/platform/pricing/ of 2026: $0.40 for a million operations, three for each message. */
const CLOUDFLARE_QUEUES = 1.2
const BATCHES = [1, 10, 100] as const
const GOALS: Readonly<Record<number, number>> = { 1: 10.6, 10: 1.15, 100: 0.16 }
const COALESCED_GOAL = 0.6
const CONCURRENT = 100

/** What a million messages cost on Workers KV, in operations counted in workerd. */
export async function kv(): Promise<Section> {
  const worker = await startWorker('test/bench/edge/kv-worker.ts')
  try {
    const ours = new Map<number, number>()
    const naive = new Map<number, number>()
    for (const batch of BATCHES) {
      const appends = Math.max(50, 2000 / batch)
      ours.set(batch, await measure(worker, '', appends, { batch }, 10))
      naive.set(batch, await measure(worker, 'naive-', 300 / Math.min(batch, 10), { batch }, 10))
    }
    const coalesced = await measure(
      worker,
      '',
      20 * CONCURRENT,
      { batch: 1, options: { coalesceMs: 10 } },
      CONCURRENT,
    )
    const atOnce = await measure(worker, '', 20 * CONCURRENT, { batch: 1 }, CONCURRENT)
    const row = (name: string, of: (batch: number) => string): string =>
      `| ${name} | ${BATCHES.map((batch) => of(batch)).join(' | ')} |`
    const table = [
      '| dollars for a million messages | sent one by one | in batches of 10 | of 100 |',
      '|---|---|---|---|',
      row('`CloudflareKVAdapter`', (batch) => dollars(ours.get(batch)!)),
      row(`the same, ${CONCURRENT} requests at a time`, (batch) => (batch === 1 ? dollars(atOnce) : '')),
      row(`the same with \`coalesceMs: 10\`, ${CONCURRENT} requests at a time`, (batch) =>
        batch === 1 ? dollars(coalesced) : '',
      ),
      row('a key for each message', (batch) => dollars(naive.get(batch)!)),
      row('Cloudflare Queues, list price', () => dollars(CLOUDFLARE_QUEUES)),
    ]
    const checks: Check[] = BATCHES.map((batch) => ({
      name: `KV, $ per million at batches of ${batch}`,
      value: ours.get(batch)!,
      most: GOALS[batch]!,
    }))
    checks.push({
      name: 'KV, $ per million at batches of 1, coalesced',
      value: coalesced,
      most: COALESCED_GOAL,
    })
    return { page: 'docs/storage-workers-kv.md', table, checks }
  } finally {
    await worker.close()
  }
}

function dollars(value: number): string {
  return `$${value.toFixed(2)}`
}

/** Sends and drains, and answers with the dollars that a million messages would cost. */
async function measure(
  worker: Worker,
  path: '' | 'naive-',
  appends: number,
  told: { readonly batch: number; readonly options?: object },
  atOnce: number,
): Promise<number> {
  // The group is created once for all.
  await worker.json(`/${path}send`, told)
  await worker.json(`/${path}drain`, told)
  await worker.json('/counted', told)
  for (let i = 0; i < appends; i += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => worker.json(`/${path}send`, told)))
  }
  const messages = appends * told.batch
  for (let drained = 0; drained < messages;) {
    const acked = await worker.json<number>(`/${path}drain`, told)
    if (acked === 0)
      throw new Error(`${drained} of ${messages} messages were drained, and then nothing comes`)
    drained += acked
  }
  const operations = await worker.json<KVOperations>('/counted', told)
  return (priceOf(operations) / messages) * 1_000_000
}
