import type { Buffer } from 'node:buffer'
import type { FileSystem } from './file-system.ts'
import type { Lock } from './lock.ts'

/**
 * A file system for the owner of a directory, and for it alone: once the lock is somebody else's, every call that would
 * change something rejects, and so does a sync, so that nobody is told of what may be lost.
 *
 * A write is checked before, so that a process which was paused stops there, and after, for it may have been paused
 * within. Both only compare times as a rule. What is done by name could hit a file of the next owner, and what was synced
 * is going to be told: there it looks, each time.
 */
export class Fence implements FileSystem {
  readonly #inner: FileSystem
  readonly #lock: Lock

  constructor(inner: FileSystem, lock: Lock) {
    this.#inner = inner
    this.#lock = lock
  }

  open(path: string, create: boolean): number {
    if (create) this.#lock.confirm()
    return this.#inner.open(path, create)
  }

  write(fd: number, from: Buffer, offset: number, length: number, position: number): number {
    this.#lock.check()
    const written = this.#inner.write(fd, from, offset, length, position)
    this.#lock.check()
    return written
  }

  truncate(fd: number, size: number): void {
    this.#lock.check()
    this.#inner.truncate(fd, size)
  }

  async dataSync(fd: number): Promise<void> {
    await this.#inner.dataSync(fd)
    this.#lock.confirm()
  }

  remove(path: string): void {
    this.#lock.confirm()
    this.#inner.remove(path)
  }

  rename(from: string, to: string): void {
    this.#lock.confirm()
    this.#inner.rename(from, to)
  }

  makeDirectory(path: string): void {
    this.#lock.confirm()
    this.#inner.makeDirectory(path)
  }

  syncDirectory(path: string): Promise<void> {
    return this.#inner.syncDirectory(path)
  }

  list(directory: string): string[] {
    return this.#inner.list(directory)
  }

  close(fd: number): void {
    this.#inner.close(fd)
  }

  size(fd: number): number {
    return this.#inner.size(fd)
  }

  read(fd: number, into: Buffer, offset: number, length: number, position: number): number {
    return this.#inner.read(fd, into, offset, length, position)
  }

  readAhead(fd: number, into: Buffer, offset: number, length: number, position: number): Promise<number> {
    return this.#inner.readAhead(fd, into, offset, length, position)
  }

  isAt(fd: number, path: string): boolean {
    return this.#inner.isAt(fd, path)
  }

  readText(path: string): string {
    return this.#inner.readText(path)
  }

  readLink(path: string): string {
    return this.#inner.readLink(path)
  }

  modifiedAt(path: string): number {
    return this.#inner.modifiedAt(path)
  }
}
