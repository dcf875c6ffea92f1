import { isLong, owned, putBody, tableOf } from './bodies.ts'
import { withBodies } from './body-remains.ts'
import type { Body } from '../storage.ts'
import { putId, putOlder } from './id-rows.ts'
import { finish } from './engine.ts'
import { loadGroup } from './group.ts'
import { type Left, GroupRemains, groupNames } from './group-remains.ts'
import { LANE_BASE } from './ids.ts'
import type { HoldRow } from './lanes/hold-rows.ts'
import { countHold, noteEnd } from './lanes/holds.ts'
import { type FlowRow, Lane, openLane } from './lanes/lane.ts'
import type { Block } from './lanes/lens.ts'
import { LaneRemains, lanesIn, withoutLanes } from './lanes/remains.ts'
import { addLease } from './leases.ts'
import { block } from './chains.ts'
import { createGroup } from './new-group.ts'
import { LogRemains, type Remains } from './remains.ts'
import {
  type Amendment,
  type ChainRow,
  type DeadRow,
  type Delayed,
  type IdRow,
  type Blocked,
  type LongBody,
  type ResultRow,
  type Segment,
  type SideRow,
  type Stored,
  FADES,
  STOPS,
} from './rows.ts'
import { countLetter, putResult, seqOf, sizeOfOutcome } from './results.ts'
import { bodyAt, draftsOf, idAt, lengthOf, messageAt, sizeOf } from './segment.ts'
import { type Key, type QueueStore, DEFAULT_LIMITS } from './store.ts'
import { between, includes, sizeOfAll } from './stretches.ts'
import { putDeliver } from './sweep.ts'
import { noteLeaving, putParked, sideKey, stopKey, wait } from './waiting.ts'
import {
  type Group,
  type Work,
  amend,
  edit,
  forgetAt,
  noteExpiry,
  openWork,
  putSegment,
  reapAt,
} from './work.ts'

/** A transaction writes about so many bytes. */
const BATCH_BYTES = 1024 * 1024
/** What a message takes besides its body, about. */
const MESSAGE_BYTES = 64

/** More leases than a group can have given of which nothing is left: none of these receipts must fit a new one. */
const LEASES = 2 ** 30

/**
 * Makes a queue of what is left of one. All rows are written anew, so that they fit each other whatever was lost:
 *
 * - A message that can be read comes to every group that may not have finished it: rather twice than never.
 * - Places and ids stay. Where the log has a hole that somebody has yet to pass, it is filled with messages that are gone.
 * - Leases are given up, counters counted, timers set. What points nowhere is dropped.
 * - A group of which only some rows are left gets everything that the log has.
 *
 * @param to An empty queue. If this rejects, it holds a part.
 */
export async function mend(remains: Remains, name: string, to: QueueStore): Promise<void> {
  const whole = withBodies(remains)
  const lanes = lanesIn(whole)
  await new Mending(withoutLanes(whole), name, to, lanes).run()
  for (const lane of lanes.values()) await new Mending(lane, name, to).run()
}

class Mending {
  readonly #remains: Remains
  readonly #name: string
  readonly #to: QueueStore
  readonly #log: LogRemains
  readonly #groups: readonly GroupRemains[]
  /** The seq of the next message. */
  readonly #tail: number
  /** Nobody needs what the log has before this seq. */
  readonly #start: number
  /** The first seq that somebody has ahead. Between the two there is no hole. */
  readonly #ahead: number

  /** The lane, if it is not the queue itself, which must be mended first. */
  readonly #lane: LaneRemains | undefined
  readonly #lanes: ReadonlyMap<string, LaneRemains>

  constructor(
    remains: Remains,
    name: string,
    to: QueueStore,
    lanes: ReadonlyMap<string, LaneRemains> = new Map(),
  ) {
    this.#lane = remains instanceof LaneRemains ? remains : undefined
    this.#lanes = lanes
    const log = new LogRemains(remains)
    const groups = groupNames(remains).map((group) => new GroupRemains(remains, log, group))
    const tail = Math.max(log.end, ...groups.map(({ end }) => end))
    const first = Math.min(log.open[0]?.first ?? tail, tail)
    const ahead = groups.length === 0 ? first : Math.min(tail, ...groups.map(({ cursor }) => cursor))
    // Before the last hole that everybody has passed, the log is given up: later groups must meet none.
    const whole = between(log.present, 0, ahead - 1).at(-1)
    const start = whole?.last === ahead - 1 ? whole.first : ahead
    for (const group of groups) group.leaveLog(start)
    this.#ahead = ahead
    this.#start = Math.min(ahead, ...groups.map(({ runs }) => runs[0]?.first ?? tail))
    this.#remains = remains
    this.#name = name
    this.#to = to
    this.#log = log
    this.#groups = groups
    this.#tail = tail
  }

