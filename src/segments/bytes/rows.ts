import type { Hint } from '../../storage.ts'
import type { AsyncReads, Write } from '../rehearsal.ts'
import { INBOX_ROWS, INBOX_TABLE } from '../inbox.ts'
import { type Key, type KeyRange, type Row, TABLES, type Table, type Transaction } from '../store.ts'
import { keyBytes, keyOf } from './key-bytes.ts'
import type { KnownRows, Sized } from './known.ts'
import { isLater } from './parts.ts'
import type { Answer, ByteRow, ByteRows } from './store.ts'
import { decodeValue, encodeValue, hasBytes } from './values.ts'

/** Each table has a byte that its keys begin with: those of one table are neighbours. */
const TAGS = /* @__PURE__ */ Object.fromEntries(
  /* @__PURE__ */ Object.keys(TABLES).map((table, i) => [table, i + 1]),
) as Record<Table, number>

function keyIn(table: Table, key: Key, behind?: boolean): Uint8Array {
  return keyBytes(key, behind, TAGS[table])
}

function boundsIn(table: Table, { lower, upper }: KeyRange): [from: Uint8Array, to: Uint8Array] {
  return [
    lower === undefined ? Uint8Array.of(TAGS[table]) : keyIn(table, lower),
    upper === undefined ? Uint8Array.of(TAGS[table] + 1) : keyIn(table, upper, true),
  ]
}

/** A row as bytes, for whoever writes one in a transaction of his own. */
export function byteRow(table: Table, key: Key, value: unknown): ByteRow {
  return [keyIn(table, key), encodeValue(value)]
}

/** Where the bytes lie of the rows that others hand over: see `inbox.ts`. */
export function inboxBounds(): [from: Uint8Array, to: Uint8Array] {
  return boundsIn(INBOX_TABLE, INBOX_ROWS)
}

function rowOf([key, value]: ByteRow): Row<unknown> {
  return [keyOf(key.subarray(1)), decodeValue(value)]
}

/** Thrown by a read that was expected to answer at once, and answers with a promise. */
export const WAITS: unique symbol = Symbol('reads have to be waited for')

function atOnce<T>(answer: Answer<T>): T {
  if (!isLater(answer)) return answer
  Promise.resolve(answer).catch(() => undefined)
  // oxlint-disable-next-line typescript/only-throw-error -- No error: the body is run again.
  throw WAITS
}

/** What is known of a row of these bytes. Whoever encoded or gets bytes in it may write over them: those are read each time. */
function sized(value: unknown, bytes: Uint8Array): Sized {
  return { value, bytes: hasBytes(bytes) ? undefined : bytes.length }
}

/** Rows as the engine sees them, over bytes that are there at once: the same object for all transactions of a queue. */
export class SyncRows implements Transaction {
  wrote!: boolean
  hint: Hint | undefined
  #rows!: ByteRows
  #known: KnownRows | undefined
  readonly #copies: boolean

  /** @param copies Whether `put` of the rows has its own copy of a value when it returns. */
  constructor(copies: boolean) {
    this.#copies = copies
  }

  /** A transaction begins. `known`: what need not be read; absent where others may change rows unnoticed. */
  begin(rows: ByteRows, known: KnownRows | undefined): void {
    this.wrote = false
    this.#rows = rows
    this.#known = known
  }

  get<V>(table: Table, key: Key): V | undefined {
    const isState = table === 'state'
    const known = isState ? this.#known?.state(key) : undefined
    if (known !== undefined) return known.value as V | undefined
    const bytes = atOnce(this.#rows.get(keyIn(table, key)))
    const value = bytes ? decodeValue(bytes) : undefined
    if (isState) this.#known?.learnState(key, value)
    return value as V | undefined
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    return this.#range(table, range, limit) as readonly Row<V>[]
  }

  #range(table: Table, range: KeyRange, limit: number): readonly Row<unknown>[] {
    const known = table === 'state' || table === 'log' ? this.#known : undefined
    const found = table === 'log' ? known?.log(range, limit) : undefined
    if (found !== undefined) return found
    if (known?.isEmpty(range)) return []
    const bytes = Array.from(atOnce(this.#rows.scan(...boundsIn(table, range), limit)))
    const rows = bytes.map(rowOf)
    if (table === 'log')
      known?.learnLog(
        range,
        limit,
        rows.map(([key, value], i) => [key, sized(value, bytes[i]![1])]),
      )
    else if (rows.length === 0) known?.learnEmpty(range)
    return rows
  }

  count(table: Table, range: KeyRange): number {
    const rows = atOnce(this.#rows.scan(...boundsIn(table, range), Number.MAX_SAFE_INTEGER))
    return Array.from(rows).length
  }

  put(table: Table, key: Key, value: unknown): void {
    this.wrote = true
    if (table === 'log' && this.#known?.isNew(key)) {
      const behind = atOnce(this.#rows.scan(...boundsIn(table, { lower: key }), 1))
      this.#known.learnEnd(key, Array.from(behind).length > 0)
    }
    const bytes = encodeValue(value, this.#copies)
    this.#known?.put(table, key, sized(value, bytes))
    this.#rows.put(keyIn(table, key), bytes)
  }

  delete(table: Table, key: Key): void {
    this.wrote = true
    this.#known?.remove(table, { lower: key, upper: key })
    this.#rows.delete(keyIn(table, key))
  }

  deleteRange(table: Table, range: KeyRange): void {
    this.wrote = true
    this.#known?.remove(table, range)
    this.#rows.deleteRange(...boundsIn(table, range))
  }

  tell(hint: Hint): void {
    this.hint = hint
  }
}

/** Reads for a rehearsal, over bytes that come. */
export class LaterRows implements AsyncReads {
  readonly #rows: ByteRows

  constructor(rows: ByteRows) {
    this.#rows = rows
  }

  async get(table: Table, key: Key): Promise<unknown> {
    const value = await this.#rows.get(keyIn(table, key))
    return value ? decodeValue(value) : undefined
  }

  async range(table: Table, range: KeyRange, limit: number): Promise<readonly Row<unknown>[]> {
    return Array.from(await this.#rows.scan(...boundsIn(table, range), limit), rowOf)
  }

  async count(table: Table, range: KeyRange): Promise<number> {
    return Array.from(await this.#rows.scan(...boundsIn(table, range), Number.MAX_SAFE_INTEGER)).length
  }

  write(write: Write): void {
    if (write.kind === 'put') this.#rows.put(keyIn(write.table, write.key), encodeValue(write.value))
    else if (write.kind === 'delete') this.#rows.delete(keyIn(write.table, write.key))
    else this.#rows.deleteRange(...boundsIn(write.table, write.range))
  }
}
