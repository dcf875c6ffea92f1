import { type BatchHandler, checkBatch } from './batches.ts'
import {
  checkCount,
  checkFunction,
  checkNothing,
  checkOptions,
  checkPositiveWaitMs,
  checkSignal,
  checkTime,
} from '../check.ts'
import type { Handler } from './handler.ts'
import { TIMEOUT_MS } from './hand.ts'
import { type Consumer, readerOf } from './lean/consumer.ts'
import {
  type BatchDrainOptions,
  type BatchRunOptions,
  type DrainOptions,
  type DrainReport,
  Loop,
  type RunOptions,
  type Work,
} from './loop.ts'

const RUN_OPTIONS = {
  concurrency: checkCount,
  signal: checkSignal,
  timeoutMs: checkPositiveWaitMs,
  batch: checkNothing,
  onError: checkFunction,
  onFailed: checkFunction,
}

/**
 * Works on messages until the signal aborts or the queue is closed. See `run` of the `Consumer` of `quayside`, which this is.
 *
 * ```ts
 * await run(consumer, async ({ payload }) => work(payload), { signal })
 * ```
 */
export async function run<T>(
  consumer: Consumer<T>,
  handler: BatchHandler<T>,
  options: BatchRunOptions<T>,
): Promise<void>
export async function run<T>(
  consumer: Consumer<T>,
  handler: Handler<T>,
  options?: RunOptions<T>,
): Promise<void>
export async function run<T>(
  consumer: Consumer<T>,
  handler: Handler<T> | BatchHandler<T>,
  options: RunOptions<T> | BatchRunOptions<T> = {},
): Promise<void> {
  checkOptions('run', options, RUN_OPTIONS)
  await loop('run', consumer, { handler, options } as Work<T>, false)
}

/**
 * Works on messages until nothing is due, and reports. See `drain` of the `Consumer` of `quayside`, which this is.
 *
 * ```ts
 * const { acked } = await drain(consumer, async ({ payload }) => work(payload))
 * ```
 */
export async function drain<T>(
  consumer: Consumer<T>,
  handler: BatchHandler<T>,
  options: BatchDrainOptions<T>,
): Promise<DrainReport>
export async function drain<T>(
  consumer: Consumer<T>,
  handler: Handler<T>,
  options?: DrainOptions<T>,
): Promise<DrainReport>
export async function drain<T>(
  consumer: Consumer<T>,
  handler: Handler<T> | BatchHandler<T>,
  options: DrainOptions<T> | BatchDrainOptions<T> = {},
): Promise<DrainReport> {
  checkOptions('drain', options, { ...RUN_OPTIONS, deadline: checkTime })
  return await loop('drain', consumer, { handler, options } as Work<T>, true)
}

async function loop<T>(
  tried: string,
  consumer: Consumer<T>,
  work: Work<T>,
  untilEmpty: boolean,
): Promise<DrainReport> {
  checkFunction(tried, 'handler', work.handler)
  const { batch, timeoutMs = TIMEOUT_MS } = work.options
  if (batch !== undefined) checkBatch(tried, batch, timeoutMs)
  const reader = readerOf(consumer)
  const { context } = reader
  if (context.isClosed) throw context.closedError(tried)
  return await context.track(new Loop(reader, work, untilEmpty).run())
}
