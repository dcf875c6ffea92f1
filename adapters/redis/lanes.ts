import type { Hold, HoldPlace, LaneState } from '../../src/lanes.ts'
import type { ClaimRequest } from '../../src/storage.ts'
import { byBytes, fromText, toText } from './bytes.ts'
import { unpackText } from './records.ts'

/** What lanes and holds are in the arguments and answers of scripts. */

/** What a claim says of lanes, as `lua/parts/turns.lua` reads it; nothing, if it says nothing. */
export function claimOf({ lanes, only, position }: ClaimRequest): string {
  if (lanes === undefined && only === undefined) return ''
  // The script takes the first prefix that says something.
  const prefixes = lanes?.prefixes?.toSorted(([a], [b]) => b.length - a.length)
  const rules = lanes && { ...lanes, prefixes }
  if (only === undefined) return JSON.stringify({ rules })
  const [, left, at] = /^(\d{1,4})\.(.*)$/s.exec(position ?? '') ?? []
  const turn = { at, left: left && Number(left) }
  if (typeof only === 'string') return JSON.stringify({ rules, only, ...turn })
  return JSON.stringify({ rules, names: behind(at, only), ...turn })
}

/** Names in their order, from the one after `at` on. */
function behind(at: string | undefined, names: readonly string[]): string[] {
  const sorted = [...new Set(names)].sort(inOrder)
  const first = at === undefined ? 0 : sorted.findIndex((name) => inOrder(name, at) > 0)
  return first < 0 ? sorted : [...sorted.slice(first), ...sorted.slice(0, first)]
}

function inOrder(a: string, b: string): number {
  return byBytes(fromText(a), fromText(b))
}

/** A name that may be absent: empty, or behind a letter. */
function optional(name: string | undefined): string {
  return name === undefined ? '' : `n${name}`
}

function nameOf(bytes: Uint8Array): string | undefined {
  return bytes.length === 0 ? undefined : toText(bytes, 1)
}

export function placeOf({ group, lane }: HoldPlace): string[] {
  return [optional(group), optional(lane)]
}

export type HoldReply = [
  group: Uint8Array,
  lane: Uint8Array,
  reason: Uint8Array,
  since: number,
  endsInMs: number,
  probe: number,
  probing: number,
]
export type LaneReply = [
  lane: Uint8Array,
  waiting: number,
  leased: number,
  restsForMs: number,
  holds: readonly HoldReply[],
]

export function holdsOf(rows: readonly HoldReply[]): Hold[] {
  return rows.map(([group, lane, reason, since, endsInMs, probe, probing]) => ({
    group: nameOf(group),
    lane: nameOf(lane),
    reason: unpackText(reason),
    since,
    endsInMs: endsInMs < 0 ? undefined : endsInMs,
    probe: probe === 1,
    probing: probing === 1 ? true : undefined,
  }))
}

export function laneOf([lane, waiting, leased, restsForMs, holds]: LaneReply): LaneState {
  return {
    lane: toText(lane),
    waiting,
    leased,
    restsForMs: restsForMs < 0 ? undefined : restsForMs,
    holds: holdsOf(holds),
  }
}
