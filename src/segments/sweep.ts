import { allGroups } from './group.ts'
import type { AliasRow, IdRow, Segment, TimerRow } from './rows.ts'
import { lastOf, lengthOf, messageAt, sizeOf } from './segment.ts'
import { type Row } from './store.ts'
import type { Work } from './work.ts'

/** Timers that one claim works off. The rest is left to the next, so that no claim takes long. */
const TIMERS_PER_SWEEP = 16

/** Does what is due: moves delayed messages into the log, buries what expired, forgets ids. */
export function sweep(work: Work): void {
  const { tx, now } = work
  if (work.queue.timer === undefined || work.queue.timer > now) return
  const rows: readonly Row<TimerRow>[] = tx.range<TimerRow>('timers', { upper: now }, TIMERS_PER_SWEEP)
  for (const [key, timer] of rows) {
    tx.delete('timers', key)
    if (timer.kind === 'deliver') moveIntoLog(work, timer.segment)
    else if (timer.kind === 'expire') expire(work, timer)
    else forget(work, timer.ids)
  }
  const next = tx.range<TimerRow>('timers', {}, 1)
  work.edit().timer = (next[0]?.[0] as readonly number[] | undefined)?.[0]
}

/** Delayed messages take their place at the end of the log, under a new number but with the ids they have. */
function moveIntoLog(work: Work, delayed: Segment): void {
  const { tx } = work
  const queue = work.edit()
  const segment: Segment = { ...delayed, first: queue.tail, bytes: queue.bytes }
  const last = lastOf(segment)
  tx.put('log', last, segment)
  tx.put('ids', segment.more!.alias!, { last } satisfies AliasRow)
  queue.tail = last + 1
  queue.delayed -= lengthOf(segment)
  queue.aliased++
  const expiring: Expiring = new Map()
  for (let seq = segment.first; seq <= last; seq++) {
    const message = messageAt(segment, seq - segment.first)
    queue.bytes += sizeOf(message)
    if (message.named !== undefined) tx.put('ids', message.id, { seq, key: message.key } satisfies IdRow)
    noteExpiry(expiring, seq, message)
  }
  addExpiries(work, expiring)
}

/** Messages to expire, by time. */
export type Expiring = Map<number, { kind: 'expire'; seqs: number[]; keys: (string | undefined)[] }>

export function noteExpiry(
  expiring: Expiring,
  seq: number,
  message: { readonly expires?: number | undefined; readonly key?: string | undefined },
): void {
  if (message.expires === undefined) return
  const timer = expiring.get(message.expires)
  if (timer === undefined) {
    expiring.set(message.expires, { kind: 'expire', seqs: [seq], keys: [message.key] })
  } else {
    timer.seqs.push(seq)
    timer.keys.push(message.key)
  }
}

export function addExpiries(work: Work, expiring: Expiring): void {
  for (const [at, timer] of expiring) work.addTimer(at, timer)
}

/**
 * Makes what has expired a dead letter of every group that has it waiting. A message under a lease is left alone: its
 * consumer may yet finish it, and if not, it dies when the lease ends.
 */
function expire(work: Work, { seqs, keys }: TimerRow & { kind: 'expire' }): void {
  for (const [i, seq] of seqs.entries()) {
    for (const group of allGroups(work)) {
      const place = group.locate(seq, keys[i])
      if (place === undefined || place.at === 'run' || place.at === 'single') continue
      const message = group.messageAt(place, seq)
      // It may have been replaced by one that lives longer.
      if (message?.expires === undefined || message.expires > work.now) continue
      group.remove(place, seq)
      group.bury(seq, message, place.at === 'side' ? place.side.attempt : 0, 'expired')
    }
    const message = work.logMessage(seq)
    if (message?.expires !== undefined && message.expires <= work.now)
      work.amend(seq, { gone: true, message })
  }
}

function forget(work: Work, ids: readonly string[]): void {
  for (const id of ids) {
    const row = work.tx.get<IdRow>('ids', id)
    if (row !== undefined && 'until' in row && row.until <= work.now) work.tx.delete('ids', id)
  }
}