  async run(): Promise<void> {
    await this.#transact((work) => (work instanceof Lane ? this.#beginLane(work) : this.#begin(work)))
    await this.#each(this.#segments(), sizeOfSegment, (work, segment) => this.#putSegment(work, segment))
    for (const group of this.#groups) {
      await this.#each(
        heads(group),
        ({ message }) => sizeOf(message),
        (work, head) => this.#putHead(work, group, head),
      )
      await this.#each(blocked(group), sizeOfChain, (work, chain) => this.#putChain(work, group, chain))
      await this.#each(
        this.#dead(group),
        ([, { message }]) => sizeOf(message),
        (work, [seq, letter]) => {
          putDead(work, group, seq, { ...letter, message: this.#whole(letter.message) })
        },
      )
    }
    await this.#each(
      this.#delayed(),
      ([, segment]) => sizeOfSegment(segment),
      (work, [last, segment]) => {
        this.#putDelayed(work, last, segment)
      },
    )
    await this.#each(this.#knownIds(), () => 0, putKnownId)
    for (const { name } of this.#groups) {
      await this.#each(
        this.#stops(name),
        () => 0,
        (work, [key, seq]) => stopKey(groupIn(work, name), key, seq),
      )
      await this.#each(
        this.#outcomes(name),
        ([, { outcome }]) => sizeOfOutcome(outcome),
        (work, [seq, row]) => putOutcome(work, name, seq, row),
      )
    }
    await this.#each(this.#holds(), () => 0, putHold)
  }

  #transact(body: (work: Work) => void): Promise<void> {
    return this.#to.transact('append', (tx) => {
      const work = openWork(tx, this.#name, this.#to.now())
      // Nobody looks at the clock here: what the queue saw last stays.
      work.now = 0
      body(this.#lane === undefined ? work : openLane(work, this.#lane.lane, true))
      finish(work)
    })
  }

  /** Writes items, some in each transaction. */
  async #each<T>(
    items: Iterable<T>,
    sizeOfItem: (item: T) => number,
    put: (work: Work, item: T) => void,
  ): Promise<void> {
    let batch: T[] = []
    let bytes = 0
    const flush = (): Promise<void> => {
      const items = batch
      batch = []
      bytes = 0
      return this.#transact((work) => items.forEach((item) => put(work, item)))
    }
    for (const item of items) {
      const size = sizeOfItem(item) + MESSAGE_BYTES
      if (batch.length > 0 && bytes + size > BATCH_BYTES) await flush()
      batch.push(item)
      bytes += size
    }
    if (batch.length > 0) await flush()
  }

  #begin(work: Work): void {
    const { queue } = this.#log
    const tail = this.#tail
    const numbers = Array.from(
      this.#remains.keys('delayed', {}),
      (key) => this.#remains.get<Delayed>('delayed', key)!.timer[2],
    )
    Object.assign(edit(work), {
      tail,
      sent: (queue?.sent ?? 0) + tail - (queue?.tail ?? 1),
      nextDelayed: queue?.nextDelayed ?? 1,
      nextTimer: numbers.reduce((next, number) => Math.max(next, number + 1), queue?.nextTimer ?? 1),
      groupsEver: queue?.groupsEver ?? 0,
      laneTail: [...this.#lanes.values()].reduce(
        (tail, { end }) => Math.max(tail, end),
        queue?.laneTail ?? LANE_BASE,
      ),
      skew: queue?.skew ?? 0,
      since: queue?.since,
      latest: Math.max(queue?.latest ?? 0, ...this.#groups.map(({ row }) => row?.latest ?? 0)),
    })
    for (const { name, row, cursor, runs } of this.#groups) {
      const group = createGroup(work, name, 'latest')
      const from = Math.min(cursor, tail)
      if (row?.joining !== undefined) edit(work).joining++
      Object.assign(group.row, {
        cursor: from,
        leases: runs,
        until: runs.length > 0 ? 0 : undefined,
        token: row?.token ?? group.row.token,
        nextLease: (row?.nextLease ?? 1) + LEASES,
        checked: this.#start,
        trimmed: this.#start,
        skipped: tail - from - sizeOfAll(between(this.#log.open, from, tail)),
        joining: row?.joining && { below: row.joining.below, at: row.joining.at },
        acked: row?.acked ?? 0,
        failed: row?.failed ?? 0,
        latest: row?.latest ?? 0,
        late: row?.late,
        since: row?.since,
        at: row?.at,
        atLeft: row?.atLeft,
      })
    }
  }

  #beginLane(lane: Lane): void {
    const tail = this.#tail
    const blocks =
      this.#lane!.row?.blocks ?? this.#log.present.map(({ first, last }) => [first, last] as const)
    lane.changed = true
    edit(lane).tail = tail
    // A segment that reaches over the start is put whole, with what is known of its messages.
    const [reaching] = this.#remains.range<Segment>('log', { lower: this.#start }, 1)
    const start = Math.min(this.#start, reaching?.[1].first ?? Infinity)
    lane.tx.blocks = blocks
      .map(([first, last]): Block => [Math.max(first, start), last])
      .filter(([first, last]) => first <= last)
    for (const { name, row, cursor, runs } of this.#groups) {
      const group = lane.groups.find((flow) => flow.name === name)!
      const { full, again }: Partial<FlowRow> = row ?? {}
      const from = Math.min(cursor, tail)
      if (row?.joining !== undefined) edit(lane).joining++
      Object.assign(group.row, {
        cursor: from,
        leases: runs,
        until: runs.length > 0 ? 0 : undefined,
        checked: this.#start,
        trimmed: this.#start,
        mark: from,
        skipped: lane.ahead(from) - sizeOfAll(between(this.#log.open, from, tail)),
        joining: row?.joining && { below: row.joining.below, at: row.joining.at },
        full,
        again,
      })
      group.changed = true
    }
  }

  // The log

  *#segments(): Iterable<Segment> {
    let next = this.#ahead
    for (const key of this.#remains.keys('log', { lower: this.#start })) {
      const segment = this.#remains.get<Segment>('log', key)!
      const last = key as number
      yield* this.#fillers(next, segment.first - 1)
      yield segment
      next = Math.max(next, last + 1)
    }
    yield* this.#fillers(next, this.#tail - 1)
  }

  /** Segments in place of those that are lost: all that they have is amendments. */
  *#fillers(first: number, last: number): Iterable<Segment> {
    // A lane has holes between its blocks.
    if (this.#lane !== undefined) return
    for (let from = first; from <= last; from += DEFAULT_LIMITS.segmentMessages) {
      const bodies = Array.from(
        { length: Math.min(DEFAULT_LIMITS.segmentMessages, last - from + 1) },
        () => '',
      )
      yield { first: from, at: this.#to.now(), base: '', bodies, bytes: 0 }
    }
  }

  #amendment(seq: number): Amendment | undefined {
    const log = this.#log
    if (!log.isReadable(seq)) return log.amendment(seq) ?? { gone: true }
    const amendment = log.amendment(seq)
    if (amendment?.message === undefined || !includes(log.bare, seq)) return amendment
    // Its id leads to no segment. So it gets a row, as if its sender had chosen it.
    return { ...amendment, message: { ...amendment.message, named: amendment.message.named ?? 0 } }
  }

  #putSegment(work: Work, segment: Segment): void {
    const log = this.#log
    const queue = edit(work)
    const { alias = 0 } = segment
    const bodies = Array.from({ length: lengthOf(segment) }, (_, i) => {
      const body = bodyAt(segment, i)
      const seq = segment.first + i
      if (!isLong(body)) return body
      return this.#amendment(seq) === undefined ? putBody(work, seq, this.#body(body)) : ''
    })
    putSegment(work, { ...segment, bytes: queue.bytes, bodies })
    queue.nextDelayed = Math.max(queue.nextDelayed, alias + 1)
    for (let i = 0; i < lengthOf(segment); i++) {
      const seq = segment.first + i
      const written = messageAt(segment, i)
      queue.bytes += sizeOf(written)
      const amendment = this.#amendment(seq)
      if (amendment !== undefined)
        amend(work, seq, { ...amendment, message: this.#inLog(work, seq, amendment) })
      const message = amendment === undefined ? written : amendment.message
      if (message === undefined) continue
      if (amendment !== undefined && log.isOpen(seq)) noteExpiry(work, seq, message.expires)
      if (this.#isWanted(seq)) putNewest(work, seq, message)
    }
  }

  #inLog(work: Work, seq: number, { message }: Amendment): Stored | undefined {
    if (message === undefined) return undefined
    return { ...message, body: putBody(work, seq, this.#body(message.body)) }
  }

  #body(body: Body | LongBody): Body {
    return isLong(body) ? this.#remains.get<Body>(tableOf(body.at), body.at)! : body
  }

  /** A message with its body, which is put anew wherever it goes. */
  #whole(message: Stored): Stored {
    return { ...message, body: this.#body(message.body) }
  }

  #isWanted(seq: number): boolean {
    return this.#groups.length === 0 ? this.#log.isOpen(seq) : this.#groups.some((group) => group.wants(seq))
  }

  // Groups

  #putHead(work: Work, { name, row }: GroupRemains, { left, message: found }: Head): void {
    const group = groupIn(work, name)
    const message = owned(group, left.seq, this.#whole(found))
    // A lane that has nothing in the log begins with this.
    if (work instanceof Lane) (group.row as FlowRow).again = (row as Partial<FlowRow> | undefined)?.again
    const { seq, key, at, attempt, error, lease, parked } = left
    const side: SideRow = { seq, at, attempt, error, message }
    if (lease === undefined && parked !== undefined)
      putParked(group, key, { ...side, parked: { ...parked, hidden: undefined } }, message)
    else if (lease === undefined) wait(group, key, side)
    else {
      work.tx.put('side', sideKey(group, seq, key), side)
      const tied = (message.named ?? message.expires ?? message.keepMs) !== undefined
      noteLeaving(group, seq, message)
      addLease(group, { first: seq, last: seq, until: 0, lease, attempt, tied, key, row: 'side' })
    }
    putExtras(work, seq, message)
  }

  #putChain(work: Work, { name }: GroupRemains, chain: ChainRow): void {
    block(
      groupIn(work, name),
      chain[0]![1].key!,
      chain.map(([seq, message]): Blocked => [seq, this.#whole(message)]),
    )
    for (const [seq, message] of chain) putExtras(work, seq, message)
  }

  *#dead({ name, dead }: GroupRemains): Iterable<[number, DeadRow]> {
    for (const seq of dead) yield [seq, this.#remains.get<DeadRow>('dead', [name, seq])!]
  }

  /** Keys of which the next message is parked, as long as the dead letter is there that has it so. */
  *#stops(name: string): Iterable<[string, number]> {
    const range = { lower: [name, STOPS], upper: [name, STOPS] }
    for (const at of this.#remains.keys('due', range)) {
      const seq = this.#remains.get<number>('due', at)!
      if (this.#remains.get('dead', [name, seq]) !== undefined)
        yield [(at as readonly [string, number, string])[2], seq]
    }
  }

  *#outcomes(name: string): Iterable<[number, ResultRow]> {
    for (const key of this.#remains.keys('results', { lower: [name], upper: [name] })) {
      const row = this.#remains.get<ResultRow>('results', key)!
      if (row.until !== undefined) yield [(key as readonly [string, number])[1], row]
    }
  }

  // Timers and ids

  *#delayed(): Iterable<[number, Delayed]> {
    for (const key of this.#remains.keys('delayed', {}))
      yield [key as number, this.#remains.get<Delayed>('delayed', key)!]
  }

  #putDelayed(work: Work, last: number, segment: Delayed): void {
    // That it was moved into the log is known, that it was taken from here is not.
    if (work.tx.get('ids', last) !== undefined) return
    const [, at] = segment.timer
    const queue = edit(work)
    const bodies = draftsOf(segment).map(({ body }) =>
      isLong(body) ? putBody(work, body.at, this.#body(body)) : body,
    )
    putDeliver(work, last, { ...segment, bodies })
    for (let i = 0; i < lengthOf(segment); i++) {
      const dedupeMs = segment.more!.named?.[i]
      queue.delayedBytes += sizeOf(messageAt(segment, i))
      if (dedupeMs === undefined) continue
      const id = idAt(segment, i)
      putOlder(work, id, work.tx.get<IdRow>('ids', id) ?? {})
      putId(work, id, { delayed: last }, dedupeMs)
    }
    if (segment.lane !== undefined) queue.lanes++
    queue.delayed += lengthOf(segment)
    queue.timer = Math.min(queue.timer ?? at, at)
    queue.nextDelayed = Math.max(queue.nextDelayed, last + 1)
    if (this.#log.queue === undefined) queue.sent += lengthOf(segment)
  }

  *#holds(): Iterable<[Key, HoldRow]> {
    for (const key of this.#remains.keys('holds', {})) yield [key, this.#remains.get<HoldRow>('holds', key)!]
  }

  /** Ids of messages that are done. */
  *#knownIds(): Iterable<[id: string, until: number]> {
    for (const key of this.#remains.keys('ids', { lower: '' })) {
      const row = this.#remains.get<IdRow>('ids', key)!
      if (row.until !== undefined) yield [key as string, row.until]
    }
  }
}

/** A group, or what it has in a lane. */
function groupIn(work: Work, name: string): Group {
  return work instanceof Lane ? work.groups.find((flow) => flow.name === name)! : loadGroup(work, name)!
}

function putHold(work: Work, [key, row]: [Key, HoldRow]): void {
  work.tx.put('holds', key, row)
  countHold(work, row, 1)
  noteEnd(work, key, row)
}

interface Head {
  readonly left: Left
  readonly message: Stored
}

/** What waits on its own: messages without a key, and the first of each key. */
function* heads(group: GroupRemains): Iterable<Head> {
  for (const [left] of lines(group)) yield { left, message: group.message(left)! }
}

/** What waits behind them. */
function* blocked(group: GroupRemains): Iterable<ChainRow> {
  for (const [, ...others] of lines(group)) {
    let chain: Blocked[] = []
    let bytes = 0
    for (const left of others) {
      const message = group.message(left)!
      const size = sizeOf(message)
      if (
        chain.length === DEFAULT_LIMITS.segmentMessages ||
        (chain.length > 0 && bytes + size > DEFAULT_LIMITS.segmentBytes)
      ) {
        yield chain
        chain = []
        bytes = 0
      }
      chain.push([left.seq, message])
      bytes += size
    }
    if (chain.length > 0) yield chain
  }
}

/** The messages of each key in their order; each without a key is a line of its own. */
function lines(group: GroupRemains): Iterable<[Left, ...Left[]]> {
  const lines = new Map<string | number, [Left, ...Left[]]>()
  for (const left of [...group.left.values()].sort((a, b) => a.seq - b.seq)) {
    const line = lines.get(left.key ?? left.seq)
    if (line === undefined) lines.set(left.key ?? left.seq, [left])
    // Whoever was the head stays it. One that was redriven behind it may have an earlier seq.
    else if (left.head && !line[0].head) line.unshift(left)
    else line.push(left)
  }
  return lines.values()
}

/** The rows that a message outside the log has besides its own. */
function putExtras(work: Work, seq: number, message: Stored): void {
  putNewest(work, seq, message)
}

/** The last message of an id is the one that is found by it. */
function putNewest(work: Work, seq: number, message: Stored): void {
  const { id, key, named } = message
  if (named === undefined) return
  const known = work.tx.get<IdRow>('ids', id) ?? {}
  if (known.seq === seq) return
  if (known.delayed !== undefined || (known.seq ?? 0) > seq) {
    putOlder(work, id, { seq, key, lane: work.lane, dedupeMs: named })
    return
  }
  putOlder(work, id, known)
  // What was kept of it may have been put before its lane.
  const { kept, keptUntil } = known.kept === seq ? known : {}
  putId(work, id, { seq, key }, named, { kept, keptUntil })
}

function putDead(work: Work, { name }: GroupRemains, seq: number, letter: DeadRow): void {
  const group = loadGroup(work, name)!
  work.tx.put('dead', [name, seq], { ...letter, message: owned(group, seq, letter.message) })
  countLetter(group, seq, letter.message)
  const { until } = letter
  if (until !== undefined) {
    work.tx.put('due', [name, FADES, until, seq], 0)
    group.row.fades = Math.min(group.row.fades ?? until, until)
    reapAt(work, until)
  }
  group.row.dead++
  group.row.nextLease = Math.max(group.row.nextLease, letter.fence + 1)
  group.changed = true
}

function putKnownId(work: Work, [id, until]: [id: string, until: number]): void {
  work.tx.put('ids', id, { ...work.tx.get<IdRow>('ids', id), until } satisfies IdRow)
  forgetAt(work, until, id)
}

/** Unless another message has its id by now. */
function putOutcome(work: Work, group: string, seq: number, row: ResultRow): void {
  const { id, until } = row
  const known = work.tx.get<IdRow>('ids', id)
  const newest = known?.seq ?? known?.kept ?? seq
  if (newest > seq || known?.delayed !== undefined) return
  putResult(work, group, seq, row)
  // Its digits lead to it.
  if (known === undefined && seqOf(work, id) === seq) return
  const keptUntil = Math.max(known?.keptUntil ?? 0, until!)
  work.tx.put('ids', id, { ...known, kept: seq, keptUntil } satisfies IdRow)
}

function sizeOfSegment(segment: Segment): number {
  let size = 0
  for (let i = 0; i < lengthOf(segment); i++) size += bodyAt(segment, i).length + MESSAGE_BYTES
  return size
}

function sizeOfChain(chain: ChainRow): number {
  return chain.reduce((size, [, message]) => size + sizeOf(message), 0)
}
