import type { Hint } from '../storage.ts'
import { joinHints } from '../hints.ts'
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
 * It rejects with what a read or the body throws.
 *
 * @example
 * ```ts
 * const { result, writes } = await rehearse(reads, body)
 * await writeAll(writes) // in the transaction in which was read
 * return result
 * ```
 */
export async function rehearse<T>(
  reads: AsyncReads,
  body: (tx: Transaction) => T,
): Promise<{ result: T; writes: readonly Write[]; hint: Hint | undefined }> {
  const { results, writes, hint } = await rehearseTogether(reads, [body])
  return { result: results[0]!, writes, hint }
}

/** As {@link rehearse}, for bodies that follow each other in one transaction: what one has read, the others need not read again. */
export async function rehearseTogether<T>(
  reads: AsyncReads,
  bodies: readonly ((tx: Transaction) => T)[],
): Promise<{ results: readonly T[]; writes: readonly Write[]; hint: Hint | undefined }> {
  const answers = new Answers(reads)
  for (;;) {
    const rehearsal = new Rehearsal(answers)
    const results: T[] = []
    try {
      for (const body of bodies) results.push(body(rehearsal))
      return { results, writes: rehearsal.writes, hint: rehearsal.hint }
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      // Those behind it say meanwhile what they would read of the rows as they are: all of it comes at once.
      const behind = bodies.slice(results.length + 1).map((body) => lacks(body, answers))
      await Promise.all([error.answer, ...behind])
    }
  }
}

/** What a body needs that was not read yet, when it is run for the sake of that alone. */
function lacks(body: (tx: Transaction) => unknown, answers: Answers): Promise<void> | undefined {
  try {
    body(new Rehearsal(answers))
  } catch (error) {
    if (error instanceof Missing) return error.answer
    // It will say so when it is run in its turn.
  }
  return undefined
}

/** What was read so far, and is being read, by the text of the question. */
class Answers {
  readonly #reads: AsyncReads
  readonly #known: Map<string, unknown> = new Map()
  readonly #coming: Map<string, Promise<void>> = new Map()

  constructor(reads: AsyncReads) {
    this.#reads = reads
  }

  get(table: Table, key: Key): unknown {
    return this.#take(JSON.stringify(['get', table, key]), () => this.#reads.get(table, key))
  }

  count(table: Table, range: KeyRange): number {
    const text = JSON.stringify(['count', table, range])
    return this.#take(text, () => this.#reads.count(table, range)) as number
  }

