import { allGroups, firstSegment, floorOf, lowestFloor, makeGroup, ownRow } from '../group.ts'
import { LANE_BASE } from '../ids.ts'
import { firstEnd, holdLeases } from '../leases.ts'
import { beginJoining } from '../joining.ts'
import { imagineGroup, newRow } from '../new-group.ts'
import { type GroupRow, type QueueRow, type Segment, NEW_QUEUE } from '../rows.ts'
import { MAX_REST_MS } from '../../lanes.ts'
import { trim, trimBelow } from '../trim.ts'
import { trustGroup } from '../trust.ts'
import { spillHeads } from '../waiting.ts'
import { type Group, type LaneWork, type Work, edit } from '../work.ts'
import { laneState } from './hold-rows.ts'
import { type Block, Lens } from './lens.ts'
import { laneKey } from './names.ts'

/**
 * A lane is a queue in the queue: it has a log, in blocks of numbers of its own, and groups, which are called **flows** here. All
 * that the engine does with messages it does in a lane as it does without, on the rows that a {@link Lens} shows. What is
 * different is here: when a lane may go, and that nothing is left of one that is empty.
 */

/** Blocks grow with the lane, up to this. */
const MAX_BLOCK = 4096

/** A lane that has something: one row. */
export interface LaneRow extends Pick<QueueRow, 'tail' | 'bytes' | 'amended' | 'gone' | 'tied' | 'joining'> {
  readonly blocks: readonly Block[]
  /** Of {@link LaneRow.bytes}, those of messages that are gone from the log. */
  readonly freed: number
  /** For which groups there are flows: see {@link epochOf}. */
  readonly epoch: number
  /** How often the queue's leases had been given up. */
  readonly opened: number
  /** By the tokens of the groups: what is not as in a new row. */
  readonly flows: Readonly<Record<string, Partial<FlowRow>>>
}

/** A group in a lane. */
export interface FlowRow extends GroupRow {
  /** It has a row in `ready`. */
  ready?: true | undefined
  /** It has a row in `wake`, at this time. */
  wake?: number | undefined
  /** Why it may not go though it has something, as far as claims have found: {@link Rest}. */
  rest?: Rest | undefined
  /** When it has its token. */
  tokenAt?: number | undefined
  /** When its bucket is full. */
  full?: number | undefined
  /** Whether what it gave last was due again. */
  again?: boolean | undefined
}

export type Rest =
  /** As many are leased as may be. */
  | typeof FULL
  /** It waits for a token. */
  | typeof LIMITED
  /** It has waited for one, and may go. */
  | typeof WOKEN

export const FULL = 1
export const LIMITED = 2
export const WOKEN = 3

export interface Flow extends Group {
  readonly row: FlowRow
  readonly work: Lane
  /** A claim has just given it its turn. */
  served?: boolean
  /** How many messages of it are counted in the row of the group. */
  counted: number
}

/** What a flow starts with. */
const BLANK: Readonly<FlowRow> = /* @__PURE__ */ Object.assign(/* @__PURE__ */ newRow('', 0), {
  // All of them have the same fields: so they are quicker.
  parked: undefined,
  stops: undefined,
  keepers: undefined,
  joining: undefined,
  ready: undefined,
  wake: undefined,
  rest: undefined,
  tokenAt: undefined,
  full: undefined,
  again: undefined,
})

export class Lane implements LaneWork {
  readonly root: Work
  readonly lane: string
  readonly key: string
  held: LaneWork['held']
  readonly name: string
  readonly clock: number
  readonly limits: Work['limits']
  readonly tx: Lens
  readonly queue: QueueRow
  readonly groups: Flow[] = []
  readonly lanes: undefined
  forget: undefined
  kept: undefined
  finished: undefined
  changed = false
  known: Segment | undefined
  /** It has a row. */
  isStored: boolean
  /** Groups were made or deleted since that was written, or one step did not get to the end of what can go. */
  isBehind = false
  #freed: number
  /** Of what is freed. */
  #start: number | undefined
  /** What is counted in the row of the queue. */
  #counted = 0
  #countedBytes = 0
  /** Messages that came into it. */
  #added = 0

