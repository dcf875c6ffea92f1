import type { Bundle, KeyRow, Place } from './records.ts'
import type { Key } from './rows.ts'
import { type Table, sure } from './table.ts'

/** So many numbers share a row of what is blocked behind a key. */
const BLOCK = 256

export function blockKey(k: Key, n: number): Key {
  return [...k, Math.floor(n / BLOCK)]
}

function blockOf(bundle: Bundle | undefined): number | undefined {
  return bundle?.k.at(-1) as number | undefined
}

/** Reads ordering keys, each with the first row of what is blocked behind it, all at once. */
export async function loadKeys(table: Table, keys: readonly Key[]): Promise<void> {
  const all = [...new Map(keys.map((k) => [JSON.stringify(k), k])).values()]
  await Promise.all(all.filter((k) => !table.knows(k)).map((k) => table.loadWithFirst(k)))
  await Promise.all(all.map((k) => rowBehind(table, k)))
}

/** The first row of what is blocked behind a key. */
async function rowBehind(table: Table, k: Key): Promise<Bundle | undefined> {
  const row = await table.get<KeyRow>(k)
  if (row?.first === undefined) return undefined
  const at = [...k, row.first]
  const known = table.knows(at) && (await table.get<Bundle>(at))
  if (known) return known
  const [found] = await table.range<Bundle>(IDBKeyRange.bound(at, [...k, []]), 1)
  row.first = blockOf(found)
  table.set(row)
  return found
}

/** The first behind a key. */
export async function firstBlocked(table: Table, k: Key): Promise<Place | undefined> {
  return (await rowBehind(table, k))?.places[0]
}

/** Puts a place behind its key. */
export async function block(table: Table, k: Key, place: Place): Promise<void> {
  const { n } = place
  const at = blockKey(k, n)
  const row = sure(await table.get<KeyRow>(k))
  const bundle = (await table.get<Bundle>(at)) ?? { k: at, places: [] }
  if (!(row.first! <= blockOf(bundle)!)) {
    row.first = blockOf(bundle)
    table.set(row)
  }
  const { places } = bundle
  const next = places.findIndex((other) => other.n > n)
  places.splice(next < 0 ? places.length : next, 0, place)
  table.bundleOf.set(place, bundle)
  table.set(bundle)
}

/** A row of what is blocked behind a key has nothing any more. */
export async function unblock(table: Table, bundle: Bundle): Promise<void> {
  table.remove(bundle.k)
  const row = sure(await table.get<KeyRow>(bundle.k.slice(0, -1)))
  if (row.first !== blockOf(bundle)) return
  row.first!++
  table.set(row)
}
