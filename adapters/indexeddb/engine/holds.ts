import type { Hold as Shown, HoldPlace, HoldRequest, ReleaseRequest } from '../../../src/lanes.ts'
import { MAX_HOLDS } from '../../../src/storage.ts'
import { type Book, sortable } from './book.ts'
import type { Flow, Group, Hold, Place } from './records.ts'
import { type Key, under } from './rows.ts'

function holdKey(lane: string | undefined, group: string | undefined): Key {
  return ['h', lane === undefined ? 0 : sortable(lane), group ?? 0]
}

/** The holds of a lane: in a group, and in all. */
export async function holdsOfLane(book: Book, lane: string | undefined, group: string): Promise<Hold[]> {
  if (book.q.laneHolds === 0 || lane === undefined || lane === '') return []
  const all = await Promise.all([
    book.get<Hold>(holdKey(lane, undefined)),
    book.get<Hold>(holdKey(lane, group)),
  ])
  return all.filter((hold) => hold !== undefined)
}

/** The holds of a group as a whole, and of the queue. */
export function holdsOfGroup({ q }: Book, name: string): Hold[] {
  return q.holds.filter(({ group }) => group === undefined || group === name)
}

async function holdsOf(book: Book, { lane }: Pick<Place, 'lane'>, { name }: Group): Promise<Hold[]> {
  return [...holdsOfGroup(book, name), ...(await holdsOfLane(book, lane, name))]
}

/** Whether a hold lets a group go on: it is over there, or its probe may go. */
export function letsGo({ probing }: Hold, { g }: Group): boolean {
  if (probing === undefined) return false
  return probing.done.includes(g) || probing.out[g]?.[1] !== true
}

/** Whether what goes is a probe. */
export function isProbe({ probing }: Hold, { g }: Group): boolean {
  return probing !== undefined && !probing.done.includes(g)
}

function write(book: Book, held: Hold): void {
  if (held.lane === undefined) return book.touch()
  held.lines = [['H', held.lane, held.group ?? 0]]
  if (held.order < Infinity) held.lines.push(['h', held.order])
  book.set(held)
}

async function holdAt(book: Book, { lane, group }: HoldPlace): Promise<Hold | undefined> {
  if (lane === undefined) return book.q.holds.find((held) => held.group === group)
  return book.get<Hold>(holdKey(lane, group))
}

export async function hold(
  book: Book,
  { group, lane, forMs, reason, probe = false }: HoldRequest,
): Promise<void> {
  const { q, now, clock } = book
  const before = await holdAt(book, { lane, group })
  const order = forMs === undefined ? Infinity : now + forMs
  const k = holdKey(lane, group)
  const held: Hold = { k, group, lane, reason, since: clock, order, probe, probing: undefined }
  q.holdEnds = Math.min(q.holdEnds, order)
  book.touch()
  if (lane === undefined) q.holds = [...q.holds.filter((one) => one !== before), held]
  else {
    write(book, held)
    if (before === undefined) {
      q.laneHolds++
      const row = await book.lane(lane)
      row.holds++
      book.set(row)
    }
  }
  book.changed = true
}

export async function release(book: Book, { group, lane, probe = false }: ReleaseRequest): Promise<boolean> {
  const held = await holdAt(book, { lane, group })
  if (held === undefined) return false
  if (probe) {
    held.probe = true
    await startProbing(book, held)
  } else await drop(book, held)
  return true
}

/** The time of a hold is over. */
export async function endHold(book: Book, held: Hold): Promise<void> {
  if (held.probe) await startProbing(book, held)
  else await drop(book, held)
}

async function startProbing(book: Book, held: Hold): Promise<void> {
  held.order = Infinity
  held.probing ??= { out: {}, done: [] }
  write(book, held)
  await wakeAll(book, held)
}

async function drop(book: Book, held: Hold): Promise<void> {
  const { q } = book
  const { lane: name, k } = held
  book.touch()
  if (name === undefined) q.holds = q.holds.filter((one) => one !== held)
  else {
    book.remove(k)
    q.laneHolds--
  }
  await wakeAll(book, held)
  if (name === undefined) return
  const row = await book.lane(name)
  row.holds--
  book.set(row)
  await book.tidy(name)
}

