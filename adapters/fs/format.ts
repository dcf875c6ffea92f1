import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { type Key, type Table, TABLES } from '../../src/segments/index.ts'
import { Reader, type Writer } from './codec.ts'

/**
 * The journal's files, byte by byte. All numbers are little-endian.
 *
 * ```
 * file    header frame frame … (zeros: space prepared for more)
 * header  "quayside" | version u32 | number of the file u32 | magic u32 | first u32 | crc32 u32
 * frame   magic u32 | crc32 u32 | length u32 | boot u32 | lsn f64 | lag u32 | apart u32 | ops | puts that lie apart
 * op      kind and table u8 | queue varint | key … | for a put: length u32 | value; for one that lies apart: length u32
 * apart   put | crc32 u32
 * ```
 *
 * Puts of long bodies lie **apart**, behind the ops and in their order, with a checksum of their own: those of the frame, its
 * length included, tell of all but them. So whoever only wants to know what there is passes over them, and a body is checked
 * when it is read.
 *
 * A **frame** holds the ops of the transactions that were written together: all of it counts or nothing. Frames are
 * numbered without a gap, across files: the **lsn**. `lsn - lag` is the last frame that was known to be on the disk when
 * this one was written; it is what tells a torn tail from damage, see `replay.ts`.
 *
 * The **magic** is a random number of the file, so that no message body can be mistaken for a frame: a file that was sent
 * as a message, for instance.
 *
 * **First** is 1 if the journal starts with this file: because it is the first there ever was, or because those before it
 * are no longer needed. The first file that is there must say so, or one is missing.
 */
const FILE_TAG = 'quayside'
const VERSION = 1
export const FILE_HEADER = 28
export const FRAME_HEADER = 32

/** More frames than this were never written without an fsync in between; a larger lag is stored as this one. */
const MAX_LAG = 0xffff_ffff

const PUT = 1
const DELETE = 2
const DELETE_RANGE = 3
const NEXT_FILE = 4
const PUT_APART = 5

/** The table has the lower bits of the first byte of an op, the kind the others. */
const TABLE_BITS = 5
const TABLE_MASK = 2 ** TABLE_BITS - 1

const CHECKSUM = 4

/** The numbers of the tables. Part of the format: add at the end, never reorder. */
const TABLE_NUMBERS = {
  state: 0,
  log: 1,
  timers: 2,
  side: 3,
  due: 4,
  chain: 5,
  dead: 6,
  ids: 7,
  amend: 8,
  delayed: 9,
  held: 10,
  lanes: 11,
  ready: 12,
  wake: 13,
  holds: 14,
  results: 15,
  bodies: 16,
  copies: 17,
} as const satisfies Record<Table, number>

export const TABLE_NAMES: readonly Table[] = Object.keys(TABLE_NUMBERS) as Table[]

export function numberOfTable(table: Table): number {
  return TABLE_NUMBERS[table]
}

/** Whether the values of a table lie apart. */
export function liesApart(table: Table): boolean {
  return TABLES[table] === 'l'
}

/** What a file says of itself. */
export interface FileHeader {
  readonly number: number
  readonly magic: number
  readonly first: boolean
}

export function encodeFileHeader({ number, magic, first }: FileHeader): Buffer {
  const bytes = Buffer.alloc(FILE_HEADER)
  bytes.write(FILE_TAG, 0, 'latin1')
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeUInt32LE(number, 12)
  bytes.writeUInt32LE(magic, 16)
  bytes.writeUInt32LE(first ? 1 : 0, 20)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 24)), 24)
  return bytes
}

/** Answers with nothing if these bytes are no whole header. */
export function decodeFileHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < FILE_HEADER || bytes.toString('latin1', 0, 8) !== FILE_TAG) return undefined
  if (crc32(bytes.subarray(0, 24)) !== bytes.readUInt32LE(24) || bytes.readUInt32LE(8) !== VERSION)
    return undefined
  return {
    number: bytes.readUInt32LE(12),
    magic: bytes.readUInt32LE(16),
    first: bytes.readUInt32LE(20) === 1,
  }
}

/** What a frame says of itself. */
export interface Frame {
  readonly lsn: number
  /** The last frame that was on the disk when this one was written. */
  readonly safe: number
  /** Which boot of the machine wrote it, without waiting for the disk; 0 if it waited, or could not tell. */
  readonly boot: number
}

/** Fills in the header of the frame that lies at the start of `writer`, and has so many bytes apart. */
export function sealFrame(writer: Writer, magic: number, frame: Frame, apart = 0): void {
  const { buffer, at } = writer
  buffer.writeUInt32LE(magic, 0)
  buffer.writeUInt32LE(at - FRAME_HEADER, 8)
  buffer.writeUInt32LE(frame.boot, 12)
  buffer.writeDoubleLE(frame.lsn, 16)
  buffer.writeUInt32LE(Math.min(frame.lsn - frame.safe, MAX_LAG), 24)
  buffer.writeUInt32LE(apart, 28)
  buffer.writeUInt32LE(crc32(buffer.subarray(8, at)), 4)
}

