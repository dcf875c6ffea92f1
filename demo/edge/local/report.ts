import { type KVOperations, priceOf } from 'quayside/cloudflare-kv'
import type { Run } from './run.ts'

/** What the forms of one storage have cost. */
export interface Cost {
  /** In words: `1,004 writes, …`. */
  readonly operations: string
  /** US dollars for a million forms. */
  readonly perMillion: number
}

export interface ObjectOperations {
  readonly requests: number
  readonly rowsWritten: number
}

export function costOfKV(operations: KVOperations, forms: number): Cost {
  return { operations: inWords(operations), perMillion: (priceOf(operations) / forms) * 1e6 }
}

/**
 * Requests cost $0.15 a million, and rows written $1.00, beyond what a month includes.
 *
 * Source: https://developers.cloudflare.com/durable-objects/platform/pricing/ as of 2026-04.
 */
export function costOfObject({ requests, rowsWritten }: ObjectOperations, forms: number): Cost {
  return {
    operations: inWords({ requests, 'rows written': rowsWritten }),
    perMillion: (requests * 0.15 + rowsWritten) / forms,
  }
}

function inWords(operations: object): string {
  return Object.entries(operations)
    .map(([name, count]) => `${n(count as number)} ${name}`)
    .join(', ')
}

export function describe(run: Run, cost: Cost): string {
  const rows: [string, string, string][] = [
    ['enqueued', n(run.enqueued), `each stored before its 202; ${run.enqueueSeconds.toFixed(1)} s`],
    [
      'delivered',
      n(run.delivered),
      `after ${n(run.refused)} refusals; ${run.seconds.toFixed(1)} s from the first form to the last`,
    ],
    ['duplicates', n(run.duplicates), ''],
    ['lost', n(run.lost), ''],
    ['dollars per million', cost.perMillion.toFixed(2), cost.operations],
  ]
  const lines = rows.map(([name, value, note]) =>
    `    ${name.padEnd(20)}${value.padStart(7)}   ${note}`.trimEnd(),
  )
  return `\n  ${run.storage}\n${lines.join('\n')}`
}

function n(count: number): string {
  return count.toLocaleString('en')
}
