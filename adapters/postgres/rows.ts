import type { ByteRow, ByteRows } from '../../src/segments/bytes/store.ts'
import type { Answer, Session } from './database.ts'
import { bytesLiteral, bytesOf, hexOf } from './literals.ts'
import type { Names } from './schema.ts'

/** Signs of the values that one statement writes, and of the statements that travel together, at most, but for one value. */
const STATEMENT_LENGTH = 2 * 1024 * 1024
const TRIP_LENGTH = 16 * 1024 * 1024

interface Question {
  readonly sql: string
  readonly answer: (rows: Answer) => void
  readonly fail: (error: unknown) => void
}

/** What a transaction begins with, and what hears the answer. */
export type First = Pick<Question, 'sql' | 'answer'>

/** Rows of one queue in one transaction. Reads that are asked for together travel together, as writes do, which wait for the end. */
export class TransactionRows implements ByteRows {
  /** What the session has failed with. */
  failure: { readonly error: unknown; readonly committing: boolean } | undefined
  readonly #session: Session
  readonly #table: string
  readonly #queue: string
  /** Until it was asked. */
  #first: First | undefined
  #questions: Question[] = []
  #asking: Promise<void> | undefined
  /** What is to be put, and deleted, by the key in hexadecimal, whose order is that of the bytes. */
  readonly #written: Map<string, Uint8Array | undefined> = new Map()
  /** Ranges that are deleted before. */
  #cut: [from: Uint8Array, to: Uint8Array][] = []
  #isOver = false

  constructor(session: Session, names: Names, queue: Uint8Array, first: First) {
    this.#session = session
    this.#table = names.rows
    this.#queue = bytesLiteral(queue)
    this.#first = first
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#ask(`SELECT value FROM ${this.#where} AND key = ${bytesLiteral(key)}`, ([row]) =>
      row === undefined ? undefined : bytesOf(row[0]),
    )
  }

  scan(from: Uint8Array, to: Uint8Array, limit: number): Promise<ByteRow[]> {
    const some = `key >= ${bytesLiteral(from)} AND key < ${bytesLiteral(to)}`
    return this.#ask(
      `SELECT key, value FROM ${this.#where} AND ${some} ORDER BY key LIMIT ${limit}`,
      (rows) => rows.map(([key, value]) => [bytesOf(key), bytesOf(value)]),
    )
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#written.set(hexOf(key), value)
  }

  delete(key: Uint8Array): void {
    this.#written.set(hexOf(key), undefined)
  }

  deleteRange(from: Uint8Array, to: Uint8Array): void {
    const [first, behind] = [hexOf(from), hexOf(to)]
    for (const key of this.#written.keys()) if (key >= first && key < behind) this.#written.delete(key)
    this.#cut.push([from, to])
  }

  /** Commits, if anything was done. */
  async commit(): Promise<void> {
    await this.#asking
    this.#isOver = true
    const statements = this.#writes()
    if (this.#first !== undefined && statements.length === 0) return
    if (this.#first !== undefined) statements.unshift(this.#first.sql)
    let committing = false
    try {
      const last = await this.#long(statements)
      committing = true
      await this.#session.commit(last)
    } catch (error) {
      this.failure = { error, committing }
      throw error
    }
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
        if (this.#first !== undefined && this.#written.size + this.#cut.length > 0) await this.#start()
        const first = this.#first
        this.#first = undefined
        // Reads see what was written before.
        const last = await this.#long([...this.#writes(), ...questions.map(({ sql }) => sql)])
        const answers = await this.#session.run(first === undefined ? last : [first.sql, ...last])
        first?.answer(answers[0]!)
        for (const [i, { answer }] of questions.entries()) answer(answers.at(i - questions.length)!)
      } catch (error) {
        if (!this.#isOver) this.failure ??= { error, committing: false }
        for (const { fail } of questions) fail(error)
      }
    }
    this.#asking = undefined
  }

  async #start(): Promise<void> {
    const { sql, answer } = this.#first!
    this.#first = undefined
    answer((await this.#session.run([sql]))[0]!)
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
    const statements = this.#cut.map(
      ([from, to]) =>
        `DELETE FROM ${this.#where} AND key >= ${bytesLiteral(from)} AND key < ${bytesLiteral(to)}`,
    )
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
        gone.push(`E'\\\\x${key}'`)
        continue
      }
      if (length + value.length * 2 > STATEMENT_LENGTH) put()
      rows.push(`(${this.#queue},E'\\\\x${key}',${bytesLiteral(value)})`)
      length += value.length * 2
    }
    put()
    if (gone.length > 0) statements.push(`DELETE FROM ${this.#where} AND key IN (${gone.join()})`)
    this.#written.clear()
    return statements
  }
}
