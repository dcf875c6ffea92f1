import { find } from './find.ts'
import { inWork } from './lanes/lane.ts'
import { locate } from './places.ts'
import { WAITS } from './rows.ts'
import { wait } from './waiting.ts'
import type { Group } from './work.ts'

/** Has a message of a group that waits for a retry be due now. Answers whether it waited. */
export function retryNow(whole: Group, id: string): boolean {
  const found = find(whole.work, id)
  if (found === undefined || 'delayed' in found) return false
  const group = inWork(whole, found.work)!
  const { work, name, row } = group
  const place = locate(group, found.seq, found.key)
  if (place?.at !== 'side' || place.side.parked !== undefined || place.side.at <= work.now) return false
  const { side, key } = place
  work.tx.delete('due', [name, WAITS, side.at, side.seq])
  row.waiting--
  wait(group, key, { ...side, at: work.now })
  return true
}
