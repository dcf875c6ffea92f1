import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { codeOf, corrupt } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { decodeFileHeader, encodeFileHeader, FILE_HEADER } from './format.ts'

/** A file of the journal: `journal-0000000001.qsj` and so on. See `format.ts` for what is in it. */
export interface JournalFile {
  readonly number: number
  readonly path: string
  readonly fd: number
  /** 0 if the header is not whole. */
  readonly magic: number
  /** Whether it says that the journal starts with it. */
  first: boolean
  /** Where the next frame goes. */
  size: number
  /** How far the file reaches on the disk: beyond `size` there are zeros. */
  prepared: number
  /** Bytes of the puts whose rows still lie here. */
  live: number
}

export function pathOfFile(directory: string, number: number): string {
  return join(directory, `journal-${String(number).padStart(10, '0')}.qsj`)
}

/** Creates a file of nothing but a header. It is not on the disk yet. */
export function createFile(
  fileSystem: FileSystem,
  directory: string,
  number: number,
  first: boolean,
): JournalFile {
  const path = pathOfFile(directory, number)
  const fd = openNew(fileSystem, path)
  try {
    // Not 0, of which there is much on disks.
    const magic = randomBytes(4).readUInt32LE(0) || 1
    writeAll(fileSystem, fd, encodeFileHeader({ number, magic, first }), FILE_HEADER, 0)
    return { number, path, fd, magic, first, size: FILE_HEADER, prepared: FILE_HEADER, live: 0 }
  } catch (error) {
    closeQuietly(fileSystem, fd)
    removeIfThere(fileSystem, path)
    throw error
  }
}

/** Removes what is there only if something is: what is not ours must not be hit by a process that sleeps in between. */
function openNew(fileSystem: FileSystem, path: string): number {
  try {
    return fileSystem.open(path, true)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  // Left by an attempt that failed.
  fileSystem.remove(path)
  return fileSystem.open(path, true)
}

/** Has a file say that the journal starts with it. It is not on the disk yet. */
export function markFirst(fileSystem: FileSystem, file: JournalFile): void {
  writeAll(fileSystem, file.fd, encodeFileHeader({ ...file, first: true }), FILE_HEADER, 0)
  file.first = true
}

/** The numbers of the files of a directory, oldest first. */
export function listFiles(fileSystem: FileSystem, directory: string): number[] {
  return fileSystem
    .list(directory)
    .map((name) => Number(/^journal-(\d{10})\.qsj$/.exec(name)?.[1]))
    .filter((number) => number > 0)
    .sort((a, b) => a - b)
}

/** Opens the files of a directory, oldest first. */
export function openFiles(fileSystem: FileSystem, directory: string): JournalFile[] {
  const files: JournalFile[] = []
  try {
    for (const number of listFiles(fileSystem, directory))
      files.push(openFile(fileSystem, pathOfFile(directory, number), number))
    return files
  } catch (error) {
    for (const file of files) closeQuietly(fileSystem, file.fd)
    throw error
  }
}

export function openFile(fileSystem: FileSystem, path: string, number: number): JournalFile {
  const fd = fileSystem.open(path, false)
  try {
    const bytes = Buffer.alloc(FILE_HEADER)
    const read = fileSystem.read(fd, bytes, 0, FILE_HEADER, 0)
    const header = decodeFileHeader(bytes.subarray(0, read))
    const { magic, first } = header?.number === number ? header : { magic: 0, first: false }
    return { number, path, fd, magic, first, size: FILE_HEADER, prepared: fileSystem.size(fd), live: 0 }
  } catch (error) {
    closeQuietly(fileSystem, fd)
    throw error
  }
}

/** Opens the file that the last frame of the one before tells of. It may have come since the directory was listed. */
export function openNext(fileSystem: FileSystem, directory: string, number: number): JournalFile {
  try {
    return openFile(fileSystem, pathOfFile(directory, number), number)
  } catch (error) {
    throw codeOf(error) === 'ENOENT' ? missing(directory, number) : error
  }
}

/** The error that a file is not there. */
export function missing(directory: string, number: number): Error {
  return corrupt(pathOfFile(directory, number), 0, 'the file is missing')
}

/** Writes all `length` bytes, in more than one go where the system wants that. */
export function writeAll(
  fileSystem: FileSystem,
  fd: number,
  from: Buffer,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length;) {
    const written = fileSystem.write(fd, from, done, length - done, position + done)
    if (written === 0) throw Object.assign(new Error('Nothing was written'), { code: 'ENOSPC' })
    done += written
  }
}

/**
 * Reads all `length` bytes.
 *
 * @throws QuaysideError `CORRUPT` if the file ends before.
 */
export function readAll(
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

export function removeIfThere(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.remove(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
