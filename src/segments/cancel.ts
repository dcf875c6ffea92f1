import { dropBody, dropOwned, isLong, putBody } from './bodies.ts'
import { type Found, type InDelayed, find, isAhead, isPending } from './find.ts'
import { allGroups } from './group.ts'
import { putLeft, withoutLast } from './id-rows.ts'
import { remove } from './moves.ts'
import { locate } from './places.ts'
import type { IdRow } from './rows.ts'
import { type Draft, draftsOf, makeSegments, sizeOf } from './segment.ts'
import { putDeliver } from './sweep.ts'
import { type Work, amend, edit } from './work.ts'

/** Drops messages, wherever they are. Answers, for each, whether it was there. */
export function cancel(work: Work, ids: readonly string[]): boolean[] {
  work.tx.expect?.(ids.map((id) => ['ids', id]))
  return ids.map((id) => {
    const found = find(work, id)
    return found !== undefined && drop(work, id, found)
  })
}

/** Takes a message away from every group that is not done with it. Answers whether there was one. */
export function drop(root: Work, id: string, found: Found): boolean {
  if ('delayed' in found) {
    dropDelayed(root, found)
  } else {
    const { seq, key, work } = found
    const groups = allGroups(work)
    // Looked at before it is taken away.
    const inLog = isAhead(work, seq)
    let dropped = groups.length === 0 && isPending(work, seq)
    for (const group of groups) {
      const place = locate(group, seq, key)
      if (place === undefined) continue
      remove(group, place, seq)
      dropOwned(group, seq)
      dropped = true
    }
    if (!dropped) return false
    if (inLog) {
      amend(work, seq, { gone: true })
      dropBody(work, seq)
    }
  }
  const row = root.tx.get<IdRow>('ids', id)
  const isOfIt = 'seq' in found ? row?.seq === found.seq : row?.delayed !== undefined
  if (isOfIt) putLeft(root, id, { ...withoutLast(row!), until: undefined })
  return true
}

function dropDelayed(work: Work, found: InDelayed): void {
  edit(work).delayed--
  putInstead(work, found)
}

/** Puts other messages in the place of a delayed one. */
export function putInstead(work: Work, { delayed, segment, index }: InDelayed, ...messages: Draft[]): void {
  const { tx } = work
  const { timer } = segment
  const all = draftsOf(segment)
  const queue = edit(work)
  const { body: before } = all[index]!
  if (isLong(before)) dropBody(work, before.at)
  const now = messages.map((message) => ({
    ...message,
    body: putBody(work, -queue.nextDelayed++, message.body),
  }))
  const left = all.toSpliced(index, 1, ...now)
  queue.delayedBytes -= sizeOf(all[index]!)
  for (const message of messages) queue.delayedBytes += sizeOf(message)
  if (left.length === 0) {
    if (segment.lane !== undefined) queue.lanes--
    tx.delete('timers', timer)
    tx.delete('delayed', delayed)
  }
  const limits = { ...work.limits, segmentBytes: Infinity }
  makeSegments(left, segment, limits, (one) =>
    putDeliver(work, delayed, { ...one, timer, lane: segment.lane }),
  )
}