/** Lanes that rest because of it may go. */
async function wakeAll(book: Book, { lane }: Hold): Promise<void> {
  book.changed = true
  if (lane === undefined) return
  for (const group of book.q.groups) {
    const flow = await book.get<Flow>(['f', group.g, sortable(lane)])
    if (flow !== undefined) book.wake(group, flow)
  }
}

/** A delivery goes out: it is the probe of what probes. */
export async function probe(book: Book, group: Group, place: Place): Promise<void> {
  for (const held of await holdsOf(book, place, group)) {
    if (held.probing === undefined) continue
    held.probing.out[group.g] = [place.n, true]
    write(book, held)
  }
}

/** A lease is over, or goes on: a probe whose lease is over hinders nobody. */
export async function probeLives(book: Book, group: Group, place: Place, lives: boolean): Promise<void> {
  if (book.q.holds.length + book.q.laneHolds === 0) return
  for (const held of await holdsOf(book, place, group)) {
    const out = held.probing?.out[group.g]
    if (out?.[0] !== place.n) continue
    out[1] = lives
    write(book, held)
  }
}

/** A delivery was acked: if it was a probe, the rest may go. */
export async function freeProbed(book: Book, group: Group, place: Place): Promise<void> {
  if (book.q.holds.length + book.q.laneHolds === 0) return
  for (const held of await holdsOf(book, place, group)) {
    if (held.probing?.out[group.g]?.[0] !== place.n) continue
    held.probing.done.push(group.g)
    write(book, held)
    await dropIfDone(book, held)
  }
  book.wake(group, await book.flowOf(group, place.lane))
}

async function dropIfDone(book: Book, held: Hold): Promise<void> {
  const { probing, group: name } = held
  if (probing === undefined) return
  const all = name === undefined ? book.q.groups : book.q.groups.filter((group) => group.name === name)
  if (all.length > 0 && all.every(({ g }) => probing.done.includes(g))) await drop(book, held)
}

/** Each hold of a lane, in steps. */
export function laneHolds(book: Book): AsyncGenerator<Hold, void> {
  return book.walk<Hold>(['h'])
}

/** A group was deleted, and with it its holds. */
export async function forgetHolds(book: Book, name: string, group: Group | undefined): Promise<void> {
  const all = [...book.q.holds]
  if (book.q.laneHolds > 0) for await (const held of laneHolds(book)) all.push(held)
  for (const held of all) {
    if (held.group === name) await drop(book, held)
    const { probing } = held
    if (held.group !== undefined || probing === undefined || group === undefined) continue
    probing.done = probing.done.filter((g) => g !== group.g)
    delete probing.out[group.g]
    write(book, held)
    await dropIfDone(book, held)
  }
}

/** What was out as a probe is gone, and groups have other numbers. */
export async function forgetProbes(book: Book, numbers: ReadonlyMap<number, number>): Promise<void> {
  const all = [...book.q.holds]
  if (book.q.laneHolds > 0) for await (const held of laneHolds(book)) all.push(held)
  for (const held of all) {
    const { probing } = held
    if (probing === undefined) continue
    probing.out = {}
    probing.done = probing.done.map((g) => numbers.get(g) ?? g)
    write(book, held)
  }
}

/** Holds as they are told: those of groups and of the queue first. */
export async function toldHolds(book: Book): Promise<Shown[]> {
  const { q } = book
  const left = MAX_HOLDS - q.holds.length
  const lanes = left > 0 && q.laneHolds > 0 ? await book.range<Hold>(under(['h']), left) : []
  return [...q.holds, ...lanes].slice(0, MAX_HOLDS).map((held) => tell(book, held))
}

export function tell(
  { now }: Book,
  { group, lane, reason, since, order, probe: probes, probing }: Hold,
): Shown {
  return {
    group,
    lane,
    reason,
    since,
    probe: probes,
    ...(probing !== undefined && { probing: true }),
    ...(probing === undefined && order < Infinity && { endsInMs: order - now }),
  }
}
