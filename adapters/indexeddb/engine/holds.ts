import type { Hold as Shown, HoldPlace, HoldRequest, ReleaseRequest } from '../../../src/lanes.ts'
import { MAX_HOLDS } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import type { Group, Hold, Place, Probing } from './records.ts'
import { type Key, sortable, under } from './rows.ts'

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

/** Those that a delivery of a group may be the probe of. */
async function probing(book: Book, { lane }: Place, { name }: Group): Promise<[Hold, Probing][]> {
  const all = [...holdsOfGroup(book, name), ...(await holdsOfLane(book, lane, name))]
  return all.flatMap((held): [Hold, Probing][] => (held.probing === undefined ? [] : [[held, held.probing]]))
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
  // Those of groups, and of the queue, stand in its row.
  if (held.lane !== undefined) book.set(held)
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
    const flow = await book.knownFlow(group, lane)
    if (flow !== undefined) book.wake(group, flow)
  }
}

/** A delivery goes out: it is the probe of what probes. */
export async function probe(book: Book, group: Group, place: Place): Promise<void> {
  for (const [held, { out }] of await probing(book, place, group)) {
    out[group.g] = [place.n, true]
    write(book, held)
  }
}

/** A lease is over, or goes on: a probe whose lease is over hinders nobody. */
export async function probeLives(book: Book, group: Group, place: Place, lives: boolean): Promise<void> {
  for (const [held, { out }] of await probing(book, place, group)) {
    if (out[group.g]?.[0] !== place.n) continue
    out[group.g] = [place.n, lives]
    write(book, held)
  }
}

/** A delivery was acked: if it was a probe, the rest may go. */
export async function freeProbed(book: Book, group: Group, place: Place): Promise<void> {
  for (const [held, { out, done }] of await probing(book, place, group)) {
    if (out[group.g]?.[0] !== place.n) continue
    done.push(group.g)
    write(book, held)
    await dropIfDone(book, held)
  }
  if (book.q.holds.length + book.q.laneHolds > 0) book.wake(group, await book.flowOf(group, place.lane))
}

async function dropIfDone(book: Book, held: Hold): Promise<void> {
  const { probing, group: name } = held
  if (probing === undefined) return
  const all = name === undefined ? book.q.groups : book.q.groups.filter((group) => group.name === name)
  if (all.length > 0 && all.every(({ g }) => probing.done.includes(g))) await drop(book, held)
}

async function all(book: Book): Promise<Hold[]> {
  const found = [...book.q.holds]
  if (book.q.laneHolds > 0) for await (const held of book.walk<Hold>(['h'])) found.push(held)
  return found
}

/** A group was deleted, and with it its holds. */
export async function forgetHolds(book: Book, name: string, group: Group | undefined): Promise<void> {
  for (const held of await all(book)) {
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
  for (const held of await all(book)) {
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
