import type { Hold as Shown, HoldRequest, ReleaseRequest } from '../lanes.ts'
import { MAX_HOLDS } from '../storage.ts'
import type { Book } from './book.ts'
import type { Group, Hold, Lane, Place } from './records.ts'

const NONE: readonly Hold[] = []

/** The holds of a lane: in a group, and in all. */
export function holdsOfLane({ holds }: Lane, group: string | undefined): readonly Hold[] {
  return holds === undefined ? NONE : among(holds, group)
}

/** The holds of a group as a whole, and of the queue. */
export function holdsOfGroup({ holds }: Book, group: string): readonly Hold[] {
  return holds.size === 0 ? NONE : among(holds, group)
}

function among(holds: ReadonlyMap<string | undefined, Hold>, group: string | undefined): Hold[] {
  return [holds.get(undefined), holds.get(group)].filter((hold) => hold !== undefined)
}

/** Whether holds let a group go on: they are over there, or their probes may go. */
export function letGo(holds: readonly Hold[], group: Group): boolean {
  for (const { probing } of holds)
    if (probing === undefined || !(probing.done.has(group) || probing.out.get(group)?.state !== 'leased'))
      return false
  return true
}

/** Whether what goes is a probe. */
export function isProbe(holds: readonly Hold[], group: Group): boolean {
  for (const { probing } of holds) if (probing !== undefined && !probing.done.has(group)) return true
  return false
}

export function hold(book: Book, { group, lane, forMs, reason, probe = false }: HoldRequest): void {
  const holds = holdsAt(book, lane, true)!
  const before = holds.get(group)
  if (before !== undefined) book.holdEnds.remove(before)
  const order = forMs === undefined ? Infinity : book.now + forMs
  const held: Hold = {
    group,
    lane,
    reason,
    since: book.clock,
    order,
    tie: ++book.ties,
    probe,
    probing: undefined,
    among: undefined,
  }
  holds.set(group, held)
  if (order < Infinity) book.holdEnds.add(held)
  book.changed = true
}

export function release(book: Book, { group, lane, probe = false }: ReleaseRequest): boolean {
  const held = holdsAt(book, lane, false)?.get(group)
  if (held === undefined) return false
  if (probe) {
    held.probe = true
    startProbing(book, held)
  } else drop(book, held)
  return true
}

/** The time of a hold is over. */
export function endHold(book: Book, held: Hold): void {
  if (held.probe) startProbing(book, held)
  else drop(book, held)
}

function startProbing(book: Book, held: Hold): void {
  book.holdEnds.remove(held)
  held.probing ??= { out: new Map(), done: new Set() }
  wakeAll(book, held)
}

function drop(book: Book, held: Hold): void {
  const { group, lane: name } = held
  book.holdEnds.remove(held)
  const holds = holdsAt(book, name, false)!
  holds.delete(group)
  wakeAll(book, held)
  if (name === undefined || holds.size > 0) return
  const lane = book.lane(name)
  lane.holds = undefined
  book.heldLanes.delete(lane)
  book.tidy(lane)
}

function holdsAt(
  book: Book,
  name: string | undefined,
  makes: boolean,
): Map<string | undefined, Hold> | undefined {
  if (name === undefined) return book.holds
  if (!makes) return book.lanes.get(name)?.holds
  const lane = book.lane(name)
  book.heldLanes.add(lane)
  return (lane.holds ??= new Map())
}

/** Lanes that rest because of it may go. */
function wakeAll(book: Book, { lane }: Hold): void {
  book.changed = true
  if (lane === undefined) return
  for (const flow of book.lanes.get(lane)?.flows ?? []) {
    if (flow !== undefined && book.groups.includes(flow.group)) book.wake(flow)
  }
}

/** A delivery was acked: if it was a probe, the rest may go. */
export function freeProbed(book: Book, place: Place): void {
  const { group, lane } = place.flow
  if (book.holds.size === 0 && lane.holds === undefined) return
  for (const held of [...holdsOfGroup(book, group.name), ...holdsOfLane(lane, group.name)]) {
    if (held.probing?.out.get(group) !== place) continue
    held.probing.done.add(group)
    dropIfDone(book, held)
  }
  book.wake(place.flow)
}

function dropIfDone(book: Book, held: Hold): void {
  const { probing, group: name } = held
  if (probing === undefined) return
  const all = name === undefined ? book.groups : book.groups.filter((group) => group.name === name)
  if (all.length > 0 && all.every((group) => probing.done.has(group))) drop(book, held)
}

/** A group was deleted, and with it its holds. */
export function forgetHolds(book: Book, name: string, group: Group | undefined): void {
  for (const holds of [book.holds, ...[...book.heldLanes].map((lane) => lane.holds!)]) {
    const own = holds.get(name)
    if (own !== undefined) drop(book, own)
    const { probing } = holds.get(undefined) ?? {}
    if (probing === undefined || group === undefined) continue
    probing.done.delete(group)
    probing.out.delete(group)
    dropIfDone(book, holds.get(undefined)!)
  }
}

/** Holds as they are told: those of groups and of the queue first. */
export function toldHolds(book: Book): Shown[] {
  const told: Shown[] = []
  for (const holds of [book.holds, ...firstOf(book.heldLanes)]) {
    for (const held of holds.values()) {
      if (told.length === MAX_HOLDS) return told
      told.push(tell(book, held))
    }
  }
  return told
}

function* firstOf(lanes: ReadonlySet<Lane>): Iterable<ReadonlyMap<string | undefined, Hold>> {
  let left = MAX_HOLDS
  for (const { holds } of lanes) {
    if (left-- === 0) return
    yield holds!
  }
}

export function tell(book: Book, { group, lane, reason, since, order, probe, probing }: Hold): Shown {
  return {
    group,
    lane,
    reason,
    since,
    probe,
    ...(probing !== undefined && { probing: true }),
    ...(probing === undefined && order < Infinity && { endsInMs: order - book.now }),
  }
}
