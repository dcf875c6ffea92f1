import { soon } from '../clock.ts'
import type { Message, Queue, Verdict } from '../core/index.ts'
import { checkEach, checkFunction, checkOptions, checkSignal, checkTime, mustBeOurs } from '../check.ts'
import type { QuaysideError } from '../errors.ts'
import type { NewMessage } from '../storage.ts'
import { type Companion, GROUP, type Look, companionOf } from './companion.ts'
import { dueOf } from './due.ts'
import {
  REVISION,
  type Tick,
  instantText,
  markOf,
  revisionFurther,
  unpack,
  waitText,
  waitedFor,
} from './tick.ts'
import { type Timetable, type When, timetable } from './when.ts'

/** What all ways to fire schedules take. */
export interface FireOptions {
  /**
   * Is told why something that is due could not be fired: the storage failed, or refuses the message. It is tried again after
   * 5 s.
   * @defaultValue nobody is told
   */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** How {@link runSchedules} goes on and ends. */
export interface RunSchedulesOptions extends FireOptions {
  /** Stops it. @defaultValue it runs until the queue is closed */
  readonly signal?: AbortSignal | undefined
}

/** How {@link drainSchedules} ends. */
export interface DrainSchedulesOptions {
  /** Ends it early: what is being fired is fired. @defaultValue it ends by itself */
  readonly signal?: AbortSignal | undefined
  /** When to be done, in ms since 1970. @defaultValue never */
  readonly deadline?: number | undefined
}

const RUN_OPTIONS = { signal: checkSignal, onError: checkFunction }
const DRAIN_OPTIONS = { signal: checkSignal, deadline: checkTime }

/** The most schedules in one step. */
const STEP = 100
/** The most instants of one. */
const MOST_INSTANTS = 1000
/** When to try again what failed, in ms. */
const AGAIN_MS = 5000
/** Where others still have to see that a schedule is removed, when to look for them, in ms. */
const REMOVED_MS = 86_400_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Fires the schedules of a queue as they are due, until its signal aborts or the queue is closed. In as many processes, tabs and
 * workers as you like: each instant is fired once, and whoever is there fires what others have left.
 *
 * @throws as {@link Consumer.run}
 * @example
 * ```ts
 * const stop = new AbortController()
 * void runSchedules(queue, { signal: stop.signal }) // in every process
 * ```
 */
export async function runSchedules<T>(queue: Queue<T>, options: RunSchedulesOptions = {}): Promise<void> {
  const tried = 'runSchedules'
  checkOptions(tried, options, RUN_OPTIONS)
  const { signal, onError } = options
  const companion = companionOf(tried, queue)
  const hooks = { onError, onSent: undefined }
  const fire = (ticks: readonly Message<Tick>[]): Promise<Verdict[]> => fireAll(companion, ticks, hooks)
  await companion.queue.createConsumer(GROUP).run(fire, { batch: { size: STEP }, signal, onError })
}

/**
 * Fires what is due now, then ends: for a cron trigger or a request, where nothing runs in between. Answers with the number of
 * messages that it has sent.
 *
 * @throws as {@link Consumer.drain}, and what the first message that could not be sent failed with; the others are.
 * @example
 * ```ts
 * await drainSchedules(queue) // in a cron trigger
 * ```
 */
export async function drainSchedules<T>(
  queue: Queue<T>,
  options: DrainSchedulesOptions = {},
): Promise<number> {
  const tried = 'drainSchedules'
  checkOptions(tried, options, DRAIN_OPTIONS)
  const companion = companionOf(tried, queue)
  let failure: { error: unknown } | undefined
  let sent = 0
  const hooks: Hooks = { onError: (error) => (failure ??= { error }), onSent: (count) => (sent += count) }
  const fire = (ticks: readonly Message<Tick>[]): Promise<Verdict[]> => fireAll(companion, ticks, hooks)
  await companion.queue.createConsumer(GROUP).drain(fire, { batch: { size: STEP }, ...options })
  if (failure !== undefined) throw failure.error
  return sent
}

/**
 * What `onMessages` of a `QueueObject` returns where its messages are schedules, which come to it by the object's alarm:
 * `undefined` says that they are not.
 *
 * @param queue The queue that they send to, made with a `DurableObjectAdapter`.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What cannot be sent is a verdict: the push tries again.
 * @example
 * ```ts
 * async onMessages(messages) {
 *   return (await fireSchedules(this.#queue, messages)) ?? work(messages)
 * }
 * ```
 */
export async function fireSchedules<T>(
  queue: Queue<T>,
  messages: readonly Message<unknown>[],
  options: FireOptions = {},
): Promise<Verdict[] | undefined> {
  const tried = 'fireSchedules'
  checkEach(tried, 'messages', messages, mustBeOurs('a Message', 'ack'), 'one of messages')
  checkOptions(tried, options, { onError: checkFunction })
  const companion = companionOf(tried, queue)
  if (!messages.every((message) => companion.isOwn(message))) return undefined
  const { onError } = options
  return await fireAll(companion, messages as readonly Message<Tick>[], { onError, onSent: undefined }, true)
}

/** Who is told what. */
interface Hooks {
  readonly onError: ((error: unknown) => void) | undefined
  readonly onSent: ((count: number) => void) | undefined
}

async function fireAll(
  companion: Companion,
  ticks: readonly Message<Tick>[],
  { onError, onSent }: Hooks,
  isPush = false,
): Promise<Verdict[]> {
  // For all of them at once.
  const seen = companion.look(ticks)
  const one = async (tick: Message<Tick>): Promise<Verdict> => {
    try {
      const look = await seen
      const { now, at } = look
      const { due, next } = dueNow(companion, tick, look)
      if (due.length > 0) {
        const news = await companion.send(due)
        onSent?.(news)
        // Of others the last one is fired, wherever one begins.
        if (next !== undefined && tick.payload.when!.catchUp === 'all' && companion.isExact)
          await companion.mark(tick.id, next.reason!)
      }
      if (next === undefined) {
        // It is over, or was removed while this noted how far it had come.
        const { newest = tick.headers[REVISION] } = look.ticks.get(tick.id) ?? {}
        if (tick.payload.when?.catchUp === 'all' && newest === tick.headers[REVISION])
          await companion.forget(tick.id)
        return undefined
      }
      // Counted from when the storage told its time: this side may have stood still since.
      const delayMs = Math.max(0, next.at - now - Math.max(0, companion.now() - at))
      if (!companion.isExact && next.reason !== tick.lastError) {
        // Who dies with it would leave nothing by which to know how far it has come.
        const revision = revisionFurther(tick.headers[REVISION]!)
        await companion.put(tick.id, revision, { ...tick.payload, from: next.at }, delayMs)
        return undefined
      }
      if (isPush) return again(next.reason, delayMs)
      // Not as a verdict, which is told again and again until it can be, and by then is another time.
      await tick.nack({ delayMs, reason: next.reason, counts: false })
      return undefined
    } catch (error) {
      if ((error as Partial<QuaysideError>).code === 'STALE_RECEIPT') return undefined
      if (onError !== undefined) soon(() => onError(error))
      return again(tick.lastError, AGAIN_MS)
    }
  }
  return await Promise.all(ticks.map(one))
}

/** It is handed back, and has not failed. */
function again(reason: string | undefined, delayMs: number): Verdict {
  return { kind: 'nack', delayMs, reason, counts: false }
}

/** What is to be sent of a schedule, and how it goes on then. */
interface Turn {
  readonly due: readonly NewMessage[]
  /** When it is to be looked at again, and what is known of it then. `undefined`: it is over. */
  readonly next: { readonly at: number; readonly reason: string | undefined } | undefined
}

/** Dies somebody between the two, the ids of what was sent are known when that is done again. */
function dueNow(companion: Companion, tick: Message<Tick>, { now, ticks, marks }: Look): Turn {
  const { id, payload, headers, lastError, timestamp } = tick
  const revision = headers[REVISION]
  const there = ticks.get(id)
  // Changed or removed meanwhile; or a clock that nobody has set for long.
  if (revision === undefined || companion.isOver(revision, there?.newest)) return { due: [], next: undefined }
  const { when, message, from } = payload
  if (when === undefined)
    return { due: [], next: there!.count > 1 ? { at: now + REMOVED_MS, reason: lastError } : undefined }
  const times = timetable('schedule', when)
  const memoryMs = memoryOf(when, times, now)
  // Whoever had it last and has died may have sent some of it, and their ids are known.
  const told = waitedFor(lastError, revision) === undefined ? marks.get(markOf(id)) : lastError
  let start = waitedFor(told, revision) ?? from ?? timestamp + 1
  let until = waitedFor(told, revision, 3)
  const first = times.next(now) ?? Infinity
  if (first < Infinity && start > first + DAY_MS) {
    // The clock was far ahead and was set right: what it waits for may be years away. Or it is far behind for now.
    until = Math.max(until ?? 0, start)
    start = first
  } else if (until !== undefined && first >= until) {
    // It was behind: the years in between were dealt with.
    start = Math.max(start, until)
    until = undefined
  }
  const { instants, next } = dueOf(times, when.catchUp!, start, now, companion.most(message!, MOST_INSTANTS))
  // It stood still for so long that it belongs to somebody else.
  if (companion.now() >= tick.leaseUntil) return { due: [], next: { at: now, reason: lastError } }
  const sent = unpack(message!)
  const due = instants.map((at): NewMessage => {
    const instant = instantText(at)
    const known = companion.known((next ?? now) - at + HOUR_MS + memoryMs)
    return {
      ...sent,
      id: `${id}@${instant}`,
      headers: { ...sent.headers, 'scheduled-for': instant },
      ...known,
    }
  })
  return { due, next: next === undefined ? undefined : { at: next, reason: waitText(next, revision, until) } }
}

/** For how long what somebody has sent who died at it may be sent once more, and is not, in ms. */
function memoryOf({ catchUp }: When, times: Timetable, now: number): number {
  // With the others only the last one is.
  if (catchUp !== 'all') return 0
  const first = times.next(now) ?? now
  return (times.next(first) ?? Infinity) - first < MINUTE_MS ? DAY_MS : 7 * DAY_MS
}
