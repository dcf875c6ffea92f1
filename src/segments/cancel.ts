import { type Found, find, isPending } from './find.ts'
import { allGroups } from './group.ts'
import type { IdRow, Segment, DeliverRow } from './rows.ts'
import { lengthOf, messageAt } from './segment.ts'
import type { Work } from './work.ts'

/** Drops messages, wherever they are. Answers, for each, whether it was there. */
export function cancel(work: Work, ids: readonly string[]): boolean[] {
  work.tick()
  work.tx.expect?.(ids.map((id) => ['ids', id]))
  const results: boolean[] = []
  for (const id of ids) {
    const found = find(work, id)
    results.push(found !== undefined && drop(work, id, found))
  }
  work.finish()
  return results
}

/** Takes a message away from every group that is not done with it. Answers whether there was one. */
export function drop(work: Work, id: string, found: Found): boolean {
  if ('timer' in found) {
    dropDelayed(work, found)
  } else {
    const { seq, key } = found
    const inLog = work.segment(seq) !== undefined
    const groups = allGroups(work)
    let dropped = groups.length === 0 && isPending(work, seq)
    for (const group of groups) {
      const place = group.locate(seq, key)
      if (place === undefined) continue
      group.remove(place, seq)
      dropped = true
    }
    if (!dropped) return false
    if (inLog) work.amend(seq, { gone: true })
  }
  const row = work.tx.get<IdRow>('ids', id)
  if (row !== undefined && ('seq' in found ? 'seq' in row && row.seq === found.seq : 'timer' in row)) {
    work.tx.delete('ids', id)
  }
  return true
}

function dropDelayed(work: Work, { timer, segment, index }: Extract<Found, { segment: Segment }>): void {
  const { tx } = work
  work.edit().delayed--
  const rest = Array.from({ length: lengthOf(segment) }, (_, i) => messageAt(segment, i))
  rest.splice(index, 1)
  if (rest.length === 0) {
    tx.delete('timers', timer)
    tx.delete('ids', segment.more!.alias!)
    return
  }
  const without = (column: readonly unknown[] | undefined): never =>
    column?.filter((_, i) => i !== index) as never
  const { keys, ids, named, headers, expires, maxAttempts, alias } = segment.more!
  const more = {
    keys: without(keys),
    ids: without(ids),
    named: without(named),
    headers: without(headers),
    expires: without(expires),
    maxAttempts: without(maxAttempts),
    alias: alias!,
  }
  const bodies = rest.map((message) => message.body)
  const left: Segment = { ...segment, bodies: bodies.length === 1 ? bodies[0]! : bodies, more }
  tx.put('timers', timer, { segment: left } satisfies DeliverRow)
}
