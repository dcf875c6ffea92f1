import { Buffer } from 'node:buffer'
import type { FileSystem } from './file-system.ts'
import {
  decodeFrame,
  FILE_HEADER,
  type Frame,
  FRAME_HEADER,
  frameLength,
  isIntact,
  lengthApart,
} from './format.ts'
import type { JournalFile } from './files.ts'

/** Read at once in the beginning, and where something was passed over. */
const FIRST_BYTES = 4096

/**
 * The frames of a file one after the other, a buffer full of them at a time:
 *
 * ```
 * while (await frames.more()) for (let length; (length = frames.whole()) > 0; frames.pass(length)) { … }
 * ```
 *
 * What lies apart is passed over, and not read if it is long.
 */
export class Frames {
  #at = 0
  /** So much is read at once: more, the longer nothing was passed over. */
  #atOnce = FIRST_BYTES
  #buffer: Buffer
  /** Where the buffer starts in the file. */
  #base: number
  #filled = 0
  readonly #fileSystem: FileSystem
  readonly #file: JournalFile
  readonly #end: number

  /**
   * @param buffer Used as long as it is large enough for a frame.
   * @param from Where the first of them starts in the file.
   */
  constructor(
    fileSystem: FileSystem,
    file: JournalFile,
    end: number,
    buffer: Buffer,
    from: number = FILE_HEADER,
  ) {
    this.#fileSystem = fileSystem
    this.#file = file
    this.#end = end
    this.#base = from
    this.#buffer = buffer
  }

  get buffer(): Buffer {
    return this.#buffer
  }

  get base(): number {
    return this.#base
  }

  /** Where the next frame starts in the buffer. */
  get at(): number {
    return this.#at
  }

  /** The next frame, whose length {@link Frames.whole} told, is dealt with. */
  pass(length: number): void {
    this.#at += length + lengthApart(this.#buffer, this.#at)
  }

  /** Where the next frame starts in the file. */
  get position(): number {
    return this.#base + this.#at
  }

  /** Reads on. Answers `false` where nothing more can be read that would make a whole frame. */
  async more(): Promise<boolean> {
    const at = this.#at
    if (at > this.#filled) this.#atOnce = FIRST_BYTES
    this.#buffer.copyWithin(0, at, this.#filled)
    this.#base += at
    this.#filled = Math.max(0, this.#filled - at)
    this.#at = 0
    const left = this.#end - this.#base - this.#filled
    const length = this.#announced()
    if (left <= 0 || length === 0) return false
    if (length !== undefined) {
      // All of it was there, and it was not intact; or there is not enough for it.
      if (length <= this.#filled || length > this.#filled + left) return false
      if (length > this.#buffer.length) {
        const larger = Buffer.allocUnsafe(length)
        this.#buffer.copy(larger, 0, 0, this.#filled)
        this.#buffer = larger
      }
    }
    const wanted = Math.max(this.#atOnce, (length ?? FRAME_HEADER) - this.#filled)
    const room = Math.min(this.#buffer.length - this.#filled, left, wanted)
    const position = this.#base + this.#filled
    const bytes = await this.#fileSystem.readAhead(this.#file.fd, this.#buffer, this.#filled, room, position)
    // None if the file has become shorter: its owner cuts off what it had prepared.
    this.#filled += bytes
    this.#atOnce *= 2
    return bytes > 0
  }

  /** The length of the next frame without what lies apart; 0 if it is not whole, or not all of it was read yet. */
  whole(): number {
    const length = this.#announced() ?? 0
    const isRead = length > 0 && this.#at + length <= this.#filled
    if (!isRead || !isIntact(this.#buffer, this.#at, length)) return 0
    // It was torn, if the file ends before it does.
    return this.position + length + lengthApart(this.#buffer, this.#at) <= this.#end ? length : 0
  }

  /** The length that the next frame says it has; nothing if its header was not read yet, 0 if there is no frame. */
  #announced(): number | undefined {
    if (this.#filled - this.#at < FRAME_HEADER) return undefined
    return frameLength(this.#buffer, this.#at, this.#file.magic) ?? 0
  }
}

/** The frames in a stretch of a file, also behind what is none: where each lies, how long it is without what lies apart, and how long that is. */
export function* findFrames(
  bytes: Buffer,
  magic: number,
  from: number,
): Generator<{ readonly at: number; readonly length: number; readonly apart: number }> {
  const start = Buffer.alloc(4)
  start.writeUInt32LE(magic)
  let at = bytes.indexOf(start, from)
  while (at !== -1 && at + FRAME_HEADER <= bytes.length) {
    const length = frameLength(bytes, at, magic) ?? 0
    const isFrame = length > 0 && at + length <= bytes.length && isIntact(bytes, at, length)
    if (!isFrame) {
      at = bytes.indexOf(start, at + 1)
      continue
    }
    const apart = lengthApart(bytes, at)
    yield { at, length, apart }
    at = bytes.indexOf(start, at + length + apart)
  }
}

/**
 * The magic of a file whose header is lost: that of the frames in it that are intact. Where they do not agree, because a
 * journal was sent as a message and the frame that held it is damaged, it is the magic of most bytes.
 */
export function findMagic(bytes: Buffer, from: number): number {
  const found = new Map<number, number>()
  for (let at = from; at + FRAME_HEADER <= bytes.length;) {
    const magic = bytes.readUInt32LE(at)
    const length = frameLength(bytes, at, magic)!
    // Few places look like a frame, so that few checksums have to be made.
    const looksLikeOne = magic !== 0 && at + length <= bytes.length && isPlausible(decodeFrame(bytes, at))
    const isFrame = looksLikeOne && isIntact(bytes, at, length)
    if (isFrame) found.set(magic, (found.get(magic) ?? 0) + length)
    at += isFrame ? length + lengthApart(bytes, at) : 1
  }
  const [most] = [...found].sort(([, a], [, b]) => b - a)
  return most?.[0] ?? 0
}

function isPlausible({ lsn, safe }: Frame): boolean {
  return Number.isSafeInteger(lsn) && lsn > safe && safe >= 0
}
