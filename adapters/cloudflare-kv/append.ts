import { QuaysideError } from '../../src/errors.ts'
import type { AppendResult, NewMessage } from '../../src/storage.ts'
import { type Work, removeSegments, valuesFor, writeValues } from './change.ts'
import { SEGMENT } from './keys.ts'
import { type Due, makeId } from './rows.ts'

/** Messages as they will be written, and what is to be answered for them. */
export function prepare(
  { ledger, settings: { clock } }: Work,
  messages: readonly NewMessage[],
  batchId: string,
): { due: Due[]; results: AppendResult[] } {
  const now = ledger.now(clock)
  const timestamp = clock.now()
  const due = messages.map(({ body, id, headers, delayMs = 0, expiresInMs, maxAttempts }, i): Due => {
    const row = {
      id: id ?? makeId(batchId, i),
      body,
      headers,
      timestamp,
      maxAttempts,
      expires: expiresInMs === undefined ? undefined : now + expiresInMs,
      attempts: 0,
    }
    return { row, at: now + delayMs }
  })
  return { due, results: due.map(({ row }) => ({ id: row.id, status: 'stored' })) }
}

/** Writes messages: all or, as far as KV lets that be known, none. */
export async function write(work: Work, due: readonly Due[]): Promise<void> {
  const { kv, ledger, settings } = work
  const now = ledger.now(settings.clock)
  const values = valuesFor(work, SEGMENT, due, now)
  if (values.length > settings.maxOperations) throw tooMany(values.length, settings.maxOperations)
  kv.require('append', values.length)
  try {
    await writeValues(work, 'append', values, now)
  } catch (error) {
    const segments = values.map(({ segment }) => segment)
    const written = segments.findIndex(({ key }) => ledger.segment(key) === undefined)
    // The one that failed may be there or not.
    if (written > 0) await removeSegments(work, 'append', segments.slice(0, written + 1), now).catch(() => {})
    throw error
  }
  ledger.sent += due.length
}

function tooMany(writes: number, most: number): QuaysideError {
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    `append: this batch needs ${writes} writes, because its messages are due at so many times, and ${most} operations are the most (maxOperations). Nothing was stored; send it in parts, or let more messages be due together (delayStepMs)`,
  )
}
