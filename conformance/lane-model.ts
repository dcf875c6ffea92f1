import type {
  ClaimRequest,
  ClaimResult,
  Hold,
  HoldRequest,
  LaneLimits,
  LaneState,
  ReleaseRequest,
} from '../src/core/index.ts'
import { MAX_REST_MS, MAX_HOLDS } from '../src/segments/index.ts'
import { equal, ok, show } from './assert.ts'
import type { Group, Message, Range, Seen, Standing } from './standings.ts'

/** What the {@link LaneModel} must know of messages. */
export interface Books {
  now(): number
  groups(): Iterable<Group>
  of(group: Group): readonly [Message, Standing][]
  isLive(standing: Standing): boolean
  isDeliverable(group: Group, message: Message, standing: Standing): boolean
  states(group: Group, message: Message, standing: Standing): readonly Seen[]
}

/** `maybe`: the contract leaves it open, and nobody has seen it yet. */
type Perhaps = 'yes' | 'no' | 'maybe'

/**
 * The part of the model that knows lanes: whose turn it is, what each may do, and what is held.
 *
 * The order of lanes is exact, but where time alone let one go: until a claim has said that it left nothing behind, such a
 * lane may miss turns.
 */
export class LaneModel {
  readonly #books: Books
  readonly #holds: Map<string, Held> = new Map()
  /** Holds that ended by themselves. */
  readonly #ended: { readonly hold: Held; readonly at: number }[] = []
  readonly #states: Map<Group, GroupFlow> = new Map()
  readonly #positions: Map<string, Turn> = new Map()
  /** Positions from before a purge, or of a group before its end: turns may go on there still, or begin anew. */
  readonly #stale: Map<string, Turn> = new Map()

  constructor(books: Books) {
    this.#books = books
  }

