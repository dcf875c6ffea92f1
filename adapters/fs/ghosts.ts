import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { isNoRoom } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { listFiles, pathOfFile, removeIfThere, writeAll } from './files.ts'
import { FENCE_MS, realTime, sizeOf, type Time } from './lock.ts'

/** Copied at once. */
const CHUNK = 1024 * 1024

/** An owner writes to the newest file, or to the one before if it has just begun a new one. */
const WRITTEN_TO = 2

/**
 * Makes sure that nothing which an earlier owner of a directory still does can reach the journal, though it was taken for
 * dead and may be alive: it may be stopped within a write, and go on with it tomorrow.
 *
 * The files that it may have been writing to are replaced by copies of themselves. It goes on to write to what it has
 * open, which nobody else can see any more; and looks at its lock before it tells anybody that it has.
 */
export async function layGhosts(
  fileSystem: FileSystem,
  directory: string,
  time: Time = realTime,
): Promise<void> {
  const ghosts = fileSystem.list(directory).filter((name) => name.startsWith('ghost-'))
  if (ghosts.length === 0) return
  // One that has moved since it was taken for dead may believe for a while that the directory is still its own.
  const haveMoved = ghosts.some((name) => {
    return sizeOf(fileSystem, join(directory, name)) !== Number(/^ghost-(\d+)-/.exec(name)?.[1])
  })
  if (haveMoved) await time.sleep(FENCE_MS)
  try {
    for (const number of listFiles(fileSystem, directory).slice(-WRITTEN_TO)) {
      await replaceByCopy(fileSystem, pathOfFile(directory, number))
    }
  } catch (error) {
    // Without room for a copy its heartbeat has to do: messages must be consumed for room to come.
    if (!isNoRoom(error)) throw error
  }
  await fileSystem.syncDirectory(directory)
  for (const name of ghosts) removeIfThere(fileSystem, join(directory, name))
}

async function replaceByCopy(fileSystem: FileSystem, path: string): Promise<void> {
  const copy = `${path}.copy`
  removeIfThere(fileSystem, copy)
  const from = fileSystem.open(path, false)
  try {
    const to = fileSystem.open(copy, true)
    try {
      const buffer = Buffer.allocUnsafe(CHUNK)
      for (let at = 0; ;) {
        const bytes = await fileSystem.readAhead(from, buffer, 0, CHUNK, at)
        if (bytes === 0) break
        writeAll(fileSystem, to, buffer, bytes, at)
        at += bytes
      }
      await fileSystem.dataSync(to)
    } finally {
      closeQuietly(fileSystem, to)
    }
    fileSystem.rename(copy, path)
  } catch (error) {
    removeIfThere(fileSystem, copy)
    throw error
  } finally {
    closeQuietly(fileSystem, from)
  }
}
