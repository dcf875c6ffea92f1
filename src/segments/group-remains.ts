import { LANE_BASE } from './ids.ts'
import { type LogRemains, type Remains, type Source, messageIn } from './remains.ts'
import {
  type ChainRow,
  type GroupRow,
  type HeldRow,
  type Lease,
  type ParkedRow,
  type SideRow,
  type Stored,
  groupKey,
} from './rows.ts'
import type { Key } from './store.ts'
import { type Stretch, type Stretches, between, includes, joined, stretchesOf, without } from './stretches.ts'

/** A message that a group has passed and not finished, and that is no part of a run: a lease on a stretch of the log. */
export interface Left {
  readonly seq: number
  readonly key: string | undefined
  /** Where it lies, unless it is in the log. */
  readonly source?: Source | undefined
  /** Deliveries so far. */
  readonly attempt: number
  readonly error?: string | undefined
  /** When it is due. */
  readonly at: number
  /** The number of its lease. */
  readonly lease?: number
  readonly parked?: ParkedRow | undefined
  /** It was leased or waited, and was the head of its key, if it has one. */
  readonly head: boolean
}

/** The first message of each key, and where it lies. */
type Heads = Map<string, Pick<SideRow, 'seq'> & Pick<Lease, 'row'>>

/** The names of the groups that there are traces of. */
export function groupNames(remains: Remains): string[] {
  const names = new Set<string>()
  const range = { lower: ['group'], upper: ['group'] }
  for (const key of remains.keys('state', range)) names.add((key as readonly string[])[1]!)
  for (const table of ['side', 'due', 'chain', 'held', 'dead', 'results'] as const) {
    for (const key of remains.keys(table, {})) names.add((key as readonly string[])[0]!)
  }
  return [...names]
}

/**
 * What is left of a group, sorted out: each message that it has not finished is in exactly one place. What can be read in
 * none is dropped, and leases are given up.
 *
 * Of a group whose row is lost nothing is known to be done, so it gets everything that the log has.
 */
export class GroupRemains {
  readonly name: string
  readonly row: GroupRow | undefined
  /** The first message that it has ahead, `Infinity` if there is none. */
  readonly cursor: number
  runs: readonly Lease[]
  readonly left: ReadonlyMap<number, Left>
  readonly dead: readonly number[]
  /** The seq behind the last message of which there is a trace here. */
  readonly end: number
  readonly #remains: Remains
  readonly #log: LogRemains
  readonly #passed: number
  readonly #leases: readonly Lease[]
  #leased: Stretches
  /** How many of its rows are missing, those of messages that are blocked together counted one by one. */
  #missing = 0
  readonly #left: Map<number, Left> = new Map()

  constructor(remains: Remains, log: LogRemains, name: string) {
    this.#remains = remains
    this.#log = log
    this.name = name
    this.row = remains.get<GroupRow>('state', groupKey(name))
    this.#passed = (this.row?.cursor ?? log.present[0]?.first ?? log.end) - 1
    this.cursor = between(log.open, this.#passed + 1, Infinity)[0]?.first ?? Infinity
    this.#leases = this.#leasesOf()
    this.runs = this.#readableRuns()
    this.#leased = joined(this.runs)
    this.left = this.#left
    this.#collect()
    const dead = Array.from(remains.keys('dead', this.#rows), (key) => (key as [string, number])[1])
    this.#addDoubts(new Set(dead))
    this.dead = dead.filter((seq) => !this.wants(seq))
    const lastRun = this.runs.at(-1)?.last ?? 0
    this.end = [...this.left.keys(), ...dead.filter((seq) => seq < LANE_BASE)].reduce(
      (end, seq) => Math.max(end, seq + 1),
      Math.max(this.#passed, lastRun) + 1,
    )
  }

  /** Whether the group has yet to finish a message. */
  wants(seq: number): boolean {
    return this.#isAhead(seq) || includes(this.#leased, seq) || this.#left.has(seq)
  }

  #isAhead(seq: number): boolean {
    return seq > this.#passed && this.#log.isOpen(seq)
  }

  /** Has messages before this seq lie outside the log. */
  leaveLog(before: number): void {
    for (const { first, last, attempt, lease } of this.runs.filter((run) => run.last < before)) {
      for (let seq = first; seq <= last; seq++)
        this.#left.set(seq, { seq, key: undefined, attempt, at: 0, lease, head: true })
    }
    this.runs = this.runs.filter((run) => run.last >= before)
    this.#leased = joined(this.runs)
  }

  /** What a message carries that is {@link left}. */
  message({ seq, source }: Left): Stored | undefined {
    return source === undefined ? this.#log.message(seq) : messageIn(this.#remains, source)
  }

  /** Those in the group's row, and those that have rows of their own. */
  #leasesOf(): readonly Lease[] {
    const held = this.#remains.keys('held', this.#rows).map((key): Lease => {
      const row = this.#remains.get<HeldRow>('held', key)!
      return { ...row, last: row.first }
    })
    return [...(this.row?.leases ?? []), ...held]
  }

