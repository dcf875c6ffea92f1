import { answer } from './engine/rows.ts'
import { open } from './open.ts'
import { within } from './within.ts'

/** How long the browser may take for it, in ms, before it is left alone; and which part of the time for opening it may take. */
const PATIENCE_MS = 1000
const PART = 1 / 4

/**
 * Has Chromium begin a new log for this origin.
 *
 * A browser that is killed, as phones do when memory is short, may leave half a record at the end of its log. Chromium
 * passes over it at its next start, and then appends to that very log: at the start after that the log does not add up
 * any more, and Chromium throws away everything the origin has stored. Deleting a database, of which nothing but its name
 * is needed, has LevelDB compact what the log holds and begin another one. This takes some milliseconds, and must come
 * before anything is appended.
 *
 * Measured in Chromium 156; test/browser/torn-log.test.ts loses all messages without it. Browsers with other storage have
 * no `dataLoss` to tell of, and need nothing.
 *
 * Answers whether Chromium has just thrown everything away.
 */
export async function beginFreshLog(database: string, timeoutMs: number): Promise<boolean> {
  if (!('dataLoss' in (globalThis.IDBVersionChangeEvent?.prototype ?? {}))) return false
  const name = `${database} (fresh log)`
  let isDamaged = false
  const renewed = open(name, 1, (_, { dataLoss }: IDBVersionChangeEvent & { dataLoss?: string }) => {
    isDamaged = dataLoss === 'total'
  }).then((scratch) => {
    scratch.close()
    return answer(indexedDB.deleteDatabase(name))
  })
  // Where nothing can be stored, opening the database itself says so.
  await within(Math.min(PATIENCE_MS, timeoutMs * PART), renewed, () => new Error('late')).catch(
    () => undefined,
  )
  return isDamaged
}