  constructor(root: Work, lane: string, row: LaneRow | undefined) {
    this.root = root
    this.lane = lane
    this.key = laneKey(lane)
    this.name = root.name
    this.clock = root.clock
    this.limits = root.limits
    this.isStored = row !== undefined
    const { laneTail } = root.queue
    const {
      blocks = [],
      tail = laneTail,
      bytes = 0,
      amended = 0,
      gone = 0,
      tied = 0,
      joining = 0,
      freed = 0,
    } = row ?? {}
    this.tx = new Lens(root.tx, this.key, blocks)
    this.queue = { ...NEW_QUEUE, tail, bytes, amended, gone, tied, joining }
    this.#freed = freed
    this.#start = blocks[0]?.[0]
    this.#counted = this.ahead(0) - gone
    this.#countedBytes = bytes - freed
    this.#open(row)
  }

  get now(): number {
    return this.root.now
  }

  get left(): number {
    return this.root.left
  }

  set left(left: number) {
    this.root.left = left
  }

  get moves(): number {
    return this.root.moves
  }

  set moves(moves: number) {
    this.root.moves = moves
  }

  /** Gives it a flow for each group that exists. */
  #open(row: LaneRow | undefined): void {
    const { root, queue, groups } = this
    const others: Group[] = []
    for (const whole of allGroups(root)) {
      const { token } = whole.row
      const packed = row?.flows[token]
      if (packed === undefined) others.push(whole)
      else
        groups.push(
          this.#flow(whole, ownRow(trustGroup(root.name, { ...BLANK, ...packed, token }, queue.tail))),
        )
    }
    queue.groups = groups.length
    if (row !== undefined && row.opened !== root.queue.opened) this.#giveUpLeases()
    // Those that have nothing of it yet come last: what no group has is not retained for a new one.
    others.sort((a, b) => Number(a.row.late ?? false) - Number(b.row.late ?? false))
    for (const whole of others) {
      const { token, late } = whole.row
      const isNew = row === undefined || late
      const started = isNew ? newRow(token, queue.tail) : imagineGroup(this, whole.name, 'earliest').row
      started.token = token
      const flow = this.#flow(whole, started)
      flow.counted = whole.row.first ? this.#counted : 0
      flow.changed = true
      queue.groups++
      groups.push(flow)
      if (!isNew && queue.groups > 1) beginJoining(flow)
    }
    if (row !== undefined && row.epoch !== epochOf(root)) this.changed = this.isBehind = true
  }

  #flow(whole: Group, row: FlowRow): Flow {
    const flow = makeGroup(this, whole.name, row, whole) as Flow
    flow.counted = allOf(flow)
    return flow
  }

  #giveUpLeases(): void {
    this.changed = true
    for (const flow of this.groups) {
      const { row } = flow
      for (const lease of row.leases) lease.until = row.until = 0
      if (row.held > 0) {
        row.epoch++
        row.heldUntil = row.until = 0
      }
      if (row.rest === FULL) row.rest = undefined
      flow.changed = true
    }
  }

  /** A group is deleted: what only it needed can go. */
  leave(name: string): void {
    const { groups, queue } = this
    groups.splice(0, groups.length, ...groups.filter((flow) => flow.name !== name))
    queue.groups = groups.length
    this.changed = this.isBehind = true
  }

  /** Has numbers for so many messages at its end. */
  reserve(count: number): void {
    const { queue, tx, root } = this
    this.#added += count
    edit(root).intoLanes += count
    const open = tx.blocks.at(-1)
    if (open !== undefined && queue.tail + count - 1 <= open[1]) return
    const first = root.queue.laneTail
    this.#start ??= first
    const size =
      open === undefined ? count : Math.max(count, Math.min(MAX_BLOCK, 2 * (open[1] - open[0] + 1)))
    edit(root).laneTail += size
    const before = tx.blocks.map(([from, to]): Block => [from, Math.min(to, queue.tail - 1)])
    tx.blocks = [...before.filter(([from, to]) => from <= to), [first, first + size - 1]]
    for (const flow of this.groups) {
      const { row } = flow
      // It has seen all that there was.
      if (row.cursor !== queue.tail) continue
      row.cursor = row.mark = first
      if (row.checked === queue.tail) row.checked = row.trimmed = first
      flow.changed = true
    }
    edit(this).tail = first
  }

  /** Has what was put and what is done be counted in the rows of the queue and of the groups. */
  #count(): void {
    const { groups, queue, tx, root } = this
    const start = tx.blocks[0]?.[0]
    if (start !== this.#start) this.#freed = firstSegment(this)?.bytes ?? queue.bytes
    this.#start = start
    const count = this.ahead(0) - queue.gone
    const bytes = queue.bytes - this.#freed
    if (count !== this.#counted || bytes !== this.#countedBytes) {
      const whole = edit(root)
      whole.inLanes += count - this.#counted
      whole.laneBytes += bytes - this.#countedBytes
      this.#counted = count
      this.#countedBytes = bytes
    }
    for (const flow of groups) {
      const { whole } = flow
      const left = allOf(flow)
      const passed = this.#added + flow.counted - left
      flow.counted = left
      if (passed === 0) continue
      whole.row.passed += passed
      whole.changed = true
    }
    this.#added = 0
  }

  /** How many messages lie from a number on. */
  ahead(cursor: number): number {
    const { queue, tx } = this
    return tx.blocks.reduce(
      (sum, [first, last]) => sum + Math.max(0, Math.min(last + 1, queue.tail) - Math.max(first, cursor)),
      0,
    )
  }

  /** Works out which flows may go now, and when it is to be looked at others. */
  settleDown(): void {
    for (const flow of this.groups) {
      if (!flow.changed && !this.changed) continue
      spillHeads(flow)
      const { row } = flow
      // What waited may have been cancelled.
      if (row.waiting === 0) row.due = undefined
      if (!flow.served) {
        if (row.rest === FULL && (flow.changed || firstEnd(flow) <= this.now)) row.rest = undefined
        if (row.rest === LIMITED && row.tokenAt! <= this.now) row.rest = WOKEN
      }
      const at = goesAt(flow)
      const { key } = this
      const isReady = at <= this.now
      if (isReady !== (row.ready ?? false)) {
        flow.changed = true
        row.ready = isReady || undefined
        if (isReady) this.root.tx.put('ready', [flow.name, key], 0)
        else this.root.tx.delete('ready', [flow.name, key])
      }
      if (!isReady) setAlarm(flow, at)
    }
  }

  /** Writes its row, or deletes it if nothing is left. */
  finish(): void {
    const { groups, queue, root, tx, lane, key } = this
    // Somebody may have needed it who is gone.
    if (this.isBehind && groups.length > 0) {
      const floor = lowestFloor(this)
      this.isBehind = trimBelow(this, 0, floor) < floor
    }
    for (const flow of groups) {
      if (!flow.changed && !this.changed) continue
      holdLeases(flow)
      trim(this, flow)
      const floor = floorOf(flow)
      this.isBehind ||= floor === queue.tail && flow.row.checked < floor
    }
    this.settleDown()
    // Only a step that comes here can go on.
    const [first] = groups
    if (this.isBehind && first !== undefined && !first.row.ready) setAlarm(first, this.now)
    if (!this.changed && !groups.some(({ changed }) => changed)) return
    this.#count()
    const isTrimmed = (tx.blocks[0]?.[0] ?? queue.tail) >= queue.tail
    if (groups.length > 0 && isTrimmed && groups.every(isEmpty)) {
      for (const { row, name } of groups) {
        if (row.wake !== undefined) root.tx.delete('wake', [name, row.wake, key])
        if (row.ready) root.tx.delete('ready', [name, key])
      }
      root.lanes!.delete(lane)
      if (!this.isStored) return
      root.tx.delete('lanes', key)
      edit(root).lanes--
      return
    }
    if (!this.isStored) edit(root).lanes++
    this.isStored = true
    this.changed = false
    for (const flow of groups) flow.changed = false
    const { tail, bytes, amended, gone, tied, joining } = queue
    root.tx.put('lanes', key, {
      blocks: tx.blocks,
      freed: this.#freed,
      tail,
      bytes,
      amended,
      gone,
      tied,
      joining,
      epoch: this.isBehind ? BEHIND : epochOf(root),
      opened: root.queue.opened,
      flows: Object.fromEntries(groups.map(({ row }) => [row.token, packed(row)])),
    } satisfies LaneRow)
  }
}

