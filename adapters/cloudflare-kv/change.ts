import type { Done, RecordEntry, Segment } from './entries.ts'
import { encodeRecord, segmentJson } from './entries.ts'
import { DEAD, RECORD, SEGMENT, groupId } from './keys.ts'
import { COUNTED_MS, type Group, type Ledger } from './ledger.ts'
import { BYTES_PER_READ, type Namespace } from './namespace.ts'
import type { Settings } from './options.ts'
import { type Due, type Row, encodeRows } from './rows.ts'

/** For how long what is done is kept here only, while its segment is worked on. Who dies meanwhile does it again. */
const UNSAVED_MS = 30_000

/** What the verbs of one view work with. */
export interface Work {
  readonly kv: Namespace
  readonly ledger: Ledger
  readonly settings: Settings
}

/**
 * What one call does to the messages of a group. It is told to the ledger at once, and to KV in an order in which every
 * beginning is safe: first the copies (dead letters, retries), then what is leased or done in part, then deletions. Whatever
 * is cut off is delivered once more, and nothing is lost.
 */
export class Change {
  readonly work: Work
  readonly group: Group
  readonly now: number
  readonly record: RecordEntry
  readonly #done: Map<string, Set<number>> = new Map()
  readonly #leased: Map<string, Map<number, number>> = new Map()
  /** Dead letters, by how long they are kept. */
  readonly #dead: Map<number | undefined, Due[]> = new Map()
  readonly #retries: Due[] = []
  /** Segments that were finished by somebody who did not come to delete them. */
  readonly #finished: Map<string, Segment> = new Map()
  /** Messages that are leased besides, for those who come next here; nobody has been given them, so nothing counts. */
  readonly #stock: Map<string, Set<number>> = new Map()
  #committed = false

  /** @param isCovered KV knows of the leases already: they are from stock. */
  constructor(
    work: Work,
    group: Group,
    now: number,
    leaseMs: number,
    lease?: string,
    isCovered: boolean = false,
  ) {
    const { keys } = work.ledger
    this.work = work
    this.group = group
    this.now = now
    this.record = {
      key: keys.make(RECORD, now),
      group: groupId(group.keys[0]!),
      lease: lease ?? keys.token(),
      isCovered,
      safe: false,
      until: now + leaseMs,
      leased: this.#leased,
      done: this.#done,
    }
    work.ledger.addRecord(this.record, now)
  }

