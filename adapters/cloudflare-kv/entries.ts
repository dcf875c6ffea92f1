import { DEAD, GROUP, RECORD, SEGMENT, isKey } from './keys.ts'

/** A consumer group, as one key of it says; two isolates that create it at once make two. */
export interface GroupEntry {
  readonly key: string
  readonly name: string
  /** It gets what comes behind this place in the queue; absent: everything. */
  readonly start?: string | undefined
}

/** A batch of messages, or of dead letters. */
export interface Segment {
  readonly key: string
  readonly count: number
  /** Of its value. */
  readonly bytes: number
  /** Retries and dead letters belong to one group. */
  readonly group?: string | undefined
  /** When the oldest of its messages was sent. */
  readonly oldest: number
  /** When the first of its messages expires; of dead letters, when they are forgotten. */
  readonly expires?: number | undefined
}

/** Which messages of which segments; `all` of one is most common and shortest. */
export type Done = Map<string, Set<number> | 'all'>
/** For each message the number of its lease in its segment: 1 for the first. */
export type Leased = Map<string, ReadonlyMap<number, number>>

/** What one call of one group has done: leases that it took, messages that it finished. */
export interface RecordEntry {
  readonly key: string
  readonly group: string
  /** The token of the leases; an extension repeats that of the lease. */
  readonly lease: string
  readonly until: number
  readonly leased: Leased
  readonly done: Done
  /** Its leases, of one segment, are from stock: only this isolate knows that they were given to somebody. */
  readonly isCovered: boolean
  /** Whether what it calls done lives on where it should: then its segment may be deleted. */
  safe: boolean
}

/** A record whose parts do not fit into metadata: what it is about lies between two segments. */
export interface LargeRecord {
  readonly key: string
  readonly first: string
  readonly last: string
  readonly bytes: number
}

/** Dead letters that were not to be kept for so long: KV may take a minute or more to forget them. */
export function isForgotten({ key, expires = Infinity }: Segment, now: number): boolean {
  return key.startsWith(DEAD) && expires <= now
}

interface GroupJson {
  readonly n: string
  readonly s?: string
}

interface SegmentJson {
  readonly n: number
  readonly b: number
  readonly o: number
  readonly g?: string
  readonly e?: number
}

interface RecordJson {
  readonly g: string
  readonly i?: string
  readonly u?: number
  /** Ranges of indices, behind a colon the number of the lease if it is not 1: `0-4,7:2;5`. */
  readonly l?: Readonly<Record<string, string>>
  readonly d?: Readonly<Record<string, string>>
}

interface LargeJson {
  readonly z: readonly [string, string, number]
}

const METADATA_BYTES = 1024
/** More messages than a segment has room for: each takes two bytes of its head, and its index six digits of a receipt. */
const MOST_MESSAGES = 1_000_000

export function groupJson({ name, start }: Omit<GroupEntry, 'key'>): GroupJson {
  // Escaped, because a character may need six bytes in JSON.
  return { n: encodeURIComponent(name), ...(start !== undefined && { s: start }) }
}

export function segmentJson({ count, bytes, oldest, group, expires }: Segment): SegmentJson {
  return {
    n: count,
    b: bytes,
    o: oldest,
    ...(group !== undefined && { g: group }),
    ...(expires !== undefined && { e: expires }),
  }
}

/** The value and the metadata of a record. */
export function encodeRecord(record: RecordEntry): { value: string; metadata: RecordJson | LargeJson } {
  const leased = [...record.leased].filter(([, counts]) => counts.size > 0)
  const json: RecordJson = {
    g: record.group,
    ...(leased.length > 0 && {
      i: record.lease,
      u: record.until,
      l: Object.fromEntries(leased.map(([key, counts]) => [key, formatCounts(counts)])),
    }),
    ...(record.done.size > 0 && {
      d: Object.fromEntries([...record.done].map(([key, done]) => [key, formatSet(done)])),
    }),
  }
  const value = JSON.stringify(json)
  if (value.length <= METADATA_BYTES) return { value: '', metadata: json }
  const keys = [...leased.map(([key]) => key), ...record.done.keys()].sort()
  return { value, metadata: { z: [keys[0]!, keys.at(-1)!, value.length] } }
}

