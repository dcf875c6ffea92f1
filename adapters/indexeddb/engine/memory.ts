import { BATCH } from './records.ts'
import type { Row } from './rows.ts'

/** What a context remembers of a queue: guesses, which save a step where they are right. */
export interface Memory {
  /** Where groups were. */
  readonly cursors: Map<string, number>
  /** How long messages are, about. */
  mean: number
  /** How many of them share a row, about. */
  perRow: number
  /** No message is delayed, as far as this context knows. */
  undelayed: boolean
  /** Rows that stand in the row of the queue. */
  near: ReadonlyMap<string, Row>
}

export function newMemory(): Memory {
  return { cursors: new Map(), mean: 1000, perRow: BATCH, undelayed: false, near: new Map() }
}
