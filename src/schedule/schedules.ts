import { checkCount, checkIds, checkObject, checkOptions, checkText, invalid, nameOf } from '../check.ts'
import { BATCH_MESSAGE, contextOf, decode, DEFAULT_LIMIT, listParts, prepare } from '../core/inside.ts'
import type { BatchMessage, Queue } from '../core/index.ts'
import { type ListedMessage, MAX_NAME_BYTES } from '../storage.ts'
import { type Companion, GROUP, companionOf } from './companion.ts'
import {
  REVISION,
  type StoredMessage,
  type Tick,
  instantText,
  MARK,
  isNewer,
  markOf,
  pack,
  revisionAfter,
  ticksOf,
  unpack,
  waitedFor,
} from './tick.ts'
import { type When, timetable, wholeOf } from './when.ts'

/** What is sent at each instant. Its id is made of the schedule's name and the instant. */
export type ScheduledMessage<T> = Pick<
  BatchMessage<T>,
  'payload' | 'key' | 'lane' | 'headers' | 'expiresInMs' | 'maxAttempts' | 'keepMs'
>

/** A schedule, as it is listed. */
export interface Schedule<T> {
  readonly name: string
  /** With its defaults. */
  readonly when: When
  /** What it sends. `undefined` if the codec cannot decode it. */
  readonly payload: T | undefined
  /** The first instant that is not fired yet, on the storage's clock, in ms since 1970. `undefined`: it is over. */
  readonly nextAt: number | undefined
}

/** Which page of schedules. */
export interface ListSchedulesOptions {
  /** Only these. @defaultValue all */
  readonly names?: readonly string[] | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. @defaultValue the first page */
  readonly cursor?: string | undefined
}

/** A page of schedules. */
export interface SchedulesPage<T> {
  readonly schedules: readonly Schedule<T>[]
  /** Pass it on to read further. `undefined`: this was the last page. */
  readonly cursor: string | undefined
}

/** What stands behind the name in the id of a message. */
const INSTANT_BYTES = '@2026-01-01T00:00:00.000Z'.length

const checkShortName = nameOf(MAX_NAME_BYTES - INSTANT_BYTES)

function checkName(tried: string, name: string): void {
  checkShortName(tried, 'name', name)
  if (name.includes('\n')) throw invalid(tried, 'name must be one line', name)
}

const { payload, key, lane, headers, expiresInMs, maxAttempts, keepMs } = BATCH_MESSAGE
const MESSAGE = { payload, key, lane, headers, expiresInMs, maxAttempts, keepMs }

const LIST_OPTIONS = { names: checkIds, limit: checkCount, cursor: checkText }

/**
 * Has a message sent to a queue at each instant of a pattern, or each so many ms, until {@link unschedule}. It is stored in the
 * storage of the queue, in a queue of its own beside it, and fired by whoever runs {@link runSchedules},
 * {@link drainSchedules} or a push with {@link fireSchedules}: any number of processes, tabs and objects, without a leader.
 *
 * The message's id is `name@instant`, such as `nightly@2026-03-29T01:00:00.000Z`; its headers `schedule` and `scheduled-for` have
 * the two parts. The clock of the storage rules. A schedule of the same name takes the place of the one before: no instant of
 * that is fired any more that was not due yet. If it has the same times, it goes on where that was. The same again changes nothing,
 * so that every process may say at its start what there is to be.
 *
 * Answers whether there was none, another one, or the same.
 *
 * @param name 1 to 231 bytes of UTF-8 in one line.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`, and what {@link Producer.send} throws: nothing was changed.
 * @example
 * ```ts
 * await schedule(queue, 'tidy', { cron: '0 * * * *' }, { payload: { task: 'tidy up' } })
 * ```
 */
export async function schedule<T>(
  queue: Queue<T>,
  name: string,
  when: When,
  message: ScheduledMessage<NoInfer<T>>,
): Promise<'stored' | 'replaced' | 'unchanged'> {
  const tried = 'schedule'
  checkName(tried, name)
  const times = timetable(tried, when)
  if (times.next(0) === undefined) throw invalid(tried, 'cron must have an instant', when.cron)
  checkObject(tried, 'message, such as { payload },', message)
  checkOptions(tried, message, MESSAGE)
  const companion = companionOf(tried, queue)
  const next = { when: wholeOf(when), message: await storedMessage(tried, queue, name, message) }
  const { before, mark } = await standing(companion, name)
  const known = before && tickOf(before)
  if (known !== undefined && isSame(known.message, next.message) && isSame(known.when, next.when))
    return 'unchanged'
  const goesOn = known !== undefined && isSame(known.when, next.when)
  await put(companion, name, before, goesOn ? { ...next, from: standingOf(before!, known, mark) } : next)
  if (known?.when?.catchUp === 'all' && !goesOn) await companion.forget(name)
  return known?.when === undefined ? 'stored' : 'replaced'
}