function decodeRecord(key: string, json: RecordJson): RecordEntry {
  need(typeof json.g === 'string' && Number.isFinite(json.u ?? 0))
  const budget = { left: MOST_MESSAGES }
  return {
    key,
    group: json.g,
    isCovered: false,
    safe: true,
    lease: json.i ?? '',
    until: json.u ?? 0,
    leased: new Map(
      Object.entries(json.l ?? {}).map(([segment, text]) => [segment, parseCounts(text, budget)]),
    ),
    done: new Map(
      Object.entries(json.d ?? {}).map(([segment, text]) => [
        segment,
        text === '' ? 'all' : new Set(parseRanges(text, budget)),
      ]),
    ),
  }
}

export type Entry =
  | { readonly kind: typeof GROUP; readonly entry: GroupEntry }
  | { readonly kind: typeof RECORD; readonly entry: RecordEntry }
  | { readonly kind: 'large'; readonly entry: LargeRecord }
  | { readonly kind: typeof SEGMENT | typeof DEAD; readonly entry: Segment }

/** What a listed key stands for. Unknown ones, of later versions or somebody else's, are passed over. */
export function decodeEntry(key: string, metadata: unknown): Entry | undefined {
  if (!isKey(key) || typeof metadata !== 'object' || metadata === null) return undefined
  try {
    return entryOf(key, metadata)
  } catch {
    return undefined
  }
}

/** What was read as the value of a large record; `undefined` if it is none. */
export function decodeLarge(key: string, value: string): RecordEntry | undefined {
  try {
    return decodeRecord(key, JSON.parse(value) as RecordJson)
  } catch {
    return undefined
  }
}

function need(isAsWritten: boolean): void {
  if (!isAsWritten) throw new TypeError('this is not as it was written')
}

function entryOf(key: string, metadata: object): Entry | undefined {
  switch (key[0]) {
    case GROUP: {
      const { n, s } = metadata as GroupJson
      need(typeof n === 'string' && (s === undefined || typeof s === 'string'))
      return { kind: GROUP, entry: { key, name: decodeURIComponent(n), start: s } }
    }
    case RECORD: {
      if (!('z' in metadata)) return { kind: RECORD, entry: decodeRecord(key, metadata as RecordJson) }
      const [first, last, bytes] = (metadata as LargeJson).z
      need(typeof first === 'string' && typeof last === 'string' && bytes > 0)
      return { kind: 'large', entry: { key, first, last, bytes } }
    }
    case SEGMENT:
    case DEAD: {
      const { n, b, o, g, e } = metadata as SegmentJson
      // What a value of so many bytes can have.
      need(Number.isInteger(n) && n > 0 && n <= Math.min(b / 2, MOST_MESSAGES) && Number.isFinite(o))
      need((g === undefined || typeof g === 'string') && (e === undefined || Number.isFinite(e)))
      return {
        kind: key[0],
        entry: { key, count: n, bytes: b, oldest: o, group: g, expires: e },
      }
    }
    default:
      return undefined
  }
}

function formatSet(done: Set<number> | 'all'): string {
  return done === 'all' ? '' : formatRanges([...done])
}

function formatCounts(counts: ReadonlyMap<number, number>): string {
  const byCount = new Map<number, number[]>()
  for (const [index, count] of counts) {
    const indices = byCount.get(count)
    if (indices === undefined) byCount.set(count, [index])
    else indices.push(index)
  }
  return [...byCount]
    .map(([count, indices]) => formatRanges(indices) + (count === 1 ? '' : `:${count}`))
    .join(';')
}

function parseCounts(text: string, budget: Budget): Map<number, number> {
  const counts = new Map<number, number>()
  for (const part of text.split(';')) {
    const [ranges, count = '1'] = part.split(':')
    for (const index of parseRanges(ranges!, budget)) counts.set(index, Number(count))
  }
  return counts
}

function formatRanges(indices: number[]): string {
  indices.sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < indices.length; i++) {
    const first = indices[i]!
    while (indices[i + 1] === indices[i]! + 1) i++
    parts.push(first === indices[i] ? `${first}` : `${first}-${indices[i]}`)
  }
  return parts.join(',')
}

/** How many messages a record may yet tell of: a few digits can stand for more than there is room for. */
interface Budget {
  left: number
}

function parseRanges(text: string, budget: Budget): number[] {
  return text.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number)
    need(first! >= 0 && last! < MOST_MESSAGES && (budget.left -= last! - first! + 1) >= 0)
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i)
  })
}
