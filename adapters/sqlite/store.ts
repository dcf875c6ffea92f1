import { joinHints } from '../../src/segments/hints.ts'
import type {
  KeyRange,
  Kind,
  QueueStore,
  Row,
  Table,
  Transaction,
  TransactionalStore,
  Key,
} from '../../src/segments/store.ts'
import type { Hint } from '../../src/storage.ts'
import { keyBytes, keyOf } from '../durable-object/key-bytes.ts'
import { pack, unpack } from '../durable-object/packed.ts'
import { Bell } from './bell.ts'
import { type Source, Connection } from './connection.ts'
import { type SQLiteStatement, fileOf } from './driver.ts'
import type { SQLiteOptions } from './options.ts'
import { Rows } from './rows.ts'
import { SCHEMA } from './schema.ts'

type Listener = (hint?: Hint) => void

interface Job {
  readonly queue: QueueRows
  readonly kind: Kind
  readonly body: (tx: Transaction) => unknown
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** Contract 2 on a SQLite file. */
export class SQLiteStore implements TransactionalStore {
  readonly connection: Connection
  readonly rows: Rows
  readonly now: () => number
  readonly #options: SQLiteOptions
  readonly #bell: Bell | undefined
  readonly #open: SQLiteStatement
  readonly #name: SQLiteStatement
  readonly #queues: SQLiteStatement
  readonly #listeners: Map<number, Set<Listener>> = new Map()
  #waiting: Job[] = []
  #working: Promise<void> | undefined

  private constructor(connection: Connection, options: SQLiteOptions) {
    const { database } = connection
    this.connection = connection
    this.#options = options
    const { clock = Date } = options
    this.now = () => clock.now()
    this.rows = new Rows(database)
    this.#open = database.prepare('INSERT INTO quayside_queues (name) VALUES (?) ON CONFLICT DO NOTHING')
    this.#name = database.prepare('SELECT number FROM quayside_queues WHERE name = ?')
    this.#queues = database.prepare('SELECT number, name FROM quayside_queues')
    const file = fileOf(database)
    if (file === '') return
    const version = database.prepare('PRAGMA data_version')
    let latest: unknown
    const isNews = (): boolean => {
      const before = latest
      latest = (version.get() as { data_version: unknown }).data_version
      return latest !== before
    }
    this.#bell = new Bell(file, isNews, (slots) => {
      for (const [number, listeners] of this.#listeners)
        if (slots.has(Bell.slotOf(number))) for (const listener of listeners) listener({ finished: 'many' })
    })
  }

  static async open(source: Source, name: string, options: SQLiteOptions): Promise<SQLiteStore> {
    const { timeoutMs = 30_000 } = options
    return new SQLiteStore(await Connection.open(source, name, SCHEMA, timeoutMs), options)
  }

