import { allGroups } from './group.ts'
import { parseId } from './ids.ts'
import type { AliasRow, ChainRow, IdRow, Segment, SideRow, TimerRow } from './rows.ts'
import { idAt, indexOfId, lastOf } from './segment.ts'
import { ALL, type Work } from './work.ts'

/** Where a message was found: in a timer, not in the log yet; or by its seq, in whatever state. */
export type Found =
  | {
      readonly timer: readonly [at: number, number: number]
      readonly segment: Segment
      readonly index: number
    }
  | { readonly seq: number; readonly key: string | undefined }

/**
 * Finds a message by its id. Ids that their senders chose have a row; others say themselves where to look. Only a message
 * that the log has let go, and that waits or is parked, may have to be searched for among those that do.
 */
export function find(work: Work, id: string): Found | undefined {
  const { tx, queue } = work
  const row = tx.get<IdRow>('ids', id)
  if (row !== undefined) {
    if ('seq' in row) return { seq: row.seq, key: row.key }
    return 'timer' in row ? inTimer(work, row.timer, id) : undefined
  }
  const parsed = parseId(id, { log: queue.tail, delayed: queue.nextDelayed })
  if (parsed === undefined) return undefined
  if (!parsed.delayed) {
    const segment = work.segment(parsed.number)
    if (segment === undefined) return search(work, id)
    const index = parsed.number - segment.first
    return idAt(segment, index) === id ? { seq: parsed.number, key: segment.more?.keys?.[index] } : undefined
  }
  const [found] = tx.range<AliasRow>('ids', { lower: parsed.number }, 1)
  // Callers' ids stand behind all numbers.
  if (found === undefined || typeof found[0] !== 'number') return search(work, id)
  if ('timer' in found[1]) return inTimer(work, found[1].timer, id)
  const segment = work.segment(found[1].last)
  const index = segment === undefined ? -1 : indexOfId(segment, id)
  return index < 0 ? search(work, id) : { seq: segment!.first + index, key: segment!.more?.keys?.[index] }
}

function inTimer(work: Work, timer: readonly [number, number], id: string): Found | undefined {
  const row = work.tx.get<TimerRow>('timers', timer)
  if (row?.kind !== 'deliver') return undefined
  const index = indexOfId(row.segment, id)
  return index < 0 ? undefined : { timer, segment: row.segment, index }
}

function search(work: Work, id: string): Found | undefined {
  for (const { name } of allGroups(work)) {
    const range = { lower: [name], upper: [name] }
    for (const [, side] of work.tx.range<SideRow>('side', range, ALL)) {
      if (side.message?.id === id) return { seq: side.seq, key: side.message.key }
    }
    for (const [, chain] of work.tx.range<ChainRow>('chain', range, ALL)) {
      const index = chain.messages.findIndex((message) => message?.id === id)
      if (index >= 0) return { seq: chain.seqs[index]!, key: chain.messages[index]!.key }
    }
  }
  return undefined
}

/** Whether the log still holds a message. */
export function isInLog(work: Work, seq: number): boolean {
  const segment = work.segment(seq)
  return segment !== undefined && seq <= lastOf(segment)
}
