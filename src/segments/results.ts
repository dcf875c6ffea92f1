import type { Outcome } from '../storage.ts'
import { find } from './find.ts'
import { allGroups, partOf } from './group.ts'
import { isOfDelayed, parseId } from './ids.ts'
import { flowOf } from './lanes/lane.ts'
import { findLease } from './leases.ts'
import { type DeadRow, type IdRow, type Lease, type ResultRow, type Stored, KEPT, LETTERS } from './rows.ts'
import type { KeyRange } from './store.ts'
import { type Group, type Work, ALL, addTimer, spend, under } from './work.ts'

/**
 * What became of messages that have a `keepMs`: a row in `results` for each group that is done with one, and timers that
 * delete some together. How far a handler is, is a row there as well, until its lease ends.
 *
 * An outcome is found by the digits of a made id; where these do not lead to it, the row of the id stays as long as it.
 */

/** The most numbers and ids in a timer: of half as many outcomes. */
const TOGETHER = 512

/**
 * The group is done with a message that has a `keepMs`, or it died there. Before its id is let go. Answers whether it is kept: not
 * where a later message has had its id.
 */
export function keep(
  { work, name }: Group,
  seq: number,
  message: Stored,
  attempt: number,
  outcome: Outcome,
): boolean {
  const { id, keepMs = 0 } = message
  const row = needsRow(message) ? (work.tx.get<IdRow>('ids', id) ?? {}) : undefined
  if (row !== undefined && !isOf(row, seq, message)) {
    work.tx.delete('results', [name, seq])
    return false
  }
  const until = work.now + keepMs
  putResult(work, name, seq, { ...resultOf(message, attempt, outcome), until })
  if (row !== undefined) {
    const keptUntil = Math.max(row.keptUntil ?? 0, until)
    work.tx.put('ids', id, { ...row, kept: seq, keptUntil } satisfies IdRow)
  }
  const { root } = work
  root.finished ??= []
  root.finished.push(id)
  return true
}

/**
 * Counts a dead letter whose outcome after a redrive is to be kept, for those who store a message under its id; or, with -1, one that is
 * gone, or has nothing kept any more.
 */
export function countLetter({ whole }: Group, seq: number, message: Stored, change: 1 | -1 = 1): void {
  if (message.keepMs === undefined) return
  const { work, name, row } = whole
  row.keepers = (row.keepers ?? 0) + change || undefined
  if (!needsRow(message)) return
  const key = [name, LETTERS, message.id, seq]
  if (change > 0) work.tx.put('due', key, 0)
  else work.tx.delete('due', key)
}

/** Notes how far the handler of a message is. */
export function keepProgress(
  group: Group,
  seq: number,
  message: Stored,
  lease: Lease,
  outcome: Outcome,
): void {
  const row: ResultRow = { ...resultOf(message, lease.attempt, outcome), lease: lease.lease }
  group.work.tx.put('results', [group.name, seq], row)
}

/** Whether no other message has the id by now. One that was made has a row only now and then. */
function isOf({ seq, kept }: IdRow, own: number, { named }: Stored): boolean {
  return seq === own || kept === own || (named === undefined && seq === undefined)
}

/** Whether the id of a message does not say itself where its outcome is. */
function needsRow({ id, named }: Stored): boolean {
  return named !== undefined || isOfDelayed(id)
}

function resultOf({ id, at, key, lane }: Stored, attempt: number, outcome: Outcome): ResultRow {
  return { id, at, attempt, outcome, ...(key !== undefined && { key }), ...(lane !== undefined && { lane }) }
}

/** Puts the row of an outcome, and has it deleted when its time is over. */
export function putResult({ root: work }: Work, group: string, seq: number, row: ResultRow): void {
  const { id, until = 0 } = row
  work.tx.put('results', [group, seq], row)
  work.kept ??= new Map()
  const together = `${until} ${group}`
  const some = work.kept.get(together) ?? { until, group, outcomes: [] }
  work.kept.set(together, some)
  some.outcomes.push(seq, id)
}

/** Writes the timers for that. */
export function putKept(work: Work): void {
  for (const { until, group, outcomes } of work.kept?.values() ?? []) {
    // Rows of a bounded length, so that no step has to forget more than it may.
    for (let i = 0; i < outcomes.length; i += TOGETHER)
      work.tx.put('timers', addTimer(work, KEPT, until), [group, ...outcomes.slice(i, i + TOGETHER)])
  }
}

