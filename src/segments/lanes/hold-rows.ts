import { damaged } from '../../errors.ts'
import type { HoldPlace } from '../../lanes.ts'
import { findLease } from '../leases.ts'
import type { Key, Row } from '../store.ts'
import { type Group, type LaneWork, type Work, ALL, under } from '../work.ts'
import { laneKey, laneOf } from './names.ts'

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

export interface Probe {
  readonly seq: number
  readonly lease: number
  readonly lane?: string | undefined
}

export const DONE = 0

/** The kinds of places, in the order in which holds are told. */
const QUEUE = 0
const GROUP = 1
export const LANE = 2

export function keyOf({ group, lane }: HoldPlace): Key {
  if (lane === undefined) return group === undefined ? [QUEUE, ''] : [GROUP, group]
  return group === undefined ? [LANE, laneKey(lane)] : [LANE, laneKey(lane), group]
}

export function placeOf(key: Key): HoldPlace {
  const [kind, first, second] = key as readonly [number, string?, string?]
  if (kind !== LANE) return kind === QUEUE ? {} : { group: first }
  return { lane: laneOf(first!), group: second }
}

export function read(root: Work, key: Key): HoldRow | undefined {
  return root.queue.holds === 0 ? undefined : root.tx.get<HoldRow>('holds', key)
}

/** See `trust.ts`. */
export function trustHold(queue: string, row: HoldRow): HoldRow {
  const { since, until = 0, probes = {} } = row
  const out = Object.values(probes).filter((probe) => probe !== DONE)
  const numbers = [since, until, ...out.flatMap(({ seq, lease }) => [seq, lease])]
  if (!numbers.every(Number.isFinite)) throw damaged(queue)
  return row
}

export function isProbing({ now }: Work, { until = Infinity, probe }: HoldRow): boolean {
  return probe && until <= now
}

/** What acts on a group: how long nothing goes, and what probes. */
export interface State {
  /** Held until this time, `Infinity` if nobody knows. */
  readonly until: number
  /** A probe is out. */
  readonly isOut: boolean
  /** Held places of which nothing is out. */
  readonly probing: readonly Key[]
}

const FREE: State = { until: 0, isOut: false, probing: [] }

/** `rows`: those that act on it. `flowOf`: what the group has in a lane of which a probe may be out. */
export function stateOf(
  group: Group,
  rows: readonly Row<HoldRow | undefined>[],
  flowOf: (lane: string | undefined) => Group | undefined,
): State {
  const {
    work,
    row: { token },
  } = group
  if (rows.length === 0) return FREE
  let until = 0
  let isOut = false
  const probing: Key[] = []
  for (const [key, row] of rows) {
    if (row === undefined) continue
    if (!isProbing(work, row)) {
      if ((row.until ?? Infinity) > work.now) until = Math.max(until, row.until ?? Infinity)
      continue
    }
    const probe = row.probes?.[token]
    if (probe === DONE) continue
    const flow = probe === undefined ? undefined : flowOf(probe.lane)
    const lease = flow && findLease(flow, probe!.seq)
    if (lease !== undefined && lease.lease === probe?.lease && lease.until > work.now) {
      until = Math.max(until, lease.until)
      isOut = true
    } else probing.push(key)
  }
  return { until, isOut, probing }
}

/** What acts on a lane in a group. */
export function laneState(flow: Group & { readonly work: LaneWork }): State {
  const { whole, name, work } = flow
  const { root, key } = work
  if (root.queue.holds === 0) return FREE
  const held = (work.held ??= root.tx.range('holds', under(LANE, key), ALL)) as readonly Row<HoldRow>[]
  const acts = held.filter(([at]) => (placeOf(at).group ?? name) === name)
  return stateOf(whole, acts, () => flow)
}
