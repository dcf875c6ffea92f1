import type { Bell } from './bell.ts'
import { type SQLiteDatabase, isBetween } from './driver.ts'

/** The longest rest between two looks at a transaction, in ms. */
const MAX_REST_MS = 50
/** How long it is looked at, where it does not say that it has ended: whoever waits looks by himself after that. */
const MAX_MS = 60_000
/** After so long no process is kept running for it. */
const KEPT_MS = 1000

/** Transactions that are looked at, and the queues to ring for. */
const looked = new WeakMap<SQLiteDatabase, Map<number, Bell>>()

/**
 * Rings for a queue once the transaction on a connection has ended: only then there is something to be found. SQLite does not
 * tell, so it is looked at, at first soon, then less and less often.
 */
export function ringAfter(database: SQLiteDatabase, queue: number, bell: Bell): void {
  const queues = looked.get(database)
  if (queues !== undefined) {
    queues.set(queue, bell)
    return
  }
  const all = new Map([[queue, bell]])
  looked.set(database, all)
  const start = performance.now()
  const look = (restMs: number): void => {
    const passed = performance.now() - start
    const isOpen = isBetween(database)
    const ends = isOpen === false || passed > MAX_MS
    if (ends) looked.delete(database)
    // One that does not say may have ended at any time.
    if (isOpen !== true) {
      for (const [number, one] of all) {
        one.ring(number, true)
        // Perhaps nobody else is left who would.
        one.close()
      }
    }
    if (!ends) again(restMs, passed)
  }
  const again = (restMs: number, passed: number): void => {
    const timer: { unref?(): void } = setTimeout(look, restMs, Math.min(restMs * 2, MAX_REST_MS)) as never
    if (passed > KEPT_MS) timer.unref?.()
  }
  again(1, 0)
}
