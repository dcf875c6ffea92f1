import { groupNames } from '../group-remains.ts'
import { LANE_BASE } from '../ids.ts'
import { newRow } from '../new-group.ts'
import type { Remains } from '../remains.ts'
import { type GroupRow, type Segment, NEW_QUEUE, QUEUE_KEY } from '../rows.ts'
import type { Key, KeyRange, Row, Table } from '../store.ts'
import type { LaneRow } from './lane.ts'
import { IN_LANES } from './lens.ts'
import { laneKey, laneOf } from './names.ts'

const OWN = ['side', 'due', 'chain', 'held'] as const

function isOwn(table: Table): boolean {
  return (OWN as readonly Table[]).includes(table)
}

/** What is left of the messages of a queue that are in no lane. */
export function withoutLanes(remains: Remains): Remains {
  const isOutside = (table: Table, key: Key): boolean =>
    isOwn(table)
      ? (key as readonly unknown[])[0] !== IN_LANES
      : (table !== 'log' && table !== 'amend') || (key as number) < LANE_BASE
  return {
    get: (table, key) => remains.get(table, key),
    range: (table, range, limit) => remains.range(table, range, limit),
    keys: (table, range) => remains.keys(table, range).filter((key) => isOutside(table, key)),
    doubts: remains.doubts,
  }
}

/** What is left of each lane, as if it were a queue of its own. */
export function lanesIn(remains: Remains): ReadonlyMap<string, LaneRemains> {
  const lanes = new Map<string, LaneRemains>()
  const at = (lane: string): LaneRemains => {
    const known = lanes.get(lane) ?? new LaneRemains(remains, lane)
    lanes.set(lane, known)
    return known
  }
  for (const key of remains.keys('lanes', {}))
    at(laneOf(key as string)).row = remains.get<LaneRow>('lanes', key)
  for (const key of remains.keys('log', { lower: LANE_BASE })) {
    const { lane } = remains.get<Segment>('log', key)!
    if (lane !== undefined) at(lane).add('log', key)
  }
  // What there are no other traces of is given up.
  const groups = new Set(groupNames(withoutLanes(remains)))
  for (const table of OWN) {
    for (const key of remains.keys(table, { lower: [IN_LANES], upper: [IN_LANES] })) {
      const [, group, lane, ...rest] = key as readonly [number, string, string, ...(string | number)[]]
      if (groups.has(group)) at(laneOf(lane)).add(table, [group, ...rest])
    }
  }
  // An amendment belongs to the lane whose blocks or segments it lies in.
  for (const key of remains.keys('amend', { lower: LANE_BASE })) {
    for (const lane of lanes.values()) if (lane.has(key as number)) lane.add('amend', key)
  }
  return lanes
}

export class LaneRemains implements Remains {
  readonly doubts: Remains['doubts'] = new Map()
  readonly lane: string
  row: LaneRow | undefined
  readonly #remains: Remains
  readonly #keys: Map<Table, Key[]> = new Map()

  constructor(remains: Remains, lane: string) {
    this.#remains = remains
    this.lane = lane
  }

  add(table: Table, key: Key): void {
    const keys = this.#keys.get(table)
    if (keys === undefined) this.#keys.set(table, [key])
    else keys.push(key)
  }

  /** The number behind the last that it has reserved, as far as is known. */
  get end(): number {
    const numbers = (this.#keys.get('log') ?? []) as number[]
    return Math.max(
      LANE_BASE,
      ...(this.row?.blocks ?? []).map(([, last]) => last + 1),
      this.row?.tail ?? 0,
      (numbers.at(-1) ?? 0) + 1,
    )
  }

  has(seq: number): boolean {
    const inBlock = this.row?.blocks.some(([first, last]) => first <= seq && seq <= last) ?? false
    return inBlock || this.range<Segment>('log', { lower: seq }, 1).some(([, { first }]) => first <= seq)
  }

  get<V>(table: Table, key: Key): V | undefined {
    if (table === 'state') return this.#state(key) as V | undefined
    if (!isOwn(table)) return this.#remains.get<V>(table, key)
    const [group, ...rest] = key as readonly string[]
    return this.#remains.get<V>(table, [IN_LANES, group!, laneKey(this.lane), ...rest])
  }

  #state(key: Key): unknown {
    const { row } = this
    if (key === QUEUE_KEY) return row && { ...NEW_QUEUE, ...row }
    const whole = this.#remains.get<GroupRow>('state', key)
    const flow = whole && row?.flows[whole.token]
    if (flow !== undefined) return { ...newRow(whole!.token, 0), ...flow }
    // It has not come here yet.
    return whole && newRow(whole.token, whole.late ? (row?.tail ?? 0) : 0)
  }

  range<V>(table: Table, { lower = 0 }: KeyRange, limit: number): readonly Row<V>[] {
    const found = (this.#keys.get(table) ?? []).filter((key) => (key as number) >= (lower as number))
    return found.slice(0, limit).map((key) => [key, this.get<V>(table, key)!])
  }

  keys(table: Table, { lower }: KeyRange): readonly Key[] {
    if (table === 'state') return this.#remains.keys(table, { lower: ['group'], upper: ['group'] })
    const keys = this.#keys.get(table) ?? []
    if (lower === undefined) return keys
    if (typeof lower === 'number') return keys.filter((key) => (key as number) >= lower)
    const prefix = lower as readonly unknown[]
    return keys.filter((key) => prefix.every((part, i) => part === (key as readonly unknown[])[i]))
  }
}
