import { OrderedMap } from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { TABLE_NAMES } from './format.ts'

/** The rows of one queue, as keys and numbers of {@link Rows}; and who wants to know when they change. */
export class QueueRows {
  /** What rows in the journal carry instead of the name. */
  readonly number: number
  name: string
  readonly listeners: Set<(hint?: Hint) => void> = new Set()
  readonly #tables: (OrderedMap<number> | undefined)[] = TABLE_NAMES.map(() => undefined)

  constructor(number: number, name: string) {
    this.number = number
    this.name = name
  }

  get isEmpty(): boolean {
    return this.#tables.every((rows) => rows === undefined || rows.size === 0)
  }

  /** The rows of the table with this number, see `format.ts`. */
  table(table: number): OrderedMap<number> {
    return (this.#tables[table] ??= new OrderedMap())
  }
}
