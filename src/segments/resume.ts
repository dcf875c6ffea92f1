import type { ResumeOptions } from '../storage.ts'
import { type Found, type InLog, find } from './find.ts'
import { allGroups, partOf } from './group.ts'
import { handOver } from './joining.ts'
import { flowOf, inWork } from './lanes/lane.ts'
import { replace } from './moves.ts'
import { locate, messageIn } from './places.ts'
import { HIDDEN } from './rows.ts'
import { unpark, wait } from './waiting.ts'
import { type Group, type Work, ALL, under } from './work.ts'

/** Ends the wait of parked messages. Answers, for each, whether it was parked in some group. */
export function resume(work: Work, ids: readonly string[], { group: only, edit }: ResumeOptions): boolean[] {
  const groups = allGroups(work).filter(({ name }) => only === undefined || name === only)
  work.tx.expect?.(ids.map((id) => ['ids', id]))
  work.tx.expect?.(
    ids.flatMap((id) => groups.map(({ name }) => ['due', under(name, HIDDEN, id), ALL] as const)),
  )
  return ids.map((id) => {
    const found = find(work, id)
    return groups.filter((group) => resumeAll(group, id, found, edit)).length > 0
  })
}

/** All of an id, or with an edit the last. */
function resumeAll(whole: Group, id: string, found: Found | undefined, edit: ResumeOptions['edit']): boolean {
  const { work, name } = whole
  const last = found === undefined || 'delayed' in found ? undefined : inWork(whole, found.work)
  let isThere = last !== undefined && resumeIn(last, (found as InLog).seq, (found as InLog).key, edit)
  const hidden = work.tx.range<readonly [key: string | 0, lane: string | 0]>(
    'due',
    under(name, HIDDEN, id),
    ALL,
  )
  for (const [at, [key, lane]] of hidden.toReversed()) {
    if (isThere && edit !== undefined) break
    const group = flowOf(whole, lane || undefined)
    if (group !== undefined && resumeIn(group, partOf(at, 3), key || undefined, edit)) isThere = true
  }
  return isThere
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
    unpark(group, place.side)
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
