import type { AppendOptions, NewMessage } from '../storage.ts'
import type { Key, KeyRange, Read, Row, Table, Transaction } from './store.ts'
import { under } from './work.ts'

/**
 * The inbox of a queue: messages that others have put beside its rows, in transactions of their own, and that the next step
 * takes into the queue. So who hands something over waits for nobody, and nobody for the end of a long transaction.
 */
export const INBOX_TABLE = 'state'
const INBOX = 'inbox'
export const INBOX_ROWS: KeyRange = under(INBOX)

/** How many rows one step takes at most. */
const MOST = 1000

interface Handed {
  readonly messages: readonly NewMessage[]
  readonly groups?: AppendOptions['groups']
}

/** What {@link takeMail} reads. */
export const MAIL: Read = [INBOX_TABLE, INBOX_ROWS, MOST]

let latest = 0
let count = 0

/**
 * The row to put, in whatever transaction, so that a store that has an inbox finds these messages: each has an id.
 *
 * @example
 * ```ts
 * const [table, key, value] = handOver(messages, options)
 * tx.put(table, key, value)
 * ```
 */
export function handOver(
  messages: readonly NewMessage[],
  { groups }: Pick<AppendOptions, 'groups'>,
): readonly [table: Table, key: Key, value: unknown] {
  // One context hands over in the order of its calls; others, in that of their clocks.
  latest = Math.max(latest, Date.now())
  const handed: Handed = groups === undefined || groups.length === 0 ? { messages } : { messages, groups }
  return [INBOX_TABLE, [INBOX, latest, ++count, messages[0]!.id!], handed]
}

/** Whether somebody has handed something over. */
export function hasMail(tx: Transaction): boolean {
  return tx.range(INBOX_TABLE, INBOX_ROWS, 1).length > 0
}

/** Empties the inbox, or takes a good part of it. */
export function takeMail(tx: Transaction): Required<Handed> {
  const rows: readonly Row<Handed>[] = tx.range(INBOX_TABLE, INBOX_ROWS, MOST)
  if (rows.length === 0) return NO_MAIL
  // One by one: more may have come since they were read.
  for (const [key] of rows) tx.delete(INBOX_TABLE, key)
  return {
    messages: rows.flatMap(([, { messages }]) => messages),
    groups: rows.flatMap(([, { groups = [] }]) => groups),
  }
}

const NO_MAIL: Required<Handed> = { messages: [], groups: [] }
