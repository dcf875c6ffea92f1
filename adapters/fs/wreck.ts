import { Buffer } from 'node:buffer'
import { type Key, type KeyRange, OrderedMap, type Row, type Table } from '../../src/segments/index.ts'
import {
  addDoubts,
  type Doubts,
  doubtsBetween,
  type GroupRow,
  type Remains,
  soughtInLog,
} from '../../src/segments/inside.ts'
import { Reader } from './codec.ts'
import { codeOf } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { type JournalFile, openFiles, pathOfFile, readAll } from './files.ts'
import {
  decodeFrame,
  FILE_HEADER,
  FRAME_HEADER,
  isIntactApart,
  liesApart,
  numberOfTable,
  type OpSink,
  readOps,
  TABLE_NAMES,
  valueOfPut,
} from './format.ts'
import { findFrames, findMagic } from './frames.ts'
import type { QueueRows } from './queue-rows.ts'
import { Queues } from './queues.ts'
import { Rows } from './rows.ts'

/** A place of a damaged journal that could not be read. */
export interface Lost {
  /** The path of the file. */
  readonly file: string
  /** Where in it the place starts, in bytes. */
  readonly offset: number
  /** How long it is, in bytes. 0: something is missing there, because the file was cut off or is not there at all. */
  readonly bytes: number
}

/** Read at once, and taken for lost at once where the disk cannot be read. */
const READ_BYTES = 1024 * 1024
const BLOCK_BYTES = 4096
const UNREADABLE = 0xff

const STATE = numberOfTable('state')
const LOG = numberOfTable('log')
const AMEND = numberOfTable('amend')
const BODIES = numberOfTable('bodies')
/** The tables of which what all groups have passed is deleted. */
const TRIMMED: readonly number[] = [LOG, AMEND, BODIES]

