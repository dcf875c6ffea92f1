/**
 * Texts in bytes. Node's buffers are quicker with short ones than what every runtime has, and its clients take nothing else;
 * whoever has such a client says that they are there.
 */
interface Buffers {
  new (): NodeBuffer
  allocUnsafe(length: number): Uint8Array
  byteLength(text: string): number
  from(text: string): Uint8Array
}

interface NodeBuffer extends Uint8Array {
  write(text: string, at: number): number
  toString(encoding?: 'utf8', from?: number, to?: number): string
}

let buffers: Buffers | undefined

/** From now on, what is made here are buffers. */
export function useBuffers(given: unknown): void {
  buffers = given as Buffers
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function allocate(length: number): Uint8Array {
  return buffers?.allocUnsafe(length) ?? new Uint8Array(length)
}

/** The length of a text in bytes of UTF-8. */
export function lengthOf(text: string): number {
  return buffers?.byteLength(text) ?? encoder.encode(text).length
}

export function fromText(text: string): Uint8Array {
  return buffers?.from(text) ?? encoder.encode(text)
}

/** Writes a text into bytes that were allocated here. */
export function writeText(bytes: Uint8Array, text: string, at: number): void {
  if (buffers === undefined) encoder.encodeInto(text, bytes.subarray(at))
  else (bytes as NodeBuffer).write(text, at)
}

/** Whatever is no UTF-8 becomes U+FFFD. */
export function toText(bytes: Uint8Array, from: number = 0, to: number = bytes.length): string {
  return buffers !== undefined && bytes instanceof buffers
    ? bytes.toString('utf8', from, to)
    : decoder.decode(bytes.subarray(from, to))
}

/** Little-endian code units, which carry lone surrogates. */
export function writeUnits(bytes: Uint8Array, text: string, at: number): void {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    bytes[at + 2 * i] = unit
    bytes[at + 2 * i + 1] = unit >>> 8
  }
}

export function toUnits(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at + 1 < to; at += 2) text += String.fromCharCode(bytes[at]! | (bytes[at + 1]! << 8))
  return text
}

/** Little-endian, without a sign. */
export function writeUint32(bytes: Uint8Array, value: number, at: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function readUint32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw new RangeError('a number is expected behind the end')
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** The order of texts by their bytes. */
export function byBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
