import { type Bundle, type Group, type Place, type Queue, endOf, newGroup, newQueue } from './records.ts'
import { linesOf } from './lines.ts'
import type { Key, Row } from './rows.ts'

// What each claim and ack writes is stored without the names of what it is made of, which would be most of it.

/** The queue as a whole, as its row has it. */
export type PackedQueue = readonly unknown[]

export interface PackedBundle extends Row {
  readonly v: readonly PackedPlace[]
  readonly batched?: boolean
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
  return valuesOf(QUEUE, { ...queue, groups })
}

export function unpackQueue(packed: PackedQueue | undefined): Queue {
  if (packed === undefined) return newQueue(0)
  const queue = objectOf<Queue>(QUEUE, packed)
  queue.groups = (queue.groups as unknown as unknown[][]).map((values) => objectOf<Group>(GROUP, values))
  return queue
}

/** A row as it is stored. */
export function packRow(row: Row): Row {
  const lines = linesOf(row)
  if (!isBundle(row.k)) return stripped({ ...row, lines: lines.length > 0 ? lines : undefined }) as Row
  const { k, places, batched } = row as Bundle
  const end = endOf(row as Bundle)
  const packed: PackedBundle = {
    k,
    lines,
    v: places.map((place) => packPlace(place, end)),
    ...(batched && { batched }),
  }
  return packed
}

/** What is blocked behind an ordering key has a part more in its key than the ordering key. */
function isBundle(k: Key): boolean {
  return k[0] === 'l' || (k[0] === 'k' && k.length > 4)
}

/** How many places a row has of which some bytes are all that there is to keep. `undefined`: it is another one. */
export function plainPlaces(row: Row): number | undefined {
  const [kind] = row.k
  if (kind !== 'l' && kind !== 'k') return undefined
  const { places = [] } = row as Partial<Bundle>
  const isPlain = !places.some(
    ({ error, progress, content, lapses }) => error ?? progress ?? content ?? lapses,
  )
  return isPlain ? places.length : undefined
}

function packPlace(
  { k: _k, n, attempt, state, order, lines: _lines, key, again, ...more }: Place,
  end: number,
): PackedPlace {
  const own: Partial<Place> =
    state === 'leased' ? { key, order: order === end ? undefined : order } : { again }
  const rest: Partial<Place> = stripped({ ...more, ...own })
  return Object.keys(rest).length === 0 ? [n, attempt] : [n, attempt, rest]
}

/** Without what it does not have: that would be stored, too. */
export function stripped<T extends object>(row: { readonly [N in keyof T]: T[N] | undefined }): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as T
}

export function unpackRow(row: Row): Row {
  const { k, lines, batched } = row as PackedBundle
  if (!isBundle(k)) return row
  const [kind, g, , key] = k
  const like: Partial<Place> & Pick<Place, 'state'> =
    kind === 'l'
      ? { state: 'leased', again: true, order: lines![0]![2] as number }
      : { state: 'blocked', key: key as string }
  const places = (row as PackedBundle).v.map(([n, attempt, rest]): Place => ({
    k: ['p', g!, n],
    n,
    attempt,
    ...like,
    ...rest,
  }))
  const bundle: Bundle = { k, places, batched }
  return bundle
}