/** No epoch. */
const BEHIND = -1

/** Changes whenever a group is made or deleted. */
function epochOf({ queue }: Work): number {
  return 2 * queue.groupsEver - queue.groups
}

function packed(row: FlowRow): Partial<FlowRow> {
  if (row.leases.length + row.held === 0) row.until = undefined
  const own: Record<string, unknown> = {}
  for (const name in row) {
    const value = row[name as keyof FlowRow]
    const isOwn = value !== undefined && value !== BLANK[name as keyof FlowRow] && name !== 'token'
    if (isOwn && (name !== 'leases' || row.leases.length > 0)) own[name] = value
  }
  return own
}

/** How many messages a group has in a lane. */
export function allOf({ row, work }: Flow): number {
  const { cursor, skipped, waiting, blocked, parked = 0, held, leases } = row
  let count = work.ahead(cursor) - skipped + waiting + blocked + parked + held
  for (const { first, last } of leases) count += last - first + 1
  return count
}

/** Nothing is left in it. */
function isEmpty({ row, work }: Flow): boolean {
  const { cursor, leases, held, waiting, blocked, parked = 0, stops = 0, joining, full = 0 } = row
  return (
    cursor >= work.queue.tail &&
    leases.length + held + waiting + blocked + parked + stops === 0 &&
    joining === undefined &&
    full <= work.now
  )
}

