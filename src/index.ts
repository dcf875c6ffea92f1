/**
 * **quayside**: a durable message queue with one producer/consumer API in every JavaScript runtime.
 *
 * ```ts
 * import { Queue } from 'quayside'
 *
 * const queue = new Queue<{ total: number }>('orders')
 * await queue.createProducer().send({ total: 42 })
 * const message = await queue.createConsumer().receive()
 * await message?.ack()
 * ```
 *
 * @module
 */
export type { ActivityReport, Latencies, Percentiles, Rates } from './activity.ts'
export type { Clock } from './clock.ts'
export type { Codec } from './codec.ts'
export { Consumer, type ConsumerOptions, type ReceiveOptions } from './consumer.ts'
export { DeadLetters, type DeadLetterListOptions } from './dead-letters.ts'
export { type ErrorCode, QuaysideError } from './errors.ts'
export type { Instrumentation, ObservedMessage, Operation } from './instrumentation.ts'
export type { DeadLetter, ListPage, ListedMessage } from './listed.ts'
export type { DrainOptions, DrainReport, Handler, HandlerContext, RunOptions } from './loop.ts'
export { Message, type NackOptions, type RejectOptions } from './message.ts'
export { type BatchMessage, Producer, type SendOptions, type SendResult } from './producer.ts'
export { type ListOptions, Queue, type QueueOptions, type QueueStats, type RetryNowOptions } from './queue.ts'
export { type RetryPolicy, backoffDelay } from './retry.ts'
export type { SchemaResult, StandardSchema } from './schema.ts'
export type {
  AppendOptions,
  AppendResult,
  Body,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStats,
  Guarantees,
  ListQuery,
  ListedMessage as StoredListedMessage,
  MessageState,
  NewMessage,
  Page,
  QueueStorage,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
} from './storage.ts'
