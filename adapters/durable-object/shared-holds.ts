import type { Hold } from '../../src/lanes.ts'
import { MAX_HOLDS } from '../../src/storage.ts'

/** The holds of all shards: that of a lane is in one of them, that of a group or of the queue in each. */
export function mergedHolds(shards: readonly (readonly Hold[])[]): Hold[] {
  const byPlace = new Map<string, Hold>()
  for (const hold of shards.flat()) {
    const place = JSON.stringify([hold.group ?? null, hold.lane ?? null])
    const known = byPlace.get(place)
    byPlace.set(place, known === undefined ? hold : merged(known, hold))
  }
  const all = [...byPlace.values()]
  const wide = all.filter(({ lane }) => lane === undefined)
  const narrow = all.filter(({ lane }) => lane !== undefined)
  return [...wide, ...narrow].slice(0, MAX_HOLDS)
}

/** It is over once it is over everywhere. */
function merged(a: Hold, b: Hold): Hold {
  return { ...(isLonger(a, b) ? a : b), since: Math.min(a.since, b.since) }
}

function isLonger(a: Hold, b: Hold): boolean {
  if (a.probing !== b.probing) return b.probing === true
  return (a.endsInMs ?? Infinity) >= (b.endsInMs ?? Infinity)
}
