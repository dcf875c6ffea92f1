import { type Delivery, MAX_HOLDS } from '../../storage.ts'
import type { Hold, HoldPlace, HoldRequest, ReleaseRequest } from '../../lanes.ts'
import { allGroups } from '../group.ts'
import { LIFT } from '../rows.ts'
import type { Key } from '../store.ts'
import { type Group, type Work, ALL, edit, reapAt, under } from '../work.ts'
import {
  DONE,
  LANE,
  type HoldRow,
  type State,
  isProbing,
  keyOf,
  placeOf,
  read,
  stateOf,
  trustHold,
} from './hold-rows.ts'
import { flowOf, openLane } from './lane.ts'
import { laneKey } from './names.ts'

function write(root: Work, key: Key, row: HoldRow | undefined): void {
  const before = read(root, key)
  if (row !== undefined) root.tx.put('holds', key, row)
  else if (before !== undefined) root.tx.delete('holds', key)
  const { lane } = placeOf(key)
  countHold(root, before, -1)
  countHold(root, row, 1)
  if (before?.until !== row?.until) {
    if (before?.until !== undefined) root.tx.delete('timers', timerOf(key, before.until))
    noteEnd(root, key, row)
  }
  // Its flows may go or not, now.
  const found = lane === undefined ? undefined : openLane(root, lane)
  if (found === undefined) return
  found.changed = true
  found.held = undefined
}

/** The timer of a hold names its place, and goes with it: nothing is left of a lane when it is released. */
function timerOf(key: Key, until: number): Key {
  return [LIFT, until, ...(key as readonly (string | number)[])]
}

/** Has a claim look at a hold when it is over. */
export function noteEnd(root: Work, key: Key, row: HoldRow | undefined): void {
  const { until = -Infinity } = row ?? {}
  if (until <= root.now) return
  root.tx.put('timers', timerOf(key, until), 0)
  reapAt(root, until)
}

/** Counts a row that is written, or one that is not any more. */
export function countHold(root: Work, row: HoldRow | undefined, count: 1 | -1): void {
  if (row === undefined) return
  const queue = edit(root)
  queue.holds += count
  if (row.probes !== undefined) queue.probes += count
}

export function hold(root: Work, request: HoldRequest): void {
  const { forMs, reason, probe = false } = request
  const until = forMs === undefined ? undefined : root.now + forMs
  write(root, keyOf(request), { since: root.clock, reason, until, probe })
}

export function release(root: Work, request: ReleaseRequest): boolean {
  const key = keyOf(request)
  const row = read(root, key)
  const isThere = row !== undefined && !isOver(root, row, request.group)
  if (!isThere) return false
  if (!request.probe) write(root, key, undefined)
  else if (!isProbing(root, row)) write(root, key, { ...row, until: root.now, probe: true })
  return true
}

/** The time of a hold has come. */
export function lift(root: Work, timer: Key): void {
  const key = (timer as readonly (string | number)[]).slice(2)
  const row = read(root, key)
  if (row?.until === undefined || row.until > root.now) return
  write(root, key, row.probe ? row : undefined)
}

/** A group was deleted: its holds end, and those of all groups that wait for its probe only. */
export function endHolds(root: Work, group: string): void {
  if (root.queue.holds === 0) return
  for (const [key, row] of root.tx.range<HoldRow>('holds', {}, ALL)) {
    const isIts = placeOf(key).group === group
    if (isIts || (row.probes !== undefined && isOver(root, row, placeOf(key).group)))
      write(root, key, undefined)
  }
}

/** A purge leaves holds as they are: they are counted, and their timers made, anew. */
export function renewHolds(root: Work): void {
  const { tx } = root
  const queue = edit(root)
  queue.holds = queue.probes = 0
  tx.deleteRange('timers', under(LIFT))
  for (const [key, row] of tx.range<HoldRow>('holds', {}, ALL)) {
    countHold(root, trustHold(root.name, row), 1)
    noteEnd(root, key, row)
  }
}

