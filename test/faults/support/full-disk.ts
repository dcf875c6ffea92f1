import { Buffer } from 'node:buffer'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type FileSystem, nodeFileSystem } from '../../../adapters/fs/file-system.ts'
import type { SegmentAdapter } from '../../../src/segments/engine.ts'
import { Failures, type FaultyStorage } from './backend.ts'
import { openJournal } from './fs.ts'

const PAGE = Buffer.alloc(4096)

/** The fs adapter on a small disk of its own, which somebody else fills at every Nth write, and empties at the next. */
export function fullDisk(mount: string): FaultyStorage {
  return {
    name: 'fs on a full disk',
    perVerb: 1,
    headerBytes: 10_000,
    create(clock) {
      const directory = mkdtempSync(join(mount, 'data-'))
      const ballast = join(mount, 'ballast')
      const failures = new Failures()
      let isFull = false
      let faults = 0
      const turn = (): void => {
        if (isFull) rmSync(ballast)
        else fill(ballast)
        isFull = !isFull
      }
      const write: FileSystem['write'] = (...args) => {
        if (failures.next()) turn()
        try {
          return nodeFileSystem.write(...args)
        } catch (error) {
          faults++
          throw error
        }
      }
      let adapter: SegmentAdapter | undefined
      return Promise.resolve({
        async open() {
          await adapter?.close().catch(() => undefined)
          return (adapter = openJournal(directory, { ...nodeFileSystem, write }, clock))
        },
        fail(every) {
          failures.fail(every)
          if (every === 0 && isFull) turn()
        },
        /** Writes that the disk had no room for. */
        get faults() {
          return faults
        },
        async destroy() {
          await adapter?.close()
          if (isFull) turn()
          rmSync(directory, { recursive: true })
        },
      })
    },
  }
}

function fill(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (;;) writeSync(fd, PAGE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(fd)
  }
}
