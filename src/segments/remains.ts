import { LANE_BASE } from './ids.ts'
import { inChain } from './places.ts'
import {
  type Amendment,
  type ChainRow,
  type DeadRow,
  type GroupRow,
  type QueueRow,
  type Segment,
  type SideRow,
  type Stored,
  QUEUE_KEY,
} from './rows.ts'
import { messageAt } from './segment.ts'
import type { Key, KeyRange, Row, Table } from './store.ts'
import {
  type Stretch,
  type Stretches,
  includes,
  joined,
  sizeOfAll,
  stretchesOf,
  without,
} from './stretches.ts'

/**
 * What is left of the rows of a queue. Each row is as it was once written; but some are missing, and some are there that
 * should have been deleted or replaced.
 */
export interface Remains {
  get<V>(table: Table, key: Key): V | undefined
  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[]
  /** The keys of a range, without reading what they hold. */
  keys(table: Table, range: KeyRange): readonly Key[]
  readonly doubts: ReadonlyMap<string, Doubts>
}

/** What is not known of a group, because something is missing between two of its rows. */
export interface Doubts {
  /** Messages of the log that it may have finished, or may have moved into rows that are lost. */
  readonly left: Stretches
  /** How many of them it has moved, about. */
  readonly moved: number
}

/**
 * What a group worked on or had ahead of it in one row, and neither in a later one. Where all that happened in between is
 * known, that is done or has rows of its own. Where it is not, it is in doubt.
 */
export function doubtsBetween(before: GroupRow | undefined, after: GroupRow): Doubts {
  // Nothing comes before the row that the first claim of a group writes.
  if (after.nextLease === 2 && after.acked + after.failed === 0) return NO_DOUBTS
  const passed = { first: before?.cursor ?? 1, last: after.cursor - 1 }
  const left = without(joined([passed, ...(before?.leases ?? [])]), joined(after.leases))
  return { left, moved: Math.max(0, sizeOfAll(left) - after.acked + (before?.acked ?? 0)) }
}

export function addDoubts(a: Doubts = NO_DOUBTS, b: Doubts): Doubts {
  return { left: joined([...a.left, ...b.left]), moved: a.moved + b.moved }
}

/** Messages that groups have passed, and that may have to be looked for in the log. */
export function soughtInLog(remains: Remains): Stretches {
  return joined([
    ...groupRows(remains).flatMap(({ leases }) => leases),
    ...[...remains.doubts.values()].flatMap(({ left }) => left),
  ])
}

function groupRows(remains: Remains): GroupRow[] {
  const range = { lower: ['group'], upper: ['group'] }
  return remains.keys('state', range).map((key) => remains.get<GroupRow>('state', key)!)
}

const NO_DOUBTS: Doubts = { left: [], moved: 0 }

/** Where a message lies outside the log. */
export type Source =
  | { readonly table: 'side' | 'dead'; readonly key: Key }
  | { readonly table: 'chain'; readonly key: Key; readonly seq: number }

export function messageIn(remains: Remains, source: Source): Stored | undefined {
  if (source.table === 'chain') return inChain(remains.get<ChainRow>('chain', source.key) ?? [], source.seq)
  return remains.get<SideRow | DeadRow>(source.table, source.key)?.message
}

/** The log of a damaged queue: which of its messages can be read. */
export class LogRemains {
  readonly queue: QueueRow | undefined
  /** What lies in segments. */
  readonly present: Stretches
  /** What can be delivered: it lies in a segment, an amendment or a row of some group, and was not cancelled. */
  readonly readable: Stretches
  /** What of it lies in no segment. */
  readonly bare: Stretches
  /** What of it those get that have not reached it. The rest has expired. */
  readonly open: Stretches
  /** The seq behind the last message of which there is a trace here. */
  readonly end: number
  readonly #remains: Remains
  readonly #amended: Stretches
  /** What is lost here, or older than in a row of some group. */
  readonly #elsewhere: Map<number, Source>

  constructor(remains: Remains) {
    this.#remains = remains
    this.queue = remains.get<QueueRow>('state', QUEUE_KEY)
    const segments: Stretch[] = []
    for (const key of remains.keys('log', {})) {
      segments.push({ first: remains.get<Segment>('log', key)!.first, last: key as number })
    }
    const amended: number[] = []
    const carrying: number[] = []
    const gone: number[] = []
    for (const key of remains.keys('amend', {})) {
      const seq = key as number
      const amendment = remains.get<Amendment>('amend', seq)!
      amended.push(seq)
      if (amendment.message !== undefined) carrying.push(seq)
      if (amendment.gone) gone.push(seq)
    }
    this.#amended = stretchesOf(amended)
    this.present = joined(segments)
    this.#elsewhere = this.#findElsewhere()
    const inSegments = without(this.present, this.#amended)
    this.readable = joined([...inSegments, ...stretchesOf([...carrying, ...this.#elsewhere.keys()])])
    this.bare = without(this.readable, this.present)
    this.open = without(this.readable, stretchesOf(gone))
    this.end = Math.max(this.queue?.tail ?? 1, behind(this.present), behind(this.#amended))
  }

  isReadable(seq: number): boolean {
    return includes(this.readable, seq)
  }

  isOpen(seq: number): boolean {
    return includes(this.open, seq)
  }

  amendment(seq: number): Amendment | undefined {
    if (includes(this.#amended, seq)) return this.#remains.get<Amendment>('amend', seq)
    const source = this.#elsewhere.get(seq)
    return source && { gone: false, message: messageIn(this.#remains, source) }
  }

  /** Has a message that is open carry what a row of a group says, which it has from here and which may have been replaced. */
  prefer(seq: number, source: Source): void {
    this.#elsewhere.set(seq, source)
  }

  message(seq: number): Stored | undefined {
    const amendment = this.amendment(seq)
    if (amendment !== undefined) return amendment.message
    const [row] = this.#remains.range<Segment>('log', { lower: seq }, 1)
    return row === undefined || row[1].first > seq ? undefined : messageAt(row[1], seq - row[1].first)
  }

  /** Looks in the rows of groups for what is missing here and somebody may need. */
  #findElsewhere(): Map<number, Source> {
    const remains = this.#remains
    const ahead = groupRows(remains).reduce(
      (lowest, { cursor }) => Math.min(lowest, cursor),
      this.present[0]?.first ?? Infinity,
    )
    const wanted = joined([...soughtInLog(remains), { first: ahead, last: Infinity }])
    const missing = without(without(wanted, this.present), this.#amended)
    const found = new Map<number, Source>()
    for (const key of remains.keys('dead', {})) {
      const seq = (key as [string, number])[1]
      // Those of lanes have no place here.
      if (seq < LANE_BASE && includes(missing, seq)) found.set(seq, { table: 'dead', key })
    }
    for (const key of remains.keys('side', {})) {
      const { seq, message } = remains.get<SideRow>('side', key)!
      if (message !== undefined && includes(missing, seq)) found.set(seq, { table: 'side', key })
    }
    for (const key of remains.keys('chain', {})) {
      for (const [seq] of remains.get<ChainRow>('chain', key)!)
        if (includes(missing, seq)) found.set(seq, { table: 'chain', key, seq })
    }
    return found
  }
}

function behind(stretches: Stretches): number {
  return (stretches.at(-1)?.last ?? 0) + 1
}
