import {
  type Key,
  type KeyRange,
  OrderedMap,
  type Row,
  type Table,
  type Transaction,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'

/** Items that have been written together. */
export interface Commit {
  readonly run: string
  /** Its items, both ends included. */
  readonly from: number
  readonly to: number
  /** The sum of its last item. */
  readonly sum: string
  /** How long its items are together, and the rows among them that nothing has taken the place of. */
  readonly units: number
  live: number
  /** The rows that it wrote. Those that are live still have it as their {@link Kept.commit}; the first so many have not. */
  readonly rows: Kept[]
  passed: number
}

/** One row, in memory. */
export interface Kept {
  /** The rows among which it is, as long as nothing has taken its place. */
  readonly rows: OrderedMap<Kept>
  readonly queue: string
  readonly table: Table
  readonly key: Key
  value: unknown
  /** The commit in whose items it lies; `undefined` while that is being written, and once another took its place. */
  commit: Commit | undefined
  /** How long its text is there. */
  units: number
}

/** What a transaction has done to one row or many, in a form that can be undone. */
export type Change =
  | {
      readonly kind: 'put'
      readonly row: Kept
      readonly before: Kept | undefined
    }
  | { readonly kind: 'delete'; readonly before: Kept }
  | {
      readonly kind: 'deleteRange'
      readonly queue: string
      readonly table: Table
      readonly range: KeyRange
      readonly before: readonly Kept[]
    }

/** The rows of one queue, as its transactions see them: what they write is there at once, and can be taken back. */
export class QueueRows implements Transaction {
  readonly name: string
  readonly listeners: Set<(hint?: Hint) => void> = new Set()
  readonly #tables: { [T in Table]?: OrderedMap<Kept> } = {}
  /** What was changed since it was last written, of all queues, in order. */
  readonly #changes: Change[]
  hint: Hint | undefined

  constructor(name: string, changes: Change[]) {
    this.name = name
    this.#changes = changes
  }

  get isEmpty(): boolean {
    return Object.values(this.#tables).every(({ size }) => size === 0)
  }

  table(table: Table): OrderedMap<Kept> {
    return (this.#tables[table] ??= new OrderedMap())
  }

  get<V>(table: Table, key: Key): V | undefined {
    return this.table(table).get(key)?.value as V | undefined
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    return this.table(table)
      .range(range, limit)
      .map(([key, { value }]) => [key, value as V])
  }

  count(table: Table, range: KeyRange): number {
    return this.table(table).count(range)
  }

  /** @param units How long its text is, where that is known. */
  put(table: Table, key: Key, value: unknown, units = 0): void {
    const rows = this.table(table)
    const row: Kept = { rows, queue: this.name, table, key, value, commit: undefined, units }
    this.#changes.push({ kind: 'put', row, before: rows.set(key, row) })
  }

  delete(table: Table, key: Key): void {
    const rows = this.table(table)
    const before = rows.delete(key)
    if (before !== undefined) this.#changes.push({ kind: 'delete', before })
  }

  deleteRange(table: Table, range: KeyRange): void {
    const rows = this.table(table)
    const before: Kept[] = []
    rows.deleteRange(range, (_, removed) => {
      for (const row of removed) before.push(row)
    })
    if (before.length > 0) this.#changes.push({ kind: 'deleteRange', queue: this.name, table, range, before })
  }

  tell(hint: Hint): void {
    this.hint = hint
  }
}

/** Takes back the last changes, until so many are left. */
export function undo(changes: Change[], left: number): void {
  while (changes.length > left) {
    const change = changes.pop()!
    if (change.kind === 'put' && change.before === undefined) change.row.rows.delete(change.row.key)
    else for (const row of endedBy(change)) row.rows.set(row.key, row)
  }
}

/** The rows that are no more, or that another has taken the place of. */
export function endedBy({ before }: Change): readonly Kept[] {
  if (before === undefined) return []
  return 'key' in before ? [before] : before
}

/** Whether a row is what is read under its key. */
export function isCurrent(row: Kept): boolean {
  return row.rows.get(row.key) === row
}
