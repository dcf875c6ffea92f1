import { Buffer } from 'node:buffer'
import { Reader } from './codec.ts'
import { corrupt } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { findFrames, Frames } from './frames.ts'
import { type JournalFile, missing, openNext, readAll, writeAll } from './files.ts'
import { type OpSink, decodeFrame, FILE_HEADER, FRAME_HEADER, isIntactApart, readOps } from './format.ts'

/**
 * Opening a journal: reads every frame in order, finds the end, and says whether what lies behind it is a **torn tail**,
 * left by a process or machine that died while it wrote, or **damage**.
 *
 * A frame that is missing or broken was torn only if nobody was ever told that it is safe. So it is damage if any frame
 * after it says otherwise: each frame tells how far the journal was on the disk when it was written (`safe`), and where
 * nothing but the process can have died since, how far it was written at all.
 *
 * What lies apart is not read. Only of the last frames, those that nothing proves to be there, it is looked whether it is as
 * it was written; if it is not, the journal ends before. What is broken elsewhere is damage, and found by whoever reads it.
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
  /** How many of the files are the journal. The others, the newest ones, hold nothing. */
  readonly count: number
  /** The last frame. */
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

/** Reads all files, and hands what they hold to what `into` answers with: of several, the last. Nothing is written. */
export async function replay(
  fileSystem: FileSystem,
  directory: string,
  files: JournalFile[],
  boot: number,
  into: () => ReplaySink,
): Promise<Replayed> {
  const { scan, count } = await scanAll(fileSystem, directory, files, boot, into)
  const last = files[count - 1]
  const bytes = last === undefined ? 0 : scan.judge(last, files.slice(count))
  return {
    count,
    lsn: scan.lsn,
    safe: scan.safeMark(),
    ...(bytes > 0 && last !== undefined && { tornTail: { file: last.path, offset: last.size, bytes } }),
  }
}

/** As {@link replay}, without a look at what lies behind the end. */
export async function scanAll(
  fileSystem: FileSystem,
  directory: string,
  files: JournalFile[],
  boot: number,
  into: () => ReplaySink,
): Promise<{ readonly scan: Scan; readonly count: number }> {
  for (let end = Infinity; ;) {
    const scan = new Scan(fileSystem, boot, into(), end)
    const count = await scan.files(directory, files)
    const torn = await scan.firstTorn()
    if (torn === undefined) return { scan, count }
    end = torn
    for (const file of files) file.size = FILE_HEADER
  }
}

/** Only the newest file can be missing without being missed here; the last frame of the one before tells of it. */
function checkComplete(directory: string, files: readonly JournalFile[]): void {
  const [oldest] = files
  if (oldest === undefined) return
  if (oldest.magic !== 0 && !oldest.first) throw missing(directory, oldest.number - 1)
  files.forEach((file, i) => {
    if (file.number !== oldest.number + i) throw missing(directory, oldest.number + i)
  })
}

/** Reads frame after frame. */
export class Scan {
  /** The last frame that was read. */
  lsn = 0
  /** The file that the last frame says follows. */
  announced: number | undefined
  readonly #fileSystem: FileSystem
  readonly #boot: number
  readonly #sink: OpSink & ReplaySink
  readonly #reader = new Reader(Buffer.alloc(0))
  #buffer: Buffer = Buffer.alloc(0)
  /** The last frame known to be on the disk. */
  #safe = 0
  /** Places of some frames, with what preceded them: where to start writing again. */
  readonly #marks: { readonly lsn: number; readonly file: number; readonly offset: number }[] = []
  readonly #end: number
  /** What lies apart in frames that nothing proves to be there, in order. */
  readonly #unproven: { lsn: number; file: JournalFile; offset: number; length: number }[] = []

