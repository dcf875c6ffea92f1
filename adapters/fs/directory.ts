import { dirname } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import { codeOf, isNoRoom, noRoom, storageFailed, unavailable } from './faults.ts'
import type { FileSystem } from './file-system.ts'

/** Creates a directory and its parents, if they are not there, and waits until their names are on the disk. */
export async function makeDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  for (let isSecond = false; ; isSecond = true) {
    try {
      fileSystem.makeDirectory(path)
      break
    } catch (error) {
      const parent = dirname(path)
      if (codeOf(error) === 'EEXIST') return
      if (codeOf(error) !== 'ENOENT' || parent === path || isSecond) throw error
      await makeDirectory(fileSystem, parent)
    }
  }
  await fileSystem.syncDirectory(dirname(path))
}

/** What it means that a directory could not be opened. */
export function explainOpening(path: string, error: unknown): QuaysideError {
  if (error instanceof QuaysideError) return error
  if (isNoRoom(error)) return noRoom(path, error)
  if (codeOf(error) === 'ENOTDIR' || codeOf(error) === 'EEXIST')
    return unavailable(`Opening ${path}, which must be a directory, not a file or under one,`, error)
  return codeOf(error) === 'EIO'
    ? storageFailed(`Opening ${path}`, error)
    : unavailable(`Opening ${path}`, error)
}