  get #now(): number {
    return this.#books.now()
  }

  #stateOf(group: Group): GroupFlow {
    let state = this.#states.get(group)
    if (state === undefined) {
      const born = Math.max(-1, ...this.#books.of(group).map(([{ number }]) => number))
      state = { turn: FIRST, flows: new Map(), settledAt: -Infinity, born }
      this.#states.set(group, state)
    }
    return state
  }

  #flowOf(group: Group, lane: string): Flow {
    const { flows } = this.#stateOf(group)
    let flow = flows.get(lane)
    if (flow === undefined) {
      flow = {
        full: { least: -Infinity, most: -Infinity },
        limits: undefined,
        doubtUntil: -Infinity,
        last: undefined,
      }
      flows.set(lane, flow)
    }
    return flow
  }

  /** A group was made. */
  made(group: Group): void {
    this.#stateOf(group)
  }

  /** A message came into a lane: if that was empty, nobody knows any more what it gave last. */
  stored(group: Group, lane: string): void {
    const isOpen = ([message, { state }]: readonly [Message, Standing]): boolean =>
      message.lane === lane && (state === 'waiting' || state === 'leased')
    if (!this.#books.of(group).some(isOpen)) this.#flowOf(group, lane).last = undefined
  }

  // Claims

  begin(group: Group, request: ClaimRequest): void {
    this.#endHolds()
    const lanes = new Set(this.#books.of(group).map(([{ lane }]) => lane))
    for (const lane of lanes) {
      if (!fits(lane, request)) continue
      const flow = this.#flowOf(group, lane)
      const { concurrency, rate } = rulesOf(lane, request)
      const limits = JSON.stringify([concurrency, rate])
      const filling = rate === undefined ? 0 : ((rate.burst ?? rate.count) * rate.perMs) / rate.count
      if (flow.limits !== undefined && flow.limits !== limits) {
        // It may rest for what the other limits said.
        flow.doubtUntil = this.#now + MAX_REST_MS + filling
        flow.full.most = flow.doubtUntil
      }
      flow.limits = limits
      if (rate !== undefined) flow.full.least = Math.min(flow.full.least, this.#now + filling)
    }
  }

  end(group: Group, request: ClaimRequest, { deliveries, nextInMs, position }: ClaimResult): void {
    const state = this.#stateOf(group)
    const turn = this.#turnOf(group, request)
    if (turn !== undefined && turn.left > 0 && !this.#isReady(group, turn.at!, request)) turn.isSure = false
    const { only } = request
    if (only !== undefined) {
      ok(position !== undefined, 'a claim with a filter answers with a position')
      const key = positionKey(group, position)
      const stale = this.#stale.get(positionKey(group, request.position))
      if (turn !== undefined) this.#positions.set(key, turn)
      else if (stale !== undefined) this.#stale.set(key, stale)
      this.#filtered = undefined
    } else if (deliveries.length < request.limit && nextInMs !== 0) state.settledAt = this.#now
  }

  /** The turn of a claim with a filter, while it is checked. */
  #filtered: Turn | undefined

  #turnOf(group: Group, { only, position }: ClaimRequest): Turn | undefined {
    if (only === undefined) return this.#stateOf(group).turn
    const key = positionKey(group, position)
    const turn = this.#filtered ?? this.#positions.get(key)
    if (turn === undefined && this.#stale.has(key)) return undefined
    return (this.#filtered ??= { ...(turn ?? FIRST) })
  }

  #turnTo(group: Group, { only }: ClaimRequest, turn: Turn): void {
    if (only === undefined) this.#stateOf(group).turn = turn
    else this.#filtered = turn
  }

  /** Whether a lane may go, as far as holds, limits and the filter say. */
  mayGo(group: Group, lane: string, request: ClaimRequest): Perhaps {
    if (!fits(lane, request)) return 'no'
    const { concurrency = Infinity, rate } = rulesOf(lane, request)
    const flow = this.#flowOf(group, lane)
    const answers: Perhaps[] = this.#holdsOf(group.name, lane).map((hold) => this.#letsGo(group, hold))
    const live = this.#live(group, lane)
    answers.push(live.least >= concurrency ? 'no' : live.most >= concurrency ? 'maybe' : 'yes')
    if (rate !== undefined) {
      const { count, perMs, burst = count } = rate
      const saved = ((burst - 1) * perMs) / count
      const { least, most } = flow.full
      answers.push(least - saved > this.#now ? 'no' : most - saved > this.#now ? 'maybe' : 'yes')
    }
    if (flow.doubtUntil > this.#now) answers.push('maybe')
    return answers.includes('no') ? 'no' : answers.includes('maybe') ? 'maybe' : 'yes'
  }

  #live(group: Group, lane: string): Range {
    const live = this.#books
      .of(group)
      .filter(([message, standing]) => message.lane === lane && this.#books.isLive(standing))
    const sure = live.filter(([, { sure, doubtfulLease }]) => sure && !doubtfulLease)
    return { least: sure.length, most: live.length }
  }

  /** When a lane may surely go, if nobody does anything. */
  goesAt(group: Group, lane: string, request: ClaimRequest): number {
    if (!fits(lane, request)) return Infinity
    const { concurrency = Infinity, rate } = rulesOf(lane, request)
    const flow = this.#flowOf(group, lane)
    let at = Math.max(this.#now, flow.doubtUntil)
    for (const { until, probing } of this.#holdsOf(group.name, lane)) {
      if (probing === undefined) at = Math.max(at, until)
      else at = Math.max(at, probing.out.get(group.name)?.until ?? 0)
    }
    if (rate !== undefined) {
      const { count, perMs, burst = count } = rate
      at = Math.max(at, Math.ceil(flow.full.most - ((burst - 1) * perMs) / count))
    }
    const ends = this.#books
      .of(group)
      .filter(([message, standing]) => message.lane === lane && this.#books.isLive(standing))
      .map(([, { until }]) => until)
      .sort((a, b) => a - b)
    if (ends.length >= concurrency) at = Math.max(at, ends[ends.length - concurrency]!)
    return at
  }

  /** Checks that it was the turn of a lane, before its message is leased. */
  deliver(group: Group, message: Message, standing: Standing, request: ClaimRequest, what: string): void {
    const { lane } = message
    ok(fits(lane, request), `${what}: the lane ${show(lane)} is not among ${show(request.only)}`)
    for (const hold of this.#holdsOf(group.name, lane)) {
      ok(
        this.#letsGo(group, hold) !== 'no',
        `${what}: it is held by ${show({ ...hold, probing: undefined })}`,
      )
    }
    const { concurrency, rate } = rulesOf(lane, request)
    ok(
      this.mayGo(group, lane, request) !== 'no',
      `${what}: its lane has no place or token, of ${show({ concurrency, rate })}`,
    )
    this.#takeTurn(group, lane, request, what)
    this.#alternate(group, message, standing, what)
    const flow = this.#flowOf(group, lane)
    if (rate !== undefined) {
      const each = rate.perMs / rate.count
      flow.full.least = Math.max(flow.full.least, this.#now - each) + each
      flow.full.most = Math.max(flow.full.most, this.#now) + each
    }
    for (const { probing } of this.#holdsOf(group.name, lane)) probing?.out.set(group.name, standing)
  }

  #takeTurn(group: Group, lane: string, request: ClaimRequest, what: string): void {
    const turn = this.#turnOf(group, request)
    const weight = rulesOf(lane, request).weight ?? 1
    if (turn === undefined) {
      const { only, position } = request
      const before =
        only === undefined ? this.#stateOf(group).before : this.#stale.get(positionKey(group, position))
      const rest = before?.at === lane ? before.left - 1 : 0
      return this.#turnTo(group, request, { at: lane, left: Math.max(weight - 1, rest), isSure: false })
    }
    const { at, left, isSure } = turn
    if (at === lane && left > 0) {
      return this.#turnTo(
        group,
        request,
        isSure ? { at, left: left - 1, isSure } : { at, left: Math.max(left, weight) - 1, isSure },
      )
    }
    const isReady = (other: string): boolean => this.#isReady(group, other, request)
    ok(
      at === undefined || left === 0 || !isSure || !isReady(at),
      `${what}: it is still the turn of the lane ${show(at)}, for ${left} more`,
    )
    const others = new Set(this.#books.of(group).map((one) => one[0].lane))
    for (const other of others) {
      const isBefore = other !== lane && isBetween(at, other, lane)
      ok(
        !isBefore || !isReady(other),
        `${what}: the lane ${show(other)} has its turn before ${show(lane)}, after ${show(at)}`,
      )
    }
    this.#turnTo(group, request, { at: lane, left: weight - 1, isSure: true })
  }

  /** What is due again and first deliveries take turns. */
  #alternate(group: Group, message: Message, standing: Standing, what: string): void {
    const flow = this.#flowOf(group, message.lane)
    const kind = kindOf(standing)
    if (message.lane !== '' && kind !== undefined && kind === flow.last) {
      const isOther = ([one, theirs]: readonly [Message, Standing]): boolean => {
        const other = kindOf(theirs)
        return (
          one.lane === message.lane &&
          other !== undefined &&
          other !== kind &&
          this.#isSurely(group, one, theirs)
        )
      }
      const other = this.#books.of(group).find(isOther)
      ok(
        other === undefined,
        `${what}: two ${kind}, although ${show(other?.[0].body)} has its turn in the lane`,
      )
    }
    flow.last = kind
  }

  /** Whether a lane surely had its turn in this claim. */
  #isReady(group: Group, lane: string, request: ClaimRequest): boolean {
    if (this.mayGo(group, lane, request) !== 'yes') return false
    const { settledAt } = this.#stateOf(group)
    const { concurrency, rate } = rulesOf(lane, request)
    const flow = this.#flowOf(group, lane)
    const woken = [flow.doubtUntil]
    for (const { hold, at } of this.#ended) {
      if (concerns(hold, group.name, lane)) woken.push(at)
    }
    if (rate !== undefined) {
      const { count, perMs, burst = count } = rate
      woken.push(flow.full.most - ((burst - 1) * perMs) / count)
    }
    const all = this.#books.of(group).filter(([message]) => message.lane === lane)
    if (concurrency !== undefined) {
      for (const [, { state, until }] of all) if (state === 'leased' && until <= this.#now) woken.push(until)
    }
    if (Math.max(...woken) > settledAt) return false
    return all.some(([message, standing]) => this.#isSurely(group, message, standing))
  }

  /** Whether a message is surely ready, and a claim must have found it. */
  #isSurely(group: Group, message: Message, standing: Standing): boolean {
    const { settledAt, born } = this.#stateOf(group)
    const { sure, state, until, due, touched, redriven, wasBlocked, outOfLog } = standing
    if (!sure || wasBlocked || redriven) return false
    // A new group finds what waits, and behind that what came into lanes since.
    if (settledAt === -Infinity && (message.number <= born || (born >= 0 && message.lane !== '')))
      return false
    const wokenAt = Math.max(
      message.isDelayed ? message.at : -Infinity,
      state === 'leased' ? until : touched || outOfLog ? due : -Infinity,
    )
    return wokenAt <= settledAt && this.#books.isDeliverable(group, message, standing)
  }

  // Holds

  #holdsOf(group: string, lane: string): Held[] {
    return [...this.#holds.values()].filter((hold) => concerns(hold, group, lane))
  }

  #letsGo(group: Group, { probing }: Held): Perhaps {
    if (probing === undefined) return 'no'
    if (probing.done.has(group.name)) return 'yes'
    const standing = probing.out.get(group.name)
    const isMaybe = probing.maybe.has(group.name)
    if (standing === undefined || !this.#books.isLive(standing)) return isMaybe ? 'maybe' : 'yes'
    return isMaybe || !standing.sure || standing.doubtfulLease ? 'maybe' : 'no'
  }

  /** Whether the group as a whole may hand out nothing. */
  isStopped(group: Group): boolean {
    const ofGroup = this.#holdsOf(group.name, '').filter(({ lane }) => lane === undefined)
    return ofGroup.some((hold) => this.#letsGo(group, hold) !== 'yes')
  }

  #endHolds(): void {
    for (const [place, hold] of this.#holds) {
      if (hold.probing !== undefined || hold.until > this.#now) continue
      this.#ended.push({ hold: { ...hold, probing: undefined }, at: hold.until })
      if (hold.probe) hold.probing = { out: new Map(), done: new Set(), maybe: new Set() }
      else this.#holds.delete(place)
    }
  }

  hold({ group, lane, forMs = Infinity, reason, probe = false }: HoldRequest): void {
    this.#endHolds()
    const held = {
      group,
      lane,
      reason,
      since: this.#now,
      until: this.#now + forMs,
      probe,
      probing: undefined,
    }
    this.#holds.set(placeOf(held), held)
  }

  release({ group, lane, probe = false }: ReleaseRequest, result: boolean): void {
    this.#endHolds()
    const place = placeOf({ group, lane })
    const hold = this.#holds.get(place)
    const what = `release of ${show({ group, lane, probe })}`
    if (hold === undefined) return equal(result, false, what)
    if (!this.#isDoubtful(hold)) equal(result, true, what)
    if (!result || !probe) {
      this.#holds.delete(place)
      return
    }
    hold.probe = true
    hold.probing ??= { out: new Map(), done: new Set(), maybe: new Set() }
  }

  /** A delivery was acked; `isLate`: after its lease had ended. */
  acked(group: Group, message: Message, standing: Standing, isLate: boolean): void {
    this.#endHolds()
    for (const { probing } of this.#holdsOf(group.name, message.lane)) {
      if (probing?.out.get(group.name) !== standing) continue
      if (isLate) probing.maybe.add(group.name)
      else probing.done.add(group.name)
    }
    this.#dropDone()
  }

  #dropDone(): void {
    for (const [place, hold] of this.#holds) {
      const names = this.#namesOf(hold)
      if (names.length > 0 && names.every((name) => hold.probing?.done.has(name))) this.#holds.delete(place)
    }
  }

  #namesOf({ group }: Held): string[] {
    return group === undefined ? [...this.#books.groups()].map(({ name }) => name) : [group]
  }

  /** Whether its last probe may have been acked. */
  #isDoubtful(hold: Held): boolean {
    const { probing } = hold
    if (probing === undefined) return false
    return (
      hold.isDoubtful === true ||
      this.#namesOf(hold).every((name) => probing.done.has(name) || probing.maybe.has(name))
    )
  }

  deletedGroup(group: Group): void {
    this.#states.delete(group)
    this.#doubtPositions(positionKey(group, ''))
    for (const [place, hold] of this.#holds) {
      if (hold.group === group.name) this.#holds.delete(place)
      const { probing } = hold
      if (probing === undefined) continue
      for (const marks of [probing.done, probing.maybe, probing.out]) marks.delete(group.name)
      // Whether the others were waited for only by this one will be seen.
      if (hold.group === undefined)
        hold.isDoubtful = this.#namesOf(hold).every((name) => probing.done.has(name))
    }
  }

  #doubtPositions(prefix: string): void {
    for (const [key, turn] of this.#positions) {
      if (!key.startsWith(prefix)) continue
      this.#stale.set(key, turn)
      this.#positions.delete(key)
    }
  }

  /** Lanes are gone, and with them perhaps what was known of them; holds stay. */
  purged(): void {
    this.#doubtPositions('')
    for (const state of this.#states.values()) {
      state.before = state.turn
      state.turn = undefined
      for (const flow of state.flows.values()) {
        flow.full.least = -Infinity
        flow.last = undefined
      }
    }
  }

  deleted(): void {
    this.#holds.clear()
    this.#states.clear()
    this.#positions.clear()
    this.#stale.clear()
    this.#ended.length = 0
  }

  #shown(hold: Held): Hold {
    const { group, lane, reason, since, until, probe, probing } = hold
    return {
      group,
      lane,
      reason,
      since,
      probe,
      ...(probing !== undefined && { probing: true }),
      ...(probing === undefined && until !== Infinity && { endsInMs: until - this.#now }),
    }
  }

  /** Compares the holds that stats tell, and learns from them what was left open. */
  checkHolds(shown: readonly Hold[]): void {
    this.#endHolds()
    for (const [place, hold] of this.#holds) {
      if (!this.#isDoubtful(hold)) continue
      if (!shown.some((one) => placeOf(one) === place)) this.#holds.delete(place)
      else hold.isDoubtful = false
    }
    const expected = [...this.#holds.values()].map((hold) => this.#shown(hold))
    if (expected.length <= MAX_HOLDS) equal(sorted(shown), sorted(expected), 'holds in stats')
  }

  /** Compares all lanes of a group. */
  checkLanes(group: Group, shown: readonly LaneState[]): void {
    this.#endHolds()
    const counts = new Map<string, { waiting: Range; leased: Range }>()
    for (const [message, standing] of this.#books.of(group)) {
      const states = new Set(this.#books.states(group, message, standing))
      const { waiting, leased } = counts.get(message.lane) ?? { waiting: ZERO, leased: ZERO }
      const isDelayed = message.at > this.#now
      const waits = [...states].map((state) => WAITING.includes(state))
      counts.set(message.lane, {
        waiting: plus(waiting, waits.every(Boolean) && !isDelayed, waits.some(Boolean)),
        leased: plus(leased, states.size === 1 && states.has('leased'), states.has('leased')),
      })
    }
    equal(
      shown.map(({ lane }) => lane),
      shown.map(({ lane }) => lane).toSorted(),
      `the order of lanes of ${group.name}`,
    )
    const seen = new Set(shown.map(({ lane }) => lane))
    equal(seen.size, shown.length, `different lanes of ${group.name}`)
    const holds = [...this.#holds.values()].filter(
      (hold) => hold.lane !== undefined && concerns(hold, group.name, hold.lane),
    )
    for (const [lane, { waiting, leased }] of counts) {
      if (waiting.least + leased.least === 0 || lane === '') continue
      ok(seen.has(lane), `lanes of ${group.name} do not show ${show(lane)}`)
    }
    for (const { lane } of holds)
      ok(seen.has(lane!), `lanes of ${group.name} do not show ${show(lane)}, which is held`)
    for (const { lane, waiting, leased, holds: own, restsForMs } of shown) {
      const what = `the lane ${show(lane)} of ${group.name}`
      const expected = counts.get(lane) ?? { waiting: ZERO, leased: ZERO }
      ok(lane !== '', `${what} is shown`)
      ok(
        isIn(waiting, expected.waiting),
        `${what} has ${waiting} waiting, it should be ${show(expected.waiting)}`,
      )
      ok(isIn(leased, expected.leased), `${what} has ${leased} leased, it should be ${show(expected.leased)}`)
      ok(restsForMs === undefined || restsForMs > 0, `${what} rests for ${restsForMs} ms`)
      const ofLane = holds.filter((hold) => hold.lane === lane)
      equal(sorted(own), sorted(ofLane.map((hold) => this.#shown(hold))), `${what}: its holds`)
      ok(
        waiting + leased > 0 || ofLane.length > 0 || expected.waiting.most > 0,
        `${what} is shown, but it is empty`,
      )
    }
  }
}

interface Held {
  readonly group: string | undefined
  readonly lane: string | undefined
  readonly reason: string | undefined
  readonly since: number
  readonly until: number
  probe: boolean
  probing:
    | {
        /** What is out as a probe, by group. */
        readonly out: Map<string, Standing>
        /** Groups whose probe was acked, or was perhaps. */
        readonly done: Set<string>
        readonly maybe: Set<string>
      }
    | undefined
  isDoubtful?: boolean | undefined
}

/** Whose turn it is, and for how many more; not sure: for so many at most. */
interface Turn {
  readonly at: string | undefined
  readonly left: number
  isSure: boolean
}

const FIRST: Turn = { at: undefined, left: 0, isSure: true }

interface Flow {
  /** When its bucket is full. */
  readonly full: { least: number; most: number }
  /** Of the last claim. */
  limits: string | undefined
  /** It may rest for limits that were others. */
  doubtUntil: number
  /** What it gave last. */
  last: Kind | undefined
}

interface GroupFlow {
  /** `undefined`: will be seen. */
  turn: Turn | undefined
  /** Whose it was before the queue was purged: it may be so still. */
  before?: Turn | undefined
  readonly flows: Map<string, Flow>
  /** When a claim last left nothing behind. */
  settledAt: number
  /** The last message that was there before the group. */
  readonly born: number
}

type Kind = 'due again' | 'first deliveries'

/** `undefined`: which of both it is for a storage is open. */
function kindOf({ touched, wasBlocked, redriven, outOfLog, state }: Standing): Kind | undefined {
  if (wasBlocked || redriven) return undefined
  if (touched) return state === 'waiting' || state === 'leased' ? 'due again' : undefined
  return outOfLog ? undefined : 'first deliveries'
}

function fits(lane: string, { only }: ClaimRequest): boolean {
  if (only === undefined) return true
  return lane !== '' && (typeof only === 'string' ? lane.startsWith(only) : only.includes(lane))
}

function rulesOf(lane: string, { lanes = {} }: ClaimRequest): LaneLimits {
  if (lane === '') return {}
  const prefixes = (lanes.prefixes ?? []).filter(([prefix]) => lane.startsWith(prefix))
  const longest = prefixes.toSorted(([a], [b]) => b.length - a.length).map(([, limits]) => limits)
  const own = lanes.names !== undefined && Object.hasOwn(lanes.names, lane) ? lanes.names[lane]! : {}
  const first = <Name extends keyof LaneLimits>(name: Name): LaneLimits[Name] =>
    [own, ...longest, lanes].find((limits) => limits[name] !== undefined)?.[name]
  return { concurrency: first('concurrency'), rate: first('rate'), weight: first('weight') }
}

function positionKey({ name }: Group, position = 'none'): string {
  return `${name} ${position}`
}

/** Whether a lane has its turn after one and before another, in the circle of their names. */
function isBetween(after: string | undefined, lane: string, before: string): boolean {
  if (after === undefined) return lane < before
  return after < before ? after < lane && lane < before : lane > after || lane < before
}

function concerns({ group, lane }: Held, ofGroup: string, ofLane: string): boolean {
  return (group === undefined || group === ofGroup) && (lane === undefined || lane === ofLane)
}

function placeOf({
  group,
  lane,
}: {
  readonly group?: string | undefined
  readonly lane?: string | undefined
}): string {
  return JSON.stringify([group, lane])
}

function sorted(holds: readonly Hold[]): Hold[] {
  return holds.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
}

const ZERO: Range = { least: 0, most: 0 }
const WAITING: readonly Seen[] = ['ready', 'delayed', 'blocked', 'parked']

function plus({ least, most }: Range, isSure: boolean, isPossible: boolean): Range {
  return { least: least + Number(isSure), most: most + Number(isPossible) }
}

function isIn(value: number, { least, most }: Range): boolean {
  return value >= least && value <= most
}
