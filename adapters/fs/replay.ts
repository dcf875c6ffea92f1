import { Buffer } from 'node:buffer'
import { Reader } from './codec.ts'
import { corrupt } from './faults.ts'
import type { FileSystem } from './file-system.ts'
import {
  type OpSink,
  decodeFileHeader,
  decodeFrame,
  FILE_HEADER,
  FRAME_HEADER,
  frameLength,
  isIntact,
  readOp,
} from './format.ts'
import { type JournalFile, pathOfFile, writeAll } from './journal.ts'

/**
 * Opening a journal: reads every frame in order, finds the end, and says whether what lies behind it is a **torn tail**,
 * left by a process or machine that died while it wrote, or **damage**.
 *
 * A frame that is missing or broken was torn only if nobody was ever told that it is safe. So it is damage if any frame
 * after it says otherwise: each frame tells how far the journal was on the disk when it was written (`safe`), and where
 * nothing but the process can have died since, how far it was written at all.
 */

/** Read at once. */
const CHUNK = 4 * 1024 * 1024

/** From how far back frames are written again, at most, that were on the disk already. */
const MARK_DISTANCE = 256 * 1024

export interface TornTail {
  /** The file whose last whole frame is the last one of the journal. */
  readonly file: string
  /** Where that frame ends. */
  readonly offset: number
  /** How many bytes follow it that are no zeros, later files included. */
  readonly bytes: number
}

export interface Replayed {
  /** Oldest first. */
  readonly files: JournalFile[]
  /** Files that hold nothing: to be removed. */
  readonly leftOver: JournalFile[]
  readonly lsn: number
  readonly tornTail?: TornTail
  /** Everything before this place is on the disk for sure. */
  readonly safe: { readonly file: number; readonly offset: number }
}

/** What a frame's ops are handed to, and where they lie. */
export interface ReplaySink extends Omit<OpSink, 'nextFile'> {
  /** The following ops come from this file and lie in this buffer; add `base` to an offset to get the place in the file. */
  locate(file: JournalFile, base: number, buffer: Buffer): void
}

/** Opens the journal files of a directory. Nothing is written. */
export function openFiles(fileSystem: FileSystem, directory: string): JournalFile[] {
  const numbers = fileSystem
    .list(directory)
    .map((name) => Number(/^journal-(\d{10})\.qsj$/.exec(name)?.[1]))
    .filter((number) => number > 0)
    .sort((a, b) => a - b)
  const files: JournalFile[] = []
  try {
    for (const number of numbers) {
      const path = pathOfFile(directory, number)
      const previous = files.at(-1)
      if (previous !== undefined && previous.number !== number - 1) {
        throw corrupt(pathOfFile(directory, previous.number + 1), 0, 'the file is missing')
      }
      const fd = fileSystem.open(path, false)
      files.push({ number, path, fd, magic: 0, size: 0, prepared: 0, live: 0 })
      files[files.length - 1] = readHeader(fileSystem, files.at(-1)!)
    }
  } catch (error) {
    for (const file of files) fileSystem.close(file.fd)
    throw error
  }
  return files
}

/** A magic of 0 says that the header is not whole. */
function readHeader(fileSystem: FileSystem, file: JournalFile): JournalFile {
  const size = fileSystem.size(file.fd)
  const header = Buffer.alloc(FILE_HEADER)
  const bytes = fileSystem.read(file.fd, header, 0, FILE_HEADER, 0)
  const magic = decodeFileHeader(header.subarray(0, bytes), file.number) ?? 0
  return { ...file, magic, prepared: size }
}

