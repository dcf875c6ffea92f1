// Sends, receives, acks, parks, resumes, holds and releases until it is killed, and prints what the server has answered: `sent ID`,
// `got ID`, `acked ID`, `parked ID` and `held LANE`. What it is about to end it prints first, because the answer may come to nobody:
// `settling ID`, `resuming ID` and `releasing LANE`.
import { RedisAdapter } from '../../../adapters/redis/index.ts'
import { uuid } from '../../../src/message-id.ts'
import { type ClientName, connectClient } from './clients.ts'
import { MIX_CONCURRENCY, MIX_LANES, endOf, mixed } from './mix.ts'

const [url, client, prefix] = process.argv.slice(2) as [string, ClientName, string]
const say = (what: string, names: readonly string[]): void => {
  process.stdout.write(names.map((name) => `${what} ${name}\n`).join(''))
}

const queue = await new RedisAdapter((await connectClient(client, url)).client).open('orders')
const release = async (lane: string): Promise<void> => {
  say('releasing', [lane])
  await queue.release({ lane })
}
const resume = async (ids: readonly string[]): Promise<void> => {
  say('resuming', ids)
  await queue.resume(ids)
}

// What another that was killed has held.
for (const lane of MIX_LANES) await release(lane)
let parked: string[] = []
for (let round = 0; ; round++) {
  const ids = Array.from({ length: 20 }, (_, i) => `${prefix}-${round}-${i}`)
  await queue.append(ids.map(mixed), { batchId: uuid() })
  say('sent', ids)
  const lane = MIX_LANES[round % MIX_LANES.length]!
  await queue.hold({ lane })
  say('held', [lane])
  const { deliveries } = await queue.claim({
    group: 'g',
    limit: 15,
    leaseMs: 60_000,
    maxAttempts: 1_000_000,
    lanes: { concurrency: MIX_CONCURRENCY },
  })
  const got = deliveries.map(({ id }) => id)
  say('got', got)
  say('settling', got)
  const ends = deliveries.map(endOf)
  const results = await queue.settle('g', ends)
  const ended = (kind: string): string[] =>
    got.filter((_, i) => ends[i]!.kind === kind && results[i]!.status === 'settled')
  say('acked', ended('ack'))
  say('parked', ended('park'))
  parked.push(...ended('park'))
  // Of those that are held nothing came by then.
  await release(lane)
  if (round % 3 === 2) {
    await resume(parked)
    parked = []
  }
}
