import type { Buffer } from 'node:buffer'
import * as fs from 'node:fs'
import { platform } from 'node:process'

/**
 * The few calls that the journal makes. Everything goes through here, so that a test can make any of them fail.
 *
 * They are synchronous where they only touch memory as a rule (the page cache), because that takes microseconds and a hop
 * to the thread pool takes fifty. What waits for the disk is asynchronous. All throw or reject with Node's errors.
 */
export interface FileSystem {
  /** Creates one directory, for this user alone; its parent must exist. */
  makeDirectory(path: string): void
  /** The names in a directory. */
  list(directory: string): string[]
  /**
   * Opens a file to be read and written; `create` fails with `EEXIST` if it is there, and without it the file must be.
   * What is created is for this user alone.
   */
  open(path: string, create: boolean): number
  close(fd: number): void
  size(fd: number): number
  /** Answers with how many bytes there were; fewer than `length` at the end of the file. */
  read(fd: number, into: Buffer, offset: number, length: number, position: number): number
  /** As {@link FileSystem.read}, without keeping anyone waiting. */
  readAhead(fd: number, into: Buffer, offset: number, length: number, position: number): Promise<number>
  /** Answers with how many bytes were written, which may be fewer. */
  write(fd: number, from: Buffer, offset: number, length: number, position: number): number
  truncate(fd: number, size: number): void
  /** Waits until all that was written to the file is on the disk, its size included. */
  dataSync(fd: number): Promise<void>
  /** Waits until the names in a directory are on the disk. */
  syncDirectory(path: string): Promise<void>
  remove(path: string): void
  /** Gives a file another name, in place of the file that has it. */
  rename(from: string, to: string): void
  /** Whether a path still leads to the file that was opened there. */
  isAt(fd: number, path: string): boolean
  /** The text of a file of the system, such as those of /proc. */
  readText(path: string): string
  /** What a symbolic link points to. */
  readLink(path: string): string
  /** When a file was last written, in ms since 1970, by the clock of the file system. */
  modifiedAt(path: string): number
}

/** The most bytes that a call may be asked to read or write: Node refuses lengths from 2 GiB on. */
const MOST_AT_ONCE = 2 ** 30

/** For the user alone. */
export const PRIVATE = 0o600

/** The real one. */
export const nodeFileSystem: FileSystem = {
  makeDirectory: (path) => fs.mkdirSync(path, directoryMode(PRIVATE)),
  list: (directory) => fs.readdirSync(directory),
  open: (path, create) => fs.openSync(path, create ? 'wx+' : 'r+', PRIVATE),
  close: (fd) => fs.closeSync(fd),
  size: (fd) => fs.fstatSync(fd).size,
  read: (fd, into, offset, length, position) => fs.readSync(fd, into, offset, atOnce(length), position),
  readAhead: (fd, into, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(fd, into, offset, atOnce(length), position, (error, bytes) => {
        if (error) reject(error)
        else resolve(bytes)
      })
    }),
  write: (fd, from, offset, length, position) => fs.writeSync(fd, from, offset, atOnce(length), position),
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
  dataSync: (fd) =>
    new Promise((resolve, reject) => {
      fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))
    }),
  syncDirectory,
  remove: (path) => fs.unlinkSync(path),
  rename: (from, to) => fs.renameSync(from, to),
  isAt: (fd, path) => {
    const there = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
    const open = fs.fstatSync(fd, { bigint: true })
    return there !== undefined && there.ino === open.ino && there.dev === open.dev
  },
  readText: (path) => fs.readFileSync(path, 'latin1'),
  readLink: (path) => fs.readlinkSync(path, 'latin1'),
  modifiedAt: (path) => fs.statSync(path).mtimeMs,
}

/** The real one, with other permissions for the files that it creates; directories can be entered by whoever may read. */
export function fileSystemWithMode(mode: number | undefined): FileSystem {
  if (mode === undefined) return nodeFileSystem
  return {
    ...nodeFileSystem,
    makeDirectory: (path) => fs.mkdirSync(path, directoryMode(mode)),
    open: (path, create) => fs.openSync(path, create ? 'wx+' : 'r+', mode),
  }
}

function directoryMode(mode: number): number {
  return mode | ((mode & 0o444) >> 2)
}

function atOnce(length: number): number {
  return Math.min(length, MOST_AT_ONCE)
}

/** The real one, for somebody who must not change anything. */
export const readingFileSystem: FileSystem = {
  ...nodeFileSystem,
  open: (path) => fs.openSync(path, 'r'),
  makeDirectory: refuse,
  write: refuse,
  truncate: refuse,
  dataSync: refuse,
  syncDirectory: refuse,
  remove: refuse,
  rename: refuse,
}

function refuse(): never {
  throw new TypeError('Whoever reads must not write')
}

function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory, and keeps the names of its files safe by itself.
  if (platform === 'win32') return Promise.resolve()
  return new Promise((resolve, reject) => {
    fs.open(path, 'r', (failed, fd) => {
      if (failed) return reject(failed)
      fs.fsync(fd, (error) => {
        fs.close(fd, () => (error ? reject(error) : resolve()))
      })
    })
  })
}

/** Lets go of a descriptor. That this fails says nothing about the file which its last sync has not said. */
export function closeQuietly(fileSystem: FileSystem, fd: number): void {
  try {
    fileSystem.close(fd)
  } catch {
    // It is closed all the same.
  }
}
