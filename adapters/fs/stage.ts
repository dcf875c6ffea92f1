import { type Key, type KeyRange, type OrderedMap, type Table, TABLES } from '../../src/segments/index.ts'
import { MAX_BYTES, tooLarge, Writer } from './codec.ts'
import {
  FRAME_HEADER,
  liesApart,
  numberOfTable,
  sealApart,
  valueOfPut,
  writeDelete,
  writeDeleteRange,
  writePut,
  writePutApart,
} from './format.ts'
import type { Journal } from './journal.ts'
import type { QueueRows } from './queue-rows.ts'
import { type Rows, NOT_LOADED } from './rows.ts'
import { joinHints } from '../../src/hints.ts'
import type { Hint } from '../../src/storage.ts'

/** The number of no row. */
const NONE = -1

/** A frame's buffer that has grown beyond this is let go. */
const KEEP_BYTES = 4 * 1024 * 1024

/** Rows whose numbers are given back at once; of those of a range that was deleted, the others must wait their turn. */
const FREED_AT_ONCE = 10_000

interface Change {
  readonly rows: OrderedMap<number>
  readonly key: Key
  readonly before: number
  readonly after: number
}

/** A row that was written again as it is, and where it was before. */
interface Move {
  readonly row: number
  readonly file: number
  readonly offset: number
}

/** A point in a frame. */
interface StageMark {
  readonly bytes: number
  readonly apart: number
  readonly rowsApart: number
  readonly changes: number
}

const START: StageMark = { bytes: FRAME_HEADER, apart: 0, rowsApart: 0, changes: 0 }

/** Many rows that were deleted together. */
interface Removal {
  readonly rows: OrderedMap<number>
  readonly keys: readonly Key[]
  readonly befores: readonly number[]
}

/**
 * The frame that will be written next, and how to take back what it changed.
 *
 * A write changes the rows in memory at once, and is encoded into the frame at once, so that nothing has to be kept
 * twice. Where its bytes will lie on the disk is known beforehand: frames are written in the order in which they are
 * staged, or not at all.
 */
export class Stage {
  readonly writer: Writer = new Writer(64 * 1024)
  /** What lies apart in it. */
  readonly apart: Writer = new Writer(0)
  readonly journal: Journal
  readonly rows: Rows
  /** Queues that this frame changes and that somebody watches, and what these are told. */
  readonly changed: Map<QueueRows, Hint | undefined> = new Map()
  #undo: (Change | Move | Removal)[] = []
  /** Rows that lie apart in it. Until it is written, their place is counted from where the frame starts. */
  readonly #rowsApart: number[] = []
  /** Numbers of rows that are gone, to be given back. */
  readonly #gone: (readonly number[])[] = []
  #isFreeing = false

  constructor(journal: Journal, rows: Rows) {
    this.journal = journal
    this.rows = rows
    this.writer.at = FRAME_HEADER
  }

  get isEmpty(): boolean {
    return this.writer.at === FRAME_HEADER
  }

  /** How long it is so far. */
  get bytes(): number {
    return this.writer.at + this.apart.at
  }

  put(queue: QueueRows, table: Table, key: Key, value: unknown): void {
    const from = this.#begin(queue)
    const number = numberOfTable(table)
    const isApart = liesApart(table)
    const writer = isApart ? this.apart : this.writer
    const start = isApart ? writer.at : from
    writePut(writer, queue.number, number, key, value)
    if (isApart) {
      sealApart(writer, start)
      writePutApart(this.writer, queue.number, number, key, writer.at - start)
      if (this.bytes > MAX_BYTES) throw tooLarge()
    }
    const row = this.#place(queue.table(number), key, start, writer.at - start)
    if (isApart) this.#rowsApart.push(row)
    if (TABLES[table] === 's') this.rows.keep(row, value)
    else this.rows.cache(row, value)
  }

  /** Writes a row again as it is. `op` is the put that wrote it. */
  rewrite(row: number, op: Uint8Array): void {
    const from = this.#begin()
    this.writer.bytes(op)
    this.#moveHere(row, from)
  }

  /** As {@link Stage.rewrite}, for one that lies apart. */
  rewriteApart(queue: QueueRows, table: number, key: Key, row: number, op: Uint8Array): void {
    this.#begin()
    const from = this.apart.at
    this.apart.bytes(op)
    writePutApart(this.writer, queue.number, table, key, op.length)
    this.#rowsApart.push(row)
    this.#moveHere(row, from)
  }