/** The time of an outcome is over, unless it has another one by now. */
export function letGo(work: Work, group: string, seq: number, id: string): void {
  spend(work)
  const { tx, now } = work
  if (isOver(work, tx.get<ResultRow>('results', [group, seq]))) tx.delete('results', [group, seq])
  const row = tx.get<IdRow>('ids', id)
  if (row?.kept !== seq || row.keptUntil! > now) return
  const { kept: _kept, keptUntil: _until, ...left } = row
  const { seq: where = left.delayed, until = 0 } = left
  if (where !== undefined || until > now) tx.put('ids', id, left)
  else tx.delete('ids', id)
}

function isOver({ now }: Work, row: ResultRow | undefined): boolean {
  return row?.until !== undefined && row.until <= now
}

/** The dead letters of an id whose outcomes are to be kept. */
export function lettersOf({ name }: Group, id: string): readonly ['due', KeyRange, number] {
  return ['due', under(name, LETTERS, id), ALL]
}

/** A message is stored under an id: what was kept of an earlier one is forgotten, and what its dead letters end with. */
export function forgetKept(work: Work, id: string, { kept }: IdRow): void {
  const { tx } = work
  const { tail, nextDelayed, laneTail } = work.root.queue
  const parsed = parseId(id, { log: tail, delayed: nextDelayed, lane: laneTail })
  // That of an id that was made has no row.
  const made = parsed?.delayed === false ? [parsed.number] : []
  for (const group of allGroups(work)) {
    const { name, row: own } = group
    for (const seq of kept === undefined ? made : [kept, ...made])
      if (tx.get<ResultRow>('results', [name, seq])?.id === id) tx.delete('results', [name, seq])
    if (own.keepers === undefined) continue
    for (const seq of [...tx.range(...lettersOf(group, id)).map(([key]) => partOf(key, 3)), ...made]) {
      const letter = tx.get<DeadRow>('dead', [name, seq])
      if (letter?.message.id !== id) continue
      countLetter(group, seq, letter.message, -1)
      group.changed = true
      tx.put('dead', [name, seq], { ...letter, message: { ...letter.message, keepMs: undefined } })
    }
  }
}

/** The outcome in a row, if it holds now. */
export function outcomeIn(group: Group, seq: number, row: ResultRow): Outcome | undefined {
  const { now } = group.work
  if (row.until !== undefined) return row.until > now ? row.outcome : undefined
  const flow = group.whole === group ? flowOf(group, row.lane) : group
  const lease = flow && findLease(flow, seq)
  return lease !== undefined && lease.lease === row.lease && lease.until > now ? row.outcome : undefined
}

/** Ids that are read at once, because outcomes may be large. */
const IDS_AT_ONCE = 64

/** What became of messages, of as many as an answer can carry. Writes nothing. */
export function results(group: Group, ids: readonly string[]): (Outcome | undefined)[] {
  const { work, name } = group
  const { tx } = work
  const outcomes: (Outcome | undefined)[] = []
  let bytes = work.limits.answerBytes
  while (outcomes.length < ids.length && bytes > 0) {
    const some = ids.slice(outcomes.length, outcomes.length + IDS_AT_ONCE)
    tx.expect?.(some.map((id) => ['ids', id]))
    const seqs = some.map((id) => seqOf(work, id))
    tx.expect?.(seqs.flatMap((seq) => (seq === undefined ? [] : [['results', [name, seq]] as const])))
    for (const [i, seq] of seqs.entries()) {
      const row = seq === undefined ? undefined : tx.get<ResultRow>('results', [name, seq])
      const outcome = row?.id === some[i] ? outcomeIn(group, seq!, row!) : undefined
      outcomes.push(outcome)
      bytes -= sizeOfOutcome(outcome)
      if (bytes <= 0) break
    }
  }
  return outcomes
}

/** Where the outcome of an id is, if there is one. */
export function seqOf(work: Work, id: string): number | undefined {
  const row = work.tx.get<IdRow>('ids', id)
  const seq = row?.kept ?? row?.seq
  if (seq !== undefined) return seq
  const parsed = parseId(id, {
    log: work.queue.tail,
    delayed: work.queue.nextDelayed,
    lane: work.queue.laneTail,
  })
  if (parsed?.delayed !== true) return parsed?.number
  const found = find(work, id)
  return found !== undefined && 'seq' in found ? found.seq : undefined
}

/** What the value of an outcome counts for, in bytes. */
export function sizeOfOutcome(outcome: Outcome | undefined): number {
  if (outcome === undefined || outcome.status === 'dead') return 0
  return (outcome.status === 'done' ? outcome.value : outcome.progress)?.length ?? 0
}
