import type { Delivery, NewMessage, Settlement } from '../../../src/storage.ts'

/** What workers that are killed do with messages: lanes, keys, results and parking mixed. Ids end with a number. */
const LANES = 8
const HOUR_MS = 3_600_000

export const MIX_LANES: readonly string[] = Array.from({ length: LANES }, (_, i) => `lane-${i}`)

/** Claims that were never answered keep their places for as long as the lease. */
export const MIX_CONCURRENCY = 30

const numberOf = (id: string): number => Number(/\d+$/.exec(id)![0])

export function laneOf(id: string): string {
  return MIX_LANES[numberOf(id) % LANES]!
}

export function mixed(id: string): NewMessage {
  return {
    body: 'x'.repeat(300),
    id,
    lane: laneOf(id),
    key: numberOf(id) % 3 === 0 ? 'k' : undefined,
    keepMs: HOUR_MS,
    // A send that is repeated may come after its message was done.
    dedupeMs: HOUR_MS,
  }
}

/** Most are done, with their id as the result; some wait for somebody. */
export function endOf({ receipt, id }: Delivery): Settlement {
  return Math.random() < 0.1
    ? { receipt, kind: 'park', reason: 'look at it', data: JSON.stringify({ id }) }
    : { receipt, kind: 'ack', value: id }
}
