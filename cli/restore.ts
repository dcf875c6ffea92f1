import type { Codec, Producer } from '../src/index.ts'
import type { Body, Delivery, QueueStorage, Settlement } from '../src/storage.ts'
import { bodyOf } from './body.ts'
import type { Line, Standing } from './dump.ts'

/** Longer than any import takes. */
const LEASE_MS = 86_400_000
/** Attempts are counted by making them. */
const MOST_ATTEMPTS = 1_000_000
const CLAIM = 500

export interface Restored {
  readonly stored: number
  readonly duplicates: number
}

/** Carries bodies as they are; all else is checked as with any message. */
export const AS_IT_IS: Codec<Body> = { encode: (body) => body, decode: (body) => body }

/** Sends messages as new ones, under their ids. Those that were stored go into `into`. */
export async function append(
  producer: Producer<Body>,
  lines: readonly Line[],
  delayOf: (line: Line) => number | undefined,
  into?: Map<string, Line>,
): Promise<Restored> {
  const results = await producer.sendBatch(
    lines.map((line) => ({
      payload: bodyOf(line),
      id: line.id,
      key: line.key,
      lane: line.lane,
      headers: line.headers,
      maxAttempts: line.maxAttempts,
      delayMs: delayOf(line),
    })),
  )
  results.forEach(({ id, status }, i) => {
    if (status === 'stored') into?.set(id, lines[i]!)
  })
  const duplicates = results.filter(({ status }) => status === 'duplicate').length
  return { stored: results.length - duplicates, duplicates }
}

/**
 * Brings messages to where they stood in a group, by receiving them: as often as they had been, and then they are acked,
 * retried, parked, or made dead letters.
 *
 * Those that would be ready again at once are held until the end, or they would come for ever.
 *
 * @returns How many could not be reached, because others of their key stand before them.
 */
export async function restore(
  queue: QueueStorage,
  group: string,
  lines: ReadonlyMap<string, Line>,
  onDone: (count: number) => void,
): Promise<number> {
  const standingOf = ({ groups }: Line): Standing | undefined =>
    Object.hasOwn(groups, group) ? groups[group] : undefined
  const left = new Set([...lines].filter(([, line]) => isToMove(standingOf(line))).map(([id]) => id))
  if (left.size === 0) return 0
  const held: Settlement[] = []
  let settle: Settlement[] = []
  for (;;) {
    const { deliveries, nextInMs } = await queue.claim({
      group,
      limit: CLAIM,
      leaseMs: LEASE_MS,
      maxAttempts: MOST_ATTEMPTS,
      settle,
    })
    settle = []
    for (const delivery of deliveries) {
      const line = lines.get(delivery.id)
      const isOurs = line !== undefined && left.has(delivery.id)
      const { receipt, lastError: error } = delivery
      if (!isOurs) {
        held.push({ receipt, kind: 'retry', delayMs: 0, error, counts: false })
        continue
      }
      const standing = standingOf(line)
      const settlement = settlementOf(delivery, standing)
      const isLast = standing === undefined || delivery.attempt >= standing.attempt
      if (isLast) {
        left.delete(delivery.id)
        onDone(1)
      }
      if (isLast && settlement.kind === 'retry' && settlement.delayMs === 0) held.push(settlement)
      else settle.push(settlement)
    }
    if (deliveries.length === 0 && settle.length === 0 && nextInMs !== 0) break
    if (left.size === 0 && settle.length === 0) break
  }
  for (let i = 0; i < held.length; i += CLAIM) await queue.settle(group, held.slice(i, i + CLAIM))
  return left.size
}

/** Whether a message that was just sent does not stand there yet. */
function isToMove(standing: Standing | undefined): boolean {
  return (
    standing === undefined ||
    standing.attempt > 0 ||
    standing.state === 'dead' ||
    standing.state === 'parked' ||
    standing.state === 'delayed'
  )
}

function settlementOf({ receipt, attempt }: Delivery, standing: Standing | undefined): Settlement {
  if (standing === undefined) return { receipt, kind: 'ack' }
  const { state, lastError: error, reason = 'rejected', nextInMs = 0 } = standing
  if (attempt < standing.attempt) return { receipt, kind: 'retry', delayMs: 0, error }
  if (state === 'dead') return { receipt, kind: 'dead', reason, error }
  if (state === 'parked') {
    const { reason: why, data } = standing.parked!
    return { receipt, kind: 'park', reason: why, data }
  }
  const delayMs = state === 'delayed' ? nextInMs : 0
  return { receipt, kind: 'retry', delayMs, error, counts: standing.attempt > 0 }
}
