/**
 * `quayside/core`: all of `quayside` but the storage in memory. `Queue` has no default here: `storage` is required. Without that
 * default and the engine under it, bundles for storages that do not need the engine are 15 kB smaller.
 *
 * ```ts
 * import { Queue } from 'quayside/core'
 * import { DurableObjectAdapter } from 'quayside/durable-object'
 *
 * const queue = new Queue('orders', { storage: new DurableObjectAdapter(env.QUEUE) })
 * ```
 *
 * @module
 */
export type { ActivityReport, Latencies, Percentiles, Rates } from './activity.ts'
export { askAtOnce } from './at-once.ts'
export type { BatchHandler, BatchSize, Verdict } from './batches.ts'
export type { Clock } from '../clock.ts'
export type { Codec } from './codec.ts'
export { Consumer, type ConsumerOptions } from './consumer.ts'
export { DeadLetters, type DeadLetterListOptions } from './dead-letters.ts'
export { type ErrorCode, QuaysideError } from '../errors.ts'
export type { Handler, HandlerContext } from './handler.ts'
export type { Instrumentation, ObservedMessage, Operation } from './instrumentation.ts'
export type { LanesOptions } from './lane-verbs.ts'
export type {
  Hold,
  HoldPlace,
  HoldRequest,
  LaneLimits,
  LaneRate,
  LaneRules,
  LaneState,
  LanesPage,
  LanesQuery,
  ReleaseRequest,
} from '../lanes.ts'
export type { ReceiveOptions, Settled } from './lean/consumer.ts'
export type { SendResult } from './lean/producer.ts'
export type { CloseOptions, GroupOptions, QueueOptions } from './lean/queue.ts'
export type { ListOptions } from './list.ts'
export type { DeadLetter, ListPage, ListedMessage, Parked } from './listed.ts'
export type { BatchDrainOptions, BatchRunOptions, DrainOptions, DrainReport, RunOptions } from './loop.ts'
export {
  type AckOptions,
  Message,
  type NackOptions,
  type ParkOptions,
  type RejectOptions,
  type SettleOptions,
} from './message.ts'
export type { BatchMessage, MessageOptions, SendBatchOptions, SendOptions } from './message-options.ts'
export type { MessagesOptions } from './messages.ts'
export type { Result } from './outcomes.ts'
export { Producer } from './producer.ts'
export type { EditOptions, ResumeOptions } from './parking.ts'
export { Queue } from './queue.ts'
export type { ResultOptions } from './results.ts'
export type { RetryNowOptions } from './retry-now.ts'
export { type RetryPolicy, backoffDelay } from './retry.ts'
export type { SchemaResult, StandardSchema } from './schema.ts'
export type { QueueStats } from './stats.ts'
export type {
  AppendOptions,
  AppendResult,
  Body,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStart,
  GroupStats,
  Guarantees,
  Held,
  Hint,
  ListQuery,
  ListedMessage as StoredListedMessage,
  MessageState,
  NewMessage,
  Outcome,
  Page,
  Part,
  Parked as StoredParked,
  QueueStorage,
  ResumeOptions as StoredResumeOptions,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
  Value,
  VerbsAtOnce,
} from '../storage.ts'
export { type HandedOver, type TransactionProducer, sendWithin } from './within.ts'
