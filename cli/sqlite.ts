import { existsSync, statSync } from 'node:fs'
import { openFile } from '../adapters/sqlite/driver.ts'
import { SQLiteAdapter } from '../adapters/sqlite/index.ts'
import { FAILED, Stop } from './exit.ts'
import { redact } from './secrets.ts'
import type { Purpose, Target } from './target.ts'
import { clean } from './width.ts'

/** Whether a target is a SQLite file: a file at all, or what will be one by its name. */
export function isSQLite(name: string): boolean {
  const found = statSync(name, { throwIfNoEntry: false })
  return found === undefined ? /\.(sqlite3?|db)$/i.test(name) : found.isFile()
}

/** The queues in a SQLite file, which others may use meanwhile. Only `create` makes any. */
export function openSQLite(file: string, purpose: Purpose): Target {
  if (purpose !== 'create' && !(existsSync(file) && hasQueues(file)))
    throw new Stop(FAILED, `there are no queues in ${clean(redact(file))}`)
  const adapter = new SQLiteAdapter(file)
  return { name: redact(file), adapter, names: () => adapter.queues(), close: () => adapter.close() }
}

function hasQueues(file: string): boolean {
  const database = openFile(file)
  try {
    return database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'quayside_rows'").all().length > 0
  } catch (error) {
    throw new Stop(
      FAILED,
      `${clean(redact(file))} cannot be read as a SQLite file: ${(error as Error).message}`,
    )
  } finally {
    database.close()
  }
}