  /** @param end The first frame that does not count. */
  constructor(fileSystem: FileSystem, boot: number, sink: ReplaySink, end = Infinity) {
    this.#fileSystem = fileSystem
    this.#boot = boot
    this.#end = end
    let frames = { file: undefined as unknown as JournalFile, base: 0 }
    this.#sink = {
      locate: (file, base, buffer) => {
        frames = { file, base }
        sink.locate(file, base, buffer)
      },
      put: (queue, table, key, from, to) => {
        if (from >= this.#reader.end)
          this.#unproven.push({
            lsn: this.lsn,
            file: frames.file,
            offset: frames.base + from,
            length: to - from,
          })
        sink.put(queue, table, key, from, to)
      },
      delete: (queue, table, key) => sink.delete(queue, table, key),
      deleteRange: (queue, table, lower, upper) => sink.deleteRange(queue, table, lower, upper),
      nextFile: (number) => (this.announced = number),
    }
  }

  /** Reads the files of a directory, and those that its owner adds meanwhile. Answers with how many of them are the journal. */
  async files(directory: string, files: JournalFile[]): Promise<number> {
    checkComplete(directory, files)
    let count = 0
    for (const file of files) {
      if (file.magic === 0) {
        this.judgeHeader(file, file === files.at(-1))
        break
      }
      await this.file(file)
      count++
      if (this.announced !== file.number + 1) break
      if (count === files.length) files.push(openNext(this.#fileSystem, directory, this.announced))
    }
    return count
  }

  /**
   * Reads the frames of a file, from its size on, up to the first that is not there, and sets the size to where they end.
   */
  async file(file: JournalFile): Promise<void> {
    const bytes = Math.min(file.prepared - file.size, CHUNK)
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(bytes)
    const frames = new Frames(this.#fileSystem, file, file.prepared, this.#buffer, file.size)
    let marked = -Infinity
    let isNext = true
    while (isNext && (await frames.more())) {
      this.#sink.locate(file, frames.base, frames.buffer)
      for (let length = frames.whole(); length > 0; length = frames.whole()) {
        const { lsn, safe, boot } = decodeFrame(frames.buffer, frames.at)
        isNext = lsn < this.#end && (lsn === this.lsn + 1 || this.#anyFirst(file))
        if (!isNext) break
        if (frames.position - marked >= MARK_DISTANCE) {
          marked = frames.position
          this.#marks.push({ lsn: this.lsn, file: file.number, offset: marked })
        }
        this.lsn = lsn
        this.#safe = Math.max(this.#safe, safe)
        this.#ops(file, frames, length)
        this.#prove(boot !== 0 && boot === this.#boot ? lsn : safe)
        frames.pass(length)
      }
    }
    file.size = frames.position
    this.#buffer = frames.buffer
  }

  /** Whether the journal starts with this file's first frame, whose number nothing tells: files before it were deleted. */
  #anyFirst(file: JournalFile): boolean {
    return this.lsn === 0 && file.number > 1
  }

  #ops(file: JournalFile, { buffer, base, at }: Frames, length: number): void {
    const reader = this.#reader
    reader.buffer = buffer
    reader.at = at + FRAME_HEADER
    reader.end = at + length
    this.announced = undefined
    try {
      readOps(reader, this.#sink)
    } catch (error) {
      throw corrupt(file.path, base + reader.at, 'what stands there cannot be read by this version', error)
    }
  }

  /** All frames up to this one are there. */
  #prove(lsn: number): void {
    while (this.#unproven.length > 0 && this.#unproven[0]!.lsn <= lsn) this.#unproven.shift()
  }

  /** The first frame of those that were read of which something that lies apart is not as it was written. */
  async firstTorn(): Promise<number | undefined> {
    for (const { lsn, file, offset, length } of this.#unproven) {
      const bytes = Buffer.allocUnsafe(length)
      for (let done = 0, read = -1; done < length && read !== 0; done += read)
        read = await this.#fileSystem.readAhead(file.fd, bytes, done, length - done, offset + done)
      if (!isIntactApart(bytes)) return lsn
    }
    return undefined
  }

  /** A header that is not whole is no harm if its file was being created: it is on the disk before anything else. */
  judgeHeader(file: JournalFile, newest: boolean): void {
    const isNew = newest && file.prepared <= FILE_HEADER && this.announced !== file.number
    if (isNew && !this.#anyFirst(file)) return
    throw corrupt(file.path, 0, 'its header is not what was written, or a later version wrote it')
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
    for (const { at } of findFrames(bytes, magic, 0)) {
      const { lsn, safe, boot } = decodeFrame(bytes, at)
      const written = boot !== 0 && boot === this.#boot ? lsn - 1 : safe
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
 * Makes the files what {@link replay} found them to be: removes those that hold nothing, cuts off the tail, and puts
 * everything on the disk.
 *
 * Frames that nobody knows to be there are written once more. After a failed fsync they may be in memory only, and Linux
 * takes them for written: a plain fsync would do nothing, and the next power cut would take them, and with them all that
 * was built on them. Writing the same bytes to the same place can be interrupted and repeated.
 */
export async function repair(
  fileSystem: FileSystem,
  directory: string,
  files: JournalFile[],
  { count, safe }: Replayed,
): Promise<void> {
  while (files.length > count) {
    const { fd, path } = files.pop()!
    closeQuietly(fileSystem, fd)
    fileSystem.remove(path)
    // Before the next one goes: of two names that vanish, a power cut may bring back the later one alone.
    await fileSystem.syncDirectory(directory)
  }
  for (const file of files) {
    if (file.number < safe.file) continue
    rewrite(fileSystem, file, file.number === safe.file ? safe.offset : 0)
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

function lengthWithoutZeros(bytes: Buffer): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}
