import { type Checks, checkBoolean, checkMs, checkNothing, checkText } from '../check.ts'
import type { Attempts, NackOptions, ParkOptions, RejectOptions } from './message.ts'
import { encodeData } from './outcomes.ts'
import type { Reader } from './reader.ts'
import type { Settlement } from '../storage.ts'

/** The ways to end a delivery, but for an ack. */
export type Kind = 'nack' | 'reject' | 'park'

/** What may be said of each way to end a delivery, be it by a method or by a verdict. */
export const ENDS: Readonly<Record<'ack' | Kind, Checks>> = {
  ack: { result: checkNothing },
  nack: { delayMs: checkMs, reason: checkText, counts: checkBoolean },
  reject: { reason: checkText },
  park: { reason: checkText, data: checkNothing },
}

/** How deliveries end, of which that is said. Throws where it cannot be. */
export function endOf<T>(
  reader: Reader<T>,
  tried: string,
  kind: Kind,
  options: NackOptions | RejectOptions | ParkOptions,
): (receipt: string, attempts: Attempts) => Settlement {
  const { reason } = options
  if (kind === 'nack') return (receipt, attempts) => reader.failureOf(receipt, attempts, options)
  if (kind === 'reject') return (receipt) => reader.deadOf(receipt, 'rejected', reason)
  checkText(tried, 'reason', reason)
  reader.context.require(tried, 'parking')
  const data = encodeData(tried, (options as ParkOptions).data)
  return (receipt) => reader.parkOf(receipt, reason!, data)
}
