import { Change, type Work, removeSegments } from './change.ts'
import type { Segment } from './entries.ts'
import { DEAD, GROUP, SEGMENT, isKey, timeOf } from './keys.ts'
import { readRows } from './settle.ts'

/** Deletes what only this group had, and what only it had not finished; then the group. */
export async function deleteGroup(work: Work, name: string): Promise<void> {
  const { kv, ledger, settings } = work
  const tried = 'deleteGroup'
  const now = ledger.now(settings.clock)
  await ledger.load(kv, tried, now, true)
  const group = ledger.groups.get(name)
  if (group === undefined) return
  const others = [...ledger.groups.values()].filter((other) => other !== group)
  const isLeft = (segment: Segment): boolean => {
    if (segment.group !== undefined) return !group.ids.has(segment.group)
    return others.some((other) => ledger.belongs(other, segment) && !ledger.hasFinished(other, segment))
  }
  const segments = [...ledger.segments(SEGMENT), ...ledger.segments(DEAD)].filter((one) => !isLeft(one))
  kv.require(tried, segments.length + group.keys.length)
  await removeSegments(work, tried, segments, now)
  ledger.removeGroup(name, now)
  await kv.deleteAll(
    tried,
    group.keys.map((key) => ledger.prefix + key),
  )
}

export async function purge(work: Work): Promise<void> {
  const { kv, ledger, settings } = work
  const now = ledger.now(settings.clock)
  await ledger.load(kv, 'purge', now, true)
  const segments = [...ledger.segments(SEGMENT), ...ledger.segments(DEAD)]
  const possible = segments.slice(0, Math.max(0, kv.left))
  await removeSegments(work, 'purge', possible, now)
  if (possible.length < segments.length) kv.require('purge', Infinity)
}

/** Deletes every key of the queue, the groups last: who is cut off leaves one that is emptier, and may go on. */
export async function deleteQueue({ kv, ledger, settings }: Work): Promise<void> {
  const tried = 'delete'
  const now = ledger.now(settings.clock)
  const keys = new Set(ledger.ownKeys())
  for (let cursor: string | undefined; ;) {
    kv.require(tried, 1)
    const page = await kv.list(tried, ledger.prefix, cursor)
    for (const { name } of page.keys) {
      const key = name.slice(ledger.prefix.length)
      if (isKey(key) && !ledger.isGone(key)) keys.add(key)
    }
    if (page.list_complete) break
    cursor = page.cursor
  }
  const isGroup = (key: string): number => (key.startsWith(GROUP) ? 1 : 0)
  const all = [...keys].sort((a, b) => isGroup(a) - isGroup(b))
  const possible = all.slice(0, Math.max(0, kv.left))
  ledger.clear(possible, now)
  await kv.deleteAll(
    tried,
    possible.map((key) => ledger.prefix + key),
  )
  if (possible.length < all.length) kv.require(tried, Infinity)
}

/** Moves retries that wait into segments that are due. */
export async function retryNow(work: Work, name: string, ids: readonly string[]): Promise<boolean[]> {
  const { kv, ledger, settings } = work
  const tried = 'retryNow'
  const now = ledger.now(settings.clock)
  await ledger.load(kv, tried, now, true)
  const group = ledger.groups.get(name)
  if (group === undefined) return ids.map(() => false)
  const waiting = [...ledger.segments(SEGMENT)].filter(
    (segment) => segment.group !== undefined && ledger.belongs(group, segment) && timeOf(segment.key) > now,
  )
  await readRows(work, tried, waiting, false)
  const change = new Change(work, group, now, 0)
  const wanted = new Set(ids)
  const found = new Set<string>()
  for (const segment of waiting) {
    const { done } = ledger.standing(group, segment)
    for (const [index, row] of (ledger.rows.get(segment.key)?.rows ?? []).entries()) {
      if (done.has(index) || !wanted.has(row.id)) continue
      found.add(row.id)
      change.done(segment.key, index)
      change.retry({ row, at: now })
    }
  }
  change.tell()
  await change.commit(tried)
  return ids.map((id) => found.delete(id))
}
