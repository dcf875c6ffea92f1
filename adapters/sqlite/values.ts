import { pack, unpack } from '../durable-object/packed.ts'

/** Values as bytes: JSON; or, where there are bytes beside it, a 0, the length of the JSON in 4 bytes, the JSON, the bytes. */
const HEAD_BYTES = 5

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function valueBytes(value: unknown): Uint8Array {
  const { text, bytes } = pack(value)
  const encoded = encoder.encode(text)
  if (bytes === undefined) return encoded
  const whole = new Uint8Array(HEAD_BYTES + encoded.length + bytes.length)
  new DataView(whole.buffer).setUint32(1, encoded.length)
  whole.set(encoded, HEAD_BYTES)
  whole.set(bytes, HEAD_BYTES + encoded.length)
  return whole
}

export function valueOf(stored: Uint8Array): unknown {
  if (stored[0] !== 0) return unpack({ text: decoder.decode(stored) })
  const end = HEAD_BYTES + new DataView(stored.buffer, stored.byteOffset).getUint32(1)
  return unpack({ text: decoder.decode(stored.subarray(HEAD_BYTES, end)), bytes: stored.subarray(end) })
}
