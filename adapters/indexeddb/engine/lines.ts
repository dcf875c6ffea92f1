import {
  type Bundle,
  type Flow,
  type Hold,
  type Kept,
  type Known,
  type Place,
  type Queue,
  endOf,
} from './records.ts'
import { type Key, type Row, sortable } from './rows.ts'

/**
 * Lines of time that are of no group: holds of lanes; ids that are remembered; and what ends by itself, without anybody who waits
 * for it: outcomes, dead letters, messages that were edited and expire.
 */
export const HOLDS = -1
export const IDS = -2
export const ENDS = 0

/** When something comes due in a line, at the earliest. */
export function nextOf({ next }: Pick<Queue, 'next'>, line: number): number {
  return next[line] ?? Infinity
}

/** Where a row stands. Each line has its order, and is of a group or of none; what stands in one of time, `t`, is due then. */
export function linesOf(row: Row): Key[] {
  return allLines(row).filter(([, , at]) => at !== Infinity)
}

function allLines(row: Row): Key[] {
  const [kind, g] = row.k as [string, number]
  switch (kind) {
    case 'l':
      return [[g, 't', endOf(row as Bundle)]]
    case 'k':
      return ((row as Partial<Bundle>).places ?? []).map(expiry)
    case 'p':
      return [...standing(g, row as Place), expiry(row as Place)]
    case 'f': {
      const { k, inRing, order } = row as Flow
      const ring: Key[] = inRing ? [[g, 'o', k[2]!]] : []
      return [...ring, [g, 't', order]]
    }
    case 'h':
      return [[HOLDS, 't', (row as Hold).order]]
    case 'i':
      return [[IDS, 't', (row as Known).until]]
    case 'o': {
      const { id, n, end } = row as Kept
      return [
        [g, 'k', id, n],
        [g, 'K', n],
        [ENDS, 't', end],
      ]
    }
    default:
      return []
  }
}

function standing(
  g: number,
  { state, n, order = 0, lane = '', again, id = '', end = Infinity }: Place,
): Key[] {
  if (state === 'waiting') return [[g, 't', order]]
  if (state === 'ready') return [[g, 'r', sortable(lane), again ? 1 : 0, n]]
  if (state === 'parked') return [[g, 'p', id, n]]
  return [
    [g, 'd', n],
    [g, 'D', id, n],
    [ENDS, 't', end],
  ]
}

/** Of one that expires at another time than its message. */
function expiry({ state, lapses, x = Infinity }: Place): Key {
  return [ENDS, 't', lapses && state !== 'dead' ? x : Infinity]
}
