// What a message costs where commands and requests are paid for: docs/storage-redis-http.md has the table. PRICES=write writes it.
import { expect, test } from 'vitest'
import { uuid } from '../../src/message-id.ts'
import type { Delivery } from '../../src/storage.ts'
import { partOf, writePart } from '../support/pages.ts'
import { overHttp } from './support/over-http.ts'

const http = overHttp()

const PAGE = 'docs/storage-redis-http.md'
/** Dollars for a command, pay as you go: https://upstash.com/docs/redis/overall/billing, read in November 2026. */
const DOLLARS = 0.2 / 100_000
const ROUNDS = 20

interface Cost {
  readonly requests: number
  /** Those of requests, and those that their scripts give. */
  readonly commands: number
}

/** How many commands the server has run. */
async function commandsRun(): Promise<number> {
  const stats = String(await http.connected.command('INFO', 'commandstats'))
  const found = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)]
  return found.reduce((all, [, name, calls]) => (/^(info|config)/.test(name!) ? all : all + Number(calls)), 0)
}

/** Of a message that is sent, claimed and acknowledged, each step in batches of so many. */
async function costOf(batch: number): Promise<Cost> {
  const queue = await http.adapter().open(`q${batch}`)
  let settle: { receipt: string; kind: 'ack' }[] = []
  const round = async (): Promise<void> => {
    await queue.append(
      Array.from({ length: batch }, () => ({ body: '{"to":"ada@example.com"}' })),
      { batchId: uuid() },
    )
    const claim = {
      group: 'g',
      limit: batch,
      leaseMs: 60_000,
      maxAttempts: 5,
      from: 'earliest',
      settle,
    } as const
    const { deliveries }: { deliveries: readonly Delivery[] } = await queue.claim(claim)
    expect(deliveries).toHaveLength(batch)
    settle = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
  }
  await round()
  const [requests, commands] = [http.front.commands.length, await commandsRun()]
  for (let i = 0; i < ROUNDS; i++) await round()
  const messages = ROUNDS * batch
  return {
    requests: (http.front.commands.length - requests) / messages,
    commands: ((await commandsRun()) - commands) / messages,
  }
}

const dollars = (commands: number): string => `$${(commands * DOLLARS * 1_000_000).toPrecision(2)}`
const rounded = (count: number): string => `${Number(count.toPrecision(2))}`

test('what a message costs is as the page says', async () => {
  const rows: string[] = []
  for (const batch of [1, 10, 100]) {
    const { requests, commands } = await costOf(batch)
    expect(requests).toBe(2 / batch)
    const cells = [batch, rounded(requests), rounded(commands), dollars(requests), dollars(commands)]
    rows.push(`| ${cells.join(' | ')} |\n`)
  }
  const head =
    '| messages of a batch | requests for a message | commands for a message | dollars for a million, by requests | by commands |\n|---|---|---|---|---|\n'
  const table = `\n${head}${rows.join('')}\n`
  if (process.env['PRICES'] === 'write') writePart(PAGE, 'cost', table)
  expect(partOf(PAGE, 'cost')).toBe(table)
})
