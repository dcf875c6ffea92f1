import { type Group, type Lease, type Place, type Queue, newGroup, newQueue } from './records.ts'
import type { Key, Row } from './rows.ts'

// What each claim and ack writes is stored without the names of what it is made of, which would be most of it.

/** The queue as a whole, as its row has it. */
export interface PackedQueue {
  readonly k: Key
  readonly v: readonly unknown[]
}

interface PackedLease extends Row {
  readonly v: readonly PackedPlace[]
}

type PackedPlace = readonly [n: number, attempt: number, rest?: Partial<Place>]

/** The names of what is stored, and something like each. */
type Model = readonly (readonly [name: string, like: unknown])[]

const GROUP: Model = Object.entries(newGroup('', 0, '', 0, 0))
const QUEUE: Model = Object.entries(newQueue(0))

function valuesOf(model: Model, of: object): unknown[] {
  return model.map(([name]) => (of as Record<string, unknown>)[name])
}

/** Of what else than numbers, texts, lists and so on stands in the place of one, nothing can be made. */
function objectOf<T>(model: Model, values: readonly unknown[]): T {
  return Object.fromEntries(
    model.map(([name, like], i) => {
      const value = values[i]
      const isLike =
        like === undefined || (typeof value === typeof like && Array.isArray(value) === Array.isArray(like))
      if (!isLike || Number.isNaN(value)) throw new TypeError(`${name} is no ${typeof like}`)
      return [name, value]
    }),
  ) as T
}

export function packQueue(queue: Queue): PackedQueue {
  const groups = queue.groups.map((group) => valuesOf(GROUP, group))
  return { k: queue.k, v: valuesOf(QUEUE, { ...queue, groups }) }
}

export function unpackQueue(packed: PackedQueue | undefined): Queue {
  if (packed === undefined) return newQueue(0)
  const queue = objectOf<Queue>(QUEUE, packed.v)
  queue.groups = (queue.groups as unknown as unknown[][]).map((values) => objectOf<Group>(GROUP, values))
  return queue
}

/** A row as it is stored. */
export function packRow(row: Row): object {
  if (row.k[0] !== 'l') return stripped(row)
  const { k, places } = row as Lease
  const end = endOf(row as Lease)
  return { k, lines: [[k[1], 'u', end]], v: places.map((place) => packPlace(place, end)) }
}

/** When the first of a lease ends, by which it stands in line; most others end with it. */
export function endOf({ places }: Lease): number {
  return Math.min(...places.map(({ order }) => order!))
}

function packPlace(
  { k: _k, n, attempt, state: _state, order, lines: _lines, again: _again, ...more }: Place,
  end: number,
): PackedPlace {
  const rest = stripped({ ...more, order: order === end ? undefined : order })
  return Object.keys(rest).length === 0 ? [n, attempt] : [n, attempt, rest]
}

function stripped(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))
}

export function unpackRow(row: Row): Row {
  const { k, lines } = row
  if (k[0] !== 'l') return row
  const end = lines![0]![2] as number
  const places = (row as PackedLease).v.map(([n, attempt, rest]): Place => {
    return { k: ['p', k[1]!, n], n, state: 'leased', attempt, again: true, order: end, ...rest }
  })
  const lease: Lease = { k, places }
  return lease
}
