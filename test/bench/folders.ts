import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** On the disk of the work tree, because the system's temporary folder may be memory; BENCH_DIR for another disk. */
const root = process.env['BENCH_DIR'] ?? fileURLToPath(new URL('.data', import.meta.url))

/** For what waits for the disk each time, where the time that the disk takes is not to be measured: memory, where that can be. */
export const MEMORY_DISK: string = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function newFolder(): string {
  mkdirSync(root, { recursive: true })
  return mkdtempSync(join(root, `${process.pid}-`))
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** Bytes that the files of a folder take on the disk. */
export function diskBytes(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512
  }
  return bytes
}
