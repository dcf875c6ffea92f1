import { Buffer } from 'node:buffer'
import { QuaysideError } from '../../src/errors.ts'

/**
 * Values and keys as bytes: a compact binary form that says itself what it holds, so that any runtime and any later
 * version can read it.
 *
 * One byte says what follows. Numbers from 0 to 127 and the lengths of short ASCII strings are part of that byte.
 */
const UNDEFINED = 0
const NULL = 1
const FALSE = 2
const TRUE = 3
/** A varint: 7 bits a byte, lowest first, the top bit says that more follow. */
const POSITIVE = 4
/** A varint of `-1 - value`. */
const NEGATIVE = 5
/** Eight bytes, little-endian. Whatever is no safe integer, and `-0`. */
const DOUBLE = 6
/** Each string has a varint of its bytes first. */
const ASCII = 7
const UTF8 = 8
/** Little-endian code units, for strings with lone surrogates, which UTF-8 cannot carry. */
const UTF16 = 9
const BYTES = 10
/** A varint of the elements, then these. */
const ARRAY = 11
/** A varint of the properties, then name and value of each. */
const OBJECT = 12
/** 0x40 + length: an ASCII string of up to 63 characters. */
const SHORT = 0x40
/** 0x80 + number. */
const SMALL = 0x80

/**
 * Property names that the engine's rows have, stored as one byte: the place in this list, from 1. Any other name is
 * spelled out after a 0. Part of the format: add at the end, never change or reorder.
 */
const NAMES: readonly string[] = (
  'tail bytes sent delayed nextDelayed nextTimer timer reaper amended aliased groups groupsEver latest skew token ' +
  'cursor leases nextLease due until checked trimmed skipped waiting blocked redriven dead acked failed first last ' +
  'lease attempt named key row at base bodies more alias id headers expires maxAttempts body seq message error ' +
  'reason fence gone keepMs since parked kept keptUntil outcome status value progress delayedBytes lane lanes ' +
  'laneTail intoLanes inLanes laneBytes passed joining tied holds probes opened held heldUntil epoch mark markBytes ' +
  'fades stops late atLeft walk blocks freed flows ready wake rest tokenAt full again length'
).split(' ')
const NUMBER_OF_NAME: ReadonlyMap<string, number> = new Map(NAMES.map((name, i) => [name, i + 1]))

/** Strings up to here are cheaper to write in a loop than with a call into the runtime. */
const LOOP_LENGTH = 24

const LONE_SURROGATE = /\p{Surrogate}/u

/** What is written at once is shorter than this: lengths and places are kept in 32 bits, and Node takes none that are larger. */
export const MAX_BYTES: number = 2 ** 31 - 1

/** Bytes under construction, in a buffer that grows. */
export class Writer {
  buffer: Buffer
  at = 0

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  /**
   * Makes room for `more` bytes behind the current ones.
   *
   * @throws QuaysideError `TOO_LARGE` if these would be more than {@link MAX_BYTES}.
   */
  need(more: number): void {
    const wanted = this.at + more
    if (wanted <= this.buffer.length) return
    if (wanted > MAX_BYTES) throw tooLarge()
    const grown = Buffer.allocUnsafe(Math.min(Math.max(wanted, this.buffer.length * 2), MAX_BYTES))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
  }

  /** Lets a large buffer go. What was written is lost. */
  shrink(size: number): void {
    this.buffer = Buffer.allocUnsafe(size)
  }

  byte(value: number): void {
    this.need(1)
    this.buffer[this.at++] = value
  }

  bytes(value: Uint8Array): void {
    this.need(value.length)
    this.buffer.set(value, this.at)
    this.at += value.length
  }

