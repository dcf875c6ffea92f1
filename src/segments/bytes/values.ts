import { pack, unpack } from './packed.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Comes first where bytes follow the text: no JSON begins with it. */
const HAS_BYTES = 0
/** That mark, and how long the text is. */
const HEAD = 5

/** A value as bytes: its JSON in UTF-8, or a mark, the length of the JSON, the JSON, and the bytes that it speaks of. */
export function encodeValue(value: unknown): Uint8Array {
  const { text, bytes } = pack(value)
  const json = encoder.encode(text)
  if (bytes === undefined) return json
  const whole = new Uint8Array(HEAD + json.length + bytes.length)
  whole[0] = HAS_BYTES
  new DataView(whole.buffer).setUint32(1, json.length)
  whole.set(json, HEAD)
  whole.set(bytes, HEAD + json.length)
  return whole
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
  if (whole[0] !== HAS_BYTES) return unpack({ text: decoder.decode(whole) })
  const end = HEAD + new DataView(whole.buffer, whole.byteOffset).getUint32(1)
  return unpack({ text: decoder.decode(whole.subarray(HEAD, end)), bytes: whole.subarray(end) })
}
