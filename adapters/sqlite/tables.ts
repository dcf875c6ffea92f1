import { type SQLiteDatabase, type SQLiteStatement, prepare } from './driver.ts'
import { Rows } from './rows.ts'
import { SCHEMA } from './schema.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Our tables, on one connection. They are there, or are made first: see {@link withTables}. */
export class Tables {
  readonly rows: Rows
  readonly #name: SQLiteStatement
  readonly #number: SQLiteStatement
  readonly #queues: SQLiteStatement
  readonly #forget: SQLiteStatement
  readonly #mark: SQLiteStatement

  constructor(database: SQLiteDatabase) {
    this.rows = new Rows(database)
    this.#name = prepare(database, 'INSERT INTO quayside_queues (name) VALUES (?) ON CONFLICT DO NOTHING')
    this.#number = prepare(database, 'SELECT number FROM quayside_queues WHERE name = ?')
    this.#queues = prepare(database, 'SELECT number, name FROM quayside_queues')
    // The oldest have the smallest numbers: all others need not be looked at.
    this.#forget = prepare(
      database,
      `DELETE FROM quayside_done WHERE number IN (
         SELECT number FROM (SELECT number, until FROM quayside_done ORDER BY number LIMIT 4) WHERE until < ?)`,
    )
    this.#mark = prepare(
      database,
      'INSERT INTO quayside_done (message, until) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING number',
    )
  }

  /** The number of a queue, if it has one. */
  find(queue: string): number | undefined {
    const row = this.#number.get(encoder.encode(queue)) as { number: number | bigint } | null | undefined
    // Programs may have their connections answer with a BigInt.
    return row ? Number(row.number) : undefined
  }

  /** The number of a queue, which gets one if it has none. */
  numberOf(queue: string): number {
    // First of all: a transaction that has read before it writes may find that it reads what is old by now, and fail.
    this.#name.run(encoder.encode(queue))
    return this.find(queue)!
  }

  /** All queues that ever were. */
  queues(): { readonly number: number; readonly name: string }[] {
    const rows = this.#queues.all() as { number: number | bigint; name: Uint8Array }[]
    return rows.map(({ number, name }) => ({ number: Number(number), name: decoder.decode(name) }))
  }

  /** Writes down, for so long, that a message is done; `false` if that stands there already. */
  mark(message: string, now: number, keepMs: number): boolean {
    this.#forget.run(now)
    return Boolean(this.#mark.get(message, now + keepMs))
  }
}

const known = new WeakMap<SQLiteDatabase, Tables>()

/** Uses our tables on a connection of a program, in the transaction that it has open: makes them, if they are not there. */
export function withTables<T>(database: SQLiteDatabase, use: (tables: Tables) => T): T {
  try {
    return use(tablesOf(database))
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('no such table: '))) throw error
  }
  database.exec(SCHEMA)
  return use(tablesOf(database))
}

function tablesOf(database: SQLiteDatabase): Tables {
  let tables = known.get(database)
  if (tables === undefined) known.set(database, (tables = new Tables(database)))
  return tables
}
