import { type LaneLimits, type LaneRate, type LaneRules, limitsOf } from '../../lanes.ts'
import type { ClaimRequest } from '../../storage.ts'
import type { Taking } from '../taking.ts'
import { join } from '../joining.ts'
import { holdLeases } from '../leases.ts'
import { ENDS } from '../rows.ts'
import { laneState } from './hold-rows.ts'
import { sendProbe } from './holds.ts'
import { type Flow, FULL, LIMITED, WOKEN, flowOf, hasLanes, settleDown } from './lane.ts'
import { laneKey, laneOf } from './names.ts'
import { AT_ONCE, walk } from './walk.ts'
import type { Group } from '../work.ts'

/** Lanes that one claim visits at most. */
const MOST_TURNS = 1024

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
  let isBehind = wakeUp(group, AT_ONCE)
  walk(group, AT_ONCE)
  if (taking.room <= 0) {
    taking.more ||= work.tx.range('ready', { lower: [group.name], upper: [group.name] }, 1).length > 0
    return undefined
  }
  const { at, left } = placeOf(group, request)
  // More than that may go only if some give nothing.
  const most = Math.min(taking.room, MOST_TURNS) + 1
  let names = readyNames(taking, request, at, most)
  isBehind ||= group.row.walk !== undefined
  if (names.length < most && isBehind) {
    const more = Math.max(AT_ONCE, work.limits.stepMessages)
    wakeUp(group, more)
    walk(group, more)
    names = readyNames(taking, request, at, most)
  }
  expectFirst(group, names)
  const turns = new Map<string, Turn>()
  const open = (name: string): Turn => {
    const turn = turns.get(name) ?? new Turn(taking, name, rules)
    turns.set(name, turn)
    return turn
  }
  let isCut = false
  let last: Turn | undefined
  let over = 0
  /** `weight`: of how many one turn is, where these are several. */
  const visit = (turn: Turn, quota: number, weight: number = Infinity): boolean => {
    const given = turn.visit(serve, Math.min(quota, taking.room))
    if (given > 0) {
      last = turn
      over = (quota - given) % weight
    }
    // Nobody has a turn before those whose turn it is.
    isCut ||= turn.isCut
    return !turn.isDone
  }
  if (left > 0 && at !== undefined && isReady(taking, request, at)) visit(open(at), left)
  const goesOn = (): boolean => taking.room > 0 && work.left > 0 && !isCut
  let hand: Turn[] = []
  for (const name of names) {
    isCut ||= !goesOn()
    if (isCut) break
    const turn = open(name)
    if (visit(turn, turn.weight)) hand.push(turn)
  }
  isCut ||= names.length === most
  while (hand.length > 0 && goesOn()) {
    const [{ weight }] = hand as [Turn]
    // All turns are those of a lane that is alone.
    if (hand.length > 1) hand = hand.filter((turn) => !goesOn() || visit(turn, turn.weight))
    else if (!visit(hand[0]!, Math.ceil(taking.room / weight) * weight, weight)) hand = []
  }
  taking.more ||= hand.length > 0 || isCut || group.row.walk !== undefined || work.left <= 0
  for (const turn of turns.values()) turn.finish()
  // Before the next time is worked out.
  settleDown(work)
  // They have something that may go at once.
  taking.more ||= [...turns.values()].some(({ flow }) => flow?.row.ready)
  if (last !== undefined) {
    // It has used up the number of a lease.
    group.changed = true
    if (only !== undefined) return JSON.stringify([last.name, over, group.row.token])
    group.row.at = last.name
    group.row.atLeft = over
  }
  return undefined
}

/** When a claim may find lanes that may go and that this one did not find. */
export function nextWake({ work, name }: Group): number {
  if (!hasLanes(work)) return Infinity
  const [row] = work.tx.range('wake', { lower: [name], upper: [name] }, 1)
  return row === undefined ? Infinity : (row[0] as readonly [string, number])[1]
}

/** What one lane gives in one claim. */
class Turn {
  readonly name: string
  readonly weight: number
  /** It may give no more. */
  isDone = false
  /** It has passed over as much as one claim may. */
  isCut = false
  readonly #taking: Taking
  readonly #limits: LaneLimits
  readonly #flow: Flow | undefined
  readonly #probing: ReturnType<typeof laneState>['probing']
  #allowed = Infinity

