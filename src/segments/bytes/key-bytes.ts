import type { Key } from '../store.ts'

/**
 * Keys as bytes whose order, byte by byte, is the order of {@link Key}: how SQLite compares BLOBs.
 *
 * An element is a tag, and then
 *
 * - of a number, the 8 bytes of its double, most significant first; all bits turned over if it is negative, else the sign
 *   alone, so that greater numbers have greater bytes;
 * - of a string, each UTF-16 code unit as UTF-8 writes a code point of that number (surrogates too, as CESU-8 does: its
 *   bytes are in the order of code units, and any of them may stand alone), and a 0 at the end. The units 0 and 1 are
 *   1 1 and 1 2, so that the end comes before everything.
 */
const NUMBER = 0x10
const STRING = 0x20
/** Comes after every tag: behind all keys that start with what is before it. */
const BEHIND = 0xff

const scratch = new DataView(new ArrayBuffer(8))

/** The bytes of a key. With `behind`, what comes right after all keys that start with it. `first` is a byte to put before them. */
export function keyBytes(key: Key, behind?: boolean, first?: number): Uint8Array {
  const elements = typeof key === 'object' ? key : [key]
  const start = first === undefined ? 0 : 1
  let size = start + (behind ? 1 : 0)
  for (const element of elements) size += typeof element === 'number' ? 9 : element.length * 3 + 2
  // Of what somebody else has written.
  if (Number.isNaN(size)) throw new TypeError('a key is made of numbers and strings')
  const bytes = new Uint8Array(size)
  if (first !== undefined) bytes[0] = first
  let at = start
  for (const element of elements)
    at = typeof element === 'number' ? putNumber(bytes, at, element) : putString(bytes, at, element)
  if (behind) bytes[at++] = BEHIND
  return at === size ? bytes : bytes.subarray(0, at)
}

function putNumber(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  scratch.setFloat64(0, value)
  const flipped = value < 0 ? 0xff : 0
  bytes[at++] = NUMBER
  bytes[at++] = scratch.getUint8(0) ^ (flipped || 0x80)
  for (let i = 1; i < 8; i++) bytes[at++] = scratch.getUint8(i) ^ flipped
  return at
}

function putString(bytes: Uint8Array, start: number, text: string): number {
  let at = start
  bytes[at++] = STRING
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 2) {
      bytes[at++] = 1
      bytes[at++] = unit + 1
    } else if (unit < 0x80) {
      bytes[at++] = unit
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      bytes[at++] = 0xe0 | (unit >> 12)
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    }
  }
  bytes[at++] = 0
  return at
}

/** The key of some bytes; a key of one element comes as that element. */
export function keyOf(bytes: Uint8Array): Key {
  const elements: (number | string)[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes[at++] === NUMBER) {
      elements.push(numberAt(bytes, at))
      at += 8
    } else {
      const end = bytes.indexOf(0, at)
      if (end < 0) throw new TypeError('a key is not as it was written')
      elements.push(text(bytes, at, end))
      at = end + 1
    }
  }
  return elements.length === 1 ? elements[0]! : elements
}

function numberAt(bytes: Uint8Array, at: number): number {
  const flipped = bytes[at]! < 0x80 ? 0xff : 0
  scratch.setUint8(0, bytes[at]! ^ (flipped || 0x80))
  for (let i = 1; i < 8; i++) scratch.setUint8(i, bytes[at + i]! ^ flipped)
  return scratch.getFloat64(0)
}

function text(bytes: Uint8Array, start: number, end: number): string {
  let result = ''
  for (let at = start; at < end;) {
    const byte = bytes[at++]!
    let unit = byte
    if (byte === 1) unit = bytes[at++]! - 1
    else if (byte >= 0xe0) unit = ((byte & 0xf) << 12) | ((bytes[at++]! & 0x3f) << 6) | (bytes[at++]! & 0x3f)
    else if (byte >= 0x80) unit = ((byte & 0x1f) << 6) | (bytes[at++]! & 0x3f)
    result += String.fromCharCode(unit)
  }
  return result
}