/** Reads all files and hands what they hold to `sink`. Nothing is written. */
export async function replay(
  fileSystem: FileSystem,
  directory: string,
  files: JournalFile[],
  boot: number,
  sink: ReplaySink,
): Promise<Replayed> {
  const scan = new Scan(fileSystem, boot, sink)
  let at = 0
  for (; at < files.length; at++) {
    const file = files[at]!
    if (file.magic === 0) {
      // Headers are on the disk before anything depends on them.
      const needed = scan.announced === file.number || (at === 0 && file.number > 1)
      if (needed || at < files.length - 1 || file.prepared > FILE_HEADER) {
        throw corrupt(file.path, 0, 'the header of the file is not what was written')
      }
      break
    }
    await scan.file(file)
    if (scan.announced !== file.number + 1) break
  }
  if (at === files.length) {
    // Every file announced the next one.
    if (at > 0) throw corrupt(pathOfFile(directory, scan.announced!), 0, 'the file is missing')
    return { files: [], leftOver: [], lsn: 0, safe: { file: 0, offset: 0 } }
  }
  const ended = files[at]!.magic === 0 ? at - 1 : at
  const leftOver = files.slice(ended + 1)
  const bytes = ended < 0 ? 0 : scan.judge(files[ended]!, leftOver)
  const last = files[ended]
  return {
    files: files.slice(0, ended + 1),
    leftOver,
    lsn: scan.lsn,
    safe: scan.safeMark(),
    ...(bytes > 0 && last !== undefined && { tornTail: { file: last.path, offset: last.size, bytes } }),
  }
}

class Scan {
  /** The last frame that was read. */
  lsn = 0
  /** The file that the last frame says follows. */
  announced: number | undefined
  readonly #fileSystem: FileSystem
  readonly #boot: number
  readonly #sink: OpSink & ReplaySink
  readonly #reader = new Reader(Buffer.alloc(0))
  #buffer = Buffer.allocUnsafe(CHUNK)
  /** The last frame known to be on the disk. */
  #safe = 0
  /** Places of some frames, with what preceded them: where to start writing again. */
  readonly #marks: { readonly lsn: number; readonly file: number; readonly offset: number }[] = []

