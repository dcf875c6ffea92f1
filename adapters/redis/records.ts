import type { Body, NewMessage } from '../../src/storage.ts'
import {
  allocate,
  fromText,
  lengthOf,
  readUint32,
  toText,
  toUnits,
  writeText,
  writeUint32,
  writeUnits,
} from './bytes.ts'

/**
 * Records: what of a message only clients need to read, its body and headers.
 *
 * A byte says what the body is, and whether there are headers: these come first then, as JSON, behind four bytes with
 * their length. The server gets some records in one piece, behind a table of where each one ends, and keeps it so.
 */
const UTF8 = 0
const BYTES = 1
/** Little-endian code units, for strings with lone surrogates, which UTF-8 cannot carry. */
const UTF16 = 2
const HEADERS = 4

/** With the `u` flag, surrogates that form a pair are one character, and not of this class. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Messages of one segment at most, and bytes unless one message alone has more: a claim of a few has to read them all. */
const SEGMENT_MESSAGES = 256
const SEGMENT_BYTES = 64 * 1024

export interface Segment {
  readonly count: number
  readonly blob: Uint8Array
}

/** What of a message a record has. */
type Content = Pick<NewMessage, 'body' | 'headers'>

interface Draft {
  readonly kind: number
  readonly body: Body
  readonly headers: Uint8Array | undefined
  readonly size: number
}

function draftOf({ body, headers }: Content): Draft {
  const json = headers && fromText(JSON.stringify(headers))
  const kind = typeof body !== 'string' ? BYTES : LONE_SURROGATE.test(body) ? UTF16 : UTF8
  const length = typeof body !== 'string' ? body.length : kind === UTF16 ? body.length * 2 : lengthOf(body)
  return { kind, body, headers: json, size: 1 + (json === undefined ? 0 : 4 + json.length) + length }
}

/** Packs messages into segments. */
export function pack(messages: readonly Content[]): Segment[] {
  const segments: Segment[] = []
  let drafts: Draft[] = []
  let size = 0
  for (const message of messages) {
    const draft = draftOf(message)
    if (drafts.length === SEGMENT_MESSAGES || (size + draft.size > SEGMENT_BYTES && drafts.length > 0)) {
      segments.push(segmentOf(drafts, size))
      drafts = []
      size = 0
    }
    drafts.push(draft)
    size += draft.size
  }
  segments.push(segmentOf(drafts, size))
  return segments
}

function segmentOf(drafts: readonly Draft[], size: number): Segment {
  const start = 4 * drafts.length
  const blob = allocate(start + size)
  let at = start
  for (const [i, { kind, body, headers, size: length }] of drafts.entries()) {
    let place = at + 1
    blob[at] = headers === undefined ? kind : kind | HEADERS
    if (headers !== undefined) {
      writeUint32(blob, headers.length, place)
      blob.set(headers, place + 4)
      place += 4 + headers.length
    }
    if (typeof body !== 'string') blob.set(body, place)
    else if (kind === UTF16) writeUnits(blob, body, place)
    else writeText(blob, body, place)
    at += length
    writeUint32(blob, at - start, 4 * i)
  }
  return { count: drafts.length, blob }
}

export interface Record {
  readonly body: Body
  readonly headers: Readonly<globalThis.Record<string, string>> | undefined
}

/** What another client has put in place of a record. A body that is none makes a dead letter of it. */
const UNREADABLE = { body: null as never, headers: undefined }

/** Reads the record that lies from `start` to `end`. */
export function unpack(bytes: Uint8Array, start: number = 0, end: number = bytes.length): Record {
  try {
    if (start < end && end <= bytes.length) return read(bytes, start, end)
  } catch {
    // A length that leads out of it, or what is no JSON.
  }
  return UNREADABLE
}

function read(bytes: Uint8Array, start: number, end: number): Record {
  const kind = bytes[start]!
  let from = start + 1
  let headers: Record['headers']
  if (kind & HEADERS) {
    const to = from + 4 + readUint32(bytes, from)
    headers = JSON.parse(toText(bytes, from + 4, to)) as globalThis.Record<string, string>
    if (!isHeaders(headers)) return UNREADABLE
    from = to
  }
  switch (kind & ~HEADERS) {
    case BYTES:
      // A copy: a part of the answer would hold on to all of it.
      return { body: new Uint8Array(bytes.subarray(from, end)), headers }
    case UTF16:
      return { body: toUnits(bytes, from, end), headers }
    case UTF8:
      return { body: toText(bytes, from, end), headers }
    default:
      return UNREADABLE
  }
}

function isHeaders(headers: unknown): boolean {
  if (typeof headers !== 'object' || headers === null) return false
  return Object.values(headers).every((value) => typeof value === 'string')
}

/** A body by itself, as the server keeps what handlers return. Never empty. */
export function packBody(body: Body): Uint8Array {
  const draft = draftOf({ body })
  return segmentOf([draft], draft.size).blob.subarray(4)
}

export function unpackBody(bytes: Uint8Array): Body {
  return unpack(bytes).body
}

/** A text that the server keeps and need not understand: what an attempt failed with. Never empty. */
export function packText(text: string): Uint8Array {
  if (!LONE_SURROGATE.test(text)) return fromText(`s${text}`)
  const bytes = allocate(2 + 2 * text.length)
  writeUnits(bytes, `w${text}`, 0)
  return bytes
}

export function unpackText(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  return bytes[1] === 0 && bytes[0] === 0x77 ? toUnits(bytes, 2, bytes.length) : toText(bytes, 1)
}
