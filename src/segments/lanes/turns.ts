import { type LaneLimits, type LaneRate, type LaneRules, limitsOf } from '../../lanes.ts'
import type { ClaimRequest } from '../../storage.ts'
import type { Taking } from '../claim.ts'
import type { Group } from '../group.ts'
import { join } from '../joining.ts'
import { holdLeases } from '../leases.ts'
import { ENDS } from '../rows.ts'
import { laneState, sendProbe } from './holds.ts'
import { type Flow, FULL, LIMITED, WOKEN, flowOf, laneKey, laneOf, settleDown } from './lane.ts'
import { AT_ONCE, walk } from './walk.ts'

/** Takes up to so many more from a group, or from what it has in a lane. Answers with how many. */
export type Serve = (taking: Taking, most: number) => number

/**
 * Lanes have turns in the order of their names, messages without a lane first. The group knows whose turn it is, and how many
 * messages of it are left; a claim that is only about some lanes brings that along.
 *
 * Answers with the position of such a claim.
 */
export function takeTurns(taking: Taking, request: ClaimRequest, serve: Serve): string | undefined {
  const { group } = taking
  const { work } = group
  const { only, lanes: rules = {} } = request
  settleDown(work)
  wakeUp(group, AT_ONCE)
  walk(group, AT_ONCE)
  if (taking.room <= 0) {
    taking.more ||= work.tx.range('ready', { lower: [group.name], upper: [group.name] }, 1).length > 0
    return request.position
  }
  let names = readyFrom(taking, request)
  if (names.length < taking.room) {
    const more = Math.max(AT_ONCE, work.limits.stepMessages)
    wakeUp(group, more)
    walk(group, more)
    names = readyFrom(taking, request)
  }
  const { at, left } = placeOf(group, request)
  // More than the answer has room for: each gives one at least.
  const isCut = names.length > taking.room
  const all = names.slice(0, taking.room)
  work.tx.expect?.(all.flatMap((name) => (name === '' ? [] : [['lanes', laneKey(name)] as const])))
  const turns = all.map((name, i) => new Turn(taking, name, rules, i))
  expectFirst(turns)
  let hand = turns
  let round = 0
  let last: Turn | undefined
  let over = 0
  const visit = (turn: Turn, most: number): boolean => {
    const given = turn.visit(serve, Math.min(most, taking.room), round)
    taking.elsewhere += given
    if (given > 0) {
      last = turn
      over = most - given
    }
    return !turn.isDone
  }
  if (left > 0 && hand[0]?.name === at) {
    const [first, ...others] = hand as [Turn, ...Turn[]]
    hand = visit(first, left) ? [...others, first] : others
    round++
  }
  while (taking.room > 0 && hand.length > 0 && work.left > 0) {
    const weights = hand.reduce((sum, { weight }) => sum + weight, 0)
    const rounds = Math.max(1, Math.floor(taking.room / weights))
    const next: Turn[] = []
    for (const [i, turn] of hand.entries()) {
      if (taking.room <= 0 || work.left <= 0) next.push(...hand.slice(i))
      if (taking.room <= 0 || work.left <= 0) break
      if (visit(turn, rounds * turn.weight)) next.push(turn)
    }
    hand = next
    round += rounds
  }
  taking.more ||= hand.length > 0 || isCut || group.row.walk !== undefined || work.left <= 0
  taking.elsewhere = 0
  const given = turns.flatMap((turn) => turn.given)
  if (turns.length > 1) given.sort((a, b) => a.round - b.round || a.place - b.place)
  for (const { delivery } of given) taking.deliveries.push(delivery)
  for (const turn of turns) turn.finish()
  // Before the next time is worked out.
  settleDown(work)
  const end = given.at(-1)
  if (end !== undefined) {
    const turn = turns[end.place]!
    const rest = turn === last && !turn.isDone ? over % turn.weight : 0
    if (only === undefined) {
      group.row.at = turn.name
      group.row.atLeft = rest
      group.changed = true
    } else return JSON.stringify([turn.name, rest])
  }
  return only === undefined ? undefined : request.position
}

/** When a claim may find lanes that may go and that this one did not find. */
export function nextWake({ work, name }: Group): number {
  if (work.queue.lanes === 0) return Infinity
  const [row] = work.tx.range('wake', { lower: [name], upper: [name] }, 1)
  return row === undefined ? Infinity : (row[0] as readonly [string, number])[1]
}

