import { Buffer } from 'node:buffer'
import { dirname } from 'node:path'
import type { FileSystem } from '../../adapters/fs/file-system.ts'

const SECTOR = 512

/** Something that happened to a file and that the disk may not know yet. */
type Pending = { readonly at: number; readonly bytes: Buffer } | { readonly size: number }

/** The bytes of a file. Copies share them until one of them is written to. */
class Contents {
  size: number
  #buffer: Buffer
  #isShared = true

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#buffer = bytes
    this.size = bytes.length
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.size)
  }

  copy(): Contents {
    this.#isShared = true
    return new Contents(this.bytes)
  }

  apply(change: Pending): void {
    const size = 'size' in change ? change.size : Math.max(this.size, change.at + change.bytes.length)
    if (this.#isShared || size > this.#buffer.length) {
      // Twice as much: what grows byte by byte is not copied each time, and what is not touched costs nothing.
      const larger = Buffer.alloc(Math.max(size, size > this.#buffer.length ? 2 * this.size : this.size))
      this.bytes.copy(larger)
      this.#buffer = larger
      this.#isShared = false
    }
    // What it grows by later reads as zeros.
    if (size < this.size) this.#buffer.fill(0, size, this.size)
    this.size = size
    if (!('size' in change)) change.bytes.copy(this.#buffer, change.at)
  }
}

class Inode {
  live: Contents
  /** What a power cut leaves for sure. */
  durable: Contents
  pending: Pending[] = []
  /** Something that was written will never reach the disk. */
  forgetful = false
  modifiedAt = 0

  constructor(live: Contents = new Contents(), durable: Contents = live.copy()) {
    this.live = live
    this.durable = durable
  }
}

interface NameChange {
  readonly path: string
  readonly inode: Inode | undefined
}

/**
 * A disk in memory that a test can cut the power of.
 *
 * What was written but not synced is then lost, or not, sector by sector; names that were created or removed since their
 * directory was synced may be as they were before. And an fsync that fails forgets what it should have written, as
 * Linux does: the file reads as if all were well, and the next fsync has nothing to do.
 */
export class MemoryDisk implements FileSystem {
  /** Bytes that files may take in all. */
  capacity: number = Infinity
  /** How many turns of the event loop a sync takes. */
  syncTurns = 0
  /** Changes with every power cut. */
  boot = 1
  readonly #names: Map<string, Inode> = new Map()
  readonly #durableNames: Map<string, Inode> = new Map()
  #pendingNames: NameChange[] = []
  readonly #open: Map<number, Inode> = new Map()
  #nextFd = 100
  #time = 0

  makeDirectory(_path: string): void {}

  list(directory: string): string[] {
    return [...this.#names.keys()]
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1))
  }

  open(path: string, create: boolean): number {
    let inode = this.#names.get(path)
    if (create) {
      if (inode !== undefined) throw systemError('EEXIST', 'open')
      inode = new Inode()
      inode.modifiedAt = ++this.#time
      this.#rename(path, inode)
    }
    if (inode === undefined) throw systemError('ENOENT', 'open')
    this.#open.set(this.#nextFd, inode)
    return this.#nextFd++
  }

  close(fd: number): void {
    this.#inode(fd)
    this.#open.delete(fd)
  }

  size(fd: number): number {
    return this.#inode(fd).live.size
  }

  read(fd: number, into: Buffer, offset: number, length: number, position: number): number {
    return this.#inode(fd).live.bytes.copy(into, offset, position, position + length)
  }

  async readAhead(
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.read(fd, into, offset, length, position)
  }

  write(fd: number, from: Buffer, offset: number, length: number, position: number): number {
    const inode = this.#inode(fd)
    // As Node does.
    if (!Number.isInteger(length)) throw new RangeError(`The value of "length" is out of range: ${length}`)
    const room = Math.max(
      inode.live.size + this.capacity - this.used() - position,
      inode.live.size - position,
      0,
    )
    const bytes = Buffer.from(from.subarray(offset, offset + Math.min(length, room)))
    if (bytes.length === 0 && length > 0) throw systemError('ENOSPC', 'write')
    inode.live.apply({ at: position, bytes })
    inode.pending.push({ at: position, bytes })
    inode.modifiedAt = ++this.#time
    return bytes.length
  }

  truncate(fd: number, size: number): void {
    const inode = this.#inode(fd)
    inode.live.apply({ size })
    inode.pending.push({ size })
    inode.modifiedAt = ++this.#time
  }

  async dataSync(fd: number): Promise<void> {
    const inode = this.#inode(fd)
    const { length } = inode.pending
    for (let turn = 0; turn < this.syncTurns; turn++) await new Promise((resolve) => setImmediate(resolve))
    for (const change of inode.pending.splice(0, length)) inode.durable.apply(change)
  }

  /** What a sync that fails does: nothing, and the next one finds nothing to do. */
  forget(fd: number): void {
    const inode = this.#inode(fd)
    inode.forgetful = true
    inode.pending = []
  }

  async syncDirectory(path: string): Promise<void> {
    for (let turn = 0; turn < this.syncTurns; turn++) await new Promise((resolve) => setImmediate(resolve))
    const [synced, others] = partition(this.#pendingNames, (change) => dirname(change.path) === path)
    for (const change of synced) set(this.#durableNames, change)
    this.#pendingNames = others
  }

  remove(path: string): void {
    if (!this.#names.has(path)) throw systemError('ENOENT', 'unlink')
    this.#rename(path, undefined)
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from)
    if (inode === undefined) throw systemError('ENOENT', 'rename')
    this.#rename(from, undefined)
    this.#rename(to, inode)
  }

  isAt(fd: number, path: string): boolean {
    return this.#names.get(path) === this.#inode(fd)
  }

  readText(path: string): string {
    if (path !== '/proc/sys/kernel/random/boot_id') throw systemError('ENOENT', 'open')
    return `${this.boot.toString(16).padStart(8, '0')}-0000`
  }

  readLink(): string {
    throw systemError('ENOENT', 'readlink')
  }

  modifiedAt(path: string): number {
    const inode = this.#names.get(path)
    if (inode === undefined) throw systemError('ENOENT', 'stat')
    return inode.modifiedAt
  }

  used(): number {
    let used = 0
    for (const inode of this.#names.values()) used += inode.live.size
    return used
  }

  /** The contents of a file, to be read or changed by the test. */
  bytesOf(path: string): Buffer {
    const inode = this.#names.get(path)
    if (inode === undefined) throw systemError('ENOENT', 'open')
    return inode.live.bytes
  }

  /** Puts a file there, for good. */
  place(path: string, bytes: Buffer): void {
    const inode = new Inode(new Contents(bytes))
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
  }

  /** Takes a file away, for good. */
  lose(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  /** A disk as a process that was killed leaves it: everything that was written is there. */
  afterKill(): MemoryDisk {
    const disk = new MemoryDisk()
    disk.capacity = this.capacity
    disk.boot = this.boot
    for (const [path, inode] of this.#names) {
      if (/\/lock-[^/]*$/.test(path)) continue
      const copy = new Inode(inode.live.copy(), inode.durable.copy())
      copy.pending = inode.pending.slice()
      copy.forgetful = inode.forgetful
      disk.#names.set(path, copy)
      if (this.#durableNames.get(path) === inode) disk.#durableNames.set(path, copy)
      else disk.#pendingNames.push({ path, inode: copy })
    }
    for (const [path, inode] of this.#durableNames) {
      if (disk.#names.has(path)) continue
      const copy = new Inode(inode.durable.copy())
      disk.#durableNames.set(path, copy)
      disk.#pendingNames.push({ path, inode: undefined })
    }
    return disk
  }

  /** A disk as a power cut leaves it. `random` answers with numbers from 0 to 1. */
  afterPowerCut(random: () => number): MemoryDisk {
    const disk = new MemoryDisk()
    disk.capacity = this.capacity
    disk.boot = this.boot + 1
    const names = new Map(this.#durableNames)
    for (const change of this.#pendingNames) if (random() < 0.5) set(names, change)
    for (const [path, inode] of names) {
      if (/\/lock-[^/]*$/.test(path)) continue
      const left = new Inode(new Contents(tear(inode, random)))
      disk.#names.set(path, left)
      disk.#durableNames.set(path, left)
    }
    return disk
  }

  #rename(path: string, inode: Inode | undefined): void {
    set(this.#names, { path, inode })
    this.#pendingNames.push({ path, inode })
  }

  #inode(fd: number): Inode {
    const inode = this.#open.get(fd)
    if (inode === undefined) throw systemError('EBADF', 'use')
    return inode
  }
}

/** Each sector of each write arrives or does not. Now and then all do up to a point. */
function tear(inode: Inode, random: () => number): Buffer {
  const whole = random() < 0.5 ? Math.floor(random() * (inode.pending.length + 1)) : 0
  const share = random()
  const bytes = Buffer.alloc(Math.max(inode.durable.size, ...inode.pending.map(endOf)))
  inode.durable.bytes.copy(bytes)
  let { size } = inode.durable
  inode.pending.forEach((pending, i) => {
    const arrives = (): boolean => i < whole || random() < share
    if ('size' in pending) {
      if (!arrives()) return
      bytes.fill(0, pending.size)
      size = pending.size
      return
    }
    const { at, bytes: written } = pending
    for (let from = 0; from < written.length;) {
      const to = Math.min((Math.floor((at + from) / SECTOR) + 1) * SECTOR - at, written.length)
      if (arrives()) {
        written.copy(bytes, at + from, from, to)
        size = Math.max(size, at + to)
      }
      from = to
    }
  })
  return bytes.subarray(0, size)
}

function endOf(pending: Pending): number {
  return 'size' in pending ? pending.size : pending.at + pending.bytes.length
}

function set(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === undefined) names.delete(path)
  else names.set(path, inode)
}

function partition<T>(all: readonly T[], first: (one: T) => boolean): [T[], T[]] {
  return [all.filter(first), all.filter((one) => !first(one))]
}

/** An error as Node's file system throws it. */
export function systemError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: injected, ${call}`), { code, syscall: call })
}
