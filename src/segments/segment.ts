import type { Body } from '../storage.ts'
import { indexInSegment, makeId } from './ids.ts'
import type { Columns, Extras, LongBody, Segment, Stored } from './rows.ts'
import type { StoreLimits } from './store.ts'

/** Reads segments, and makes them. */

export function lengthOf(segment: Segment): number {
  return Array.isArray(segment.bodies) ? segment.bodies.length : 1
}

export function lastOf(segment: Segment): number {
  return segment.first + lengthOf(segment) - 1
}

export function bodyAt(segment: Segment, index: number): Body | LongBody {
  const { bodies } = segment
  return Array.isArray(bodies) ? (bodies[index] as Body | LongBody) : (bodies as Body | LongBody)
}

export function idAt(segment: Segment, index: number): string {
  return segment.more?.id?.[index] ?? makeId(segment.base, segment.first + index, false)
}

/** The index of the message with this id, -1 if there is none. */
export function indexOfId(segment: Segment, id: string): number {
  const ids = segment.more?.id
  if (ids?.includes(id)) return ids.indexOf(id)
  const index = id.startsWith(segment.base) ? (indexInSegment(id, segment.first) ?? -1) : -1
  return index >= 0 && index < lengthOf(segment) && idAt(segment, index) === id ? index : -1
}

export function messageAt(segment: Segment, index: number): Stored {
  const { more, lane } = segment
  const id = idAt(segment, index)
  const body = bodyAt(segment, index)
  if (more === undefined)
    return lane === undefined ? { id, body, at: segment.at } : { id, body, at: segment.at, lane }
  const message: { -readonly [F in keyof Stored]: Stored[F] } = {
    id,
    body,
    at: more.at?.[index] ?? segment.at,
    lane,
    key: more.key?.[index],
    headers: more.headers?.[index],
    expires: more.expires?.[index],
    maxAttempts: more.maxAttempts?.[index],
    named: more.named?.[index],
  }
  // Not without need: it may get a row of its own.
  if (more.keepMs !== undefined) message.keepMs = more.keepMs[index]
  if (more.since !== undefined) message.since = more.since[index]
  return message
}

/** A message about to be put into a segment. Its id is there only if it is not to be made of the segment's base. */
export interface Draft extends Extras {
  readonly body: Body | LongBody
}

/** What somebody else has put in its place may have no length. */
export function sizeOfBody(body: Body | LongBody | null): number {
  return body?.length || 0
}

/**
 * Bytes a message counts for. A string counts one byte for each UTF-16 unit: exact for ASCII, and close enough to
 * balance segments by.
 */
export function sizeOf(message: Draft): number {
  let size = sizeOfBody(message.body)
  if (message.key !== undefined) size += message.key.length
  if (message.headers !== undefined) {
    for (const name in message.headers) size += name.length + message.headers[name]!.length
  }
  return size || 0
}

/** The messages of a segment, to be put into another one. */
export function draftsOf(segment: Segment): Draft[] {
  return Array.from({ length: lengthOf(segment) }, (_, i) => messageAt(segment, i))
}

export interface SegmentStart {
  readonly first: number
  readonly at: number
  readonly base: string
  readonly bytes: number
  readonly lane?: string | undefined
}

/** Cuts a batch into segments. Answers with the bytes of them all. */
export function makeSegments(
  messages: readonly Draft[],
  start: SegmentStart,
  { segmentMessages, segmentBytes }: StoreLimits,
  add: (segment: Segment) => void,
): number {
  let total = 0
  for (let from = 0; from < messages.length;) {
    let size = sizeOf(messages[from]!)
    let to = from + 1
    for (; to < messages.length && to - from < segmentMessages; to++) {
      const next = sizeOf(messages[to]!)
      if (size + next > segmentBytes) break
      size += next
    }
    const part = from === 0 && to === messages.length ? messages : messages.slice(from, to)
    add({
      first: start.first + from,
      at: start.at,
      base: start.base,
      bodies: part.length === 1 ? part[0]!.body : part.map(({ body }) => body),
      bytes: start.bytes + total,
      more: columnsOf(part),
      lane: start.lane,
    })
    total += size
    from = to
  }
  return total
}

const COLUMNS = ['id', 'at', 'key', 'headers', 'expires', 'maxAttempts', 'named', 'keepMs', 'since'] as const

/** Whether it is but a body, as most are. */
function isBare({ id, at, key, headers, expires, maxAttempts, named, keepMs, since }: Draft): boolean {
  return (id ?? at ?? key ?? headers ?? expires ?? maxAttempts ?? named ?? keepMs ?? since) === undefined
}

function columnsOf(messages: readonly Draft[]): Columns | undefined {
  if (messages.every(isBare)) return undefined
  let columns: Record<string, unknown[]> | undefined
  for (const name of COLUMNS) {
    if (messages.every((message) => message[name] === undefined)) continue
    columns ??= {}
    columns[name] = messages.map((message) => message[name])
  }
  return columns
}
