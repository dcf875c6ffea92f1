import { resolve as absolute } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import { mend } from '../../src/segments/inside.ts'
import { codeOf, unavailable } from './faults.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import { listFiles } from './files.ts'
import { Lock, type LockOptions } from './lock.ts'
import { checkPath } from './path.ts'
import { openJournalStore } from './store.ts'
import { type Lost, Wreck } from './wreck.ts'

/**
 * Makes a new directory of what can still be read of a damaged one, which is not changed.
 *
 * What was written in a damaged place is as if it had never happened. Messages that were sent there are missing. Messages
 * that were acked there come again, and so does whatever may have been: rather twice than never. All leases are given up.
 *
 * ```ts
 * const lost = await salvage('./data', './data-salvaged')
 * ```
 *
 * @param from The damaged directory. Nobody may have it open.
 * @param to A directory that does not exist yet, or has no journal in it. If this rejects, delete it: it may hold a part.
 * @returns The places that could not be read, in the order of the journal. None: all is there.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT` if `to` has a journal; `LOCKED` if somebody has one of the directories
 * open; `STORAGE_UNAVAILABLE` if one cannot be used, or `from` has no journal; `QUOTA_EXCEEDED`; `STORAGE_FAILED`.
 */
export function salvage(from: string, to: string): Promise<readonly Lost[]> {
  return salvageOn(nodeFileSystem, from, to)
}

/** {@link salvage}, on any file system. */
export async function salvageOn(
  fileSystem: FileSystem,
  from: string,
  to: string,
  options?: LockOptions,
): Promise<readonly Lost[]> {
  checkPath('salvage', 'from', from)
  checkPath('salvage', 'to', to)
  const damaged = absolute(from)
  checkTarget(fileSystem, absolute(to))
  let lock: Lock | undefined
  let wreck: Wreck | undefined
  try {
    lock = await Lock.take(fileSystem, damaged, options)
    wreck = Wreck.open(fileSystem, damaged)
    if (wreck.isEmpty)
      throw new QuaysideError(
        'STORAGE_UNAVAILABLE',
        `salvage: there is no journal in ${damaged}; name one that has one`,
      )
    await mendAll(fileSystem, wreck, to)
    return wreck.lost
  } catch (error) {
    throw error instanceof QuaysideError ? error : unavailable(`Salvaging ${damaged}`, error)
  } finally {
    wreck?.close()
    lock?.release()
  }
}

async function mendAll(fileSystem: FileSystem, wreck: Wreck, to: string): Promise<void> {
  const store = await openJournalStore(to, { fileSystem })
  try {
    for (const [name, remains] of wreck.queues()) await mend(remains, name, await store.open(name))
  } finally {
    await store.close()
  }
}

function checkTarget(fileSystem: FileSystem, directory: string): void {
  try {
    if (listFiles(fileSystem, directory).length === 0) return
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw unavailable(`Reading ${directory}`, error)
  }
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    `salvage: to must be a directory without a journal, and ${directory} has one; name one that does not exist yet`,
  )
}
