// Claims and acks what lanes have, with a concurrency, until it is told that all is done. It prints
// - `over LANE`, where more of a lane are in flight anywhere than may be: the server counts them, from after the claim to before the ack;
// - `idle LANE`, where it was told that there is nothing, although a lane could go, before and after;
// - in the end `acked COUNT`, and `looked COUNT`, how often it was told that there is nothing.
import { RedisAdapter } from '../../../adapters/redis/index.ts'
import type { LaneState } from '../../../src/lanes.ts'
import type { Delivery } from '../../../src/storage.ts'
import { connectClient } from './clients.ts'
import { pause } from './pause.ts'

const [url, ...numbers] = process.argv.slice(2) as [string, ...string[]]
const [concurrency, total, lanes, processes] = numbers.map(Number) as [number, number, number, number]
const { client, command, close } = await connectClient('redis', url)
const adapter = new RedisAdapter(client)
const queue = await adapter.open('orders')
/** All together want more than may be in flight. */
const limit = lanes
const claim = { group: 'g', limit, leaseMs: 600_000, maxAttempts: 1_000_000, lanes: { concurrency } }
let acked = 0
let looked = 0

/** Lanes that could go. */
async function free(): Promise<readonly LaneState[]> {
  const { lanes: page } = await queue.lanes({ group: 'g', limit: 500 })
  return page.filter(({ waiting, leased }) => waiting > 0 && leased < concurrency)
}

/** Takes what there is. Whether that was all. */
async function take(hand: Delivery[]): Promise<boolean> {
  while (hand.length < limit) {
    const { deliveries, nextInMs } = await queue.claim({ ...claim, limit: limit - hand.length })
    hand.push(...deliveries)
    if (hand.length < limit && nextInMs !== 0) return true
  }
  return false
}

// On a busy machine the first could be done before the others are there.
await command('INCR', 'started')
while (Number(await command('GET', 'started')) < processes) await pause(1)

while (Number(await command('GET', 'acked')) < total) {
  const hand: Delivery[] = []
  if (await take(hand)) {
    looked++
    const before = await free()
    if (before.length > 0 && (await take(hand))) {
      const after = await free()
      for (const { lane, waiting } of before) {
        // Nobody has taken anything of it meanwhile.
        if (after.some((one) => one.lane === lane && one.waiting === waiting))
          process.stdout.write(`idle ${lane}\n`)
      }
    }
  }
  if (hand.length === 0) await pause(1)
  const counts = await Promise.all(hand.map(({ lane }) => command('HINCRBY', 'in-flight', lane!, '1')))
  for (const [i, { lane }] of hand.entries()) {
    if (Number(counts[i]) > concurrency) process.stdout.write(`over ${lane}\n`)
  }
  await Promise.all(hand.map(({ lane }) => command('HINCRBY', 'in-flight', lane!, '-1')))
  const results = await queue.settle(
    'g',
    hand.map(({ receipt }) => ({ receipt, kind: 'ack' })),
  )
  const settled = results.filter(({ status }) => status === 'settled').length
  acked += settled
  await command('INCRBY', 'acked', `${settled}`)
}
process.stdout.write(`acked ${acked}\nlooked ${looked}\n`)
await adapter.close()
await close()