  #moveHere(row: number, from: number): void {
    const { active } = this.journal
    this.#undo.push({ row, file: this.rows.file(row), offset: this.rows.offset(row) })
    this.#move(row, active.number, active.size + from)
  }

  #move(row: number, file: number, offset: number): void {
    this.#count(row, -1)
    this.rows.move(row, file, offset)
    this.#count(row, 1)
  }

  delete(queue: QueueRows, table: Table, key: Key): void {
    const number = numberOfTable(table)
    const rows = queue.table(number)
    const before = rows.delete(key)
    if (before === undefined) return
    this.#begin(queue)
    writeDelete(this.writer, queue.number, number, key)
    this.#changed(rows, key, before, NONE)
  }

  deleteRange(queue: QueueRows, table: Table, range: KeyRange): void {
    const number = numberOfTable(table)
    const rows = queue.table(number)
    const { length } = this.#undo
    rows.deleteRange(range, (keys, befores) => {
      this.#undo.push({ rows, keys, befores })
      this.#countAll(befores, -1)
    })
    if (this.#undo.length === length) return
    this.#begin(queue)
    writeDeleteRange(this.writer, queue.number, number, range.lower, range.upper)
  }

  /** Says what those who watch a queue are told besides. */
  tell(queue: QueueRows, hint: Hint): void {
    if (queue.listeners.size > 0) this.changed.set(queue, joinHints(this.changed.get(queue), hint))
  }

  /** The value of a row that this frame writes. */
  load(table: Table, row: number): unknown {
    const start = this.rows.offset(row) - this.journal.active.size
    const { buffer } = liesApart(table) ? this.apart : this.writer
    return valueOfPut(buffer, start, start + this.rows.length(row))
  }

  /** Whether a row is written by this frame. */
  has(row: number): boolean {
    const { active } = this.journal
    return this.rows.file(row) === active.number && this.rows.offset(row) >= active.size
  }

  /** A point to go {@link Stage.back} to. */
  mark(): StageMark {
    return {
      bytes: this.writer.at,
      apart: this.apart.at,
      rowsApart: this.#rowsApart.length,
      changes: this.#undo.length,
    }
  }

  /** Takes back everything since `mark`, the last change first. Without one, everything that was not written. */
  back(mark: StageMark = START): void {
    while (this.#undo.length > mark.changes) {
      const change = this.#undo.pop()!
      if ('befores' in change) {
        for (const [i, key] of change.keys.entries()) change.rows.set(key, change.befores[i]!)
        this.#countAll(change.befores, 1)
        continue
      }
      if ('row' in change) {
        this.#move(change.row, change.file, change.offset)
        continue
      }
      const { rows, key, before, after } = change
      if (before === NONE) rows.delete(key)
      else {
        rows.set(key, before)
        this.#count(before, 1)
      }
      if (after === NONE) continue
      this.#count(after, -1)
      this.rows.remove(after)
    }
    this.writer.at = mark.bytes
    this.apart.at = mark.apart
    this.#rowsApart.length = mark.rowsApart
    if (this.isEmpty) this.changed.clear()
  }

  /** The frame was written: nothing can be taken back any more, and the next one begins. */
  written(): void {
    for (const row of this.#rowsApart)
      this.rows.move(row, this.rows.file(row), this.rows.offset(row) + this.writer.at)
    this.#rowsApart.length = 0
    for (const change of this.#undo) {
      if ('befores' in change) this.#gone.push(change.befores)
      else if ('before' in change && change.before !== NONE) this.rows.remove(change.before)
    }
    this.#undo.length = 0
    if (!this.#isFreeing) this.#free()
    this.changed.clear()
    this.writer.at = FRAME_HEADER
    this.apart.at = 0
    if (this.writer.buffer.length > KEEP_BYTES) this.writer.shrink(KEEP_BYTES / 16)
    if (this.apart.buffer.length > KEEP_BYTES) this.apart.shrink(0)
  }

  /** Nobody finds these rows any more, so it may take its time, however many a range had. */
  #free(): void {
    for (let left = FREED_AT_ONCE; left > 0 && this.#gone.length > 0;) {
      const some = this.#gone.pop()!
      for (const row of some) this.rows.remove(row)
      left -= some.length
    }
    this.#isFreeing = this.#gone.length > 0
    if (this.#isFreeing) setImmediate(() => this.#free())
  }

  /** @param queue The one that changes, if one does. */
  #begin(queue?: QueueRows): number {
    if (this.isEmpty) this.journal.beginFrame()
    if (queue !== undefined && queue.listeners.size > 0 && !this.changed.has(queue))
      this.changed.set(queue, undefined)
    return this.writer.at
  }

  /** Gives a row its place, `from` the start of the frame or of what lies apart. */
  #place(rows: OrderedMap<number>, key: Key, from: number, bytes: number): number {
    const { active } = this.journal
    const row = this.rows.add(active.number, active.size + from, bytes, NOT_LOADED)
    this.#changed(rows, key, rows.set(key, row) ?? NONE, row)
    return row
  }

  #changed(rows: OrderedMap<number>, key: Key, before: number, after: number): void {
    this.#undo.push({ rows, key, before, after })
    if (before !== NONE) this.#count(before, -1)
    if (after !== NONE) this.#count(after, 1)
  }

  /** Rows that were written together lie in the same file. */
  #countAll(rows: readonly number[], sign: 1 | -1): void {
    let file = NONE
    let bytes = 0
    for (const row of rows) {
      const next = this.rows.file(row)
      if (next !== file) {
        if (bytes > 0) this.journal.count(file, sign * bytes)
        file = next
        bytes = 0
      }
      bytes += this.rows.length(row)
    }
    if (bytes > 0) this.journal.count(file, sign * bytes)
  }

  #count(row: number, sign: 1 | -1): void {
    this.journal.count(this.rows.file(row), sign * this.rows.length(row))
  }
}