  async open(queue: string): Promise<QueueStore> {
    const name = new TextEncoder().encode(queue)
    const number = await this.connection.change('NORMAL', () => {
      this.#open.run(name)
      return (this.#name.get(name) as { number: number }).number
    })
    return new QueueRows(this, number)
  }

  async queues(): Promise<string[]> {
    const all = await this.connection.look(() => this.#queues.all() as { number: number; name: Uint8Array }[])
    const decoder = new TextDecoder()
    const there = await this.connection.look(() =>
      all.filter(({ number }) => new QueueRows(this, number).count('state', {}) > 0),
    )
    return there.map(({ name }) => decoder.decode(name)).sort()
  }

  transact<T>(queue: QueueRows, kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ queue, kind, body, resolve, reject })
      this.#working ??= Promise.resolve().then(() => this.#work())
    })
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const jobs = this.#waiting
      this.#waiting = []
      // Where one fails, each is on its own.
      if (jobs.length === 1 || !(await this.#together(jobs))) for (const job of jobs) await this.#alone(job)
    }
    this.#working = undefined
  }

  async #together(jobs: readonly Job[]): Promise<boolean> {
    try {
      const results = await this.#run(jobs)
      for (const [i, { resolve }] of jobs.entries()) resolve(results[i] as never)
      return true
    } catch {
      return false
    }
  }

  async #alone(job: Job): Promise<void> {
    try {
      job.resolve((await this.#run([job]))[0] as never)
    } catch (error) {
      job.reject(error)
    }
  }

  async #run(jobs: readonly Job[]): Promise<unknown[]> {
    const body = (): unknown[] =>
      jobs.map(({ queue, body }) => {
        queue.begin()
        return body(queue)
      })
    if (jobs.every(({ kind }) => kind === 'read')) return await this.connection.look(body)
    const { durability, strictAcks } = this.#options
    const waits =
      durability !== 'normal' &&
      jobs.some(({ kind }) => (strictAcks ? kind !== 'read' : kind === 'append' || kind === 'remove'))
    for (const { queue } of jobs) queue.forget()
    const results = await this.connection.change(waits ? 'FULL' : 'NORMAL', () => {
      for (const { queue } of jobs) queue.forget()
      return body()
    })
    for (const { queue, kind } of jobs) this.#changed(queue, kind)
    return results
  }

  #changed(queue: QueueRows, kind: Kind): void {
    if (!queue.wrote) return
    const { hint, number } = queue
    this.#bell?.ring(number, kind === 'append' || hint !== undefined)
    for (const listener of this.#listeners.get(number) ?? []) queueMicrotask(() => listener(hint))
  }

  listen(queue: number, listener: Listener): () => void {
    const own: Listener = (hint) => listener(hint)
    const listeners = this.#listeners.get(queue) ?? new Set()
    this.#listeners.set(queue, listeners.add(own))
    this.#bell?.listen()
    return () => {
      listeners.delete(own)
      if (listeners.size > 0 || this.#listeners.get(queue) !== listeners) return
      this.#listeners.delete(queue)
      if (this.#listeners.size === 0) this.#bell?.rest()
    }
  }

  async close(): Promise<void> {
    await this.#working
    this.#bell?.close()
    this.connection.close()
  }
}

class QueueRows implements QueueStore, Transaction {
  readonly soleOwner = false
  readonly hasInbox = true
  readonly number: number
  readonly #store: SQLiteStore
  wrote = false
  hint: Hint | undefined

  constructor(store: SQLiteStore, number: number) {
    this.#store = store
    this.number = number
  }
  forget(): void {
    this.wrote = false
    this.hint = undefined
  }
  begin(): void {}
  transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    return this.#store.transact(this, kind, body)
  }
  now(): number {
    return this.#store.now()
  }
  watch(listener: Listener): () => void {
    return this.#store.listen(this.number, listener)
  }
  #key(table: Table, key: Key, behind = false): Uint8Array {
    const k = keyBytes(
      typeof key === 'object' ? [this.number, table, ...key] : [this.number, table, key],
      behind,
    )
    return k
  }
  #bounds(table: Table, { lower = [], upper = [] }: KeyRange): [Uint8Array, Uint8Array] {
    return [this.#key(table, lower), this.#key(table, upper, true)]
  }
  get<V>(table: Table, key: Key): V | undefined {
    const v = this.#store.rows.get(this.#key(table, key))
    return v === undefined ? undefined : (value(v) as V)
  }
  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[] {
    return this.#store.rows.scan(...this.#bounds(table, range), limit).map(([k, v]) => {
      const key = (keyOf(k) as readonly (string | number)[]).slice(2)
      return [key.length === 1 ? key[0]! : key, value(v) as V]
    })
  }
  count(table: Table, range: KeyRange): number {
    return this.#store.rows.count(...this.#bounds(table, range))
  }
  put(table: Table, key: Key, v: unknown): void {
    this.wrote = true
    this.#store.rows.put(this.#key(table, key), bytes(v))
  }
  delete(table: Table, key: Key): void {
    this.wrote = true
    this.#store.rows.delete(this.#key(table, key))
  }
  deleteRange(table: Table, range: KeyRange): void {
    this.wrote = true
    this.#store.rows.deleteRange(...this.#bounds(table, range))
  }
  tell(hint: Hint): void {
    this.hint = joinHints(this.hint, hint)
  }
}
const enc = new TextEncoder(),
  dec = new TextDecoder()
function bytes(v: unknown): Uint8Array {
  const { text, bytes } = pack(v)
  const t = enc.encode(text)
  if (bytes === undefined) return t
  const all = new Uint8Array(5 + t.length + bytes.length)
  new DataView(all.buffer).setUint32(1, t.length)
  all.set(t, 5)
  all.set(bytes, 5 + t.length)
  return all
}
function value(b: Uint8Array): unknown {
  if (b[0] !== 0) return unpack({ text: dec.decode(b) })
  const n = new DataView(b.buffer, b.byteOffset).getUint32(1)
  return unpack({ text: dec.decode(b.subarray(5, 5 + n)), bytes: b.subarray(5 + n) })
}
