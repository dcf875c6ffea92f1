import { pack, unpack } from './packed.ts'

const encoder = /* @__PURE__ */ new TextEncoder()
// What begins with U+FEFF keeps it.
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

/** Comes first where bytes follow the text: no JSON begins with it. */
const HAS_BYTES = 0
/** Comes first where texts follow. */
const HAS_TEXTS = 1
/** That mark, and how long the JSON is. */
const HEAD = 5
/** Lists of texts with so many signs lie apart: JSON would have to escape each quotation mark in them. */
const LONG = 512

type Plain = Readonly<Record<string, unknown>>

/** Values are encoded here: memory that is new costs more than all else. */
let desk = new Uint8Array(16 * 1024)
/** It grows up to this; what is longer gets memory of its own. */
const MAX_DESK = 1024 * 1024
/** Of one UTF-16 unit. */
const MAX_UTF8 = 3

/**
 * A value as bytes: its JSON in UTF-8; or a mark, the length of the JSON, the JSON, and what it speaks of: bytes, or the texts of
 * one list, of which the JSON has the lengths.
 *
 * @param passing Nobody needs the bytes after the next call.
 */
export function encodeValue(value: unknown, passing: boolean = false): Uint8Array {
  const apart = textsApart(value)
  if (apart !== undefined) return joined(HAS_TEXTS, apart.json, apart.text, passing)
  const { text, bytes } = pack(value)
  return bytes === undefined ? joined(undefined, text, '', passing) : joined(HAS_BYTES, text, bytes, passing)
}

/** Whether a value that was encoded so has bytes in it. */
export function hasBytes(whole: Uint8Array): boolean {
  return whole[0] === HAS_BYTES
}

/** The value of some bytes: `null`, which no row is, where these are not as they were written. */
export function decodeValue(whole: Uint8Array): unknown {
  try {
    return decoded(whole)
  } catch {
    return null
  }
}

function decoded(whole: Uint8Array): unknown {
  const mark = whole[0]
  if (mark !== HAS_BYTES && mark !== HAS_TEXTS) return unpack({ text: decoder.decode(whole) })
  const end = HEAD + new DataView(whole.buffer, whole.byteOffset).getUint32(1)
  const text = decoder.decode(whole.subarray(HEAD, end))
  if (mark === HAS_BYTES) return unpack({ text, bytes: whole.subarray(end) })
  const [name, value] = JSON.parse(text) as [string, Record<string, unknown>]
  const texts = decoder.decode(whole.subarray(end))
  let at = 0
  value[name] = (value[name] as number[]).map((length) => texts.slice(at, (at += length)))
  if (at !== texts.length) throw new TypeError('texts are not as long as they were')
  return value
}

function joined(
  mark: number | undefined,
  json: string,
  rest: string | Uint8Array,
  passing: boolean,
): Uint8Array {
  const most = HEAD + json.length * MAX_UTF8 + rest.length * (typeof rest === 'string' ? MAX_UTF8 : 1)
  if (most > desk.length && most <= MAX_DESK) desk = new Uint8Array(2 ** Math.ceil(Math.log2(most)))
  const place = most <= desk.length ? desk : new Uint8Array(most)
  const start = mark === undefined ? 0 : HEAD
  let end = start + put(json, place, start)
  if (mark !== undefined) {
    place[0] = mark
    new DataView(place.buffer).setUint32(1, end - HEAD)
    end += put(rest, place, end)
  }
  return passing ? place.subarray(0, end) : place.slice(0, end)
}

function put(part: string | Uint8Array, place: Uint8Array, at: number): number {
  if (typeof part === 'string') return encoder.encodeInto(part, at === 0 ? place : place.subarray(at)).written
  place.set(part, at)
  return part.length
}

/** `false` too where the runtime cannot tell. */
function isWellFormed(text: string): boolean {
  return (text as { isWellFormed?(): boolean }).isWellFormed?.() ?? false
}

/** The first long list of texts in a value, and the JSON of the rest; `undefined`: all of it had better be JSON. */
function textsApart(value: unknown): { readonly json: string; readonly text: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  for (const name in value) {
    const list = (value as Plain)[name]
    if (!Array.isArray(list) || list.length < 2) continue
    let length = 0
    for (const one of list) {
      if (typeof one !== 'string') return undefined
      length += one.length
    }
    if (length < LONG) continue
    const text = list.join('')
    // Half a pair of surrogates has no UTF-8.
    if (!isWellFormed(text)) return undefined
    const rest = pack([name, { ...value, [name]: list.map((one: string) => one.length) }])
    return rest.bytes === undefined ? { json: rest.text, text } : undefined
  }
  return undefined
}
