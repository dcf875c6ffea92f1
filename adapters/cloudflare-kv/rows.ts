import type { Body, DeadReason } from '../../src/storage.ts'
import type { Segment } from './entries.ts'
import { fromBase64, toBase64 } from './keys.ts'

/** A message as a segment has it. */
export interface Row {
  readonly id: string
  readonly body: Body
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly timestamp: number
  readonly maxAttempts?: number | undefined
  /** When nobody wants it any more, in ms since 1970. */
  readonly expires?: number | undefined
  /** Deliveries that count, before it came into this segment. */
  readonly attempts: number
  readonly error?: string | undefined
  readonly reason?: DeadReason | undefined
  readonly deadAt?: number | undefined
}

/**
 * The value of a segment: a line of JSON, and behind it the bodies as they are. Texts cost what they cost; bytes a third more,
 * because values that are read in bulk are texts; texts that are not well-formed Unicode, which KV would change, travel as bytes too.
 */
interface Head {
  /** The timestamp of most rows. */
  readonly t: number
  readonly r: readonly (number | Described)[]
}

/** A row that is more than a text without options: only what differs from that. */
interface Described {
  /** Length of the body, in UTF-16 units of the value. */
  readonly l: number
  /** `b`: bytes, `u`: UTF-16 units, `n`: none, of what could not be read. */
  readonly k?: 'b' | 'u' | 'n'
  /** Absent: the number after the one before. */
  readonly i?: string
  readonly h?: Row['headers']
  readonly t?: number
  readonly m?: number
  readonly x?: number
  readonly a?: number
  readonly e?: string
  readonly q?: DeadReason
  readonly d?: number
}

const LONE_SURROGATE = /\p{Surrogate}/u

export function encodeRows(rows: readonly Row[]): string {
  const t = rows[0]!.timestamp
  let bodies = ''
  let before = ''
  const r = rows.map((row): number | Described => {
    const kind = kindOf(row.body)
    const text = kind === undefined ? (row.body as string) : kind === 'n' ? '' : toBase64(bytesOf(row.body))
    bodies += text
    const described: Described = {
      l: text.length,
      ...(kind !== undefined && { k: kind }),
      ...(row.id !== nextId(before) && { i: row.id }),
      ...(row.headers !== undefined && { h: row.headers }),
      ...(row.timestamp !== t && { t: row.timestamp }),
      ...(row.maxAttempts !== undefined && { m: row.maxAttempts }),
      ...(row.expires !== undefined && { x: row.expires }),
      ...(row.attempts !== 0 && { a: row.attempts }),
      ...(row.error !== undefined && { e: row.error }),
      ...(row.reason !== undefined && { q: row.reason }),
      ...(row.deadAt !== undefined && { d: row.deadAt }),
    }
    before = row.id
    return Object.keys(described).length === 1 ? text.length : described
  })
  return `${JSON.stringify({ t, r } satisfies Head)}\n${bodies}`
}

function kindOf(body: Body | null): Described['k'] {
  if (body === null) return 'n'
  if (typeof body !== 'string') return 'b'
  return LONE_SURROGATE.test(body) ? 'u' : undefined
}

/**
 * The rows of a segment, as many as it says. Others may write to the namespace: what is no row gets a body that is none, and so
 * becomes a dead letter.
 */
export function trustRows({ key, count, oldest }: Segment, value: string): Row[] {
  let rows: readonly Row[] = []
  try {
    rows = decodeRows(value)
  } catch {
    // Then none of them can be read.
  }
  return Array.from({ length: count }, (_, i) => {
    const row = rows[i]
    if (row !== undefined && isRow(row)) return row
    return { id: `${key}.${i}`, body: null as never, timestamp: oldest, attempts: 0 }
  })
}

function isRow({ id, headers, timestamp, maxAttempts, expires, attempts, error, deadAt }: Row): boolean {
  return (
    [timestamp, attempts, maxAttempts ?? 0, expires ?? 0, deadAt ?? 0].every(Number.isFinite) &&
    [id, error ?? '', ...Object.values(headers ?? {})].every((text) => typeof text === 'string') &&
    typeof (headers ?? {}) === 'object'
  )
}

function decodeRows(value: string): Row[] {
  let at = value.indexOf('\n') + 1
  const { t, r } = JSON.parse(value.slice(0, at)) as Head
  let id = ''
  return r.map((one) => {
    const row: Described = typeof one === 'number' ? { l: one } : one
    id = row.i ?? nextId(id)
    if (!(row.l >= 0)) throw new TypeError('this is not as it was written')
    const text = value.slice(at, (at += row.l))
    return {
      id,
      body: bodyOf(text, row.k),
      headers: row.h,
      timestamp: row.t ?? t,
      maxAttempts: row.m,
      expires: row.x,
      attempts: row.a ?? 0,
      error: row.e,
      reason: row.q,
      deadAt: row.d,
    }
  })
}

function bodyOf(text: string, kind: Described['k']): Body {
  if (kind === 'n') return null as never
  if (kind === undefined) return text
  return kind === 'b' ? fromBase64(text) : textOf(fromBase64(text))
}

/** Ids that a storage makes end in 8 hexadecimal digits. */
export function makeId(batchId: string, index: number): string {
  return batchId.slice(0, 28) + index.toString(16).padStart(8, '0')
}

function nextId(id: string): string {
  const digits = id.slice(28)
  return /^[\da-f]{8}$/.test(digits) ? makeId(id, Number.parseInt(digits, 16) + 1) : ''
}

function bytesOf(body: Body): Uint8Array {
  if (typeof body !== 'string') return body
  const units = new Uint16Array(body.length)
  for (let i = 0; i < body.length; i++) units[i] = body.charCodeAt(i)
  return new Uint8Array(units.buffer)
}

function textOf({ buffer }: Uint8Array): string {
  const units = new Uint16Array(buffer)
  const parts: string[] = []
  for (let i = 0; i < units.length; i += 0x8000)
    parts.push(String.fromCharCode(...units.subarray(i, i + 0x8000)))
  return parts.join('')
}

/** A message that is due at some time. */
export interface Due {
  readonly row: Row
  readonly at: number
}