/** What one lane gives in one claim. */
class Turn {
  readonly name: string
  readonly place: number
  readonly weight: number
  readonly given: {
    readonly round: number
    readonly place: number
    readonly delivery: Taking['deliveries'][number]
  }[] = []
  /** It may give no more. */
  isDone = false
  readonly #taking: Taking
  readonly #limits: LaneLimits
  readonly #flow: Flow | undefined
  readonly #probing: ReturnType<typeof laneState>['probing']
  #allowed = Infinity

  constructor(main: Taking, name: string, rules: LaneRules, place: number) {
    const flow = name === '' ? main.group : flowOf(main.group, name)!
    this.name = name
    this.place = place
    this.#taking = main.of(flow)
    this.#limits = name === '' ? {} : limitsOf(rules, name)
    this.weight = this.#limits.weight ?? 1
    this.#flow = name === '' ? undefined : (flow as Flow)
    this.#probing = this.#flow === undefined ? [] : laneState(this.#flow).probing
    if (this.#flow !== undefined) this.#limit(this.#flow)
  }

  #limit(flow: Flow): void {
    const { row, work } = flow
    const { concurrency, rate } = this.#limits
    if (this.#probing.length > 0) this.#allowed = 1
    if (concurrency !== undefined) this.#allowed = Math.min(this.#allowed, concurrency - live(flow))
    if (rate === undefined) return
    const { count, perMs, burst = count } = rate
    if (row.rest === WOKEN) row.full = Math.min(row.full ?? 0, work.now + (burst * perMs) / count)
    const { room } = this.#taking.main
    let tokens = 0
    while (tokens <= room && tokenAt(fullAfter(flow, rate, tokens), rate) <= work.now) tokens++
    this.#allowed = Math.min(this.#allowed, tokens)
  }

  get flow(): Flow | undefined {
    return this.#flow
  }

  visit(serve: Serve, most: number, round: number): number {
    const taking = this.#taking
    const flow = this.#flow
    const before = taking.deliveries.length
    const some = Math.min(most, this.#allowed - before)
    if (flow?.row.joining !== undefined) join(flow)
    const given = some <= 0 || flow?.row.joining !== undefined ? 0 : serve(taking, some)
    for (let i = 0; i < given; i++) {
      const delivery = taking.deliveries[before + i]!
      this.given.push({ round: round + Math.floor(i / this.weight), place: this.place, delivery })
    }
    if (given < most || before + given >= this.#allowed) this.isDone = true
    if (taking.more || taking.bytes <= 0 || flow?.row.joining !== undefined) taking.main.more = true
    return given
  }

  finish(): void {
    const flow = this.#flow
    const { deliveries, looked } = this.#taking
    if (flow === undefined) return
    const { row, work } = flow
    const { rate, concurrency } = this.#limits
    flow.served = flow.changed = true
    const taken = deliveries.length
    if (rate !== undefined && taken > 0) row.full = fullAfter(flow, rate, taken)
    if (taken > 0 || row.rest !== WOKEN) row.rest = undefined
    // It has more, and waits for its turn to come.
    const hasMore =
      Math.min(row.due ?? Infinity, row.until ?? Infinity) <= work.now || row.cursor < work.queue.tail
    if (hasMore && taken >= this.#allowed) {
      const at = rate === undefined ? 0 : tokenAt(row.full ?? 0, rate)
      if (at > work.now) {
        row.rest = LIMITED
        row.tokenAt = at
      }
      if (row.rest !== LIMITED && concurrency !== undefined && live(flow) >= concurrency) row.rest = FULL
    }
    holdLeases(flow, looked)
    const [first] = deliveries
    if (first !== undefined && this.#probing.length > 0) this.#send(flow, first.receipt)
  }

  #send(flow: Flow, receipt: string): void {
    const [lease, seq] = receipt.slice(flow.row.token.length + 1).split('.')
    sendProbe(flow.whole, this.#probing, { seq: Number(seq), lease: Number(lease), lane: this.name })
  }
}

/** When the bucket of a lane is full once it has given some more. One that has waited for its token is not charged for being late. */
function fullAfter({ row, work }: Flow, { count, perMs }: LaneRate, more: number): number {
  if (more === 0) return row.full ?? 0
  const each = perMs / count
  return Math.max(row.full ?? 0, row.rest === WOKEN ? work.now - each : work.now) + more * each
}

/** When there is a token, of a bucket that is full at a time. */
function tokenAt(full: number, { count, perMs, burst = count }: LaneRate): number {
  return full - ((burst - 1) * perMs) / count
}

/** How many messages are leased. */
export function live({ row, work, name }: Flow): number {
  let count = row.held
  if ((row.heldUntil ?? Infinity) <= work.now)
    count -= work.tx.count('due', { lower: [name, ENDS], upper: [name, ENDS, row.epoch, work.now] })
  for (const { first, last, until } of row.leases) if (until > work.now) count += last - first + 1
  return count
}

/** Has stores that wait for their rows read the first of each lane at once. */
function expectFirst(turns: readonly Turn[]): void {
  for (const { flow } of turns) {
    if (flow === undefined || flow.row.cursor >= flow.work.queue.tail) continue
    flow.work.tx.expect?.([['log', { lower: flow.row.cursor, upper: flow.work.queue.tail }, 1]])
  }
}

/** Lanes whose time has come. */
function wakeUp(group: Group, most: number): void {
  const { work, name } = group
  if (work.queue.lanes === 0) return
  const rows = work.tx.range('wake', { lower: [name], upper: [name, work.now] }, most)
  const keys = rows.map(([key]) => key as readonly [string, number, string])
  work.tx.expect?.(keys.map(([, , lane]) => ['lanes', lane]))
  for (const key of keys) {
    work.tx.delete('wake', key)
    const flow = flowOf(group, laneOf(key[2])) as Flow | undefined
    if (flow === undefined) continue
    const { row } = flow
    row.wake = undefined
    if (row.rest !== undefined) row.rest = row.rest === FULL ? undefined : WOKEN
    flow.changed = true
  }
  if (keys.length > 0) settleDown(work)
}

/** Whose turn it is. */
function placeOf({ row }: Group, { only, position }: ClaimRequest): { at: string | undefined; left: number } {
  if (only === undefined) return { at: row.at, left: row.atLeft ?? 0 }
  try {
    const [at, left] = JSON.parse(position!) as [string, number]
    if (typeof at === 'string' && left >= 0) return { at, left }
  } catch {
    // As any other that nobody gave.
  }
  return { at: undefined, left: 0 }
}

/** The lanes that may go in the order of their turns: one more than there is room for, if there are so many. */
function readyFrom(taking: Taking, request: ClaimRequest): string[] {
  const { group, room } = taking
  const { work, name } = group
  const { only } = request
  if (room <= 0) return []
  const { at, left } = placeOf(group, request)
  const some = room + 1
  const key = at === undefined ? undefined : laneKey(at)
  const names: string[] = []
  if (typeof only === 'object') {
    const keys = [...new Set(only)].map(laneKey).sort()
    work.tx.expect?.(keys.map((lane) => ['ready', [name, lane]]))
    const ready = keys.filter((lane) => lane !== '' && work.tx.get('ready', [name, lane]) !== undefined)
    names.push(
      ...ready.filter((lane) => key === undefined || lane > key),
      ...ready.filter((lane) => key !== undefined && lane <= key),
    )
  } else {
    const prefix = only === undefined ? '' : laneKey(only)
    const read = (lower: string, upper: string): void => {
      if (names.length >= some || lower > upper) return
      for (const [row] of work.tx.range(
        'ready',
        { lower: [name, lower], upper: [name, upper] },
        some - names.length,
      ))
        names.push((row as readonly string[])[1]!)
    }
    const first = key === undefined || key < prefix ? prefix : `${key}\0`
    // Messages without a lane come before all lanes.
    const isBefore = only === undefined && taking.hasMore
    if (isBefore && key === undefined) names.push('')
    read(first, `${prefix}\uffff\uffff`)
    if (isBefore && key !== undefined) names.push('')
    if (key !== undefined && first !== prefix) read(prefix, key)
  }
  // It goes on with its turn.
  const goesOn = left > 0 && key !== undefined && isReady(taking, request, key)
  const all = goesOn ? [key, ...names.filter((lane) => lane !== key)] : names
  return all.slice(0, some).map(laneOf)
}

function isReady({ group, hasMore }: Taking, { only }: ClaimRequest, key: string): boolean {
  if (key === '') return only === undefined && hasMore
  const lane = laneOf(key)
  if (typeof only === 'string' ? !lane.startsWith(only) : only?.includes(lane) === false) return false
  return group.work.tx.get('ready', [group.name, key]) !== undefined
}
