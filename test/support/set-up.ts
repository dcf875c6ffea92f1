import { expect, onTestFinished } from 'vitest'
import {
  type Consumer,
  type ErrorCode,
  type Producer,
  QuaysideError,
  Queue,
  type QueueOptions,
} from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from './settle.ts'
import { type SpyOptions, SpyStorage } from './spy-storage.ts'

export interface SetUp<T> {
  readonly clock: ManualClock
  readonly storage: SpyStorage
  readonly queue: Queue<T>
  readonly producer: Producer<T>
  /** Of the group `default`. */
  readonly consumer: Consumer<T>
}

/**
 * A queue on memory and on a clock that stands still. When the test is over the queue is closed; then nothing may be left
 * behind, no timer and no listener.
 */
export function setUp<T = unknown>({
  guarantees,
  watch,
  ...options
}: SpyOptions & Omit<QueueOptions<T>, 'storage' | 'clock'> = {}): SetUp<T> {
  const clock = new ManualClock()
  const storage = new SpyStorage(new MemoryAdapter({ clock }), {
    ...(guarantees && { guarantees }),
    ...(watch !== undefined && { watch }),
  })
  const queue = new Queue<T>('orders', { storage, clock, random: () => 0.5, ...options })
  onTestFinished(async () => {
    storage.work()
    const closed = queue.close({ graceMs: 0 })
    await clock.advance(0)
    await closed
    expect(clock.timers, 'timers left behind').toBe(0)
    expect(storage.listeners, 'listeners left behind').toBe(0)
  })
  return { clock, storage, queue, producer: queue.createProducer(), consumer: queue.createConsumer() }
}

/** Expects a typed error; its text must contain all of `texts`. */
export async function expectCode(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  ...texts: readonly string[]
): Promise<QuaysideError> {
  const error = await thrownBy(work)
  expect(error).toBeInstanceOf(QuaysideError)
  const typed = error as QuaysideError
  expect(typed.code, typed.message).toBe(code)
  for (const text of texts) expect(typed.message).toContain(text)
  return typed
}

/** What the work throws or rejects with. */
export async function thrownBy(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    return error
  }
  return expect.fail('this should have failed')
}

/** Expects that nothing is stored: no message, no dead letter, no byte. */
export async function expectEmpty(queue: Queue<never> | Queue): Promise<void> {
  const { messages, bytes, sent, groups } = await queue.stats()
  expect({ messages, bytes, sent }).toEqual({ messages: 0, bytes: 0, sent: 0 })
  for (const { dead } of Object.values(groups)) expect(dead).toBe(0)
}

/** A promise and its ends. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

export function defer<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

/** Whether a promise is still pending once everything has run that can. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const ended = promise.then(
    () => false,
    () => false,
  )
  return await Promise.race([ended, settle().then(() => true)])
}