/**
 * Ends a schedule. Answers whether there was one. What it has sent stays. @throws {@link QuaysideError} `INVALID_ARGUMENT`
 *
 * ```ts
 * await unschedule(queue, 'tidy')
 * ```
 */
export async function unschedule<T>(queue: Queue<T>, name: string): Promise<boolean> {
  const tried = 'unschedule'
  checkName(tried, name)
  const companion = companionOf(tried, queue)
  if (companion.context.guarantees.cancellation) {
    let found = false
    // One that is being changed while it is fired is there twice.
    while ((await companion.queue.cancel([name, markOf(name)]))[0]) found = true
    return found
  }
  const { before } = await standing(companion, name)
  if (before === undefined || tickOf(before).when === undefined) return false
  await put(companion, name, before, {})
  return true
}

/**
 * The schedules of a queue. Changes nothing. @throws {@link QuaysideError} `INVALID_ARGUMENT`
 *
 * ```ts
 * for (const { name, nextAt } of (await listSchedules(queue)).schedules) console.log(name, nextAt)
 * ```
 */
export async function listSchedules<T>(
  queue: Queue<T>,
  options: ListSchedulesOptions = {},
): Promise<SchedulesPage<T>> {
  const tried = 'listSchedules'
  checkOptions(tried, options, LIST_OPTIONS)
  const { names, limit = DEFAULT_LIMIT, cursor } = options
  const { context } = companionOf(tried, queue)
  const query = { group: GROUP, ids: names, limit, cursor }
  const page = await context.use(tried, (view) => listParts(view, query))
  const newest = new Map<string, ListedMessage>()
  for (const message of page.messages)
    if (message.headers?.[REVISION] !== undefined && isNewer(message, newest.get(message.id)))
      newest.set(message.id, message)
  const { codec } = contextOf(queue).options
  const schedules: Schedule<T>[] = []
  for (const message of newest.values()) {
    const { when, message: sent } = tickOf(message)
    if (when === undefined) continue
    const payload = await new Promise<T>((resolve) => resolve(decode(codec, unpack(sent!).body))).catch(
      () => undefined,
    )
    schedules.push({ name: message.id, when, payload, nextAt: nextOf(message, when) })
  }
  return { schedules, cursor: page.cursor }
}

async function storedMessage<T>(
  tried: string,
  queue: Queue<T>,
  name: string,
  { payload, ...options }: ScheduledMessage<T>,
): Promise<StoredMessage> {
  const context = contextOf(queue)
  const instant = instantText(0)
  // Checked as it will be sent.
  const all = { ...options.headers, schedule: name, 'scheduled-for': instant }
  const asSent = { ...options, id: `${name}@${instant}` }
  const { id: _id, ...message } = await prepare(context, tried, payload, asSent, all)
  return pack(message)
}

/** Takes the place of what is there. */
async function put(
  companion: Companion,
  name: string,
  before: ListedMessage | undefined,
  tick: Tick,
): Promise<void> {
  const revision = revisionAfter(before?.headers?.[REVISION], companion.context.options.id())
  await companion.put(name, revision, tick)
}

/** What is stored of a schedule. */
async function standing(
  companion: Companion,
  name: string,
): Promise<{ before: ListedMessage | undefined; mark: string | undefined }> {
  let before: ListedMessage | undefined
  let mark: string | undefined
  for (const message of await ticksOf(companion.context, GROUP, [name, markOf(name)], true))
    if (message.id !== name) mark = message.headers![MARK]
    else if (isNewer(message, before)) before = message
  return { before, mark }
}

function tickOf({ body }: ListedMessage): Tick {
  return JSON.parse(body as string) as Tick
}

/** In JSON, where what is undefined is not there. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** How far a schedule has come: the first time that is not dealt with. */
function standingOf({ timestamp, lastError, headers }: ListedMessage, { from }: Tick, mark?: string): number {
  const revision = headers![REVISION]!
  return waitedFor(lastError, revision) ?? waitedFor(mark, revision) ?? from ?? timestamp + 1
}

function nextOf(message: ListedMessage, when: When): number | undefined {
  try {
    return timetable('listSchedules', when).next(standingOf(message, tickOf(message)) - 1)
  } catch {
    // A pattern that only newer code reads.
    return undefined
  }
}
