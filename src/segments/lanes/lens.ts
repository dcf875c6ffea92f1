import type { Key, KeyRange, Read, Row, Table, Transaction } from '../store.ts'

/** A stretch of numbers that a lane has reserved: its messages lie in it, in order. */
export type Block = readonly [first: number, last: number]

/** Tables whose keys begin with a group and whose rows belong to one lane. */
const OWN: ReadonlySet<Table> = new Set(['side', 'due', 'chain', 'held'] as const)

/** Lanes' rows of such a table: before those of messages without a lane, because numbers stand before strings. */
export const IN_LANES = 0

/**
 * The rows of a lane, as the engine would see them if the lane were a queue of its own:
 *
 * - Of the log, its amendments and bodies, what lies in the blocks of the lane.
 * - What begins with a group elsewhere begins with `[IN_LANES, group, lane]`.
 * - All else is the queue's.
 */
export class Lens implements Transaction {
  readonly #tx: Transaction
  readonly #lane: string
  blocks: readonly Block[]

  constructor(tx: Transaction, lane: string, blocks: readonly Block[]) {
    this.#tx = tx
    this.#lane = lane
    this.blocks = blocks
    if (tx.expect !== undefined) this.expect = (reads) => tx.expect!(reads.map((read) => this.#read(read)))
  }

  readonly expect?: (reads: readonly Read[]) => void

  get<V>(table: Table, key: Key): V | undefined {
    return this.#tx.get(table, this.#key(table, key))
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    if (isLog(table)) {
      const rows: Row<V>[] = []
      for (const part of this.#parts(range)) {
        if (rows.length >= limit) break
        rows.push(...this.#tx.range<V>(table, part, limit - rows.length))
      }
      return rows
    }
    const rows = this.#tx.range<V>(table, this.#range(table, range), limit)
    if (!OWN.has(table)) return rows
    return rows.map(([key, value]) => {
      const [, group, , ...rest] = key as readonly [number, string, string]
      return [[group, ...rest], value]
    })
  }

  count(table: Table, range: KeyRange): number {
    return this.#tx.count(table, this.#range(table, range))
  }

  put(table: Table, key: Key, value: unknown): void {
    this.#tx.put(table, this.#key(table, key), value)
  }

  delete(table: Table, key: Key): void {
    this.#tx.delete(table, this.#key(table, key))
  }

  deleteRange(table: Table, range: KeyRange): void {
    if (!isLog(table)) this.#tx.deleteRange(table, this.#range(table, range))
    else for (const part of this.#parts(range)) this.#tx.deleteRange(table, part)
    if (table !== 'log') return
    const { lower = 0, upper = 0 } = range as { lower?: number; upper?: number }
    if (lower > (this.blocks[0]?.[0] ?? Infinity)) return
    const rest = this.blocks.filter(([, last]) => last > upper)
    this.blocks = rest.map(([first, last]): Block => [Math.max(first, upper + 1), last])
  }

  /** What of a range lies in blocks. */
  *#parts({ lower = 0, upper = Infinity }: KeyRange): Iterable<{ lower: number; upper: number }> {
    for (const [first, last] of this.blocks) {
      const part = { lower: Math.max(first, lower as number), upper: Math.min(last, upper as number) }
      if (part.lower <= part.upper) yield part
    }
  }

  #key(table: Table, key: Key): Key {
    if (!OWN.has(table)) return key
    const [group, ...rest] = key as readonly string[]
    return [IN_LANES, group!, this.#lane, ...rest]
  }

  #range(table: Table, { lower, upper }: KeyRange): KeyRange {
    return OWN.has(table)
      ? { lower: this.#key(table, lower!), upper: this.#key(table, upper!) }
      : { lower: lower!, upper: upper! }
  }

  #read([table, what, limit]: Read): Read {
    if (limit === undefined) return [table, this.#key(table, what as Key)]
    return [
      table,
      isLog(table) ? [...this.#parts(what as KeyRange)][0]! : this.#range(table, what as KeyRange),
      limit,
    ]
  }
}

function isLog(table: Table): boolean {
  return table === 'log' || table === 'amend' || table === 'bodies'
}
