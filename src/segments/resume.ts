import type { ResumeOptions } from '../storage.ts'
import { find } from './find.ts'
import { type Group, allGroups } from './group.ts'
import { handOver } from './joining.ts'
import { inWork } from './lanes/lane.ts'
import { replace } from './moves.ts'
import { locate, messageIn } from './places.ts'
import { unpark, wait } from './waiting.ts'
import type { Work } from './work.ts'

/** Ends the wait of parked messages. Answers, for each, whether it was parked in some group. */
export function resume(work: Work, ids: readonly string[], { group: only, edit }: ResumeOptions): boolean[] {
  work.tx.expect?.(ids.map((id) => ['ids', id]))
  const groups = allGroups(work).filter(({ name }) => only === undefined || name === only)
  return ids.map((id) => {
    const found = find(work, id)
    if (found === undefined || 'delayed' in found) return false
    return (
      groups.filter((whole) => {
        const group = inWork(whole, found.work)
        return group !== undefined && resumeIn(group, found.seq, found.key, edit)
      }).length > 0
    )
  })
}

function resumeIn(group: Group, seq: number, key: string | undefined, edit: ResumeOptions['edit']): boolean {
  const { work } = group
  const { now } = work
  const place = locate(group, seq, key)
  if (place?.at !== 'side' || place.side.parked === undefined) return false
  const message = messageIn(group, place, seq)!
  if (message.expires !== undefined && message.expires <= now) return false
  if (edit === undefined) {
    const { row } = place.side
    unpark(group, seq)
    wait(group, key, { seq, at: now, attempt: 0, message: place.side.message, row })
    return true
  }
  const { body, headers, maxAttempts, expiresInMs } = edit
  // Groups that have yet to take it over get it as it was.
  handOver(group, seq, message)
  const expires = expiresInMs === undefined ? message.expires : now + expiresInMs
  replace(group, place, seq, { ...message, body, headers, maxAttempts, expires, at: work.clock })
  return true
}
