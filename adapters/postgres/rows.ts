import type { ByteRow, ByteRows } from '../../src/segments/index.ts'
import type { Answer, Session } from './database.ts'
import { bytesLiteral, bytesOf, hexOf, literalOf } from './literals.ts'
import type { Event, Memory } from './memory.ts'
import type { Names } from './schema.ts'

/** Signs of the values that one statement writes, and of the statements that travel together, at most, but for one value. */
const STATEMENT_LENGTH = 2 * 1024 * 1024
const TRIP_LENGTH = 16 * 1024 * 1024

interface Question {
  readonly sql: string
  readonly answer: (rows: Answer) => void
  readonly fail: (error: unknown) => void
}

/** The key of the mark that each step leaves: before all others. */
export const MARK = '00'
/** A read of a few rows looks a little further, if what it finds is remembered: at most behind so many. */
const FEW = 64

/** The keys from `from` on, and before `to`, in hexadecimal. */
export type Stretch = readonly [from: string, to: string]

/** How a transaction begins. */
export interface First {
  readonly sql: string
  /** What hears the answer. */
  readonly answer: (rows: Answer) => void
}

/** What the rows are known from. */
export interface Known {
  readonly memory: Memory
  /** Whether it is supposed that nobody else has written, which the first trip then makes sure of. */
  readonly guesses: boolean
  /** The mark that this step leaves, in hexadecimal; `undefined`: it takes that of others away. */
  readonly mark: string | undefined
  /** Where others put rows without leaving a mark. */
  readonly inbox: Stretch
  /** What must be true besides, as SQL. */
  readonly holds: () => string
}

/**
 * Rows of one queue in one transaction. Reads that are asked for together travel together, as writes do, which wait for the end;
 * and what is known need not be read.
 */
export class TransactionRows implements ByteRows {
  /** What the session has failed with. */
  failure: { readonly error: unknown; readonly committing: boolean } | undefined
  readonly #session: Session
  readonly #table: string
  readonly #queue: string
  /** Until it was asked. */
  #first: First | undefined
  readonly #known: Known | undefined
  /** Whether what is remembered is how the rows are, as far as is known, and may be answered with. */
  #recalls: boolean
  /** Whether it was supposed that the inbox is empty. */
  #noMail = false
  readonly #events: Event[] = []
  #questions: Question[] = []
  #asking: Promise<void> | undefined
  /** What is to be put, and deleted, by the key in hexadecimal, whose order is that of the bytes. */
  readonly #written: Map<string, Uint8Array | undefined> = new Map()
  /** Ranges that are deleted before. */
  #cut: Stretch[] = []
  #isWritten = false
  #isOver = false

