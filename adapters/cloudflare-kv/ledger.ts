import type { KVBinding, KVPage } from './binding.ts'
import {
  type GroupEntry,
  type LargeRecord,
  type RecordEntry,
  type Segment,
  decodeEntry,
  decodeLarge,
} from './entries.ts'
import { type DEAD, GROUP, KeyMaker, RECORD, SEGMENT, digitsOf, groupId, placeOf } from './keys.ts'
import type { Namespace } from './namespace.ts'
import type { Settings } from './options.ts'
import type { Due, Row } from './rows.ts'

/**
 * Appends of several requests, gathered for one write.
 *
 * Plain data: who awaited a promise of another request would be cancelled together with that request. So everybody looks
 * here by a timer of their own.
 */
export interface Gathering {
  readonly due: Due[]
  bytes: number
  state: 'open' | 'writing' | 'done' | 'failed'
  error: unknown
}

/** How long a list is good for. A drain needs one. */
const LIST_MS = 20_000
/** For how long lists may lack what was written here, or show what was deleted here: twice their cache, and some. */
const OWN_MS = 180_000
/** How long after a lease its record still counts the attempt. Whoever drains less often than this counts too few. */
export const COUNTED_MS: number = 4 * 3_600_000
/** A clock that goes back by more than this was set back. */
const JUMP_MS = 1000

/** A group as all its keys together say it. */
export interface Group {
  readonly name: string
  /** Its ids; the first is the one that is written. */
  readonly ids: Set<string>
  readonly keys: string[]
  /** Where in the queue it was created. */
  place: string
  start: string | undefined
  /** What is known of each segment, worked out when asked for. */
  readonly standings: Map<string, Standing>
}

/** Where the messages of one segment stand in one group. */
export interface Standing {
  readonly done: ReadonlySet<number>
  /** The latest lease of each message. */
  readonly leases: ReadonlyMap<number, Lease>
}

export interface Lease {
  readonly token: string
  readonly until: number
  /** The number of the lease, from 1. */
  readonly count: number
}

interface Own<T> {
  readonly value: T
  until: number
}

/** Messages of a segment that are leased as far as others can see, and have not been handed out. */
export interface Stock {
  readonly token: string
  readonly until: number
  readonly indices: Set<number>
}

/** Records of what is done that only this isolate has. */
export interface Unsaved {
  readonly since: number
  readonly records: Set<RecordEntry>
}

/** Numbers that KV has no place for: of this isolate only. */
export interface Counts {
  acked: number
  failed: number
}

/**
 * What an isolate knows of one queue: the last list, and over it what was written and deleted here since lists may be behind by
 * minutes. It is shared by all adapters on the same binding, and holds plain data only: a promise of another request would be
 * cancelled together with that request.
 *
 * Everything here is synchronous but {@link load} and {@link more}, so whoever decides between two awaits is alone.
 */
export class Ledger {
  readonly prefix: string
  readonly keys: KeyMaker
  /** What is in segments that are being worked on, and when it was read. */
  readonly rows: Map<string, { readonly rows: readonly Row[]; readonly at: number }> = new Map()
  readonly counts: Map<string, Counts> = new Map()
  /** Of groups, what they have not saved yet. */
  readonly unsaved: Map<string, Unsaved> = new Map()
  sent = 0
  gathering: Gathering | undefined
  groups: Map<string, Group> = new Map()
  #segments: Map<string, Segment> = new Map()
  /** Keys of {@link #segments} in order, once asked for. */
  #order: string[] | undefined
  /** What is known of a segment, in the order in which it was written. */
  #marks: Map<string, RecordEntry[]> = new Map()
  #large: LargeRecord[] = []
  /** Records whose value was read. */
  readonly #read: Map<string, RecordEntry> = new Map()
  readonly #ownGroups: Map<string, Own<GroupEntry>> = new Map()
  readonly #ownRecords: Map<string, Own<RecordEntry>> = new Map()
  readonly #ownSegments: Map<string, Own<Segment>> = new Map()
  readonly #gone: Map<string, number> = new Map()
  readonly #stock: Map<string, Stock> = new Map()
  #listedAt = -Infinity
  #generation = 0
  #cursor: string | undefined
  #complete = false
  /** The last key that was listed. */
  #frontier = ''
  /** The latest time that was told. */
  #latest = -Infinity
  /** What a clock that was set back is behind. */
  #offset = 0