  /** Leases messages of a segment; `counts` says for each the number of the lease. {@link tell} must follow. */
  lease(key: string, counts: Iterable<readonly [number, number]>): void {
    const leased = entryOf(this.#leased, key, () => new Map<number, number>())
    for (const [index, count] of counts) leased.set(index, count)
  }

  /** Leases the rest of a segment for the next claims here, in the same record. */
  stockUp(key: string, indices: Set<number>): void {
    this.#stock.set(key, indices)
  }

  /** The group is done with a message, wherever else it lives on. {@link tell} must follow. */
  done(key: string, index: number): void {
    entryOf(this.#done, key, () => new Set<number>()).add(index)
    this.#leased.get(key)?.delete(index)
  }

  /** Nothing happened to a segment after all: it is not there. */
  forget(key: string): void {
    this.#leased.delete(key)
    this.#done.delete(key)
    this.#stock.delete(key)
  }

  /** Lets everybody here know. */
  tell(): void {
    this.work.ledger.touch(this.record)
  }

  /** Makes it a dead letter, which is kept for so long. */
  bury(row: Row, deadForMs: number | undefined): void {
    entryOf(this.#dead, deadForMs, () => []).push({ row, at: this.now })
  }

  /** Delivers it again. */
  retry(due: Due): void {
    this.#retries.push(due)
  }

  /** Deletes what others have finished. */
  sweep(segment: Segment): void {
    if (!this.#done.has(segment.key)) this.#finished.set(segment.key, segment)
  }

  /** The call has failed: what was told and not committed is not going to happen. */
  abandon(): void {
    if (!this.#committed) this.work.ledger.withdraw(this.record)
  }

  /** @param defer What is done may be saved later, because the caller goes on working. */
  async commit(tried: string, defer: boolean = false): Promise<void> {
    const { work, record, now, group } = this
    const { kv, ledger, settings } = work
    const owner = record.group
    this.#committed = true
    const deleted: Segment[] = []
    try {
      for (const [keepMs, dead] of this.#dead)
        await writeValues(work, tried, valuesFor(work, DEAD, dead, now, owner, keepMs), now)
      if (this.#retries.length > 0)
        await writeValues(work, tried, valuesFor(work, SEGMENT, this.#retries, now, owner), now)
      record.safe = true
      for (const key of this.#done.keys()) {
        const segment = ledger.segment(key)
        if (segment === undefined) continue
        if (ledger.standing(group, segment).done.size === segment.count) kv.release(key)
        if (ledger.isFinished(segment)) deleted.push(segment)
      }
      const known = ledger.unsaved.get(group.name)
      const since = known?.since ?? now
      const records = new Set(known?.records).add(record)
      const done = this.#merge(records, deleted)
      const leased = record.isCovered ? new Map<string, Map<number, number>>() : this.#withStock()
      const hasLeases = [...leased.values()].some((counts) => counts.size > 0)
      // With a record that must be written anyway it costs nothing.
      const waits = defer && !hasLeases && this.#dead.size === 0 && now - since < UNSAVED_MS
      const written: RecordEntry = { ...record, leased, done: waits ? new Map() : this.#shorten(done) }
      if (hasLeases || written.done.size > 0) {
        const { value, metadata } = encodeRecord(written)
        // What is done must be known for as long as the segment is there.
        const doneMs = written.done.size > 0 ? settings.retentionMs : 0
        const leasedMs = hasLeases ? record.until - now + COUNTED_MS : 0
        await kv.put(tried, ledger.prefix + record.key, value, metadata, Math.max(doneMs, leasedMs))
        if (!waits) this.#remember(done)
      }
      // Others may have added theirs meanwhile.
      if (waits && done.size > 0)
        entryOf(ledger.unsaved, group.name, () => ({ since, records: new Set() })).records.add(record)
      else ledger.saved(group, records)
    } catch (error) {
      ledger.withdraw(record)
      throw error
    }
    const { lease: token, until } = record
    for (const [key, indices] of this.#stock) ledger.stockUp(group, key, { token, until, indices })
    deleted.push(...this.#finished.values())
    if (deleted.length > 0) await removeSegments(work, tried, deleted, now)
    if (this.#leased.size === 0 && this.#done.size === 0) ledger.withdraw(record)
  }

  /** What records say is done, of segments that stay. */
  #merge(records: Iterable<RecordEntry>, deleted: readonly Segment[]): Map<string, Set<number>> {
    const { ledger } = this.work
    const merged: Map<string, Set<number>> = new Map()
    for (const { done } of records) {
      for (const [key, indices] of done) {
        const segment = ledger.segment(key)
        if (segment === undefined || deleted.includes(segment)) continue
        const all = entryOf(merged, key, () => new Set<number>())
        for (const index of indices as Set<number>) all.add(index)
      }
    }
    return merged
  }

  #shorten(merged: ReadonlyMap<string, Set<number>>): Done {
    const { ledger } = this.work
    const isAll = (key: string, { size }: Set<number>): boolean => size === ledger.segment(key)!.count
    return new Map([...merged].map(([key, indices]) => [key, isAll(key, indices) ? 'all' : indices]))
  }

  /** The record has in KV what others said is done, and here they may be forgotten before it is. */
  #remember(merged: ReadonlyMap<string, Set<number>>): void {
    for (const [key, indices] of merged) for (const index of indices) this.done(key, index)
    this.tell()
  }

  #withStock(): Map<string, Map<number, number>> {
    const all = new Map(this.#leased)
    for (const [key, indices] of this.#stock) {
      all.set(key, new Map([...(all.get(key) ?? []), ...[...indices].map((index) => [index, 0] as const)]))
    }
    return all
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

/** Deletes segments. Whoever looks from here sees them gone at once. */
export async function removeSegments(
  { kv, ledger }: Work,
  tried: string,
  segments: readonly Segment[],
  now: number,
): Promise<void> {
  for (const { key } of segments) {
    ledger.removeSegment(key, now)
    kv.release(key)
  }
  await kv.deleteAll(
    tried,
    segments.map(({ key }) => ledger.prefix + key),
  )
}

/** A segment with its value, and how long KV keeps it. */
interface Value {
  readonly segment: Segment
  readonly value: string
  readonly ttlMs: number
}

/**
 * Values of messages: those that are due together in one segment, unless that would be larger than a value may be.
 *
 * A segment whose messages are all due alike is claimed and finished whole, and then all that is to be known about it is
 * whether it is there.
 */
export function valuesFor(
  { ledger, settings }: Work,
  kind: typeof SEGMENT | typeof DEAD,
  due: readonly Due[],
  now: number,
  group?: string,
  keepMs?: number,
): Value[] {
  const values: Value[] = []
  for (const { at, rows } of together(due, now, settings.delayStepMs)) {
    for (const { value, bytes, part } of partsOf(rows)) {
      const expiries = part.flatMap(({ expires }) => (expires === undefined ? [] : [expires]))
      const ends = kind === SEGMENT ? expiries : keepMs === undefined ? [] : [now + keepMs]
      const segment: Segment = {
        key: ledger.keys.make(kind, at),
        count: part.length,
        bytes,
        group,
        oldest: part.reduce((oldest, { timestamp }) => Math.min(oldest, timestamp), Infinity),
        expires: ends.length > 0 ? Math.min(...ends) : undefined,
      }
      values.push({ segment, value, ttlMs: at - now + (keepMs ?? settings.retentionMs) })
    }
  }
  return values
}

export async function writeValues(
  { kv, ledger }: Work,
  tried: string,
  values: readonly Value[],
  now: number,
): Promise<void> {
  for (const { segment, value, ttlMs } of values) {
    await kv.put(tried, ledger.prefix + segment.key, value, segmentJson(segment), ttlMs)
    ledger.addSegment(segment, now)
  }
}

/** What is due by now, and what is due within a step, at the last time of it. */
function* together(due: readonly Due[], now: number, stepMs: number): Generator<{ at: number; rows: Row[] }> {
  const ready = due.filter(({ at }) => at <= now)
  if (ready.length > 0) yield { at: now, rows: ready.map(({ row }) => row) }
  const later = due.filter(({ at }) => at > now).sort((a, b) => a.at - b.at)
  for (let i = 0; i < later.length;) {
    const first = later[i]!.at
    const from = i
    while (i < later.length && later[i]!.at <= first + stepMs) i++
    yield { at: later[i - 1]!.at, rows: later.slice(from, i).map(({ row }) => row) }
  }
}

function* partsOf(rows: readonly Row[]): Generator<{ value: string; bytes: number; part: readonly Row[] }> {
  const value = encodeRows(rows)
  const bytes = encoder.encode(value).length
  if (bytes <= BYTES_PER_READ || rows.length === 1) yield { value, bytes, part: rows }
  else {
    const half = rows.length >> 1
    yield* partsOf(rows.slice(0, half))
    yield* partsOf(rows.slice(half))
  }
}

const encoder = new TextEncoder()
