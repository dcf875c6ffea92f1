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
export type { BatchHandler, BatchSize, Verdict } from '../batches.ts'
export { cancel } from '../cancel.ts'
export type { Clock } from '../../clock.ts'
export type { Codec } from '../codec.ts'
export { type DeadLetterListOptions, DeadLetters, deadLetters } from '../dead-letters.ts'
export { type ErrorCode, QuaysideError } from '../../errors.ts'
export type { Handler, HandlerContext } from '../handler.ts'
export type { Instrumentation, ObservedMessage, Operation } from '../instrumentation.ts'
export { type LanesOptions, hold, lanes, limitLanes, release, takeOnly } from '../lane-verbs.ts'
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
} from '../../lanes.ts'
export { type ListOptions, list } from '../list.ts'
export type { DeadLetter, ListPage, ListedMessage, Parked } from '../listed.ts'
export type { BatchDrainOptions, BatchRunOptions, DrainOptions, DrainReport, RunOptions } from '../loop.ts'
export {
  type AckOptions,
  Message,
  type NackOptions,
  type ParkOptions,
  type RejectOptions,
  type SettleOptions,
} from '../message.ts'
export type { BatchMessage, MessageOptions, SendBatchOptions, SendOptions } from '../message-options.ts'
export { type MessagesOptions, messages } from '../messages.ts'
export type { Result } from '../outcomes.ts'
export { type EditOptions, type ResumeOptions, edit, resume } from '../parking.ts'
export { purge } from '../purge.ts'
export { type ResultOptions, result } from '../results.ts'
export { type RetryNowOptions, retryNow } from '../retry-now.ts'
export type { RetryPolicy } from '../retry.ts'
export { drain, run } from '../run.ts'
export type { SchemaResult, StandardSchema } from '../schema.ts'
export { stats } from '../stats.ts'
export type {
  Body,
  DeadReason,
  GroupStats,
  Guarantees,
  MessageState,
  StorageAdapter,
  StorageStats,
} from '../../storage.ts'
export { watch } from '../watch.ts'
export { Consumer, type ConsumerOptions, type ReceiveOptions, type Settled } from './consumer.ts'
export { Producer, type SendResult } from './producer.ts'
export { type CloseOptions, type GroupOptions, Queue, type QueueOptions } from './queue.ts'
