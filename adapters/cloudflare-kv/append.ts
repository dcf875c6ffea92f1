import type { AppendResult, NewMessage } from '../../src/storage.ts'
import { type Due, type Work, writeRows } from './change.ts'
import { SEGMENT } from './keys.ts'
import { makeId } from './rows.ts'

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

export async function write(work: Work, due: readonly Due[]): Promise<void> {
  const { kv, ledger, settings } = work
  const now = ledger.now(settings.clock)
  kv.require('append', 1)
  await writeRows(work, 'append', SEGMENT, due, now)
  ledger.sent += due.length
}