/** How long the frame at `at` says it is without what lies apart, header included; `undefined` if no frame starts there. Needs its header. */
export function frameLength(buffer: Buffer, at: number, magic: number): number | undefined {
  return buffer.readUInt32LE(at) === magic ? FRAME_HEADER + buffer.readUInt32LE(at + 8) : undefined
}

/** How many bytes of a frame lie apart, behind its ops. Needs its header. */
export function lengthApart(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 28)
}

/** Whether the frame is there as it was written, without what lies apart. */
export function isIntact(buffer: Buffer, at: number, length: number): boolean {
  return crc32(buffer.subarray(at + 8, at + length)) === buffer.readUInt32LE(at + 4)
}

export function decodeFrame(buffer: Buffer, at: number): Frame {
  const lsn = buffer.readDoubleLE(at + 16)
  return { lsn, safe: lsn - buffer.readUInt32LE(at + 24), boot: buffer.readUInt32LE(at + 12) }
}

export function writePut(writer: Writer, queue: number, table: number, key: Key, value: unknown): void {
  writer.byte((PUT << TABLE_BITS) | table)
  writer.varint(queue)
  writer.value(key)
  writer.need(4)
  const start = (writer.at += 4)
  writer.value(value)
  writer.buffer.writeUInt32LE(writer.at - start, start - 4)
}

/** Ends a put that lies apart, and starts at `from`. */
export function sealApart(writer: Writer, from: number): void {
  writer.need(CHECKSUM)
  writer.buffer.writeUInt32LE(crc32(writer.buffer.subarray(from, writer.at)), writer.at)
  writer.at += CHECKSUM
}

/** Says in the ops of a frame that a put of so many bytes lies apart. */
export function writePutApart(writer: Writer, queue: number, table: number, key: Key, bytes: number): void {
  writer.byte((PUT_APART << TABLE_BITS) | table)
  writer.varint(queue)
  writer.value(key)
  writer.need(4)
  writer.buffer.writeUInt32LE(bytes, writer.at)
  writer.at += 4
}

/** Whether these bytes are a put that lies apart, as it was written. */
export function isIntactApart(bytes: Buffer): boolean {
  const end = bytes.length - CHECKSUM
  return end > 0 && crc32(bytes.subarray(0, end)) === bytes.readUInt32LE(end)
}

export function writeDelete(writer: Writer, queue: number, table: number, key: Key): void {
  writer.byte((DELETE << TABLE_BITS) | table)
  writer.varint(queue)
  writer.value(key)
}

export function writeDeleteRange(
  writer: Writer,
  queue: number,
  table: number,
  lower: Key | undefined,
  upper: Key | undefined,
): void {
  writer.byte((DELETE_RANGE << TABLE_BITS) | table)
  writer.varint(queue)
  writer.value(lower)
  writer.value(upper)
}

/** The last op of a file that is followed by another one: from then on, that one must be there. */
export function writeNextFile(writer: Writer, number: number): void {
  writer.byte(NEXT_FILE << TABLE_BITS)
  writer.varint(number)
}

/** Where the ops of a frame go. `from` and `to` are where a put lies in the buffer; what lies apart may do so behind its end. */
export interface OpSink {
  put(queue: number, table: number, key: Key, from: number, to: number): void
  delete(queue: number, table: number, key: Key): void
  deleteRange(queue: number, table: number, lower: Key | undefined, upper: Key | undefined): void
  nextFile(number: number): void
}

/**
 * Hands the ops of a frame to `sink`: those from where `reader` is to its end, where what lies apart begins.
 *
 * @throws RangeError if these are none.
 */
export function readOps(reader: Reader, sink: OpSink): void {
  let apart = reader.end
  while (reader.at < reader.end) apart += readOp(reader, sink, apart)
}

/** Answers with how many bytes of the op lie apart. */
function readOp(reader: Reader, sink: OpSink, apart: number): number {
  const from = reader.at
  const first = reader.byte()
  const table = first & TABLE_MASK
  const queue = reader.varint()
  switch (first >> TABLE_BITS) {
    case PUT: {
      const key = reader.value() as Key
      const size = reader.skip(4)
      reader.skip(reader.buffer.readUInt32LE(size))
      sink.put(queue, table, key, from, reader.at)
      return 0
    }
    case PUT_APART: {
      const key = reader.value() as Key
      const bytes = reader.buffer.readUInt32LE(reader.skip(4))
      sink.put(queue, table, key, apart, apart + bytes)
      return bytes
    }
    case DELETE:
      sink.delete(queue, table, reader.value() as Key)
      return 0
    case DELETE_RANGE: {
      const lower = reader.value() as Key | undefined
      sink.deleteRange(queue, table, lower, reader.value() as Key | undefined)
      return 0
    }
    case NEXT_FILE:
      sink.nextFile(queue)
      return 0
    default:
      throw new RangeError(`No op starts with the byte ${first}`)
  }
}

/** The value of the put that lies from `from` to `to`. */
export function valueOfPut(buffer: Buffer, from: number, to: number): unknown {
  const reader = new Reader(buffer, from, to)
  if (reader.byte() >> TABLE_BITS !== PUT) throw new RangeError('These bytes are no put')
  reader.varint()
  reader.value()
  reader.skip(4)
  return reader.value()
}
