import type { LaneState, LanesPage, LanesQuery } from '../../lanes.ts'
import type { Group } from '../group.ts'
import { imagineGroup } from '../new-group.ts'
import type { Work } from '../work.ts'
import { heldLanes, holdsOf } from './holds.ts'
import { type Flow, laneKey, laneOf, openLane } from './lane.ts'
import { live } from './turns.ts'

/** Lanes that have something in a group, or are held. */
export function listLanes(work: Work, query: LanesQuery, group: Group | undefined): LanesPage {
  const prefix = laneKey(query.prefix ?? '')
  const lanes: LaneState[] = []
  let from = prefix
  if (query.cursor !== undefined && query.cursor > from) from = `${query.cursor}\0`
  for (;;) {
    const some = Math.min(64, query.limit - lanes.length + 1)
    const stored = work.tx.range('lanes', { lower: from }, some).map(([key]) => key as string)
    const held = heldLanes(work, query.group, from, some)
    const keys = [...new Set([...stored, ...held])].sort((a, b) => (a < b ? -1 : 1)).slice(0, some)
    work.tx.expect?.(keys.map((key) => ['lanes', key]))
    for (const key of keys) {
      from = `${key}\0`
      if (!key.startsWith(prefix)) return { lanes }
      const state = stateOf(work, laneOf(key), query.group, group)
      if (state === undefined) continue
      if (lanes.length === query.limit) return { lanes, cursor: laneKey(lanes.at(-1)!.lane) }
      lanes.push(state)
    }
    if (keys.length < some) return { lanes }
  }
}

function stateOf(work: Work, lane: string, name: string, group: Group | undefined): LaneState | undefined {
  const holds = holdsOf(work, lane, name)
  const found = openLane(work, lane)
  const flow =
    found?.groups.find(({ whole }) => whole === group) ??
    (found && (imagineGroup(found, name, 'earliest') as Flow))
  if (flow === undefined) return holds.length > 0 ? { lane, waiting: 0, leased: 0, holds } : undefined
  const { row } = flow
  const { cursor, skipped, waiting, blocked, held } = row
  const inRow = row.leases.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const leased = live(flow)
  const all = found!.ahead(cursor) - skipped + waiting + blocked + inRow + held
  if (all === 0 && holds.length === 0) return undefined
  const restsForMs = all > leased ? restOf(flow, holds) : undefined
  return { lane, waiting: all - leased, leased, restsForMs, holds }
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