/** Whether nothing is left of a hold. */
function isOver(root: Work, row: HoldRow, group: string | undefined): boolean {
  const { until = Infinity, probe, probes = {} } = row
  if (until > root.now) return false
  if (!probe) return true
  const all = allGroups(root)
  return group === undefined && all.length > 0 && all.every(({ row: { token } }) => probes[token] === DONE)
}

/** What acts on a group as a whole. */
export function groupState(group: Group): State {
  const rows = [keyOf({}), keyOf({ group: group.name })].map((key) => [key, read(group.work, key)] as const)
  return stateOf(group, rows, (lane) => flowOf(group, lane))
}

/** The first delivery, if there is one, is the probe of some places. */
export function sendProbe({ work, row }: Group, keys: readonly Key[], [first]: readonly Delivery[]): void {
  if (first === undefined || keys.length === 0) return
  const { receipt, lane } = first
  const [lease, seq] = receipt
    .slice(row.token.length + 1)
    .split('.')
    .map(Number) as [number, number]
  for (const key of keys) {
    const hold = read(work, key)!
    write(work, key, { ...hold, probes: { ...hold.probes, [row.token]: { seq, lease, lane } } })
  }
}

/** Something was acked: it may be a probe. */
export function endProbes(group: Group, seq: number, lease: number, lane: string | undefined): void {
  const {
    work,
    name,
    row: { token },
  } = group
  if (work.queue.probes === 0) return
  const places: HoldPlace[] = [{}, { group: name }]
  if (lane !== undefined) places.push({ lane }, { lane, group: name })
  for (const place of places) {
    const key = keyOf(place)
    const row = read(work, key)
    const probe = row?.probes?.[token]
    if (row === undefined || !isProbing(work, row) || !probe) continue
    if (probe.seq !== seq || probe.lease !== lease) continue
    const after: HoldRow = { ...row, probes: { ...row.probes, [token]: DONE } }
    write(work, key, place.group !== undefined || isOver(work, after, undefined) ? undefined : after)
  }
}

/** When the first hold is over. */
export function nextLift(root: Work): number {
  if (root.queue.holds === 0) return Infinity
  const [row] = root.tx.range('timers', { lower: [LIFT], upper: [LIFT] }, 1)
  return row === undefined ? Infinity : (row[0] as readonly number[])[1]!
}

/** What is held of a place, to show. */
function show(root: Work, key: Key, row: HoldRow): Hold | undefined {
  const place = placeOf(key)
  const { since, reason, until, probe } = row
  if (isOver(root, row, place.group)) return undefined
  if (isProbing(root, row)) return { ...place, reason, since, probe, probing: true }
  return { ...place, reason, since, endsInMs: until === undefined ? undefined : until - root.now, probe }
}

/** What is held, as much as is told. */
export function listHolds(root: Work): Hold[] {
  if (root.queue.holds === 0) return []
  const holds: Hold[] = []
  for (const [key, row] of root.tx.range<HoldRow>('holds', {}, 2 * MAX_HOLDS)) {
    const shown = show(root, key, row)
    if (shown !== undefined && holds.length < MAX_HOLDS) holds.push(shown)
  }
  return holds
}

/** What is held of a lane, in a group and in all. */
export function holdsOf(root: Work, lane: string, group: string): Hold[] {
  return [{ lane, group }, { lane }].flatMap((place) => {
    const key = keyOf(place)
    const row = read(root, key)
    return (row && show(root, key, row)) ?? []
  })
}

/** The names of lanes that are held in a group or in all, from one on. */
export function heldLanes(root: Work, group: string, from: string, limit: number): string[] {
  if (root.queue.holds === 0) return []
  const names = new Set<string>()
  for (const [key] of root.tx.range('holds', { lower: [LANE, from] }, 2 * limit)) {
    const place = placeOf(key)
    if (place.group === undefined || place.group === group) names.add(laneKey(place.lane!))
  }
  return [...names]
}
