import type { LaneState, LanesPage, LanesQuery } from '../../lanes.ts'
import { type DeliverRow, type TimerKey, DELIVER } from '../rows.ts'
import { dueTimers, isBefore } from '../sweep.ts'
import { imagined, unjoined } from '../unjoined.ts'
import { type Group, type Work, isOverdue } from '../work.ts'
import { heldLanes, holdsOf } from './holds.ts'
import { type Flow, allOf, inWork, openLane } from './lane.ts'
import { laneKey, laneOf } from './names.ts'
import { live } from './turns.ts'
import { AT_ONCE } from './walk.ts'

/** Lanes that have something in a group, or are held. */
export function listLanes(work: Work, query: LanesQuery, group: Group | undefined): LanesPage {
  const prefix = laneKey(query.prefix ?? '')
  const lanes: LaneState[] = []
  const limit = Math.min(query.limit, work.limits.stepMessages)
  const overdue = overdueIn(work, group)
  const budget = { left: Math.max(AT_ONCE, work.limits.stepMessages) }
  let from = prefix
  if (query.cursor !== undefined && query.cursor > from) from = `${query.cursor}\0`
  for (;;) {
    const some = Math.min(64, limit - lanes.length + 1)
    const stored = work.tx.range('lanes', { lower: from }, some).map(([key]) => key as string)
    const held = heldLanes(work, query.group, from, some)
    const due = [...overdue.keys()].map(laneKey).filter((key) => key >= from)
    const keys = [...new Set([...stored, ...held, ...due])].sort((a, b) => (a < b ? -1 : 1)).slice(0, some)
    work.tx.expect?.(keys.map((key) => ['lanes', key]))
    for (const key of keys) {
      from = `${key}\0`
      if (!key.startsWith(prefix)) return { lanes }
      // Each lane has what is left to be looked at, and the first of a page all of it.
      if (lanes.length > 0 && budget.left <= 0) return { lanes, cursor: laneKey(lanes.at(-1)!.lane) }
      const lane = laneOf(key)
      const state = stateOf(work, lane, query.group, group, overdue.get(lane) ?? 0, budget)
      if (state === undefined) continue
      if (lanes.length === limit) return { lanes, cursor: laneKey(lanes.at(-1)!.lane) }
      lanes.push(state)
    }
    if (keys.length < some) return { lanes }
  }
}

/** Delayed messages that are due and have no place in their lane yet: as many as one step would move. */
function overdueIn(work: Work, group: Group | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  if (!isOverdue(work)) return counts
  for (const [timer, { lane, length, expires = [] }] of dueTimers<DeliverRow>(
    work,
    DELIVER,
    Math.max(AT_ONCE, work.limits.stepMessages),
  )) {
    if (lane === undefined || isBefore(timer as TimerKey, group?.row.since)) continue
    const dead = expires.filter((at) => at <= work.now).length
    if (length > dead) counts.set(lane, (counts.get(lane) ?? 0) + length - dead)
  }
  return counts
}

function stateOf(
  work: Work,
  lane: string,
  name: string,
  group: Group | undefined,
  overdue: number,
  budget: Budget,
): LaneState | undefined {
  const holds = holdsOf(work, lane, name)
  const found = openLane(work, lane)
  const own = group && (inWork(group, found) as Flow | undefined)
  const flow = own ?? (found && (imagined(found, name) as Flow))
  const leased = flow === undefined ? 0 : live(flow)
  const waiting = overdue + (flow === undefined ? 0 : allOf(flow) - leased + toTakeOver(flow, budget))
  if (waiting + leased === 0 && holds.length === 0) return undefined
  const restsForMs = waiting > 0 && flow !== undefined ? restOf(flow, holds) : undefined
  return { lane, waiting, leased, restsForMs, holds }
}

/** How many messages are yet to be looked at. */
interface Budget {
  left: number
}

/** How many messages a flow has yet to take over: as many as one step would, in all lanes of a page. */
function toTakeOver(flow: Flow, budget: Budget): number {
  let count = 0
  if (budget.left > 0)
    for (const _ of unjoined(flow)) {
      count++
      if (--budget.left <= 0) break
    }
  return count
}

/** How long it rests, if that is a matter of time. */
function restOf({ row, work }: Flow, holds: LaneState['holds']): number | undefined {
  const held = holds.filter(({ probing }) => !probing).map(({ endsInMs }) => endsInMs ?? Infinity)
  const until = Math.max(0, ...held)
  if (until > 0) return until < Infinity ? until : undefined
  // It may have been given more room since.
  return row.rest === undefined || row.wake === undefined
    ? undefined
    : Math.max(0, row.wake - work.now) || undefined
}
