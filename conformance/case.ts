import type { Guarantees } from '../src/core/index.ts'
import type { Scene } from './scene.ts'

/** A guarantee that a case needs: answers with the reason to skip the case where a storage does not give it. */
export type Need = (guarantees: Guarantees, realClock: boolean) => string | undefined

export const EXCLUSIVE_LEASES: Need = ({ exclusiveLeases }) =>
  exclusiveLeases ? undefined : 'leases are advice (exclusiveLeases: false)'
export const FIFO: Need = ({ fifo }) => (fifo ? undefined : 'order is best effort (fifo: false)')
export const ORDERING_KEYS: Need = ({ orderingKeys }) =>
  orderingKeys ? undefined : 'there are no ordering keys (orderingKeys: false)'
export const DEDUPLICATION: Need = ({ deduplication }) =>
  deduplication ? undefined : 'ids are carried, not compared (deduplication: false)'
export const IDS_WITH_KEYS: Need = ({ orderingKeys, idsWithKeys = true }) =>
  orderingKeys && idsWithKeys
    ? undefined
    : 'a message has no id and key together (orderingKeys: false, or idsWithKeys: false)'
export const CANCELLATION: Need = ({ cancellation }) =>
  cancellation ? undefined : 'messages cannot be cancelled (cancellation: false)'
export const QUEUE_LIMITS: Need = ({ queueLimits = true }) =>
  queueLimits ? undefined : 'nobody counts what a queue retains (queueLimits: false)'
export const NAMES: Need = ({ listsQueues = true }) =>
  listsQueues ? undefined : 'queues have no list (listsQueues: false)'
export const PARKING: Need = ({ parking = true }) =>
  parking ? undefined : 'nothing can be parked (parking: false)'
export const RESULTS: Need = ({ results = true }) =>
  results ? undefined : 'no outcome is kept (results: false)'
export const LANES: Need = ({ lanes = true }) =>
  lanes ? undefined : 'there are no lanes and no holds (lanes: false)'
export const PERSISTENCE: Need = ({ durability }) =>
  durability === 'none' ? 'nothing survives the adapter (durability: none)' : undefined
export const SETTABLE_CLOCK: Need = (_, realClock) =>
  realClock ? 'the storage has a clock of its own that cannot be set (realClock)' : undefined

/** Cases about one rule. */
export interface Section {
  readonly name: string
  readonly needs?: readonly Need[]
  readonly cases: readonly Case[]
}

export interface Case {
  /** What must be true, as a sentence. */
  readonly name: string
  readonly needs?: readonly Need[]
  /** It also holds where reads may be stale, because it waits for them with {@link Scene.consistent}. */
  readonly eventual?: boolean
  run(t: Scene): Promise<void>
}