/** When a flow may go, or has to be looked at, as far as is known: now, at a time, or never. */
function goesAt(flow: Flow): number {
  const { row, work } = flow
  const hasMore = row.cursor < work.queue.tail || row.joining !== undefined
  const { full = 0 } = row
  const due = hasMore ? work.now : Math.min(row.due ?? Infinity, firstEnd(flow))
  // For the sake of its bucket.
  if (due === Infinity) return full > work.now ? full : Infinity
  // When a hold is over, its timer has a claim look here. A probe may be lost.
  const { until, isOut } = laneState(flow)
  if (until > work.now) return isOut ? until : Infinity
  if (row.rest === FULL) return Math.min(Math.max(work.now + 1, firstEnd(flow)), work.now + MAX_REST_MS)
  if (row.rest === LIMITED) return Math.min(Math.max(due, row.tokenAt!), work.now + MAX_REST_MS)
  return due
}

/** Has a claim look at a flow at a time. One that looks earlier does no harm. */
function setAlarm(flow: Flow, at: number): void {
  const { row, name, work } = flow
  const { key } = work
  const { tx } = work.root
  if (row.wake !== undefined) {
    if (row.wake <= at && at < Infinity) return
    tx.delete('wake', [name, row.wake, key])
  }
  if (at < Infinity) tx.put('wake', [name, at, key], 0)
  row.wake = at < Infinity ? at : undefined
  flow.changed = true
}

/** The lane of a name; `undefined` if it has nothing, unless it is to be made. */
export function openLane(root: Work, name: string): Lane | undefined
export function openLane(root: Work, name: string, make: true): Lane
export function openLane(root: Work, name: string, make = false): Lane | undefined {
  const known = root.lanes?.get(name) as Lane | undefined
  if (known !== undefined) return known
  const row = root.queue.lanes === 0 ? undefined : root.tx.get<LaneRow>('lanes', laneKey(name))
  if (row === undefined && !make) return undefined
  root.lanes ??= new Map()
  const lane = new Lane(root, name, row)
  root.lanes.set(name, lane)
  return lane
}

/** Where a message lies of which the number is known, if its lane has it in the log. */
export function workAt(root: Work, seq: number): Work | undefined {
  if (seq < LANE_BASE) return root
  const [row] = root.tx.range<Segment>('log', { lower: seq }, 1)
  return row?.[1].lane === undefined ? undefined : openLane(root, row[1].lane)
}

/** The flow of a group in a lane, if the lane has something. */
export function flowOf(group: Group, name: string | undefined): Group | undefined {
  return name === undefined ? group : inWork(group, openLane(group.work, name))
}

/** What a group has in the queue, or in a lane. */
export function inWork(group: Group, work: Work | undefined): Group | undefined {
  return work === group.work ? group : (work as Lane | undefined)?.groups.find(({ whole }) => whole === group)
}

/** Whether there are lanes, or messages for some. */
export function hasLanes({ queue, lanes }: Work): boolean {
  return queue.lanes > 0 || lanes !== undefined
}

export function settleDown(root: Work): void {
  root.lanes?.forEach((lane) => lane.settleDown())
}

export function finishLanes(root: Work): void {
  root.lanes?.forEach((lane) => lane.finish())
}