  constructor(prefix: string, random: () => number) {
    this.prefix = prefix
    this.keys = new KeyMaker(random)
  }

  /** The time for deadlines: it never jumps back, so that nothing waits longer than it was told to. */
  now(clock: Settings['clock']): number {
    const real = clock.now()
    if (real + this.#offset < this.#latest - JUMP_MS) this.#offset = this.#latest - real
    const now = real + this.#offset
    this.#latest = Math.max(this.#latest, now)
    return now
  }

  // Lists

  /** Has a list that is not older than it may be; `all`: to its end. */
  async load(kv: Namespace, tried: string, now: number, all: boolean): Promise<void> {
    if (now - this.#listedAt >= LIST_MS) await this.#list(kv, tried, now, true)
    if (all) while (!this.#complete) await this.#list(kv, tried, now, false)
    await this.#readLarge(kv, tried)
  }

  /** How old the list is, in ms. */
  ageAt(now: number): number {
    return now - this.#listedAt
  }

  /** Lists a page more. Answers `false` where there is none with anything that is due. */
  async more(kv: Namespace, tried: string, now: number): Promise<boolean> {
    if (this.hasAllDue(now)) return false
    await this.#list(kv, tried, now, false)
    await this.#readLarge(kv, tried)
    return true
  }

  /** Whether all that is due has been listed. */
  hasAllDue(now: number): boolean {
    return this.#complete || this.#frontier > SEGMENT + digitsOf(now + 1)
  }

  async #list(kv: Namespace, tried: string, now: number, fresh: boolean): Promise<void> {
    const generation = this.#generation
    const cursor = fresh ? undefined : this.#cursor
    const page = await kv.list(tried, this.prefix, cursor)
    if (fresh) {
      this.#startOver(now)
      this.#take(page)
    } else if (generation === this.#generation && cursor === this.#cursor) this.#take(page)
  }

  #startOver(now: number): void {
    const unsaved = new Set<unknown>([...this.unsaved.values()].flatMap(({ records }) => [...records]))
    this.#generation++
    this.#listedAt = now
    this.#frontier = ''
    this.#segments = new Map()
    this.#marks = new Map()
    this.#large = []
    this.groups = new Map()
    this.#order = undefined
    for (const own of [this.#ownGroups, this.#ownRecords, this.#ownSegments] as Map<string, Own<unknown>>[]) {
      for (const [key, { value, until }] of own) if (until <= now && !unsaved.has(value)) own.delete(key)
    }
    for (const [key, until] of this.#gone) if (until <= now) this.#gone.delete(key)
    for (const [key, { until }] of this.#stock) if (until <= now) this.#stock.delete(key)
    for (const key of this.rows.keys()) if (!this.#ownSegments.has(key)) this.rows.delete(key)
    for (const { value } of this.#ownGroups.values()) this.#addGroup(value)
    for (const { value } of this.#ownSegments.values()) this.#segments.set(value.key, value)
  }

  #take(page: KVPage): void {
    for (const { name, metadata } of page.keys) {
      const key = name.slice(this.prefix.length)
      this.#frontier = key
      // Of what was written here, more is known here.
      if (this.#gone.has(key) || this.#ownRecords.has(key)) continue
      const found = decodeEntry(key, metadata)
      if (found === undefined) continue
      if (found.kind === GROUP) this.#addGroup(found.entry)
      else if (found.kind === RECORD) this.#mark(found.entry)
      else if (found.kind === 'large') this.#large.push(found.entry)
      else if (!this.#segments.has(key)) this.#segments.set(key, found.entry)
    }
    for (const { value } of this.#ownRecords.values()) this.#mark(value)
    this.#order = undefined
    this.#complete = page.list_complete
    this.#cursor = page.cursor
    for (const group of this.groups.values()) group.standings.clear()
  }

  #addGroup({ key, name, start }: GroupEntry): void {
    const known = this.groups.get(name)
    if (known === undefined) {
      const ids = new Set([groupId(key)])
      this.groups.set(name, { name, ids, keys: [key], place: placeOf(key), start, standings: new Map() })
    } else if (!known.keys.includes(key)) {
      known.keys.push(key)
      known.ids.add(groupId(key))
      if (placeOf(key) < known.place) known.place = placeOf(key)
      if (start === undefined || (known.start !== undefined && start < known.start)) known.start = start
      known.standings.clear()
    }
  }

  #mark(record: RecordEntry): void {
    for (const segments of [record.leased, record.done]) {
      for (const key of segments.keys()) {
        const marks = this.#marks.get(key)
        if (marks === undefined) this.#marks.set(key, [record])
        else if (!marks.some((mark) => mark.key === record.key)) {
          const at = marks.findLastIndex((mark) => mark.key < record.key) + 1
          marks.splice(at, 0, record)
        }
      }
    }
  }

  /** Reads the records that tell of segments that are here and did not fit into a list. */
  async #readLarge(kv: Namespace, tried: string): Promise<void> {
    const order = this.order()
    const needed = this.#large.filter(({ key, first, last }) => {
      if (this.#ownRecords.has(key)) return false
      const at = indexFrom(order, first)
      return at < order.length && order[at]! <= last
    })
    this.#large = this.#large.filter((large) => !needed.includes(large))
    const unread = needed.filter(({ key }) => !this.#read.has(key))
    if (unread.length > 0) {
      const values = await kv.read(
        tried,
        unread.map(({ key, bytes }) => ({ key: this.prefix + key, bytes })),
      )
      for (const { key } of unread) {
        const value = values.get(this.prefix + key)
        // It may not have arrived here: then its leases are not known here.
        const record = value === undefined ? undefined : decodeLarge(key, value)
        if (record !== undefined) this.#read.set(key, record)
      }
      if (this.#read.size > 1000) this.#read.clear()
    }
    let found = false
    for (const { key } of needed) {
      const record = this.#read.get(key)
      if (record === undefined) continue
      found = true
      this.#mark(record)
    }
    if (found) for (const group of this.groups.values()) group.standings.clear()
  }

  // Looking

  /** Keys of all segments that are known to be there, in the order in which they are due; dead letters last. */
  order(): readonly string[] {
    return (this.#order ??= [...this.#segments.keys()].sort())
  }

  /** Whether it was deleted here. */
  isGone(key: string): boolean {
    return this.#gone.has(key)
  }

  segment(key: string): Segment | undefined {
    return this.#segments.get(key)
  }

  /** Segments of messages, or of dead letters. */
  *segments(kind: typeof SEGMENT | typeof DEAD): Generator<Segment> {
    const order = this.order()
    for (let i = indexFrom(order, kind); i < order.length && order[i]!.startsWith(kind); i++) {
      const segment = this.#segments.get(order[i]!)
      if (segment !== undefined) yield segment
    }
  }

  /** Whether a group gets the messages of a segment. */
  belongs({ ids, start }: Group, { key, group }: Segment): boolean {
    if (group !== undefined) return ids.has(group)
    return start === undefined || placeOf(key) > start
  }

  standing(group: Group, segment: Segment): Standing {
    const { key } = segment
    let standing = group.standings.get(key)
    if (standing === undefined) {
      const done = new Set<number>()
      const leases = new Map<number, Lease>()
      for (const record of this.#marks.get(key) ?? []) {
        if (!group.ids.has(record.group)) continue
        addDone(done, record, segment)
        if (!record.leased.has(key)) continue
        const { lease: token, until } = record
        for (const [i, number] of record.leased.get(key) ?? []) {
          leases.set(i, { token, until, count: number })
        }
      }
      const { place } = group
      for (const i of this.#finishedBefore(segment, place, group)) done.add(i)
      standing = { done, leases }
      group.standings.set(key, standing)
    }
    return standing
  }

  /** What a group that started now would find done. */
  finishedByAll(segment: Segment): ReadonlySet<number> {
    return this.#finishedBefore(segment, '~')
  }

  /** What all groups that there were at a place had done by then: a group that started there does not get it. */
  #finishedBefore(segment: Segment, place: string, besides?: Group): ReadonlySet<number> {
    const marks = this.#marks.get(segment.key)
    let common: Set<number> | undefined
    if (marks !== undefined && segment.group === undefined) {
      for (const other of this.groups.values()) {
        if (other === besides || other.place >= place || !this.belongs(other, segment)) continue
        const theirs = new Set<number>()
        for (const record of marks) {
          if (other.ids.has(record.group) && placeOf(record.key) < place) addDone(theirs, record, segment)
        }
        common = common === undefined ? theirs : new Set([...common].filter((i) => theirs.has(i)))
        if (common.size === 0) break
      }
    }
    return common ?? NONE
  }

  /** Whether all groups that there are have done all of a segment, and may delete it. Without a group, nobody has. */
  isFinished(segment: Segment): boolean {
    let belongsToSome = false
    for (const group of this.groups.values()) {
      if (!this.belongs(group, segment)) continue
      belongsToSome = true
      if (!this.hasFinished(group, segment)) return false
    }
    return belongsToSome
  }

  /** What somebody is about to do does not count: its copies may never be written. */
  hasFinished(group: Group, segment: Segment): boolean {
    const { key, count } = segment
    const { done } = this.standing(group, segment)
    if (done.size < count) return false
    const marks = (this.#marks.get(key) ?? []).filter(({ group: id }) => group.ids.has(id))
    if (marks.every(({ safe }) => safe)) return true
    const safely = new Set(this.#finishedBefore(segment, group.place, group))
    for (const record of marks) if (record.safe) addDone(safely, record, segment)
    return safely.size === count
  }

  // What is written here

  addGroup(entry: GroupEntry, now: number): void {
    this.#ownGroups.set(entry.key, { value: entry, until: now + OWN_MS })
    this.#gone.delete(entry.key)
    this.#addGroup(entry)
  }

  removeGroup(name: string, now: number): void {
    const group = this.groups.get(name)
    if (group === undefined) return
    this.groups.delete(name)
    for (const key of group.keys) {
      this.#ownGroups.delete(key)
      this.#gone.set(key, now + OWN_MS)
    }
    this.counts.delete(name)
    this.unsaved.delete(name)
  }

  /** Keys of what was written here, which lists may not show yet. */
  ownKeys(): string[] {
    const records = [...this.#ownRecords].filter(([, { value }]) => !value.isCovered).map(([key]) => key)
    return [...records, ...this.#ownSegments.keys(), ...this.#ownGroups.keys()]
  }

  /** Something was written here of which others know, and lists perhaps not yet. */
  get hasOwn(): boolean {
    return this.#ownSegments.size + this.#ownGroups.size > 0
  }

  /** The queue is deleted, with these keys. */
  clear(keys: Iterable<string>, now: number): void {
    for (const own of [this.#ownGroups, this.#ownRecords, this.#ownSegments, this.#stock, this.#read])
      own.clear()
    for (const known of [this.rows, this.counts, this.unsaved]) known.clear()
    this.sent = 0
    this.#cursor = undefined
    this.#complete = false
    this.#startOver(-Infinity)
    for (const key of keys) this.#gone.set(key, now + OWN_MS)
  }

  addSegment(segment: Segment, now: number): void {
    this.#ownSegments.set(segment.key, { value: segment, until: now + OWN_MS })
    this.#segments.set(segment.key, segment)
    this.#order = undefined
  }

  /** It is deleted. */
  removeSegment(key: string, now: number): void {
    this.hide(key)
    this.#ownSegments.delete(key)
    this.#gone.set(key, now + OWN_MS)
  }

  /** It was not there: nobody else may have deleted it, so that the next list may show it again. */
  hide(key: string): void {
    this.#segments.delete(key)
    for (const mark of this.#marks.get(key) ?? []) if (mark.isCovered) this.#ownRecords.delete(mark.key)
    this.#marks.delete(key)
    this.rows.delete(key)
    for (const { standings } of this.groups.values()) standings.delete(key)
  }

  /** Keeps a segment that is being worked on until its leases have ended, whatever lists say. */
  hold(segment: Segment, until: number): void {
    const { key } = segment
    const own = this.#ownSegments.get(key)
    if (own === undefined) this.#ownSegments.set(key, { value: segment, until: until + OWN_MS })
    else own.until = Math.max(own.until, until + OWN_MS)
  }

  /** What these records say is done is in KV now, or gone. */
  saved({ name }: Group, records: Iterable<RecordEntry>): void {
    const unsaved = this.unsaved.get(name)
    if (unsaved === undefined) return
    for (const record of records) unsaved.records.delete(record)
    if (unsaved.records.size === 0) this.unsaved.delete(name)
  }

  /** What a group has of a segment in stock, so that handing it out needs no record. */
  stockOf({ name }: Group, key: string): Stock | undefined {
    return this.#stock.get(`${key} ${name}`)
  }

  stockUp({ name }: Group, key: string, stock: Stock): void {
    this.#stock.set(`${key} ${name}`, stock)
  }

  /** Says what a call is about to do, before it does, so that nobody here does the same. */
  addRecord(record: RecordEntry, now: number): void {
    const keepMs = record.isCovered ? COUNTED_MS : OWN_MS
    this.#ownRecords.set(record.key, { value: record, until: Math.max(now, record.until) + keepMs })
    this.touch(record)
  }

  /** The record has changed. */
  touch(record: RecordEntry): void {
    this.#mark(record)
    for (const { ids, standings } of this.groups.values()) {
      if (!ids.has(record.group)) continue
      for (const key of record.leased.keys()) standings.delete(key)
      for (const key of record.done.keys()) standings.delete(key)
    }
  }

  /** It was not done after all, or all it tells of is gone. */
  withdraw(record: RecordEntry): void {
    this.#ownRecords.delete(record.key)
    for (const segments of [record.leased, record.done]) {
      for (const key of segments.keys()) {
        const marks = this.#marks.get(key)?.filter((mark) => mark.key !== record.key)
        if (marks !== undefined) this.#marks.set(key, marks)
      }
    }
    for (const { standings } of this.groups.values()) {
      for (const key of [...record.leased.keys(), ...record.done.keys()]) standings.delete(key)
    }
  }

  count(group: string, what: keyof Counts, by: number): void {
    const counts = this.counts.get(group) ?? { acked: 0, failed: 0 }
    counts[what] += by
    this.counts.set(group, counts)
  }
}

const NONE: ReadonlySet<number> = new Set()

function addDone(done: Set<number>, record: RecordEntry, { key, count }: Segment): void {
  const finished = record.done.get(key)
  if (finished === 'all') for (let i = 0; i < count; i++) done.add(i)
  else if (finished !== undefined) for (const i of finished) done.add(i)
}

/** The first place in sorted keys that is not before `key`. */
export function indexFrom(order: readonly string[], key: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

const ledgers = new WeakMap<KVBinding, Map<string, Ledger>>()

/** What this isolate knows of queues, by their prefixes. */
export function ledgersOf(binding: KVBinding): ReadonlyMap<string, Ledger> {
  return ledgers.get(binding) ?? new Map()
}

/** The ledger of a queue: one in an isolate for each binding. */
export function ledgerOf(binding: KVBinding, prefix: string, random: () => number): Ledger {
  let known = ledgers.get(binding)
  if (known === undefined) ledgers.set(binding, (known = new Map()))
  let ledger = known.get(prefix)
  if (ledger === undefined) known.set(prefix, (ledger = new Ledger(prefix, random)))
  return ledger
}