  constructor(fileSystem: FileSystem, boot: number, sink: ReplaySink) {
    this.#fileSystem = fileSystem
    this.#boot = boot
    this.#sink = {
      locate: (file, base, buffer) => sink.locate(file, base, buffer),
      put: (queue, table, key, from, to) => sink.put(queue, table, key, from, to),
      delete: (queue, table, key) => sink.delete(queue, table, key),
      deleteRange: (queue, table, lower, upper) => sink.deleteRange(queue, table, lower, upper),
      nextFile: (number) => (this.announced = number),
    }
  }

  /** Reads the frames of a file up to the first that is not there, and sets the file's size to where they end. */
  async file(file: JournalFile): Promise<void> {
    const end = file.prepared
    let base = FILE_HEADER
    let filled = 0
    let marked = -Infinity
    for (;;) {
      const read = Math.min(this.#buffer.length - filled, end - base - filled)
      if (read > 0) {
        const bytes = await this.#fileSystem.readAhead(file.fd, this.#buffer, filled, read, base + filled)
        if (bytes === 0) throw corrupt(file.path, base + filled, 'the file ends too early')
        filled += bytes
      }
      this.#sink.locate(file, base, this.#buffer)
      let at = 0
      let wanted = FRAME_HEADER
      let broken = false
      while (filled - at >= FRAME_HEADER) {
        const length = frameLength(this.#buffer, at, file.magic)
        if (length === undefined || base + at + length > end) broken = true
        if (broken || length === undefined) break
        wanted = length
        if (filled - at < length) break
        const frame = isIntact(this.#buffer, at, length) ? decodeFrame(this.#buffer, at) : undefined
        if (frame === undefined || frame.lsn !== (this.#anyFirst(file) ? frame.lsn : this.lsn + 1)) {
          broken = true
          break
        }
        if (base + at - marked >= MARK_DISTANCE) {
          marked = base + at
          this.#marks.push({ lsn: this.lsn, file: file.number, offset: marked })
        }
        this.lsn = frame.lsn
        if (frame.safe > this.#safe) this.#safe = frame.safe
        this.#ops(file, base, at + FRAME_HEADER, at + length)
        at += length
        wanted = FRAME_HEADER
      }
      base += at
      if (broken || base + filled - at >= end) {
        file.size = base
        return
      }
      this.#buffer.copyWithin(0, at, filled)
      filled -= at
      if (wanted > this.#buffer.length) {
        const larger = Buffer.allocUnsafe(wanted)
        this.#buffer.copy(larger, 0, 0, filled)
        this.#buffer = larger
      }
    }
  }

  /** Whether the journal starts with this file's first frame, whose number nothing tells: files before it were deleted. */
  #anyFirst(file: JournalFile): boolean {
    return this.lsn === 0 && file.number > 1
  }

  #ops(file: JournalFile, base: number, from: number, to: number): void {
    const reader = this.#reader
    reader.buffer = this.#buffer
    reader.at = from
    reader.end = to
    this.announced = undefined
    try {
      while (reader.at < to) readOp(reader, this.#sink)
    } catch (error) {
      throw corrupt(file.path, base + reader.at, 'what stands there cannot be read by this version', error)
    }
  }

  /**
   * Looks for proof behind the end of the journal that something was lost there, and throws `CORRUPT` if there is any.
   * Answers with the bytes that were torn.
   */
  judge(last: JournalFile, later: readonly JournalFile[]): number {
    // Only files whose successors are on the disk are ever deleted: the first frame of such a successor must be there.
    if (this.#anyFirst(last)) {
      throw corrupt(last.path, last.size, 'the first frame is not what was written')
    }
    let bytes = 0
    for (const file of [last, ...later]) {
      const from = file === last ? last.size : FILE_HEADER
      const rest = Buffer.allocUnsafe(Math.max(file.prepared - from, 0))
      readAll(this.#fileSystem, file, rest, rest.length, from)
      bytes += lengthWithoutZeros(rest)
      if (file.magic !== 0 && this.#provesLoss(rest, file.magic)) {
        throw corrupt(last.path, last.size, 'a frame was written there and is not what was written')
      }
    }
    return bytes
  }

  #provesLoss(bytes: Buffer, magic: number): boolean {
    const start = Buffer.alloc(4)
    start.writeUInt32LE(magic)
    for (let at = bytes.indexOf(start); at !== -1; at = bytes.indexOf(start, at + 1)) {
      if (bytes.length - at < FRAME_HEADER) return false
      const length = frameLength(bytes, at, magic)!
      if (at + length > bytes.length || !isIntact(bytes, at, length)) continue
      const frame = decodeFrame(bytes, at)
      const written = frame.boot !== 0 && frame.boot === this.#boot ? frame.lsn - 1 : frame.safe
      if (written > this.lsn) return true
    }
    return false
  }

  /** A place before which everything is on the disk. */
  safeMark(): { file: number; offset: number } {
    return this.#marks.findLast((mark) => mark.lsn <= this.#safe) ?? { file: 0, offset: 0 }
  }
}

/**
 * Makes the files what {@link replay} found them to be: cuts off the tail, and puts everything on the disk.
 *
 * Frames that nobody knows to be there are written once more. After a failed fsync they may be in memory only, and Linux
 * takes them for written: a plain fsync would do nothing, and the next power cut would take them, and with them all that
 * was built on them. Writing the same bytes to the same place can be interrupted and repeated.
 */
export async function repair(fileSystem: FileSystem, directory: string, replayed: Replayed): Promise<void> {
  for (const file of replayed.leftOver.toReversed()) {
    fileSystem.close(file.fd)
    fileSystem.remove(file.path)
  }
  for (const file of replayed.files) {
    if (file.number < replayed.safe.file) continue
    rewrite(fileSystem, file, file.number === replayed.safe.file ? replayed.safe.offset : 0)
    if (file.prepared > file.size) {
      fileSystem.truncate(file.fd, file.size)
      file.prepared = file.size
    }
    await fileSystem.dataSync(file.fd)
  }
  await fileSystem.syncDirectory(directory)
}

function rewrite(fileSystem: FileSystem, file: JournalFile, from: number): void {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, file.size - from))
  for (let at = from; at < file.size; at += buffer.length) {
    const length = Math.min(buffer.length, file.size - at)
    readAll(fileSystem, file, buffer, length, at)
    writeAll(fileSystem, file.fd, buffer, length, at)
  }
}

function readAll(
  fileSystem: FileSystem,
  file: JournalFile,
  into: Buffer,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length;) {
    const bytes = fileSystem.read(file.fd, into, done, length - done, position + done)
    if (bytes === 0) throw corrupt(file.path, position + done, 'the file ends too early')
    done += bytes
  }
}

function lengthWithoutZeros(bytes: Buffer): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}
