import { find } from './find.ts'
import type { Group } from './group.ts'

/** Has messages of a group that wait for a retry be due now. Answers, for each, whether it waited. */
export function retryNow(group: Group, ids: readonly string[]): boolean[] {
  const { work, name } = group
  work.tx.expect?.(ids.map((id) => ['ids', id]))
  return ids.map((id) => {
    const found = find(work, id)
    if (found === undefined || 'timer' in found) return false
    const place = group.locate(found.seq, found.key)
    if (place?.at !== 'side' || place.side.at <= work.now) return false
    const { side, key } = place
    work.tx.delete('due', [name, side.at, side.seq])
    group.row.waiting--
    group.wait(key, { ...side, at: work.now })
    return true
  })
}
