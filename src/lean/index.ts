/**
 * `quayside/lean`: the queue with what nobody can do without, and everything else as functions, for bundles in which each
 * kilobyte counts. Its classes are those on which the ones of `quayside` are built: what is here behaves the same, and code for
 * it works with `quayside` as it is.
 *
 * ```ts
 * import { Queue, drain } from 'quayside/lean'
 * import { IndexedDBAdapter } from 'quayside/indexeddb'
 *
 * const queue = new Queue<string>('notes', { storage: new IndexedDBAdapter() })
 * await queue.createProducer().send('hello')
 * await drain(queue.createConsumer(), (message) => console.log(message.payload))
 * ```
 *
 * @module
 */
export type { BatchHandler, BatchSize, Verdict } from '../core/batches.ts'
export { cancel } from '../core/cancel.ts'
export type { Clock } from '../clock.ts'
export type { Codec } from '../core/codec.ts'
export { type DeadLetterListOptions, DeadLetters, deadLetters } from '../core/dead-letters.ts'
export { type ErrorCode, QuaysideError } from '../errors.ts'
export type { Handler, HandlerContext } from '../core/handler.ts'
export type { Instrumentation, ObservedMessage, Operation } from '../core/instrumentation.ts'
export { type LanesOptions, hold, lanes, limitLanes, release, takeOnly } from '../core/lane-verbs.ts'
export type {
  Hold,
  HoldPlace,
  HoldRequest,
  LaneLimits,
  LaneRate,
  LaneRules,
  LaneState,
  LanesPage,
  ReleaseRequest,
} from '../lanes.ts'
export { type ListOptions, list } from '../core/list.ts'
export type { DeadLetter, ListPage, ListedMessage, Parked } from '../core/listed.ts'
export type {
  BatchDrainOptions,
  BatchRunOptions,
  DrainOptions,
  DrainReport,
  RunOptions,
} from '../core/loop.ts'
export {
  type AckOptions,
  Message,
  type NackOptions,
  type ParkOptions,
  type RejectOptions,
  type SettleOptions,
} from '../core/message.ts'
export type { BatchMessage, MessageOptions, SendBatchOptions, SendOptions } from '../core/message-options.ts'
export { type MessagesOptions, messages } from '../core/messages.ts'
export type { Result } from '../core/outcomes.ts'
export { type EditOptions, type ResumeOptions, edit, resume } from '../core/parking.ts'
export { purge } from '../core/purge.ts'
export { type ResultOptions, result } from '../core/results.ts'
export { type RetryNowOptions, retryNow } from '../core/retry-now.ts'
export type { RetryPolicy } from '../core/retry.ts'
export { drain, run } from '../core/run.ts'
export type { SchemaResult, StandardSchema } from '../core/schema.ts'
export { stats } from '../core/stats.ts'
export type {
  Body,
  DeadReason,
  GroupStats,
  Guarantees,
  MessageState,
  StorageAdapter,
  StorageStats,
} from '../storage.ts'
export { watch } from '../core/watch.ts'
export { Consumer, type ConsumerOptions, type ReceiveOptions, type Settled } from './consumer.ts'
export { Producer, type SendResult } from './producer.ts'
export { type CloseOptions, type GroupOptions, Queue, type QueueOptions } from './queue.ts'