  constructor(main: Taking, name: string, rules: LaneRules) {
    const flow = name === '' ? main.group : flowOf(main.group, name)!
    this.name = name
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

  /** Gives up to so many more. Answers with how many. */
  visit(serve: Serve, most: number): number {
    const taking = this.#taking
    const flow = this.#flow
    const before = taking.deliveries.length
    const some = Math.min(most, this.#allowed - before)
    if (flow?.row.joining !== undefined) join(flow)
    const given = some <= 0 || flow?.row.joining !== undefined ? 0 : serve(taking, some)
    for (let i = before; i < before + given; i++) taking.main.deliveries.push(taking.deliveries[i]!)
    if (given < most || before + given >= this.#allowed) this.isDone = true
    this.isCut = taking.more
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
    sendProbe(flow.whole, this.#probing, deliveries)
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

/** Has stores that wait for their rows read some lanes at once, and then the first of each. */
function expectFirst(group: Group, names: readonly string[]): void {
  const { tx } = group.work
  if (tx.expect === undefined) return
  tx.expect(names.flatMap((name) => (name === '' ? [] : [['lanes', laneKey(name)] as const])))
  for (const name of names) {
    const flow = name === '' ? undefined : flowOf(group, name)
    if (flow === undefined || flow.row.cursor >= flow.work.queue.tail) continue
    flow.work.tx.expect?.([['log', { lower: flow.row.cursor, upper: flow.work.queue.tail }, 1]])
  }
}

/** Lanes whose time has come. Answers whether there may be more. */
function wakeUp(group: Group, most: number): boolean {
  const { work, name } = group
  if (work.queue.lanes === 0) return false
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
  return keys.length === most
}

/** Whose turn it is. */
function placeOf({ row }: Group, { only, position }: ClaimRequest): { at: string | undefined; left: number } {
  if (only === undefined) return { at: row.at, left: row.atLeft ?? 0 }
  try {
    const [at, left, token] = JSON.parse(position!) as [string, number, string]
    if (token === row.token) return { at, left }
  } catch {
    // As any other that nobody gave.
  }
  return { at: undefined, left: 0 }
}

/** The first lanes that may go in the order of their turns, from the one after a lane on. */
function readyNames(
  taking: Taking,
  { only }: ClaimRequest,
  at: string | undefined,
  most: number,
): readonly string[] {
  const { work, name } = taking.group
  const { tx } = work
  const key = at === undefined ? undefined : laneKey(at)
  if (typeof only === 'object') {
    const keys = [...new Set(only)].filter((lane) => lane !== '').map(laneKey)
    keys.sort((a, b) => (a < b ? -1 : 1))
    tx.expect?.(keys.map((lane) => ['ready', [name, lane]]))
    const ready = keys.filter((lane) => tx.get('ready', [name, lane]) !== undefined)
    const first = Math.max(
      0,
      ready.findIndex((lane) => key === undefined || lane > key),
    )
    return [...ready.slice(first), ...ready.slice(0, first)].slice(0, most).map(laneOf)
  }
  const names: string[] = []
  const prefix = laneKey(only ?? '')
  const read = (lower: string, upper: string): void => {
    const some = most - names.length
    const rows = some <= 0 ? [] : tx.range('ready', { lower: [name, lower], upper: [name, upper] }, some)
    for (const [row] of rows) names.push(laneOf((row as readonly string[])[1]!))
  }
  // Messages without a lane come before all lanes.
  const isFirst = only === undefined && taking.hasMore
  if (isFirst && key === undefined) names.push('')
  const start = key === undefined || key < prefix ? prefix : `${key}\0`
  read(start, `${prefix}\uffff\uffff`)
  if (isFirst && key !== undefined) names.push('')
  if (start !== prefix) read(prefix, key!)
  return names.slice(0, most)
}

function isReady({ group, hasMore }: Taking, { only }: ClaimRequest, lane: string): boolean {
  if (lane === '') return only === undefined && hasMore
  if (typeof only === 'string' ? !lane.startsWith(only) : only?.includes(lane) === false) return false
  return group.work.tx.get('ready', [group.name, laneKey(lane)]) !== undefined
}