/** One queue of a wreck. */
class WreckedQueue implements Remains {
  readonly rows: QueueRows
  readonly #wreck: Wreck
  readonly #doubts: Map<string, Doubts> = new Map()
  /** Segments, amendments and bodies deleted after something was lost: a message may be left nowhere else. */
  readonly #trimmed: ReadonlyMap<number, OrderedMap<number>> = new Map(
    TRIMMED.map((table) => [table, new OrderedMap()]),
  )
  /** For each group, after how many gaps its row was last seen. */
  readonly #seen: Map<string, number> = new Map()

  constructor(rows: QueueRows, wreck: Wreck) {
    this.rows = rows
    this.#wreck = wreck
  }

  get doubts(): ReadonlyMap<string, Doubts> {
    return this.#doubts
  }

  get<V>(table: Table, key: Key): V | undefined {
    const row = this.rows.table(numberOfTable(table)).get(key)
    return row === undefined ? undefined : (this.#wreck.value(row) as V)
  }

  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    const found = this.rows.table(numberOfTable(table)).range(range, limit)
    return found.map(([key, row]) => [key, this.#wreck.value(row) as V])
  }

  keys(table: Table, range: KeyRange): Key[] {
    return this.rows
      .table(numberOfTable(table))
      .range(range, Infinity)
      .map(([key]) => key)
  }

  /** Called for each row of a group, before it is there. After a gap, the first says what happened meanwhile. */
  compare(group: string, gaps: number, after: () => GroupRow): void {
    if ((this.#seen.get(group) ?? 0) === gaps) return
    this.#seen.set(group, gaps)
    const doubts = doubtsBetween(this.get<GroupRow>('state', ['group', group]), after())
    this.#doubts.set(group, addDoubts(this.#doubts.get(group), doubts))
  }

  forgetGroup(group: string): void {
    this.#doubts.delete(group)
  }

  /** Nothing before now matters any more. */
  purge(): void {
    this.#doubts.clear()
    for (const rows of this.#trimmed.values()) rows.deleteRange({})
  }

  /** Deletes what every group has passed, but so that it can be brought back. */
  trim(table: number, range: KeyRange): void {
    const deleted = this.#trimmed.get(table)!
    this.rows
      .table(table)
      .deleteRange(range, (keys, rows) => keys.forEach((key, i) => void deleted.set(key, rows[i]!)))
  }

  /** To be called at the end: brings back what is sought. */
  bringBack(): void {
    for (const { first, last } of soughtInLog(this)) {
      for (const table of [AMEND, BODIES])
        for (const [key, row] of this.#trimmed.get(table)!.range({ lower: first, upper: last }, Infinity))
          this.rows.table(table).set(key, row)
      // The key of a segment is its last message.
      for (const [key, row] of this.#trimmed.get(LOG)!.range({ lower: first }, Infinity)) {
        this.rows.table(LOG).set(key, row)
        if ((key as number) >= last) break
      }
    }
  }
}

/**
 * What can still be read of a damaged journal: every frame that is intact, wherever it lies. What was written in a damaged
 * one is as if it had never happened.
 */
export class Wreck {
  readonly lost: Lost[] = []
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #files: readonly JournalFile[]
  readonly #rows = new Rows(0)
  readonly #queues = new Queues()
  readonly #byNumber: Map<number, WreckedQueue> = new Map()
  /** How often something was found to be missing. */
  #gaps = 0
  /** The last frame that was read. */
  #lsn = 0
  /** Whether nothing was found to be lost since. */
  #isWhole = true
  /** The file that it says follows. */
  #announced: number | undefined
  /** The row that was read last. */
  #last: { readonly number: number; readonly offset: number; readonly value: unknown } | undefined

  private constructor(fileSystem: FileSystem, directory: string, files: readonly JournalFile[]) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#files = files
  }

  static open(fileSystem: FileSystem, directory: string): Wreck {
    const wreck = new Wreck(fileSystem, directory, openFiles(fileSystem, directory))
    try {
      wreck.#read()
      return wreck
    } catch (error) {
      wreck.close()
      throw error
    }
  }

  close(): void {
    for (const { fd } of this.#files) closeQuietly(this.#fileSystem, fd)
  }

  get isEmpty(): boolean {
    return this.#files.length === 0
  }

  /** The queues, each under a name of its own: one whose name is lost is called after its number. */
  *queues(): Iterable<readonly [name: string, remains: Remains]> {
    const names = new Set(this.#queues.all().map(({ name }) => name))
    for (const rows of this.#queues.all()) {
      let { name } = rows
      if (name === '') {
        name = `unnamed queue ${rows.number}`
        while (names.has(name)) name += '+'
        names.add(name)
      }
      yield [name, this.#queue(rows.number)]
    }
  }

  /** What a row holds. */
  value(row: number): unknown {
    // Messages are read one by one, and many of them lie in one row.
    const number = this.#rows.file(row)
    const offset = this.#rows.offset(row)
    if (this.#last?.number !== number || this.#last.offset !== offset) {
      const file = this.#files.find((one) => one.number === number)!
      const bytes = Buffer.allocUnsafe(this.#rows.length(row))
      readAll(this.#fileSystem, file, bytes, bytes.length, offset)
      this.#last = { number, offset, value: valueOfPut(bytes, 0, bytes.length) }
    }
    return this.#last.value
  }

  #read(): void {
    let before: JournalFile | undefined
    for (const file of this.#files) {
      let next = before === undefined ? file.number - 1 : before.number + 1
      // The journal may start with a file whose header is lost.
      if (before === undefined && (file.first || file.magic === 0)) next = file.number
      for (; next < file.number; next++) this.#missing(next)
      this.#readFile(file, before ?? file)
      before = file
    }
    if (before !== undefined && this.#announced === before.number + 1) this.#missing(this.#announced)
    this.#queues.nameAll(this.#rows)
    for (const queue of this.#byNumber.values()) queue.bringBack()
  }

  #missing(number: number): void {
    this.#lose(pathOfFile(this.#directory, number), 0, 0)
  }

  #lose(file: string, offset: number, bytes: number): void {
    this.lost.push({ file, offset, bytes })
    this.#isWhole = false
  }

  #readFile(file: JournalFile, before: JournalFile): void {
    const bytes = this.#bytesOf(file)
    const sink = this.#sink(file, bytes)
    const magic = file.magic === 0 ? findMagic(bytes, FILE_HEADER) : file.magic
    const isAnnounced = this.#announced === file.number
    let end = FILE_HEADER
    for (const { at, length, apart } of magic === 0 ? [] : findFrames(bytes, magic, FILE_HEADER)) {
      if (at > end) this.#lose(file.path, end, at - end)
      const { lsn } = decodeFrame(bytes, at)
      // Frames before the first file were not lost but deleted.
      const follows = lsn === this.#lsn + 1 || (this.#lsn === 0 && file.first)
      if (!follows && this.#isWhole) this.#lose(before.path, before.size, 0)
      if (!follows || at > end) this.#gaps++
      this.#isWhole = true
      this.#lsn = lsn
      this.#announced = undefined
      end = Math.min(at + length + apart, bytes.length)
      readOps(new Reader(bytes, at + FRAME_HEADER, at + length), sink)
    }
    file.size = end
    // Zeros are space that was prepared.
    const rest = bytes.subarray(end).findLastIndex((byte) => byte !== 0) + 1
    if (rest > 0) this.#lose(file.path, end, rest)
    else if (end === FILE_HEADER && file.magic === 0 && isAnnounced) this.#missing(file.number)
  }

  /** All that a file holds. What the disk cannot read becomes what is no frame. */
  #bytesOf(file: JournalFile): Buffer {
    const bytes = Buffer.allocUnsafe(file.prepared)
    const read = (from: number, length: number, atOnce: number): void => {
      for (let at = from; at < from + length; at += atOnce) {
        const part = bytes.subarray(at, Math.min(at + atOnce, from + length))
        try {
          readAll(this.#fileSystem, file, part, part.length, at)
        } catch (error) {
          if (codeOf(error) !== 'EIO') throw error
          if (atOnce > BLOCK_BYTES) read(at, part.length, BLOCK_BYTES)
          else part.fill(UNREADABLE)
        }
      }
    }
    read(0, bytes.length, READ_BYTES)
    return bytes
  }

  #sink(file: JournalFile, bytes: Buffer): OpSink {
    const rows = this.#queues.sink(this.#rows)
    rows.locate(file, 0, bytes)
    return {
      put: (number, table, key, from, to) => {
        const group = groupOf(table, key)
        if (group !== undefined && this.#gaps > 0) {
          this.#queue(number).compare(group, this.#gaps, () => valueOfPut(bytes, from, to) as GroupRow)
        }
        if (!liesApart(TABLE_NAMES[table]!) || isIntactApart(bytes.subarray(from, to)))
          return rows.put(number, table, key, from, to)
        // The body of one message is lost, and nothing else.
        this.lost.push({ file: file.path, offset: from, bytes: Math.min(to, bytes.length) - from })
        rows.delete(number, table, key)
      },
      delete: (number, table, key) => {
        const group = groupOf(table, key)
        if (group !== undefined) this.#queue(number).forgetGroup(group)
        rows.delete(number, table, key)
      },
      deleteRange: (number, table, lower, upper) => {
        if (lower === undefined && upper === undefined) this.#queue(number).purge()
        const isTrim = TRIMMED.includes(table) && lower !== undefined && upper !== undefined
        if (isTrim && this.#gaps > 0) this.#queue(number).trim(table, { lower, upper })
        else rows.deleteRange(number, table, lower, upper)
      },
      nextFile: (number) => (this.#announced = number),
    }
  }

  #queue(number: number): WreckedQueue {
    let queue = this.#byNumber.get(number)
    if (queue === undefined) {
      queue = new WreckedQueue(this.#queues.numbered(number), this)
      this.#byNumber.set(number, queue)
    }
    return queue
  }
}

/** The group whose row this is. */
function groupOf(table: number, key: Key): string | undefined {
  return table === STATE && Array.isArray(key) && key[0] === 'group' ? (key[1] as string) : undefined
}