  range(table: Table, range: KeyRange, limit: number): readonly Row<unknown>[] {
    const text = JSON.stringify(['range', table, range])
    const known = this.#known.get(text) as Stretch | undefined
    if (known !== undefined && answersIt(known, limit)) return known.rows.slice(0, limit)
    // oxlint-disable-next-line typescript/only-throw-error -- See there.
    throw new Missing(this.#read(text, () => this.#stretch(table, range, limit)))
  }

  /** Reads what of this is not there. */
  expect(reads: readonly Read[]): Promise<unknown> | undefined {
    const missing: Promise<void>[] = []
    for (const [table, what, limit] of reads) {
      const text = JSON.stringify([limit === undefined ? 'get' : 'range', table, what])
      if (limit === undefined) {
        if (!this.#known.has(text)) missing.push(this.#read(text, () => this.#reads.get(table, what as Key)))
        continue
      }
      const known = this.#known.get(text) as Stretch | undefined
      if (known === undefined || !answersIt(known, limit))
        missing.push(this.#read(text, () => this.#stretch(table, what as KeyRange, limit)))
    }
    return missing.length === 0 ? undefined : Promise.all(missing)
  }

  #take(text: string, read: () => Promise<unknown>): unknown {
    if (this.#known.has(text)) return this.#known.get(text)
    // oxlint-disable-next-line typescript/only-throw-error -- See there.
    throw new Missing(this.#read(text, read))
  }

  async #stretch(table: Table, range: KeyRange, limit: number): Promise<Stretch> {
    return { rows: await this.#reads.range(table, range, limit), limit }
  }

  /** It must not be asked twice: who asks for more meanwhile asks again after that. */
  #read(text: string, read: () => Promise<unknown>): Promise<void> {
    const coming = this.#coming.get(text)
    if (coming !== undefined) return coming
    const answer = read().then((value) => {
      this.#known.set(text, value)
      this.#coming.delete(text)
    })
    this.#coming.set(text, answer)
    return answer
  }
}

/** The first rows of a range, so many at most. */
interface Stretch {
  readonly rows: readonly Row<unknown>[]
  readonly limit: number
}

/** Whether they are enough, or all there are. */
function answersIt({ rows, limit }: Stretch, wanted: number): boolean {
  return wanted <= limit || rows.length < limit
}

class Rehearsal implements Transaction {
  readonly writes: Write[] = []
  hint: Hint | undefined
  readonly #answers: Answers
  /** What this run has written, by table: reads must see it. A row that was deleted is `GONE`. */
  readonly #written: Map<Table, { rows: OrderedMap<unknown>; cut: KeyRange[] }> = new Map()

  constructor(answers: Answers) {
    this.#answers = answers
  }

  get<V>(table: Table, key: Key): V | undefined {
    trustKey(key)
    const written = this.#written.get(table)
    const own = written?.rows.get(key)
    if (own !== undefined) return own === GONE ? undefined : (own as V)
    if (written?.cut.some((range) => isInside(key, range))) return undefined
    return this.#answers.get(table, key) as V | undefined
  }

  expect(reads: readonly Read[]): void {
    for (const [, what, limit] of reads)
      if (limit === undefined) trustKey(what as Key)
      else trustRange(what as KeyRange)
    const missing = this.#answers.expect(reads)
    // oxlint-disable-next-line typescript/only-throw-error -- See there.
    if (missing !== undefined) throw new Missing(missing.then(() => undefined))
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    trustRange(range)
    const written = this.#written.get(table)
    if (written === undefined) return this.#answers.range(table, range, limit) as readonly Row<V>[]
    const own = written.rows.range(range, Number.MAX_SAFE_INTEGER)
    // Rows that were read may be overwritten or deleted here: more of them are asked for until there are enough.
    for (let more = own.length + (written.cut.length > 0 ? limit : 0); ; more *= 2) {
      const stored = this.#answers.range(table, range, Math.min(limit + more, Number.MAX_SAFE_INTEGER))
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
    trustRange(range)
    if (this.#written.has(table)) return this.range(table, range, Number.MAX_SAFE_INTEGER).length
    return this.#answers.count(table, range)
  }

  put(table: Table, key: Key, value: unknown): void {
    trustKey(key)
    this.writes.push({ kind: 'put', table, key, value })
    this.#own(table).rows.set(key, value)
  }

  delete(table: Table, key: Key): void {
    trustKey(key)
    this.writes.push({ kind: 'delete', table, key })
    this.#own(table).rows.set(key, GONE)
  }

  deleteRange(table: Table, range: KeyRange): void {
    trustRange(range)
    this.writes.push({ kind: 'deleteRange', table, range })
    const own = this.#own(table)
    own.rows.deleteRange(range)
    own.cut.push(range)
  }

  tell(hint: Hint): void {
    this.hint = joinHints(this.hint, hint)
  }

  #own(table: Table): { rows: OrderedMap<unknown>; cut: KeyRange[] } {
    let own = this.#written.get(table)
    if (own === undefined) this.#written.set(table, (own = { rows: new OrderedMap(), cut: [] }))
    return own
  }
}

/** Keys are made of what rows say. One that somebody else has written is told here, within the body, before a store trips over it. */
function trustKey(key: Key): void {
  for (const part of typeof key === 'object' ? key : [key])
    if (typeof part !== 'string' && (typeof part !== 'number' || Number.isNaN(part)))
      throw new TypeError('a key is made of numbers and strings')
}

function trustRange({ lower, upper }: KeyRange): void {
  if (lower !== undefined) trustKey(lower)
  if (upper !== undefined) trustKey(upper)
}

const GONE: unique symbol = Symbol('deleted in this transaction')

function isInside(key: Key, { lower, upper }: KeyRange): boolean {
  return (
    (lower === undefined || compareKeys(key, lower) >= 0) && (upper === undefined || !isBehind(key, upper))
  )
}
