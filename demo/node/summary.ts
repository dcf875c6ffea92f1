import type { FromClient, IngestStats } from './messages.ts'
import type { Tally } from './tally.ts'

/** How it ended. */
export interface Result {
  readonly lines: number
  readonly client: FromClient
  readonly stats: IngestStats
  readonly seconds: number
  readonly deadLetters: readonly string[]
  /** What the downstream server has. */
  readonly deliveries: Tally
  readonly audit: Tally
}

/** Whether every line has arrived at both ends, as it was, and nothing else. */
export function succeeded(result: Result): boolean {
  return result.stats.dead === 0 && complaintsOf(result).length === 0
}

export function describe(result: Result): string {
  const { client, stats, seconds, deliveries, audit } = result
  const again = `${n(client.repeated)} requests made again, ${n(client.duplicates)} of these lines were known`
  const tries = `as they were in the file, after ${n(stats.retried)} attempts that failed`
  const rows: [string, number, string][] = [
    ['sent', client.accepted, `each on disk before its 202; ${again}`],
    ['delivered', deliveries.found, tries],
    [
      'delivered more than once',
      deliveries.repeated,
      deliveries.repeated > 0 ? 'known by their idempotency key' : '',
    ],
    ['lost', deliveries.missing.length, ''],
    ['dead', stats.dead, ''],
    ['messages/s', Math.round(result.lines / seconds), `${seconds.toFixed(1)} s, downtimes included`],
    ['audit lines', audit.found, audit.repeated > 0 ? `${n(audit.repeated)} of them twice` : ''],
  ]
  const width = Math.max(...rows.map(([, value]) => n(value).length))
  const table = rows.map(([name, value, note]) =>
    `  ${name.padEnd(26)}${n(value).padStart(width)}  ${note}`.trimEnd(),
  )
  const complaints = [...complaintsOf(result), ...result.deadLetters]
  return `\n${[...table, ...(complaints.length > 0 ? ['', ...complaints] : [])].join('\n')}\n`
}

function complaintsOf({ lines, client, deliveries, audit }: Result): string[] {
  const complaints = [
    ...named('refused by the ingest server', client.refused),
    ...named('LOST on the way downstream', deliveries.missing),
    ...named('arrived downstream altered', deliveries.altered),
    ...named('arrived downstream and were never sent', deliveries.strange),
    ...named('MISSING in the audit', audit.missing),
    ...named('altered in the audit', audit.altered),
    ...named('in the audit and never sent', audit.strange),
  ]
  if (client.accepted !== lines) complaints.push(`only ${n(client.accepted)} of ${n(lines)} lines were sent`)
  return complaints
}

function named(what: string, ids: readonly string[]): string[] {
  if (ids.length === 0) return []
  const more = ids.length > 5 ? ` and ${n(ids.length - 5)} more` : ''
  return [`${what}: ${ids.slice(0, 5).join(', ')}${more}`]
}

function n(value: number): string {
  return value.toLocaleString('en-US')
}