  /** @param known Absent where nothing is to be known: each read is a read then. */
  constructor(session: Session, names: Names, queue: Uint8Array, first: First, known?: Known) {
    this.#session = session
    this.#table = names.rows
    this.#queue = bytesLiteral(queue)
    this.#first = first
    this.#known = known
    this.#recalls = known?.guesses ?? false
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const hex = hexOf(key)
    const recalled = this.#recalls ? this.#known!.memory.get(hex) : undefined
    if (recalled !== undefined) return Promise.resolve(recalled.value)
    return this.#ask(`SELECT value FROM ${this.#where} AND key = ${literalOf(hex)}`, ([row]) => {
      const value = row === undefined ? undefined : bytesOf(row[0])
      this.#saw(hex, `${hex}00`, value === undefined ? [] : [[key, value]])
      return value
    })
  }

  scan(from: Uint8Array, to: Uint8Array, limit: number): Promise<ByteRow[]> {
    const first = hexOf(from)
    let behind = hexOf(to)
    let most = limit
    const inbox = this.#known?.inbox
    if (inbox !== undefined && first < inbox[1] && behind > inbox[0]) {
      if (this.#recalls && this.#first !== undefined && first >= inbox[0] && behind <= inbox[1]) {
        this.#noMail = true
        return Promise.resolve([])
      }
    } else if (this.#recalls) {
      const recalled = this.#known!.memory.scan(first, behind, limit)
      if (recalled !== undefined) return Promise.resolve(recalled)
      if (limit <= FEW) {
        // The next one of the same kind, or that there is none: then that need not be asked next time.
        behind = (from[0]! + 1).toString(16).padStart(2, '0')
        if (first < inbox![0] && behind > inbox![0]) behind = inbox![0]
        most++
      }
    }
    const some = `key >= ${literalOf(first)} AND key < ${literalOf(behind)}`
    const sql = `SELECT key, value FROM ${this.#where} AND ${some} ORDER BY key LIMIT ${most}`
    return this.#ask(sql, (answer) => {
      const rows = answer.map(([key, value]): ByteRow => [bytesOf(key), bytesOf(value)])
      this.#saw(first, rows.length < most ? behind : `${hexOf(rows.at(-1)![0])}00`, rows)
      const end = hexOf(to)
      return behind === end ? rows : rows.filter(([key]) => hexOf(key) < end).slice(0, limit)
    })
  }

  #saw(from: string, to: string, rows: readonly ByteRow[]): void {
    const inbox = this.#known?.inbox
    if (inbox !== undefined && (from >= inbox[1] || to <= inbox[0]))
      this.#events.push({ kind: 'read', from, to, rows })
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#recalls = false
    this.#written.set(hexOf(key), value)
  }

  delete(key: Uint8Array): void {
    this.#recalls = false
    this.#written.set(hexOf(key), undefined)
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    this.#recalls = false
    const [first, behind] = [hexOf(from), hexOf(to)]
    for (const key of this.#written.keys()) if (key >= first && key < behind) this.#written.delete(key)
    this.#cut.push([first, behind])
  }

  /** Commits, if anything was done. */
  async commit(): Promise<void> {
    await this.#asking
    this.#isOver = true
    const known = this.#known
    const writes = this.#isWritten || this.#written.size + this.#cut.length > 0
    if (!writes && this.#first !== undefined && !known?.guesses) return
    if (writes && known !== undefined)
      this.#written.set(MARK, known.mark === undefined ? undefined : bytesOf(`\\x${known.mark}`))
    const first = this.#first
    const statements = [...this.#begins(), ...this.#writes()]
    let committing = false
    try {
      const last = await this.#long(statements)
      committing = true
      const answers = await this.#session.commit(last)
      if (last.length === statements.length) first?.answer(answers[0]!)
    } catch (error) {
      this.failure = { error, committing }
      throw error
    }
    if (known === undefined) return
    const { memory, guesses, mark } = known
    if (guesses) memory.guessed(true)
    // Who has not asked for the mark does not know what others have written.
    else if (first !== undefined) memory.forget()
    memory.committed(this.#events, writes ? mark : memory.mark)
  }

  async rollback(): Promise<void> {
    this.#isOver = true
    await this.#asking
    await this.#session.rollback()
  }

  get #where(): string {
    return `${this.#table} WHERE queue = ${this.#queue}`
  }

  #ask<T>(sql: string, read: (rows: Answer) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#questions.push({ sql, answer: (rows) => resolve(read(rows)), fail: reject })
      this.#asking ??= Promise.resolve().then(() => this.#run())
    })
  }

  /** Asks all there is to ask. Never rejects. */
  async #run(): Promise<void> {
    while (this.#questions.length > 0) {
      const questions = this.#questions
      this.#questions = []
      try {
        if (this.#isOver) throw new Error('the transaction has ended')
        if (this.#first !== undefined && this.#written.size + this.#cut.length > 0) await this.#start([])
        // Reads see what was written before.
        const last = await this.#long([...this.#writes(), ...questions.map(({ sql }) => sql)])
        const answers = this.#first === undefined ? await this.#session.run(last) : await this.#start(last)
        for (const [i, { answer }] of questions.entries()) answer(answers.at(i - questions.length)!)
      } catch (error) {
        if (!this.#isOver) this.failure ??= { error, committing: false }
        for (const { fail } of questions) fail(error)
      }
    }
    this.#asking = undefined
  }

  /** Begins, and runs these statements. */
  async #start(statements: readonly string[]): Promise<Answer[]> {
    const first = this.#first!
    const answers = await this.#session.run([...this.#begins(), ...statements])
    first.answer(answers[0]!)
    const known = this.#known
    if (known !== undefined && !known.guesses) {
      const value = answers[1]![0]?.[0]
      known.memory.found(value === undefined ? undefined : hexOf(bytesOf(value)))
      this.#recalls = known.memory.mark !== undefined
    }
    return answers
  }

  /** What a transaction begins with, once. */
  #begins(): string[] {
    const first = this.#first
    const known = this.#known
    if (first === undefined) return []
    this.#first = undefined
    if (known === undefined) return [first.sql]
    const mark = `FROM ${this.#where} AND key = ${literalOf(MARK)}`
    if (!known.guesses) return [first.sql, `SELECT value ${mark}`]
    // In a statement of its own, which sees what others have committed before they let go of the queue.
    const conditions = [`value = ${literalOf(known.memory.mark!)}`]
    const [from, to] = known.inbox.map(literalOf)
    if (this.#noMail)
      conditions.push(`NOT EXISTS (SELECT FROM ${this.#where} AND key >= ${from} AND key < ${to})`)
    const holds = known.holds()
    if (holds !== '') conditions.push(holds)
    return [first.sql, `SELECT 1 / count(*) ${mark} AND ${conditions.join(' AND ')}`]
  }

  /** Sends what is too long to travel together, and answers with the rest. */
  async #long(statements: readonly string[]): Promise<readonly string[]> {
    let part: string[] = []
    let length = 0
    for (const statement of statements) {
      if (length + statement.length > TRIP_LENGTH && part.length > 0) {
        await this.#session.run(part)
        part = []
        length = 0
      }
      part.push(statement)
      length += statement.length
    }
    return part
  }

  /** What was written until now. */
  #writes(): string[] {
    if (this.#written.size + this.#cut.length === 0) return []
    // Of rows as they are from now on nothing is remembered yet.
    this.#isWritten = true
    this.#recalls = false
    const statements = this.#cut.map(([from, to]) => {
      this.#events.push({ kind: 'cut', from, to })
      return `DELETE FROM ${this.#where} AND key >= ${literalOf(from)} AND key < ${literalOf(to)}`
    })
    this.#cut = []
    const gone: string[] = []
    let rows: string[] = []
    let length = 0
    const put = (): void => {
      if (rows.length > 0)
        statements.push(
          `INSERT INTO ${this.#table} VALUES ${rows.join()} ON CONFLICT (queue, key) DO UPDATE SET value = excluded.value`,
        )
      rows = []
      length = 0
    }
    for (const [key, value] of this.#written) {
      if (value === undefined) {
        gone.push(literalOf(key))
        this.#events.push({ kind: 'delete', key })
        continue
      }
      this.#events.push({ kind: 'put', key, value })
      if (length + value.length * 2 > STATEMENT_LENGTH) put()
      rows.push(`(${this.#queue},${literalOf(key)},${bytesLiteral(value)})`)
      length += value.length * 2
    }
    put()
    if (gone.length > 0) statements.push(`DELETE FROM ${this.#where} AND key IN (${gone.join()})`)
    this.#written.clear()
    return statements
  }
}