  get #rows(): { lower: Key; upper: Key } {
    return { lower: [this.name], upper: [this.name] }
  }

  #readableRuns(): Lease[] {
    const { readable, bare } = this.#log
    const inSegments = without(readable, bare)
    return this.#leases.filter(isRun).flatMap((run) =>
      between(inSegments, run.first, Math.min(run.last, this.#passed)).map((stretch) => ({
        ...run,
        ...stretch,
        until: 0,
      })),
    )
  }

  /** Finds what was leased, what waits and what is blocked, in this order: the first tells most of a message. */
  #collect(): void {
    const { waiting = 0, blocked = 0, parked = 0 } = this.row ?? {}
    const heads: Heads = new Map()
    this.#collectLeased(heads)
    this.#collectWaiting(heads)
    const inChain = this.#collectBlocked(heads)
    const sides =
      waiting +
      parked +
      this.#leases.filter(({ row }, i) => row === 'side' || i >= (this.row?.leases.length ?? 0)).length
    const blockedHeads = [...heads.values()].filter(({ row }) => typeof row === 'number').length
    this.#missing =
      Math.max(0, sides - this.#remains.keys('side', this.#rows).length) +
      Math.max(0, blocked + blockedHeads - inChain)
  }

  #collectLeased(heads: Heads): void {
    for (const lease of this.#leases) {
      const { first: seq, attempt, lease: number, key, row } = lease
      const found = { key, attempt, at: 0, lease: number, head: true }
      if (isRun(lease)) {
        for (const bare of between(this.#log.bare, seq, Math.min(lease.last, this.#passed)))
          for (let one = bare.first; one <= bare.last; one++) this.#add({ ...found, seq: one })
        continue
      }
      if (key !== undefined) heads.set(key, { seq, row })
      const side = this.#remains.get<SideRow>('side', [this.name, key ?? seq])
      this.#add({ ...found, seq, error: side?.seq === seq ? side.error : undefined }, row)
    }
  }

  #collectWaiting(heads: Heads): void {
    for (const sideKey of this.#remains.keys('side', this.#rows)) {
      const ordering = (sideKey as readonly (string | number)[])[1]!
      const key = typeof ordering === 'string' ? ordering : undefined
      const { seq, attempt, error, at, row, parked } = this.#remains.get<SideRow>('side', sideKey)!
      if (key !== undefined && !heads.has(key)) heads.set(key, { seq, row })
      this.#add({ seq, key, attempt, error, at, head: true, parked }, row)
    }
  }

  /** Answers with how many messages lie there. */
  #collectBlocked(heads: Heads): number {
    let count = 0
    for (const chainKey of this.#remains.keys('chain', this.#rows)) {
      const [, key, row] = chainKey as readonly [string, string, number]
      const head = heads.get(key)
      for (const [seq, { due = 0 }] of this.#remains.get<ChainRow>('chain', chainKey)!) {
        // What lies before the head is done.
        if (head?.row === row && seq < head.seq) continue
        this.#add({ seq, key, attempt: 0, at: due, head: false }, row)
        count++
      }
    }
    return count
  }

  #add(found: Omit<Left, 'source'>, row?: Lease['row']): void {
    const source = this.#sourceOf(found, row)
    if (this.#isAhead(found.seq)) {
      if (source !== undefined) this.#log.prefer(found.seq, source)
      return
    }
    if (this.wants(found.seq)) return
    if (source !== undefined || this.#log.isReadable(found.seq))
      this.#left.set(found.seq, { ...found, source })
  }

  #sourceOf({ seq, key }: Omit<Left, 'source'>, row: Lease['row']): Source | undefined {
    if (typeof row === 'number') {
      const blocked: Source = { table: 'chain', key: [this.name, key!, row], seq }
      if (messageIn(this.#remains, blocked) !== undefined) return blocked
    }
    const sideKey = [this.name, key ?? seq]
    const side = this.#remains.get<SideRow>('side', sideKey)
    return side?.seq === seq && side.message !== undefined ? { table: 'side', key: sideKey } : undefined
  }

  /** What nobody knows to be done comes again. */
  #addDoubts(dead: ReadonlySet<number>): void {
    const known = joined([...this.#leased, ...stretchesOf(this.#left.keys()), ...stretchesOf(dead)])
    const again: Stretch[] = []
    for (const { first, last } of without(this.#inDoubt(), known)) {
      for (let seq = first; seq <= last; seq++) {
        const { key } = this.#log.message(seq)!
        if (key === undefined && !includes(this.#log.bare, seq)) again.push({ first: seq, last: seq })
        else this.#left.set(seq, { seq, key, attempt: 0, at: 0, head: false })
      }
    }
    const lease = this.row?.nextLease ?? 1
    const runs = joined(again).map((stretch) => ({ ...stretch, until: 0, lease, attempt: 0, tied: true }))
    this.runs = [...this.runs, ...runs].sort((a, b) => a.first - b.first)
    this.#leased = joined(this.runs)
  }

  #inDoubt(): Stretches {
    if (this.row === undefined) return []
    const { left = [], moved = 0 } = this.#remains.doubts.get(this.name) ?? {}
    // Rows are missing that no doubt accounts for: it may be anything.
    const doubts = this.#missing > moved ? [{ first: 1, last: this.#passed }] : left
    return doubts.flatMap(({ first, last }) =>
      between(this.#log.readable, first, Math.min(last, this.#passed)),
    )
  }
}

function isRun({ key, row }: Lease): boolean {
  return key === undefined && row === undefined
}
