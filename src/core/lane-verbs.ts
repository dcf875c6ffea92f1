import { checkBoolean, checkName, checkOptions, checkPositiveMs, checkText } from '../check.ts'
import { cutError } from '../errors.ts'
import { checkLane, checkOnly, checkPrefix, checkRules, frozen } from './lane-rules.ts'
import type { HoldRequest, LaneRules, LanesPage, ReleaseRequest } from '../lanes.ts'
import { type Consumer, readerOf } from './lean/consumer.ts'
import { DEFAULT_GROUP, type Queue, contextOf } from './lean/queue.ts'
import { DEFAULT_LIMIT, PAGE } from './list.ts'

/** Which page of lanes. */
export interface LanesOptions {
  /** Whose lanes. @defaultValue 'default' */
  readonly group?: string | undefined
  /** Only lanes whose names start so. @defaultValue all */
  readonly prefix?: string | undefined
  /** The most to answer with. @defaultValue 100 */
  readonly limit?: number | undefined
  /** Where an earlier page ended. @defaultValue the first page */
  readonly cursor?: string | undefined
}

const RELEASE = { group: checkName, lane: checkLane, probe: checkBoolean }

/**
 * Has nothing of a lane, a group or the queue handed out anywhere. See `hold` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await hold(queue, { lane: 'api.example', reason: 'it answers 503', forMs: 60_000 })
 * ```
 */
export async function hold(queue: Queue, request: HoldRequest = {}): Promise<void> {
  checkOptions('hold', request, { ...RELEASE, forMs: checkPositiveMs, reason: checkText })
  const context = contextOf(queue)
  context.require('hold', 'lanes')
  const { reason } = request
  await context.use('hold', (view) => view.hold({ ...request, reason: cutError(reason) }))
}

/**
 * Ends the hold of a place, and of no other. See `release` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await release(queue, { lane: 'api.example' })
 * ```
 */
export async function release(queue: Queue, request: ReleaseRequest = {}): Promise<boolean> {
  checkOptions('release', request, RELEASE)
  const context = contextOf(queue)
  context.require('release', 'lanes')
  return await context.use('release', (view) => view.release(request))
}

/**
 * The lanes of a group. See `lanes` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * for (const { lane } of (await lanes(queue)).lanes) console.log(lane)
 * ```
 */
export async function lanes(queue: Queue, options: LanesOptions = {}): Promise<LanesPage> {
  const { group = DEFAULT_GROUP, prefix, limit = DEFAULT_LIMIT, cursor } = options
  checkOptions('lanes', options, { ...PAGE, prefix: checkPrefix })
  const context = contextOf(queue)
  context.require('lanes', 'lanes')
  return await context.use('lanes', (view) => view.lanes({ group, prefix, limit, cursor }))
}

/**
 * From which lanes a consumer takes from now on. `undefined`: from all. See `only` of the `Consumer` of `quayside`.
 *
 * ```ts
 * takeOnly(consumer, 'user-7:')
 * ```
 */
export function takeOnly(consumer: Consumer<unknown>, only: string | readonly string[] | undefined): void {
  const tried = 'consumer.only'
  const reader = readerOf(consumer)
  if (only !== undefined) {
    checkOnly(tried, 'only', only)
    reader.context.require(tried, 'lanes')
  }
  reader.select({ only: frozen(only) })
}

/**
 * What each lane may do from now on. `undefined`: what it likes. See `lanes` of the `Consumer` of `quayside`.
 *
 * ```ts
 * limitLanes(consumer, { concurrency: 3 })
 * ```
 */
export function limitLanes(consumer: Consumer<unknown>, rules: LaneRules | undefined): void {
  const tried = 'consumer.lanes'
  const reader = readerOf(consumer)
  if (rules !== undefined) {
    checkRules(tried, 'lanes', rules)
    reader.context.require(tried, 'lanes')
  }
  reader.select({ lanes: frozen(rules) })
}
