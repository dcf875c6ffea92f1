import type { LaneState, LanesPage, LanesQuery } from '../../src/lanes.ts'
import type { QueueStorage } from '../../src/storage.ts'

/** How far a page has come: the name of its last lane, and for each shard where to read on; `null`: it has no more. */
interface Place {
  readonly after: string
  readonly shards: readonly (string | null)[]
}

/**
 * A page of the lanes of all shards, by name. Each shard is asked for as many as there may be of its own. What does not fit is
 * asked for again by the next page, which passes over what it has had.
 */
export async function lanesOf(
  shards: readonly Pick<QueueStorage, 'lanes'>[],
  { cursor, ...query }: LanesQuery,
): Promise<LanesPage> {
  const place =
    cursor === undefined ? { after: '', shards: shards.map(() => '') } : read(cursor, shards.length)
  if (place === undefined) return { lanes: [] }
  const pages = await Promise.all(
    shards.map(async (shard, i): Promise<LanesPage> => {
      const at = place.shards[i]!
      return at === null ? { lanes: [] } : await shard.lanes({ ...query, cursor: at || undefined })
    }),
  )
  // Behind the last lane that a shard has told, it may have others: they come before what stands behind that elsewhere.
  const ends = pages.flatMap(({ lanes, cursor: more }) =>
    more === undefined ? [] : [lanes.at(-1)?.lane ?? place.after],
  )
  const sure = ends.toSorted(compareNames)[0]
  const isNext = ({ lane }: LaneState): boolean =>
    compareNames(lane, place.after) > 0 && (sure === undefined || compareNames(lane, sure) <= 0)
  const next = pages.flatMap(({ lanes }) => lanes.filter(isNext))
  const lanes = next.toSorted((a, b) => compareNames(a.lane, b.lane)).slice(0, query.limit)
  const after = lanes.at(-1)?.lane ?? place.after
  const rest = pages.map(({ lanes: told, cursor: more }, i) => {
    const isTold = told.every(({ lane }) => compareNames(lane, after) <= 0)
    return isTold ? (more ?? null) : place.shards[i]!
  })
  if (rest.every((at) => at === null)) return { lanes }
  return { lanes, cursor: JSON.stringify({ after, shards: rest } satisfies Place) }
}

/** `undefined`: nobody gave this as a cursor. */
function read(cursor: string, count: number): Place | undefined {
  try {
    const { after, shards } = JSON.parse(cursor) as Place
    const isOurs =
      typeof after === 'string' &&
      shards.length === count &&
      shards.every((at) => at === null || typeof at === 'string')
    return isOurs ? { after, shards } : undefined
  } catch {
    return undefined
  }
}

/** In the order of UTF-8 bytes, which is that of code points. */
function compareNames(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) return rank(a.charCodeAt(i)) - rank(b.charCodeAt(i))
  }
  return a.length - b.length
}

/** Surrogates stand for code points behind all that have one unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}
