import type { Hint } from '../storage.ts'
import { OrderedMap } from './ordered-map.ts'
import {
  type Key,
  type KeyRange,
  type Read,
  type Row,
  type Table,
  type Transaction,
  compareKeys,
  isBehind,
} from './store.ts'

/** The reads of a store that has to wait for its rows. */
export interface AsyncReads {
  get(table: Table, key: Key): Promise<unknown>
  range(table: Table, range: KeyRange, limit: number): Promise<readonly Row<unknown>[]>
  count(table: Table, range: KeyRange): Promise<number>
}

/** One write of a transaction, to be carried out in order. */
export type Write =
  | { readonly kind: 'put'; readonly table: Table; readonly key: Key; readonly value: unknown }
  | { readonly kind: 'delete'; readonly table: Table; readonly key: Key }
  | { readonly kind: 'deleteRange'; readonly table: Table; readonly range: KeyRange }

/** Thrown out of a body by a read whose answer is not there yet. No error: the stack of one costs more than the run. */
class Missing {
  readonly answer: Promise<void>

  constructor(answer: Promise<void>) {
    this.answer = answer
  }
}

/**
 * Runs the body of a transaction on a store whose reads take time.
 *
 * The body runs until it reads something that was not read yet; the rehearsal stops it there, waits for the answer, and
 * runs it again from its start, now with that answer at hand. A verb of the engine reads three or four times, so it runs
 * as often, at some microseconds each, which is nothing against the reads. Its writes are only collected, and answered
 * with when it got to its end; nothing but the given reads is awaited in between, so an IndexedDB transaction lives on.
 */
export async function rehearse<T>(
  reads: AsyncReads,
  body: (tx: Transaction) => T,
): Promise<{ result: T; writes: readonly Write[]; hint: Hint | undefined }> {
  const answers: Answers = new Map()
  for (;;) {
    const rehearsal = new Rehearsal(reads, answers)
    try {
      return { result: body(rehearsal), writes: rehearsal.writes, hint: rehearsal.hint }
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      await error.answer
    }
  }
}

/** What was read so far, by the text of the question. */
type Answers = Map<string, unknown>

class Rehearsal implements Transaction {
  readonly writes: Write[] = []
  hint: Hint | undefined
  readonly #reads: AsyncReads
  readonly #answers: Answers
  /** What this run has written, by table: reads must see it. A row that was deleted is `GONE`. */
  readonly #written: Map<Table, { rows: OrderedMap<unknown>; cut: KeyRange[] }> = new Map()

  constructor(reads: AsyncReads, answers: Answers) {
    this.#reads = reads
    this.#answers = answers
  }

  get<V>(table: Table, key: Key): V | undefined {
    const written = this.#written.get(table)
    const own = written?.rows.get(key)
    if (own !== undefined) return own === GONE ? undefined : (own as V)
    if (written?.cut.some((range) => isInside(key, range))) return undefined
    return this.#ask(['get', table, key], () => this.#reads.get(table, key)) as V | undefined
  }

  expect(reads: readonly Read[]): void {
    const missing: Promise<void>[] = []
    for (const [table, what, limit] of reads) {
      const question = limit === undefined ? ['get', table, what] : ['range', table, what, limit]
      const text = JSON.stringify(question)
      if (this.#answers.has(text)) continue
      // It must not be asked twice.
      this.#answers.set(text, undefined)
      const answer =
        limit === undefined
          ? this.#reads.get(table, what as Key)
          : this.#reads.range(table, what as KeyRange, limit)
      missing.push(answer.then((value) => void this.#answers.set(text, value)))
    }
    // oxlint-disable-next-line typescript/only-throw-error -- See there.
    if (missing.length > 0) throw new Missing(Promise.all(missing).then(() => undefined))
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    const written = this.#written.get(table)
    if (written === undefined) return this.#askRange(table, range, limit) as readonly Row<V>[]
    const own = written.rows.range(range, Number.MAX_SAFE_INTEGER)
    // Rows that were read may be overwritten or deleted here: more of them are asked for until there are enough.
    for (let more = own.length + (written.cut.length > 0 ? limit : 0); ; more *= 2) {
      const stored = this.#askRange(table, range, Math.min(limit + more, Number.MAX_SAFE_INTEGER))
      const kept = stored.filter(
        ([key]) => written.rows.get(key) === undefined && !written.cut.some((cut) => isInside(key, cut)),
      )
      if (kept.length >= limit || stored.length < limit + more) {
        const rows = [...kept, ...own.filter(([, value]) => value !== GONE)]
        rows.sort(([a], [b]) => compareKeys(a, b))
        return rows.slice(0, limit) as readonly Row<unknown>[] as readonly Row<V>[]
      }
    }
  }

  count(table: Table, range: KeyRange): number {
    if (this.#written.has(table)) return this.range(table, range, Number.MAX_SAFE_INTEGER).length
    return this.#ask(['count', table, range], () => this.#reads.count(table, range)) as number
  }

  put(table: Table, key: Key, value: unknown): void {
    this.writes.push({ kind: 'put', table, key, value })
    this.#own(table).rows.set(key, value)
  }

  delete(table: Table, key: Key): void {
    this.writes.push({ kind: 'delete', table, key })
    this.#own(table).rows.set(key, GONE)
  }

  deleteRange(table: Table, range: KeyRange): void {
    this.writes.push({ kind: 'deleteRange', table, range })
    const own = this.#own(table)
    own.rows.deleteRange(range)
    own.cut.push(range)
  }

  tell(hint: Hint): void {
    this.hint = hint
  }

  #own(table: Table): { rows: OrderedMap<unknown>; cut: KeyRange[] } {
    let own = this.#written.get(table)
    if (own === undefined) this.#written.set(table, (own = { rows: new OrderedMap(), cut: [] }))
    return own
  }

  #askRange(table: Table, range: KeyRange, limit: number): readonly Row<unknown>[] {
    const question = ['range', table, range, limit]
    return this.#ask(question, () => this.#reads.range(table, range, limit)) as readonly Row<unknown>[]
  }

  #ask(question: unknown, read: () => Promise<unknown>): unknown {
    const text = JSON.stringify(question)
    if (this.#answers.has(text)) return this.#answers.get(text)
    // oxlint-disable-next-line typescript/only-throw-error -- See there.
    throw new Missing(read().then((answer) => void this.#answers.set(text, answer)))
  }
}

const GONE: unique symbol = Symbol('deleted in this transaction')

function isInside(key: Key, { lower, upper }: KeyRange): boolean {
  return (
    (lower === undefined || compareKeys(key, lower) >= 0) && (upper === undefined || !isBehind(key, upper))
  )
}