  varint(value: number): void {
    this.need(8)
    const { buffer } = this
    let rest = value
    while (rest >= 0x8000_0000) {
      buffer[this.at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      buffer[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[this.at++] = rest
  }

  /** @throws TypeError for what is no plain data: a function, a symbol, a BigInt, an instance of a class. */
  value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        return this.#string(value)
      case 'number':
        return this.#number(value)
      case 'undefined':
        return this.byte(UNDEFINED)
      case 'boolean':
        return this.byte(value ? TRUE : FALSE)
      case 'object':
        break
      default:
        throw new TypeError(`Rows hold plain data only, not a ${typeof value}`)
    }
    if (value === null) return this.byte(NULL)
    if (Array.isArray(value)) {
      this.byte(ARRAY)
      this.varint(value.length)
      for (let i = 0; i < value.length; i++) this.value(value[i])
      return
    }
    if (value instanceof Uint8Array) {
      this.byte(BYTES)
      this.varint(value.length)
      return this.bytes(value)
    }
    this.#object(value)
  }

  #object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    // A plain object of another realm has a prototype that is not ours but is the last of its chain.
    if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw new TypeError(`Rows hold plain data only, not an instance of ${value.constructor.name}`)
    }
    const names = Object.keys(value)
    this.byte(OBJECT)
    this.varint(names.length)
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      const known = NUMBER_OF_NAME.get(name)
      this.byte(known ?? 0)
      if (known === undefined) this.#string(name)
      this.value((value as Record<string, unknown>)[name])
    }
  }

  #number(value: number): void {
    if (value >= 0 && value <= 0x7f && Number.isInteger(value) && !Object.is(value, -0)) {
      this.byte(SMALL | value)
    } else if (Number.isSafeInteger(value) && value !== 0) {
      this.byte(value < 0 ? NEGATIVE : POSITIVE)
      this.varint(value < 0 ? -1 - value : value)
    } else {
      this.need(9)
      this.buffer[this.at++] = DOUBLE
      this.buffer.writeDoubleLE(value, this.at)
      this.at += 8
    }
  }

  #string(value: string): void {
    const { length } = value
    if (length > LOOP_LENGTH || !this.#shortString(value)) this.#longString(value)
  }

  /** Answers `false`, and writes nothing, if the string is not ASCII. */
  #shortString(value: string): boolean {
    const { length } = value
    this.need(length + 1)
    const { buffer } = this
    let at = this.at
    buffer[at++] = SHORT | length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      buffer[at++] = code
    }
    this.at = at
    return true
  }

  /**
   * Writes it as if it were ASCII, which nearly all are, and looks how many bytes that took: one for each code unit, and
   * it was.
   */
  #longString(value: string): void {
    const { length } = value
    const start = this.at
    const most = length < 0x1000 ? length * 3 : Buffer.byteLength(value)
    this.need(6 + most)
    if (length < 0x40) this.buffer[this.at++] = SHORT | length
    else {
      this.buffer[this.at++] = ASCII
      this.varint(length)
    }
    const written = this.buffer.write(value, this.at)
    if (written === length) {
      this.at += written
      return
    }
    this.at = start
    if (LONE_SURROGATE.test(value)) {
      this.byte(UTF16)
      this.varint(length * 2)
      this.need(length * 2)
      this.at += this.buffer.write(value, this.at, 'utf16le')
    } else {
      this.byte(UTF8)
      this.varint(written)
      this.at += this.buffer.write(value, this.at)
    }
  }
}

/** Reads what a {@link Writer} wrote. Everything it answers with is a copy. */
export class Reader {
  buffer: Buffer
  at: number
  end: number

  constructor(buffer: Buffer, at = 0, end: number = buffer.length) {
    this.buffer = buffer
    this.at = at
    this.end = end
  }

  /** @throws RangeError if the bytes end before the value does, or are none of a Writer's. */
  byte(): number {
    if (this.at >= this.end) throw new RangeError('The bytes end too early')
    return this.buffer[this.at++]!
  }

  varint(): number {
    const first = this.byte()
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      if (scale > Number.MAX_SAFE_INTEGER) throw new RangeError('A number has too many bytes')
    }
  }

  /** Passes over `length` bytes and answers where they start. */
  skip(length: number): number {
    const start = this.at
    if (length > this.end - start) throw new RangeError('The bytes end too early')
    this.at = start + length
    return start
  }

  value(): unknown {
    const tag = this.byte()
    if (tag >= SMALL) return tag & 0x7f
    if (tag >= SHORT) return this.#text(tag & 0x3f, 'latin1')
    switch (tag) {
      case UNDEFINED:
        return undefined
      case NULL:
        return null
      case FALSE:
        return false
      case TRUE:
        return true
      case POSITIVE:
        return this.varint()
      case NEGATIVE:
        return -1 - this.varint()
      case DOUBLE:
        return this.buffer.readDoubleLE(this.skip(8))
      case ASCII:
        return this.#text(this.varint(), 'latin1')
      case UTF8:
        return this.#text(this.varint(), 'utf8')
      case UTF16:
        return this.#text(this.varint(), 'utf16le')
      case BYTES: {
        const start = this.skip(this.varint())
        return new Uint8Array(this.buffer.subarray(start, this.at))
      }
      case ARRAY:
        return this.#array(this.#count())
      case OBJECT:
        return this.#object(this.#count())
      default:
        throw new RangeError(`No value starts with the byte ${tag}`)
    }
  }

  /** How many elements follow. Each has a byte at least, so a damaged count cannot ask for more memory than there is. */
  #count(): number {
    const count = this.varint()
    if (count > this.end - this.at) throw new RangeError('The bytes end too early')
    return count
  }

  #text(length: number, encoding: BufferEncoding): string {
    const start = this.skip(length)
    return this.buffer.toString(encoding, start, this.at)
  }

  #array(count: number): unknown[] {
    const array: unknown[] = []
    for (let i = 0; i < count; i++) array.push(this.value())
    return array
  }

  #object(count: number): object {
    const object: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) {
      const name = NAMES[this.byte() - 1] ?? this.value()
      const value = this.value()
      if (name !== '__proto__') object[name as string] = value
      // An assignment would change the prototype instead of adding a property.
      else
        Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
    }
    return object
  }
}

export function tooLarge(): QuaysideError {
  return new QuaysideError(
    'TOO_LARGE',
    `What one call writes to a journal may have ${MAX_BYTES} bytes, and this would have more. Nothing of it was stored: ` +
      'take fewer messages at once',
  )
}
