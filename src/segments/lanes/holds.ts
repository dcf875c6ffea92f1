import { MAX_HOLDS } from '../../storage.ts'
import type { Hold, HoldPlace, HoldRequest, ReleaseRequest } from '../../lanes.ts'
import { type Group, allGroups } from '../group.ts'
import { findLease } from '../leases.ts'
import { LIFT } from '../rows.ts'
import type { Key } from '../store.ts'
import { type Work, ALL, addTimer, edit } from '../work.ts'
import { type Flow, flowOf, laneKey, laneOf, openLane } from './lane.ts'

/** A place that is held, or probes. */
export interface HoldRow {
  readonly since: number
  readonly reason?: string | undefined
  /** When it is over. */
  readonly until?: number | undefined
  readonly probe: boolean
  /** By the tokens of groups: the delivery that is out, or `DONE`. */
  readonly probes?: Readonly<Record<string, Probe | typeof DONE>> | undefined
}

interface Probe {
  readonly seq: number
  readonly lease: number
  readonly lane?: string | undefined
}

const DONE = 0

/** The kinds of places, in the order in which holds are told. */
const QUEUE = 0
const GROUP = 1
const LANE = 2

function keyOf({ group, lane }: HoldPlace): Key {
  if (lane === undefined) return group === undefined ? [QUEUE] : [GROUP, group]
  return group === undefined ? [LANE, laneKey(lane)] : [LANE, laneKey(lane), group]
}

function placeOf(key: Key): HoldPlace {
  const [kind, first, second] = key as readonly [number, string?, string?]
  if (kind !== LANE) return { group: first }
  return { lane: laneOf(first!), group: second }
}

function read(root: Work, key: Key): HoldRow | undefined {
  return root.queue.holds === 0 ? undefined : root.tx.get<HoldRow>('holds', key)
}

function write(root: Work, key: Key, row: HoldRow | undefined): void {
  const before = read(root, key)
  if (row !== undefined) root.tx.put('holds', key, row)
  else if (before !== undefined) root.tx.delete('holds', key)
  const { lane } = placeOf(key)
  edit(root).holds += (row === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
  // Its flows may go or not, now.
  const found = lane === undefined ? undefined : openLane(root, lane)
  if (found !== undefined) found.changed = true
}

export function hold(root: Work, request: HoldRequest): void {
  const { forMs, reason, probe = false } = request
  const until = forMs === undefined ? undefined : root.now + forMs
  const key = keyOf(request)
  write(root, key, { since: root.clock, reason, until, probe })
  if (until !== undefined) root.tx.put('timers', addTimer(root, LIFT, until), key)
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
export function lift(root: Work, key: Key): void {
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

function isProbing({ now }: Work, { until = Infinity, probe }: HoldRow): boolean {
  return probe && until <= now
}

/** Whether nothing is left of a hold. */
function isOver(root: Work, row: HoldRow, group: string | undefined): boolean {
  const { until = Infinity, probe, probes = {} } = row
  if (until > root.now) return false
  if (!probe) return true
  const all = allGroups(root)
  return group === undefined && all.length > 0 && all.every(({ row: { token } }) => probes[token] === DONE)
}

/** What acts on a group: how long nothing goes, and what probes. */
interface State {
  /** Held until this time, `Infinity` if nobody knows. */
  readonly until: number
  /** A probe is out. */
  readonly isOut: boolean
  /** Held places of which nothing is out. */
  readonly probing: readonly Key[]
}

const FREE: State = { until: 0, isOut: false, probing: [] }

function stateOf(group: Group, ...keys: Key[]): State {
  const {
    work,
    row: { token },
  } = group
  if (work.queue.holds === 0) return FREE
  let until = 0
  let isOut = false
  const probing: Key[] = []
  for (const key of keys) {
    const row = read(work, key)
    if (row === undefined) continue
    if (!isProbing(work, row)) {
      if ((row.until ?? Infinity) > work.now) until = Math.max(until, row.until ?? Infinity)
      continue
    }
    const probe = row.probes?.[token]
    if (probe === DONE) continue
    const flow = probe === undefined ? undefined : flowOf(group, probe.lane)
    const lease = flow && findLease(flow, probe!.seq)
    if (lease !== undefined && lease.lease === probe?.lease && lease.until > work.now) {
      until = Math.max(until, lease.until)
      isOut = true
    } else probing.push(key)
  }
  return { until, isOut, probing }
}

/** What acts on a group as a whole. */
export function groupState(group: Group): State {
  return stateOf(group, keyOf({}), keyOf({ group: group.name }))
}

/** What acts on a lane in a group. */
export function laneState({ whole, name, work }: Flow): State {
  const { lane } = work
  return stateOf(whole, keyOf({ lane }), keyOf({ lane, group: name }))
}

/** A delivery is the probe of some places. */
export function sendProbe({ work, row }: Group, keys: readonly Key[], probe: Probe): void {
  for (const key of keys) {
    const hold = read(work, key)!
    write(work, key, { ...hold, probes: { ...hold.probes, [row.token]: probe } })
  }
}

/** Something was acked: it may be a probe. */
export function endProbes(group: Group, seq: number, lease: number, lane: string | undefined): void {
  const {
    work,
    name,
    row: { token },
  } = group
  if (work.queue.holds === 0) return
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
